"""The network of de Andres et al. 2022 (Nature Astronomy 6, 1325; arXiv 2209.10333) on Planck maps of Compton y.

The layers are those of Ntampaka et al. 2019 (ApJ 876, 82), so that the network serves smooth X-ray images too.
"""

from __future__ import annotations

import torch
from torch import nn

from .layers import dense, start_like_keras

PIXELS = 96  #: of the published maps, along each side


class DeepPlanck(nn.Module):
    """Mass from an image: 58,437 parameters.

    Three times a convolution of 3 x 3 without padding (16, 32, 64 filters, ReLU) and a max-pool of 2; the mean of each
    filter over the image; dropout, dense layers of 200, 100 and 20 with dropout after the first; a linear one. 94, 47,
    45, 22, 20 and 10 pixels are left of the sides of 96; since the filters are averaged any size does.

    Parameters
    ----------
    outputs : int
        Numbers that come out; 1 as published.
    channels : int
        Of the image; 1 as published.
    dropout : float
        0.1 as published.

    Examples
    --------
    >>> DeepPlanck()(torch.zeros(2, 1, 96, 96)).shape
    torch.Size([2, 1])
    """

    def __init__(self, outputs: int = 1, channels: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for filters in (16, 32, 64):
            layers += [nn.Conv2d(channels, filters, 3), nn.MaxPool2d(2), nn.ReLU()]  # the same as pooling after
            channels = filters
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Dropout(dropout), dense([64, 200], dropout=dropout), dense([200, 100, 20]))
        self.output = nn.Linear(20, outputs)
        start_like_keras(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, channels, rows, columns) -> (n, outputs)."""
        outputs: torch.Tensor = self.output(self.dense(self.convolutions(images).mean(dim=(2, 3))))
        return outputs
