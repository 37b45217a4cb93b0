"""Triaxial clusters of dark matter, gas in rough hydrostatic balance, and galaxies, as particles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...constants import (
    HYDROGEN_FRACTION,
    HYDROGEN_MASS_G,
    KEV_K,
    full_electron_abundance,
)
from ...units import MPC_CM, MSUN_G
from .profiles import Epoch, Sphere, arnaud2010_pressure, nfw_sphere, pratt2022_density

FloatArray = NDArray[np.float64]
Particles = dict[str, FloatArray]

VELOCITY_BIAS = 0.97  #: of galaxies against matter (TNG, Magneticum and The Three Hundred: Anbajagane et al. 2022)
NEIGHBOURS = 64  #: particles within a smoothing length
_CENTRE_X = 0.01  # r / R500 below which the profiles are held constant: no measurement reaches further in
_PRESSURE_SCATTER, _CORE_SCATTER = 0.10, 0.35  # ln of the normalisation; ln of the central density, cool cores or not
_STELLAR_SHARE = 0.015  # of the matter within r200c
_CORE = 0.1  # R500: size of a cool core


@dataclass(frozen=True)
class Cluster:
    """One halo to fill with particles.

    Attributes
    ----------
    m200 : float
        Aim [Msun]; the particles come close to it.
    centre, velocity : ndarray of float64, shape (3,)
        [comoving Mpc], [km/s].
    axes : ndarray of float64, shape (3,)
        Relative lengths of the axes of the dark matter, product 1.
    rotation : ndarray of float64, shape (3, 3)
        Its rows are the directions of the axes.
    """

    m200: float
    centre: FloatArray
    velocity: FloatArray
    axes: FloatArray
    rotation: FloatArray
    concentration: float
    pressure_boost: float
    core_boost: float
    epoch: Epoch
    sphere: Sphere = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sphere", nfw_sphere(self.m200, self.concentration, self.epoch))

    @property
    def r200(self) -> float:
        """[comoving Mpc]"""
        return self.sphere.overdensity_radius(200.0 * self.epoch.critical_density)

    @property
    def r500(self) -> float:
        """[comoving Mpc]"""
        return self.sphere.overdensity_radius(500.0 * self.epoch.critical_density)

    def dispersion(self, radius: FloatArray) -> FloatArray:
        """One-dimensional velocity dispersion of the matter [km/s]."""
        table = self.sphere.dispersion(self.sphere.density, self.epoch.scale_factor)
        return np.asarray(np.interp(radius, self.sphere.radius, table))

    def place(self, radius: FloatArray, roundness: float, rng: np.random.Generator) -> FloatArray:
        """Positions [comoving Mpc] at these ellipsoidal radii; axes to the power 1 - `roundness`."""
        direction = rng.standard_normal((radius.size, 3))
        direction *= (radius / np.linalg.norm(direction, axis=1))[:, None]
        return self.centre + (direction * self.axes ** (1.0 - roundness)) @ self.rotation


def draw_cluster(
    m200: float, centre: FloatArray, velocity: FloatArray, epoch: Epoch, rng: np.random.Generator
) -> Cluster:
    """A cluster of random concentration, shape, orientation, pressure and core.

    Concentration 4.2 (m200 / 3e14 Msun)^-0.08 with 0.145 dex of scatter (Bhattacharya et al. 2013); minor-to-major axis
    0.54 (m200 / 6e12 Msun)^-0.05 with scatter 0.1 (Allgood et al. 2006), rounder by a third since it is measured at
    0.3 R_vir; pressure with 10 % of scatter, central density with 35 %.
    """
    minor = float(np.clip(0.54 * (m200 / 6e12) ** -0.05 + 0.1 * rng.standard_normal(), 0.35, 0.9)) ** (2 / 3)
    axes = np.array([1.0, rng.uniform(minor, 1.0), minor])
    frame, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return Cluster(
        m200=m200,
        centre=centre,
        velocity=velocity,
        axes=axes / axes.prod() ** (1 / 3),
        rotation=frame,
        concentration=4.2 * (m200 / 3e14) ** -0.08 * 10 ** (0.145 * float(rng.standard_normal())),
        pressure_boost=float(np.exp(_PRESSURE_SCATTER * rng.standard_normal())),
        core_boost=_CORE_SCATTER * float(rng.standard_normal()),
        epoch=epoch,
    )


def smoothing_length(masses: FloatArray, density: FloatArray) -> FloatArray:
    """Radius that holds `NEIGHBOURS` particles of this mass at this density [comoving Mpc]."""
    return np.asarray(np.cbrt(3.0 * NEIGHBOURS * masses / (4.0 * np.pi * density)))


def draw_dark_matter(cluster: Cluster, n: int, rng: np.random.Generator) -> Particles:
    """n particles of equal mass: what gas and stars leave of the matter within r200c, on the profile of all matter."""
    radius = cluster.sphere.draw(n, rng)
    gas, _ = gas_profiles(cluster)
    share = 1.0 - float(gas.mass(cluster.r200)) / cluster.m200 - _STELLAR_SHARE
    return {
        "positions": cluster.place(radius, 0.0, rng),
        "velocities": cluster.velocity + cluster.dispersion(radius)[:, None] * rng.standard_normal((n, 3)),
        "masses": np.full(n, share * cluster.sphere.enclosed[-1] / max(n, 1)),
    }


def gas_profiles(cluster: Cluster) -> tuple[Sphere, FloatArray]:
    """Gas density and temperature [K] on the radii of the cluster: T = P_e / (k n_e)."""
    x = np.maximum(cluster.sphere.radius / cluster.r500, _CENTRE_X)
    m500 = float(cluster.sphere.mass(cluster.r500))
    electrons = pratt2022_density(x, m500, cluster.epoch) * np.exp(cluster.core_boost * np.exp(-((x / _CORE) ** 2)))
    kev = cluster.pressure_boost * arnaud2010_pressure(x, m500, cluster.epoch) / electrons
    per_electron = HYDROGEN_MASS_G / (HYDROGEN_FRACTION * full_electron_abundance())  # g of gas
    density = electrons * per_electron * MPC_CM**3 / MSUN_G * cluster.epoch.scale_factor**3
    return Sphere(cluster.sphere.radius, density), kev * KEV_K


def draw_gas(cluster: Cluster, n: int, rng: np.random.Generator) -> Particles:
    """n gas particles of equal mass, fully ionised; rounder than the matter, as the potential is."""
    sphere, temperature = gas_profiles(cluster)
    radius = sphere.draw(n, rng)
    density = np.exp(np.interp(radius, sphere.radius, np.log(sphere.density)))
    masses = np.full(n, sphere.enclosed[-1] / max(n, 1))
    stirred = 0.15 * cluster.dispersion(radius)[:, None] * rng.standard_normal((n, 3))
    return {
        "positions": cluster.place(radius, 0.6, rng),
        "velocities": cluster.velocity + stirred,
        "masses": masses,
        "density": density,
        "temperature": np.interp(radius, sphere.radius, temperature),
        "smoothing_length": smoothing_length(masses, density),
        "star_formation_rate": np.zeros(n),
    }


def galaxy_masses(n: int, lowest: float, rng: np.random.Generator) -> FloatArray:
    """Stellar masses [Msun] above `lowest` from a Schechter function of slope -1.1 and knee 10^10.9 Msun."""
    mass = np.geomspace(lowest, 10**12, 600)
    density = (mass / 10**10.9) ** -0.1 * np.exp(-mass / 10**10.9)  # per ln M
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.asarray(np.exp(np.interp(rng.random(n) * below[-1], below, np.log(mass))))


def satellites(cluster: Cluster, rng: np.random.Generator) -> Particles:
    """Galaxies above 10^9.5 Msun: 49 within r200c at m200 = 1e14 Msun/h, rising as m200^0.99 (Leauthaud et al. 2011),
    half as concentrated as the matter (Budzynski et al. 2012)."""
    tracer = nfw_sphere(cluster.m200, 0.5 * cluster.concentration, cluster.epoch)
    inside = 49.0 * (cluster.m200 * cluster.epoch.h / 1e14) ** 0.99
    n = int(rng.poisson(inside * tracer.enclosed[-1] / cluster.m200))
    radius = tracer.draw(n, rng)
    rng.shuffle(radius)
    speed = VELOCITY_BIAS * cluster.dispersion(radius)[:, None]
    return {
        "positions": cluster.place(radius, 0.0, rng),
        "velocities": cluster.velocity + speed * rng.standard_normal((n, 3)),
        "masses": galaxy_masses(n, 10**9.5, rng),
    }


def galaxy_stars(galaxies: Particles, particle_mass: float, rng: np.random.Generator) -> Particles:
    """Stars of galaxies: a Plummer ball each, scale 3 kpc (M / 5e10 Msun)^0.5, of particles near `particle_mass`."""
    masses = galaxies["masses"]
    counts = np.maximum(np.round(masses / particle_mass).astype(np.int64), 1)
    owner = np.repeat(np.arange(masses.size), counts)
    scale = 0.003 * np.sqrt(masses / 5e10)
    spread = 50.0 * (masses / 1e10) ** 0.25  # km/s, Faber & Jackson 1976
    n = owner.size
    radius = scale[owner] / np.sqrt((rng.random(n) * 0.95 + 1e-6) ** (-2 / 3) - 1.0)
    direction = rng.standard_normal((n, 3))
    direction *= (radius / np.linalg.norm(direction, axis=1))[:, None]
    return {
        "positions": galaxies["positions"][owner] + direction,
        "velocities": galaxies["velocities"][owner] + spread[owner, None] * rng.standard_normal((n, 3)),
        "masses": (masses / counts)[owner],
        "formation_scale_factor": rng.uniform(0.2, 0.8, n),
    }


def central_galaxy(cluster: Cluster, particle_mass: float, rng: np.random.Generator) -> Particles:
    """The brightest galaxy and the light around it: a Hernquist 1990 profile each, of 20 kpc and 0.1 r200.

    Stellar mass within some tens of kpc 6e11 Msun (m200 / 3e14 Msun)^0.4, and 1.5 times as much again in the halo of
    stars (order of magnitude of Kravtsov, Vikhlinin & Meshcheryakov 2018).
    """
    mass = 6e11 * (cluster.m200 / 3e14) ** 0.4
    parts: list[Particles] = []
    for total, scale, heat in ((mass, 0.020 / 1.815, 0.4), (1.5 * mass, 0.1 * cluster.r200 / 1.815, 0.8)):
        n = max(round(total / particle_mass), 8)
        root = np.sqrt(rng.random(n) * 0.8)  # ends at 8.5 scale lengths
        radius = scale * root / (1.0 - root)
        speed = heat * cluster.dispersion(radius)[:, None]
        parts.append(
            {
                "positions": cluster.place(radius, 0.3, rng),
                "velocities": cluster.velocity + speed * rng.standard_normal((n, 3)),
                "masses": np.full(n, total / n),
                "formation_scale_factor": rng.uniform(0.2, 0.5, n),
            }
        )
    return join(parts)


def join(parts: list[Particles]) -> Particles:
    """Particles one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
