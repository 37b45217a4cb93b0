"""Are the intervals of an estimator as wide as they should be? What is tested, and the tests one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError, BadInputError, DomainError
from .bootstrap import values_of
from .residuals import log_masses

FloatArray = NDArray[np.float64]
LEVELS = (0.5, 0.6827, 0.95)  #: central intervals that `check_calibration` looks at
_RANK_TAG = 0x72616E6B  # second word of the key of the random numbers, "rank"


class HasCdf(Protocol):
    """What is asked of a posterior: `clustermass.models.posterior.MassPosterior`, or anything with a `cdf`."""

    def cdf(self, log10_mass: Any) -> NDArray[np.float64]:
        """Probability that each row gives to masses below these, shape (n,)."""
        ...  # a signature, no code


@dataclass(frozen=True)
class CoverageTable:
    """How often the truth lies in the central interval of each level.

    Attributes
    ----------
    levels : (k,) float64
        Share of the probability that the interval claims to hold.
    coverage : (k,) float64
        Share of the rows whose truth lies in it.
    error : (k,) float64
        Binomial standard error of `coverage` for a calibrated estimator, sqrt(p (1 - p) / n).
    n : int
        Rows.
    """

    levels: FloatArray
    coverage: FloatArray
    error: FloatArray
    n: int

    @property
    def deviation(self) -> FloatArray:
        """(coverage - level) / error: below 0 intervals are too narrow."""
        return np.asarray((self.coverage - self.levels) / self.error)

    def rows(self) -> list[dict[str, float]]:
        """One row of a table for each level."""
        names = ("level", "coverage", "error", "deviation")
        columns = (self.levels, self.coverage, self.error, self.deviation)
        return [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)]


def probabilities(values: ArrayLike, name: str, n: int | None = None) -> FloatArray:
    """Checked probabilities, float64 (n,); NaN and what lies outside 0 to 1 is refused."""
    array = values_of(values, name, n)
    bad = (array < 0) | (array > 1)
    if bad.any():
        row = int(np.argmax(bad))
        raise BadInputError(f"`{name}` must lie between 0 and 1, got {array[row]:g} at index {row}")
    return array


def pit_values(posterior: HasCdf, log10_true: ArrayLike) -> FloatArray:
    """Probability that each posterior gives to masses below the true one (probability integral transform).

    Parameters
    ----------
    posterior : MassPosterior
        Or anything with a method `cdf`.
    log10_true : array_like of float, shape (n,)
        log10 of the true mass [Msun], in the posterior's mass definition.

    Returns
    -------
    ndarray of float64, shape (n,)
        Uniform between 0 and 1 where the posteriors are calibrated.

    Raises
    ------
    BadInputError
        For a row without a distribution (NaN): drop such rows, and report how many, before testing the others.

    Notes
    -----
    The source is Dawid 1984, J. R. Stat. Soc. A 147, 278. Cost: that of `cdf`.

    Examples
    --------
    >>> from clustermass.models.posterior import MassPosterior
    >>> posterior = MassPosterior.from_gaussian([14.0, 14.5], [0.1, 0.2], "M200c")
    >>> pit_values(posterior, [14.0, 14.3]).round(3).tolist()
    [0.5, 0.159]
    """
    truth = log_masses(log10_true, "log10_true")
    pit = np.asarray(posterior.cdf(truth), np.float64)
    if pit.shape != truth.shape:
        raise ArrayError(f"`posterior` must have one row a true mass, got {pit.shape} for {truth.shape}")
    return _given(pit)


def _given(pit: FloatArray) -> FloatArray:
    missing = np.isnan(pit)
    if missing.any():
        raise BadInputError(
            f"`posterior` must have a distribution for each row, got NaN in {int(missing.sum())} of {pit.size} rows, "
            f"first at index {int(np.argmax(missing))}; drop the rows without an interval first"
        )
    return pit


def sbc_ranks(samples: ArrayLike, log10_true: ArrayLike) -> NDArray[np.int64]:
    """Rank of the truth among the draws of its posterior: how many draws are smaller (Talts et al. 2018, 1804.06788).

    Parameters
    ----------
    samples : array_like of float, shape (n, s)
        Independent draws of log10 mass from each posterior.
    log10_true : array_like of float, shape (n,)
        log10 of the true mass, in the unit of the draws.

    Returns
    -------
    ndarray of int64, shape (n,)
        0 to s, all equally likely where the posteriors are calibrated. `ranks_to_pit` makes them values for the tests.

    Raises
    ------
    BadInputError
        For NaN or infinite values.
    ArrayError, DTypeError

    Notes
    -----
    Draws of a Markov chain must be thinned first: correlated draws give ranks that pile up at the ends.
    Cost: O(n s).

    Examples
    --------
    >>> sbc_ranks([[14.0, 14.1, 14.2], [14.0, 14.1, 14.2]], [14.15, 13.9]).tolist()
    [2, 0]
    """
    draws = check.float_array(samples, "samples", (None, None), dtype=np.float64)
    check.check_finite(draws, "samples")
    truth = log_masses(log10_true, "log10_true", len(draws))
    return np.asarray((draws < truth[:, None]).sum(axis=1), np.int64)


def ranks_to_pit(ranks: ArrayLike, n_draws: int, *, seed: int = 0) -> FloatArray:
    """Values between 0 and 1 from ranks: exactly uniform where ranks are equally likely.

    Parameters
    ----------
    ranks : array_like of int, shape (n,)
        `sbc_ranks`.
    n_draws : int
        Draws a posterior.
    seed : int
        A rank is spread evenly over its share of the range.

    Returns
    -------
    ndarray of float64, shape (n,)
        (rank + u) / (n_draws + 1) with u uniform.

    Raises
    ------
    DomainError
        For a rank outside 0 to `n_draws`.
    ArrayError, DTypeError

    Notes
    -----
    Cost: O(n).

    Examples
    --------
    >>> pit = ranks_to_pit([0, 99, 50], 99)
    >>> (100 * pit).astype(int).tolist()
    [0, 99, 50]
    """
    array = check.item_keys(np.asarray(ranks), np.size(ranks), "ranks")
    n_draws = check.integer(n_draws, "n_draws", low=1)
    if array.size and (array.min() < 0 or array.max() > n_draws):
        raise DomainError(f"`ranks` must lie between 0 and {n_draws}, got {array.min()} to {array.max()}")
    random = np.random.Generator(np.random.Philox(key=[check.seed(seed), _RANK_TAG]))
    return np.asarray((array + random.random(array.size)) / (n_draws + 1))


def largest_deviation(values: FloatArray) -> float:
    """Largest distance between the distribution of values and the uniform one, 0 to 1 (Kolmogorov's D)."""
    ordered = np.sort(values)
    n = ordered.size
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def uniformity(values: ArrayLike) -> tuple[float, float]:
    """Kolmogorov-Smirnov test of PIT values against the uniform distribution.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        `pit_values`, `ranks_to_pit` or `tarp_values`; n >= 1.

    Returns
    -------
    distance, p_value : float
        Largest distance between the two distributions, and how likely one as large is by chance.

    Raises
    ------
    BadInputError
        For NaN, or values outside 0 to 1.
    DomainError
        Without values.

    Notes
    -----
    The p value is Kolmogorov's series with the correction for finite n of Vrbik (2018, Pioneer J. Theor. Appl. Stat.
    15, 15), good to 5e-4 for n >= 20 (measured against scipy's exact ones). Cost: O(n log n).

    Examples
    --------
    >>> import numpy as np
    >>> distance, p_value = uniformity(np.linspace(0.0, 0.8, 200))
    >>> round(distance, 2), p_value < 1e-6
    (0.2, True)
    """
    array = probabilities(values, "values")
    if array.size == 0:
        raise DomainError("`values` must have at least one value, got none")
    distance = largest_deviation(array)
    return distance, kolmogorov_tail(distance, array.size)


def kolmogorov_tail(distance: float, n: float) -> float:
    """Probability of a larger distance between n uniform values and the uniform distribution."""
    scaled = np.sqrt(n) * distance
    scaled += 1.0 / (6.0 * np.sqrt(n)) + (scaled - 1.0) / (4.0 * n)
    if scaled < 0.3:  # the series below needs many terms, and the answer is 1 to 9 digits
        return 1.0
    k = np.arange(1, 101)
    return float(np.clip(2.0 * np.sum((-1.0) ** (k - 1) * np.exp(-2.0 * (k * scaled) ** 2)), 0.0, 1.0))


def central_coverage(pit: ArrayLike, levels: ArrayLike = LEVELS) -> CoverageTable:
    """Share of truths in the central interval of each level, with binomial errors.

    Parameters
    ----------
    pit : array_like of float, shape (n,)
        `pit_values`.
    levels : array_like of float, shape (k,)
        Between 0 and 1, both excluded. Default 0.5, 0.6827, 0.95.

    Returns
    -------
    CoverageTable

    Raises
    ------
    BadInputError
        For NaN, or values outside 0 to 1.
    DomainError
        For a level outside 0 to 1, or without rows.

    Notes
    -----
    The central interval of a level p holds the truth where abs(pit - 1/2) <= p / 2. Cost: O(n k).

    Examples
    --------
    >>> table = central_coverage([0.02, 0.3, 0.5, 0.6, 0.9], [0.5, 0.95])
    >>> table.coverage.tolist()
    [0.6, 0.8]
    """
    values = probabilities(pit, "pit")
    share = values_of(levels, "levels")
    if not ((share > 0) & (share < 1)).all():
        raise DomainError(f"`levels` must lie between 0 and 1, got {share.tolist()}")
    if values.size == 0:
        raise DomainError("`pit` must have at least one value, got none")
    away = np.sort(np.abs(values - 0.5))
    inside = np.searchsorted(away, 0.5 * share, side="right")
    return CoverageTable(share, inside / values.size, np.sqrt(share * (1 - share) / values.size), values.size)
