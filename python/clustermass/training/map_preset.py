"""What a preset of a network on maps says beyond its network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .preset import Preset

AUGMENTATIONS = ("none", "flips", "square", "turn")
ARCMIN = math.radians(1.0 / 60.0)

#: makes the telescope of a preset for maps of a pixel of this size [rad]
MakeTelescope = Callable[[float], Any]


@dataclass(frozen=True)
class MapPreset(Preset):
    """A network on images. The option ``transform`` of the network says how `ScaledImages` scales the pixels, with
    numbers that are fitted to the images of training and kept with the weights.

    Attributes
    ----------
    channels : tuple of str
        What it sees, in this order.
    pixels : int
        Of a side of the published images; others train too.
    pixel_angle : float
        Of the published images [rad].
    augment : {"none", "flips", "square", "turn"}
        In training: nothing; mirrored along both axes at random; any of the eight symmetries of a square; mirrored and
        turned by any angle up to `max_turn`, with the image mirrored at its border.
    max_turn : float
        [rad]
    telescope : callable, optional
        Makes what observes ideal maps. Without one maps are taken as they are.
    fresh_noise : bool
        Whether every epoch draws the noise anew; else maps are observed once and kept.
    redshift : bool
        Whether the network gets the redshift too.
    redshift_edges : tuple of float
        One network for each bin low < z <= high of these edges; none: one for all.
    mass_definition : {"M200c", "M500c"}
    """

    channels: tuple[str, ...] = ()
    pixels: int = 120
    pixel_angle: float = 10.0 / 60.0 * ARCMIN
    augment: str = "none"
    max_turn: float = math.pi
    telescope: MakeTelescope | None = None
    fresh_noise: bool = True
    redshift: bool = False
    redshift_edges: tuple[float, ...] = ()
    mass_definition: str = "M200c"
