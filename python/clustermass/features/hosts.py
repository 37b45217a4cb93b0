"""Which halo each position belongs to: the heaviest one whose radius holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import import_extra

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_AT_ONCE = 256  #: haloes per search: bounds the lists that scipy makes


def search_tree(positions: FloatArray, box_size: float | None) -> Any:
    """A tree of positions [comoving Mpc] for `heaviest_host`."""
    spatial = import_extra("scipy.spatial", extra="mock", what="finding the hosts of galaxies needs")
    return spatial.cKDTree(wrapped(positions, box_size), boxsize=box_size)


def heaviest_host(
    positions: FloatArray, centres: FloatArray, mass: FloatArray, radius: FloatArray, box_size: float | None
) -> IntArray:
    """Row of the heaviest halo that holds each position; -1 for none. Of equal masses the first counts.

    Parameters
    ----------
    positions : (n, 3) float64, comoving Mpc
        What is to be placed.
    centres : (m, 3) float64, comoving Mpc
        Of the haloes.
    mass : (m,) float64, Msun
        Of the haloes.
    radius : (m,) float64, comoving Mpc
        A halo holds what is at most this far from its centre; 0 holds nothing.
    box_size : float, optional
        Of a periodic box.
    """
    tree = search_tree(positions, box_size)
    host = np.full(len(positions), -1, np.int64)
    order = np.lexsort((-np.arange(mass.size), mass))  # light ones first: the heavy overwrite them
    order = order[radius[order] > 0]
    for first in range(0, order.size, _AT_ONCE):
        rows = order[first : first + _AT_ONCE]
        found = tree.query_ball_point(wrapped(centres[rows], box_size), radius[rows])
        for row, inside in zip(rows, found, strict=True):
            host[inside] = row
    return host


def wrapped(positions: FloatArray, box_size: float | None) -> FloatArray:
    """Positions within [0, box_size)."""
    if box_size is None:
        return positions
    inside = np.mod(positions, box_size)
    return np.asarray(np.where(inside < box_size, inside, 0.0))  # mod of a tiny negative number rounds up to the box


def outermost(centres: FloatArray, mass: FloatArray, radius: FloatArray, box_size: float | None) -> IntArray:
    """Row of the halo that each halo lies in, itself if in no heavier one.

    The heaviest halo claims what its radius holds, then the next that is not claimed itself, and so on: hosts lie in no
    host.
    """
    tree = search_tree(centres, box_size)
    top = np.arange(mass.size)
    claimed = np.zeros(mass.size, bool)
    order = np.lexsort((np.arange(mass.size), -mass))
    order = order[radius[order] > 0]
    places = wrapped(centres, box_size)
    company = tree.query_ball_point(places[order], radius[order], return_length=True) > 1
    for row in order[company]:
        if claimed[row]:
            continue
        inside = np.asarray(tree.query_ball_point(places[row], radius[row]), np.int64)
        new = inside[~claimed[inside] & (inside != row) & (mass[inside] <= mass[row])]
        new = new[~((mass[new] == mass[row]) & (new < row))]
        top[new], claimed[new] = row, True
    return top
