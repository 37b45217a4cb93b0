"""Sums over all pairs of galaxies of a cluster, for many clusters at once.

Clusters of equal richness are put side by side as arrays of shape (clusters, galaxies), so that nothing is padded and
Python loops over the different richnesses only, at most sqrt(2 n_galaxies) of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_PAIRS_AT_ONCE = 1 << 18  #: 2 MB an array: what is worked on stays in the cache


def equal_richness(offsets: IntArray, fewest: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Clusters with at least `fewest` galaxies, in blocks of equal richness.

    Yields
    ------
    rows : ndarray of int64, shape (k,)
        Numbers of the clusters.
    members : ndarray of int64, shape (k, n)
        Places of their galaxies in the flat columns.
    """
    sizes = np.diff(offsets)
    order = np.argsort(sizes, kind="stable")
    order = order[np.searchsorted(sizes[order], fewest) :]
    starts = np.flatnonzero(np.diff(sizes[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if order.size else []:
        n = int(sizes[rows[0]])
        for part in np.array_split(rows, -(-rows.size * n * n // _PAIRS_AT_ONCE)):
            if part.size:
                yield part, offsets[part, None] + np.arange(n)


def sum_over_partners(term: Callable[[slice], FloatArray], n_clusters: int, n: int) -> FloatArray:
    """Sum over the partners j of each galaxy i, shape (clusters, n).

    `term` gives the terms of some galaxies with all galaxies, shape (clusters, some, n); they are asked for in parts,
    so that rich clusters need no memory for all their pairs.
    """
    step = max(1, _PAIRS_AT_ONCE // max(1, n_clusters * n))
    parts = [term(slice(first, first + step)).sum(axis=2) for first in range(0, n, step)]
    return np.concatenate(parts, axis=1)


def separations(x: FloatArray, y: FloatArray, some: slice) -> FloatArray:
    """Distances on the sky of some galaxies from all, (clusters, some, n)."""
    dx, dy = x[:, some, None] - x[:, None, :], y[:, some, None] - y[:, None, :]
    return np.asarray(np.sqrt(dx * dx + dy * dy))


def only_radii(y: FloatArray) -> NDArray[np.bool_]:
    """Clusters of which only radii are known: their y are all 0, and x is the radius."""
    return np.asarray(~y.any(axis=1))


def inverse_separations(x: FloatArray, y: FloatArray) -> FloatArray:
    """For each galaxy the sum of 1 / R_ij over the others, (clusters, n).

    Pairs at one place are left out. Where only radii are known the mean of 1 / R_ij over all angles between the two
    galaxies takes its place: ``(2 / pi) K(k) / (R_i + R_j)`` with ``k^2 = 4 R_i R_j / (R_i + R_j)^2`` and K the
    complete elliptic integral of the first kind (Carlberg et al. 1996, ApJ 462, 32). Pairs of equal radius, where it
    diverges, are taken a thousandth of the radius apart.
    """
    flat = only_radii(y)
    out = np.empty_like(x)
    for rows, term in ((~flat, _inverse_term), (flat, _inverse_ring_term)):
        out[rows] = sum_over_partners(term(x[rows], y[rows]), int(rows.sum()), x.shape[1])
    return out


def squared_differences_times_separations(x: FloatArray, y: FloatArray, v: FloatArray) -> FloatArray:
    """For each galaxy the sum of (v_i - v_j)^2 R_ij over the others, (clusters, n).

    Where only radii are known the mean of R_ij over all angles takes its place: ``(2 / pi) (R_i + R_j) E(k)``, k as
    for `inverse_separations` and E the complete elliptic integral of the second kind.
    """
    flat = only_radii(y)
    out = np.empty_like(x)
    for rows, distance in ((~flat, separations), (flat, _ring_separations)):
        out[rows] = _weighted_sum(x[rows], y[rows], v[rows], distance)
    return out


def _weighted_sum(x: FloatArray, y: FloatArray, v: FloatArray, distance: Callable[..., FloatArray]) -> FloatArray:
    def term(some: slice) -> FloatArray:
        dv = v[:, some, None] - v[:, None, :]
        return np.asarray(dv * dv * distance(x, y, some))

    return sum_over_partners(term, *x.shape)


def _inverse_term(x: FloatArray, y: FloatArray) -> Callable[[slice], FloatArray]:
    return lambda some: _inverse(separations(x, y, some))


def _inverse_ring_term(x: FloatArray, y: FloatArray) -> Callable[[slice], FloatArray]:
    del y
    radius = np.abs(x)

    def term(some: slice) -> FloatArray:
        one, other = radius[:, some, None], radius[:, None, :]
        near = np.maximum(np.abs(one - other), 1e-3 * np.minimum(one, other))
        mean, _ = _gauss(one + other, near)
        inverse = _inverse(mean)
        i = np.arange(radius.shape[1])[some]
        inverse[:, np.arange(i.size), i] = 0.0
        return inverse

    return term


def _ring_separations(x: FloatArray, y: FloatArray, some: slice) -> FloatArray:
    del y
    radius = np.abs(x)
    one, other = radius[:, some, None], radius[:, None, :]
    far = one + other
    near = np.maximum(np.abs(one - other), 1e-3 * far)  # 4e-6 of the mean, where it would take many turns
    mean, squares = _gauss(far, near)
    return np.asarray((far * far - squares) * _inverse(mean))


def _gauss(far: FloatArray, near: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Arithmetic-geometric mean a of two numbers, and the sum of 2^(n - 1) (far^2 - near^2) of each turn.

    With far = R_i + R_j and near = abs(R_i - R_j), 1 / a is the mean of 1 / R_ij over angles and (far^2 - sum) / a that
    of R_ij: K = pi / (2 a) and E / K = 1 - sum, in units of far.
    """
    a, b = far, near
    power, squares = 0.5, 0.5 * (far * far - near * near)
    for _ in range(7):  # digits double each turn: from 1e-3 of the other to equal in six
        a, b, half = 0.5 * (a + b), np.sqrt(a * b), 0.5 * (a - b)
        power *= 2.0
        squares = squares + power * half * half
    return a, squares


def unfold_radii(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Places on the sky; where only radii are known, each galaxy at the golden angle from the next one outwards."""
    flat = only_radii(y)
    if not flat.any():
        return x, y
    radius = np.abs(x[flat])
    rank = np.argsort(np.argsort(radius, axis=1, kind="stable"), axis=1)
    angle = rank * np.pi * (3.0 - np.sqrt(5.0))
    x, y = x.copy(), y.copy()
    x[flat], y[flat] = radius * np.cos(angle), radius * np.sin(angle)
    return x, y


def _inverse(distance: FloatArray) -> FloatArray:
    return np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
