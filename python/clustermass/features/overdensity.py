"""M200c from another spherical-overdensity mass, through an NFW profile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import NEWTON
from ..cosmology import Cosmology

FloatArray = NDArray[np.float64]


def critical_density(cosmology: Cosmology, redshift: float) -> float:
    """Critical density at a redshift [Msun per comoving Mpc^3]."""
    hubble = 100.0 * cosmology.h * float(cosmology.expansion(redshift))  # km/s/Mpc, proper
    return 3.0 * hubble**2 / (8.0 * np.pi * NEWTON) / (1.0 + redshift) ** 3


def radius_200c(m200c: FloatArray, cosmology: Cosmology, redshift: float) -> FloatArray:
    """R200c [comoving Mpc] of M200c [Msun]."""
    return np.asarray(np.cbrt(3.0 * m200c / (800.0 * np.pi * critical_density(cosmology, redshift))))


def m200c_from(
    mass: FloatArray, radius: FloatArray, scale_radius: Any, cosmology: Cosmology, redshift: float
) -> FloatArray:
    """M200c [Msun] of NFW haloes with `mass` [Msun] within `radius`, and `scale_radius` [both comoving Mpc].

    The radius within which the mean density is 200 times critical is found by bisection in its logarithm. Zero where
    mass or radius are not above zero.

    Examples
    --------
    Haloes of 200 times the critical density already:

    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> mass = np.array([1e14, 1e15])
    >>> r = radius_200c(mass, planck, 0.1)
    >>> np.allclose(m200c_from(mass, r, r / 5, planck, 0.1), mass, rtol=1e-12)
    True
    """
    sphere = 800.0 * np.pi / 3.0 * critical_density(cosmology, redshift)
    scale = np.broadcast_to(np.asarray(scale_radius, np.float64), mass.shape)
    good = (mass > 0) & (radius > 0) & (scale > 0)
    m, r, s = mass[good], radius[good], scale[good]
    per_unit = m / _enclosed(r / s)
    low, high = np.log(r) - 10.0, np.log(r) + 10.0
    for _ in range(70):  # 20 / 2^70: beyond the precision of float64
        middle = 0.5 * (low + high)
        at = np.exp(middle)
        too_dense = per_unit * _enclosed(at / s) > sphere * at**3
        low, high = np.where(too_dense, middle, low), np.where(too_dense, high, middle)
    out = np.zeros(mass.shape)
    out[good] = sphere * np.exp(1.5 * (low + high))
    return out


def _enclosed(x: FloatArray) -> FloatArray:
    """Mass of an NFW profile within x scale radii, up to a factor."""
    return np.asarray(np.log1p(x) - x / (1.0 + x))
