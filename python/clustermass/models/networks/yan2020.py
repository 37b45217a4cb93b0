"""Networks of Yan et al. 2020 (MNRAS 499, 3445; arXiv 2005.11819) on images of one or of several tracers."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import DomainError
from .layers import dense, start_like_keras

PADDINGS = ("same", "valid")
PIXELS = 120  #: of the images, along each side
LISTED = (200, 100, 100, 20)  #: hidden dense layers of the list of sect. 2.4; the caption of figure 3 has one 100 less
CHANNELS = ("stars", "xray_soft", "xray_bolometric", "compton_y")  #: of the multichannel network, in this order


class YanCNN(nn.Module):
    """Mass from an image of one tracer: 2,935,737 parameters.

    Three times a convolution of 3 x 3 (16, 32, 64 filters, ReLU) and an average-pool of 2; dense layers of 200, 100,
    100 and 20, each but the last followed by dropout; a linear one.

    Parameters
    ----------
    outputs : int
        Numbers that come out; 1 as published.
    channels : int
        Of the image; 1 as published.
    pixels : int
        Of a side; 120 as published.
    padding : {"same", "valid"}
        The paper does not say; Keras without further words is "valid" (2,218,937 parameters).
    dropout : float
        0.1 as in the list of layers (sect. 2.4); the text before it says 0.2.
    layers : tuple of int
        Hidden dense layers, as in that list. The caption of figure 3 counts four dense layers (200, 100, 20, 1), the
        conclusion five and six.

    Examples
    --------
    >>> YanCNN()(torch.zeros(2, 1, 120, 120)).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        outputs: int = 1,
        channels: int = 1,
        pixels: int = PIXELS,
        padding: str = "same",
        dropout: float = 0.1,
        layers: tuple[int, ...] = LISTED,
    ) -> None:
        super().__init__()
        self.convolutions = _convolutions(channels, padding)
        self.dense = _dense(_flat(pixels, padding), tuple(layers), dropout)
        self.output = nn.Linear(layers[-1], outputs)
        start_like_keras(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, channels, pixels, pixels) -> (n, outputs)."""
        outputs: torch.Tensor = self.output(self.dense(self.convolutions(images).flatten(1)))
        return outputs


class YanMultichannelCNN(nn.Module):
    """Mass from images of several tracers, each with convolutions of its own: 11,645,784 parameters for four.

    What comes out of the convolutions of `YanCNN` is put side by side, then the same dense layers follow.

    Parameters
    ----------
    outputs, pixels, padding, dropout, layers
        As `YanCNN`.
    channels : int
        Images of a cluster; 4 as published.

    Examples
    --------
    >>> YanMultichannelCNN()(torch.zeros(2, 4, 120, 120)).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        outputs: int = 1,
        channels: int = len(CHANNELS),
        pixels: int = PIXELS,
        padding: str = "same",
        dropout: float = 0.1,
        layers: tuple[int, ...] = LISTED,
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_convolutions(1, padding) for _ in range(channels))
        self.dense = _dense(channels * _flat(pixels, padding), tuple(layers), dropout)
        self.output = nn.Linear(layers[-1], outputs)
        start_like_keras(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, channels, pixels, pixels) -> (n, outputs)."""
        found = [part(images[:, k : k + 1]).flatten(1) for k, part in enumerate(self.convolutions)]
        outputs: torch.Tensor = self.output(self.dense(torch.cat(found, 1)))
        return outputs


def _convolutions(channels: int, padding: str) -> nn.Sequential:
    if padding not in PADDINGS:
        raise DomainError(f"`padding` must be one of {PADDINGS}, got {padding!r}")
    layers: list[nn.Module] = []
    for filters in (16, 32, 64):
        layers += [nn.Conv2d(channels, filters, 3, padding=1 if padding == "same" else 0), nn.ReLU(), nn.AvgPool2d(2)]
        channels = filters
    return nn.Sequential(*layers)


def _flat(pixels: int, padding: str) -> int:
    """Numbers that the convolutions leave of an image."""
    side = pixels
    for _ in range(3):
        side = (side if padding == "same" else side - 2) // 2
    if side < 1:
        raise DomainError(f"`pixels` must leave something after three pools, got {pixels}")
    return 64 * side**2


def _dense(inputs: int, layers: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Dropout between the hidden layers, not after the last."""
    return nn.Sequential(
        dense([inputs, *layers[:-1]], dropout=dropout), dense([layers[-2] if len(layers) > 1 else inputs, layers[-1]])
    )
