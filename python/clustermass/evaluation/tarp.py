"""Tests of accuracy with random points (TARP): calibration that one-sided errors cannot hide from, in any dimension.

Own implementation of Lemos et al. 2023 (ICML, PMLR 202, 19256; arXiv 2302.03026), algorithm 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError, DomainError
from .bootstrap import values_of
from .calibration import HasCdf, largest_deviation, pit_values, probabilities
from .residuals import log_masses

FloatArray = NDArray[np.float64]
_TAG = 0x74617270  # second word of the key of the random numbers, "tarp"
_BLOCK = 2**22  # values of samples that are looked at together


def tarp_values(posterior: HasCdf, log10_true: ArrayLike, *, seed: int = 0) -> FloatArray:
    """Probability that each posterior gives to masses nearer than the true one to a random mass.

    Parameters
    ----------
    posterior : MassPosterior
        Or anything with a method `cdf`.
    log10_true : array_like of float, shape (n,)
        log10 of the true mass [Msun].
    seed : int
        Of the random masses, uniform over the range of the true ones.

    Returns
    -------
    ndarray of float64, shape (n,)
        Uniform where the posteriors are calibrated: `tarp_distance` and `expected_coverage` take them.

    Raises
    ------
    BadInputError
        For a row without a distribution (NaN).

    Notes
    -----
    Exact in one dimension, without draws: for a reference r and the truth t it is abs(F(t) - F(2 r - t)) with the cdf F
    [1]_.
    Cost: two calls of `cdf`.

    References
    ----------
    .. [1] Lemos et al. 2023, arXiv 2302.03026, eq. 5.

    Examples
    --------
    >>> import numpy as np
    >>> from clustermass.models.posterior import MassPosterior
    >>> mean = np.linspace(14, 15, 4000)
    >>> truth = mean + 0.1 * np.random.default_rng(1).standard_normal(mean.size)
    >>> for claimed in (0.1, 0.05):
    ...     values = tarp_values(MassPosterior.from_gaussian(mean, claimed, "M200c"), truth)
    ...     print(round(tarp_distance(values), 2))
    0.01
    0.17
    """
    truth = log_masses(log10_true, "log10_true")
    below = pit_values(posterior, truth)
    if truth.size == 0:
        return below
    low, high = truth.min(), truth.max()
    reference = low + (high - low) * _random(seed).random(truth.size)
    return np.abs(below - pit_values(posterior, 2.0 * reference - truth))


def tarp_from_samples(samples: ArrayLike, truth: ArrayLike, *, seed: int = 0) -> FloatArray:
    """Share of draws that are nearer than the truth to a random point, in any number of dimensions.

    Parameters
    ----------
    samples : array_like of float, shape (n, s) or (n, s, d)
        Independent draws from each posterior.
    truth : array_like of float, shape (n,) or (n, d)
        The true values.
    seed : int
        Of the random points, uniform in the box that the truths span; each dimension is scaled by that box.

    Returns
    -------
    ndarray of float64, shape (n,)
        Uniform where the posteriors are calibrated; a share of k of s draws is spread evenly over its bin.

    Raises
    ------
    BadInputError
        For NaN or infinite values.
    ArrayError, DTypeError
    DomainError
        If the truths of a dimension are all equal.

    Notes
    -----
    Source: [1]_. Cost: O(n s d).

    References
    ----------
    .. [1] Lemos et al. 2023, arXiv 2302.03026, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(3)
    >>> mean = random.standard_normal((2000, 2))
    >>> truth = mean + 0.3 * random.standard_normal((2000, 2))
    >>> samples = mean[:, None] + 0.3 * random.standard_normal((2000, 100, 2))
    >>> round(tarp_distance(tarp_from_samples(samples, truth)), 2)
    0.01
    """
    draws = np.asarray(samples)
    draws = check.float_array(draws[..., None] if draws.ndim == 2 else draws, "samples", (None, None, None))
    n, s, d = draws.shape
    true = np.asarray(truth)
    true = check.float_array(true[:, None] if true.ndim == 1 else true, "truth", (n, d), dtype=np.float64)
    check.check_finite(draws, "samples")
    check.check_finite(true, "truth")
    if s == 0:
        raise ArrayError("`samples` must have at least one draw a row, got none")
    random = _random(seed)
    if n == 0:
        return np.empty(0)
    low, side = true.min(axis=0), np.ptp(true, axis=0)
    if (side == 0).any():
        raise DomainError(f"`truth` must vary in each dimension, got equal values in {int(np.argmax(side == 0))}")
    reference = low + side * random.random((n, d))
    limit = (((true - reference) / side) ** 2).sum(axis=1)
    nearer = np.empty(n, np.int64)
    step = max(1, _BLOCK // (s * d))
    for first in range(0, n, step):
        rows = slice(first, first + step)
        away = ((draws[rows] - reference[rows, None]) / side) ** 2
        nearer[rows] = (away.sum(axis=2) < limit[rows, None]).sum(axis=1)
    return np.asarray((nearer + random.random(n)) / (s + 1))


def _random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[check.seed(seed), _TAG]))


def expected_coverage(values: ArrayLike, levels: ArrayLike) -> FloatArray:
    """Expected coverage at each level of credibility: the curve of a TARP plot, on the diagonal if calibrated.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        `tarp_values` or `tarp_from_samples`.
    levels : array_like of float, shape (k,)
        Credibilities, 0 to 1.

    Returns
    -------
    ndarray of float64, shape (k,)
        Share of values below each level; NaN without values.

    Raises
    ------
    BadInputError
        For NaN, or values outside 0 to 1.

    Notes
    -----
    Cost: O(n log n).

    Examples
    --------
    >>> expected_coverage([0.1, 0.4, 0.6, 0.9], [0.25, 0.5, 1.0]).tolist()
    [0.25, 0.5, 1.0]
    """
    ordered = np.sort(probabilities(values, "values"))
    below = np.searchsorted(ordered, values_of(levels, "levels"), side="right")
    return below / ordered.size if ordered.size else np.full(below.shape, np.nan)


def tarp_distance(values: ArrayLike) -> float:
    """Largest distance of the expected coverage from the diagonal.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        `tarp_values` or `tarp_from_samples`; n >= 1.

    Returns
    -------
    float
        Below 0.04 for calibrated posteriors in 99.7 of 100 tests of 2,000 rows.

    Raises
    ------
    BadInputError
        For NaN, or values outside 0 to 1.
    DomainError
        Without values.

    Notes
    -----
    Cost: O(n log n).

    Examples
    --------
    >>> tarp_distance([0.25, 0.5, 0.75, 1.0])
    0.25
    """
    array = probabilities(values, "values")
    if array.size == 0:
        raise DomainError("`values` must have at least one value, got none")
    return largest_deviation(array)
