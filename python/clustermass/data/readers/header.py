"""From what a file says about itself to a `SnapshotHeader`: frames, cosmology, and what careless headers leave out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import _validate
from ...errors import DataWarning, FileFormatError
from ..schema import N_TYPES, SnapshotHeader
from .code_units import DEFAULT_SIZES, CodeUnit, CodeUnits, parse_unit

#: Assumed for a cosmological run whose file does not say; always with a DataWarning.
ASSUMED_H, ASSUMED_OMEGA_M = 0.7, 0.3
MAX_PARTICLES = 2**40
CRITICAL_DENSITY = 2.77536627e11  #: 3 (100 km/s/Mpc)^2 / (8 pi G) [h^2 Msun / Mpc^3]


@dataclass(frozen=True)
class Overrides:
    """What the caller states instead of the file. Lengths in comoving Mpc."""

    hubble: float | None = None
    box_size: float | None = None
    redshift: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    length_unit: Any = None
    mass_unit: Any = None
    velocity_unit: Any = None

    def __post_init__(self) -> None:
        for name, low, above in (("hubble", None, 0), ("box_size", None, 0), ("redshift", None, -1),
                                 ("omega_m", 0, None), ("omega_lambda", None, None)):  # fmt: skip
            value = getattr(self, name)
            if value is not None:
                unit = "Mpc" if name == "box_size" else None
                object.__setattr__(self, name, _validate.number(value, name, low=low, above=above, unit=unit))
        if self.hubble is not None:
            _validate.number(self.hubble, "hubble", high=10)  # 67.4 is H0, not h

    def unit(self, kind: str) -> CodeUnit | None:
        value = getattr(self, f"{kind}_unit")
        return None if value is None else parse_unit(value, kind)


@dataclass(frozen=True)
class RawHeader:
    """What a file says, in its own units; None where it says nothing. `particles`: in all files, unchecked."""

    mass_table: tuple[float, ...] = (0.0,) * N_TYPES
    time: float | None = None
    redshift: float | None = None
    scale_factor: float | None = None
    box_size: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    h: float | None = None
    particles: tuple[int, ...] = (0,) * N_TYPES
    is_comoving: bool | None = None
    is_periodic: bool | None = None


def six(values: Sequence[Any], path: str, what: str) -> tuple[Any, ...]:
    """The first six entries, filled with zeros: SWIFT writes seven types, Gadget-4 as many as were compiled in."""
    if not 1 <= len(values) <= 64:
        raise FileFormatError(f"{path}: {what} must have one entry for each particle type, got {len(values)}")
    return tuple(values[:N_TYPES]) + (type(values[0])(0),) * (N_TYPES - len(values))


def check_counts(counts: Sequence[int], path: str) -> None:
    """Refuse negative and absurd numbers of particles before anything is allocated."""
    for ptype, n in enumerate(counts):
        if not 0 <= n <= MAX_PARTICLES:
            raise FileFormatError(f"{path}: header declares {n} particles of type {ptype}, expected 0 to 2^40")


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def expansion(raw: RawHeader, over: Overrides, notes: list[str]) -> tuple[bool, float]:
    """Whether the run is cosmological, and its scale factor (1 without expansion)."""
    if over.redshift is not None:
        return True, 1 / (1 + over.redshift)
    has_matter, z, time = _positive(raw.omega_m), raw.redshift, raw.time
    if raw.is_comoving is False:
        return False, 1.0
    if raw.scale_factor is not None and _positive(raw.scale_factor):
        return True, raw.scale_factor
    if z is not None and not (math.isfinite(z) and z > -1):
        z = None
    if z is not None and time is not None and not raw.is_comoving:
        if time > 0 and abs(time * (1 + z) - 1) < 1e-3:
            return (True, time) if has_matter or z > 1e-6 else (False, 1.0)
        if has_matter:
            notes.append(f"Time {time:g} is not 1/(1 + Redshift {z:g}): taken as a run without expansion")
        return False, 1.0
    if time is not None and 0 < time <= 1.001 and (has_matter or raw.is_comoving):
        return True, time
    if z is not None and (has_matter or z > 0 or raw.is_comoving):
        return True, 1 / (1 + z)
    if raw.is_comoving or (has_matter and time is None):
        notes.append("no redshift in the file: assumed redshift 0 (argument redshift)")
        return True, 1.0
    return False, 1.0


def _cosmology(raw: RawHeader, over: Overrides, notes: list[str]) -> tuple[float, float, float]:
    """(omega_m, omega_lambda, h) of a cosmological run, noting what had to be assumed."""
    h, omega_m, omega_lambda = over.hubble, over.omega_m, over.omega_lambda
    if h is None and raw.h is not None and _positive(raw.h):
        h = raw.h if raw.h < 10 else raw.h / 100
        if raw.h >= 10:
            notes.append(f"HubbleParam {raw.h:g} taken as km/s/Mpc: h = {h:g} (argument hubble)")
    if h is None:
        h = ASSUMED_H
        notes.append(f"no Hubble parameter: assumed h = {h:g} (argument hubble)")
    if omega_m is None and raw.omega_m is not None and _positive(raw.omega_m):
        omega_m = raw.omega_m
        omega_lambda = raw.omega_lambda if omega_lambda is None else omega_lambda
    if omega_m is None:
        omega_m = ASSUMED_OMEGA_M
        notes.append(f"no matter density: assumed Omega_m = {omega_m:g} (argument omega_m)")
    if omega_lambda is None or not math.isfinite(omega_lambda):
        omega_lambda = 1 - omega_m
        notes.append(f"no dark-energy density: assumed flat, Omega_lambda = {omega_lambda:g} (argument omega_lambda)")
    return omega_m, omega_lambda, h


def _redshift(raw: RawHeader, over: Overrides, a: float) -> float:
    if over.redshift is not None:
        return over.redshift
    z = raw.redshift
    return z if z is not None and abs(a * (1 + z) - 1) < 1e-3 else 1 / a - 1


def _length_by_mass(raw: RawHeader, over: Overrides, notes: list[str]) -> dict[str, CodeUnit]:
    """Mpc/h where the file states no unit and only with this one its particles make up a universe of matter."""
    mass_unit = (over.unit("mass") or CodeUnit(DEFAULT_SIZES["mass"], -1.0, "")).size
    mass = mass_unit * math.fsum(n * m for n, m in zip(raw.particles, raw.mass_table, strict=True))
    if raw.box_size is None or not _positive(raw.box_size) or over.box_size is not None:
        return {}
    if 0.01 < mass / (CRITICAL_DENSITY * raw.box_size**3) < 3:
        notes.append("no length unit: Mpc/h fits the mass in the box (argument length_unit)")
        return {"length": CodeUnit(1.0, -1.0, "mass in the box")}
    return {}


def resolve(
    raw: RawHeader, over: Overrides, stored_units: dict[str, CodeUnit], path: str, notes: list[str]
) -> tuple[SnapshotHeader, CodeUnits]:
    """Header and units in force: the caller's word first, then the file's, then Gadget's defaults.

    A run without expansion has a = 1 and no h in its units (as AREPO and Gadget-4 write in their attributes).
    What is assumed is appended to `notes`. The counts of the header are 0 until the files have been looked into.
    """
    for name, low, high in _PLAUSIBLE:
        value = getattr(raw, name)
        if value is not None and value != 0 and not (low <= value <= high) and not math.isnan(value):
            raise FileFormatError(f"{path}: header entry {name} must be 0 or {low:g} to {high:g}, got {value:g}")
    if not all(math.isfinite(m) and m >= 0 for m in raw.mass_table):
        raise FileFormatError(f"{path}: mass table must be finite and not negative, got {raw.mass_table}")
    cosmological, a = expansion(raw, over, notes)
    if not 1e-6 <= a <= 1e4:
        raise FileFormatError(f"{path}: scale factor must be 1e-06 to 10000, got {a:g}")
    if cosmological:
        omega_m, omega_lambda, h = _cosmology(raw, over, notes)
        unit_h = h
    else:
        unit_h = over.hubble or 1.0
        h = over.hubble or (raw.h if raw.h is not None and _positive(raw.h) else 1.0)
        omega_m = over.omega_m if over.omega_m is not None else raw.omega_m or 0.0
        omega_lambda = over.omega_lambda if over.omega_lambda is not None else raw.omega_lambda or 0.0
    if cosmological and "length" not in stored_units and over.length_unit is None:
        stored_units = stored_units | _length_by_mass(raw, over, notes)
    chosen = {}
    for kind, size in DEFAULT_SIZES.items():
        default = CodeUnit(size, 0.0 if kind == "velocity" else -1.0, "Gadget default")
        chosen[kind] = over.unit(kind) or stored_units.get(kind) or default
    units = CodeUnits(**chosen, h=unit_h, a=a)
    box = over.box_size
    if box is None and raw.box_size is not None and _positive(raw.box_size):
        box = raw.box_size * units.factor("positions")
    header = SnapshotHeader(
        counts=(0,) * N_TYPES,
        mass_table=tuple(m * units.factor("masses") for m in raw.mass_table),
        scale_factor=a,
        redshift=_redshift(raw, over, a),
        box_size=box,
        omega_m=omega_m,
        omega_lambda=omega_lambda,
        h=h,
        is_cosmological=cosmological,
        is_periodic=box is not None and raw.is_periodic is not False,
    )
    return header, units


# a value outside is damage, not an odd choice of units; 0 and NaN count as "not stated"
_PLAUSIBLE = (("box_size", 1e-30, 1e60), ("omega_m", 1e-6, 1e3), ("omega_lambda", -1e3, 1e3), ("h", 1e-2, 1e3),
              ("scale_factor", 1e-6, 1e4))  # fmt: skip


def warn_assumptions(path: str, notes: Sequence[str]) -> None:
    """One DataWarning that says everything assumed about a file."""
    if notes:
        warnings.warn(f"{path}: " + "; ".join(notes), DataWarning, stacklevel=3)
