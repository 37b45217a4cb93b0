"""Numba twin of ``cpp/src/kde_gradient.cpp``: same names and arguments, every term as it stands, in float64."""

from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np

from ._jit import njit
from .kde import _DENSITY, _SCOTT, _SILVERMAN, _SUM, _factor, _invert, _kernel, _moments


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
def _differentiate(x, w, axes, kernel, g, by_points, by_weights, rule, fixed, normalise):
    """Results of one cluster, in place; `g` is used up. False when the points are not finite."""
    n, d = x.shape
    by_points[:] = 0.0
    by_weights[:] = 0.0
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
    h = 0.0
    if kernel.size > 0:
        scaled = kernel.copy()
        for a in range(d):
            for b in range(d):
                scaled[a, b] = kernel[a, b] / axes[a, 1] / axes[b, 1]
        precision, width, _ = _invert(scaled)
    else:
        h = _factor(rule, fixed, total**2 / squares, d)
        precision, width = _kernel(covariance, h)
    cells, grid = axes[:, 2].astype(np.int64), np.empty(g.size)
    least = _raw(x, w, precision, cells, grid)
    along, by_volume = (g * grid).sum(), 0.0
    if normalise == _SUM:
        g -= along / grid.sum()
        g /= grid.sum()
    else:  # here the size of the raw grid matters
        scale = exp(-least)
        if scale == 0.0:
            return True
        factor = largest
        if normalise == _DENSITY:
            factor = 1.0 / (total * width)
            for a in range(d):
                factor /= axes[a, 1] * sqrt(2.0 * pi)
            by_volume = along * scale * factor
        g *= factor * scale
    value, first = np.zeros(n), np.zeros((n, d))
    second = _gather(x, w, precision, cells, g, least, value, first)
    freedom = total - squares / total
    by_data = np.zeros((d, d))
    if kernel.size == 0 and freedom > 1e-14 * total:
        _by_data(precision, second, by_volume, h, by_data)
    with_data = (by_data * covariance).sum()
    by_factor = 0.0
    if kernel.size == 0 and rule in (_SCOTT, _SILVERMAN):
        by_factor = -2.0 * with_data / (d + 4)
    mean = np.zeros(d)
    for a in range(d):
        mean[a] = (w * x[:, a]).sum() / total
    for i in range(n):
        away = x[i] - mean
        slope = _times(precision, first[i])
        weight = value[i] + 2 * by_factor * (1 / total - w[i] / squares)
        if normalise == _DENSITY:
            weight -= by_volume / total
        if freedom > 1e-14 * total:
            pull = _times(by_data, away)
            slope += 2 / freedom * pull
            spread = (away * pull).sum()
            weight += (spread - with_data * (1 - 2 * w[i] / total + squares / total**2)) / freedom
        by_weights[i] = weight / largest
        for a in range(d):
            by_points[i, a] = w[i] * slope[a] / axes[a, 1]
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
