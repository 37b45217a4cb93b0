"""A small residual network of today on images: the reference that the published networks are compared with."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import DomainError


class MapResNet(nn.Module):
    """Mass from images: residual blocks as in ConvNeXt (Liu et al. 2022, CVPR), with the redshift where it is given.

    A convolution of 4 x 4 with stride 4 takes the image apart into patches. Each stage has blocks of a depth-wise
    convolution of 5 x 5, a normalisation over the channels, and two dense layers per pixel with GELU between, added to
    what came in; stages are linked by convolutions of 2 x 2 with stride 2. Means and maxima over the last image, and
    the mean over the patches of the first stage, in which small sources still are, go into the last layers.

    Parameters
    ----------
    outputs : int
    channels : int
        Of the images.
    widths : tuple of int
        Channels of each stage.
    blocks : int
        Of each stage.
    redshift : bool
        Whether a redshift goes into the last layers.

    Examples
    --------
    >>> MapResNet(outputs=2, channels=4)(torch.zeros(3, 4, 120, 120)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        outputs: int = 1,
        channels: int = 1,
        widths: tuple[int, ...] = (24, 48, 96),
        blocks: int = 1,
        redshift: bool = False,
    ) -> None:
        super().__init__()
        if not widths:
            raise DomainError("`widths` must have at least one stage, got none")
        self.redshift = redshift
        self.patches = nn.Conv2d(channels, widths[0], 4, stride=4)
        stages: list[nn.Module] = []
        for number, width in enumerate(widths):
            link = [] if number == 0 else [nn.Conv2d(widths[number - 1], width, 2, stride=2)]
            stages.append(nn.Sequential(*link, *(_Block(width) for _ in range(blocks))))
        self.stages = nn.ModuleList(stages)
        inner = widths[0] + 2 * widths[-1] + int(redshift)
        self.decode = nn.Sequential(nn.LayerNorm(inner - int(redshift)))
        self.last = nn.Sequential(nn.Linear(inner, 64), nn.GELU())
        self.output = nn.Linear(64, outputs)

    def forward(self, images: torch.Tensor, redshift: torch.Tensor | None = None) -> torch.Tensor:
        """(n, channels, rows, columns), (n,) -> (n, outputs)."""
        values = self.patches(images)
        seen = []
        for number, stage in enumerate(self.stages):
            values = stage(values)
            if number == 0:
                seen.append(values.mean(dim=(2, 3)))
        seen += [values.mean(dim=(2, 3)), values.amax(dim=(2, 3))]
        features = self.decode(torch.cat(seen, 1))
        if self.redshift:
            assert redshift is not None  # inputs of this preset give it
            features = torch.cat([features, redshift[:, None]], 1)
        outputs: torch.Tensor = self.output(self.last(features))
        return outputs


class _Block(nn.Module):
    """x + dense(norm(depth-wise convolution of x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        inner = self.norm(self.spread(values).permute(0, 2, 3, 1))
        inner = self.narrow(nn.functional.gelu(self.widen(inner)))
        outputs: torch.Tensor = values + inner.permute(0, 3, 1, 2)
        return outputs
