"""What lies near lines of sight in a periodic box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class NearLines:
    """Points of a periodic box, each with a reach, ready to be looked up around lines of sight.

    Parameters
    ----------
    positions : (n, 3) float64, comoving Mpc
        Inside the box.
    reach : (n,) float64, comoving Mpc
    box_size : float
    """

    def __init__(self, positions: FloatArray, reach: FloatArray, box_size: float) -> None:
        from scipy.spatial import cKDTree

        self.positions, self.reach, self.box_size = positions, reach, box_size
        steps = np.ceil(np.log2(np.maximum(reach, 0.25)))  # points of about one reach share a tree
        self._classes = []
        for step in np.unique(steps):
            rows = np.flatnonzero(steps == step)
            self._classes.append((rows, float(reach[rows].max()), cKDTree(positions[rows], boxsize=box_size)))

    def find(self, centres: FloatArray, directions: FloatArray, radius: FloatArray, depth: float) -> IntArray:
        """Rows whose reach touches any of the cylinders, rising.

        Parameters
        ----------
        centres, directions : ndarray of float64, shape (m, 3)
            Middle [comoving Mpc] and unit vector along each cylinder.
        radius : ndarray of float64, shape (m,)
            [comoving Mpc]
        depth : float
            Half the length of the cylinders [comoving Mpc].
        """
        found = [self._find(*one, centres, directions, radius, depth) for one in self._classes]
        return np.unique(np.concatenate([*found, np.zeros(0, np.int64)]))

    def _find(
        self, rows: IntArray, reach: float, tree: object, centres: FloatArray, directions: FloatArray,
        radius: FloatArray, depth: float,
    ) -> IntArray:  # fmt: skip
        wide = float(radius.max(initial=0.0)) + reach
        half = min(depth + reach, 0.5 * self.box_size)
        n = max(1, int(np.ceil(half / wide)))
        along = half * ((2.0 * np.arange(n) + 1.0) / n - 1.0)
        points = (centres[:, None] + along[:, None] * directions[:, None]) % self.box_size
        ball = min(float(np.hypot(wide, half / n)), 0.499 * self.box_size)
        lists = tree.query_ball_point(points.reshape(-1, 3), ball)  # type: ignore[attr-defined]
        view = np.repeat(np.arange(lists.size) // n, [len(one) for one in lists])
        near = rows[np.concatenate([np.zeros(0, np.int64), *(np.asarray(one, np.int64) for one in lists if one)])]
        offset = self.positions[near] - centres[view]
        offset -= self.box_size * np.round(offset / self.box_size)
        depth_of = (offset * directions[view]).sum(axis=1)
        across = np.sqrt(np.maximum((offset**2).sum(axis=1) - depth_of**2, 0.0))
        touches = (across <= radius[view] + self.reach[near]) & (np.abs(depth_of) <= depth + self.reach[near])
        return np.asarray(near[touches])
