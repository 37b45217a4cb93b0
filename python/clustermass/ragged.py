"""Ragged batches: flat values one row after another, and offsets that say where each row begins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def ragged_rows(starts: IntArray, sizes: IntArray) -> IntArray:
    """starts[0], starts[0] + 1 ... sizes[0] of them, then the same of the next."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(int(ends[-1]) if sizes.size else 0)


def take_rows(offsets: IntArray, rows: Any) -> tuple[IntArray, IntArray]:
    """Some rows (index array, repeats allowed) one after another: their own offsets, and where their values are.

    Examples
    --------
    >>> own, where = take_rows(np.array([0, 2, 5]), np.array([1, 0, 1]))
    >>> own.tolist(), where.tolist()
    ([0, 3, 5, 8], [2, 3, 4, 0, 1, 2, 3, 4])
    """
    sizes = np.diff(offsets)[rows]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), ragged_rows(offsets[:-1][rows], sizes)
