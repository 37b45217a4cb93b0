"""Clusters whose galaxies are drawn from an NFW halo by the Jeans equation, for tests of what should find its mass."""

from __future__ import annotations

import numpy as np

from clustermass import ClusterSample
from clustermass.cosmology import PLANCK_2018
from clustermass.models.classical.jeans_profiles import JeansModel
from clustermass.nfw import enclosed, radius_of_mass

REDSHIFT = 0.1


def draw_sphere(model: JeansModel, n, rng, outer=16.0):
    """Radii, and velocities (radial, two tangential), Gaussian in three dimensions, in virial units."""
    grid = np.geomspace(1e-5, outer, 500)
    c = model.tracer_concentration
    r = np.exp(np.interp(rng.uniform(0, enclosed(c * outer), n), enclosed(c * grid), np.log(grid)))
    radial = np.sqrt(np.exp(np.interp(np.log(r), np.log(grid), np.log(model.sigma_r2(grid)))))
    tangential = radial * np.sqrt(1 - model.beta(r))
    return r, rng.normal(size=(n, 3)) * np.stack([radial, tangential, tangential], axis=1)


def project(r, v, rng):
    """Distance across and velocity along a random line of sight."""
    mu = rng.uniform(-1, 1, r.size)
    return r * np.sqrt(1 - mu**2), v[:, 0] * mu + v[:, 1] * np.sqrt(1 - mu**2)


def sample_of(log10_mass, counts, radius, velocity, max_radius, max_velocity, error=None):
    """Clusters from lists of radii [Mpc] and velocities [km/s]."""
    n = len(counts)
    return ClusterSample(
        names=[f"c{k}" for k in range(n)], offsets=np.concatenate([[0], np.cumsum(counts)]).astype(int),
        x=radius, y=np.zeros(radius.size), velocity=velocity, redshift=np.full(n, REDSHIFT), cosmology=PLANCK_2018,
        max_radius=np.full(n, max_radius), max_velocity=np.full(n, max_velocity),
        velocity_error=None if error is None else np.full(radius.size, error),
        log10_m200c=np.asarray(log10_mass, float), source="drawn",
    )  # fmt: skip


def draw_clusters(log10_mass, models, n_galaxies, rng, *, max_radius, max_velocity, min_radius=0.05, field=0.0,
                  error=None, sphere=draw_sphere):  # fmt: skip
    """Clusters with just `n_galaxies` in the cylinder, of which a share is field as the model of `Jeans` has it."""
    radii, speeds = [], []
    for mass, model in zip(log10_mass, models, strict=True):
        r200 = float(radius_of_mass(10.0**mass, 200.0, PLANCK_2018, REDSHIFT))
        v200 = 1000 * PLANCK_2018.h * float(PLANCK_2018.expansion(REDSHIFT)) * r200 / (1 + REDSHIFT)
        r, v = sphere(model, 20 * n_galaxies, rng)
        x, w = project(r, v, rng)
        per_galaxy = enclosed(model.tracer_concentration) / enclosed(16.0 * model.tracer_concentration)
        area = 2 * np.pi * (max_radius / r200) ** 2 * max_velocity / v200
        n_field = rng.poisson(field * area * r.size * per_galaxy)  # of a uniform background
        x = np.concatenate([x, max_radius / r200 * np.sqrt(rng.uniform(0, 1, n_field))]) * r200
        w = np.concatenate([w * v200, rng.uniform(-max_velocity, max_velocity, n_field)])
        if error is not None:
            w[: r.size] += rng.normal(0, error, r.size)
        seen = rng.permutation(np.flatnonzero((x > min_radius) & (x < max_radius) & (np.abs(w) < max_velocity)))
        assert seen.size >= n_galaxies
        radii.append(x[seen[:n_galaxies]])
        speeds.append(w[seen[:n_galaxies]])
    counts = np.full(len(radii), n_galaxies)
    return sample_of(log10_mass, counts, np.concatenate(radii), np.concatenate(speeds), max_radius, max_velocity, error)
