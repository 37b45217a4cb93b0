"""Luminosities of galaxies, for flux-limited surveys: the conditional luminosity function of Cacciato et al. 2009.

MNRAS 394, 929, fitted to SDSS: r band K-corrected to z = 0.1, Lsun/h^2; halo masses Msun/h within 180 times the mean
density, for which 200 times is taken here (2 % in mass).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .nfw import FloatArray
from .occupation import SatelliteMasses, mean_satellites_model

SUN = 4.76  #: absolute magnitude of the Sun in the r band at z = 0.1 (Blanton et al. 2003, ApJ 592, 819)
CENTRAL_SCATTER = 0.143  #: dex
_LOG_L0, _LOG_M1, _G1, _G2 = 9.935, 11.07, 3.273, 0.255
_LOG_L = np.linspace(6.5, 12.0, 1101)


def magnitude(log_luminosity: FloatArray, h: float) -> FloatArray:
    """Absolute magnitude (h included) of log10 luminosity [Lsun/h^2]: 4.76 - 2.5 log10 L, L in Lsun."""
    return np.asarray(SUN - 2.5 * (log_luminosity - 2.0 * np.log10(h)))


def central_luminosity(m200m: FloatArray, h: float) -> FloatArray:
    """Mean log10 luminosity [Lsun/h^2] of centrals: L0 x^g1 / (1 + x)^(g1 - g2), x = M / M1."""
    x = m200m * h / 10**_LOG_M1
    return np.asarray(_LOG_L0 + _G1 * np.log10(x) - (_G1 - _G2) * np.log10(1.0 + x))


def satellite_counts(m200m: FloatArray, h: float, log_luminosity: FloatArray) -> FloatArray:
    """Mean number of satellites brighter than each luminosity [Lsun/h^2, rising], shape (haloes, luminosities).

    Phi dL = (phi / L*) (L / L*)^a exp(-(L / L*)^2) dL with L* = 0.562 L_central, integrated to 12 dex.
    """
    m = np.log10(m200m * h)[:, None]
    slope = -2.0 + 0.501 * (1.0 - 2.0 / np.pi * np.arctan(2.106 * (m - 14.28)))
    phi = 10.0 ** (-0.766 + 1.008 * (m - 12.0) - 0.094 * (m - 12.0) ** 2)
    grid = np.linspace(log_luminosity[0], 12.5, 1201)
    x = 10.0 ** (grid - np.log10(0.562) - central_luminosity(m200m, h)[:, None])
    per_dex = phi * np.log(10.0) * x ** (slope + 1.0) * np.exp(-(x**2))
    steps = 0.5 * (grid[1] - grid[0]) * (per_dex[:, 1:] + per_dex[:, :-1])
    above = np.concatenate([np.cumsum(steps[:, ::-1], axis=1)[:, ::-1], np.zeros((m.size, 1))], axis=1)
    return np.array([np.interp(log_luminosity, grid, row) for row in above])


def make_satellite_luminosities(masses: SatelliteMasses, h: float) -> SatelliteMasses:
    """The table of satellites' log10 luminosity [Lsun/h^2] over the shares of their table of stellar masses.

    Within haloes of one mass the most massive satellite is the most luminous (conditional abundance matching): the
    number above a stellar mass (Zu & Mandelbaum 2015) is that above its luminosity (Cacciato et al. 2009).
    """
    m200m = 10.0**masses.log_halo
    number = mean_satellites_model(m200m, h)[:, None] * np.exp(-masses.v)
    counts = satellite_counts(m200m, h, _LOG_L)
    with np.errstate(divide="ignore"):
        wanted, given = np.log(number), np.log(counts)
    rows: list[NDArray[np.float64]] = []
    for want, have in zip(wanted, given, strict=True):
        usable = np.isfinite(have)
        rows.append(np.interp(-want, -have[usable], _LOG_L[usable]))
    return SatelliteMasses(masses.log_halo, np.array(rows), masses.v)
