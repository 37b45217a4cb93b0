"""Numba twin of ``cpp/src/divergence.cpp`` and ``math/divergence.hpp``.

Serial on purpose: it serves machines where the extension is not built.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log

import numpy as np

from ._jit import njit


@njit()
def _kth_square(query, data, k, best):
    """Square of the distance of a point to its k-th neighbour; `best` is scratch of k values."""
    best[:] = inf
    for j in range(len(data)):
        square = 0.0
        for axis in range(query.size):
            step = query[axis] - data[j, axis]
            square += step * step
        if square < best[k - 1]:
            at = k - 1
            while at > 0 and best[at - 1] > square:
                best[at] = best[at - 1]
                at -= 1
            best[at] = square
    return best[k - 1]


@njit()
def _log_mean_power(logs, power):
    """ln of the mean of exp(power x logs), the largest term taken out."""
    top = -inf
    for value in logs:
        top = max(top, power * value)
    total = 0.0
    for value in logs:
        total += exp(power * value - top)
    return top + log(total / logs.size)


@njit(nogil=True)
def _divergences(points, offsets, other_points, other_offsets, out, k, alpha, is_one_batch):
    dims = points.shape[1]
    lowest = 1e-200 if dims == 1 else 1e-100 if dims == 2 else 2.1544346900318867e-67
    bias = 0.0 if alpha == 1 else 2 * lgamma(k) - lgamma(k + 1 - alpha) - lgamma(k - 1 + alpha)
    near, within = np.empty(k), np.empty(k + 1)
    for row in range(offsets.size - 1):
        own = points[offsets[row] : offsets[row + 1]]
        n = len(own)
        log_rho, logs = np.empty(n), np.empty(n)
        for i in range(n):  # a point is its own nearest one
            log_rho[i] = log(max(_kth_square(own[i], own, k + 1, within), lowest))
        for column in range(other_offsets.size - 1):
            if is_one_batch and row == column:
                out[row, column] = 0.0
                continue
            other = other_points[other_offsets[column] : other_offsets[column + 1]]
            for i in range(n):
                logs[i] = log_rho[i] - log(max(_kth_square(own[i], other, k, near), lowest))
            ratio = log(n - 1) - log(len(other))
            if alpha == 1:
                value = -0.5 * dims * logs.mean() - ratio
            else:
                mean = _log_mean_power(logs, 0.5 * dims * (1 - alpha))
                value = (mean + (1 - alpha) * ratio + bias) / (alpha - 1)
            out[row, column] = max(value, 0.0)


def divergence_f64(points, offsets, other_points, other_offsets, out, *, k, alpha, is_one_batch, n_threads):
    """Fill `out`; `n_threads` has no effect."""
    del n_threads
    _divergences(points, offsets, other_points, other_offsets, out, k, alpha, is_one_batch)


divergence_f32 = divergence_f64
