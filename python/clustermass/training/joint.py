"""Galaxies and maps of one cluster into one posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ArrayError, BadInputError, DomainError
from ..features.phase_space import GRID_PRESETS
from .estimator import LearnedEstimator
from .galaxy_inputs import GalaxyInputs
from .inputs import digest_of
from .map_estimator import PIXEL_TOLERANCE
from .map_inputs import MapInputs
from .map_preset import MapPreset

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class JointSample:
    """Galaxies and maps of the same views of the same clusters, row by row; make one with `join_samples`.

    Attributes
    ----------
    clusters : ClusterSet
    maps : MapSample
    """

    kind: ClassVar[str] = "joint"

    clusters: Any
    maps: Any

    def __len__(self) -> int:
        return len(self.maps)

    def __getattr__(self, name: str) -> Any:
        """Labels, folds and geometry: of the galaxies; redshifts and M500c of the maps."""
        if name.startswith("__") or name in ("clusters", "maps"):
            raise AttributeError(name)
        return getattr(self.maps if name in ("redshift", "log10_m500c") else self.clusters, name)

    def only(self, rows: Any) -> JointSample:
        """Some rows."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        return JointSample(self.clusters.only(chosen), self.maps.only(chosen))

    def rows_of_fold(self, fold: int) -> tuple[Rows, Rows]:
        """As those of the galaxies: folds are by host."""
        found: tuple[Rows, Rows] = self.clusters.rows_of_fold(fold)
        return found


def join_samples(clusters: Any, maps: Any) -> JointSample:
    """Observations of galaxies and maps with the same host and the same number of the view.

    Parameters
    ----------
    clusters : ClusterSet
        Of one kind.
    maps : MapSample
        Of the same universe, seen from the same directions where both say from where.

    Returns
    -------
    JointSample
        The rows that both have, in the order of the galaxies.

    Raises
    ------
    BadInputError
        If they share no row, a row comes twice, masses differ by more than 1 %, or directions differ.
    """
    keys = [np.stack([s.host_id, s.view], 1).astype(np.int64) for s in (clusters, maps)]
    known = [{tuple(key): row for row, key in enumerate(own.tolist())} for own in keys]
    for own, name, sample in zip(known, ("clusters", "maps"), (clusters, maps), strict=True):
        if len(own) != len(sample):
            raise BadInputError(f"`{name}` has {len(sample)} rows of {len(own)} views: a view comes twice")
    pairs = np.array([(row, known[1][key]) for key, row in known[0].items() if key in known[1]], np.int64)
    if pairs.size == 0:
        raise BadInputError("`clusters` and `maps` share no view of a host: make both from one universe")
    joined = JointSample(clusters.only(pairs[:, 0]), maps.only(pairs[:, 1]))
    truth = [getattr(s, "log10_m200c", None) for s in (joined.clusters, joined.maps)]
    if truth[0] is not None and truth[1] is not None and (np.abs(truth[0] - truth[1]) > 0.005).any():
        row = int(np.argmax(np.abs(truth[0] - truth[1])))
        raise BadInputError(f"host {joined.host_id[row]} has log10 M200c {truth[0][row]:.4f} and {truth[1][row]:.4f}")
    sight = [getattr(s, "line_of_sight", None) for s in (joined.clusters, joined.maps)]
    if sight[0] is not None and sight[1] is not None and (np.abs((sight[0] * sight[1]).sum(1)) < 0.999).any():
        raise BadInputError("`clusters` and `maps` are not seen from the same directions")
    return joined


class JointInputs:
    """Batches for a `JointNetwork`: those of `GalaxyInputs`, and those of `MapInputs`."""

    def __init__(self, galaxies: GalaxyInputs, maps: MapInputs) -> None:
        self.galaxies, self.maps, self.at_once = galaxies, maps, maps.at_once

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Of both, for the same rows."""
        return (*self.galaxies.batch(rows, np.zeros_like(flip), key), *self.maps.batch(rows, flip, key))

    def digest(self) -> str:
        """Of both."""
        texts = "".join([self.galaxies.digest(), self.maps.digest()])
        return digest_of(np.frombuffer(texts.encode(), np.uint8))


class JointEstimator(LearnedEstimator):
    """A set network on galaxies and a network on maps with one head, trained together on a `JointSample`."""

    inputs = ("velocities", "radii", "maps", "redshift")
    preset: MapPreset

    def __init__(self, preset: str, **options: Any) -> None:
        super().__init__(preset, **options)
        if self.preset.inputs != "joint":
            raise DomainError(f"`preset` must be one of galaxies and maps together, got {preset!r}")
        self._shape: tuple[int, ...] = (len(self.preset.channels), self.preset.pixels, self.preset.pixels)

    def fit_folds(self, clusters: Any, training_rows: Sequence[Rows]) -> list[Self]:
        """As `LearnedEstimator.fit_folds`, on a `JointSample`."""
        self._shape = (len(self.preset.channels), *clusters.maps.shape[2:])
        return super().fit_folds(clusters, training_rows)

    def _inputs(self, clusters: Any, device: Any) -> JointInputs:
        shape = (len(self.preset.channels), *clusters.maps.shape[2:])
        if shape != self._shape:
            raise ArrayError(f"{self.name!r} was trained on images of shape {self._shape}, got {shape}")
        grid, settings = GRID_PRESETS["ho2019-2d"], self.settings
        galaxies = GalaxyInputs(
            clusters.clusters, max_radius=grid.max_radius, max_velocity=grid.max_velocity, device=device,
            subsample=settings.subsample, exchange=settings.exchange, seed=settings.seed,
        )  # fmt: skip
        maps = MapInputs(clusters.maps, self.preset, seed=settings.seed, device=device, n_threads=self.n_threads)
        return JointInputs(galaxies, maps)

    def _cells(self) -> tuple[int, ...]:
        return (GalaxyInputs.columns, GalaxyInputs.summaries, *self._shape)

    def _prepare(self, network: Any, source: Any, rows: Rows) -> None:
        network.trunk.maps.fit_scale(source.maps.sample(rows))

    def _described(self, clusters: Any) -> dict[str, NDArray[np.float64]]:
        return {
            "n_galaxies": np.asarray(clusters.n_galaxies, np.float64),
            "redshift": np.asarray(clusters.redshift, np.float64),
            "pixel_angle": np.full(len(clusters), clusters.maps.pixel_angle),
        }

    def _range(self, name: str, low: float, high: float) -> tuple[float, float]:
        if name == "pixel_angle":
            return (1 - PIXEL_TOLERANCE) * low, (1 + PIXEL_TOLERANCE) * high
        return super()._range(name, low, high)

    def _extra(self) -> dict[str, Any]:
        return {"shape": list(self._shape)}

    def _take_extra(self, extra: Mapping[str, Any]) -> None:
        self._shape = tuple(int(v) for v in extra["shape"])
