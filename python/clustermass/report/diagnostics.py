"""Tables of what lies behind residuals: calibration, richness, contamination, mass functions, pairs of estimators."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..data.mocks.universe.settings import UniverseSettings
from ..errors import ClusterMassError
from ..evaluation.calibration import central_coverage
from ..evaluation.calibration_report import check_calibration
from ..evaluation.compare import compare_estimators
from ..evaluation.interlopers import bias_by_contamination
from ..evaluation.linear import linear_summary
from ..evaluation.mass_function import completeness_in_bins, expected_mass_function, recovered_mass_function
from ..evaluation.predictions import Predictions
from ..evaluation.richness import fit_richness_scatter
from .folder import Evaluated
from .tables import Row

LEVELS = np.linspace(0.05, 0.95, 19)  #: of the coverage curve
COUNT_EDGES = np.arange(14.0, 15.05, 0.1)  #: log10 M200c [Msun/h], of mass functions


def diagnostic_rows(items: Sequence[Evaluated], *, n_bootstrap: int = 1000, seed: int = 0) -> list[Row]:
    """Errors of masses themselves, scatter against richness, bias against contamination, of each estimator."""
    rows = []
    for item in items:
        table = item.predictions.only(item.predictions.is_quoted)
        row: Row = {"estimator": table.name, "n": len(table)}
        row |= _or_nothing(partial(_linear, table, n_bootstrap, seed))
        row |= _or_nothing(partial(_richness, table))
        row |= _or_nothing(partial(_contamination, table, n_bootstrap, seed))
        rows.append(row)
    return rows


def _or_nothing(make: Callable[[], Row]) -> Row:
    """Columns of a statistic, or none where there are too few clusters for it."""
    try:
        return make()
    except ClusterMassError:
        return {}


def _linear(table: Predictions, n_bootstrap: int, seed: int) -> Row:
    found = linear_summary(
        table.log10_mass, table.log10_true, n_bootstrap=n_bootstrap, seed=seed, groups=table.host_id
    ).as_dict()
    return {f"linear_{name}": found[name] for name in ("bias", "bias_error", "rms", "rms_error")}


def _richness(table: Predictions) -> Row:
    found = fit_richness_scatter(table.epsilon, table.richness.astype(np.float64), groups=table.host_id).as_dict()
    return {name: found[name] for name in ("sigma_n", "sigma_n_error", "sigma_0", "sigma_0_error", "is_converged")}


def _contamination(table: Predictions, n_bootstrap: int, seed: int) -> Row:
    found = bias_by_contamination(
        table.epsilon, table.purity, groups=table.host_id, n_bootstrap=max(n_bootstrap, 100), seed=seed
    )
    return {
        "bias_of_pure_dex": found.intercept.value,
        "bias_of_pure_error": found.intercept.error,
        "contamination_slope_dex": found.slope.value,
        "contamination_slope_error": found.slope.error,
        "contamination_slope_p": found.slope.p_value,
    }


def with_intervals(table: Predictions) -> Predictions:
    """Rows of the flat mass function that have a distribution: those that calibration is tested on."""
    return table.only(table.is_flat & np.isfinite(table.pit) & np.isfinite(table.tarp))


def calibration_rows(items: Sequence[Evaluated]) -> list[Row]:
    """The verdict on the intervals of each estimator that gives any, over the rows of the flat mass function.

    All rows count: massive hosts have more views, and without those the mass function would not be flat.
    """
    rows = []
    for item in items:
        table = with_intervals(item.predictions)
        if len(table) == 0:
            continue
        found = check_calibration(
            table.pit, tarp=table.tarp, log10_pred=table.log10_mass, richness=table.richness.astype(np.float64),
            groups=table.host_id,
        )  # fmt: skip
        rows.append({"estimator": table.name} | found.as_dict())
    return rows


def coverage_rows(items: Sequence[Evaluated]) -> list[Row]:
    """Share of the truths in the central interval of each level, of each estimator; errors for independent rows."""
    rows = []
    for item in items:
        table = with_intervals(item.predictions)
        if len(table):
            rows += [{"estimator": table.name} | row for row in central_coverage(table.pit, LEVELS).rows()]
    return rows


def comparison_rows(items: Sequence[Evaluated], *, n_bootstrap: int = 1000, seed: int = 0) -> list[Row]:
    """Each pair of estimators on the observations of one kind that both have an estimate of; below 0: first better."""
    rows = []
    for one, other in combinations(items, 2):
        first, second = one.predictions, other.predictions
        if first.kind != second.kind:
            continue
        a, b = _common(first), _common(second)
        shared = sorted(set(a) & set(b))
        if len({host for host, _ in shared}) < 2:
            continue
        i, j = [a[key] for key in shared], [b[key] for key in shared]
        found = compare_estimators(
            first.epsilon[i], second.epsilon[j], groups=first.host_id[i], n_bootstrap=max(n_bootstrap, 100), seed=seed
        )
        row: Row = {"first": first.name, "second": second.name, "n": found.n, "n_hosts": found.n_hosts}
        for part in (found.bias, found.sigma, found.half_width):
            about = asdict(part)
            row |= {f"{part.name}_{key}": about[key] for key in ("first", "second", "difference", "error", "p_value")}
        rows.append(row | {"correlation": found.correlation})
    return rows


def _common(table: Predictions) -> dict[tuple[int, int], int]:
    """(host, view) -> row, of the quoted rows."""
    rows = np.flatnonzero(table.is_quoted)
    return {(int(table.host_id[k]), int(table.view[k])): int(k) for k in rows}


def mass_function_rows(items: Sequence[Evaluated], *, n_bootstrap: int = 200, seed: int = 0) -> list[Row]:
    """Clusters per (Mpc/h)^3 and dex in bins of estimated mass, beside those of true mass and of Tinker et al. 2008.

    Three views of a host count a third each. Completeness is the share of the true clusters of a bin that have an
    estimate. The test selection begins at 10^13.9 Msun/h: clusters that scatter up from below are not there.
    """
    rows = []
    for item in items:
        table = item.predictions.only(item.predictions.is_test)
        frame = table.record.get("frame") or {}
        if not frame or len(table) == 0:
            continue
        h, volume = table.h, (frame["box_size"] * table.h) ** 3
        known = np.isfinite(table.log10_mass)
        share, low, high = completeness_in_bins(table.log10_m200c_h, known, COUNT_EDGES)
        estimated = table.log10_m200c_h + table.epsilon
        expected = _tinker(frame)
        options: dict[str, Any] = dict(n_bootstrap=n_bootstrap, seed=seed)
        found = recovered_mass_function(
            estimated[known], COUNT_EDGES, volume, completeness=np.nan_to_num(share, nan=1.0), expected=expected,
            weights=_weights(table)[known], groups=table.host_id[known], **options,
        )  # fmt: skip
        true = recovered_mass_function(
            table.log10_m200c_h, COUNT_EDGES, volume, weights=_weights(table), groups=table.host_id, n_bootstrap=0
        )
        for k, row in enumerate(found.rows()):
            more = {"true_density": float(true.density[k]), "completeness_low": low[k], "completeness_high": high[k]}
            rows.append({"estimator": table.name, "h": h} | row | more)
    return rows


def _weights(table: Predictions) -> NDArray[np.float64]:
    """One over the number of rows of each host."""
    _, place, n = np.unique(table.host_id, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / n[place])


def _tinker(frame: dict[str, Any]) -> NDArray[np.float64] | None:
    """Expected density per (Mpc/h)^3 and dex; None where the linear power spectrum is not known.

    It is known for boxes with h and Omega_m of MDPL2, which generated universes have by default.
    """
    default = UniverseSettings()
    same = math.isclose(frame["h"], default.cosmology.h) and math.isclose(frame["omega_m"], default.cosmology.omega_m)
    if not same:
        return None
    cosmology = Cosmology(frame["h"], frame["omega_m"], frame["omega_lambda"])
    try:
        density = expected_mass_function(
            COUNT_EDGES - np.log10(cosmology.h), frame["redshift"], cosmology, omega_b=default.omega_b,
            sigma8=default.sigma8, spectral_index=default.spectral_index,
        )  # fmt: skip
    except ClusterMassError:  # colossus is an extra
        return None
    return np.asarray(density / cosmology.h**3)
