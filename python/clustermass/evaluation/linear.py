"""Errors of masses instead of their logarithms, in the forms of Yan et al. 2020 and de Andres et al. 2022."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from . import bootstrap
from .residuals import bin_edges, log_masses

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LinearSummary:
    """Errors of masses relative to the truth.

    Attributes
    ----------
    n : int
    bias : float
        Mean of M_pred / M_true - 1, a fraction.
    rms : float
        Root of the mean of (M_pred / M_true - 1)^2.
    bias_error, rms_error : float
        Bootstrap standard errors.
    mean_log : float
        Mean of log10(M_pred / M_true) [dex].
    """

    n: int
    bias: float
    rms: float
    bias_error: float
    rms_error: float
    mean_log: float

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        return asdict(self)


@dataclass(frozen=True)
class RedshiftBin:
    """(M_pred - M_true) / M_pred of the clusters of one range of redshift.

    Attributes
    ----------
    low, high : float
        low < redshift <= high.
    n : int
    mean, std : float
        Mean and population standard deviation, fractions; NaN where the bin is empty.
    error : float
        Standard error of the mean, std / sqrt(n).
    """

    low: float
    high: float
    n: int
    mean: float
    std: float
    error: float

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        return asdict(self)


def linear_summary(
    log10_pred: ArrayLike,
    log10_true: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> LinearSummary:
    """Mean bias and rms of M_pred / M_true - 1 (Yan et al. 2020, MNRAS 499, 3445, table 2).

    Parameters
    ----------
    log10_pred, log10_true : array_like of float, shape (n,)
        log10 of estimated and true mass, in one unit [Msun or Msun/h].
    n_bootstrap, seed : int
        For the errors.
    groups : array_like of int or str, shape (n,), optional
        Host of each row, drawn as a whole; default: each row is a host.

    Returns
    -------
    LinearSummary
        NaN without rows.

    Raises
    ------
    BadInputError
        For NaN or infinite values, and for masses that were not put in logarithms.
    ArrayError, DTypeError, DomainError

    Notes
    -----
    The rms is about 0, bias included. Cost: O(n_bootstrap * n).

    Examples
    --------
    >>> import numpy as np
    >>> summary = linear_summary(np.log10([1.2e14, 0.9e14]), np.log10([1e14, 1e14]))
    >>> round(summary.bias, 3), round(summary.rms, 3)
    (0.05, 0.158)
    """
    pred = log_masses(log10_pred, "log10_pred")
    epsilon = pred - log_masses(log10_true, "log10_true", pred.size)
    hosts = bootstrap.hosts_of(groups, pred.size)
    n_bootstrap, seed = check.integer(n_bootstrap, "n_bootstrap", low=0), check.seed(seed)
    if pred.size == 0:
        nan = float("nan")
        return LinearSummary(0, nan, nan, nan, nan, nan)
    relative = 10.0**epsilon - 1.0
    powers = np.stack([relative, relative**2], axis=1)
    sums = [
        (weights @ powers) / weights.sum(axis=1)[:, None]
        for weights in bootstrap.draw_weights(hosts, n_bootstrap, seed)
    ]
    means = np.concatenate(sums) if sums else np.empty((0, 2))
    return LinearSummary(
        n=pred.size,
        bias=float(relative.mean()),
        rms=float(np.sqrt((relative**2).mean())),
        bias_error=bootstrap.spread(means[:, 0]),
        rms_error=bootstrap.spread(np.sqrt(means[:, 1])),
        mean_log=float(epsilon.mean()),
    )


def linear_summary_by_redshift(
    log10_pred: ArrayLike, log10_true: ArrayLike, redshift: ArrayLike, edges: ArrayLike = (0.0, 0.1, 0.2, 0.4, 1.0)
) -> list[RedshiftBin]:
    """Mean and scatter of (M_pred - M_true) / M_pred in bins of redshift (de Andres et al. 2022, Nat. Astron. 6, 1325).

    Parameters
    ----------
    log10_pred, log10_true : array_like of float, shape (n,)
        log10 of estimated mass (M_CNN there) and of true or reference mass, in one unit.
    redshift : array_like of float, shape (n,)
        Of each cluster; those outside the edges are in no bin.
    edges : array_like of float, shape (n_bins + 1,)
        Rising; the upper edge belongs to a bin. Default: those of the source.

    Returns
    -------
    list of RedshiftBin
        One a bin; the last entry is over the whole range where there are several bins.

    Raises
    ------
    BadInputError
        For NaN or infinite values, and for masses that were not put in logarithms.
    DomainError
        If the edges do not rise.
    ArrayError, DTypeError

    Notes
    -----
    The estimate is in the denominator: scatter of the estimate lowers the mean. Cost: O(n * n_bins).

    Examples
    --------
    >>> import numpy as np
    >>> bins = linear_summary_by_redshift(np.log10([2e14, 5e14]), np.log10([1e14, 4e14]), [0.05, 0.3])
    >>> [(one.high, one.n, round(one.mean, 2)) for one in bins if one.n]
    [(0.1, 1, 0.5), (0.4, 1, 0.2), (1.0, 2, 0.35)]
    """
    pred = log_masses(log10_pred, "log10_pred")
    relative = 1.0 - 10.0 ** (log_masses(log10_true, "log10_true", pred.size) - pred)
    z = bootstrap.values_of(redshift, "redshift", pred.size)
    borders = bin_edges(edges)
    ranges = list(pairwise(borders.tolist()))
    ranges += [(float(borders[0]), float(borders[-1]))] if len(ranges) > 1 else []
    found = []
    for low, high in ranges:
        part = relative[(z > low) & (z <= high)]
        mean, std = (float(part.mean()), float(part.std())) if part.size else (float("nan"), float("nan"))
        error = std / np.sqrt(part.size) if part.size else float("nan")
        found.append(RedshiftBin(low, high, part.size, mean, std, float(error)))
    return found
