"""Power laws between a measured quantity of clusters and their mass: both directions, scatter, maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _validate as check
from ...errors import BadInputError

FloatArray = NDArray[np.float64]
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_STEPS = 80  #: of the search for the scatter; each leaves 0.62 of the interval


@dataclass(frozen=True)
class PowerLaw:
    """log10 Q = intercept + slope (log10 M - pivot) + evolution log10 E(z), with normal scatter in log10 Q.

    Attributes
    ----------
    intercept, slope : float
        Q in the unit of the quantity, at the pivot and z = 0.
    pivot : float
        log10 mass [Msun].
    evolution : float
        Power of E(z) = H(z) / H0.
    scatter : float
        Intrinsic, dex of Q at fixed mass.
    covariance : (2, 2) array
        Of intercept and slope; zero for published laws, whose errors are small beside the scatter.
    """

    intercept: float
    slope: float
    pivot: float
    evolution: float
    scatter: float
    covariance: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))

    def quantity(self, log10_mass: Any, expansion: Any) -> FloatArray:
        """log10 Q of log10 mass [Msun] and E(z)."""
        away = np.asarray(log10_mass, np.float64) - self.pivot
        return np.asarray(self.intercept + self.slope * away + self.evolution * np.log10(expansion))

    def mass(self, log10_quantity: Any, expansion: Any) -> FloatArray:
        """log10 mass [Msun] of log10 Q and E(z): the law read backwards."""
        away = np.asarray(log10_quantity, np.float64) - self.intercept - self.evolution * np.log10(expansion)
        return np.asarray(self.pivot + away / self.slope)

    def mass_error(self, log10_mass: Any, quantity_error: Any = 0.0) -> FloatArray:
        """Standard deviation of log10 mass: scatter, error of log10 Q, and errors of the law, over the slope."""
        away = np.asarray(log10_mass, np.float64) - self.pivot
        (aa, ab), (_, bb) = self.covariance
        variance = self.scatter**2 + np.asarray(quantity_error) ** 2 + aa + 2 * ab * away + bb * away**2
        return np.asarray(np.sqrt(variance) / abs(self.slope))


def fit_power_law(
    log10_mass: ArrayLike, log10_quantity: ArrayLike, error: Any = 0.0, *, pivot: float | None = None
) -> PowerLaw:
    """Intercept, slope and intrinsic scatter of greatest likelihood, for quantities with errors at known masses.

    The likelihood is normal with variance scatter^2 + error^2 in log10 Q. Without errors this is least squares, and the
    scatter the root of the mean squared residual (divided by n, as the likelihood has it).

    Parameters
    ----------
    log10_mass : array_like of float, shape (n,)
        log10 mass [Msun].
    log10_quantity : array_like of float, shape (n,)
        Already divided by its evolution.
    error : float or array_like, shape (n,)
        Standard deviation of each, dex.
    pivot : float, optional
        log10 mass [Msun]; default: the mean, where intercept and slope are independent.

    Returns
    -------
    PowerLaw
        With evolution 0; its covariance is that of the likelihood at its maximum.

    Raises
    ------
    BadInputError
        For fewer than three clusters, values that are not finite, or masses that are all equal.

    Notes
    -----
    The scatter is found by golden section between 0 and the scatter of the values, intercept and slope in closed form.

    Examples
    --------
    >>> law = fit_power_law([14.0, 14.5, 15.0], [1.0, 1.75, 2.5])
    >>> round(law.slope, 6), law.pivot, round(law.intercept, 6)
    (1.5, 14.5, 1.75)
    """
    x = check.float64_array(log10_mass, "log10_mass", (None,))
    y = check.float64_array(log10_quantity, "log10_quantity", (x.size,))
    check.check_finite(x, "log10_mass")
    check.check_finite(y, "log10_quantity")
    e = np.broadcast_to(np.asarray(error, np.float64), x.shape)
    if not (np.isfinite(e) & (e >= 0)).all():
        raise BadInputError("`error` must be finite and not negative")
    if x.size < 3 or np.ptp(x) == 0:
        raise BadInputError(f"`log10_mass` must have at least three clusters of different mass, got {x.size}")
    at = float(x.mean()) if pivot is None else check.number(pivot, "pivot")
    low, high = 0.0, float(np.std(y)) + 1e-12
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    fa, fb = _badness(x - at, y, e, a), _badness(x - at, y, e, b)
    for _ in range(_STEPS):
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - _GOLDEN * (high - low)
            fa = _badness(x - at, y, e, a)
        else:
            low, a, fa = a, b, fb
            b = low + _GOLDEN * (high - low)
            fb = _badness(x - at, y, e, b)
    scatter = 0.5 * (low + high)
    (intercept, slope), cov = _line(x - at, y, scatter**2 + e**2)
    return PowerLaw(intercept, slope, at, 0.0, scatter, ((cov[0][0], cov[0][1]), (cov[1][0], cov[1][1])))


def _line(x: FloatArray, y: FloatArray, variance: FloatArray) -> tuple[tuple[float, float], list[list[float]]]:
    """Weighted least squares: (intercept, slope) and their covariance."""
    w = 1.0 / np.maximum(variance, 1e-24)
    s, sx, sxx = w.sum(), (w * x).sum(), (w * x * x).sum()
    sy, sxy = (w * y).sum(), (w * x * y).sum()
    d = s * sxx - sx * sx
    line = (float((sxx * sy - sx * sxy) / d), float((s * sxy - sx * sy) / d))
    return line, [[float(sxx / d), float(-sx / d)], [float(-sx / d), float(s / d)]]


def _badness(x: FloatArray, y: FloatArray, error: FloatArray, scatter: float) -> float:
    """-2 log likelihood of a scatter, at its best line."""
    variance = np.maximum(scatter**2 + error**2, 1e-24)
    (intercept, slope), _ = _line(x, y, variance)
    return float(((y - intercept - slope * x) ** 2 / variance + np.log(variance)).sum())
