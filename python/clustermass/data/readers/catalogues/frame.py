"""Redshift, cosmology and box of a catalogue: the caller's word first, then the file's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ....errors import FileFormatError
from ..header import ASSUMED_H, Overrides
from .columns import ColumnUnit, parse_column_unit
from .table import Stated


@dataclass(frozen=True)
class CatalogueHeader:
    """What is known of the box or the survey, in the units of the package; None where nothing says.

    Attributes
    ----------
    redshift, scale_factor : float or None
        One epoch for all rows; None for trees of many epochs and for observations.
    box_size : float or None
        Side of the box [comoving Mpc].
    h, omega_m, omega_lambda : float or None
        H0 / (100 km/s/Mpc) and density parameters today.
    is_periodic : bool
    particle_mass : float or None
        [Msun]
    """

    redshift: float | None
    scale_factor: float | None
    box_size: float | None
    h: float | None
    omega_m: float | None
    omega_lambda: float | None
    is_periodic: bool
    particle_mass: float | None


# a value outside is damage, not an odd universe
_PLAUSIBLE = {"h": (0.01, 1000.0), "omega_m": (0.0, 100.0), "omega_lambda": (-100.0, 100.0),
              "box_size": (1e-10, 1e12), "scale_factor": (1e-6, 1e4), "redshift": (-0.9999, 1e6),
              "particle_mass": (1e-20, 1e30)}  # fmt: skip


def resolve_frame(
    stated: Stated, over: Overrides, units: list[ColumnUnit], path: str, notes: list[str]
) -> CatalogueHeader:
    """The header in force. h is assumed, with a note, only where units need it."""
    for name, (low, high) in _PLAUSIBLE.items():
        value = getattr(stated, name)
        if value is not None and not low <= value <= high:
            raise FileFormatError(f"{path}: header entry {name} must be {low:g} to {high:g}, got {value:g}")
    h = over.hubble if over.hubble is not None else stated.h
    if h is not None and h >= 10:
        notes.append(f"Hubble parameter {h:g} taken as km/s/Mpc: h = {h / 100:g} (argument hubble)")
        h /= 100
    box_unit, particle_unit = parse_column_unit(stated.box_unit), parse_column_unit(stated.particle_unit)
    uses_h = [unit for unit in units if unit.h_power]
    if h is None and (uses_h or (stated.box_size is not None and box_unit.h_power)):
        h = ASSUMED_H
        notes.append(f"no Hubble parameter: assumed h = {h:g} (argument hubble)")
    scale_factor, redshift = stated.scale_factor, stated.redshift
    if over.redshift is not None:
        scale_factor, redshift = None, over.redshift
    if scale_factor is None and redshift is not None:
        scale_factor = 1 / (1 + redshift)
    if redshift is None and scale_factor is not None:
        redshift = 1 / scale_factor - 1
    box = over.box_size
    if box is None and stated.box_size is not None:
        box = stated.box_size * box_unit.size * (h or 1.0) ** box_unit.h_power
    particle = stated.particle_mass
    if particle is not None and (h is not None or not particle_unit.h_power):
        particle *= particle_unit.size * (h or 1.0) ** particle_unit.h_power
    else:
        particle = None
    omega_m = over.omega_m if over.omega_m is not None else stated.omega_m
    omega_lambda = over.omega_lambda if over.omega_lambda is not None else stated.omega_lambda
    if omega_m is not None and omega_lambda is None:
        omega_lambda = 1 - omega_m
        notes.append(f"no Omega_lambda: assumed a flat universe, Omega_lambda = {omega_lambda:g}")
    return CatalogueHeader(
        redshift=redshift,
        scale_factor=scale_factor,
        box_size=box,
        h=h,
        omega_m=omega_m,
        omega_lambda=omega_lambda,
        is_periodic=box is not None and stated.is_periodic is not False,
        particle_mass=particle,
    )


_SCALE_IN_NAME = re.compile(r"(?:^|_a?)(\d\.\d{3,})(?=_|\.\D|$)")
_REDSHIFT_IN_NAME = re.compile(r"\.z(\d+\.\d+)\.")


def epoch_from_name(path: str, stated: Stated, notes: list[str]) -> Stated:
    """Scale factor of ``hlist_0.93630.list`` and ``sfr_catalog_1.002310.txt``, redshift of ``run.z1.512.AHF_halos``."""
    if stated.scale_factor is not None or stated.redshift is not None:
        return stated
    name = Path(path).name
    if match := _REDSHIFT_IN_NAME.search(name):
        notes.append(f"redshift {float(match[1]):g} taken from the file's name (argument redshift)")
        return replace(stated, redshift=float(match[1]))
    match = _SCALE_IN_NAME.search(name)
    if match and 0.01 < float(match[1]) < 2:
        notes.append(f"scale factor {float(match[1]):g} taken from the file's name (argument redshift)")
        return replace(stated, scale_factor=float(match[1]))
    return stated
