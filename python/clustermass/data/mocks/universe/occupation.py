"""How many galaxies a halo holds, and how massive they are.

One published model carries all of it: Zu & Mandelbaum 2015 (MNRAS 454, 1161), fitted to clustering and lensing of SDSS
galaxies. Its units are h = 1 (Msun/h for haloes, Msun/h^2 for stars) and its haloes are 200 times the mean density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .nfw import nfw_mass

FloatArray = NDArray[np.float64]

THRESHOLD = 10**9.5  #: Msun: galaxies below this stellar mass are left out

_LOG_M1, _LOG_S0, _BETA, _DELTA, _GAMMA = 12.10, 10.31, 0.33, 0.42, 1.21
_LN_SCATTER, _LN_SCATTER_SLOPE = 0.50, -0.04  # of stellar mass at fixed halo mass; change per dex above 10^12.10
_ALPHA_SAT, _B_SAT, _BETA_SAT, _B_CUT, _BETA_CUT = 1.0, 8.98, 0.90, 0.86, 0.41
_LOG_STARS = np.linspace(7.0, 12.6, 1121)  # stellar masses of the tables


@dataclass(frozen=True)
class Occupation:
    """A preset of the number of satellites.

    Attributes
    ----------
    name : str
    satellites : tuple of float or None
        Mean number within the virial radius at 1e14 Msun/h, and its slope with M200c; None: those of the model.
    field_centrals : bool
        Whether haloes hold a central galaxy. Without them interlopers are satellites of other haloes only.
    """

    name: str
    satellites: tuple[float, float] | None
    field_centrals: bool


#: `observed`: satellites and centrals as galaxy surveys count them. `universemachine`: satellites only and fewer, as in
#: the catalogues of Ho et al. 2019, whose richness within the virial radius is 29, 84, 260 at 10^14, 14.5, 15 Msun/h
OCCUPATIONS = {
    "observed": Occupation("observed", None, True),
    "universemachine": Occupation("universemachine", (29.0, 0.953), False),
}


def _log_halo_of_stars(log_stars: FloatArray) -> FloatArray:
    """log10 of the halo mass [Msun/h, 200 mean] whose central has this mean log10 stellar mass [Msun/h^2]."""
    x = 10.0 ** (log_stars - _LOG_S0)
    return np.asarray(_LOG_M1 + _BETA * np.log10(x) + x**_DELTA / (1.0 + x**-_GAMMA) - 0.5)


_LOG_HALO = _log_halo_of_stars(_LOG_STARS)


def mean_log_stellar_mass(m200m: FloatArray, h: float) -> FloatArray:
    """Mean log10 of the central's stellar mass [Msun] in a halo of m200m [Msun]: Zu & Mandelbaum 2015."""
    return np.asarray(np.interp(np.log10(m200m * h), _LOG_HALO, _LOG_STARS) - 2.0 * np.log10(h))


def stellar_mass_scatter(m200m: FloatArray, h: float) -> FloatArray:
    """Scatter of the central's log10 stellar mass: 0.50 in ln, less 0.04 per dex above 10^12.10 Msun/h."""
    above = np.maximum(np.log10(m200m * h) - _LOG_M1, 0.0)
    return np.asarray((_LN_SCATTER + _LN_SCATTER_SLOPE * above) / np.log(10.0))


def central_fraction(m200m: FloatArray, h: float, threshold: float = THRESHOLD) -> FloatArray:
    """Share of haloes whose central is above the threshold in stellar mass [Msun]: an error-function step."""
    from scipy.special import ndtr

    height = mean_log_stellar_mass(m200m, h) - np.log10(threshold)
    return np.asarray(ndtr(height / stellar_mass_scatter(m200m, h)))


def _scales(stellar_mass: FloatArray | float, h: float) -> tuple[FloatArray, FloatArray]:
    """The masses [Msun] at which a halo has one satellite above this stellar mass, and below which it has none."""
    halo = 10.0 ** (_log_halo_of_stars(np.log10(np.asarray(stellar_mass) * h**2)) - 12.0)
    return 1e12 / h * _B_SAT * halo**_BETA_SAT, 1e12 / h * _B_CUT * halo**_BETA_CUT


