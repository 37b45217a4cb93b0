"""Spherical-overdensity masses and radii, and the NFW profile that converts one definition into another.

An overdensity counts in critical densities: M200c is the mass within the radius R200c, where the mean density is 200
times critical. For 200 times the mean density of matter give ``200 * omega_m * (1 + z)**3 / E(z)**2``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _validate as check
from .constants import NEWTON
from .cosmology import Cosmology

FloatArray = NDArray[np.float64]
_HALVINGS = 70  #: of a bracket 20 wide in a logarithm: 20 / 2^70 is beyond the precision of float64


def critical_density(cosmology: Cosmology, redshift: Any) -> FloatArray:
    """Critical density at a redshift [Msun per comoving Mpc^3], same shape as `redshift`."""
    hubble = 100.0 * cosmology.h * cosmology.expansion(redshift)  # km/s/Mpc, proper
    return np.asarray(3.0 * hubble**2 / (8.0 * np.pi * NEWTON) / (1.0 + np.asarray(redshift)) ** 3)


def enclosed(x: Any) -> FloatArray:
    """Mass of an NFW profile within x scale radii in units of 4 pi rho_s r_s^3: ln(1 + x) - x / (1 + x).

    Below x = 1e-3 by its series, where the difference would lose digits.
    """
    r = np.asarray(x, np.float64)
    series = r * r * (0.5 - r * (2.0 / 3.0 - 0.75 * r))
    return np.asarray(np.where(r < 1e-3, series, np.log1p(r) - r / (1.0 + r)))


def radius_of_mass(mass: ArrayLike, overdensity: float, cosmology: Cosmology, redshift: Any) -> FloatArray:
    """Radius [comoving Mpc] of the sphere that holds `mass` [Msun] at `overdensity` times the critical density.

    Examples
    --------
    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> round(float(radius_of_mass(1e15, 200.0, planck, 0.0)), 3)
    2.11
    """
    sphere = 4.0 * np.pi / 3.0 * overdensity * critical_density(cosmology, redshift)
    return np.asarray(np.cbrt(np.asarray(mass, np.float64) / sphere))


def mass_of_radius(radius: ArrayLike, overdensity: float, cosmology: Cosmology, redshift: Any) -> FloatArray:
    """Mass [Msun] of a sphere of `radius` [comoving Mpc] at `overdensity` times the critical density."""
    sphere = 4.0 * np.pi / 3.0 * overdensity * critical_density(cosmology, redshift)
    return np.asarray(sphere * np.asarray(radius, np.float64) ** 3)


def concentration(m200c: ArrayLike, cosmology: Cosmology, redshift: Any) -> FloatArray:
    """Mean concentration c200c of haloes of `m200c` [Msun].

    Equations 7, 10 and 11 of Dutton & Maccio 2014, MNRAS 441, 3359, measured in simulations with the Planck 2013
    cosmology at 0 <= z <= 5 for 1e10 to 1e15 Msun/h. The scatter is 0.11 dex.

    Examples
    --------
    >>> planck = Cosmology(h=0.671, omega_m=0.3175)
    >>> round(float(concentration(1e12 / 0.671, planck, 0.0)), 2)
    8.04
    """
    z = np.asarray(redshift, np.float64)
    at_pivot = 0.520 + (0.905 - 0.520) * np.exp(-0.617 * z**1.21)
    slope = -0.101 + 0.026 * z
    return np.asarray(10.0 ** (at_pivot + slope * np.log10(np.asarray(m200c, np.float64) * cosmology.h / 1e12)))


def convert_mass(
    mass: ArrayLike,
    from_overdensity: float,
    to_overdensity: float,
    cosmology: Cosmology,
    redshift: Any,
    concentration_200c: Any = None,
) -> FloatArray:
    """Mass [Msun] of NFW haloes in another definition.

    Parameters
    ----------
    mass : array_like of float, shape (n,)
        Msun. NaN stays NaN, zero stays zero.
    from_overdensity, to_overdensity : float
        Both in critical densities: 200 for M200c, 500 for M500c.
    cosmology : Cosmology
        Of the critical density.
    redshift : float or array_like, shape (n,)
        Of the haloes.
    concentration_200c : float or array_like, shape (n,), optional
        R200c over the scale radius; default: `concentration` of the M200c that comes out.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    DomainError
        If an overdensity is not above zero.

    Examples
    --------
    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> m500 = convert_mass([1e15], 200, 500, planck, 0.1)
    >>> np.round(m500 / 1e14, 2)
    array([6.95])
    >>> np.round(convert_mass(m500, 500, 200, planck, 0.1) / 1e15, 10)
    array([1.])
    """
    low = check.number(from_overdensity, "from_overdensity", above=0)
    high = check.number(to_overdensity, "to_overdensity", above=0)
    given = np.asarray(mass, np.float64)
    if low == high:
        return given.copy()
    good = given > 0
    z = np.broadcast_to(np.asarray(redshift, np.float64), given.shape)[good]
    m = given[good]
    if concentration_200c is None:
        m200c = m
        for _ in range(40):  # contracts by the slope of c(M), a tenth a turn
            c = concentration(m200c, cosmology, z)
            m200c = m * _share(c, 200.0, low)
    else:
        c = np.broadcast_to(np.asarray(concentration_200c, np.float64), given.shape)[good]
    out = given.copy()
    out[good] = m * _share(c, high, low)
    return out


def _share(c: FloatArray, overdensity: float, other: float) -> FloatArray:
    """Mass at an overdensity over the mass at another one, of haloes of concentration c = c200c."""
    return np.asarray(enclosed(_reach(c, overdensity / 200.0)) / enclosed(_reach(c, other / 200.0)))


def _reach(c: FloatArray, ratio: float) -> FloatArray:
    """r / r_s within which the mean density is `ratio` times that within c; by bisection of its logarithm."""
    if ratio == 1.0:
        return c
    wanted = ratio * enclosed(c) / c**3
    low, high = np.log(c) - 10.0, np.log(c) + 10.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        x = np.exp(middle)
        too_dense = enclosed(x) > wanted * x**3
        low, high = np.where(too_dense, middle, low), np.where(too_dense, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))


def m200c_within(
    mass: FloatArray, radius: FloatArray, scale_radius: Any, cosmology: Cosmology, redshift: Any
) -> FloatArray:
    """M200c [Msun] of NFW haloes with `mass` [Msun] within `radius`, and `scale_radius` [both comoving Mpc].

    The radius within which the mean density is 200 times critical is found by bisection in its logarithm. Zero where
    mass or radius are not above zero.

    Examples
    --------
    Haloes of 200 times the critical density already:

    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> mass = np.array([1e14, 1e15])
    >>> r = radius_of_mass(mass, 200.0, planck, 0.1)
    >>> np.allclose(m200c_within(mass, r, r / 5, planck, 0.1), mass, rtol=1e-12)
    True
    """
    sphere = np.broadcast_to(mass_of_radius(1.0, 200.0, cosmology, redshift), mass.shape)
    scale = np.broadcast_to(np.asarray(scale_radius, np.float64), mass.shape)
    good = (mass > 0) & (radius > 0) & (scale > 0)
    m, r, s, of_unit = mass[good], radius[good], scale[good], sphere[good]
    per_unit = m / enclosed(r / s)
    low, high = np.log(r) - 10.0, np.log(r) + 10.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        at = np.exp(middle)
        too_dense = per_unit * enclosed(at / s) > of_unit * at**3
        low, high = np.where(too_dense, middle, low), np.where(too_dense, high, middle)
    out = np.zeros(mass.shape)
    out[good] = of_unit * np.exp(1.5 * (low + high))
    return out
