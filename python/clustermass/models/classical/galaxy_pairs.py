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


def inverse_separations(x: FloatArray, y: FloatArray) -> FloatArray:
    """For each galaxy the sum of 1 / R_ij over the others, (clusters, n); pairs at one place are left out."""

    def term(some: slice) -> FloatArray:
        return _inverse(separations(x, y, some))

    return sum_over_partners(term, *x.shape)


def ring_separations(radius: FloatArray) -> FloatArray:
    """The same from radii alone: the mean of 1 / R_ij over all angles between the two galaxies.

    The mean is (2 / pi) K(k) / (R_i + R_j) with k^2 = 4 R_i R_j / (R_i + R_j)^2, K the complete elliptic integral of
    the first kind (Carlberg et al. 1996, ApJ 462, 32); by Gauss, one over the arithmetic-geometric mean of R_i + R_j
    and abs(R_i - R_j). Pairs of equal radius, where it diverges, are taken 1e-3 of the radius apart.
    """

    def term(some: slice) -> FloatArray:
        one, other = radius[:, some, None], radius[:, None, :]
        a, b = one + other, np.maximum(np.abs(one - other), 1e-3 * np.minimum(one, other))
        for _ in range(6):  # doubles the digits each time: 1e-3 becomes 1e-16 of the other in six
            a, b = 0.5 * (a + b), np.sqrt(a * b)
        inverse = _inverse(a)
        i = np.arange(radius.shape[1])[some]
        inverse[:, np.arange(i.size), i] = 0.0
        return inverse

    return sum_over_partners(term, *radius.shape)


def _inverse(distance: FloatArray) -> FloatArray:
    return np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)


def squared_differences_times_separations(x: FloatArray, y: FloatArray, v: FloatArray) -> FloatArray:
    """For each galaxy the sum of (v_i - v_j)^2 R_ij over the others, (clusters, n)."""

    def term(some: slice) -> FloatArray:
        dv = v[:, some, None] - v[:, None, :]
        return np.asarray(dv * dv * separations(x, y, some))

    return sum_over_partners(term, *x.shape)
