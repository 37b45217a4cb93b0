"""Published radial profiles of clusters, and a tabulated sphere to draw particles from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...constants import NEWTON
from ...cosmology import Cosmology

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Epoch:
    """A flat universe at one redshift."""

    h: float
    omega_m: float
    omega_b: float
    redshift: float

    @property
    def scale_factor(self) -> float:
        return 1.0 / (1.0 + self.redshift)

    @property
    def expansion(self) -> float:
        """E(z) = H(z) / H0."""
        return float(Cosmology(h=self.h, omega_m=self.omega_m).expansion(self.redshift))

    @property
    def matter_fraction(self) -> float:
        """Omega_m(z)."""
        return self.omega_m * (1.0 + self.redshift) ** 3 / self.expansion**2

    @property
    def critical_density(self) -> float:
        """[Msun / comoving Mpc^3]: the proper one times a^3."""
        hubble = 100.0 * self.h * self.expansion
        return 3.0 * hubble**2 / (8.0 * np.pi * NEWTON) * self.scale_factor**3

    @property
    def mean_density(self) -> float:
        """Of matter [Msun / comoving Mpc^3], the same at all times."""
        return self.matter_fraction * self.critical_density


def arnaud2010_pressure(x: FloatArray, m500: float, epoch: Epoch) -> FloatArray:
    """Electron pressure [keV/cm^3] at x = r / R500: the universal profile.

    Valid for 0.03 < x < 4 and M500 from 1e14 to 1e15 Msun, z < 0.2 (Arnaud et al. 2010, A&A 517, A92, eq. 11-13).
    """
    h70 = epoch.h / 0.7
    p0, c500, gamma, alpha, beta = 8.403 * h70**-1.5, 1.177, 0.3081, 1.0510, 5.4905
    shape = p0 * (c500 * x) ** -gamma * (1.0 + (c500 * x) ** alpha) ** ((gamma - beta) / alpha)
    mass = (m500 * h70 / 3e14) ** (2.0 / 3.0 + 0.12)
    return np.asarray(1.65e-3 * epoch.expansion ** (8.0 / 3.0) * mass * h70**2 * shape)


def pratt2022_density(x: FloatArray, m500: float, epoch: Epoch) -> FloatArray:
    """Electron density [cm^-3] at x = r / R500: the median profile with its scaling in mass and redshift.

    Measured for 0.01 < x < 1 and M500 > 1e14 Msun (Pratt et al. 2022, A&A 665, A24). Outside 1.8 R500 it is steepened
    here by (1 + (x / 1.8)^3)^(-1/2), the slope -3.8 that outskirts have (Ghirardini et al. 2019), since the fit ends.
    """
    h70 = epoch.h / 0.7
    # 500 rho_c(0) / (mu_e m_p), mu_e = 1.15 [cm^-3]: 9.204e-30 g/cm^3 is rho_c(0) for h70 = 1
    n500 = 500.0 * 9.204e-30 * h70**2 / (1.15 * 1.6726e-24)
    scale = epoch.expansion**2.09 * (m500 * h70 / 5e14) ** 0.22
    shape = 1.20 * (x / 0.28) ** -0.42 * (1.0 + (x / 0.28) ** 1.52) ** (-1.92 / 1.52)
    return np.asarray(n500 * scale * shape * (1.0 + (x / 1.8) ** 3) ** -0.5)


@dataclass(frozen=True)
class Sphere:
    """Mass as a function of radius, tabulated: to look up and to draw from.

    Attributes
    ----------
    radius, density : ndarray of float64, shape (k,)
        Rising radii [comoving Mpc] and the density there [Msun / comoving Mpc^3]; constant inside the first, nothing
        outside the last.
    """

    radius: FloatArray
    density: FloatArray

    @cached_property
    def enclosed(self) -> FloatArray:
        """Mass within each radius [Msun]."""
        r, rho = self.radius, self.density
        shells = np.diff(np.log(r)) * 0.5 * ((rho * r**3)[1:] + (rho * r**3)[:-1])
        core = rho[0] * r[0] ** 3 / 3.0
        return np.asarray(4.0 * np.pi * (core + np.concatenate([[0.0], np.cumsum(shells)])))

    def mass(self, radius: Any) -> FloatArray:
        """Mass within `radius` [Msun]."""
        return np.asarray(np.interp(radius, self.radius, self.enclosed))

    def overdensity_radius(self, density: float) -> float:
        """Radius within which the mean density is `density` [comoving Mpc]."""
        mean = self.enclosed / (4.0 / 3.0 * np.pi * self.radius**3)
        return float(np.exp(np.interp(-np.log(density), -np.log(mean), np.log(self.radius))))

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Radii of n particles of equal mass, shape (n,), one in each of n equal parts of the mass."""
        share = (np.arange(n) + rng.random(n)) / max(n, 1)  # stratified: less noise in the core than free draws
        return np.asarray(np.interp(share * self.enclosed[-1], self.enclosed, self.radius))

    def dispersion(self, tracer: FloatArray, scale_factor: float) -> FloatArray:
        """One-dimensional velocity dispersion [km/s] of an isotropic tracer of that density, by the Jeans equation."""
        r = self.radius
        pull = tracer * NEWTON * self.enclosed / r  # times d ln r
        steps = np.diff(np.log(r)) * 0.5 * (pull[1:] + pull[:-1])
        outer = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
        return np.asarray(np.sqrt(outer / tracer / scale_factor))


def nfw_sphere(m200: float, concentration: float, epoch: Epoch, reach: float = 3.0) -> Sphere:
    """A halo of mass m200 [Msun] within r200c: an NFW profile that is truncated as haloes in simulations are.

    The factor (1 + (r / r_t)^4)^-2 and r_t = 1.3 R200m, about 2 R200c here, are those of Diemer & Kravtsov 2014
    (ApJ 789, 1) for massive haloes. It ends at `reach` R200c.
    """
    r200 = (m200 / (4.0 / 3.0 * np.pi * 200.0 * epoch.critical_density)) ** (1.0 / 3.0)
    r = np.geomspace(1e-3, reach, 1200) * r200
    s = concentration * r / r200
    density = 1.0 / (s * (1.0 + s) ** 2) * (1.0 + (r / (2.0 * r200)) ** 4) ** -2
    unscaled = Sphere(r, density)
    return Sphere(r, density * m200 / float(unscaled.mass(r200)))
