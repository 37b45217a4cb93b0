"""What stands for galaxies around the haloes of a simulation: its subhaloes, or a seeded part of its particles."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..data.schema import PARTICLE_TYPES
from ..data.universe import Galaxies, Haloes
from ..errors import DataWarning, MissingFieldError
from .hosts import heaviest_host

KINDS = ("auto", "subhaloes", "particles")
AT_1E14 = 49  #: tracers of a halo of 10^14 Msun/h: galaxies of more than 10^9.5 Msun within R200c (docs/clusters.md)
RICH = 10
_PURPOSE = 0x70617274
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Tracers:
    """What stands for galaxies.

    Attributes
    ----------
    kind : {"auto", "subhaloes", "particles"}
        "auto": subhaloes if half of the haloes above 10^13.5 Msun/h have more than 10 of them, else particles.
    fraction : float or None
        Share of the particles taken; None: so that a halo of 10^14 Msun/h holds 49 on average.
    seed : int
        Each particle is taken or not by the seed and its place in the snapshot.
    """

    kind: str = "auto"
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check.choice(self.kind, "tracers", KINDS)
        if self.fraction is not None:
            check.number(self.fraction, "fraction", above=0, high=1)
        check.seed(self.seed)


@dataclass(frozen=True)
class Frame:
    """Box, epoch and cosmology of a catalogue."""

    box_size: float
    redshift: float
    cosmology: Cosmology
    is_periodic: bool

    @property
    def periodic_box(self) -> float | None:
        """Side of the box [comoving Mpc] when it is periodic, else None."""
        return self.box_size if self.is_periodic else None


def member_of(positions: FloatArray, haloes: Haloes, frame: Frame) -> NDArray[np.int64]:
    """Row of the heaviest halo whose R200c holds each position; -1 for none."""
    return heaviest_host(positions, haloes.positions, haloes.m200c, haloes.r200c, frame.periodic_box)


def choose_tracers(
    haloes: Haloes, subhaloes: Galaxies | None, snapshot: Any, tracers: Tracers, frame: Frame, notes: list[str]
) -> Galaxies:
    """The subhaloes, or particles of the snapshot, as `tracers` says."""
    if tracers.kind == "subhaloes" or (tracers.kind == "auto" and snapshot is None):
        if subhaloes is None:
            raise MissingFieldError(
                "the catalogue has no subhaloes to serve as tracers: give the snapshot, for its particles (--snapshot)"
            )
    elif snapshot is None:
        raise MissingFieldError("particles as tracers need the snapshot (--snapshot)")
    if tracers.kind == "particles" or subhaloes is None:
        return _particles(snapshot, haloes, frame, tracers, notes)
    if tracers.kind == "subhaloes":
        return subhaloes
    counts = np.bincount(subhaloes.host[subhaloes.host >= 0], minlength=haloes.n)
    heavy = haloes.m200c * frame.cosmology.h >= 10**13.5
    rich = int((counts[heavy] > RICH).sum())
    if rich > 0 and 2 * rich >= heavy.sum():
        return subhaloes
    text = f"only {rich} of {int(heavy.sum())} haloes above 10^13.5 Msun/h have more than {RICH} subhaloes"
    if snapshot is None:
        warn_note(notes, f"{text}; with the snapshot (--snapshot) particles can serve as tracers")
        return subhaloes
    notes.append(f"{text}: particles serve as tracers")
    return _particles(snapshot, haloes, frame, tracers, notes)


def _particles(snapshot: Any, haloes: Haloes, frame: Frame, tracers: Tracers, notes: list[str]) -> Galaxies:
    """A seeded part of the dark-matter particles."""
    n = snapshot.count("dark_matter")
    if n == 0:
        raise MissingFieldError(f"{snapshot.path} holds no dark-matter particles to serve as tracers")
    fraction = tracers.fraction
    if fraction is None:
        fraction = min(1.0, AT_1E14 * _total_mass(snapshot) / n / (1e14 / frame.cosmology.h))
    draw = np.random.Generator(np.random.Philox(key=[tracers.seed, _PURPOSE]))
    positions, velocities = [np.empty((0, 3))], [np.empty((0, 3))]
    for chunk in snapshot.iter_chunks("dark_matter", ["positions", "velocities"]):
        take = draw.random(len(chunk["positions"])) < fraction  # one number a particle, in the order of the file
        positions.append(chunk["positions"][take].astype(np.float64))
        velocities.append(chunk["velocities"][take].astype(np.float64))
    where = np.concatenate(positions)
    notes.append(
        f"tracers are {len(where)} of {n} dark-matter particles (fraction {fraction:.4g}, seed {tracers.seed})"
    )
    return Galaxies(where, np.concatenate(velocities), member_of(where, haloes, frame), np.zeros(len(where), bool))


def _total_mass(snapshot: Any) -> float:
    """Mass of all particles [Msun]: also of a cut-out, whose box says nothing about what it holds."""
    total = 0.0
    for kind, shared in zip(PARTICLE_TYPES, snapshot.header.mass_table, strict=True):
        if shared > 0:
            total += shared * snapshot.count(kind)
        elif snapshot.count(kind) and "masses" in snapshot.fields(kind):
            total += sum(float(c["masses"].sum(dtype=np.float64)) for c in snapshot.iter_chunks(kind, ["masses"]))
    return total


def warn_note(notes: list[str], text: str) -> None:
    """Keep a note and warn with it."""
    notes.append(text)
    warnings.warn(text, DataWarning, stacklevel=3)
