"""A network on the galaxies themselves, whatever their order and number."""

from __future__ import annotations

import torch
from torch import nn

from .layers import dense


class SetNetwork(nn.Module):
    """Permutation-invariant network on raw galaxies: encode each, weigh them by attention, sum up, decode.

    Each galaxy passes through the same layers. Several attention heads then ask which galaxies to count (an interloper
    gets little weight), and pool the encoded galaxies by their weights; the pooled values go back to each galaxy once,
    so that the second round knows the cluster it is in. What is pooled, with the logarithm of the richness, passes the
    last layers. Deep Sets (Zaheer et al. 2017, NeurIPS) with attention pooling (Lee et al. 2019, ICML).

    Parameters
    ----------
    columns : int
        Numbers a galaxy, scaled to the order of one.
    outputs : int
    width : int
        Of the encoding of a galaxy.
    heads : int
        Attention heads of each pooling.

    Examples
    --------
    >>> galaxies, mask = torch.zeros(2, 9, 3), torch.ones(2, 9)
    >>> SetNetwork(columns=3, outputs=4)(galaxies, mask).shape
    torch.Size([2, 4])
    """

    def __init__(self, columns: int, outputs: int = 1, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.encode = dense([columns, width, width], activation=nn.GELU)
        self.first, self.second = AttentionPool(width, heads), AttentionPool(width, heads)
        self.back = dense([width * (heads + 1) + 1, width], activation=nn.GELU)
        self.again = dense([2 * width, width], activation=nn.GELU)
        self.decode = dense([2 * (width * (heads + 1)) + 1, 2 * width, width], activation=nn.GELU)
        self.output = nn.Linear(width, outputs)

    def forward(self, galaxies: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, members, columns) and (n, members), one where there is a galaxy -> (n, outputs)."""
        richness = mask.sum(1, keepdim=True)
        log_richness = torch.log10(richness.clamp(min=1.0)) - 2.0
        values = self.encode(galaxies)
        pooled = self.first(values, mask)
        summary = self.back(torch.cat([pooled, log_richness], 1))
        values = values + self.again(torch.cat([values, summary[:, None].expand_as(values)], 2))
        decoded = self.decode(torch.cat([pooled, self.second(values, mask), log_richness], 1))
        outputs: torch.Tensor = self.output(decoded)
        return outputs


class AttentionPool(nn.Module):
    """Means over the members of a set: one plain, and one for each head by weights that it learns.

    Examples
    --------
    >>> AttentionPool(8, 2)(torch.zeros(3, 5, 8), torch.ones(3, 5)).shape
    torch.Size([3, 24])
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, heads)

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, members, width) and (n, members) -> (n, width (heads + 1)); zero for an empty set."""
        here = mask.unsqueeze(2)
        plain = (values * here).sum(1) / here.sum(1).clamp(min=1.0)
        score = self.score(values).masked_fill(here == 0, -1e30)
        weight = torch.softmax(score, 1) * here
        return torch.cat([plain, (weight.transpose(1, 2) @ values).flatten(1)], 1)
