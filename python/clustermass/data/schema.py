"""What the readers hand out: particle types, fields and their units, headers, catalogues. No file is read here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate
from ..errors import ArrayError

#: Particle types in the order of Gadget's types 0 to 5.
PARTICLE_TYPES = ("gas", "dark_matter", "disk", "bulge", "stars", "black_holes")
N_TYPES = len(PARTICLE_TYPES)


@dataclass(frozen=True)
class Field:
    """A quantity that particles can carry: its unit inside the package and its number of components."""

    unit: str
    width: int
    meaning: str


FIELDS: dict[str, Field] = {
    "positions": Field("Mpc (comoving)", 3, "position"),
    "velocities": Field("km/s (peculiar)", 3, "peculiar velocity"),
    "masses": Field("Msun", 1, "mass"),
    "ids": Field("", 1, "identifier; not promised to be unique"),
    "internal_energy": Field("(km/s)^2", 1, "thermal energy per unit mass"),
    "density": Field("Msun/Mpc^3 (comoving)", 1, "gas density"),
    "electron_abundance": Field("n_e/n_H", 1, "electrons per hydrogen nucleus"),
    "smoothing_length": Field("Mpc (comoving)", 1, "radius of the kernel's support"),
    "metallicity": Field("", 1, "mass fraction of metals"),
    "star_formation_rate": Field("Msun/yr", 1, "star formation rate"),
    "temperature": Field("K", 1, "gas temperature"),
    "formation_scale_factor": Field("", 1, "scale factor at birth; zero or less marks a wind particle (TNG)"),
}


@dataclass(frozen=True)
class SnapshotHeader:
    """What a snapshot says about itself, in the units of the package.

    Attributes
    ----------
    counts : tuple of 6 int
        Particles of each type in the whole snapshot.
    mass_table : tuple of 6 float
        Mass shared by all particles of a type [Msun]; 0 where masses are stored particle by particle.
    scale_factor, redshift : float
        1 and 0 in a run without expansion.
    box_size : float or None
        Side of the box [comoving Mpc]; None when the file does not say.
    omega_m, omega_lambda, h : float
        Density parameters and H0 / (100 km/s/Mpc) today. As assumed (see `Snapshot.assumptions`) where the file of a
        cosmological run leaves them out; as stored in a run without expansion, whose units carry no h.
    is_cosmological : bool
        Whether the coordinates are comoving.
    is_periodic : bool
        Whether what leaves the box on one side comes back on the other.
    """

    counts: tuple[int, ...]
    mass_table: tuple[float, ...]
    scale_factor: float
    redshift: float
    box_size: float | None
    omega_m: float
    omega_lambda: float
    h: float
    is_cosmological: bool
    is_periodic: bool

    @property
    def periodic_box(self) -> float | None:
        """Side of the box [comoving Mpc] when it is periodic, else None."""
        return self.box_size if self.is_periodic else None


@dataclass(frozen=True)
class FieldInfo:
    """A field that can be read: where it comes from and how it is stored."""

    name: str
    unit: str
    source: str
    dtype: str


@dataclass(frozen=True)
class MissingField:
    """Something a file lacks, or holds without use, and what cannot be done without it."""

    ptype: str
    field: str
    reason: str
    prevents: str

    def __str__(self) -> str:
        what = f"{self.ptype} {self.field}" if self.ptype else self.field
        return f"{what}: {self.reason}" + (f"; prevents {self.prevents}" if self.prevents else "")


@dataclass(frozen=True)
class Region:
    """A box of space that selects particles; wraps round a periodic snapshot.

    Parameters
    ----------
    centre : sequence of 3 float
        [comoving Mpc]
    half_size : float or sequence of 3 float
        Half the side, one for all axes or one for each [comoving Mpc]; above 0.

    Examples
    --------
    >>> region = Region((1.0, 1.0, 9.9), 0.5)
    >>> region.contains(np.array([[1.0, 1.2, 0.1], [1.0, 3.0, 9.9]]), box_size=10.0)
    array([ True, False])
    """

    centre: Any
    half_size: Any

    def __post_init__(self) -> None:
        centre = _validate.float_array(self.centre, "centre", (3,), unit="Mpc", dtype=np.float64)
        half = self.half_size
        sides = [half] * 3 if np.ndim(half) == 0 else list(half)
        if len(sides) != 3:
            raise ArrayError(f"`half_size` must be one number or three, got {len(sides)}")
        _validate.check_finite(centre, "centre")
        object.__setattr__(self, "centre", tuple(float(c) for c in centre))
        limits = tuple(_validate.number(side, "half_size", above=0, unit="Mpc") for side in sides)
        object.__setattr__(self, "half_size", limits)

    def contains(self, positions: NDArray[Any], *, box_size: float | None) -> NDArray[np.bool_]:
        """Which of `positions` (n, 3) [comoving Mpc] lie within `half_size` of `centre` along every axis."""
        inside = np.ones(len(positions), bool)
        for axis in range(3):
            distance = positions[:, axis] - self.centre[axis]
            if box_size is not None:
                distance -= box_size * np.round(distance / box_size)
            inside &= np.abs(distance) <= self.half_size[axis]
        return inside


@dataclass(frozen=True)
class SubhaloCatalogue:
    """Subhaloes; an array is None when the file lacks it.

    Attributes
    ----------
    positions : (n, 3) float64, comoving Mpc
    velocities : (n, 3) float64, km/s, peculiar
    masses : (n,) float64, Msun, all bound particles
    group_index : (n,) int64, row of the group that holds it
    length_by_type : (n, 6) int64, particles of each type
    velocity_dispersion, maximum_circular_velocity : (n,) float64, km/s
    """

    n: int
    positions: NDArray[np.float64] | None
    velocities: NDArray[np.float64] | None
    masses: NDArray[np.float64] | None
    group_index: NDArray[np.int64] | None
    length_by_type: NDArray[np.int64] | None
    velocity_dispersion: NDArray[np.float64] | None
    maximum_circular_velocity: NDArray[np.float64] | None


@dataclass(frozen=True)
class GroupCatalogue:
    """Friends-of-friends groups with spherical-overdensity masses; an array is None when the file lacks it.

    Attributes
    ----------
    path : str
        The file (the first of a set).
    n_files : int
    header : SnapshotHeader
        Box, redshift and cosmology; its counts are 0.
    n : int
        Number of groups; 0 in a file that holds subhaloes only.
    ids : (n,) int64
        Row of the group in the catalogue, counted over all its files.
    positions : (n, 3) float64, comoving Mpc
    velocities : (n, 3) float64, km/s, peculiar
    m200c, m500c, m200m, masses : (n,) float64, Msun
        Within 200 and 500 times the critical density, 200 times the mean density, and of all linked particles.
    r200c, r500c, r200m : (n,) float64, comoving Mpc
    length_by_type : (n, 6) int64
        Particles of each type.
    first_subhalo, n_subhaloes : (n,) int64
        Rows in `subhaloes`; first_subhalo is -1 for a group without.
    subhaloes : SubhaloCatalogue or None
    missing : tuple of MissingField
    assumptions : tuple of str
        What was assumed because the file does not say.
    """

    path: str
    n_files: int
    header: SnapshotHeader
    n: int
    ids: NDArray[np.int64]
    positions: NDArray[np.float64] | None
    velocities: NDArray[np.float64] | None
    m200c: NDArray[np.float64] | None
    r200c: NDArray[np.float64] | None
    m500c: NDArray[np.float64] | None
    r500c: NDArray[np.float64] | None
    m200m: NDArray[np.float64] | None
    r200m: NDArray[np.float64] | None
    masses: NDArray[np.float64] | None
    length_by_type: NDArray[np.int64] | None
    first_subhalo: NDArray[np.int64] | None
    n_subhaloes: NDArray[np.int64] | None
    subhaloes: SubhaloCatalogue | None
    missing: tuple[MissingField, ...]
    assumptions: tuple[str, ...]
