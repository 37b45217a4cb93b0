"""The universe of the demonstration: clusters on the peaks of a cosmic web, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...constants import full_electron_abundance
from .clusters import (
    Cluster,
    Particles,
    central_galaxy,
    draw_cluster,
    draw_dark_matter,
    draw_gas,
    galaxy_masses,
    galaxy_stars,
    join,
    satellites,
    smoothing_length,
)
from .profiles import Epoch
from .web import Web, highest_peaks, zeldovich_web

FloatArray = NDArray[np.float64]

EPOCH = Epoch(h=0.6777, omega_m=0.307115, omega_b=0.048206, redshift=0.07)  # MDPL2
BOX_SIZE = 100.0  # comoving Mpc
LOG10_MASSES = (15.0, 14.8, 14.6, 14.4, 14.25, 14.1, 13.95, 13.8)  # M200c [Msun]
_MERGERS = {1: 0.25, 4: 0.2}  # cluster -> mass of the halo that falls in, over its own
_SEPARATION = 18.0  # Mpc between clusters, so that none reaches into another
_SHARES = {"web": 0.26, "dark_matter": 0.31, "gas": 0.36, "stars": 0.07}  # of all particles
_FIELD_GALAXIES = 1200
_COLD_DENSITY = 1e16  # Msun / comoving Mpc^3 of star-forming gas, n_H about 0.4 / cm^3
_COLD_MASS = 5e8  # Msun

TYPES = ("gas", "dark_matter", "stars")


@dataclass(frozen=True)
class Universe:
    """Particles by type, and which cluster each belongs to.

    Attributes
    ----------
    particles : dict of str to Particles
        Fields in the internal units of the package.
    cluster : dict of str to ndarray of int64
        Row of `centres` that each particle was made for; -1 for the background.
    centres, velocities : ndarray of float64, shape (n_clusters, 3)
    """

    particles: dict[str, Particles]
    cluster: dict[str, NDArray[np.int64]]
    centres: FloatArray
    velocities: FloatArray


def _halos(main: Cluster, merger: float, rng: np.random.Generator) -> list[Cluster]:
    """The cluster itself, and the smaller one that falls into it, if any."""
    if merger == 0:
        return [main]
    away = rng.standard_normal(3)
    away /= np.linalg.norm(away)
    distance = rng.uniform(0.5, 0.8) * main.r200
    speed = 1.5 * main.dispersion(np.array([distance]))
    infall = main.velocity - speed * away
    return [main, draw_cluster(merger * main.m200, main.centre + distance * away, infall, main.epoch, rng)]


def _fill(
    halos: list[Cluster], n_dark: int, n_gas: int, star_mass: float, rng: np.random.Generator
) -> dict[str, Particles]:
    total = sum(h.m200 for h in halos)
    parts: dict[str, list[Particles]] = {name: [] for name in TYPES}
    for halo in halos:
        share = halo.m200 / total
        parts["dark_matter"].append(draw_dark_matter(halo, round(share * n_dark), rng))
        parts["gas"].append(draw_gas(halo, round(share * n_gas), rng))
        parts["stars"].append(galaxy_stars(satellites(halo, rng), star_mass, rng))
        parts["stars"].append(central_galaxy(halo, star_mass, rng))
    return {name: join(several) for name, several in parts.items()}


def _outside(positions: FloatArray, clusters: list[Cluster]) -> NDArray[np.bool_]:
    """Which positions no cluster reaches."""
    free = np.ones(len(positions), bool)
    for cluster in clusters:
        offset = positions - cluster.centre
        offset -= BOX_SIZE * np.round(offset / BOX_SIZE)
        free &= (offset**2).sum(axis=1) > cluster.sphere.radius[-1] ** 2
    return free


def _field_galaxies(web: Web, free: NDArray[np.bool_], star_mass: float, rng: np.random.Generator) -> Particles:
    """Stars of galaxies strewn over the dense parts of the web."""
    weight = np.where(free, web.overdensity, 0.0)
    host = rng.choice(weight.size, _FIELD_GALAXIES, p=weight / weight.sum())
    galaxies = {
        "positions": web.positions[host] + 0.3 * rng.standard_normal((host.size, 3)),
        "velocities": web.velocities[host] + 100.0 * rng.standard_normal((host.size, 3)),
        "masses": galaxy_masses(host.size, 10**10.2, rng),
    }
    return galaxy_stars(galaxies, star_mass, rng)


def _cold_gas(stars: Particles, rng: np.random.Generator) -> Particles:
    """Star-forming gas in galaxies: dense, on an effective equation of state, forming stars within 2 Gyr."""
    where = rng.choice(stars["masses"].size, min(400, stars["masses"].size), replace=False)
    n = where.size
    masses = np.full(n, _COLD_MASS)
    density = _COLD_DENSITY * rng.lognormal(0.0, 0.5, n)
    return {
        "positions": stars["positions"][where],
        "velocities": stars["velocities"][where],
        "masses": masses,
        "density": density,
        "temperature": np.full(n, 5e5),  # of the equation of state: no temperature, which is the point
        "smoothing_length": smoothing_length(masses, density),
        "star_formation_rate": masses / 2e9,
    }


def _background(web: Web, clusters: list[Cluster], mass: float) -> tuple[Particles, Particles]:
    """Dark matter and photoionised gas of the web, together of this mass [Msun], outside the clusters."""
    baryons = EPOCH.omega_b / EPOCH.omega_m
    free = _outside(web.positions, clusters)
    n_side = round(web.overdensity.size ** (1 / 3))
    gas_positions = (web.positions + 0.5 * BOX_SIZE / n_side) % BOX_SIZE  # between the dark matter, as codes set it up
    gas_free = _outside(gas_positions, clusters)
    dark = {
        "positions": web.positions[free],
        "velocities": web.velocities[free],
        "masses": np.full(free.sum(), (1 - baryons) * mass / free.sum()),
    }
    masses = np.full(gas_free.sum(), baryons * mass / gas_free.sum())
    density = web.overdensity[gas_free] * EPOCH.mean_density * baryons
    gas = {
        "positions": gas_positions[gas_free],
        "velocities": web.velocities[gas_free],
        "masses": masses,
        "density": density,
        "temperature": 1e4 * web.overdensity[gas_free] ** 0.6,  # photoionised: Hui & Gnedin 1997
        "smoothing_length": smoothing_length(masses, density),
        "star_formation_rate": np.zeros(masses.size),
    }
    return dark, gas


def draw_universe(n_particles: int, rng: np.random.Generator) -> Universe:
    """Draw the demonstration universe of about `n_particles` particles."""
    n_side = round((0.5 * _SHARES["web"] * n_particles) ** (1 / 3))
    web = zeldovich_web(n_side, BOX_SIZE, EPOCH, rng)
    peaks = highest_peaks(web, len(LOG10_MASSES), _SEPARATION)
    clusters = [
        draw_cluster(
            10**log_mass / (1.0 + _MERGERS.get(i, 0.0)), web.positions[peak], web.peak_velocity[peak], EPOCH, rng
        )
        for i, (log_mass, peak) in enumerate(zip(LOG10_MASSES, peaks, strict=True))
    ]
    # particles in proportion to the root of the mass: the small clusters are resolved, the large ones more so
    share = np.sqrt([c.m200 for c in clusters])
    share /= share.sum()
    stellar_mass = 8e13  # Msun in all, about
    star_mass = stellar_mass / (_SHARES["stars"] * n_particles)
    filled = [
        _fill(
            _halos(cluster, _MERGERS.get(i, 0.0), rng),
            round(_SHARES["dark_matter"] * n_particles * share[i]),
            round(_SHARES["gas"] * n_particles * share[i]),
            star_mass,
            rng,
        )
        for i, cluster in enumerate(clusters)
    ]
    field_stars = _field_galaxies(web, _outside(web.positions, clusters), star_mass, rng)
    cold = _cold_gas(field_stars, rng)
    bound = sum(float(part["masses"].sum()) for parts in filled for part in parts.values())
    bound += float(field_stars["masses"].sum() + cold["masses"].sum())
    dark, gas = _background(web, clusters, EPOCH.mean_density * BOX_SIZE**3 - bound)
    loose = {"gas": join([gas, cold]), "dark_matter": dark, "stars": field_stars}

    particles, owner = {}, {}
    for name in TYPES:
        parts = [f[name] for f in filled] + [loose[name]]
        labels = [*range(len(filled)), -1]
        particles[name] = join(parts)
        particles[name]["positions"] %= BOX_SIZE
        owner[name] = np.repeat(labels, [p["masses"].size for p in parts])
    hot = particles["gas"]["star_formation_rate"] == 0
    particles["gas"]["electron_abundance"] = np.where(hot, full_electron_abundance(), 0.5)
    return Universe(
        particles=particles,
        cluster=owner,
        centres=np.array([c.centre for c in clusters]) % BOX_SIZE,
        velocities=np.array([c.velocity for c in clusters]),
    )
