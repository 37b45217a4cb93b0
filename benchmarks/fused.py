"""The loops one would write oneself in numba: all channels of a particle in one pass, sums in float64, one thread."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True)
def ngp(positions, weights, rows, cols):
    image = np.zeros((rows, cols, weights.shape[1]))
    for i in range(positions.shape[0]):
        r, c = int(np.floor(positions[i, 0])), int(np.floor(positions[i, 1]))
        if 0 <= r < rows and 0 <= c < cols:
            for k in range(weights.shape[1]):
                image[r, c, k] += weights[i, k]
    return image


@numba.njit(cache=True, inline="always")
def _add_cic(image, x, y, weights, i):
    rows, cols, channels = image.shape
    r, c = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
    fx, fy = x - 0.5 - r, y - 0.5 - c
    if 0 <= r < rows - 1 and 0 <= c < cols - 1:
        for k in range(channels):
            w = weights[i, k]
            image[r, c, k] += w * (1 - fx) * (1 - fy)
            image[r, c + 1, k] += w * (1 - fx) * fy
            image[r + 1, c, k] += w * fx * (1 - fy)
            image[r + 1, c + 1, k] += w * fx * fy


@numba.njit(cache=True)
def cic(positions, weights, rows, cols):
    """Leaves out the outermost half pixel of the field."""
    image = np.zeros((rows, cols, weights.shape[1]))
    for i in range(positions.shape[0]):
        _add_cic(image, float(positions[i, 0]), float(positions[i, 1]), weights, i)
    return image


@numba.njit(cache=True)
def rotated_cic(positions, weights, rotations, centre, rows, cols):
    """One image per rotation, about `centre`, which lands in the middle of the field."""
    images = np.zeros((rotations.shape[0], rows, cols, weights.shape[1]))
    for v in range(rotations.shape[0]):
        m = rotations[v]
        for i in range(positions.shape[0]):
            x = float(positions[i, 0]) - centre
            y = float(positions[i, 1]) - centre
            z = float(positions[i, 2]) - centre
            row = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + 0.5 * rows
            col = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + 0.5 * cols
            _add_cic(images[v], row, col, weights, i)
    return images


@numba.njit(cache=True)
def fisher_yates(offsets, fractions, indices):
    """Partial shuffles with numba's global generator (a result that depends on the schedule of threads)."""
    longest = 0
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    pool, at = np.empty(longest, np.int64), 0
    for i in range(offsets.size - 1):
        n = offsets[i + 1] - offsets[i]
        for d in range(fractions.shape[1]):
            for j in range(n):
                pool[j] = offsets[i] + j
            k = int(fractions[i, d] * n + 0.5)
            for j in range(k):
                other = np.random.randint(j, n)  # noqa: NPY002 - numba's own, the peer's choice
                pool[j], pool[other] = pool[other], pool[j]
                indices[at + j] = pool[j]
            at += k
    return at
