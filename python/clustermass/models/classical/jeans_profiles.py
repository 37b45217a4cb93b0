"""Spherical Jeans equation of NFW tracers in an NFW mass, in virial units, and what it looks like in projection.

Virial units: lengths in R200c, velocities in V200 = sqrt(G M200c / R200c) = 10 H(z) R200c, masses in M200c, numbers of
tracers in those within R200c. Nothing here depends on a mass then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import DomainError
from ...nfw import enclosed

FloatArray = NDArray[np.float64]
ANISOTROPIES = ("constant", "mamon-lokas", "osipkov-merritt", "tiret")
#: the line of sight ends here [R200c]; the sphere of 25 Mpc of MAMPOSSt for a cluster of 4e14 Msun
OUTER = 16.0
#: nodes along the line of sight: numbers to 1e-6 at all radii
_NODES_U, _WEIGHTS_U = np.polynomial.legendre.leggauss(32)
_LEGENDRE = np.polynomial.legendre.leggauss(20)
#: panels in ln(s / r) of the Jeans integral, which falls at least like s^-2
_PANELS = (0.0, 1.0, 2.5, 5.0, 9.0, 16.0)


def _panels(edges: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    nodes, weights = _LEGENDRE
    half = 0.5 * np.diff(edges)[:, None]
    return (np.asarray(edges[:-1])[:, None] + half * (1.0 + nodes)).ravel(), (half * weights).ravel()


_NODES_Y, _WEIGHTS_Y = _panels(_PANELS)


@dataclass(frozen=True)
class JeansModel:
    """One halo with its tracers, in virial units.

    Parameters
    ----------
    concentration : float
        R200c over the scale radius of the mass.
    tracer_concentration : float
        R200c over the scale radius of the tracers.
    anisotropy : {"constant", "mamon-lokas", "osipkov-merritt", "tiret"}
        beta(r) = value; r / (2 (r + value)); r^2 / (r^2 + value^2); value r / (r + r_s), with r_s of the mass.
    value : float
        beta, the anisotropy radius [R200c], or beta at infinity. ``("constant", 0)`` is isotropic.

    Raises
    ------
    DomainError
        If a concentration or a radius is not above zero, or a beta is not below one or not above -10.
    """

    concentration: float
    tracer_concentration: float
    anisotropy: str = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        check.number(self.concentration, "concentration", above=0)
        check.number(self.tracer_concentration, "tracer_concentration", above=0)
        check.choice(self.anisotropy, "anisotropy", ANISOTROPIES)
        if self.anisotropy in ("constant", "tiret"):
            if not check.number(self.value, "value", low=-10) < 1:
                raise DomainError(f"`value` of {self.anisotropy} anisotropy must be below 1, got {self.value}")
        else:
            check.number(self.value, "value", above=0)

    def beta(self, r: FloatArray) -> FloatArray:
        """1 - sigma_theta^2 / sigma_r^2."""
        if self.anisotropy == "constant":
            return np.full_like(r, self.value)
        if self.anisotropy == "mamon-lokas":
            return np.asarray(0.5 * r / (r + self.value))
        if self.anisotropy == "osipkov-merritt":
            return np.asarray(r**2 / (r**2 + self.value**2))
        return np.asarray(self.value * r / (r + 1.0 / self.concentration))

    def kernel(self, s: FloatArray, r: FloatArray) -> FloatArray:
        """exp(2 int_r^s beta dt / t) (Mamon, Biviano & Boue 2013, MNRAS 429, 3079, section 2)."""
        if self.anisotropy == "constant":
            return np.asarray((s / r) ** (2.0 * self.value))
        if self.anisotropy == "mamon-lokas":
            return np.asarray((s + self.value) / (r + self.value))
        if self.anisotropy == "osipkov-merritt":
            return np.asarray((s**2 + self.value**2) / (r**2 + self.value**2))
        scale = 1.0 / self.concentration
        return np.asarray(((s + scale) / (r + scale)) ** (2.0 * self.value))

    def tracers(self, r: FloatArray) -> FloatArray:
        """Number density of tracers [1 / R200c^3], one within R200c."""
        c = self.tracer_concentration
        return np.asarray(c**3 / (4.0 * np.pi * enclosed(c)) / (c * r * (1.0 + c * r) ** 2))

    def mass(self, r: FloatArray) -> FloatArray:
        """Mass within r [M200c]."""
        return np.asarray(enclosed(self.concentration * r) / enclosed(self.concentration))

    def sigma_r2(self, r: FloatArray) -> FloatArray:
        """Radial velocity dispersion squared [V200^2]: 1/nu int_r^inf exp[2 int_r^s beta dt/t] nu G M / s^2 ds."""
        at = np.asarray(r, np.float64)[..., None]
        s = at * np.exp(_NODES_Y)
        inside = self.kernel(s, at) * self.tracers(s) * self.mass(s) / s
        return np.asarray((inside * _WEIGHTS_Y).sum(axis=-1) / self.tracers(np.asarray(r, np.float64)))

    def sight(self, radius: FloatArray, outer: float = OUTER) -> tuple[FloatArray, FloatArray]:
        """Line of sight at projected radii (n,), up to a sphere: tracers per area and sigma_z^2 at each node, (n, k).

        With r = R cosh u, dz = R cosh u du and both sides: tracers of node i are 2 nu(r_i) R cosh(u_i) w_i (MAMPOSSt,
        `gwenu`); sigma_z^2 = (1 - beta R^2 / r^2) sigma_r^2. Nothing where R is beyond the sphere.
        """
        reach = np.arccosh(np.maximum(outer / radius, 1.0))
        u = 0.5 * reach[:, None] * (1.0 + _NODES_U)
        stretch = np.cosh(u)
        r = radius[:, None] * stretch
        number = reach[:, None] * _WEIGHTS_U * self.tracers(r) * radius[:, None] * stretch
        return number, (1.0 - self.beta(r) / stretch**2) * self.sigma_r2(r)

    def sigma_los2(self, radius: FloatArray, outer: float = OUTER) -> FloatArray:
        """Line-of-sight velocity dispersion squared at projected radii [V200^2]."""
        number, sigma2 = self.sight(radius, outer)
        return np.asarray((number * sigma2).sum(axis=1) / number.sum(axis=1))


def phase_density(model: JeansModel, radius: FloatArray, speed: FloatArray, outer: float = OUTER) -> FloatArray:
    """Projected phase space of tracers whose velocities are Gaussian in three dimensions, in virial units.

    Parameters
    ----------
    model : JeansModel
        Halo and tracers.
    radius, speed : (n,) and (m,) float64
        R [R200c] and |v| [V200].
    outer : float
        Radius of the sphere where the line of sight ends [R200c].

    Returns
    -------
    (n, m) float64
        Tracers per area and velocity of either sign, g(R, v) = int nu / (sqrt(2 pi) sigma_z) exp(-v^2 / 2 sigma_z^2)
        dz (Mamon, Biviano & Boue 2013, equation 11; MG-MAMPOSSt, `gwenu`).
    """
    number, sigma2 = model.sight(radius, outer)
    height = number / np.sqrt(2.0 * np.pi * sigma2)
    rate = -0.5 / sigma2
    squared = speed**2
    out = np.zeros((radius.size, speed.size))
    part = np.empty_like(out)
    for k in range(number.shape[1]):
        np.multiply(rate[:, k, None], squared, out=part)
        np.exp(part, out=part)
        part *= height[:, k, None]
        out += part
    return out


def infall_density(radius: FloatArray, speed: FloatArray) -> FloatArray:
    """Like `phase_density`: what lies in front of and behind the virial sphere and moves with it, for R < R200c.

    The Gaussian part of the template of Mamon, Biviano & Murante 2010, A&A 520, A30: A exp[-(v/s)^2 / 2], log10 A =
    -1.061 + 0.364 X^2 - 0.580 X^4 + 0.533 X^6, s = 0.612 - 0.0653 X^2, per unit of |v|: that makes interlopers 23 % of
    all within R200c, which is what the abstract says. Here half of it on each side.
    """
    x2 = radius[:, None] ** 2
    sigma = 0.612 - 0.0653 * x2
    peak = 0.5 * 10.0 ** (-1.061 + x2 * (0.364 + x2 * (-0.580 + 0.533 * x2)))
    return np.asarray(peak * np.exp(-0.5 * (speed / sigma) ** 2))
