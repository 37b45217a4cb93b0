"""Numba twin of ``cpp/include/clustermass/ops/project_gradient_body.hpp``: same names, same arguments, serial."""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np

from ._jit import njit
from .project import (
    _BROADEN,
    _INTEGRAL,
    _Q,
    CIC,
    MAX_SUMMED_SUPPORT,
    NGP,
    POINT_SUPPORT,
    SPH,
    TSC,
    axis_shares,
)


@njit()
def axis_slopes(x, assignment, slope):
    """Derivatives of what `axis_shares` leaves in `share`."""
    if assignment == NGP:
        slope[0] = 0.0
    elif assignment == CIC:
        slope[0], slope[1] = -1.0, 1.0
    elif assignment == TSC:
        d = (x - floor(x)) - 0.5
        slope[0], slope[1], slope[2] = d - 0.5, -2 * d, d + 0.5


@njit()
def sph_slope(q, t):
    """Kernel and its derivative by t."""
    s = 2.0 * t - 1.0
    slope, total = q[6], q[5] + s * q[6]
    for k in range(4, -1, -1):
        slope = total + s * slope
        total = q[k] + s * total
    return t * t * t * t * total, t * t * t * (4 * total + 2 * t * slope)


@njit()
def _gather_grid(row, col, gradient, assignment, share, slope, sums):
    """Sums of each channel times the shares and their slopes along both axes, left in `sums` (channel, 3)."""
    rows, cols = gradient.shape[1:]
    n = assignment + 1
    r, c = axis_shares(row, assignment, share[0]), axis_shares(col, assignment, share[1])
    axis_slopes(row, assignment, slope[0])
    axis_slopes(col, assignment, slope[1])
    if not (r > -n and r < rows and c > -n and c < cols):
        return
    first_row, first_col = int(r), int(c)
    for j in range(max(first_row, 0), min(first_row + n, rows)):
        a = j - first_row
        for k in range(max(first_col, 0), min(first_col + n, cols)):
            b = k - first_col
            for channel in range(gradient.shape[0]):
                g = gradient[channel, j, k]
                sums[channel, 0] += g * share[0, a] * share[1, b]
                sums[channel, 1] += g * slope[0, a] * share[1, b]
                sums[channel, 2] += g * share[0, a] * slope[1, b]


@njit()
def _gather_sph(u, v, split, broad, gradient, q, known, sums):
    """As `_gather_grid`, normalised by the sum of the samples; the slopes lack the factor 2 / broad."""
    rows, cols = gradient.shape[1:]
    r_low, r_high = ceil(u - broad - 0.5), floor(u + broad - 0.5)
    c_low, c_high = ceil(v - broad - 0.5), floor(v + broad - 0.5)
    if not (r_high >= 0 and r_low < rows * split and c_high >= 0 and c_low < cols * split):
        return
    if known > 0:  # only what lies inside the image is needed
        r_low, r_high = max(r_low, 0.0), min(r_high, rows * split - 1)
        c_low, c_high = max(c_low, 0.0), min(c_high, cols * split - 1)
    total, by_row, by_col = 0.0, 0.0, 0.0
    for j in range(int(r_low), int(r_high) + 1):
        y = (j + 0.5 - u) / broad
        for k in range(int(c_low), int(c_high) + 1):
            x = (k + 0.5 - v) / broad
            t = 1 - y * y - x * x
            if not t > 0:
                continue
            value, slope = sph_slope(q, t)
            total += value
            by_row += slope * y
            by_col += slope * x
            pixel_row, pixel_col = int(floor(j / split)), int(floor(k / split))
            if 0 <= pixel_row < rows and 0 <= pixel_col < cols:
                for channel in range(gradient.shape[0]):
                    g = gradient[channel, pixel_row, pixel_col]
                    sums[channel, 0] += g * value
                    sums[channel, 1] += g * slope * y
                    sums[channel, 2] += g * slope * x
    if known > 0:
        total, by_row, by_col = known, 0.0, 0.0
    for channel in range(gradient.shape[0]):
        sums[channel, 0] /= total
        sums[channel, 1] = (sums[channel, 1] - sums[channel, 0] * by_row) / total
        sums[channel, 2] = (sums[channel, 2] - sums[channel, 0] * by_col) / total


@njit()
def gather(row, col, support, gradient, assignment, kernel, max_summed, share, slope, sums):
    """Sums of one particle, in pixels; what the slopes are to be multiplied by for lengths in pixels."""
    sums[:] = 0.0
    if assignment != SPH:
        _gather_grid(row, col, gradient, assignment, share, slope, sums)
        return 1.0
    if support < POINT_SUPPORT:
        _gather_grid(row, col, gradient, NGP, share, slope, sums)
        return 1.0
    split = 1.0 if support >= 1 else ceil(1 / support)
    broad = sqrt(support * support * split * split + _BROADEN[kernel])
    known = _INTEGRAL[kernel] * broad * broad if split == 1 and broad > max_summed else 0.0
    _gather_sph(row * split, col * split, split, broad, gradient, _Q[kernel], known, sums)
    return 2 * split / broad


@njit(nogil=True)
def _project_gradient(positions, weights, smoothing_length, gradient, by_positions, by_weights, assignment, kernel,
                      origin_row, origin_col, per_pixel, max_summed):  # fmt: skip
    share, slope, sums = np.empty((2, 3)), np.empty((2, 3)), np.empty((weights.shape[1], 3))
    for i in range(positions.shape[0]):
        row = (np.float64(positions[i, 0]) - origin_row) * per_pixel
        col = (np.float64(positions[i, 1]) - origin_col) * per_pixel
        support = np.float64(smoothing_length[i]) * per_pixel if assignment == SPH else 0.0
        scale = gather(row, col, support, gradient, assignment, kernel, max_summed, share, slope, sums)
        by_row, by_col = 0.0, 0.0
        for channel in range(sums.shape[0]):
            by_row += np.float64(weights[i, channel]) * sums[channel, 1]
            by_col += np.float64(weights[i, channel]) * sums[channel, 2]
        if by_weights.shape[0]:
            by_weights[i] = sums[:, 0]
        if by_positions.shape[0]:
            by_positions[i] = 0.0
            by_positions[i, 0], by_positions[i, 1] = by_row * scale * per_pixel, by_col * scale * per_pixel


def project_gradient_f64(positions, weights, smoothing_length, gradient, by_positions, by_weights, *, assignment,
                         kernel, origin_row, origin_col, per_pixel, n_threads):  # fmt: skip
    """Write both gradients (arrays of no rows are not wanted); False where an input is not valid, as the kernel."""
    del n_threads
    valid = np.isfinite(positions).all() and np.isfinite(weights).all()
    if not (valid and np.isfinite(smoothing_length).all() and (smoothing_length >= 0).all()):
        return False
    _project_gradient(positions, weights, smoothing_length, gradient.astype(np.float64), by_positions, by_weights,
                      assignment, kernel, origin_row, origin_col, per_pixel,
                      MAX_SUMMED_SUPPORT[positions.dtype])  # fmt: skip
    return True


project_gradient_f32 = project_gradient_f64
