"""Galaxies of isotropic spheres in equilibrium: Plummer's, and NFW haloes that end at R200c."""

from __future__ import annotations

import numpy as np

from clustermass.constants import NEWTON
from clustermass.nfw import concentration, enclosed, radius_of_mass


def directions(rng, shape):
    cosine, angle = rng.uniform(-1, 1, shape), rng.uniform(0, 2 * np.pi, shape)
    sine = np.sqrt(1 - cosine**2)
    return sine * np.cos(angle), sine * np.sin(angle), cosine


def plummer(rng, n_clusters, n, mass=1e15, scale=0.3):
    """x, y [proper Mpc] and line-of-sight velocity [km/s], (clusters, n), about their own mean place (Aarseth, Henon &
    Wielen 1974, A&A 37, 183)."""
    shape = n_clusters, n
    r = 1 / np.sqrt(rng.random(shape) ** (-2 / 3) - 1)
    x, y, _ = directions(rng, shape)
    share = np.sqrt(rng.beta(1.5, 4.5, shape))  # of the escape velocity: density v^2 (1 - v^2)^(7/2)
    velocity = share * np.sqrt(2) * (1 + r * r) ** -0.25 * rng.uniform(-1, 1, shape)
    x, y = (scale * r * side for side in (x, y))
    centred = (side - side.mean(axis=1, keepdims=True) for side in (x, y))
    return *centred, velocity * np.sqrt(NEWTON * mass / scale)


def nfw(rng, m200c, n, cosmology, redshift):
    """x, y [comoving Mpc] and velocity [km/s], (clusters, n), of members within R200c of isotropic NFW haloes."""
    c = concentration(m200c, cosmology, redshift)[:, None]
    r200c = radius_of_mass(m200c, 200.0, cosmology, redshift)[:, None]
    table = np.geomspace(1e-4, 1e4, 40_001)
    mass = enclosed(table)
    s = (rng.random((m200c.size, n)) * enclosed(c)).ravel()
    s = np.interp(s, mass, table).reshape(m200c.size, n)
    slope = mass / (table**3 * (1 + table) ** 2)
    outside = np.cumsum((0.5 * (slope[1:] + slope[:-1]) * np.diff(table))[::-1])[::-1]
    variance = np.append(outside, 0.0) * table * (1 + table) ** 2  # of one component, in G M / (r_s m(c))
    sigma = np.sqrt(np.interp(s, table, variance) / enclosed(c) * NEWTON * m200c[:, None] * c / r200c * (1 + redshift))
    x, y, _ = directions(rng, s.shape)
    return x * s * r200c / c, y * s * r200c / c, rng.normal(0, sigma)
