"""The NFW profile in units of its scale radius: mass, draws, radii, potential (Navarro et al. 1997, ApJ 490, 493)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....nfw import enclosed as nfw_mass

__all__ = ["FloatArray", "draw_nfw", "nfw_mass", "nfw_potential", "overdensity_reach"]

FloatArray = NDArray[np.float64]

_X = np.geomspace(1e-5, 1e4, 4001)  # radii over the scale radius


def nfw_potential(x: FloatArray, concentration: FloatArray) -> FloatArray:
    """Potential at x = r / r_s in units of V200^2 (negative): -(c / m(c)) ln(1 + x) / x."""
    return np.asarray(-concentration / nfw_mass(concentration) * np.log1p(x) / x)


def draw_nfw(reach: FloatArray, share: FloatArray) -> FloatArray:
    """Radii over the scale radius that hold a `share` of the mass within `reach`, same shape.

    By linear interpolation of log x in log m(x): good to 1e-5.
    """
    return np.asarray(np.exp(np.interp(np.log(share * nfw_mass(reach)), _LOG_MASS, _LOG_X)))


def overdensity_reach(concentration: FloatArray, ratio: float) -> FloatArray:
    """r / r_s within which the mean density is `ratio` times that within r200c, where r200c / r_s = `concentration`."""
    mean = np.log(ratio * nfw_mass(concentration)) - 3.0 * np.log(concentration)
    return np.asarray(np.exp(np.interp(-mean, -_LOG_MEAN, _LOG_X)))


_LOG_X = np.log(_X)
_LOG_MASS = np.log(nfw_mass(_X))
_LOG_MEAN = _LOG_MASS - 3.0 * _LOG_X
