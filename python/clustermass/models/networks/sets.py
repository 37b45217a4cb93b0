"""A network on the galaxies themselves, whatever their order and number."""

from __future__ import annotations

import torch
from torch import nn

from .layers import dense


class SetNetwork(nn.Module):
    """Permutation-invariant network on raw galaxies: count them in windows that it learns, then decode the counts.

    Each galaxy passes through the same layers, which end in `gates` windows between 0 and 1 and a value beside each.
    Of a cluster the network keeps ln(1 + sum of a window) and the mean value seen through it. If galaxies were
    independent draws from a density in radius and velocity that depends on mass, sums of functions of a galaxy would
    hold all there is to know of the mass; so these are sums, not means or attention weights, and richness enters.
    The counts pass the last layers together with `summary`, quantities of the whole cluster, which also reach the
    outputs by a linear layer: the network learns what a power law of them leaves. After Zaheer et al. 2017 (Deep
    Sets, NeurIPS).

    Galaxies of all clusters of a batch lie one after another, `owner` says whose they are: there is no padding to the
    richest cluster. A galaxy of weight w counts as w galaxies, one of weight 0 is not there.

    Parameters
    ----------
    columns : int
        Numbers a galaxy, scaled to the order of one.
    summaries : int
        Numbers a cluster, scaled to the order of one.
    outputs : int
    width : int
        Of the encoding of a galaxy.
    gates : int
        Windows.
    hidden : int
        Width of the last layers.

    Examples
    --------
    Two clusters, of three galaxies and of one:

    >>> owner = torch.tensor([0, 0, 0, 1])
    >>> SetNetwork(columns=4, summaries=5, outputs=3)(torch.zeros(4, 4), torch.ones(4), owner, torch.zeros(2, 5)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, columns: int, summaries: int, outputs: int = 1, width: int = 32, gates: int = 32, hidden: int = 64
    ) -> None:
        super().__init__()
        self.encode = dense([columns, width, width], activation=nn.GELU)
        self.gate, self.value = nn.Linear(width, gates), nn.Linear(width, gates)
        self.decode = dense([2 * gates + summaries, hidden, hidden], activation=nn.GELU)
        self.output = nn.Linear(hidden, outputs)
        self.straight = nn.Linear(summaries, outputs)
        with torch.no_grad():  # start near the same answer for every cluster
            self.output.weight.mul_(0.1)
            self.straight.weight.mul_(0.1)

    def forward(
        self, galaxies: torch.Tensor, weight: torch.Tensor, owner: torch.Tensor, summary: torch.Tensor
    ) -> torch.Tensor:
        """Galaxies (m, columns), weight (m,), owner (m,) int64 below n, summary (n, summaries) -> (n, outputs)."""
        encoded = self.encode(galaxies)
        seen = torch.sigmoid(self.gate(encoded)) * weight.unsqueeze(1)
        both = torch.cat([seen, seen * self.value(encoded)], 1)
        empty = summary.new_zeros((summary.shape[0], both.shape[1]))
        count, total = empty.to(both.dtype).scatter_add(0, owner.unsqueeze(1).expand_as(both), both).chunk(2, 1)
        pooled = torch.cat([torch.log1p(count) - 2.5, total / (count + 1.0), summary], 1)
        outputs: torch.Tensor = self.output(self.decode(pooled)) + self.straight(summary)
        return outputs


class Summarised(nn.Module):
    """A network on grids whose numbers are decoded together with a summary of the cluster.

    Parameters
    ----------
    trunk : Module
        Grid -> (n, features).
    features, summaries, outputs : int
    hidden : int
        Width of the last layers.

    Examples
    --------
    >>> Summarised(nn.Flatten(), 6, 5, 3)(torch.zeros(2, 2, 3), torch.zeros(2, 5)).shape
    torch.Size([2, 3])
    """

    def __init__(self, trunk: nn.Module, features: int, summaries: int, outputs: int, hidden: int = 64) -> None:
        super().__init__()
        self.trunk = trunk
        self.decode = dense([features + summaries, hidden], activation=nn.GELU)
        self.output = nn.Linear(hidden, outputs)
        self.straight = nn.Linear(summaries, outputs)

    def forward(self, grid: torch.Tensor, summary: torch.Tensor) -> torch.Tensor:
        """Grid (n, ...) and summary (n, summaries) -> (n, outputs)."""
        decoded = self.decode(torch.cat([self.trunk(grid), summary], 1))
        outputs: torch.Tensor = self.output(decoded) + self.straight(summary)
        return outputs
