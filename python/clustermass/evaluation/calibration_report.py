"""The verdict on the calibration of an estimator: one set of thresholds, of known size and power."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadInputError
from .bootstrap import hosts_of, values_of
from .calibration import LEVELS, CoverageTable, central_coverage, kolmogorov_tail, largest_deviation, probabilities

FloatArray = NDArray[np.float64]
MIN_ROWS = 2000  #: below, no verdict is given
MIN_BIN_ROWS = 200  #: bins hold at least as many; fewer rows make fewer bins
N_MASS_BINS, N_RICHNESS_BINS = 5, 3
COVERAGE_LIMITS = (4.0, 3.0, 4.0)  #: standard errors, of the levels 0.5, 0.6827, 0.95
PIT_LIMIT = 0.01  #: p value of uniformity over all rows
TARP_LIMIT = 0.04  #: largest distance from the diagonal at 2,000 rows
BIN_LIMIT = 0.001  #: chance that any bin of a calibrated estimator fails, after the correction of Holm
_PLACES = np.linspace(0.1, 0.9, 9)  # where the scatter of a distribution of PIT values is measured


@dataclass(frozen=True)
class CalibrationBin:
    """Uniformity of the PIT values of one bin.

    Attributes
    ----------
    by : {"mass", "richness"}
        Estimated log10 mass, or number of galaxies.
    low, high : float
        Smallest and largest value of the bin's rows.
    n : int
    coverage68 : float
        Share of the truths in the central 68.3 % interval.
    p_value : float
        Of Kolmogorov and Smirnov, of this bin alone.
    adjusted : float
        Corrected by Holm for the number of bins; the bin fails below BIN_LIMIT.
    """

    by: str
    low: float
    high: float
    n: int
    coverage68: float
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class CalibrationReport:
    """What `check_calibration` found.

    Attributes
    ----------
    n, n_hosts : int
        Rows that were tested, and independent hosts among them.
    n_effective : float
        Independent rows that would scatter as much; n where each row is a host.
    coverage : CoverageTable
        Of the central 50, 68.3 and 95 % intervals; errors by host.
    pit_distance, pit_p_value : float
        Uniformity of the PIT values of all rows.
    tarp : float
        Largest distance of the expected coverage from the diagonal; NaN where no TARP values were given.
    bins : tuple of CalibrationBin
    failures : tuple of str
        What lies outside its threshold, in words; empty if nothing.
    verdict : {"calibrated", "miscalibrated", "too few rows"}
        The last also where nothing failed but fewer than 2,000 effective rows, or no TARP values, were given.
    """

    n: int
    n_hosts: int
    n_effective: float
    coverage: CoverageTable
    pit_distance: float
    pit_p_value: float
    tarp: float
    bins: tuple[CalibrationBin, ...]
    failures: tuple[str, ...]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        levels = [f"coverage_{100 * level:.0f}" for level in self.coverage.levels]
        return {
            "n": self.n,
            "n_hosts": self.n_hosts,
            "n_effective": self.n_effective,
            "verdict": self.verdict,
            **dict(zip(levels, self.coverage.coverage.tolist(), strict=True)),
            "pit_distance": self.pit_distance,
            "pit_p_value": self.pit_p_value,
            "tarp": self.tarp,
            "smallest_bin_p_value": min((one.adjusted for one in self.bins), default=float("nan")),
            "failures": "; ".join(self.failures),
        }


def check_calibration(
    pit: ArrayLike,
    *,
    tarp: ArrayLike | None = None,
    log10_pred: ArrayLike | None = None,
    richness: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> CalibrationReport:
    """Judge whether posteriors are calibrated: coverage, PIT uniformity and TARP over all rows, and uniformity in bins.

    Parameters
    ----------
    pit : array_like of float, shape (n,)
        `pit_values` (or `ranks_to_pit`) of clusters that the estimator was not trained on, at least one.
    tarp : array_like of float, shape (n,), optional
        `tarp_values` or `tarp_from_samples`. A verdict of "calibrated" needs them.
    log10_pred : array_like of float, shape (n,), optional
        ESTIMATED log10 mass: the rows are tested in 5 bins of it. Never the true mass, see Notes.
    richness : array_like of float, shape (n,), optional
        Galaxies of each row: 3 bins.
    groups : array_like of int or str, shape (n,), optional
        Host of each row. All rows count; what views of a host have in common makes the errors larger. Default: each
        row is a host.

    Returns
    -------
    CalibrationReport

    Raises
    ------
    BadInputError
        For NaN anywhere, for probabilities outside 0 to 1, without rows.
    ArrayError, DTypeError

    Notes
    -----
    Thresholds: coverage of the 68.3 % interval within 3 standard errors (0.031 at 2,000 rows) and of the 50 and 95 %
    intervals within 4, p > 0.01 for uniformity, TARP below 0.04, and no bin below 0.001 after the correction of Holm
    (1979, Scand. J. Statist. 6, 65). Over simulated tests of 2,000 rows a calibrated estimator fails in 1.6 % (20,000
    tests), one whose intervals are 0.9 times what they should be in 98.9 %, 1.1 times in 96 %, and one that is off by
    a tenth of its scatter in 89 % (1,000 to 2,000 tests each).

    A perfect posterior is calibrated for any choice of rows by what was observed, and for the whole population that its
    prior describes. It is NOT for rows chosen by their true mass: estimates of the most massive clusters are low on
    average (regression to the mean). So bins are of estimated mass, and the rows must be drawn as the prior says: a
    posterior from a flat training set is tested on a flat test set, or with the prior put right first.

    With `groups` each test has the errors of sums over hosts (the design effect of Kish 1965, Survey Sampling, ch. 5):
    coverage at its level, the others on average over the distribution.
    Cost: O(n log n).

    Examples
    --------
    >>> import numpy as np
    >>> from clustermass.evaluation import pit_values, tarp_values
    >>> from clustermass.models.posterior import MassPosterior
    >>> random = np.random.default_rng(7)
    >>> mean = random.uniform(14, 15, 2000)
    >>> truth = mean + 0.1 * random.standard_normal(2000)
    >>> for claimed in (0.1, 0.08):
    ...     posterior = MassPosterior.from_gaussian(mean, claimed, "M200c")
    ...     pit, tarp = pit_values(posterior, truth), tarp_values(posterior, truth)
    ...     print(check_calibration(pit, tarp=tarp, log10_pred=mean).verdict)
    calibrated
    miscalibrated
    """
    values = probabilities(pit, "pit")
    n_given = values.size
    if n_given == 0:
        raise BadInputError("`pit` must have at least one value, got none")
    accuracy = None if tarp is None else probabilities(tarp, "tarp", n_given)
    by = {"mass": (log10_pred, N_MASS_BINS), "richness": (richness, N_RICHNESS_BINS)}
    names = {"mass": "log10_pred", "richness": "richness"}
    columns = {
        name: (values_of(column, names[name], n_given), k) for name, (column, k) in by.items() if column is not None
    }
    hosts = None if groups is None else hosts_of(groups, n_given)
    coverage = central_coverage(values, LEVELS)
    inside = np.abs(values - 0.5)[:, None] <= 0.5 * coverage.levels
    coverage = replace(coverage, error=coverage.error * np.sqrt(_design_effect(inside, hosts)))
    distance, p_value, n_effective = _uniformity(values, hosts)
    bins = _test_bins(values, columns, hosts)
    of_tarp, limit = float("nan"), TARP_LIMIT
    if accuracy is not None:
        of_tarp, _, n_of_tarp = _uniformity(accuracy, hosts)
        # fewer rows scatter more: the threshold is that of 2,000 rows, and as unlikely for fewer
        limit *= float(np.sqrt(MIN_ROWS / min(n_of_tarp, MIN_ROWS)))
    failures = tuple(_failures(coverage, p_value, of_tarp, limit, bins))
    is_enough = round(n_effective) >= MIN_ROWS and accuracy is not None
    verdict = "miscalibrated" if failures else "calibrated" if is_enough else "too few rows"
    n_hosts = n_given if hosts is None else int(hosts.max()) + 1
    return CalibrationReport(
        n_given, n_hosts, n_effective, coverage, distance, p_value, of_tarp, bins, failures, verdict
    )


def _design_effect(indicators: NDArray[np.bool_], hosts: NDArray[np.int64] | None) -> FloatArray:
    """Variance of the mean of each column (n, k) over that of independent rows, at least 1."""
    if hosts is None:
        return np.ones(indicators.shape[1])
    away = indicators - indicators.mean(axis=0)
    sums = np.stack([np.bincount(hosts, column) for column in away.T], axis=1)
    single = (away**2).sum(axis=0)
    return np.asarray(np.maximum((sums**2).sum(axis=0) / np.where(single > 0, single, np.inf), 1.0))


def _uniformity(values: FloatArray, hosts: NDArray[np.int64] | None) -> tuple[float, float, float]:
    """Distance from the uniform distribution, p value, and the number of independent rows that scatter as much."""
    distance = largest_deviation(values)
    n = values.size / float(_design_effect(values[:, None] <= _PLACES, hosts).mean())
    return distance, kolmogorov_tail(distance, n), n


def _test_bins(
    pit: FloatArray, columns: dict[str, tuple[FloatArray, int]], hosts: NDArray[np.int64] | None
) -> tuple[CalibrationBin, ...]:
    """Uniformity in bins of equal numbers of rows, at least MIN_BIN_ROWS each, corrected for their number."""
    found = []
    for name, (column, n_bins) in columns.items():
        n_bins = min(n_bins, pit.size // MIN_BIN_ROWS)
        order = np.argsort(column, kind="stable")
        for part in np.array_split(order, n_bins) if n_bins else []:
            p_value = _uniformity(pit[part], None if hosts is None else hosts[part])[1]
            within = float(central_coverage(pit[part], [LEVELS[1]]).coverage[0])
            found.append((name, column[part].min(), column[part].max(), part.size, within, p_value))
    adjusted = holm([row[-1] for row in found])
    return tuple(
        CalibrationBin(name, float(low), float(high), n, within, p_value, float(q))
        for (name, low, high, n, within, p_value), q in zip(found, adjusted, strict=True)
    )


def holm(p_values: ArrayLike) -> FloatArray:
    """p values corrected for their number (Holm 1979): comparing each with a limit keeps the chance of any false alarm.

    Parameters
    ----------
    p_values : array_like of float, shape (k,)
        Between 0 and 1.

    Returns
    -------
    ndarray of float64, shape (k,)
        Not below the values given, at most 1, in the same order.

    Raises
    ------
    BadInputError
        For NaN, or values outside 0 to 1.

    Notes
    -----
    Cost: O(k log k).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = probabilities(p_values, "p_values")
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty(p.size)
    out[order] = np.minimum(steps, 1.0)
    return out


def _failures(
    coverage: CoverageTable, p_value: float, tarp: float, tarp_limit: float, bins: tuple[CalibrationBin, ...]
) -> list[str]:
    found = [
        f"the {100 * level:.1f} % interval holds {100 * share:.1f} % of the truths, {away:+.1f} standard errors off"
        for level, share, away, limit in zip(
            coverage.levels, coverage.coverage, coverage.deviation, COVERAGE_LIMITS, strict=True
        )
        if abs(away) > limit
    ]
    found += [f"PIT values are not uniform, p = {p_value:.2g}"] * (p_value <= PIT_LIMIT)
    found += [f"TARP is {tarp:.3f} off the diagonal, more than {tarp_limit:.3f}"] * (tarp > tarp_limit)
    found += [
        f"PIT values are not uniform for {one.by} {one.low:.4g} to {one.high:.4g}, p = {one.adjusted:.2g}"
        for one in bins
        if one.adjusted <= BIN_LIMIT
    ]
    return found
