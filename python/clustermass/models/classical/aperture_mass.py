"""From the mass within the sphere that galaxies fill to M200c; surface-pressure terms."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...nfw import concentration, enclosed, m200c_within, mass_of_radius, radius_of_mass

FloatArray = NDArray[np.float64]
_TURNS, _ACCURACY = 60, 1e-10
_DENSITIES = 0.1, 1e5  #: mean densities within the sphere that can be a cluster [critical densities]


@cache
def _surface_tables() -> tuple[FloatArray, FloatArray, FloatArray]:
    """ln(b / r_s), and the factors of the surface terms of an isotropic NFW halo: virial and projected mass."""
    grid = np.linspace(np.log(1e-3), np.log(1e5), 20_001)
    x = np.exp(grid)
    mass = enclosed(x)
    work = mass * x / (1 + x) ** 2  # per d ln x: minus the potential energy
    pressure = mass / (x * (1 + x)) ** 2  # per d ln x: of the Jeans equation
    step = grid[1] - grid[0]

    def cumulative(values: FloatArray) -> FloatArray:
        return np.concatenate([[0.0], np.cumsum(0.5 * step * (values[1:] + values[:-1]))])

    inner = cumulative(work)
    outer = cumulative(pressure)
    surface = x**3 * (outer[-1] - outer)
    return grid, inner / (inner + surface), 1.0 / (1.0 + 2.0 * x * surface / mass**2)


def virial_surface_factor(reach: Any) -> FloatArray:
    r"""Mass that the virial theorem gives with its surface term, over that without.

    ``1 - 4 pi b^3 rho(b) / M_tracer(b) [s_r(b) / s(b)]^2`` with s the three-dimensional dispersion within b (The &
    White 1986, AJ 92, 1248; Girardi et al. 1998, ApJ 505, 74, equation 8), for tracers that follow an NFW halo with
    isotropic orbits. By the virial theorem it is W / (W + S) with W minus the potential energy of the tracers within b
    and S the surface pressure times 4 pi b^3, which are integrated here.

    Parameters
    ----------
    reach : array_like of float
        b over the scale radius, from 0.001 to 30,000.

    Examples
    --------
    >>> virial_surface_factor([2.0, 4.0, 8.0]).round(2)
    array([0.68, 0.78, 0.86])
    """
    grid, factor, _ = _surface_tables()
    return np.asarray(np.interp(np.log(np.asarray(reach, np.float64)), grid, factor))


def projected_surface_factor(reach: Any) -> FloatArray:
    """The same of the projected mass ``32 / pi <v^2 R> / G``, for the same halo.

    The Jeans equation times r^4, integrated to b, gives ``4 <r s_r^2> = G <M(r)> + 4 pi b^4 rho(b) s_r(b)^2 / M(b)``;
    with <M(r)> = M(b) / 2 and <v^2 R> = (pi / 4) <r s_r^2> the factor is ``1 / (1 + 8 pi b^4 rho(b) s_r(b)^2 / (G
    M(b)^2))``.

    Parameters
    ----------
    reach : array_like of float
        b over the scale radius, from 0.001 to 30,000.

    Examples
    --------
    >>> projected_surface_factor([2.0, 4.0, 8.0]).round(2)
    array([0.56, 0.65, 0.73])
    """
    grid, _, factor = _surface_tables()
    return np.asarray(np.interp(np.log(np.asarray(reach, np.float64)), grid, factor))


def m200c_of_aperture(
    mass: FloatArray,
    radius: FloatArray,
    cosmology: Cosmology,
    redshift: FloatArray,
    surface_factor: Callable[[FloatArray], FloatArray] | None = None,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """M200c of clusters from the mass within a sphere, by NFW profiles of mean concentration.

    The M200c is the one whose NFW halo, with the concentration of its mass and redshift (`concentration`), holds the
    mass within the sphere, or that mass times the surface factor at the halo's scale radius. Both
    follow from each other and are found in turns.

    Parameters
    ----------
    mass : ndarray of float64, shape (n,)
        Msun; NaN, or a mean density within the sphere below 0.1 or above 1e5 times critical, gives NaN.
    radius : ndarray of float64, shape (n,)
        Of the sphere [comoving Mpc]; not above zero gives NaN.
    cosmology : Cosmology
        Of the critical density and the radii.
    redshift : ndarray of float64, shape (n,)
        Of the clusters.
    surface_factor : callable, optional
        What to multiply the mass by, as a function of the radius over the scale radius; default: nothing.

    Returns
    -------
    m200c : ndarray of float64, shape (n,)
        Msun.
    converged : ndarray of bool, shape (n,)
        Whether the turns ended.
    """
    out = np.full(mass.shape, np.nan)
    converged = np.zeros(mass.shape, np.bool_)
    critical = mass_of_radius(radius, 1.0, cosmology, redshift)
    good = np.flatnonzero((radius > 0) & (mass >= _DENSITIES[0] * critical) & (mass <= _DENSITIES[1] * critical))
    m, b, z = mass[good], radius[good], redshift[good]
    m200c = m.copy()
    left = np.arange(good.size)
    for _ in range(_TURNS):
        now = m200c[left]
        scale = radius_of_mass(now, 200.0, cosmology, z[left]) / concentration(now, cosmology, z[left])
        within = m[left] * surface_factor(b[left] / scale) if surface_factor else m[left]
        new = m200c_within(within, b[left], scale, cosmology, z[left])
        done = np.abs(new / now - 1) < _ACCURACY
        m200c[left] = new
        converged[good[left[done]]] = True
        left = left[~done]
        if left.size == 0:
            break
    out[good] = m200c
    return out, converged
