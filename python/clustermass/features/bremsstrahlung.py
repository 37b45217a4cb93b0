"""Thermal bremsstrahlung of fully ionised hydrogen and helium: what one gas particle shines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from .. import units
from ..constants import FREE_FREE, HYDROGEN_FRACTION, HYDROGEN_MASS_G, KEV_K, RYDBERG_K, full_electron_abundance
from ..errors import DomainError
from ._gas import BLOCK, electrons_or_default, warn_dead
from .gaunt import HIGHEST_U, LOWEST_U, free_free_gaunt

FloatArray = NDArray[np.float64]
Band = tuple[float, float]

_LOG10_T = np.linspace(3.0, 10.0, 701)  # below 1e3 K nothing is ionised; above 1e10 K the formula means nothing
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_FAR = 45.0  # e^-45 of the emission lies above u_low + 45


def _check_band(band: Any) -> Band | None:
    if band is None:
        return None
    try:
        low, high = band
    except (TypeError, ValueError) as exc:
        raise DomainError(f"`band` must be two energies (low, high) in keV or None, got {band!r}") from exc
    low = check.number(low, "band[0]", low=0, unit="keV")
    return low, check.number(high, "band[1]", above=low, unit="keV")


def _band_integral(u_low: FloatArray, u_high: FloatArray, gamma2: FloatArray, gaunt: float | None) -> FloatArray:
    """Integral of exp(-u) g(u, gamma2) du from u_low to u_high, elementwise."""
    if gaunt is not None:
        return np.asarray(gaunt * (np.exp(-u_low) - np.exp(-u_high)))
    first = np.maximum(u_low, LOWEST_U)
    log_first, log_last = np.log(first), np.log(np.clip(u_high, first, first + _FAR))
    half = 0.5 * (log_last - log_first)[:, None]
    u = np.exp(log_first[:, None] + half * (1.0 + _NODES))
    total = (half * _WEIGHTS * u * np.exp(-u) * free_free_gaunt(u, gamma2[:, None])).sum(axis=1)
    # g runs like -(sqrt 3 / pi) ln u below the table, so its mean over 0 ... LOWEST_U is g + sqrt 3 / pi there
    below = np.clip(np.minimum(u_high, LOWEST_U) - u_low, 0.0, None)
    return np.asarray(total + below * (free_free_gaunt(LOWEST_U, gamma2) + np.sqrt(3.0) / np.pi))


@lru_cache(maxsize=64)
def _log_gaunt_table(band: Band | None, hydrogen_fraction: float, gaunt: float | None) -> FloatArray:
    """ln of sum_i (n_i / n_H) Z_i^2 times the Gaunt-weighted share of the band, at the temperatures `_LOG10_T`."""
    temperature = 10.0**_LOG10_T
    low, high = (0.0, HIGHEST_U * 1e9) if band is None else band
    u_low, u_high = (np.full_like(temperature, e) if band is None else e * KEV_K / temperature for e in (low, high))
    helium = (1.0 - hydrogen_fraction) / (4.0 * hydrogen_fraction)
    share = np.zeros_like(temperature)
    for charge, abundance in ((1.0, 1.0), (2.0, helium)):
        gamma2 = charge**2 * RYDBERG_K / temperature
        share += abundance * charge**2 * _band_integral(u_low, u_high, gamma2, gaunt)
    table = np.log(np.maximum(share, 1e-300))
    table.flags.writeable = False
    return table


def emission(
    masses: FloatArray, density: FloatArray, temperature: FloatArray, electrons: FloatArray | float, *,
    scale_factor: float, band: Band | None, hydrogen_fraction: float, gaunt_factor: float | None,
) -> FloatArray:  # fmt: skip
    """Luminosity of good gas [erg/s]; the temperature and density must be finite, and 0 means none."""
    table = _log_gaunt_table(band, hydrogen_fraction, gaunt_factor)
    log_t = np.log10(np.maximum(temperature, 1.0))
    gaunt_sum = np.exp(np.interp(log_t, _LOG10_T, table))
    measure = emission_measure(
        masses, density, electrons, scale_factor=scale_factor, hydrogen_fraction=hydrogen_fraction
    )
    return np.asarray(FREE_FREE * np.sqrt(temperature) * gaunt_sum * measure)


def emission_measure(
    masses: FloatArray, density: FloatArray, electrons: FloatArray | float, *, scale_factor: float,
    hydrogen_fraction: float,
) -> FloatArray:  # fmt: skip
    """n_e n_H V of good gas [cm^-3], with n_H that of the ionised gas alone."""
    full = full_electron_abundance(hydrogen_fraction)
    ionised = np.minimum(electrons / full, 1.0)  # charge neutrality: fewer electrons, fewer ions in proportion
    # n_e n_H V = x_e n_H^2 (m / rho) = x_e (X / m_H)^2 rho m with rho proper in g/cm^3 and m in g
    per_mass_density = (hydrogen_fraction / HYDROGEN_MASS_G * units.MSUN_G) ** 2 / (units.MPC_CM * scale_factor) ** 3
    return np.asarray(per_mass_density * density * masses * electrons * ionised)


def bremsstrahlung_luminosity(
    masses: ArrayLike,
    density: ArrayLike,
    temperature: ArrayLike,
    electron_abundance: ArrayLike | None = None,
    *,
    scale_factor: float,
    band: Band | None = None,
    redshift: float = 0.0,
    hydrogen_fraction: float = HYDROGEN_FRACTION,
    gaunt_factor: float | None = None,
) -> FloatArray:
    r"""Compute the X-ray luminosity of gas particles from thermal bremsstrahlung.

    :math:`L = C \sqrt T\, n_e \sum_i n_i Z_i^2 \int e^{-u} g(u, Z_i^2 Ry / kT)\, du \; m / \rho`, with u = E / kT over
    the band, C = 1.4256e-27 erg cm^3 s^-1 K^-1/2 and the ions H+ and He++: the integral over frequency of the
    emissivity of [1]_.

    Parameters
    ----------
    masses : array_like of float, shape (n,)
        Gas mass of each particle [Msun], >= 0.
    density : array_like of float, shape (n,)
        Comoving mass density at each particle [Msun / (comoving Mpc)^3].
    temperature : array_like of float, shape (n,)
        [K]. 0 gives no emission.
    electron_abundance : array_like of float, shape (n,), optional
        Electrons per hydrogen nucleus, n_e / n_H. Default: fully ionised hydrogen and helium, with a `DataWarning`.
        Where it is lower, the ions are fewer in the same proportion (charge neutrality).
    scale_factor : float
        Turns the comoving density into the proper one, rho / a^3.
    band : (float, float), optional
        Photon energies [keV] as observed. Default: all energies (bolometric).
    redshift : float
        The photons seen in `band` left at energies 1 + redshift times higher; their luminosity at the source is
        returned, so that the flux in the observed band is L / (4 pi d_L^2). 0: the band is that of the source.
    hydrogen_fraction : float
        Mass fraction of hydrogen; the rest is helium.
    gaunt_factor : float, optional
        A constant in place of the Gaunt factor of `free_free_gaunt`; 1.2 is the textbook value, good to 20 %.

    Returns
    -------
    ndarray of float64, shape (n,)
        Luminosity at the source [erg/s]. 0 where density or temperature is not finite or negative, or the density is
        0, with a `DataWarning` that counts them.

    Raises
    ------
    ArrayError, DTypeError, BadInputError, DomainError, UnitError

    Notes
    -----
    Lines and recombination are left out: below about 2 keV they outshine bremsstrahlung, so that the soft band of
    galaxy groups comes out too faint. Accuracy of the formula: that of the Gaunt factor, 0.7 %; of the table in
    temperature it is read from: 1e-4 where E < 10 kT. Cost: O(n); memory for the result and a few arrays of 131,072.

    References
    ----------
    .. [1] Rybicki & Lightman 1979, Radiative Processes in Astrophysics, eq. 5.14a.

    Examples
    --------
    A mass of 1e13 Msun at 5 keV and 1e14 Msun / Mpc^3 (n_e about 3.5e-3 / cm^3):

    >>> L = bremsstrahlung_luminosity([1e13], [1e14], [5.8e7], [1.158], scale_factor=1.0)
    >>> print(f"{L[0]:.2e}")
    5.41e+44
    """
    mass = check.float_array(masses, "masses", (None,), unit="Msun")
    check.check_finite(mass, "masses")
    check.check_not_negative(mass, "masses")
    n = mass.size
    rho = check.float_array(density, "density", (n,), unit="Msun / Mpc3")
    kelvin = check.float_array(temperature, "temperature", (n,), unit="K")
    x_hydrogen = check.number(hydrogen_fraction, "hydrogen_fraction", above=0, high=1)
    electrons = electrons_or_default(electron_abundance, n, x_hydrogen)
    a = check.number(scale_factor, "scale_factor", above=0)
    z = check.number(redshift, "redshift", above=-1)
    limits = _check_band(band)
    emitted = limits if limits is None else (limits[0] * (1 + z), limits[1] * (1 + z))
    constant = None if gaunt_factor is None else check.number(gaunt_factor, "gaunt_factor", above=0)

    out, dead = np.zeros(n), 0
    for first in range(0, n, BLOCK):
        rows = slice(first, first + BLOCK)
        m, d, t, x = (np.asarray(v[rows], np.float64) for v in (mass, rho, kelvin, electrons))
        good = np.isfinite(d) & (d > 0) & np.isfinite(t) & (t >= 0) & np.isfinite(x) & (x >= 0)
        dead += int(good.size - good.sum())
        d, t, x = (np.where(good, v, 0.0) for v in (d, t, x))
        out[rows] = emission(m, d, t, x, scale_factor=a, band=emitted, hydrogen_fraction=x_hydrogen,
                             gaunt_factor=constant)  # fmt: skip
    warn_dead(dead, n, "density, temperature or electron abundance", "bremsstrahlung_luminosity")
    return out
