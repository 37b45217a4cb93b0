"""Numba twin of ``cpp/include/clustermass/ops/project.hpp`` and its headers: same names, same arguments.

Serial on purpose: it serves machines where the extension is not built. `n_threads` has no effect.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np

from ._jit import njit

NGP, CIC, TSC, SPH = 0, 1, 2, 3
POINT_SUPPORT = 1.0 / 16
MAX_SUMMED_SUPPORT = {np.dtype(np.float32): 32.0, np.dtype(np.float64): 256.0}  # wider: the integral is exact enough
# Q of each projected kernel (lowest power first), 1 / (12 variance) and the integral over the plane; see sph_kernel.hpp
_Q = np.array(
    [
        [0.654482451, 0.035661101, 0.0880334, 0.142398234, 1.014168011, -1.639564881, 0.704598083],
        [0.377452081, 0.394094525, -0.273254243, 0.280979486, 1.76396999, -3.1199491, 1.576169205],
    ]
)
_BROADEN = np.array([1.0 / (12 * 0.075), 1.0 / (12.0 / 15)])


def _integral(q: np.ndarray) -> float:
    """Pi times the integral of t^4 Q(2 t - 1) over [0, 1]: exact for the polynomial."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    t = 0.5 * (nodes + 1)
    return float(np.pi * np.sum(0.5 * weights * t**4 * np.polynomial.polynomial.polyval(2 * t - 1, q)))


_INTEGRAL = np.array([_integral(q) for q in _Q])


@njit()
def axis_shares(x, assignment, share):
    """First pixel touched; the shares of it and the next ones are left in `share`."""
    if assignment == NGP:
        share[0] = 1.0
        return floor(x)
    if assignment == CIC:
        left = floor(x - 0.5)
        f = (x - 0.5) - left
        share[0], share[1] = 1.0 - f, f
        return left
    cell = floor(x)
    d = (x - cell) - 0.5
    share[0], share[1], share[2] = 0.5 * (0.5 - d) * (0.5 - d), 0.75 - d * d, 0.5 * (0.5 + d) * (0.5 + d)
    return cell - 1.0


@njit()
def sph_value(q, t):
    s = 2.0 * t - 1.0
    total = q[6]
    for k in range(5, -1, -1):
        total = q[k] + s * total
    return t * t * t * t * total


@njit()
def _sph_total(row, col, r, c, support, q):
    total = 0.0
    for j in range(r[0], r[1] + 1):
        y = (j + 0.5 - row) / support
        for k in range(c[0], c[1] + 1):
            x = (k + 0.5 - col) / support
            t = 1 - y * y - x * x
            if t > 0:
                total += sph_value(q, t)
    return total


@njit()
def deposit_sph(row, col, support, weight, image, kernel, max_summed):
    rows, cols = image.shape[1:]
    if support < POINT_SUPPORT:
        if 0 <= row < rows and 0 <= col < cols:
            image[:, int(floor(row)), int(floor(col))] += weight
        return
    split = 1.0 if support >= 1 else ceil(1 / support)
    broad = sqrt(support * support * split * split + _BROADEN[kernel])
    u, v, q = row * split, col * split, _Q[kernel]
    r_low, r_high = ceil(u - broad - 0.5), floor(u + broad - 0.5)
    c_low, c_high = ceil(v - broad - 0.5), floor(v + broad - 0.5)
    if not (r_high >= 0 and r_low < rows * split and c_high >= 0 and c_low < cols * split):
        return
    if split == 1 and broad > max_summed:
        total = _INTEGRAL[kernel] * broad * broad
    else:
        total = _sph_total(u, v, (int(r_low), int(r_high)), (int(c_low), int(c_high)), broad, q)
    for j in range(int(max(r_low, 0.0)), int(min(r_high, rows * split - 1)) + 1):
        y = (j + 0.5 - u) / broad
        for k in range(int(max(c_low, 0.0)), int(min(c_high, cols * split - 1)) + 1):
            x = (k + 0.5 - v) / broad
            t = 1 - y * y - x * x
            if t > 0:
                image[:, int(j // split), int(k // split)] += weight * (sph_value(q, t) / total)


@njit()
def deposit(row, col, support, weight, image, assignment, kernel, max_summed, share):
    """Add one particle, in pixels, to the image."""
    if assignment == SPH:
        deposit_sph(row, col, support, weight, image, kernel, max_summed)
        return
    rows, cols = image.shape[1:]
    n = assignment + 1
    r, c = axis_shares(row, assignment, share[0]), axis_shares(col, assignment, share[1])
    if not (r > -n and r < rows and c > -n and c < cols):
        return
    first_row, first_col = int(r), int(c)
    for j in range(max(first_row, 0), min(first_row + n, rows)):
        for k in range(max(first_col, 0), min(first_col + n, cols)):
            image[:, j, k] += weight * (share[0, j - first_row] * share[1, k - first_col])


@njit(nogil=True)
def _project(positions, weights, smoothing_length, image, assignment, kernel, origin_row, origin_col, per_pixel,
             max_summed):  # fmt: skip
    share = np.empty((2, 3))
    weight = np.empty(weights.shape[1])
    for i in range(positions.shape[0]):
        row = (np.float64(positions[i, 0]) - origin_row) * per_pixel
        col = (np.float64(positions[i, 1]) - origin_col) * per_pixel
        support = np.float64(smoothing_length[i]) * per_pixel if assignment == SPH else 0.0
        for channel in range(weight.size):
            weight[channel] = weights[i, channel]
        deposit(row, col, support, weight, image, assignment, kernel, max_summed, share)


def project_f64(positions, weights, smoothing_length, out, *, assignment, kernel, origin_row, origin_col, per_pixel,
                n_threads):  # fmt: skip
    """Write the image (channel, row, column); False where an input is not valid, as the native kernel."""
    del n_threads
    valid = np.isfinite(positions).all() and np.isfinite(weights).all()
    if not (valid and np.isfinite(smoothing_length).all() and (smoothing_length >= 0).all()):
        return False
    image = np.zeros(out.shape)
    _project(positions, weights, smoothing_length, image, assignment, kernel, origin_row, origin_col, per_pixel,
             MAX_SUMMED_SUPPORT[out.dtype])  # fmt: skip
    out[...] = image
    return True


project_f32 = project_f64