def mean_satellites_model(m200m: FloatArray, h: float, threshold: FloatArray | float = THRESHOLD) -> FloatArray:
    """Mean number of satellites above a stellar mass [Msun] within r200m: Zu & Mandelbaum 2015.

    (M / M_sat)^alpha exp(-M_cut / M), times the share of haloes that have a central of that mass.
    """
    single, cut = _scales(threshold, h)
    from scipy.special import ndtr

    height = mean_log_stellar_mass(m200m, h) - np.log10(threshold)
    centrals = ndtr(height / stellar_mass_scatter(m200m, h))
    return np.asarray(centrals * (m200m / single) ** _ALPHA_SAT * np.exp(-cut / m200m))


def mean_satellites(
    occupation: Occupation, m200c: FloatArray, m200m: FloatArray, reach: FloatArray, reach_200m: FloatArray, h: float
) -> FloatArray:
    """Mean number of satellites within `reach` (the virial radius over the scale radius of the galaxies) [(n,)]."""
    model = mean_satellites_model(m200m, h)
    if occupation.satellites is None:
        return np.asarray(model * nfw_mass(reach) / nfw_mass(reach_200m))
    at_1e14, slope = occupation.satellites
    _, cut = _scales(THRESHOLD, h)
    return np.asarray(at_1e14 * (m200c * h / 1e14) ** slope * np.exp(-cut / m200m) * central_fraction(m200m, h))


def draw_central_masses(m200m: FloatArray, h: float, normal: FloatArray) -> FloatArray:
    """Stellar masses [Msun] of the centrals, of any size, from one standard normal number each."""
    return np.asarray(10.0 ** (mean_log_stellar_mass(m200m, h) + stellar_mass_scatter(m200m, h) * normal))


@dataclass(frozen=True)
class SatelliteMasses:
    """The distribution of satellites' stellar masses in a halo, to look up.

    The number above a mass, as a share of that above the threshold, is the ratio of `mean_satellites_model`: nearly a
    power law of slope -1.3 in dN/dM with an exponential end near the mass of the central.

    Attributes
    ----------
    log_halo : (n_m,) float64
        Even grid of log10 m200m [Msun].
    log_stars : (n_m, n_u) float64
        log10 stellar mass [Msun] at the even grid of shares v, where the share of satellites above it is exp(-v).
    v : (n_u,) float64
    """

    log_halo: FloatArray
    log_stars: FloatArray
    v: FloatArray

    def draw(self, m200m: FloatArray, share: FloatArray) -> FloatArray:
        """Stellar masses [Msun] that a `share` of the satellites exceed, by bilinear interpolation."""
        row = np.clip(
            (np.log10(m200m) - self.log_halo[0]) / (self.log_halo[1] - self.log_halo[0]), 0, self.log_halo.size - 1
        )
        column = np.clip(-np.log(share) / self.v[1], 0, self.v.size - 1)
        i = np.minimum(row.astype(np.int64), self.log_halo.size - 2)
        j = np.minimum(column.astype(np.int64), self.v.size - 2)
        t, a, b = self.log_stars, row - i, column - j
        low = t[i, j] + b * (t[i, j + 1] - t[i, j])
        high = t[i + 1, j] + b * (t[i + 1, j + 1] - t[i + 1, j])
        return np.asarray(10.0 ** (low + a * (high - low)))


def make_satellite_masses(h: float) -> SatelliteMasses:
    """Tabulate the masses of satellites for haloes of 10^10.5 to 10^16 Msun, down to a share of e^-14."""
    log_halo = np.linspace(10.5, 16.0, 111)
    stars = np.linspace(np.log10(THRESHOLD), 12.6 - 2.0 * np.log10(h), 801)
    number = mean_satellites_model(10.0 ** log_halo[:, None], h, 10.0 ** stars[None, :])
    with np.errstate(divide="ignore"):
        v = -np.log(number / number[:, :1])
    grid = np.linspace(0.0, 14.0, 281)
    table = np.array([np.interp(grid, row[np.isfinite(row)], stars[np.isfinite(row)]) for row in v])
    return SatelliteMasses(log_halo, table, grid)
