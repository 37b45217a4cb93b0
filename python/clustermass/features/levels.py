"""Wide kernels on coarse grids: what is smooth over many pixels need not be summed pixel by pixel.

In a low-resolution simulation the gas outside clusters has kernels hundreds of pixels wide, and nearly all the time
of a map goes into them. A particle whose support is at least 32 pixels goes onto a grid of pixels twice as wide, one
of at least 64 onto one four times as wide and so on, so that 16 coarse pixels always fit into the support; the coarse
images are then refined with interpolation that conserves the mass in every coarse pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

N_LEVELS = 5
#: support of the narrowest kernel on a coarse grid, in its pixels; the error falls as its square, 1e-3 of the peak here
COARSE_SUPPORT = 16.0
#: coarse pixels around the image that the refinement reads
_BORDER = 2


def level_sides(side: int) -> tuple[int, ...]:
    """Rows (and columns) of the image of each level, all centred alike; one level only if `side` is odd or small.

    >>> level_sides(148), level_sides(121)
    ((148, 78, 44, 26, 18), (121,))
    """
    sides = [side]
    while len(sides) < N_LEVELS and sides[-1] % 2 == 0:
        coarse = sides[-1] // 2 + 2 * _BORDER
        coarse += coarse % 2  # even, so that the next level can be centred too
        if coarse >= sides[-1]:
            break
        sides.append(coarse)
    return tuple(sides)


def kernel_levels(smoothing_length: NDArray[np.floating[Any]], pixel_size: float, n_levels: int) -> NDArray[np.int64]:
    """Level of each particle: 0 for supports below 32 pixels, one more for each factor of two beyond.

    >>> kernel_levels(np.array([0.0, 31.9, 32.0, 64.0, 1e9]), 1.0, 5).tolist()
    [0, 0, 1, 2, 4]
    """
    widths = np.maximum(smoothing_length / (COARSE_SUPPORT * pixel_size), 1.0)
    levels: NDArray[np.int64] = np.clip(np.floor(np.log2(widths)), 0, n_levels - 1).astype(np.int64)
    return levels


def refine(images: FloatArray) -> FloatArray:
    """Images of half the pixel size, without the border of two coarse pixels.

    Each coarse pixel is cut in two along each axis; the difference of the halves is that of the quartic polynomial
    through the five pixels around it, and their sum is the pixel.

    >>> refine(np.ones((1, 6, 5)))[0].tolist() == [[0.25, 0.25]] * 4
    True
    """
    for axis in (-2, -1):
        u = np.moveaxis(images, axis, -1)
        middle = u[..., 2:-2]
        tilt = (22.0 * (u[..., 3:-1] - u[..., 1:-3]) - 3.0 * (u[..., 4:] - u[..., :-4])) / 128.0
        halves = np.stack([0.5 * (middle - tilt), 0.5 * (middle + tilt)], axis=-1)
        images = np.moveaxis(halves.reshape(*middle.shape[:-1], -1), -1, axis)
    return images


def collapse(levels: list[FloatArray]) -> FloatArray:
    """Add the images of every level to those of level 0, in place, and return these.

    Parameters
    ----------
    levels : list of ndarray, each of shape (view, channel, side, side)
        Sides as in `level_sides`.
    """
    for fine, coarse in zip(levels[-2::-1], levels[:0:-1], strict=True):
        cut = (2 * (coarse.shape[-1] - 2 * _BORDER) - fine.shape[-1]) // 2
        inside = slice(cut, cut + fine.shape[-1])
        for target, source in zip(fine, coarse, strict=True):  # view by view: no second copy of all images
            target += refine(source)[:, inside, inside]
    return levels[0]
