"""Row E3-jeans: posteriors by the Jeans equation, and the same likelihood for one cluster and mass at a time."""

from __future__ import annotations

import numpy as np

import clustermass as cm
from clustermass.cosmology import PLANCK_2018
from clustermass.models.classical.jeans import concentration_prior
from clustermass.models.classical.jeans_profiles import JeansModel
from clustermass.models.classical.phase_space_lattice import LOG10_MASS, scales

from .arms import Arm, Row

CLUSTERS, GALAXIES, PLAIN = 400, 50, 2
CONCENTRATIONS, BETAS = [2.8, 4.0, 5.6], [0.0, 0.3, 0.6]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
FEW = {"concentrations": CONCENTRATIONS, "tracer_ratios": [0.6], "anisotropy_values": BETAS, "interlopers": "none"}


def gaussian_clusters(n):
    """Galaxies with Gaussian velocities in cylinders of 1.6 Mpc and 3000 km/s."""
    rng = np.random.default_rng(9)
    size = n * GALAXIES
    sigma = np.repeat(rng.uniform(300, 1000, n), GALAXIES)
    return cm.ClusterSample(
        names=np.arange(n).astype(str), offsets=np.arange(n + 1) * GALAXIES, x=1.6 * rng.uniform(0.04, 1, size),
        y=np.zeros(size), velocity=np.clip(rng.normal(0, sigma), -2999, 2999), redshift=np.full(n, 0.1),
        cosmology=PLANCK_2018, max_radius=np.full(n, 1.6), max_velocity=np.full(n, 3000.0),
    )  # fmt: skip


def plain(sample, rows):
    """log10 of the mean mass of each cluster: sums over the line of sight for every galaxy, model and mass."""
    models = [[JeansModel(c, 0.6 * c, "tiret", beta) for beta in BETAS] for c in CONCENTRATIONS]
    grid = np.geomspace(1e-3, 17, 200)
    dispersions = [[np.log(model.sigma_r2(grid)) for model in row] for row in models]
    prior = concentration_prior(CONCENTRATIONS, sample.redshift[:1], sample.cosmology)[:, 0]
    r200, v200 = (float(unit[0]) for unit in scales(sample.redshift[:1], sample.cosmology))
    rings = np.geomspace(0.05, 1.6, 60)
    found = []
    for row in rows:
        galaxies = slice(sample.offsets[row], sample.offsets[row + 1])
        logs = np.empty((LOG10_MASS.size, 3, 3))
        for k in range(LOG10_MASS.size):
            growth = 10 ** (0.01 * k)
            x, speed = sample.x[galaxies] / (r200 * growth), np.abs(sample.velocity[galaxies]) / (v200 * growth)
            for i in range(3):
                for j in range(3):
                    number, s2 = sight(models[i][j], x, grid, dispersions[i][j])
                    g = (number * np.exp(-0.5 * speed[:, None] ** 2 / s2) / np.sqrt(2 * np.pi * s2)).sum(axis=1)
                    ring = rings / (r200 * growth)
                    surface = sight(models[i][j], ring, grid, dispersions[i][j])[0].sum(axis=1)
                    norm = np.trapezoid(2 * np.pi * ring**2 * surface, np.log(ring)) * growth**3
                    logs[k, i, j] = np.log(np.maximum(g, 1e-300)).sum() - x.size * np.log(norm) + prior[i, k]
        weight = np.exp(logs - logs.max()).sum(axis=(1, 2))
        found.append((weight * LOG10_MASS).sum() / weight.sum())
    return np.array(found)


def sight(model, x, grid, log_s2):
    reach = np.arccosh(np.maximum(16.0 / x, 1.0))[:, None]
    stretch = np.cosh(0.5 * reach * (1 + NODES))
    r = x[:, None] * stretch
    s2 = np.exp(np.interp(np.log(r), np.log(grid), log_s2))
    return reach * WEIGHTS * model.tracers(r) * r, (1 - model.beta(r) / stretch**2) * s2


def e3_jeans():
    sample = gaussian_clusters(CLUSTERS)
    whole, few = cm.make_estimator("jeans"), cm.make_estimator("jeans", **FEW)
    want = plain(sample, range(PLAIN))
    whole.predict(sample)  # makes the tables, which a process keeps

    def mean(posterior):
        got = np.trapezoid(posterior.density * posterior.grid, posterior.grid, axis=1)[:PLAIN]
        np.testing.assert_allclose(got, want, atol=0.01)

    def same(found):
        np.testing.assert_array_equal(found, want)

    ours = [
        Arm("clustermass, the same 9 models", lambda: few.predict(sample), CLUSTERS, check=mean),
        Arm("clustermass, the 360 of the defaults", lambda: whole.predict(sample), CLUSTERS),
    ]
    peers = [Arm("NumPy, one cluster at a time", lambda: plain(sample, range(PLAIN)), PLAIN, check=same)]
    return Row("E3-jeans", f"posteriors by the Jeans equation, {GALAXIES} galaxies a cluster", "clusters", ours, peers,
               bars={"NumPy, one cluster at a time": 10.0})  # fmt: skip
