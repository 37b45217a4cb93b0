"""No halo lies within a larger one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Spheres:
    """A space in which candidates must be apart.

    Attributes
    ----------
    places : (n, 3) float64, comoving Mpc
        In the periodic box, from 0 to below its size. The first groups come first; the table may end before the last.
    radius : (n,) float64, comoving Mpc
        From each place later candidates are kept out so far.
    reach : int
        Groups further apart than this in number do not disturb each other.
    """

    places: FloatArray
    radius: FloatArray
    reach: int


def keep_outside(spaces: Sequence[Spheres], group: IntArray, wanted: IntArray, box_size: float) -> IntArray:
    """Rows of candidates that stay, so many of each group, none within a sphere of an earlier one that stays.

    Parameters
    ----------
    spaces : sequence of Spheres
        Within a group the first have precedence; two of one group are kept apart by the larger radius of both.
    group : (n,) int64
        0, 1, ..., never falling.
    wanted : (n_groups,) int64
        How many of each group may stay.
    box_size : float
        Side of the box [comoving Mpc].

    Returns
    -------
    (m,) int64
        Rising rows. Fewer than wanted of a group stay if too few of its candidates are free.
    """
    if not group.size:
        return np.zeros(0, np.int64)
    pairs = [_close_pairs(space, group, box_size) for space in spaces]
    first, second = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
    order = np.lexsort((first, second))
    first, second = first[order], second[order]
    starts = np.searchsorted(group, np.arange(wanted.size + 1))
    edges = np.searchsorted(second, starts)
    stays = np.zeros(group.size, bool)
    for k, n in enumerate(wanted):
        low, high = starts[k], starts[k + 1]
        before, after = first[edges[k] : edges[k + 1]], second[edges[k] : edges[k + 1]]
        free = np.ones(high - low, bool)
        outside = before < low
        free[after[outside][stays[before[outside]]] - low] = False
        for i, j in zip(before[~outside], after[~outside], strict=True):  # few: one group, sorted by the later one
            if free[i - low]:
                free[j - low] = False
        stays[low + np.flatnonzero(free)[:n]] = True
    return np.flatnonzero(stays)


def _close_pairs(space: Spheres, group: IntArray, box_size: float) -> tuple[IntArray, IntArray]:
    """All pairs (earlier, later) that are closer than the larger radius of both, each once or twice."""
    from scipy.spatial import cKDTree

    found = [np.zeros((2, 0), np.int64)]
    everything = cKDTree(space.places, boxsize=box_size) if len(space.places) else None
    # spheres of similar size together: each search reaches as far as its largest
    octave = np.floor(np.log2(space.radius / max(space.radius.max(initial=0.0), 1e-300)))
    for level in np.unique(octave):
        rows = np.flatnonzero(octave == level)
        own = cKDTree(space.places[rows], boxsize=box_size)
        near = own.sparse_distance_matrix(everything, float(space.radius[rows].max()), output_type="ndarray")
        one, other = rows[near["i"]], near["j"].astype(np.int64)
        close = (one != other) & (near["v"] <= space.radius[one])
        close &= np.abs(group[one] - group[other]) <= space.reach
        found.append(np.sort(np.stack([one[close], other[close]]), axis=0))
    first, second = np.concatenate(found, axis=1)
    return first, second
