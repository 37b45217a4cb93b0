"""Two estimators on the same clusters: which is less biased, which scatters less, and is the difference real?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import DomainError
from . import bootstrap

FloatArray = NDArray[np.float64]
_LEVELS = np.array([0.16, 0.5, 0.84])


@dataclass(frozen=True)
class Difference:
    """One statistic of two estimators, and their difference. Below 0: the first is better.

    Attributes
    ----------
    name : {"bias", "sigma", "half_width"}
        Absolute value of the median residual, standard deviation, half the 16-84 range [dex].
    first, second : float
        Of either estimator.
    difference : float
        first - second.
    error : float
        Paired bootstrap standard error of the difference.
    low, high : float
        2.5 and 97.5 % of the bootstrap distribution of the difference.
    p_value : float
        Two-sided significance: how likely a difference as large is between estimators that do not differ in it.
    """

    name: str
    first: float
    second: float
    difference: float
    error: float
    low: float
    high: float
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Two estimators on the same clusters.

    Attributes
    ----------
    n, n_hosts : int
        Rows, and independent hosts among them.
    bias, sigma, half_width : Difference
    correlation : float
        Of the residuals of the two: 1 where both err alike; NaN where one does not scatter.
    """

    n: int
    n_hosts: int
    bias: Difference
    sigma: Difference
    half_width: Difference
    correlation: float

    def rows(self) -> list[dict[str, Any]]:
        """The three differences as rows of a table."""
        return [one.as_dict() for one in (self.bias, self.sigma, self.half_width)]


def compare_estimators(
    first: ArrayLike, second: ArrayLike, *, groups: ArrayLike | None = None, n_bootstrap: int = 2000, seed: int = 0
) -> Comparison:
    """Compare the residuals of two estimators on the same clusters, with paired bootstrap errors by host.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
        epsilon = log10(M_pred / M_true) [dex] of either estimator; row i is the same observation in both.
    groups : array_like of int or str, shape (n,), optional
        Host of each row; hosts are drawn with all their rows. Default: each row is a host.
    n_bootstrap : int
        At least 100.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Comparison

    Raises
    ------
    BadInputError
        For NaN or infinite residuals.
    DomainError
        Below two hosts.
    ArrayError, DTypeError

    Notes
    -----
    Both estimators get the same drawn hosts, so that what they share cancels (Efron & Tibshirani 1993, ch. 8). The
    p value is that of a Gaussian of the bootstrap error, 2 (1 - Phi(abs(difference) / error)). abs(median) has a kink
    at 0, where this errs on the safe side: estimators without bias are found to differ less often than the p value
    says. Cost: O(n_bootstrap * n).

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(5)
    >>> shared = 0.1 * random.standard_normal(500)
    >>> found = compare_estimators(shared, shared + 0.05 + 0.1 * random.standard_normal(500))
    >>> round(found.sigma.difference, 2), found.sigma.p_value < 1e-6, found.bias.p_value < 1e-6
    (-0.05, True, True)
    """
    a = bootstrap.values_of(first, "first")
    b = bootstrap.values_of(second, "second", a.size)
    hosts = bootstrap.hosts_of(groups, a.size)
    n_hosts = int(hosts.max(initial=-1)) + 1
    if n_hosts < 2:
        raise DomainError(f"`groups` must name at least two hosts, got {n_hosts}")
    n_bootstrap = check.integer(n_bootstrap, "n_bootstrap", low=100)
    orders = [np.argsort(values, kind="stable") for values in (a, b)]
    alone = np.ones((1, a.size), np.int64)
    once = [_statistics(values[order], alone) for values, order in zip((a, b), orders, strict=True)]
    blocks = [
        _statistics(a[orders[0]], weights[:, orders[0]]) - _statistics(b[orders[1]], weights[:, orders[1]])
        for weights in bootstrap.draw_weights(hosts, n_bootstrap, check.seed(seed))
    ]
    replicates = np.concatenate(blocks)
    names = ("bias", "sigma", "half_width")
    bias, sigma, half_width = (
        _difference(name, float(once[0][0, k]), float(once[1][0, k]), replicates[:, k]) for k, name in enumerate(names)
    )
    scatters = a.std() > 0 and b.std() > 0
    correlation = float(np.corrcoef(a, b)[0, 1]) if scatters else float("nan")
    return Comparison(a.size, n_hosts, bias, sigma, half_width, correlation)


def _statistics(ordered: FloatArray, weights: NDArray[np.int64]) -> FloatArray:
    """|median|, standard deviation and half the 16-84 range of replicates, shape (m, 3)."""
    low, median, high = bootstrap.weighted_quantiles(ordered, weights, _LEVELS).T
    return np.stack([np.abs(median), bootstrap.weighted_moments(ordered, weights)[1], 0.5 * (high - low)], axis=1)


def _difference(name: str, first: float, second: float, replicates: FloatArray) -> Difference:
    difference, error = first - second, bootstrap.spread(replicates)
    low, high = np.quantile(replicates, [0.025, 0.975])
    p_value = erfc(abs(difference) / (error * sqrt(2.0))) if error > 0 else float(difference == 0)
    return Difference(name, first, second, difference, error, float(low), float(high), p_value)
