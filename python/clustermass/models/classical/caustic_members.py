"""Caustic technique, galaxies: their order, the cuts, dispersions and the first guess of r200."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops.dispersion import shifting_gapper, velocity_dispersions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
FEWEST = 5  #: galaxies below which no dispersion is worked out
WIDEST = 3.0  #: Mpc/h, not comoving: galaxies of the first guess of r200, and its upper limit


@dataclass(frozen=True)
class Galaxies:
    """Galaxies of n clusters in an order of their own, that of (cluster, radius, velocity), so that the order in which
    they came does not matter.

    Attributes
    ----------
    owner : (n_galaxies,) int64
        Row of the cluster, rising.
    radius, velocity : (n_galaxies,) float64, comoving Mpc and km/s
    n : int
        Clusters.
    """

    owner: IntArray
    radius: FloatArray
    velocity: FloatArray
    n: int

    def only(self, keep: NDArray[np.bool_]) -> Galaxies:
        return Galaxies(self.owner[keep], self.radius[keep], self.velocity[keep], self.n)

    def count(self) -> IntArray:
        """Galaxies of each cluster."""
        return np.bincount(self.owner, minlength=self.n)

    def offsets(self) -> IntArray:
        return np.concatenate([[0], np.cumsum(self.count())])


def select_galaxies(clusters: Any, max_radius: FloatArray, max_velocity: FloatArray) -> Galaxies:
    """Galaxies within a radius [comoving Mpc] and a velocity [km/s] of each cluster, in the order of `Galaxies`."""
    owner = np.repeat(np.arange(len(clusters)), clusters.n_galaxies)
    radius, velocity = np.asarray(clusters.radius, np.float64), np.asarray(clusters.velocity, np.float64)
    inside = (radius < max_radius[owner]) & (np.abs(velocity) < max_velocity[owner])
    owner, radius, velocity = owner[inside], radius[inside], velocity[inside]
    order = np.lexsort((velocity, radius, owner))
    return Galaxies(owner[order], radius[order], velocity[order], len(clusters))


def without_interlopers(galaxies: Galaxies) -> Galaxies:
    """What the shifting gapper leaves: bins of 25 by radius, at least 5, gaps of 500 km/s and more."""
    return galaxies.only(shifting_gapper(galaxies.radius, galaxies.velocity, galaxies.offsets()))


def dispersions(galaxies: Galaxies) -> FloatArray:
    """Biweight scale of the velocities of each cluster [km/s], shape (n,); NaN below five galaxies."""
    scale = velocity_dispersions(galaxies.velocity, galaxies.offsets(), method="biweight").sigma
    return np.where(galaxies.count() >= FEWEST, scale, np.nan)


def guess_r200(dispersion: FloatArray, h: float, redshift: FloatArray) -> FloatArray:
    """First guess of r200 [comoving Mpc] from a dispersion [km/s]: (0.002 sigma + 0.40) / 1.7 Mpc/h, at most 3."""
    return np.asarray(np.minimum((0.002 * dispersion + 0.40) / 1.7, WIDEST) / h * (1.0 + redshift))


def spread_of_radii(galaxies: Galaxies) -> FloatArray:
    """Standard deviation of the radii of each cluster, shape (n,), in their unit; 0 without galaxies."""
    counts = np.maximum(galaxies.count(), 1)
    mean = np.bincount(galaxies.owner, galaxies.radius, minlength=galaxies.n) / counts
    squares = (galaxies.radius - mean[galaxies.owner]) ** 2
    return np.asarray(np.sqrt(np.bincount(galaxies.owner, squares, minlength=galaxies.n) / counts))
