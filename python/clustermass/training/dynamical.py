"""Networks that see galaxies: grids of phase space, or the galaxies themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ..features.phase_space import GRID_PRESETS, GridPreset
from ..models.base import per_cluster
from ..models.posterior import FLAGS
from .estimator import LearnedEstimator
from .galaxy_inputs import GalaxyInputs, SummarisedGrids
from .inputs import GridInputs

MIN_GALAXIES = 3


class DynamicalEstimator(LearnedEstimator):
    """A network on the velocities and places of galaxies; see `LearnedEstimator`.

    Clusters with fewer than three galaxies get no mass (``too_few_galaxies``). Galaxies count that lie in the cylinder
    of the preset, wherever the catalogue ends; for grids of pure members, all.
    """

    inputs = ("velocities", "radii")

    def _inputs(self, clusters: Any, device: Any) -> GridInputs | GalaxyInputs | SummarisedGrids:
        grid, settings = self._grid_preset(), self.settings
        options: dict[str, Any] = {"subsample": settings.subsample, "seed": settings.seed, "device": device}
        if self.preset.inputs == "galaxies":
            return self._galaxies(clusters, exchange=settings.exchange, **options)
        if settings.exchange > 0:
            raise DomainError(f"`exchange` is for networks that see galaxies, {self.name!r} sees grids")
        grids = GridInputs(clusters, grid, cut=self._cuts(clusters), n_threads=self.n_threads, **options)
        return SummarisedGrids(grids, self._galaxies(clusters, **options)) if self._is_summarised else grids

    @property
    def _is_summarised(self) -> bool:
        return bool(self.preset.options.get("summary"))

    def _galaxies(self, clusters: Any, **options: Any) -> GalaxyInputs:
        grid = self._grid_preset()
        return GalaxyInputs(clusters, max_radius=grid.max_radius, max_velocity=grid.max_velocity, **options)

    def _cells(self) -> tuple[int, ...]:
        """Of a set: numbers a galaxy, and numbers a cluster."""
        if self.preset.inputs == "galaxies":
            return (GalaxyInputs.columns, GalaxyInputs.summaries)
        return self._grid_preset().cells

    def _described(self, clusters: Any) -> dict[str, NDArray[np.float64]]:
        n = len(clusters)
        return {
            "n_galaxies": self._richness(clusters).astype(np.float64),
            "redshift": per_cluster(clusters.redshift, "redshift", n),
            "max_radius": per_cluster(clusters.max_radius, "max_radius", n),
            "max_velocity": per_cluster(clusters.max_velocity, "max_velocity", n),
        }

    def _range(self, name: str, low: float, high: float) -> tuple[float, float]:
        """Apertures may reach as far as they like."""
        return (0.999 * low, 1e30) if name in ("max_radius", "max_velocity") else super()._range(name, low, high)

    def _flags(self, clusters: Any) -> NDArray[np.uint32]:
        few = self._richness(clusters) < MIN_GALAXIES
        return super()._flags(clusters) | np.where(few, np.uint32(FLAGS["too_few_galaxies"]), np.uint32(0))

    def _richness(self, clusters: Any) -> NDArray[np.int64]:
        """Galaxies of each cluster that the network sees."""
        if not self._cuts(clusters):
            return np.asarray(clusters.n_galaxies, np.int64)
        grid = self._grid_preset()
        inside = np.hypot(clusters.x, clusters.y) < grid.max_radius / clusters.cosmology.h
        inside &= np.abs(clusters.velocity) < grid.max_velocity
        total = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])
        return np.asarray(np.diff(total[np.asarray(clusters.offsets)]), np.int64)

    def _cuts(self, clusters: Any) -> bool:
        """Whether galaxies outside the cylinder of the preset are left out: as published, not of pure members."""
        return self.preset.inputs == "galaxies" or getattr(clusters, "kind", "contaminated") != "pure"

    def _grid_preset(self) -> GridPreset:
        return GRID_PRESETS["ho2019-2d" if self.preset.inputs == "galaxies" else self.preset.inputs]
