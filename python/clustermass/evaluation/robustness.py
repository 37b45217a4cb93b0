"""How far predictions move when galaxies are left out or velocities are measured badly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.clusters_file import ClusterSet
from ..errors import DomainError
from ..models.base import Estimator
from ..models.posterior import MassPosterior
from ..ops.noise import add_noise
from ..ops.subsample import draw_subsamples

FloatArray = NDArray[np.float64]
FEWEST = 3  #: galaxies of the smallest sub-sample, as published
SUMMARY_RANGE = (0.6, 0.8)  #: of r, for table 2 of Ho et al. 2019
_LEVELS = (0.16, 0.5, 0.84)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RobustnessPlan:
    """What is tried on each model.

    Attributes
    ----------
    share : float
        Share of the test observations that are sub-sampled, 0 for none; which ones depends on `seed`, host and view.
    n_rates, n_draws : int
        Sampling rates of each of these, and sub-samples at each rate.
    velocity_errors : tuple of float
        Gaussian errors put on the velocities of the same observations [km/s].
    seed : int
    """

    share: float = 0.1
    n_rates: int = 2
    n_draws: int = 10
    velocity_errors: tuple[float, ...] = (50.0, 100.0, 200.0, 300.0)
    seed: int = 0

    def __post_init__(self) -> None:
        check.number(self.share, "share", low=0, high=1)
        check.integer(self.n_rates, "n_rates", low=1)
        check.integer(self.n_draws, "n_draws", low=1)
        check.seed(self.seed)
        if any(not (np.isfinite(error) and error > 0) for error in self.velocity_errors):
            raise DomainError(f"`velocity_errors` must be above zero, got {self.velocity_errors}")


@dataclass(frozen=True)
class SubsampleTable:
    """Predictions from sub-samples over that from all galaxies, one row an observation and sampling rate.

    Attributes
    ----------
    host_id, view : (n,) int64
    richness, count : (n,) int64
        Galaxies of the observation, and of each of its sub-samples.
    rate : (n,) float64
        r = count / richness.
    draws : (n, n_draws) float64
        log10(M^(r) / M^(1)) of each sub-sample [dex]; NaN where the estimator says nothing.
    """

    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    richness: NDArray[np.int64]
    count: NDArray[np.int64]
    rate: FloatArray
    draws: FloatArray

    def __len__(self) -> int:
        return int(self.host_id.size)

    @classmethod
    def empty(cls) -> SubsampleTable:
        """No rows: of estimators that read no galaxies."""
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, np.empty(0), np.empty((0, 1)))

    @property
    def mean(self) -> FloatArray:
        """epsilon^(r) of equation 8 of Abbas 2019: log10 of the mean mass of the sub-samples over the full one."""
        known = np.isfinite(self.draws)
        masses = np.where(known, 10.0 ** np.where(known, self.draws, 0.0), 0.0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(masses / known.sum(axis=1)))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The table by column, for a file."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True)
class SubsampleSummary:
    """Sub-sampling robustness over a range of r, in dex.

    Attributes
    ----------
    n : int
        Observations and rates in the range.
    median, width : float
        Median of log10(M^(r) / M^(1)) over single sub-samples, and its 84 % less its 16 % percentile.
    mean_median, mean_width : float
        The same of the mean mass of the sub-samples of each observation (equation 8 of Abbas 2019).
    n_missing : int
        Sub-samples of which the estimator says nothing; they are left out.
    """

    n: int
    median: float
    width: float
    mean_median: float
    mean_width: float
    n_missing: int


def row_keys(clusters: ClusterSet) -> NDArray[np.uint64]:
    """A number for each observation that depends on its host and view alone."""
    keys = _mix(clusters.host_id.astype(np.int64).view(np.uint64) + _GOLDEN)
    return _mix(keys ^ clusters.view.astype(np.int64).view(np.uint64))


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): close numbers in, far apart ones out."""
    z = values + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _uniform(keys: NDArray[np.uint64], seed: int, tag: int) -> FloatArray:
    """Numbers in [0, 1) of keys, a seed and a use."""
    start = _mix(np.full(1, seed, np.uint64) ^ _mix(np.full(1, tag, np.uint64)))
    return np.asarray((_mix(keys ^ start) >> np.uint64(11)).astype(np.float64) / 2.0**53)


def choose_rows(clusters: ClusterSet, plan: RobustnessPlan) -> NDArray[np.int64]:
    """Rows that `plan` tries: of the test selection and more than three galaxies, drawn by host and view."""
    drawn = _uniform(row_keys(clusters), plan.seed, 1) < plan.share
    return np.flatnonzero(drawn & clusters.is_test & (clusters.n_galaxies > FEWEST))


