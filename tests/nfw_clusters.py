"""Galaxies of isotropic NFW clusters in equilibrium, from the distribution function, for tests of estimators.

Units inside: scale radius 1, and G M = 1 for the mass 4 pi rho_s r_s^3. The escape velocity is that of the profile
without an end: sqrt(2 ln(1 + r) / r).
"""

from __future__ import annotations

import functools

import numpy as np

from clustermass import nfw
from clustermass.constants import NEWTON
from clustermass.data.cluster_sample import ClusterSample


def potential(r):
    """Depth Psi = ln(1 + r) / r."""
    return np.log1p(r) / r


@functools.cache
def distribution():
    """(E, f(E)) by Eddington's formula, f = sqrt(1/8) / pi^2 integral of d2rho/dPsi2 / sqrt(E - Psi) dPsi."""
    r = np.geomspace(1e-6, 1e6, 6000)
    slope = -(1 + 3 * r) / (4 * np.pi * r**2 * (1 + r) ** 3)  # of rho = 1 / (4 pi r (1 + r)^2)
    force = (1 / (1 + r) - potential(r)) / r  # dPsi / dr
    psi = potential(r)[::-1]
    second = np.gradient((slope / force)[::-1], psi)
    energy = np.concatenate([np.geomspace(1e-4, 0.5, 300), 1 - np.geomspace(0.5, 1e-4, 300)[1:]])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    t = np.sqrt(energy)[:, None] * 0.5 * (1 + nodes)  # Psi = E - t^2 takes the root away
    inner = np.interp(energy[:, None] - t**2, psi, second) * 2 * np.sqrt(energy)[:, None] * 0.5 * weights
    return energy, inner.sum(axis=1) / (np.sqrt(8) * np.pi**2)


def speeds(r, rng):
    """A speed for each radius, from p(v) ~ v^2 f(Psi(r) - v^2 / 2) by inversion on 200 nodes."""
    energy, f = distribution()
    share = np.linspace(0, 1, 200)
    depth = potential(r)
    e = depth[:, None] * (1 - share**2)
    p = share**2 * np.exp(np.interp(e, energy, np.log(np.maximum(f, 1e-300))))
    p[:, -1] = 0
    below = np.cumsum(0.5 * (p[:, 1:] + p[:, :-1]), axis=1)
    below = np.concatenate([np.zeros((r.size, 1)), below], axis=1) / below[:, -1:]
    u = rng.random(r.size)
    i = np.minimum((below < u[:, None]).sum(axis=1) - 1, share.size - 2).clip(0)
    rows = np.arange(r.size)
    part = (u - below[rows, i]) / (below[rows, i + 1] - below[rows, i])
    return (share[i] + part * (share[i + 1] - share[i])) * np.sqrt(2 * depth)


def galaxies(n, rng, reach):
    """R, v along the line of sight, r and v of n galaxies within `reach`, spheres of mass followed by numbers."""
    table = np.geomspace(1e-4, reach, 4000)
    r = np.interp(rng.random(n) * nfw.enclosed(reach), nfw.enclosed(table), table)
    v = speeds(r, rng)
    return r * np.sqrt(1 - rng.uniform(-1, 1, n) ** 2), v * rng.uniform(-1, 1, n), r, v


def sample(masses, n_galaxies, cosmology, *, redshift=0.05, concentration=5.0, seed=0, max_radius=5.0):
    """A `ClusterSample` of clusters of M200c [Msun], each with n galaxies out to 4 r200 in three dimensions."""
    rng = np.random.default_rng(seed)
    masses = np.asarray(masses, float)
    x, v = [], []
    for mass in masses:
        scale = nfw.radius_of_mass(mass, 200, cosmology, redshift) / concentration
        unit = np.sqrt(NEWTON * mass / nfw.enclosed(concentration) / (scale / (1 + redshift)))
        projected, along, _, _ = galaxies(n_galaxies, rng, 4 * concentration)
        x.append(projected * scale)
        v.append(along * unit)
    n = masses.size
    return ClusterSample(
        names=[str(i) for i in range(n)], offsets=np.arange(n + 1) * n_galaxies, x=np.concatenate(x),
        y=np.zeros(n * n_galaxies), velocity=np.concatenate(v), redshift=np.full(n, redshift), cosmology=cosmology,
        max_radius=np.full(n, max_radius), max_velocity=np.full(n, 5000.0), log10_m200c=np.log10(masses),
    )  # fmt: skip
