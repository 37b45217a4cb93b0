"""Networks for photon counts of eROSITA in ten bands: those of the eFEDS report, and of Krippendorf et al. 2024."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ...errors import DomainError
from .layers import dense, start_like_keras

CHANNELS, PIXELS = 10, 50
FILTERS, KERNELS, BLOCKS, DENSE_LAYERS = (10, 20, 30), (3, 5, 7), (1, 2, 3), (1, 2, 3)  #: the grid of the report
DENSE_SIZES = (64, 44, 24)
FILTER_STEP = 10


class Architecture(NamedTuple):
    """One point of the grid: filters of the first convolution, their width, blocks, dense layers."""

    filters: int
    kernel: int
    blocks: int
    dense_layers: int


def sides(kernel: int, blocks: int, pixels: int = PIXELS, pool: int = 2) -> list[int]:
    """Pixels along a side before the first block and after each one; 0 where nothing is left.

    Examples
    --------
    >>> sides(3, 3)
    [50, 24, 11, 4]
    """
    found = [pixels]
    for _ in range(blocks):
        found.append(max(0, found[-1] - kernel + 1) // pool)
    return found


def architectures(pixels: int = PIXELS, pool: int = 2) -> Iterator[Architecture]:
    """All points of the grid of the eFEDS report whose blocks leave at least one pixel.

    The report says that 53 of its 81 points are possible. Whether one is depends on its kernel and blocks alone, so the
    number must be a multiple of 9, which 53 is not. Convolutions without padding and pools of 2, with which the network
    that the report recommends exists, leave all 81; pools of 3 would leave 54, but not that network.

    Examples
    --------
    >>> len(list(architectures())), len(list(architectures(pool=3)))
    (81, 54)
    """
    for point in map(Architecture._make, product(FILTERS, KERNELS, BLOCKS, DENSE_LAYERS)):
        if sides(point.kernel, point.blocks, pixels, pool)[-1] > 0:
            yield point


class ErositaCNN(nn.Module):
    """Network of the eFEDS report (document 004): blocks of convolution, ReLU and max-pool, dense layers, a linear one.

    As recommended: 3 blocks of 10, 20 and 30 filters of 3 x 3 without padding, the redshift beside the flattened
    images, one dense layer of 64: 39,073 parameters.

    Parameters
    ----------
    filters : int
        Of the first convolution; each further one has 10 more.
    kernel : int
        Width of the filters.
    blocks : int
        Each halves what is left.
    dense_layers : int
        1 to 3, of 64, 44 and 24 units.
    redshift : bool
        Whether `forward` gets the redshifts.
    channels, pixels : int
        Of the images.
    outputs : int
        Numbers that come out.

    Raises
    ------
    DomainError
        If nothing is left of the images.

    Examples
    --------
    >>> ErositaCNN()(torch.zeros(3, 10, 50, 50), torch.zeros(3)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self,
        *,
        filters: int = 10,
        kernel: int = 3,
        blocks: int = 3,
        dense_layers: int = 1,
        redshift: bool = True,
        channels: int = CHANNELS,
        pixels: int = PIXELS,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        if not 1 <= dense_layers <= len(DENSE_SIZES):
            raise DomainError(f"`dense_layers` must be 1 to {len(DENSE_SIZES)}, got {dense_layers}")
        if blocks < 1 or (left := sides(kernel, blocks, pixels)[-1]) < 1:
            raise DomainError(f"`blocks` must leave a pixel of {pixels}: {blocks} of kernel {kernel} do not")
        self.redshift = redshift
        widths = [channels, *(filters + FILTER_STEP * k for k in range(blocks))]
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [nn.Conv2d(before, after, kernel), nn.ReLU(), nn.MaxPool2d(2)]
        self.convolutions = nn.Sequential(*parts)
        sizes = [widths[-1] * left**2 + redshift, *DENSE_SIZES[:dense_layers]]
        self.dense = dense(sizes)
        self.output = nn.Linear(sizes[-1], outputs)
        start_like_keras(self)

    def forward(self, images: torch.Tensor, redshift: torch.Tensor | None = None) -> torch.Tensor:
        """(n, channel, row, column), (n,) -> (n, outputs)."""
        values = _beside(self.convolutions(images).flatten(1), redshift, self.redshift)
        outputs: torch.Tensor = self.output(self.dense(values))
        return outputs


class KrippendorfCNN(nn.Module):
    """Network of Krippendorf et al. 2024 (A&A 682, A132): 299,732 parameters with two outputs.

    Convolution of 10 filters of 2 x 2, ReLU, average pool, convolution of 20, ReLU, max-pool, the redshift beside the
    flattened images, two dense layers of 100. Figure 3 of the paper says 10 filters for the second convolution too; 20
    and padding to the same size are what gives the number of parameters of the authors' later implementation.

    Parameters
    ----------
    channels, pixels : int
        Of the images.
    outputs : int
        2 as published: mean and spread.

    Examples
    --------
    >>> KrippendorfCNN()(torch.zeros(3, 10, 50, 50), torch.zeros(3)).shape
    torch.Size([3, 2])
    """

    redshift = True

    def __init__(self, *, channels: int = CHANNELS, pixels: int = PIXELS, outputs: int = 2) -> None:
        super().__init__()
        if pixels < 4:
            raise DomainError(f"`pixels` must be at least 4, got {pixels}")
        self.first, self.second = nn.Conv2d(channels, 10, 2), nn.Conv2d(10, 20, 2)
        self.dense = dense([20 * (pixels // 4) ** 2 + 1, 100, 100])
        self.output = nn.Linear(100, outputs)
        start_like_keras(self)

    def forward(self, images: torch.Tensor, redshift: torch.Tensor | None = None) -> torch.Tensor:
        """(n, channel, row, column), (n,) -> (n, outputs)."""
        # an even filter is padded behind alone, as Keras does
        values = functional.avg_pool2d(functional.relu(self.first(functional.pad(images, (0, 1, 0, 1)))), 2)
        values = functional.max_pool2d(functional.relu(self.second(functional.pad(values, (0, 1, 0, 1)))), 2)
        outputs: torch.Tensor = self.output(self.dense(_beside(values.flatten(1), redshift, True)))
        return outputs


def _beside(values: torch.Tensor, redshift: torch.Tensor | None, wanted: bool) -> torch.Tensor:
    if not wanted:
        return values
    if redshift is None:
        raise DomainError("`redshift` must be given: the network was made with it")
    return torch.cat([values, redshift[:, None].to(values.dtype)], 1)