def take_galaxies(
    clusters: ClusterSet, rows: NDArray[np.int64], offsets: NDArray[np.int64], galaxies: NDArray[np.int64]
) -> ClusterSet:
    """Observations `rows` (repeats allowed) that each see only some galaxies of theirs.

    `galaxies` (flat indices) of new row k are ``offsets[k]`` to ``offsets[k + 1] - 1``. Members and the velocity
    dispersion of each row are counted again.
    """
    from ..data.clusters_file import CLUSTER_COLUMNS, GALAXY_COLUMNS

    columns: dict[str, Any] = {name: getattr(clusters, name)[rows] for name in CLUSTER_COLUMNS}
    flat: dict[str, Any] = {name: getattr(clusters, name)[galaxies] for name in GALAXY_COLUMNS}
    columns["n_members"] = _sums(flat["is_member"], offsets).astype(np.int64)
    columns["sigma_v"] = _dispersion(flat["velocity"], offsets)
    return replace(clusters, offsets=offsets, **columns, **flat)


def _sums(values: NDArray[Any], offsets: NDArray[np.int64]) -> FloatArray:
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(total[offsets[1:]] - total[offsets[:-1]])


def _dispersion(velocity: NDArray[Any], offsets: NDArray[np.int64]) -> FloatArray:
    """Sample standard deviation (ddof 1) of each row; NaN below two galaxies."""
    n = np.diff(offsets)
    v = velocity.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = _sums(v, offsets) / n
        away = v - np.repeat(mean, n)
        return np.asarray(np.where(n > 1, np.sqrt(_sums(away * away, offsets) / (n - 1)), np.nan))


def subsample_robustness(
    estimator: Estimator, clusters: ClusterSet, full: MassPosterior, plan: RobustnessPlan
) -> SubsampleTable:
    """Predictions of a fitted estimator from random sub-samples of galaxies, against those from all galaxies.

    Follows Ho et al. 2019 (ApJ 887, 25, sect. 4.3) and their code: sub-samples without replacement of
    floor(U (N - 3) + 3) of the N galaxies, U uniform, of a tenth of the test observations, 10 of each.

    Parameters
    ----------
    estimator : Estimator
        The one that made `full`.
    clusters : ClusterSet
        Observations that it has not seen in training.
    full : MassPosterior
        Its prediction of `clusters`.
    plan : RobustnessPlan
        How many, and the seed.

    Returns
    -------
    SubsampleTable
        One row for each chosen observation and rate; which sub-samples depends on the seed, host and view alone.

    Notes
    -----
    Cost: one prediction of share * n_rates * n_draws times the number of observations.
    """
    rows = choose_rows(clusters, plan)
    rows = rows[np.isfinite(full.log10_mass[rows])]
    shown, keys = clusters.only(rows), row_keys(clusters)[rows]
    n = shown.n_galaxies
    levels = np.stack([_uniform(keys, plan.seed, 2 + k) for k in range(plan.n_rates)], axis=1)
    counts = (levels * (n[:, None] - FEWEST) + FEWEST).astype(np.int64).reshape(rows.size, plan.n_rates)
    n_each = plan.n_rates * plan.n_draws
    subsamples = draw_subsamples(
        shown.offsets, count=np.repeat(counts, plan.n_draws, axis=1), n_draws=n_each, seed=plan.seed,
        items=(keys >> np.uint64(1)).astype(np.int64),
    )  # fmt: skip
    seen = take_galaxies(shown, np.repeat(np.arange(rows.size), n_each), subsamples.offsets, subsamples.indices)
    masses = estimator.predict(seen).log10_mass if len(seen) else np.empty(0)
    moved = masses.reshape(rows.size, n_each) - full.log10_mass[rows][:, None]
    repeated = np.repeat(np.arange(rows.size), plan.n_rates)
    return SubsampleTable(
        host_id=shown.host_id[repeated],
        view=shown.view[repeated],
        richness=n[repeated],
        count=counts.ravel(),
        rate=counts.ravel() / np.maximum(n[repeated], 1),
        draws=moved.reshape(repeated.size, plan.n_draws),
    )


def summarise_subsampling(
    table: SubsampleTable, low: float = SUMMARY_RANGE[0], high: float = SUMMARY_RANGE[1]
) -> SubsampleSummary:
    """Median and 84-16 width of log10(M^(r) / M^(1)) over low <= r <= high: table 2 of Ho et al. 2019.

    Their text speaks of the mean mass of 10 sub-samples; their code, and the size of their widths, are those of single
    sub-samples, since a mean of 10 scatters three times less. Both are given.
    """
    inside = (table.rate >= low) & (table.rate <= high)
    single, mean = table.draws[inside].ravel(), table.mean[inside]
    known = np.isfinite(single)
    low16, median, high84 = _percentiles(single[known])
    mean16, mean_median, mean84 = _percentiles(mean[np.isfinite(mean)])
    return SubsampleSummary(
        int(inside.sum()), median, high84 - low16, mean_median, mean84 - mean16, int((~known).sum())
    )


