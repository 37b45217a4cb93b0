"""What the last numbers of a network mean: a point, a Gaussian, bins, or the context of a flow.

A head turns the outputs of a network and the scaled log mass y (training range: -1 to 1) into a loss for each cluster,
and the outputs into a distribution of y.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ..._extras import import_extra
from ...errors import DomainError

MAX_LOG_VARIANCE = 10.0  #: of a Gaussian head, so that an untrained one cannot overflow


class PointHead(nn.Module):
    """One number, by least squares."""

    outputs = 1

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster: (n, 1), (n,) -> (n,)."""
        return (outputs[:, 0] - y) ** 2

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor | None:
        """A point has no distribution."""
        return None

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """(n, 1) -> (n,)."""
        return outputs[:, 0]


class GaussianHead(nn.Module):
    """Mean and log variance; loss (y - mu)^2 exp(-s) / 2 + s / 2 (Ho et al. 2021, ApJ 908, 204)."""

    outputs = 2

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster: (n, 2), (n,) -> (n,)."""
        mean, spread = outputs[:, 0], outputs[:, 1].clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        return 0.5 * ((y - mean) ** 2 * torch.exp(-spread) + spread)

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ln of the density at y (k,): (n, 2) -> (n, k)."""
        mean, spread = outputs[:, :1], outputs[:, 1:].clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)
        return -0.5 * ((y - mean) ** 2 * torch.exp(-spread) + spread + math.log(2.0 * math.pi))

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """(n, 2) -> (n,)."""
        return outputs[:, 0]


class BinnedHead(nn.Module):
    """Probabilities of equal bins between -1 and 1, by cross entropy (Ho et al. 2021, ApJ 908, 204)."""

    def __init__(self, bins: int = 64) -> None:
        super().__init__()
        if bins < 2:
            raise DomainError(f"`bins` must be at least 2, got {bins}")
        self.outputs = bins

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster: (n, bins), (n,) -> (n,)."""
        return -torch.log_softmax(outputs, 1).gather(1, self._bin(y)[:, None])[:, 0]

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ln of the density at y (k,), zero density outside the bins: (n, bins) -> (n, k)."""
        density = torch.log_softmax(outputs, 1)[:, self._bin(y)] + math.log(0.5 * self.outputs)
        return torch.where(y.abs() <= 1.0, density, -torch.inf)

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """(n, bins) -> (n,)."""
        centres = (torch.arange(self.outputs, device=outputs.device) + 0.5) * (2.0 / self.outputs) - 1.0
        return torch.softmax(outputs, 1) @ centres.to(outputs.dtype)

    def _bin(self, y: torch.Tensor) -> torch.Tensor:
        return ((y + 1.0) * (0.5 * self.outputs)).floor().long().clamp(0, self.outputs - 1)


class FlowHead(nn.Module):
    """A normalising flow of y, conditioned on what comes out of the network, by negative log likelihood.

    Parameters
    ----------
    context : int
        Numbers that come out of the network.
    transforms : int
        Steps of the flow.
    kind : {"maf", "nsf"}
        Affine steps (masked autoregressive flow) or rational-quadratic splines (neural spline flow).
    hidden : tuple of int
        Sizes of the layers that make a step's parameters from the context.

    Examples
    --------
    >>> head = FlowHead(context=4, transforms=2, hidden=(8,))
    >>> head(torch.zeros(3, 4), torch.zeros(3)).shape
    torch.Size([3])
    """

    def __init__(
        self, context: int = 16, transforms: int = 5, kind: str = "maf", hidden: tuple[int, ...] = (32, 32)
    ) -> None:
        super().__init__()
        zuko = import_extra("zuko", extra="ml", what="flows need")
        kinds = {"maf": zuko.flows.MAF, "nsf": zuko.flows.NSF}
        if kind not in kinds:
            raise DomainError(f"`kind` must be one of {tuple(kinds)}, got {kind!r}")
        self.outputs = context
        self.flow = kinds[kind](1, context, transforms=transforms, hidden_features=hidden)

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster: (n, context), (n,) -> (n,)."""
        loss: torch.Tensor = -self.flow(outputs).log_prob(y[:, None])
        return loss

    def log_density(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ln of the density at y (k,): (n, context) -> (n, k). The steps of one number depend on the context only, so
        that their parameters are made once a cluster, not once a y."""
        each = y[None, :, None].expand(outputs.shape[0], y.shape[0], 1)
        found: torch.Tensor = self.flow(outputs[:, None]).log_prob(each)
        return found

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        """Mean of y between -3 and 3 by the trapezoid rule: (n, context) -> (n,)."""
        y = torch.linspace(-3.0, 3.0, 601, dtype=outputs.dtype, device=outputs.device)
        density = self.log_density(outputs, y).exp()
        return torch.trapezoid(density * y, y, dim=1) / torch.trapezoid(density, y, dim=1)


class MassNetwork(nn.Module):
    """A network and its head. Called with inputs and scaled log masses it gives the loss of each cluster: (n,).

    Parameters
    ----------
    trunk : Module
        Inputs -> (n, head.outputs).
    head : Module
        One of this file.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, y: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
        """Loss of each cluster."""
        loss: torch.Tensor = self.head(self.trunk(*inputs), y)
        return loss


def dropout_only(module: nn.Module) -> nn.Module:
    """Put a network into the mode of prediction, but keep its dropout active (Monte-Carlo dropout)."""
    module.eval()
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.train()
    return module
