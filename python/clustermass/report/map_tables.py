"""Tables of estimators that read maps, as their papers print them: percent by mass, relative errors by redshift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.predictions import Predictions
from .folder import Evaluated

Row = dict[str, Any]
FloatArray = NDArray[np.float64]
MAP_RANGE = (13.25, 14.5)  #: log10 of the true mass [Msun] between which Yan et al. 2020 quote
MAP_EDGES = np.arange(12.75, 15.6, 0.25)  #: log10 of the true mass [Msun]
REDSHIFT_EDGES = (0.0, 0.1, 0.2, 0.4, 1.0)  #: of the four networks of de Andres et al. 2022
YAN, DEEPPLANCK = "Yan et al. 2020, MNRAS 499, 3445, table 2", "de Andres et al. 2022, Nature Astron. 6, 1325"
#: estimator -> mean log10(M_pred / M_true) and error [dex], mean M_pred / M_true - 1 and error, and rms [percent]
PUBLISHED_MAPS: Mapping[str, tuple[float, float, float, float, float]] = {
    "yan-stars": (-0.01, 0.003, -0.516, 0.621, 19.028),
    "yan-xray-soft": (-0.007, 0.002, -0.349, 0.517, 16.49),
    "yan-xray-bolometric": (-0.004, 0.002, 0.094, 0.524, 16.036),
    "yan-compton-y": (0.002, 0.002, 1.814, 0.559, 17.662),
    "yan-multichannel": (-0.001, 0.002, 1.075, 0.575, 17.693),
}
#: estimator -> mean and standard deviation of (M_pred - M_true) / M_pred in the redshift bins, then in all of them
PUBLISHED_REDSHIFTS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "deepplanck": ((-0.02, 0.21), (0.01, 0.15), (-0.01, 0.13), (-0.02, 0.15), (-0.02, 0.17)),
    "deepplanck-clean": ((-0.03, 0.14), (-0.01, 0.12), (-0.01, 0.08), (-0.02, 0.08), (-0.02, 0.11)),
}
_COLUMNS = ("mean_log_dex", "bias_percent", "rms_percent", "sigma_dex")


def quoted(table: Predictions) -> NDArray[np.bool_]:
    """Test rows with an estimate inside `MAP_RANGE`, in true log10 mass [Msun] of the estimator's definition."""
    mass = table.log10_true
    inside = (mass > MAP_RANGE[0]) & (mass < MAP_RANGE[1])
    return np.asarray(table.is_test & np.isfinite(table.log10_mass) & inside)


def map_rows(items: Sequence[Evaluated], *, n_bootstrap: int = 1000, seed: int = 0) -> list[Row]:
    """Bias and rms of each estimator for 13.25 < log10 M_true [Msun] < 14.5, published values in columns beside.

    Errors are standard deviations over a bootstrap of hosts. The rms is that of M_pred / M_true about its mean.
    """
    rows = []
    for item in items:
        table = item.predictions
        here = quoted(table)
        values = statistics(table, here)
        errors = _errors(table, here, n_bootstrap, seed)
        known = PUBLISHED_MAPS.get(table.estimator, (np.nan,) * 5)
        rows.append(
            {"estimator": table.estimator, "kind": table.kind, "mass_definition": table.mass_definition,
             "n_maps": int(here.sum()), "n_clusters": int(np.unique(table.host_id[here]).size)}
            | values | {f"{name}_error": errors[name] for name in _COLUMNS}
            | {"published_mean_log_dex": known[0], "published_bias_percent": known[2], "published_bias_error": known[3],
               "published_rms_percent": known[4]}
        )  # fmt: skip
    return rows


def statistics(table: Predictions, rows: NDArray[Any]) -> dict[str, float]:
    """Mean log10(M_pred / M_true) [dex], mean and rms of M_pred / M_true - 1 [percent], rms of the log [dex]."""
    epsilon = table.epsilon[rows]
    if epsilon.size == 0:
        return dict.fromkeys(_COLUMNS, np.nan)
    ratio = 10.0**epsilon
    values = (epsilon.mean(), 100 * (ratio.mean() - 1), 100 * ratio.std(), epsilon.std())
    return dict(zip(_COLUMNS, (float(v) for v in values), strict=True))


def _errors(table: Predictions, rows: NDArray[np.bool_], n: int, seed: int) -> dict[str, float]:
    """Standard deviations of the statistics over samples of hosts, drawn with replacement."""
    if not rows.any() or n < 2:
        return dict.fromkeys(_COLUMNS, np.nan)
    epsilon = table.epsilon[rows]
    _, host = np.unique(table.host_id[rows], return_inverse=True)
    ratio = 10.0**epsilon
    moments = np.stack([np.ones_like(epsilon), epsilon, epsilon**2, ratio, ratio**2])
    by_host = np.stack([np.bincount(host, weights=m) for m in moments])
    hosts = by_host.shape[1]
    drawn = np.random.default_rng(seed).multinomial(hosts, np.full(hosts, 1.0 / hosts), size=n)
    count, log, log2, mean, mean2 = by_host @ drawn.T
    samples = (
        log / count, 100 * (mean / count - 1), 100 * np.sqrt(np.maximum(mean2 / count - (mean / count) ** 2, 0)),
        np.sqrt(np.maximum(log2 / count - (log / count) ** 2, 0)),
    )  # fmt: skip
    return {name: float(values.std(ddof=1)) for name, values in zip(_COLUMNS, samples, strict=True)}


def map_bin_rows(items: Sequence[Evaluated]) -> list[Row]:
    """Bias and rms in bins of 0.25 dex of the true mass, as figure 6 of Yan et al. 2020."""
    rows = []
    for item in items:
        table = item.predictions
        good = table.is_test & np.isfinite(table.log10_mass)
        for low, high in pairwise(MAP_EDGES):
            here = good & (table.log10_true >= low) & (table.log10_true < high)
            if here.any():
                rows.append({
                    "estimator": table.estimator, "log10_mass_low": low, "log10_mass_high": high,
                    "n_maps": int(here.sum()), "n_clusters": int(np.unique(table.host_id[here]).size),
                } | statistics(table, here))  # fmt: skip
    return rows


def map_redshift_rows(items: Sequence[Evaluated]) -> list[Row]:
    """Mean and standard deviation of (M_pred - M_true) / M_pred by redshift, as table 1 of document 003 has them."""
    rows = []
    for item in items:
        table = item.predictions
        good = table.is_test & np.isfinite(table.log10_mass)
        relative = 1.0 - 10.0**-table.epsilon
        bins = [*pairwise(REDSHIFT_EDGES), (REDSHIFT_EDGES[0], REDSHIFT_EDGES[-1])]
        known = PUBLISHED_REDSHIFTS.get(table.estimator, ((np.nan, np.nan),) * len(bins))
        for (low, high), (mean, sigma) in zip(bins, known, strict=True):
            here = good & (table.redshift > low) & (table.redshift <= high)
            if here.any():
                rows.append({
                    "estimator": table.estimator, "redshift_low": low, "redshift_high": high, "n_maps": int(here.sum()),
                    "mean": float(relative[here].mean()), "sigma": float(relative[here].std()),
                    "published_mean": mean, "published_sigma": sigma,
                })  # fmt: skip
    return rows
