"""A snapshot in memory, with the interface of the readers, and a small cluster to map."""

from __future__ import annotations

import numpy as np

from clustermass.data.schema import PARTICLE_TYPES, SnapshotHeader


class MemorySnapshot:
    """Particles in dictionaries; counts how many particles were read, so that streaming can be seen."""

    def __init__(self, particles, *, box_size=None, scale_factor=1.0, is_cosmological=True, omega_m=0.3, h=0.7):
        self.particles = particles
        self.paths = ()
        self.n_read = 0
        self.largest_chunk = 0
        self.header = SnapshotHeader(
            counts=tuple(self.count(p) for p in PARTICLE_TYPES),
            mass_table=(0.0,) * 6,
            scale_factor=scale_factor,
            redshift=1 / scale_factor - 1,
            box_size=box_size,
            omega_m=omega_m,
            omega_lambda=1 - omega_m,
            h=h,
            is_cosmological=is_cosmological,
            is_periodic=box_size is not None,
        )

    def fields(self, ptype):
        return tuple(self.particles.get(ptype, ()))

    def count(self, ptype):
        return len(self.particles[ptype]["positions"]) if ptype in self.particles else 0

    def iter_chunks(self, ptype, fields, *, byte_budget=256 * 2**20, region=None):
        table = {name: self.particles[ptype][name] for name in fields}
        row = sum(column.nbytes // max(len(column), 1) for column in table.values())
        step = max(1, byte_budget // row)
        for first in range(0, self.count(ptype), step):
            chunk = {name: column[first : first + step] for name, column in table.items()}
            self.n_read += len(next(iter(chunk.values())))
            self.largest_chunk = max(self.largest_chunk, sum(column.nbytes for column in chunk.values()))
            yield chunk


def cluster(rng, *, n=4000, centre=(5.0, 5.0, 5.0), radius=0.4, mass=1e13):
    """Gas, stars and dark matter scattered normally about a centre: no physics, but every field."""

    def blob(size, width):
        return rng.normal(centre, width, (size, 3))

    gas = {
        "positions": blob(n, radius),
        "masses": np.full(n, 0.15 * mass / n),
        "internal_energy": rng.uniform(0.5e6, 2e6, n),
        "electron_abundance": np.full(n, 1.16),
        "density": rng.uniform(1e12, 1e14, n),
        "smoothing_length": rng.uniform(0.02, 0.2, n),
        "star_formation_rate": np.zeros(n),
    }
    n_stars = n // 10
    stars = {
        "positions": blob(n_stars, radius / 3),
        "masses": np.full(n_stars, 0.01 * mass / n_stars),
        "formation_scale_factor": np.full(n_stars, 0.5),
    }
    dark = {"positions": blob(n, radius), "masses": np.full(n, 0.84 * mass / n)}
    return {"gas": gas, "stars": stars, "dark_matter": dark}
