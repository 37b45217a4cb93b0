"""Numba twin of ``cpp/src/dispersion.cpp`` and ``shifting_gapper.cpp``: same names and arguments, one by one."""

from __future__ import annotations

from math import ceil, pi, sqrt

import numpy as np

from ._jit import njit

_STD, _GAPPER = 0, 1
_FASTEST = 1e100


@njit(nogil=True)
def _good(values):
    return (np.abs(values) <= _FASTEST).all()  # NaN fails too


@njit(nogil=True)
def _biweight(values, median, mad):
    weights = weighted = squares = slopes = 0.0
    for value in values:
        d = value - median
        u2 = (d / (6.0 * mad)) ** 2
        if u2 < 1.0:
            weights += (1.0 - u2) ** 2
            weighted += (1.0 - u2) ** 2 * d
        u2 = (d / (9.0 * mad)) ** 2
        if u2 < 1.0:
            squares += d * d * (1.0 - u2) ** 4
            slopes += (1.0 - u2) * (1.0 - 5.0 * u2)
    return median + weighted / weights, sqrt(values.size * squares) / abs(slopes)


@njit(nogil=True)
def _measure(values, method):
    """Location and scale of at least two sorted numbers."""
    n = values.size
    if method == _STD:
        mean = values.sum() / n
        return mean, sqrt(((values - mean) ** 2).sum() / (n - 1))
    median = np.median(values)
    if method == _GAPPER:
        gaps = 0.0
        for i in range(1, n):
            gaps += i * (n - i) * (values[i] - values[i - 1])
        return median, sqrt(pi) * gaps / (float(n) * (n - 1))
    mad = np.median(np.abs(values - median))
    if mad == 0.0:
        return median, 0.0
    return _biweight(values, median, mad)


@njit(nogil=True)
def _cluster(velocity, error, method, clip, max_iterations):
    """Scale, location, number used."""
    if velocity.size < 2:
        return np.nan, np.nan, velocity.size
    values = np.sort(velocity)
    location, scale = _measure(values, method)
    for _ in range(max_iterations if clip > 0 else 0):
        stay = values[np.abs(values - location) <= clip * scale]
        if stay.size == values.size:
            break
        if stay.size < 2:
            return np.nan, np.nan, stay.size
        values = stay
        location, scale = _measure(values, method)
    square = 0.0
    for i in range(error.size):
        if values[0] <= velocity[i] <= values[-1]:
            square += error[i] ** 2
    if square > 0.0:
        scale = sqrt(max(scale**2 - square / values.size, 0.0))
    return scale, location, values.size


@njit(nogil=True)
def _dispersion(velocity, offsets, error, sigma, location, n_used, method, clip, max_iterations):
    for cluster in range(sigma.size):
        first, last = offsets[cluster], offsets[cluster + 1]
        own = velocity[first:last].astype(np.float64)
        errors = error[first:last].astype(np.float64) if error.size else np.empty(0)
        if not (_good(own) and _good(errors)):
            return False
        found = _cluster(own, errors, method, clip, max_iterations)
        sigma[cluster], location[cluster], n_used[cluster] = found
    return True


def _dispersion_any(velocity, offsets, error, sigma, location, n_used, *, method, clip, max_iterations, n_threads):
    """Fill the results; `n_threads` has no effect. Returns False if a number is not to be used."""
    del n_threads
    return _dispersion(velocity, offsets, error, sigma, location, n_used, method, float(clip), max_iterations)


@njit(nogil=True)
def _members(values, min_members, min_gap):
    """First and last of sorted velocities that no gap cuts off."""
    first, last = 0, values.size
    if last <= min_members:
        return first, last
    while True:
        n = last - first
        quarter = int(ceil(n / 4))
        gap = (values[last - quarter] - values[first + quarter]) / 1.349
        if gap < min_gap:
            return first, last
        middle = first + np.searchsorted(values[first:last], 0.0, side="right")
        low, high = first, last
        for i in range(middle - 1, first, -1):
            if values[i] - values[i - 1] >= gap:
                low = i
                break
        for i in range(middle + 1, last):
            if values[i] - values[i - 1] >= gap:
                high = i
                break
        first, last = low, high
        if last - first == n or last - first < min_members:
            return first, last


@njit(nogil=True)
def _shifting_gapper(radius, velocity, offsets, keep, per_bin, min_members, min_gap):
    for cluster in range(offsets.size - 1):
        first, last = offsets[cluster], offsets[cluster + 1]
        own = velocity[first:last].astype(np.float64)
        if not (_good(radius[first:last]) and _good(own)):
            return False
        order = np.argsort(radius[first:last], kind="mergesort")
        for start in range(0, order.size, per_bin):
            rows = order[start : start + per_bin]
            rows = rows[np.argsort(own[rows], kind="mergesort")]
            low, high = _members(own[rows], min_members, min_gap)
            for i in range(rows.size):
                keep[first + rows[i]] = low <= i < high
    return True


def _shifting_gapper_any(radius, velocity, offsets, keep, *, per_bin, min_members, min_gap, n_threads):
    """Fill `keep`; `n_threads` has no effect. Returns False if a number is not to be used."""
    del n_threads
    return _shifting_gapper(radius, velocity, offsets, keep, per_bin, min_members, float(min_gap))


dispersion_f32 = dispersion_f64 = _dispersion_any
shifting_gapper_f32 = shifting_gapper_f64 = _shifting_gapper_any
