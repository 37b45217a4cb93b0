"""Numba twin of ``cpp/src/kde_gradient.cpp``: same names and arguments, every term as it stands, in float64."""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np

from ._jit import njit
from .kde import _DENSITY, _SCOTT, _SILVERMAN, _SUM, _factor, _in_cells, _invert, _kernel, _moments


@njit(nogil=True)
def _exponent(cell, point, cells, precision, away):
    """d P d / 2 of a cell and a point; the offset d is left in `away`."""
    d, rest, half = cells.size, cell, 0.0
    for a in range(d - 1, -1, -1):
        away[a] = rest % cells[a] - point[a]
        rest //= cells[a]
    for a in range(d):
        for b in range(d):
            half += 0.5 * precision[a, b] * away[a] * away[b]
    return half


@njit(nogil=True)
def _raw(x, w, precision, cells, grid):
    """The raw grid, and the exponent that was taken off all of them so that it is not empty."""
    away, least = np.empty(cells.size), np.inf
    for i in range(x.shape[0]):
        for cell in range(grid.size):
            if w[i] > 0:
                least = min(least, _exponent(cell, x[i], cells, precision, away))
    grid[:] = 0.0
    for i in range(x.shape[0]):
        for cell in range(grid.size):
            grid[cell] += w[i] * exp(least - _exponent(cell, x[i], cells, precision, away))
    return least


@njit(nogil=True)
def _gather(x, w, precision, cells, g, least, value, first):
    """Moments of g e: (n), (n, d), and the second of all points together (d, d)."""
    d = cells.size
    away, second = np.empty(d), np.zeros((d, d))
    for i in range(x.shape[0]):
        for cell in range(g.size):
            term = g[cell] * exp(least - _exponent(cell, x[i], cells, precision, away))
            value[i] += term
            for a in range(d):
                first[i, a] += term * away[a]
                for b in range(d):
                    second[a, b] += w[i] * term * away[a] * away[b]
    return second


@njit(nogil=True)
def _times(matrix, vector):
    product = np.zeros(vector.size)
    for a in range(vector.size):
        for b in range(vector.size):
            product[a] += matrix[a, b] * vector[b]
    return product


@njit(nogil=True)
def _by_data(precision, second, by_volume, h, out):
    """h^2 (P M P - volume P) / 2."""
    d = out.shape[0]
    for a in range(d):
        for b in range(d):
            out[a, b] = -by_volume * precision[a, b]
            for i in range(d):
                for j in range(d):
                    out[a, b] += precision[a, i] * second[i, j] * precision[j, b]
            out[a, b] *= 0.5 * h * h


@njit(nogil=True)
def _by_raw(g, grid, axes, least, total, width, largest, normalise):
    """Put the derivative by the raw grid in place of G; what the log of the volume takes from the number."""
    along, found = 0.0, 0.0
    for cell in range(g.size):
        along += g[cell] * grid[cell]
        found += grid[cell]
    if normalise == _SUM:
        for cell in range(g.size):
            g[cell] = (g[cell] - along / found) / found
        return 0.0
    factor, scale = largest, exp(-least)  # here the size of the raw grid matters
    if normalise == _DENSITY:
        factor = 1.0 / (total * width)
        for a in range(axes.shape[0]):
            factor /= axes[a, 1] * sqrt(2.0 * pi)
    for cell in range(g.size):
        g[cell] *= factor * scale
    return along * scale * factor if normalise == _DENSITY else 0.0


