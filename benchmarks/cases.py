"""The frozen work of every benchmark: sizes, particles, images. Changing one makes old results incomparable."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np

from clustermass.cosmology import Cosmology

SHAPE = (120, 120)  # pixels; one pixel is 1 Mpc, so that positions are in pixels too
CHANNELS = 4
PARTICLES = 10_000_000  # P1 to P3
VIEW_PARTICLES, VIEWS = 1_000_000, 16  # P4
SPH_PARTICLES = 1_000_000  # P5
NFW_CONCENTRATION, NFW_RADIUS = 5.0, 55.0  # [pixel]; the brightest pixel then holds 0.35 % of the particles
SPH_MEDIAN, SPH_SPREAD_BELOW, SPH_SPREAD_ABOVE = 2.6, 0.68, 0.40  # support 0.85, 2.6, 5.0 pixels at 5, 50, 95 %
BEAM_IMAGES, BEAM_SIGMA = 2000, 2.5  # P6
BEAM_FWHM = BEAM_SIGMA * np.sqrt(8 * np.log(2))
CLUSTERS, RATES, DRAWS = 10_000, np.linspace(0.1, 1.0, 10), 10  # S1: 10 draws at each rate
RICHNESS, RICHNESS_SLOPE = (10, 764), -1.4  # mean 99: 54 million indices
KDE_CLUSTERS, KDE_CUBES = 2000, 64  # K1 to K3; K4. Richness as in S1
KDE_AXES = {
    1: [(-2200.0, 2200.0, 48)],
    2: [(-2200.0, 2200.0, 48), (0.0, 1.6, 48)],
    3: [(-4.0, 4.0, 50), (-4.0, 4.0, 50), (-2200.0, 2200.0, 50)],
}
SAMPLES = 5000  # E1
GALAXIES = (1_000_000, 10_000_000)  # L1 to L3
GALAXY_BOX = 1000.0 / 0.6777  # [Mpc]: 1 Gpc/h
HALO_RADIUS = 3.0  # [Mpc] of the largest halo
FASTEST = 7800.0  # [km/s]
LIGHTCONE = {"redshift": 0.117, "cosmology": Cosmology(h=0.6777, omega_m=0.307115), "max_velocity": 2200.0,
             "aperture": 1.6 / 0.6777}  # fmt: skip
SEEN_PER_LINE = {1_000_000: 93.03, 10_000_000: 377.69}  # galaxies that a line of sight selects


@cache
def nfw_positions(n):
    """NFW sphere in the middle of the field, float32 (n, 3) [pixel]."""
    rng = np.random.default_rng(1)
    x = np.linspace(0.0, NFW_CONCENTRATION, 20_001)
    mass = np.log1p(x) - x / (1 + x)
    radius = np.interp(rng.random(n) * mass[-1], mass, x) * (NFW_RADIUS / NFW_CONCENTRATION)
    height, azimuth = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    across = radius * np.sqrt(1 - height**2)
    positions = np.empty((n, 3), np.float32)
    positions[:, 0], positions[:, 1] = 60 + across * np.cos(azimuth), 60 + across * np.sin(azimuth)
    positions[:, 2] = 60 + radius * height
    return positions


@cache
def weights(n):
    """Four channels, float32 (n, 4)."""
    return np.random.default_rng(2).uniform(0.5, 1.5, (n, CHANNELS)).astype(np.float32)


@cache
def smoothing_lengths(n):
    """Radius of kernel support, float32 (n,) [pixel]: small in the middle, large outside."""
    radius = np.linalg.norm(nfw_positions(n) - np.float32(60), axis=1)
    rank = np.empty(n)
    rank[np.argsort(radius)] = (np.arange(n) + 0.5) / n
    table = np.linspace(0.5 / n, 1 - 0.5 / n, 2001)
    normal = np.array([NormalDist().inv_cdf(q) for q in table])
    log_h = np.where(normal < 0, SPH_SPREAD_BELOW, SPH_SPREAD_ABOVE) * normal
    return (SPH_MEDIAN * np.exp(np.interp(rank, table, log_h))).astype(np.float32)


def rotations(n):
    """Random lines of sight, (n, 3, 3): rows are the row axis, the column axis and the line of sight."""
    frames = np.linalg.qr(np.random.default_rng(3).normal(size=(n, 3, 3)))[0]
    return frames * np.linalg.det(frames)[:, None, None]


@cache
def images(n):
    """Flat noise between 0 and 1, float32 (n, 120, 120)."""
    return np.random.default_rng(4).random((n, *SHAPE), dtype=np.float32)


@cache
def cluster_offsets():
    """Clusters with a power law of richness; ragged offsets, int64."""
    richness = np.arange(RICHNESS[0], RICHNESS[1] + 1)
    share = richness**RICHNESS_SLOPE
    members = np.random.default_rng(5).choice(richness, CLUSTERS, p=share / share.sum())
    return np.concatenate([[0], np.cumsum(members)])


def draw_fractions():
    """The rate of each draw, (clusters, rates x draws)."""
    return np.broadcast_to(np.repeat(RATES, DRAWS), (CLUSTERS, RATES.size * DRAWS))


@cache
def kde_points(dims, n_clusters=KDE_CLUSTERS, dtype=np.float32):
    """Clusters of galaxies as (points, offsets): velocity; velocity and radius; or x, y and velocity. Every cluster has
    its own dispersion, middle and correlation of the axes (|rho| < 0.75)."""
    rng = np.random.default_rng(6)
    richness = np.arange(RICHNESS[0], RICHNESS[1] + 1)
    share = richness**RICHNESS_SLOPE
    members = rng.choice(richness, n_clusters, p=share / share.sum())
    offsets = np.concatenate([[0], np.cumsum(members)])
    clusters = []
    for n in members:
        spread = rng.uniform([300, 0.3, 0.3], [1000, 0.6, 0.6])
        rho = np.clip(rng.normal(0, 0.2, 3), -0.74, 0.74)
        z = rng.normal(size=(n, 3))
        v, x, y = z[:, 0], rho[0] * z[:, 0] + np.sqrt(1 - rho[0] ** 2) * z[:, 1], 0.2 * rho[1] * z[:, 0] + z[:, 2]
        clusters.append(np.clip(np.stack([v, x, y], axis=1) * spread, [-2200, -3.9, -3.9], [2200, 3.9, 3.9]))
    v, x, y = np.concatenate(clusters).T
    columns = {1: [v], 2: [v, np.clip(0.8 + x, 0.01, 1.59)], 3: [2 * x, 2 * y, v]}[dims]
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype), offsets


@cache
def galaxies(n):
    """Positions and velocities, float32 (n, 3) [comoving Mpc, km/s]: half of them in haloes, a tenth of these in the
    1,000 richest. One galaxy is so fast that lines of sight must be looked along for 100 Mpc/h either way."""
    rng = np.random.default_rng(7)
    n_haloes = n // 20
    share = (np.arange(n_haloes) + 20.0) ** -0.62
    host = np.sort(rng.choice(n_haloes, n // 2, p=share / share.sum()))
    radius = np.cbrt(share / share[0])[host] * HALO_RADIUS * rng.random(n // 2)  # density falls as 1/r^2
    direction = rng.normal(size=(n // 2, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centres, flow = rng.random((n_haloes, 3)) * GALAXY_BOX, rng.normal(0, 300, (n_haloes, 3))
    positions, velocities = rng.random((n, 3)) * GALAXY_BOX, rng.normal(0, 300, (n, 3))
    positions[: n // 2] = centres[host] + radius[:, None] * direction
    velocities[: n // 2] = flow[host] + rng.normal(0, 1, (n // 2, 3)) * 900 * np.cbrt(share / share[0])[host, None]
    velocities = np.clip(velocities, -4400, 4400)
    velocities[-1] = FASTEST, 0, 0
    order = rng.permutation(n)
    positions = np.float32(positions % GALAXY_BOX)
    positions[positions >= GALAXY_BOX] = 0
    return positions[order], np.float32(velocities)[order], centres[:1000].copy(), flow[:1000].copy()


def lines_of_sight(n):
    """Centres, velocities and random directions of three queries for each of the 1,000 richest haloes."""
    centres, flow = galaxies(n)[2:]
    lines = np.random.default_rng(8).normal(size=(3000, 3))
    return np.repeat(centres, 3, axis=0), np.repeat(flow, 3, axis=0), lines


@cache
def samples(n, dims):
    """n clusters of 50 galaxies, standardised (|v|, R) or |v| alone: float32 points (50 n, dims) and offsets."""
    rng = np.random.default_rng(9)
    width = np.repeat(rng.uniform(0.4, 1.6, n), 50)
    speed = np.abs(rng.normal(0, 1, 50 * n)) * width
    points = np.stack([speed, rng.gamma(2.0, 0.5, 50 * n) * np.cbrt(width)], axis=1)
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    return points[:, :dims].astype(np.float32), np.arange(0, 50 * n + 1, 50)
