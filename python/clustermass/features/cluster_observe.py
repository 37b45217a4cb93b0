"""Observe a block of clusters: their members (pure) and all that lies in the cylinder (contaminated)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.universe import Universe
from ..errors import MissingFieldError
from ..ops.lightcone import GalaxyIndex, build_galaxy_index, select_lightcone
from ..ops.noise import add_noise
from ..ragged import ragged_rows
from .cluster_settings import ClusterSettings
from .keys import mixed
from .sightline import dispersion, frames, nearest_image, project, relative_velocity, segment_sums
from .survey import FluxLimit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
MAX_NORMAL = 6.67  #: `add_noise` never draws more standard deviations than this


@dataclass(frozen=True)
class Queries:
    """Views of clusters to observe; one row each. `halo` is a row in the haloes of the universe."""

    halo: IntArray
    view: IntArray
    line_of_sight: FloatArray


@dataclass(frozen=True)
class Observations:
    """Galaxies of each view, ragged, in float64; `galaxy` is a row in the galaxies of the universe."""

    offsets: IntArray
    columns: dict[str, NDArray[Any]]

    def only_galaxies(self, keep: NDArray[np.bool_]) -> Observations:
        """The galaxies where `keep` is true; every view stays."""
        counts = segment_sums(keep, self.offsets).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return Observations(offsets, {name: values[keep] for name, values in self.columns.items()})

    def only_views(self, keep: NDArray[np.bool_]) -> Observations:
        """The views where `keep` is true."""
        sizes = np.diff(self.offsets)
        where = np.repeat(keep, sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes[keep])])
        return Observations(offsets, {name: values[where] for name, values in self.columns.items()})


class Observer:
    """Sees the galaxies of a universe as `settings` say; indexes them once.

    Parameters
    ----------
    universe : Universe
    settings : ClusterSettings
    redshift : float
        Where the clusters are put, but for a survey, which puts each at a distance of its own.
    n_threads : int
        Of the search; they change no bit of the result.
    """

    def __init__(self, universe: Universe, settings: ClusterSettings, redshift: float, *, n_threads: int = 1) -> None:
        self.universe, self.settings, self.n_threads = universe, settings, n_threads
        self.max_radius, self.max_velocity = settings.cylinder(universe.cosmology.h)
        self.box = universe.box_size if universe.is_periodic else None
        self.rows = chosen_galaxies(universe, settings)
        galaxies = universe.galaxies
        self.positions = np.ascontiguousarray(galaxies.positions[self.rows])
        self.velocities = np.ascontiguousarray(galaxies.velocities[self.rows])
        self.host = np.ascontiguousarray(galaxies.host[self.rows])
        self.flux = None if settings.survey is None else FluxLimit(settings.survey, universe, settings.seed)
        centres = universe.haloes if self.flux is None else self.flux
        self.centre_positions, self.centre_velocities = centres.positions, centres.velocities
        n = universe.haloes.n
        self.redshift = np.full(n, redshift) if self.flux is None else self.flux.redshift
        far = float(universe.cosmology.comoving_distance(redshift))
        self.observer_distance = np.full(n, far) if self.flux is None else self.flux.distance
        self._sort_members()
        self.index: GalaxyIndex = build_galaxy_index(
            self.positions, self.velocities, box_size=self.box, hosts=self.host, n_threads=n_threads
        )

    def _sort_members(self) -> None:
        """Members of halo h: ``members[first[h] : first[h] + n_members[h]]``."""
        order = np.argsort(self.host, kind="stable")
        starts = np.searchsorted(self.host[order], np.arange(self.universe.haloes.n + 1))
        self.members, self.first, self.n_members = order, starts[:-1].astype(np.int64), np.diff(starts).astype(np.int64)

    def pure(self, queries: Queries) -> Observations:
        """Members of each view's halo, wherever they are."""
        sizes = self.n_members[queries.halo]
        found = self.members[ragged_rows(self.first[queries.halo], sizes)]
        view = np.repeat(np.arange(sizes.size), sizes)
        frame = frames(queries.line_of_sight)
        halo = queries.halo[view]
        offset = nearest_image(self.positions[found] - self.centre_positions[halo], self.box)
        place = project(offset, frame[view])
        sight = queries.line_of_sight[view]
        of_galaxy = np.einsum("ij,ij->i", self.velocities[found], sight)
        of_cluster = np.einsum("ij,ij->i", self.centre_velocities[halo], sight)
        velocity = relative_velocity(
            place[:, 2], of_galaxy, of_cluster, self.redshift[halo], self.universe.cosmology,
            relativistic=self.settings.relativistic,
        )  # fmt: skip
        columns = {
            "x": place[:, 0],
            "y": place[:, 1],
            "velocity": velocity,
            "distance": np.sqrt(np.einsum("ij,ij->i", offset, offset)),
            "is_member": np.ones(found.size, bool),
            "galaxy": self.rows[found],
        }
        seen = Observations(np.concatenate([[0], np.cumsum(sizes)]), columns)
        return self._as_measured(queries, seen, place[:, 2])

    def contaminated(self, queries: Queries) -> Observations:
        """Everything in the cylinder of each view."""
        reach = self.max_velocity + MAX_NORMAL * self.settings.velocity_error
        found = select_lightcone(
            self.index, self.centre_positions[queries.halo], self.centre_velocities[queries.halo],
            queries.line_of_sight, targets=queries.halo, redshift=self.redshift[queries.halo],
            cosmology=self.universe.cosmology, aperture=self.max_radius, max_velocity=reach,
            relativistic=self.settings.relativistic, n_threads=self.n_threads,
        )  # fmt: skip
        columns = {name: getattr(found, name) for name in ("x", "y", "velocity", "distance", "is_member")}
        columns["galaxy"] = self.rows[found.indices]
        seen = Observations(found.offsets, columns)
        seen = self._as_measured(queries, seen, None if self.flux is None else self._depth(queries, seen))
        if self.settings.velocity_error > 0:
            seen = seen.only_galaxies(np.abs(seen.columns["velocity"]) < self.max_velocity)
        return seen

    def _depth(self, queries: Queries, seen: Observations) -> FloatArray:
        """Distance behind the cluster along the line of sight [comoving Mpc] of each selected galaxy.

        Its size follows from the distance and the place on the sky; of the two signs that one is right for which the
        galaxy is where the box has it, or a whole number of boxes away.
        """
        view = np.repeat(np.arange(queries.halo.size), np.diff(seen.offsets))
        x, y, away = (seen.columns[name] for name in ("x", "y", "distance"))
        depth = np.sqrt(np.maximum(away**2 - x**2 - y**2, 0.0))
        frame = frames(queries.line_of_sight)[view]
        offset = self.universe.galaxies.positions[seen.columns["galaxy"]] - self.centre_positions[queries.halo[view]]
        across = offset - x[:, None] * frame[:, 0] - y[:, None] * frame[:, 1]
        misses = [np.linalg.norm(nearest_image(across - s * depth[:, None] * frame[:, 2], self.box), axis=1)
                  for s in (1.0, -1.0)]  # fmt: skip
        return np.asarray(np.where(misses[0] <= misses[1], depth, -depth), np.float64)

    def _as_measured(self, queries: Queries, seen: Observations, depth: FloatArray | None) -> Observations:
        """With errors of velocity, and without the galaxies that the survey does not see."""
        if self.settings.velocity_error > 0:
            sizes = np.diff(seen.offsets)
            ids = self.universe.haloes.ids[queries.halo]
            keys = mixed(np.repeat(mixed(ids, queries.view), sizes), seen.columns["galaxy"])
            errors = add_noise(
                np.zeros((keys.size, 1, 1)), self.settings.velocity_error, seed=self.settings.seed, items=keys,
                n_threads=self.n_threads,
            )  # fmt: skip
            seen = Observations(seen.offsets, seen.columns | {"velocity": seen.columns["velocity"] + errors[:, 0, 0]})
        if self.flux is not None and depth is not None:
            distance = np.repeat(self.observer_distance[queries.halo], np.diff(seen.offsets)) + depth
            seen = seen.only_galaxies(self.flux.sees(seen.columns["galaxy"], distance))
        return seen


def chosen_galaxies(universe: Universe, settings: ClusterSettings) -> IntArray:
    """Rows of the galaxies that the sample of `settings` holds."""
    galaxies = universe.galaxies
    keep = np.ones(galaxies.n, bool)
    if settings.satellites_only:
        keep &= ~galaxies.is_central
    if settings.min_stellar_mass is not None:
        if galaxies.stellar_mass is None:
            raise MissingFieldError(
                f"`min_stellar_mass` needs stellar masses, which the galaxies of {universe.source or 'the universe'} "
                "do not have"
            )
        keep &= galaxies.stellar_mass >= settings.min_stellar_mass
    return np.flatnonzero(keep)


def summarise(seen: Observations) -> dict[str, NDArray[Any]]:
    """Columns of the views that follow from their galaxies."""
    return {
        "sigma_v": dispersion(seen.columns["velocity"], seen.offsets),
        "n_members": segment_sums(seen.columns["is_member"], seen.offsets).astype(np.int64),
    }
