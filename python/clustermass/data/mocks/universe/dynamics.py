"""Velocities of galaxies in haloes: an anisotropic Jeans solution, scaled to the dispersions of simulations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .nfw import nfw_mass

FloatArray = NDArray[np.float64]

TRACER_RATIO = 0.5  #: concentration of galaxies over that of matter (Budzynski et al. 2012, MNRAS 423, 104)
ANISOTROPY_RADIUS = 0.25  #: r_a over r200c, so that beta(r200c) = 0.4 (relations in docs/mock-universe.md)
_LOG_C = np.linspace(np.log(0.5), np.log(60.0), 49)
_LOG_S = np.linspace(np.log(1e-3), np.log(12.0), 161)  # r / r200c


def evrard_dispersion(m200c: FloatArray, hubble: float) -> FloatArray:
    """One-dimensional velocity dispersion of dark matter within r200c [km/s]; m200c [Msun], hubble H(z) [km/s/Mpc].

    sigma = 1082.9 km/s (h(z) M200c / 1e15 Msun)^0.3361 with h(z) = H(z) / 100 (Evrard et al. 2008, ApJ 672, 122).
    """
    return np.asarray(1082.9 * (hubble / 100.0 * m200c / 1e15) ** 0.3361)


def anisotropy(s: FloatArray) -> FloatArray:
    """beta = 1 - sigma_t^2 / sigma_r^2 at s = r / r200c: s / (2 (s + s_a)) (Mamon & Lokas 2005, MNRAS 363, 705)."""
    return np.asarray(0.5 * s / (s + ANISOTROPY_RADIUS))


def radial_variance(s: FloatArray, concentration: float, tracer_ratio: float = TRACER_RATIO) -> FloatArray:
    """sigma_r^2 in units of V200^2 = G M200c / r200c at rising radii s = r / r200c: the Jeans equation.

    NFW matter of this concentration, NFW tracers of `tracer_ratio` times it, reaching outwards without end:
    sigma_r^2(r) = integral from r of (t + r_a) nu(t) G M(t) / t^2 dt / ((r + r_a) nu(r)), Mamon & Lokas 2005.
    """
    t = np.geomspace(s[0], 1e4, 6001)
    c, scale = concentration, tracer_ratio * concentration
    density = 1.0 / (scale * t * (1.0 + scale * t) ** 2)
    pull = (t + ANISOTROPY_RADIUS) * density * nfw_mass(c * t) / nfw_mass(c) / t  # times d ln t
    step = np.log(t[1] / t[0])
    # from outside in, by the trapezoid rule with the end correction of Simpson's kind: smooth in ln t
    outer = np.concatenate([np.cumsum((0.5 * step * (pull[1:] + pull[:-1]))[::-1])[::-1], [0.0]])
    outer -= step**2 / 12.0 * (np.gradient(pull, step)[-1] - np.gradient(pull, step))
    return np.interp(np.log(s), np.log(t), outer / ((t + ANISOTROPY_RADIUS) * density))


@dataclass(frozen=True)
class JeansTable:
    """The Jeans solution over concentration and radius, to look up.

    Attributes
    ----------
    variance : (n_c, n_s) float64
        ln(sigma_r^2 / V200^2) on the grid of ln c and ln(r / r200c).
    mean : (n_c,) float64
        One-dimensional variance of the tracers within r200c over V200^2.
    """

    variance: FloatArray
    mean: FloatArray

    def radial(self, concentration: FloatArray, s: FloatArray) -> FloatArray:
        """sigma_r^2 / V200^2, by bilinear interpolation of logarithms; the ends of the grid hold beyond it."""
        i, u = _cell(np.log(concentration), _LOG_C)
        j, v = _cell(np.log(s), _LOG_S)
        t = self.variance
        low = t[i, j] + v * (t[i, j + 1] - t[i, j])
        high = t[i + 1, j] + v * (t[i + 1, j + 1] - t[i + 1, j])
        return np.asarray(np.exp(low + u * (high - low)))

    def mean_variance(self, concentration: FloatArray) -> FloatArray:
        """One-dimensional variance of the tracers within r200c over V200^2."""
        return np.asarray(np.interp(np.log(concentration), _LOG_C, self.mean))


def _cell(value: FloatArray, grid: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Lower node and fraction of the way to the next on an even grid."""
    at = np.clip((value - grid[0]) / (grid[1] - grid[0]), 0.0, grid.size - 1.0)
    low = np.minimum(at.astype(np.int64), grid.size - 2)
    return low, at - low


def make_jeans_table(tracer_ratio: float = TRACER_RATIO) -> JeansTable:
    """Tabulate `radial_variance` for concentrations from 0.5 to 60 and 0.001 to 12 r200c."""
    s = np.exp(_LOG_S)
    rows = np.array([radial_variance(s, c, tracer_ratio) for c in np.exp(_LOG_C)])
    inside = np.linspace(0.0, 1.0, 401)[1:]
    means = np.empty(_LOG_C.size)
    for k, c in enumerate(np.exp(_LOG_C)):
        weight = np.diff(nfw_mass(tracer_ratio * c * np.concatenate([[0.0], inside])))
        middle = inside - 0.5 * inside[0]
        sigma2 = np.exp(np.interp(np.log(middle), _LOG_S, np.log(rows[k])))
        means[k] = np.average(sigma2 * (1.0 - 2.0 / 3.0 * anisotropy(middle)), weights=weight)
    return JeansTable(np.log(rows), means)
