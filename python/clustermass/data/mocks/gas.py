"""Gas and stars painted on the haloes of a generated universe, as particles that the map pipeline can project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import DomainError, MissingFieldError
from ...nfw import convert_mass, radius_of_mass
from ..schema import PARTICLE_TYPES, SnapshotHeader
from ..universe import Universe
from ..universe_file import read_universe
from .gas_particles import bodies_of, gas_particles, reach_of
from .gas_profiles import gas_haloes, tabulate
from .near import NearLines
from .stars import central_particles
from .universe.galaxies import BLOCK
from .universe.record import settings_of
from .universe.streams import stream
from .universe.structure import Structure, structure_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MODEL = 2  #: number of the model of the gas: another one when its particles change
FULL_ABOVE = 10**13.5 / 0.6777  #: Msun: M200c from which on haloes get all particles; below in proportion to mass
_FEWEST = 200  # particles of a halo
_CENTRAL_PARTICLES = 256, 1024  # of a central galaxy, and of the stars around it
NOTES = (
    "gas and stars are painted on the haloes of a generated universe: published profiles, no hydrodynamics",
    "gas ends at 5 R500; haloes below the smallest painted mass have none",
)


@dataclass(frozen=True)
class PaintedSnapshot:
    """Particles in memory, with the interface of a snapshot that was opened.

    Attributes
    ----------
    header : SnapshotHeader
    particles : mapping of str to mapping of str to ndarray
        Type -> field -> values, in the units of the readers.
    """

    header: SnapshotHeader
    particles: Mapping[str, Mapping[str, FloatArray]]
    paths: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def count(self, ptype: str) -> int:
        return len(self.particles[ptype]["masses"]) if ptype in self.particles else 0

    def fields(self, ptype: str) -> tuple[str, ...]:
        return tuple(self.particles.get(ptype, ()))

    def iter_chunks(
        self, ptype: str, fields: list[str], *, byte_budget: int = 256 * 2**20
    ) -> Iterator[dict[str, FloatArray]]:
        """The fields of some particles at a time."""
        table = {name: self.particles[ptype][name] for name in fields}
        row = sum(column.nbytes // max(len(column), 1) for column in table.values())
        step = max(1, byte_budget // max(row, 1))
        for first in range(0, self.count(ptype), step):
            yield {name: column[first : first + step] for name, column in table.items()}


class GasPainter:
    """Gas and stars on the haloes of a generated universe.

    Gas has the shape, orientation, concentration and clump that the galaxies of the same halo have: all are worked out
    again from the settings in the file. Pressure from Arnaud et al. 2010, density from the X-COP clusters (Ghirardini
    et al. 2019) with the gas fraction of Pratt et al. 2022, temperature their ratio; stars are the galaxies of the
    universe, and a central galaxy with a halo of stars in each halo. Relations, checks and gaps: docs/mock-universe.md.

    Parameters
    ----------
    path : str or Path
        File from ``clustermass mock universe``.
    min_mass : float
        Smallest M200c of haloes that are painted [Msun].
    n_particles : int
        Gas particles of a halo above 4.7e13 Msun; smaller ones have fewer, in proportion to their mass.
    seed : int, optional
        Of the scatter of the gas; default that of the universe.
    universe : Universe, optional
        What is in the file, if it is in memory already.

    Raises
    ------
    DomainError
        If the universe was not generated here, or has no such halo.

    Notes
    -----
    Cost: reading, and the linear field once more: 30 s and 2 GB for 500 Mpc/h. Determinism: the particles of a halo
    depend on the universe, `n_particles`, the seed and the halo alone.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> universe = cm.make_universe(cm.UniverseSettings(box_size=80.0, min_mass=1e12))
    >>> from clustermass.data.mocks.universe.record import settings_record
    >>> settings = settings_record(cm.UniverseSettings(box_size=80.0, min_mass=1e12))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cm.write_universe(f"{folder}/box.hdf5", universe, settings)
    ...     painter = GasPainter(f"{folder}/box.hdf5")
    >>> snapshot = painter.paint(universe.haloes.positions[:1], np.array([[0.0, 0.0, 1.0]]), np.array([1.0]), 20.0)
    >>> snapshot.count("gas") > 1000, snapshot.fields("stars")
    (True, ('positions', 'masses'))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        min_mass: float = 1e13,
        n_particles: int = 8000,
        seed: int | None = None,
        universe: Universe | None = None,
    ) -> None:
        settings = settings_of(path)
        if settings is None:
            raise DomainError(f"{path} is no universe of `clustermass mock universe`: its haloes have no structure")
        self.path = Path(path)
        self.universe: Universe = read_universe(path) if universe is None else universe
        self.min_mass = check.number(min_mass, "min_mass", above=0, unit="Msun")
        self.n_particles = check.integer(n_particles, "n_particles", low=_FEWEST, high=10_000_000)
        self.structure: Structure = structure_of(self.universe, settings, self.min_mass)
        haloes, hosts, n = self.universe.haloes, self.structure.hosts, self.structure.n
        cosmology, z = self.universe.cosmology, self.universe.redshift
        self.m500c = convert_mass(haloes.m200c[:n], 200.0, 500.0, cosmology, z, hosts.concentration)
        self.r500c = radius_of_mass(self.m500c, 500.0, cosmology, z)
        self.seed = settings.seed if seed is None else check.seed(seed)
        cool, normal, self._shift = _draws(self.seed, n)
        is_disturbed = self.structure.clumps.share > 0
        self.gas = tabulate(gas_haloes(self.m500c, self.r500c, is_disturbed, settings.epoch, cool, normal))
        self.count = np.clip((self.n_particles * hosts.m200c / FULL_ABOVE).astype(np.int64), _FEWEST, self.n_particles)
        reach = reach_of(self.gas, hosts, self.structure.clumps, self.count)
        self._near_haloes = NearLines(haloes.positions[:n], reach, self.universe.box_size)
        galaxies = self.universe.galaxies
        self._galaxies = np.flatnonzero(~galaxies.is_central | (galaxies.host >= n))  # the others are painted
        places = galaxies.positions[self._galaxies]
        self._near_galaxies = NearLines(places, np.zeros(len(places)), self.universe.box_size)
        if galaxies.stellar_mass is None:
            raise MissingFieldError(f"{path} has no stellar masses of galaxies")
        self._stars = galaxies.stellar_mass[self._galaxies]

    @property
    def header(self) -> SnapshotHeader:
        """Box, epoch and cosmology; its counts are 0."""
        universe = self.universe
        return SnapshotHeader(
            counts=(0,) * len(PARTICLE_TYPES),
            mass_table=(0.0,) * len(PARTICLE_TYPES),
            scale_factor=1.0 / (1.0 + universe.redshift),
            redshift=universe.redshift,
            box_size=universe.box_size,
            omega_m=universe.cosmology.omega_m,
            omega_lambda=1.0 - universe.cosmology.omega_m,
            h=universe.cosmology.h,
            is_cosmological=True,
            is_periodic=True,
        )

    def record(self) -> dict[str, Any]:
        """What decides what the particles of a universe are, as JSON can hold it."""
        return {"min_mass": self.min_mass, "n_particles": self.n_particles, "seed": self.seed, "model": MODEL}

    def paint(self, centres: FloatArray, directions: FloatArray, radius: FloatArray, depth: float) -> PaintedSnapshot:
        """All gas and stars within cylinders, and some around them.

        Parameters
        ----------
        centres, directions : ndarray of float64, shape (m, 3)
            Middle [comoving Mpc] and unit vector along each cylinder.
        radius : ndarray of float64, shape (m,)
            [comoving Mpc]
        depth : float
            Half the length of the cylinders [comoving Mpc].

        Returns
        -------
        PaintedSnapshot
            Gas with temperature, density and smoothing length; stars.

        Notes
        -----
        Cost: 1 us and 300 bytes a particle, and 100 us a cylinder.
        """
        rows = self._near_haloes.find(centres, directions, radius, depth)
        chosen = self._near_galaxies.find(centres, directions, radius, depth)
        structure, box = self.structure, self.universe.box_size
        positions = self.universe.haloes.positions
        bodies = bodies_of(rows, structure.clumps, self._shift, self.count)
        gas = gas_particles(bodies, self.gas, structure.hosts, positions, box)
        centrals = central_particles(
            rows, structure.hosts, structure.central_stars, positions, self._shift[:, 0], n=_CENTRAL_PARTICLES,
            scale_factor=self.header.scale_factor, box_size=box,
        )  # fmt: skip
        stars = {
            "positions": np.concatenate([centrals["positions"], self._near_galaxies.positions[chosen]]),
            "masses": np.concatenate([centrals["masses"], self._stars[chosen]]),
        }
        return PaintedSnapshot(self.header, {"gas": gas, "stars": stars}, assumptions=NOTES)


def _draws(seed: int, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Random numbers of the n heaviest haloes: (n,) and (3, n) for the gas, (n, 2, 3) for the places of particles."""
    parts = []
    for block in range(-(-n // BLOCK)):
        rng = stream(seed, "gas", block)
        parts.append((rng.random(BLOCK), rng.standard_normal((3, BLOCK)), rng.random((BLOCK, 2, 3))))
    cool, normal, shift = zip(*parts, strict=True)
    return np.concatenate(cool)[:n], np.concatenate(normal, axis=1)[:, :n], np.concatenate(shift)[:n]
