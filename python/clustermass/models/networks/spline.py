"""A flow of one number by one spline, and several networks that speak as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..._extras import import_extra

_LOG_SCALE = (-3.0, 6.0)  # of 1 / width in the units of y, so that an untrained flow cannot overflow
_START = 1.5  # its logarithm at the start: a width of 0.2


class SplineHead(nn.Module):
    """A conditional flow: shift and scale y, then one monotonic rational-quadratic spline to a normal number.

    Durkan et al. 2019 (NeurIPS). Shift, scale and spline are the outputs of the network themselves: for one number a
    single spline can take any smooth distribution, and without layers of its own the flow costs a third of
    `FlowHead`'s neural spline flow in training and far less where a density on a grid is asked for.

    Parameters
    ----------
    bins : int
        Of the spline, between -5 and 5 standard deviations.

    Examples
    --------
    >>> head = SplineHead(bins=4)
    >>> head.outputs, head(torch.zeros(3, 13), torch.zeros(3)).shape
    (13, torch.Size([3]))
    """

    def __init__(self, bins: int = 8) -> None:
        super().__init__()
        transforms = import_extra("zuko", extra="ml", what="flows need").transforms
        self.spline: Any = transforms.MonotonicRQSTransform
        self.bins, self.outputs = bins, 3 * bins + 1

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster, the negative log likelihood: (n, outputs), (n,) -> (n,)."""
        return -self._log_density(outputs, y)

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ln of the density at y (k,): (n, outputs) -> (n, k)."""
        return self._log_density(outputs.unsqueeze(1), y.expand(outputs.shape[0], -1))

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """Mean of y over 64 equal shares of the probability: (n, outputs) -> (n,)."""
        share = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
        z = torch.special.ndtri(share).to(outputs)
        shift, log_scale, spline = self._parts(outputs.unsqueeze(1))
        y: torch.Tensor = shift + spline.inv(z.expand(outputs.shape[0], -1)) * torch.exp(-log_scale)
        return y.mean(1)

    def _parts(self, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
        shift, log_scale, widths, heights, slopes = torch.split(
            outputs, [1, 1, self.bins, self.bins, self.bins - 1], -1
        )
        scale = (log_scale + _START).clamp(*_LOG_SCALE).squeeze(-1)
        return shift.squeeze(-1), scale, self.spline(widths, heights, slopes)

    def _log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        shift, log_scale, spline = self._parts(outputs)
        z, log_slope = spline.call_and_ladj((y - shift) * torch.exp(log_scale))
        density: torch.Tensor = log_slope + log_scale - 0.5 * (z * z + math.log(2.0 * math.pi))
        return density


class Together(nn.Module):
    """Networks of one kind that see the same inputs; what they give lies side by side.

    Examples
    --------
    >>> Together([nn.Linear(3, 2), nn.Linear(3, 2)])(torch.zeros(5, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of one -> (n, networks * outputs)."""
        return torch.cat([network(*inputs) for network in self.networks], 1)


class MixtureHead(nn.Module):
    """Head of `Together`: each network learns for itself, their densities are averaged.

    The average is broader where networks disagree, so what little training they had shows in the interval.

    Parameters
    ----------
    head : Module
        Of each network; one with a density.
    n : int
        Networks.

    Examples
    --------
    >>> head = MixtureHead(SplineHead(bins=4), 2)
    >>> head.outputs, head.log_density(torch.zeros(3, 26), torch.zeros(7)).shape
    (26, torch.Size([3, 7]))
    """

    def __init__(self, head: Any, n: int) -> None:
        super().__init__()
        self.head, self.n, self.outputs = head, n, head.outputs * n

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Mean loss of the networks for each cluster: (n, outputs), (n,) -> (n,)."""
        return torch.stack([self.head(part, y) for part in outputs.chunk(self.n, 1)]).mean(0)

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ln of the mean density at y (k,): (n, outputs) -> (n, k)."""
        parts = torch.stack([self.head.log_density(part, y) for part in outputs.chunk(self.n, 1)])
        return torch.logsumexp(parts, 0) - math.log(self.n)

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """(n, outputs) -> (n,)."""
        return torch.stack([self.head.mean(part) for part in outputs.chunk(self.n, 1)]).mean(0)
