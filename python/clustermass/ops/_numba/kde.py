"""Numba twin of ``cpp/src/kde.cpp``: same names and arguments, every term as it stands, sums in float64.

Serial on purpose: it serves machines where the extension is not built.
"""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np

from ._jit import njit

_LEAST_WIDTH, _LEAST_INDEPENDENCE, _ADDED_WIDTH = 1e-6, 1e-12, 0.5  # as in clustermass/math/kde.hpp
_SCOTT, _SILVERMAN = 1, 2
_SUM, _DENSITY = 0, 1


@njit(nogil=True)
def _moments(x, w):
    """(total weight, total of squares, unbiased covariance), about the first point that has a weight."""
    n, d = x.shape
    total, squares = w.sum(), (w * w).sum()
    covariance = np.zeros((d, d))
    freedom = total - squares / total
    if freedom <= 1e-14 * total:
        return total, squares, covariance
    start = 0
    while w[start] <= 0.0:
        start += 1
    mean = np.zeros(d)
    for a in range(d):
        for i in range(n):
            mean[a] += w[i] * (x[i, a] - x[start, a])
        mean[a] = x[start, a] + mean[a] / total
    for a in range(d):
        for b in range(a + 1):
            for i in range(n):
                covariance[a, b] += w[i] * (x[i, a] - mean[a]) * (x[i, b] - mean[b])
            covariance[a, b] /= freedom
            covariance[b, a] = covariance[a, b]
    return total, squares, covariance


@njit(nogil=True)
def _invert(covariance):
    """(inverse, root of the determinant, whether the kernel has no width in some direction)."""
    d = covariance.shape[0]
    degenerate, width = False, 1.0
    sigma, factor, inverse = np.ones(d), np.zeros((d, d)), np.zeros((d, d))
    for i in range(d):
        degenerate |= not covariance[i, i] >= _LEAST_WIDTH**2
        sigma[i] = sqrt(max(covariance[i, i], _LEAST_WIDTH**2))
    for i in range(d):
        pivot = 1.0
        for j in range(i):
            value = covariance[i, j] / sigma[i] / sigma[j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            factor[i, j] = value / factor[j, j]
            pivot -= factor[i, j] ** 2
        degenerate |= not pivot >= _LEAST_INDEPENDENCE
        factor[i, i] = sqrt(max(pivot, 1e-3 * _LEAST_INDEPENDENCE))
        width *= factor[i, i] * sigma[i]
    for i in range(d):
        inverse[i, i] = 1.0 / factor[i, i]
        for j in range(i):
            value = 0.0
            for k in range(j, i):
                value -= factor[i, k] * inverse[k, j]
            inverse[i, j] = value / factor[i, i]
    precision = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            for k in range(d):
                precision[i, j] += inverse[k, i] / sigma[i] * (inverse[k, j] / sigma[j])
    return precision, width, degenerate


@njit(nogil=True)
def _kernel(data_covariance, factor):
    covariance = data_covariance * factor**2
    precision, width, degenerate = _invert(covariance)
    if degenerate:
        for a in range(covariance.shape[0]):
            covariance[a, a] += _ADDED_WIDTH**2
        precision, width, degenerate = _invert(covariance)
    return precision, width


@njit(nogil=True)
def _in_cells(kernel, axes):
    """A covariance in units of cells."""
    scaled = kernel.copy()
    for a in range(axes.shape[0]):
        for b in range(axes.shape[0]):
            scaled[a, b] = kernel[a, b] / axes[a, 1] / axes[b, 1]
    return scaled


@njit(nogil=True)
def _factor(rule, fixed, effective_n, d):
    if rule == _SCOTT:
        return effective_n ** (-1.0 / (d + 4))
    if rule == _SILVERMAN:
        return (effective_n * (d + 2) / 4.0) ** (-1.0 / (d + 4))
    return fixed


@njit(nogil=True)
def _add_points(x, w, precision, cells, grid):
    """grid[cell] += sum of w exp(-d P d / 2), all lengths in cells, a last axis as the inner loop."""
    d = cells.size
    last, p = cells[d - 1], precision[d - 1, d - 1]
    away = np.empty(d)
    for row in range(grid.size // last):
        for i in range(x.shape[0]):
            rest, half, slope = row, 0.0, 0.0
            for a in range(d - 2, -1, -1):
                away[a] = rest % cells[a] - x[i, a]
                rest //= cells[a]
            for a in range(d - 1):
                slope += precision[a, d - 1] * away[a]
                for b in range(d - 1):
                    half += 0.5 * precision[a, b] * away[a] * away[b]
            for k in range(last):
                z = k - x[i, d - 1]
                grid[row * last + k] += w[i] * exp(-(half + z * (slope + 0.5 * p * z)))


@njit(nogil=True)
def _estimate(x, w, axes, kernel, grid, rule, fixed, normalise):
    """Grid of one cluster, in place; False when the points are not finite."""
    d = axes.shape[0]
    grid[:] = 0.0
    for a in range(d):
        x[:, a] = (x[:, a] - axes[a, 0]) / axes[a, 1]
    if not np.isfinite(x).all():
        return False
    largest = w.max() if w.size > 0 else 0.0
    if largest <= 0.0:
        return True
    w = w / largest
    total, squares, covariance = _moments(x, w)
    if not np.isfinite(covariance).all():
        return False
    if kernel.size > 0:
        precision, width, _ = _invert(_in_cells(kernel, axes))
    else:
        precision, width = _kernel(covariance, _factor(rule, fixed, total**2 / squares, d))
    _add_points(x, w, precision, axes[:, 2].astype(np.int64), grid)
    factor = largest
    if normalise == _SUM:
        found = grid.sum()
        factor = 1.0 / found if found > 0.0 else 0.0
    elif normalise == _DENSITY:
        factor = 1.0 / (total * width)
        for a in range(d):
            factor /= axes[a, 1] * sqrt(2.0 * pi)
    grid *= factor
    return True


@njit(nogil=True)
def _kde(points, offsets, weights, axes, kernel, out, rule, fixed, normalise):
    grid, d = np.empty(out.shape[1]), axes.shape[0]
    for i in range(out.shape[0]):
        first, last = offsets[i], offsets[i + 1]
        x = points[first:last].astype(np.float64)
        w = weights[first:last].astype(np.float64) if weights.size > 0 else np.ones(last - first)
        own = kernel[i if kernel.shape[0] > 1 else 0] if kernel.shape[0] > 0 else np.empty((0, d))
        if not _estimate(x, w, axes, own, grid, rule, fixed, normalise):
            return False
        out[i] = grid
    return True


def kde_f64(points, offsets, weights, axes, kernel, out, *, bandwidth, factor, normalise, n_threads):
    """`n_threads` has no effect."""
    del n_threads
    dims = axes.shape[0]
    return _kde(points, offsets, weights, axes, kernel.reshape(-1, dims, dims), out, bandwidth, factor, normalise)


kde_f32 = kde_f64
