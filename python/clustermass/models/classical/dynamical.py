"""What the virial and the projected-mass estimators share: members, centring, intervals, M200c."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...ops.dispersion import shifting_gapper, velocity_dispersions
from ..base import Estimator, per_cluster
from ..posterior import FLAGS, MassPosterior
from .aperture_mass import m200c_of_aperture
from .dispersions import INTERLOPERS, kept_offsets
from .galaxy_pairs import equal_richness

FloatArray = NDArray[np.float64]

FEWEST = 3  #: galaxies, for a mass with an error
FEW = 5  #: fewer galaxies get a flag

#: Standard deviation of ln M of line-of-sight masses that go as the square of the velocities: 10 to 14 % in the
#: dispersion itself (Saro et al. 2013, from 30 to 40 % in a mass that goes as its power 2.91).
PROJECTION_SCATTER = 2 * 0.12


def jackknife(without: FloatArray) -> FloatArray:
    """Standard error of an estimate, from the estimates without one galaxy each, (clusters, n): Tukey 1958."""
    n = without.shape[1]
    return np.asarray(np.sqrt((n - 1) * np.var(without, axis=1)))


class DynamicalMass(Estimator):
    """Base of estimators that take a mean of velocities squared times radii for the mass within the galaxies' sphere.

    Velocities are taken about their mean, radii from the given centre, lengths in proper Mpc. Velocity errors, where
    the clusters have them, are subtracted: the mass is multiplied by the share of the variance that they leave. The
    mass is taken for that within the radius of the outermost galaxy, and brought to M200c by `m200c_of_aperture`.

    Intervals are log-normal: the jackknife error of ln M over galaxies, and 0.24 for the line of sight (haloes are not
    spheres), in quadrature. Interlopers are not in it.

    Flags: ``too_few_galaxies`` below five galaxies, NaN below three; ``out_of_support`` and NaN where velocities or
    places do not differ, errors exceed the dispersion, or the mean density within the galaxies' sphere is below 0.1 or
    above 1e5 times critical; ``not_converged`` where M200c and the concentration did not settle.
    """

    surface_factor: Callable[[FloatArray], FloatArray] | None = None  #: of what the estimator leaves out at the edge

    def __init__(self, clip: float | None, interlopers: str) -> None:
        self.clip = None if clip is None else check.number(clip, "clip", above=0)
        self.interlopers = check.choice(interlopers, "interlopers", INTERLOPERS)

    @abstractmethod
    def _masses(self, x: FloatArray, y: FloatArray, velocity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mass [Msun] and standard error of ln M of clusters of equal richness, from (clusters, n) arrays."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """The arguments of the constructor besides `clip` and `interlopers`."""

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses with log-normal intervals.

        Parameters
        ----------
        clusters : ClusterSample or ClusterSet
            Places, velocities, redshifts and cosmology.

        Returns
        -------
        MassPosterior
            M200c.
        """
        n = len(clusters)
        offsets = np.asarray(clusters.offsets)
        columns = [clusters.x, clusters.y, clusters.velocity, getattr(clusters, "velocity_error", None)]
        keep = self._members(clusters, offsets)
        offsets = kept_offsets(keep, offsets)
        columns = [None if column is None else column[keep] for column in columns]
        redshift = per_cluster(clusters.redshift, "redshift", n)
        mass, error, reach = (np.full(n, np.nan) for _ in range(3))
        for rows, members in equal_richness(offsets, FEWEST):
            x, y, v = (np.asarray(column[members], np.float64) for column in columns[:3])
            proper = 1.0 / (1.0 + redshift[rows, None])
            mass[rows], error[rows] = self._masses(x * proper, y * proper, v)
            mass[rows] *= 1.0 if columns[3] is None else _without_errors(v, np.asarray(columns[3][members]))
            reach[rows] = np.sqrt(x * x + y * y).max(axis=1)
        m200c, settled = m200c_of_aperture(mass, reach, clusters.cosmology, redshift, self.surface_factor)
        return self._posterior(m200c, error, np.diff(offsets), settled)

    def _members(self, clusters: Any, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Galaxies that are neither cut off by gaps nor further than `clip` sigma from the mean of those that stay."""
        velocity = np.asarray(clusters.velocity)
        keep = np.ones(velocity.size, np.bool_)
        if self.interlopers == "shifting_gapper":
            keep = shifting_gapper(clusters.radius, velocity, offsets)
        if self.clip is not None:
            found = velocity_dispersions(velocity[keep], kept_offsets(keep, offsets), clip=self.clip)
            sizes = np.diff(offsets)
            away = np.abs(velocity - np.repeat(found.location, sizes))
            keep = keep & (away <= self.clip * np.repeat(found.sigma, sizes))
        return keep

    @staticmethod
    def _posterior(mass: FloatArray, error: FloatArray, n_used: NDArray[np.int64], settled: Any) -> MassPosterior:
        known = np.isfinite(mass)
        enough = n_used >= FEWEST
        flags = np.where(n_used < FEW, np.uint32(FLAGS["too_few_galaxies"]), np.uint32(0))
        flags |= np.where(~known & enough, np.uint32(FLAGS["out_of_support"]), np.uint32(0))
        flags |= np.where(known & ~settled, np.uint32(FLAGS["not_converged"]), np.uint32(0))
        width = np.hypot(PROJECTION_SCATTER, error) / np.log(10.0)
        return MassPosterior.from_gaussian(np.log10(mass), width, "M200c", flags=flags)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings; there is nothing else."""
        return self._settings() | {"clip": self.clip, "interlopers": self.interlopers}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        return cls(**config)


def _without_errors(velocity: FloatArray, error: FloatArray) -> FloatArray:
    """Share of the variance of the velocities that is not measurement error; NaN where none is left."""
    variance = np.var(velocity, axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - (np.asarray(error, np.float64) ** 2).mean(axis=1) / variance
    share[~(share > 0)] = np.nan
    return np.asarray(share)
