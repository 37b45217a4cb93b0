"""Distances of a flat or curved universe of matter and a cosmological constant, without any further package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import _validate as check
from . import units
from .errors import DomainError

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


@dataclass(frozen=True)
class Cosmology:
    """A universe of matter, a cosmological constant and curvature (no radiation).

    Parameters
    ----------
    h : float
        Hubble constant in units of 100 km/s/Mpc.
    omega_m : float
        Matter density today in units of the critical density.
    omega_lambda : float, optional
        Density of the cosmological constant; default ``1 - omega_m`` (flat).

    Raises
    ------
    DomainError
        For a density or a Hubble constant that cannot be.

    Notes
    -----
    Distances are in proper Mpc (no h) and agree with astropy to 1e-10 for z <= 10. Cost: 48 evaluations a redshift.

    Examples
    --------
    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> round(float(planck.angular_diameter_distance(0.05)), 3)
    208.52
    """

    h: float
    omega_m: float
    omega_lambda: float | None = None

    def __post_init__(self) -> None:
        check.number(self.h, "h", above=0, high=10)
        check.number(self.omega_m, "omega_m", above=0, high=10)
        if self.omega_lambda is None:
            object.__setattr__(self, "omega_lambda", 1.0 - self.omega_m)
        check.number(self.omega_lambda, "omega_lambda", low=-10, high=10)

    @property
    def _lambda(self) -> float:
        assert self.omega_lambda is not None  # filled in __post_init__
        return self.omega_lambda

    @property
    def _curvature(self) -> float:
        omega_k = 1.0 - self.omega_m - self._lambda
        return omega_k if abs(omega_k) > 1e-12 else 0.0

    def expansion(self, redshift: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """E(z) = H(z) / H0."""
        growth = 1.0 + np.asarray(redshift, np.float64)
        squared = self.omega_m * growth**3 + self._curvature * growth**2 + self._lambda
        return np.asarray(np.sqrt(squared))

    def comoving_distance(self, redshift: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Comoving distance along the line of sight [Mpc], same shape as `redshift`."""
        z = np.asarray(redshift, np.float64)
        if not (np.isfinite(z) & (z >= 0)).all():
            raise DomainError(f"`redshift` must be finite and not negative, got {redshift!r}")
        half = 0.5 * z[..., None]
        integral = (half * _WEIGHTS / self.expansion(half * (1.0 + _NODES))).sum(axis=-1)
        return np.asarray(units.SPEED_OF_LIGHT / (100.0 * self.h) * integral)

    def transverse_distance(self, redshift: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Comoving distance across the line of sight [Mpc]: the same in a flat universe."""
        distance = self.comoving_distance(redshift)
        if self._curvature == 0:
            return distance
        radius = units.SPEED_OF_LIGHT / (100.0 * self.h) / np.sqrt(abs(self._curvature))
        bend = np.sinh if self._curvature > 0 else np.sin
        return np.asarray(radius * bend(distance / radius))

    def angular_diameter_distance(self, redshift: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Proper size over angle [Mpc/rad]."""
        return np.asarray(self.transverse_distance(redshift) / (1.0 + np.asarray(redshift)))

    def luminosity_distance(self, redshift: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance d with flux = luminosity / (4 pi d^2) [Mpc]."""
        return np.asarray(self.transverse_distance(redshift) * (1.0 + np.asarray(redshift)))


#: used when a file holds no cosmology (Planck 2018 VI, table 2, last column)
PLANCK_2018 = Cosmology(h=0.6766, omega_m=0.30966)
