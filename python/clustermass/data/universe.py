"""A periodic box of haloes and galaxies at one redshift: what mocks make and halo catalogues become. No file here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import ArrayError, DomainError


@dataclass(frozen=True)
class Haloes:
    """Host haloes (none lies within a larger one), one row each.

    Attributes
    ----------
    ids : (n,) int64
        Identifier in the catalogue they come from; unique.
    positions : (n, 3) float64, comoving Mpc
    velocities : (n, 3) float64, km/s, peculiar
    m200c : (n,) float64, Msun
        Mass within the radius of 200 times the critical density.
    r200c : (n,) float64, comoving Mpc
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    m200c: NDArray[np.float64]
    r200c: NDArray[np.float64]

    def __post_init__(self) -> None:
        _check_rows(self, self.ids.size, ("positions", "velocities"), ("m200c", "r200c"))

    @property
    def n(self) -> int:
        return self.ids.size


@dataclass(frozen=True)
class Galaxies:
    """Tracers of the velocity field: galaxies, subhaloes or particles, one row each.

    Attributes
    ----------
    positions : (n, 3) float64, comoving Mpc
    velocities : (n, 3) float64, km/s, peculiar
    host : (n,) int64
        Row in `Haloes` of the halo that the galaxy is a member of; -1 for none.
    is_central : (n,) bool
        Whether it sits at the centre of its host.
    stellar_mass : (n,) float64, Msun, or None
    magnitude_r : (n,) float64, or None
        Absolute magnitude in SDSS r, h included (M_r, not M_r - 5 log10 h).
    """

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    host: NDArray[np.int64]
    is_central: NDArray[np.bool_]
    stellar_mass: NDArray[np.float64] | None = None
    magnitude_r: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        _check_rows(self, self.host.size, ("positions", "velocities"), ("is_central", "stellar_mass", "magnitude_r"))

    @property
    def n(self) -> int:
        return self.host.size


@dataclass(frozen=True)
class Universe:
    """A box of haloes with the galaxies in and around them, at one redshift.

    Attributes
    ----------
    haloes : Haloes
    galaxies : Galaxies
    box_size : float, comoving Mpc
    redshift : float
    cosmology : Cosmology
    is_periodic : bool
    source : str
        Where it comes from: the command or file, for provenance.
    notes : tuple of str
        What was assumed.
    """

    haloes: Haloes
    galaxies: Galaxies
    box_size: float
    redshift: float
    cosmology: Cosmology
    is_periodic: bool = True
    source: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        host = self.galaxies.host
        if host.size and not (host.min() >= -1 and host.max() < self.haloes.n):
            raise DomainError(f"`host` must be rows from -1 to {self.haloes.n - 1}, got {host.min()} to {host.max()}")


def _check_rows(table: Haloes | Galaxies, n: int, vectors: tuple[str, ...], scalars: tuple[str, ...]) -> None:
    for name, shape in [*((name, (n, 3)) for name in vectors), *((name, (n,)) for name in scalars)]:
        values = getattr(table, name)
        if values is not None and values.shape != shape:
            raise ArrayError(f"`{name}` must have shape {shape}, got {values.shape}")
