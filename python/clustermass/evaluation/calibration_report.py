"""The verdict on the calibration of an estimator: one set of thresholds, of known size and power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import BadInputError
from .bootstrap import hosts_of, values_of
from .calibration import LEVELS, CoverageTable, central_coverage, probabilities, uniformity
from .tarp import tarp_distance

FloatArray = NDArray[np.float64]
MIN_ROWS = 2000  #: below, no verdict is given
MIN_BIN_ROWS = 200  #: bins hold at least as many; fewer rows make fewer bins
N_MASS_BINS, N_RICHNESS_BINS = 5, 3
COVERAGE_LIMITS = (4.0, 3.0, 4.0)  #: standard errors, of the levels 0.5, 0.6827, 0.95
PIT_LIMIT = 0.01  #: p value of uniformity over all rows
TARP_LIMIT = 0.04  #: largest distance from the diagonal at 2,000 rows
BIN_LIMIT = 0.001  #: chance that any bin of a calibrated estimator fails, after the correction of Holm
_TAG = 0x63616C62  # second word of the key of the random numbers, "calb"


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
    n : int
        Rows that were tested: one a host.
    coverage : CoverageTable
        Of the central 50, 68.3 and 95 % intervals.
    pit_distance, pit_p_value : float
        Uniformity of the PIT values of all rows.
    tarp : float
        Largest distance of the expected coverage from the diagonal; NaN where no TARP values were given.
    bins : tuple of CalibrationBin
    failures : tuple of str
        What lies outside its threshold, in words; empty if nothing.
    verdict : {"calibrated", "miscalibrated", "too few rows"}
        The last also where nothing failed but fewer than 2,000 rows, or no TARP values, were given.
    """

    n: int
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
    seed: int = 0,
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
        Host of each row. One row a host, drawn at random, is tested, since the tests are for independent rows.
    seed : int
        Of that draw.

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
    rows = _one_a_host(hosts_of(groups, n_given), check.seed(seed))
    values = values[rows]
    coverage = central_coverage(values, LEVELS)
    distance, p_value = uniformity(values)
    bins = _test_bins(values, {name: (column[rows], k) for name, (column, k) in columns.items()})
    of_tarp = float("nan") if accuracy is None else tarp_distance(accuracy[rows])
    failures = tuple(_failures(coverage, p_value, of_tarp, bins))
    is_enough = values.size >= MIN_ROWS and accuracy is not None
    verdict = "miscalibrated" if failures else "calibrated" if is_enough else "too few rows"
    return CalibrationReport(values.size, coverage, distance, p_value, of_tarp, bins, failures, verdict)


def _one_a_host(hosts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """One row of each host, at random, in the order of rows."""
    n_hosts = int(hosts.max()) + 1
    if n_hosts == hosts.size:
        return np.arange(hosts.size)
    shuffled = np.random.Generator(np.random.Philox(key=[seed, _TAG])).permutation(hosts.size)
    return np.asarray(np.sort(shuffled[np.unique(hosts[shuffled], return_index=True)[1]]))


def _test_bins(pit: FloatArray, columns: dict[str, tuple[FloatArray, int]]) -> tuple[CalibrationBin, ...]:
    """Uniformity in bins of equal numbers of rows, at least MIN_BIN_ROWS each, corrected for their number."""
    found = []
    for name, (column, n_bins) in columns.items():
        n_bins = min(n_bins, pit.size // MIN_BIN_ROWS)
        order = np.argsort(column, kind="stable")
        for part in np.array_split(order, n_bins) if n_bins else []:
            p_value = uniformity(pit[part])[1]
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


def _failures(coverage: CoverageTable, p_value: float, tarp: float, bins: tuple[CalibrationBin, ...]) -> list[str]:
    found = [
        f"the {100 * level:.1f} % interval holds {100 * share:.1f} % of the truths, {away:+.1f} standard errors off"
        for level, share, away, limit in zip(
            coverage.levels, coverage.coverage, coverage.deviation, COVERAGE_LIMITS, strict=True
        )
        if abs(away) > limit
    ]
    found += [f"PIT values are not uniform, p = {p_value:.2g}"] * (p_value <= PIT_LIMIT)
    # fewer rows scatter more: the threshold is that of 2,000 rows, and as unlikely for fewer
    limit = TARP_LIMIT * float(np.sqrt(MIN_ROWS / min(coverage.n, MIN_ROWS)))
    found += [f"TARP is {tarp:.3f} off the diagonal, more than {limit:.3f}"] * (tarp > limit)
    found += [
        f"PIT values are not uniform for {one.by} {one.low:.4g} to {one.high:.4g}, p = {one.adjusted:.2g}"
        for one in bins
        if one.adjusted <= BIN_LIMIT
    ]
    return found
