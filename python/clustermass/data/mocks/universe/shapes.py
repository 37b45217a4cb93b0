"""Shapes of haloes: axis ratios, orientation, and the velocity ellipsoid that holds a shape up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

INNER = 0.3  #: of the virial radius: where Allgood et al. 2006 measured shapes
OUTER_POWER = 2.0 / 3.0  #: axes at the virial radius are those inside to this power: rounder (an assumption)
TYPICAL = 0.5  #: of the virial radius, where half the galaxies lie: the shape that sets the velocity ellipsoid
ALIGNMENT = 2.0  #: concentration of the major axis about the axis of slowest collapse
_SCATTER, _LOWEST, _HIGHEST = 0.1, 0.2, 0.95


def mean_minor_axis(mvir: FloatArray, nonlinear_mass: float) -> FloatArray:
    """Mean ratio of minor to major axis at 0.3 Rvir: 0.54 (Mvir / M*)^-0.05 (Allgood et al. 2006, MNRAS 367, 1781).

    M* is the mass of peak height 1, in the unit of `mvir`. Calibrated for 9e11 < Mvir < 2e14 Msun/h, used beyond.
    """
    return np.asarray(0.54 * (mvir / nonlinear_mass) ** -0.05)


def draw_axes(mvir: FloatArray, nonlinear_mass: float, rng: np.random.Generator) -> FloatArray:
    """Axes at 0.3 Rvir, major first, product 1: (n, 3).

    Minor to major s about its mean with scatter 0.1 (Allgood et al. 2006), held to 0.2-0.95; minor to intermediate p
    from p(p | s) = 3 / (2 (1 - r)) (1 - ((2 p - 1 - r) / (1 - r))^2) on r = max(s, 0.5) < p < 1 (Jing & Suto 2002,
    ApJ 574, 538, eq. 18): massive haloes are more prolate than oblate.
    """
    s = mean_minor_axis(mvir, nonlinear_mass) + _SCATTER * rng.standard_normal(mvir.size)
    s = np.clip(s, _LOWEST, _HIGHEST)
    low = np.maximum(s, 0.5)
    # y = (2 p - 1 - r) / (1 - r) has density 3/4 (1 - y^2) on (-1, 1): the middle root of the cubic y^3 - 3 y + 4 u - 2
    y = 2.0 * np.sin(np.arcsin(2.0 * rng.random(mvir.size) - 1.0) / 3.0)
    q = s / (0.5 * (1.0 + low + (1.0 - low) * y))
    axes = np.stack([np.ones_like(s), q, s], axis=1)
    return np.asarray(axes / np.cbrt(q * s)[:, None])


def axis_power(radius: FloatArray | float) -> FloatArray:
    """Power to which the axes are raised at this radius over Rvir: 1 to 0.3, falling as ln r to 2/3 at 1 and beyond."""
    way = np.clip(np.log(np.asarray(radius) / INNER) / -np.log(INNER), 0.0, 1.0)
    return np.asarray(1.0 - (1.0 - OUTER_POWER) * way)


def velocity_axes(axes: FloatArray) -> FloatArray:
    """Root of sigma_i^2 / sigma^2 along each axis, mean square 1: (n, 3), by the tensor virial theorem.

    For mass on similar ellipsoids the potential energy tensor is proportional to a_i^2 A_i whatever the profile
    (Roberts 1962, ApJ 136, 1108; Binney & Tremaine 2008, eq. 2.144), with the A_i of a homogeneous ellipsoid, which
    are Carlson's integrals R_D. Without streaming the kinetic energy tensor is its half.
    """
    from scipy.special import elliprd

    square = axes**2
    others = [(1, 2), (2, 0), (0, 1)]
    pull = np.stack(
        [square[:, i] * elliprd(square[:, j], square[:, k], square[:, i]) for i, (j, k) in enumerate(others)], axis=1
    )
    return np.asarray(np.sqrt(pull / pull.mean(axis=1, keepdims=True)))


def draw_frames(tidal_axes: FloatArray | None, n: int, rng: np.random.Generator) -> FloatArray:
    """Directions of the axes, major first, as rows: (n, 3, 3).

    The major axis scatters about the axis of slowest collapse (`tidal_axes[:, 0]`; the minor axis about that of the
    fastest, `tidal_axes[:, 2]`): |cos| = 0.78 in the mean, as haloes of clusters in the shear field of simulations
    (Libeskind et al. 2013, MNRAS 428, 2489; Forero-Romero et al. 2014, MNRAS 443, 1090). None: at random.
    """
    noise = rng.standard_normal((2, n, 3))
    major, minor = noise
    if tidal_axes is not None:
        major = major + ALIGNMENT * tidal_axes[:, 0]
        minor = minor + ALIGNMENT * tidal_axes[:, 2]
    major = major / np.linalg.norm(major, axis=1, keepdims=True)
    minor = minor - (minor * major).sum(axis=1, keepdims=True) * major
    minor /= np.linalg.norm(minor, axis=1, keepdims=True)
    return np.stack([major, np.cross(minor, major), minor], axis=1)
