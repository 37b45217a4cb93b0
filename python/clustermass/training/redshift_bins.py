"""One network on maps for each bin of redshift, chosen among several runs: the scheme of de Andres et al. 2022."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..errors import DomainError, NotFittedError
from ..models.joint_density import JointDensityPosterior
from ..models.posterior import FLAGS, MassPosterior
from .estimator import GRID, MARGIN
from .map_estimator import MapEstimator

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int64]
MASS_BIN = 0.1  #: dex of log10 M_CNN, in which runs are compared
_FEWEST = 10  #: maps that a mass bin is judged by, and that a redshift bin is trained on


class RedshiftBins(MapEstimator):
    """Networks for bins of redshift (de Andres et al. 2022, Nature Astronomy 6, 1325), as one estimator.

    A map goes to the network of its bin, low < z <= high. Bins with fewer than ten maps to train on stay empty: maps
    there have no mass and the flag ``out_of_support``.

    Parameters
    ----------
    preset : str
        One with `redshift_edges`.
    runs : int
        Networks that are trained for each bin and each fold, with other seeds; the one is kept whose mean relative
        error in bins of its own masses, (M_pred - M_true) / M_pred, is the least in the worst bin, on the validation
        hosts. 100 as published; 1 trains one.
    **options
        Of `MapEstimator`.

    Notes
    -----
    The published rule, a threshold for all bins that is lowered until one run is left, is this one.
    """

    def __init__(self, preset: str, *, runs: int = 1, **options: Any) -> None:
        super().__init__(preset, **options)
        self.runs = check.integer(runs, "runs", low=1)
        self._options = options
        self._edges = self.preset.redshift_edges
        if len(self._edges) < 2:
            raise DomainError(f"`preset` must have bins of redshift, got {preset!r}")
        self._parts: dict[int, MapEstimator] = {}

    def fit_folds(self, clusters: Any, training_rows: Sequence[Rows]) -> list[Self]:
        """As `MapEstimator.fit_folds`, bin after bin, all folds and runs of a bin in one go."""
        found = [type(self)(self.preset.name, runs=self.runs, **self._options) for _ in training_rows]
        of_map = self._bin_of(clusters)
        for number in range(len(self._edges) - 1):
            rows = [np.asarray(own)[of_map[np.asarray(own)] == number] for own in training_rows]
            enough = [k for k, own in enumerate(rows) if np.unique(clusters.host_id[own]).size >= _FEWEST]
            if not enough:
                continue
            trainer = MapEstimator(self.preset.name, **self._options)
            if trainer.checkpoint is not None:
                trainer.checkpoint = trainer.checkpoint.with_suffix(f".bin{number}{trainer.checkpoint.suffix}")
            fitted = trainer.fit_folds(clusters, [rows[k] for k in enough for _ in range(self.runs)])
            for place, k in enumerate(enough):
                own = fitted[place * self.runs : (place + 1) * self.runs]
                found[k]._parts[number] = self._least_biased(own, clusters, rows[k])
                found[k].history = found[k]._parts[number].history
        for k, one in enumerate(found):
            if not one._parts:
                raise DomainError(f"fold {k}: no bin of redshift has {_FEWEST} clusters to train on")
            one._state = {}
        return found

    def predict(self, clusters: Any) -> MassPosterior:
        """As `LearnedEstimator.predict`, each map by the network of its bin."""
        if not self._parts:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it predicts")
        n, of_map = len(clusters), self._bin_of(clusters)
        flags = np.full(n, FLAGS["out_of_support"], np.uint32)
        found = {}
        for number, part in self._parts.items():
            rows = np.flatnonzero(of_map == number)
            if rows.size:
                found[number] = rows, part.predict(clusters.only(rows))
                flags[rows] = found[number][1].flags & ~np.uint32(FLAGS["no_interval"])
        if not self._gives_points:
            return self._densities(found, flags)
        mass, error = np.full(n, np.nan), np.full(n, np.nan)
        for rows, got in found.values():
            mass[rows], error[rows] = got.log10_mass, got.upper - got.log10_mass
        if self.joint is not None:
            return self.joint.posterior(mass, self.mass_definition, flags=flags)
        return MassPosterior.from_gaussian(mass, error, self.mass_definition, flags=flags)

    def _densities(self, found: Mapping[int, tuple[Rows, MassPosterior]], flags: NDArray[np.uint32]) -> MassPosterior:
        """Densities of all bins at the same masses, those that any bin reaches."""
        scales = np.array([part._scale for part in self._parts.values()])
        grid = np.linspace(scales[:, 0].min() - MARGIN, scales[:, 1].max() + MARGIN, GRID)
        density = np.full((flags.size, GRID), np.nan)
        for rows, got in found.values():
            assert got.grid is not None  # networks that give no points give densities
            assert got.density is not None  # nor without the other
            density[rows] = [np.interp(grid, got.grid, own, left=0.0, right=0.0) for own in got.density]
        return MassPosterior.from_density(grid, density, self.mass_definition, flags=flags)

    def mass_function(self, device: str = "cpu") -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """As `MapEstimator.mass_function`, each image by the network of its bin; NaN where there is none."""
        if not self._parts:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it predicts")
        functions = {bounds: part.mass_function(device) for bounds, part in self.parts.items()}

        def masses(images: torch.Tensor, redshift: torch.Tensor) -> torch.Tensor:
            found = images.new_full((len(images),), np.nan)
            for (low, high), of in functions.items():
                (rows,) = ((redshift > low) & (redshift <= high)).nonzero(as_tuple=True)
                if rows.numel():
                    found = found.index_copy(0, rows, of(images[rows], redshift[rows]))
            return found

        return masses

    @property
    def image_shape(self) -> tuple[int, int]:
        """As the parts."""
        return next(iter(self._parts.values())).image_shape

    @property
    def pixel_angle(self) -> float:
        """As the parts."""
        return next(iter(self._parts.values())).pixel_angle

    @property
    def parts(self) -> dict[tuple[float, float], MapEstimator]:
        """The network of each bin (low, high) that was trained."""
        return {(self._edges[k], self._edges[k + 1]): part for k, part in sorted(self._parts.items())}

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State of each part."""
        if not self._parts:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it is saved")
        config: dict[str, Any] = {"preset": self.preset.name, "runs": self.runs, "parts": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for number, part in self._parts.items():
            config["parts"][str(number)], own = part.state()
            arrays |= {f"bin{number}/{name}": values for name, values in own.items()}
        if self.joint is not None:
            config["joint"], points = self.joint.state()
            arrays |= {f"joint/{name}": values for name, values in points.items()}
        return config, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of a file."""
        first = next(iter(config["parts"].values()))
        options = {"settings": first["settings"], "options": first["network"][1]}
        made = cls(config["preset"], runs=config["runs"], **options)
        for number, own in config["parts"].items():
            start = f"bin{number}/"
            inner = {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}
            made._parts[int(number)] = MapEstimator.from_state(own, inner)
        if "joint" in config:
            points = {name.removeprefix("joint/"): v for name, v in arrays.items() if name.startswith("joint/")}
            made.joint = JointDensityPosterior.from_state(config["joint"], points)
        made._state = {}
        return made

    def _bin_of(self, clusters: Any) -> Rows:
        """Number of the bin of each map; -1 outside."""
        number = np.searchsorted(self._edges, clusters.redshift, side="left") - 1
        return np.where((number >= 0) & (number < len(self._edges) - 1), number, -1)

    def _least_biased(self, runs: Sequence[MapEstimator], clusters: Any, rows: Rows) -> MapEstimator:
        if len(runs) == 1:
            return runs[0]
        _, held_out = runs[0]._held_out(rows, np.asarray(clusters.host_id))
        judged = clusters.only(held_out if held_out.size else rows)
        truth = self._masses(judged)
        return min(runs, key=lambda one: worst_bias(one.predict(judged).log10_mass, truth))


def worst_bias(log10_pred: NDArray[np.float64], log10_true: NDArray[np.float64]) -> float:
    """Largest |mean of (M_pred - M_true) / M_pred| in bins of `MASS_BIN` dex of M_pred with ten clusters or more; over
    all clusters where no bin has as many.

    Examples
    --------
    >>> round(worst_bias(np.full(20, 14.0), np.full(20, 14.0) + np.log10(0.9)), 3)
    0.1
    """
    relative = 1.0 - 10.0 ** (log10_true - log10_pred)
    first = np.floor(log10_pred.min() / MASS_BIN) * MASS_BIN
    edges = first + MASS_BIN * np.arange(int((log10_pred.max() - first) / MASS_BIN) + 2)
    bins = [relative[(log10_pred >= low) & (log10_pred < high)] for low, high in pairwise(edges)]
    means = [abs(float(own.mean())) for own in bins if own.size >= _FEWEST]
    return max(means) if means else abs(float(relative.mean()))
