"""Small universes with known members, for the tests of catalogues."""

from __future__ import annotations

import numpy as np

from clustermass.cosmology import Cosmology
from clustermass.data.universe import Galaxies, Haloes, Universe

COSMOLOGY = Cosmology(h=0.7, omega_m=0.3)
RHO_200 = 200 * 2.77536627e11 * 0.7**2  # Msun / Mpc^3 at z = 0


def make_universe(
    n_haloes=30, per_halo=25, n_field=400, box_size=150.0, seed=1, redshift=0.1, log10_mass=None, **changes
):
    """Haloes of 10^13.3 to 10^15.2 Msun at random, each with a central and members within R200c, and field galaxies."""
    rng = np.random.default_rng(seed)
    log_mass = rng.uniform(13.3, 15.2, n_haloes) if log10_mass is None else np.asarray(log10_mass, float)
    n_haloes = log_mass.size
    centres, motion = rng.uniform(0, box_size, (n_haloes, 3)), rng.normal(0, 250, (n_haloes, 3))
    radius = (3 * 10**log_mass / (4 * np.pi * RHO_200)) ** (1 / 3)
    host = np.repeat(np.arange(n_haloes), per_halo)
    away = rng.normal(size=(host.size, 3))
    away *= (radius[host] * rng.uniform(0, 1, host.size) / np.linalg.norm(away, axis=1))[:, None]
    central = np.arange(host.size) % per_halo == 0 if per_halo else np.zeros(0, bool)
    away[central] = 0
    sigma = 900 * (10 ** log_mass[host] / 1e15) ** (1 / 3)
    velocities = motion[host] + np.where(central[:, None], 0.0, rng.normal(size=(host.size, 3)) * sigma[:, None])
    positions = np.concatenate([(centres[host] + away) % box_size, rng.uniform(0, box_size, (n_field, 3))])
    galaxies = Galaxies(
        positions=positions,
        velocities=np.concatenate([velocities, rng.normal(0, 350, (n_field, 3))]),
        host=np.concatenate([host, np.full(n_field, -1)]),
        is_central=np.concatenate([central, np.zeros(n_field, bool)]),
        stellar_mass=10 ** rng.uniform(9.5, 11.5, len(positions)),
        magnitude_r=rng.uniform(-23, -18, len(positions)),
    )
    haloes = Haloes(np.arange(n_haloes) * 7 + 100, centres, motion, 10**log_mass, radius)
    frame = dict(box_size=box_size, redshift=redshift, cosmology=COSMOLOGY, source="a test", notes=("made up",))
    return Universe(haloes, galaxies, **(frame | changes))
