"""Images brought to the order of one before a network sees them, with numbers that are kept with its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...errors import DomainError

TRANSFORMS = ("standard", "asinh")


class ScaledImages(nn.Module):
    """A network behind a scaling of each channel: (f(x) - mean) / spread.

    Parameters
    ----------
    network : Module
        (images, ...) -> outputs.
    channels : int
    transform : {"standard", "asinh"}
        f(x) = x, or asinh(x / softening): linear in the noise, logarithmic above.

    Notes
    -----
    `fit_scale` sets the numbers from images of training; they are buffers, so that they are saved with the weights.

    Examples
    --------
    >>> network = ScaledImages(nn.Flatten(), channels=1)
    >>> network.fit_scale(torch.tensor([[[[1.0, 3.0]]]]))
    >>> network(torch.tensor([[[[1.0, 3.0]]]])).tolist()
    [[-1.0, 1.0]]
    """

    mean: torch.Tensor
    spread: torch.Tensor
    softening: torch.Tensor

    def __init__(self, network: nn.Module, channels: int, transform: str = "standard") -> None:
        super().__init__()
        if transform not in TRANSFORMS:
            raise DomainError(f"`transform` must be one of {TRANSFORMS}, got {transform!r}")
        self.network, self.transform = network, transform
        for name in ("mean", "spread", "softening"):
            value = torch.zeros(channels) if name == "mean" else torch.ones(channels)
            self.register_buffer(name, value)

    def forward(self, images: torch.Tensor, *others: torch.Tensor) -> Any:
        """(n, channels, rows, columns), ... -> what the network gives."""
        values = self._curved(images, self._wide(self.softening))
        return self.network((values - self._wide(self.mean)) / self._wide(self.spread), *others)

    def fit_scale(self, images: torch.Tensor) -> None:
        """Mean and spread of all pixels of images (n, channels, rows, columns); softening: the noise of a pixel.

        The noise is that of the median absolute deviation, at least a thousandth of the standard deviation. A channel
        without any contrast keeps spread one.
        """
        for channel in range(images.shape[1]):
            pixels = images[:, channel].double().flatten()
            deviation = pixels.std(unbiased=False)
            noise = 1.4826 * (pixels - pixels.median()).abs().median()
            softening = torch.maximum(noise, 1e-3 * deviation)
            softening = torch.where(softening > 0, softening, torch.ones_like(softening))
            curved = self._curved(pixels, softening)
            spread = curved.std(unbiased=False)
            self.softening[channel] = softening
            self.mean[channel] = curved.mean()
            self.spread[channel] = torch.where(spread > 0, spread, torch.ones_like(spread))

    def _curved(self, values: torch.Tensor, softening: torch.Tensor) -> torch.Tensor:
        return torch.asinh(values / softening) if self.transform == "asinh" else values

    @staticmethod
    def _wide(value: torch.Tensor) -> torch.Tensor:
        return value[:, None, None]