def subsample_curve(table: SubsampleTable, edges: Sequence[float] | FloatArray) -> dict[str, FloatArray]:
    """16, 50 and 84 % of single sub-samples, and the median of their means, in bins of r; NaN in empty bins."""
    borders = np.asarray(edges, np.float64)
    place = np.clip(np.searchsorted(borders, table.rate, "right") - 1, 0, borders.size - 2)
    inside = (table.rate >= borders[0]) & (table.rate <= borders[-1])
    out = np.full((borders.size - 1, 5), np.nan)
    for k in range(borders.size - 1):
        here = inside & (place == k)
        single, mean = table.draws[here].ravel(), table.mean[here]
        out[k, :3] = _percentiles(single[np.isfinite(single)])
        out[k, 3] = _percentiles(mean[np.isfinite(mean)])[1]
        out[k, 4] = here.sum()
    names = ("p16", "median", "p84", "mean_median", "n")
    return {"low": borders[:-1], "high": borders[1:]} | {name: out[:, j] for j, name in enumerate(names)}


def _percentiles(values: FloatArray) -> tuple[float, float, float]:
    if values.size == 0:
        return float("nan"), float("nan"), float("nan")
    low, middle, high = np.quantile(values, _LEVELS)
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class VelocityErrorTable:
    """Predictions from velocities with errors, one row an observation and size of the error.

    Attributes
    ----------
    host_id, view : (n,) int64
    velocity_error : (n,) float64
        Standard deviation of the error [km/s].
    moved : (n,) float64
        log10 of the mass over that without errors [dex]; NaN where the estimator says nothing.
    epsilon : (n,) float64
        log10(M_pred / M_true) with errors [dex].
    """

    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    velocity_error: FloatArray
    moved: FloatArray
    epsilon: FloatArray

    def __len__(self) -> int:
        return int(self.host_id.size)

    @classmethod
    def empty(cls) -> VelocityErrorTable:
        """No rows: of estimators that read no galaxies."""
        none = np.empty(0, np.int64)
        return cls(none, none, np.empty(0), np.empty(0), np.empty(0))

    def columns(self) -> dict[str, NDArray[Any]]:
        """The table by column, for a file."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def curve(self) -> dict[str, FloatArray]:
        """For each size of the error: n, 16, 50 and 84 % of `moved`, scatter of `epsilon` [dex]."""
        sizes = np.unique(self.velocity_error)
        rows = [self.moved[(self.velocity_error == size) & np.isfinite(self.moved)] for size in sizes]
        eps = [self.epsilon[(self.velocity_error == size) & np.isfinite(self.epsilon)] for size in sizes]
        table = np.array([(len(v), *_percentiles(v), e.std() if e.size else np.nan)
                          for v, e in zip(rows, eps, strict=True)]).reshape(-1, 5)  # fmt: skip
        names = ("n", "p16", "median", "p84", "sigma")
        return {"velocity_error": sizes} | {name: table[:, j] for j, name in enumerate(names)}


def velocity_error_robustness(
    estimator: Estimator, clusters: ClusterSet, full: MassPosterior, log10_true: FloatArray, plan: RobustnessPlan
) -> VelocityErrorTable:
    """Predictions of a fitted estimator from velocities with Gaussian errors, against those without.

    The same random numbers, scaled, make the errors of every size. Galaxies of contaminated observations that an error
    carries out of the velocity cut are lost; none come in, since those beyond the cut were not observed.

    Parameters
    ----------
    estimator, clusters, full, plan
        As `subsample_robustness`.
    log10_true : (n,) float64
        True masses in the definition of `full`.

    Returns
    -------
    VelocityErrorTable
    """
    rows = choose_rows(clusters, plan)
    rows = rows[np.isfinite(full.log10_mass[rows])]
    shown = clusters.only(rows)
    within = np.arange(shown.offsets[-1]) - np.repeat(shown.offsets[:-1], shown.n_galaxies)
    keys = _mix(np.repeat(row_keys(shown), shown.n_galaxies) ^ within.astype(np.uint64))
    moved, epsilon = [], []
    for error in plan.velocity_errors:
        noisy = add_noise(
            shown.velocity.reshape(-1, 1, 1), error, seed=plan.seed, items=(keys >> np.uint64(1)).astype(np.int64)
        ).ravel()  # fmt: skip
        kept = np.abs(noisy) < shown.max_velocity if shown.kind == "contaminated" else np.ones(noisy.size, bool)
        offsets = np.concatenate([[0], np.cumsum(kept)])[shown.offsets].astype(np.int64)
        seen = take_galaxies(replace(shown, velocity=noisy), np.arange(rows.size), offsets, np.flatnonzero(kept))
        masses = estimator.predict(seen).log10_mass if rows.size else np.empty(0)
        moved.append(masses - full.log10_mass[rows])
        epsilon.append(masses - log10_true[rows])
    n_errors = len(plan.velocity_errors)
    return VelocityErrorTable(
        host_id=np.tile(shown.host_id, n_errors),
        view=np.tile(shown.view, n_errors),
        velocity_error=np.repeat(np.asarray(plan.velocity_errors, np.float64), rows.size),
        moved=np.concatenate([np.empty(0), *moved]),
        epsilon=np.concatenate([np.empty(0), *epsilon]),
    )
