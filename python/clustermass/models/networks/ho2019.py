"""CNN_1D and CNN_2D of Ho et al. 2019 (ApJ 887, 25; arXiv 1902.05950), in both versions of the paper."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import DomainError
from .layers import dense, start_like_keras

VERSIONS = ("arxiv-v1", "final")
CELLS = 48  #: of the grids, along each axis


class _VelocityCNN(nn.Module):
    """Two convolutions along the velocity, a pool in the first version, dropout, two dense layers, a linear one."""

    def __init__(
        self, channels: int, filters: tuple[int, int], pool: int, outputs: int, dropout: float, units: tuple[int, int]
    ) -> None:
        super().__init__()
        first, second = filters
        self.channels = channels
        self.convolutions = nn.Sequential(
            nn.Conv1d(channels, first, 5, padding=2), nn.ReLU(),
            nn.Conv1d(first, second, 3, padding=1), nn.ReLU(),
            *([nn.MaxPool1d(pool)] if pool > 1 else []),
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)
        self.dense = dense([second * (CELLS // pool), *units])
        self.output = nn.Linear(units[-1], outputs)
        start_like_keras(self)

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        """(n, 48) or (n, 48 velocities, 48 radii) -> (n, outputs)."""
        steps = grids.unsqueeze(1) if grids.ndim == 2 else grids.transpose(1, 2)
        outputs: torch.Tensor = self.output(self.dense(self.dropout(self.convolutions(steps)).flatten(1)))
        return outputs


class CNN1D(_VelocityCNN):
    """Mass from the distribution of velocities.

    Convolutions of 10 filters of width 5 and 5 of width 3 along 48 cells of velocity, dropout, dense layers of 128 and
    64, a linear one. arXiv v1 has a max-pool of 2 after the convolutions (24,024 parameters), the final version has
    none (39,384).

    Parameters
    ----------
    version : {"arxiv-v1", "final"}
        The first reproduces the figures of arXiv v1 (scatter 0.171 dex).
    outputs : int
        Numbers that come out; 1 as published.
    dropout : float
        0.25 as published.
    filters : (int, int)
        Of the two convolutions.
    units : (int, int)
        Sizes of the two dense layers.

    Examples
    --------
    >>> CNN1D()(torch.zeros(7, 48)).shape
    torch.Size([7, 1])
    """

    def __init__(
        self, version: str = "arxiv-v1", outputs: int = 1, dropout: float = 0.25,
        filters: tuple[int, int] = (10, 5), units: tuple[int, int] = (128, 64),
    ) -> None:  # fmt: skip
        super().__init__(1, filters, 2 if _version(version) == "arxiv-v1" else 1, outputs, dropout, units)


class CNN2D(_VelocityCNN):
    """Mass from the distribution of velocities and projected radii.

    A one-dimensional convolution along the velocity with the 48 radial bins as channels: 24 filters of width 5, then 10
    of width 3; the rest as `CNN1D`, with a max-pool of 4 in arXiv v1 (30,323 parameters) and none in the final version
    (76,403).

    Parameters
    ----------
    version : {"arxiv-v1", "final"}
        The first reproduces the figures of arXiv v1 (scatter 0.127 dex; final: 0.132).
    outputs : int
        Numbers that come out; 1 as published.
    dropout : float
        0.25 as published.
    filters : (int, int)
        Of the two convolutions.
    units : (int, int)
        Sizes of the two dense layers.

    Examples
    --------
    >>> CNN2D("final")(torch.zeros(7, 48, 48)).shape
    torch.Size([7, 1])
    """

    def __init__(
        self, version: str = "arxiv-v1", outputs: int = 1, dropout: float = 0.25,
        filters: tuple[int, int] = (24, 10), units: tuple[int, int] = (128, 64),
    ) -> None:  # fmt: skip
        super().__init__(CELLS, filters, 4 if _version(version) == "arxiv-v1" else 1, outputs, dropout, units)


def _version(version: str) -> str:
    if version not in VERSIONS:
        raise DomainError(f"`version` must be one of {VERSIONS}, got {version!r}")
    return version