@njit(nogil=True)
def _write(x, w, value, first, precision, by_data, covariance, sums, rule, by_points, by_weights):
    """Results per point; `sums` are total weight, total of squares, derivative by the log of the total weight."""
    d = x.shape[1]
    total, squares, by_total = sums
    freedom = total - squares / total
    mean, away, with_data = np.zeros(d), np.empty(d), 0.0
    for a in range(d):
        for b in range(d):
            with_data += by_data[a, b] * covariance[a, b]
        for i in range(w.size):
            mean[a] += w[i] * x[i, a] / total
    by_factor = -2.0 * with_data / (d + 4) if rule in (_SCOTT, _SILVERMAN) else 0.0
    for i in range(w.size):
        for a in range(d):
            away[a] = x[i, a] - mean[a]
        slope, pull, spread = _times(precision, first[i]), _times(by_data, away), 0.0
        by_weights[i] = value[i] + by_total / total + 2 * by_factor * (1 / total - w[i] / squares)
        for a in range(d):
            spread += away[a] * pull[a]
            by_points[i, a] = w[i] * slope[a]
        if freedom > 1e-14 * total:
            by_weights[i] += (spread - with_data * (1 - 2 * w[i] / total + squares / total**2)) / freedom
            for a in range(d):
                by_points[i, a] += w[i] * 2 / freedom * pull[a]


@njit(nogil=True)
def _differentiate(x, w, axes, kernel, g, by_points, by_weights, rule, fixed, normalise):
    """Results of one cluster, in place; `g` is used up. False when the points are not finite."""
    n, d = x.shape
    by_points[:] = 0.0
    by_weights[:] = 0.0
    for a in range(d):
        for i in range(n):
            x[i, a] = (x[i, a] - axes[a, 0]) / axes[a, 1]
    if not np.isfinite(x).all():
        return False
    largest = w.max() if w.size > 0 else 0.0
    if largest <= 0.0:
        return True
    w = w / largest
    total, squares, covariance = _moments(x, w)
    if not np.isfinite(covariance).all():
        return False
    h = 0.0
    if kernel.size > 0:
        precision, width, _ = _invert(_in_cells(kernel, axes))
    else:
        h = _factor(rule, fixed, total**2 / squares, d)
        precision, width = _kernel(covariance, h)
    cells, grid = axes[:, 2].astype(np.int64), np.empty(g.size)
    least = _raw(x, w, precision, cells, grid)
    if normalise != _SUM and exp(-least) == 0.0:
        return True
    by_volume = _by_raw(g, grid, axes, least, total, width, largest, normalise)
    value, first, by_data = np.zeros(n), np.zeros((n, d)), np.zeros((d, d))
    second = _gather(x, w, precision, cells, g, least, value, first)
    if kernel.size == 0 and total - squares / total > 1e-14 * total:
        _by_data(precision, second, by_volume, h, by_data)
    sums = (total, squares, -by_volume)
    _write(x, w, value, first, precision, by_data, covariance, sums, rule, by_points, by_weights)
    for i in range(n):
        by_weights[i] /= largest
        for a in range(d):
            by_points[i, a] /= axes[a, 1]
    return True


@njit(nogil=True)
def _kde_gradient(points, offsets, weights, axes, kernel, gradient, by_points, by_weights, rule, fixed, normalise):
    d = axes.shape[0]
    for i in range(gradient.shape[0]):
        first, last = offsets[i], offsets[i + 1]
        x = points[first:last].astype(np.float64)
        w = weights[first:last].astype(np.float64) if weights.size > 0 else np.ones(last - first)
        own = kernel[i if kernel.shape[0] > 1 else 0] if kernel.shape[0] > 0 else np.empty((0, d))
        by_x, by_w = np.empty(x.shape), np.empty(last - first)
        g = gradient[i].astype(np.float64)
        if not _differentiate(x, w, axes, own, g, by_x, by_w, rule, fixed, normalise):
            return False
        if by_points.shape[0]:
            by_points[first:last] = by_x
        if by_weights.size:
            by_weights[first:last] = by_w
    return True


def kde_gradient_f64(points, offsets, weights, axes, kernel, gradient, by_points, by_weights, *, bandwidth, factor,
                     normalise, n_threads):  # fmt: skip
    """`n_threads` has no effect."""
    del n_threads
    dims = axes.shape[0]
    kernel = kernel.reshape(-1, dims, dims)
    return _kde_gradient(points, offsets, weights, axes, kernel, gradient, by_points, by_weights, bandwidth, factor,
                         normalise)  # fmt: skip


kde_gradient_f32 = kde_gradient_f64
