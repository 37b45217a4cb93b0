"""CNN_3D of Kodi Ramanah, Wojtak & Arendse 2021 (MNRAS 501, 4080; arXiv 2009.03340)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .layers import start_like_keras


class CNN3D(nn.Module):
    """Mass from the distribution of galaxies in (x, y, velocity): 123,189 parameters.

    Three convolutions (12 filters of 5^3, 8 of 3^3, 4 of 1^3, ReLU), each followed by a max-pool of 2 that keeps the
    last odd cell; dense layers of 128 and 64 without activation, as in the authors' code; a linear one. Of a grid of
    50^3 cells, 46, 23, 21, 11, 11 and 6 are left along each side.

    Parameters
    ----------
    outputs : int
        Numbers that come out; 1 as published.

    Examples
    --------
    >>> CNN3D()(torch.zeros(2, 50, 50, 50)).shape
    torch.Size([2, 1])
    """

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Conv3d(1, 12, 5), nn.Conv3d(12, 8, 3), nn.Conv3d(8, 4, 1)
        self.dense = nn.Sequential(nn.Linear(4 * 6**3, 128), nn.Linear(128, 64))
        self.output = nn.Linear(64, outputs)
        start_like_keras(self)

    def forward(self, grids: torch.Tensor) -> torch.Tensor:
        """(n, 50, 50, 50) -> (n, outputs)."""
        values = grids.unsqueeze(1)
        for convolution in (self.first, self.second, self.third):
            # the pool before the ReLU: the same numbers, an eighth of the work
            values = functional.relu(functional.max_pool3d(convolution(values), 2, ceil_mode=True))
        outputs: torch.Tensor = self.output(self.dense(values.flatten(1)))
        return outputs
