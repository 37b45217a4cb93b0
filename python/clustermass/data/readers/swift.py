"""SWIFT snapshots: no h in the units, peculiar velocities, comoving thermal energies, smoothing lengths by FWHM."""

from __future__ import annotations

from dataclasses import replace

import h5py

from ...errors import FileFormatError
from ...units import KM_S_CM_S, MPC_CM
from . import hdf5
from .code_units import DIMENSIONS, INTERNAL_CGS, YEAR_S, CodeUnit, CodeUnits, Scaling, nominal
from .gadget_hdf5 import check_same_snapshot, check_unit, first_number, groups_of, is_restated, make_part, total_of
from .header import Overrides, RawHeader, resolve
from .parts import Part, all_files
from .snapshot import Snapshot

#: What each field is called, the names of the first years of the code last.
NAMES: dict[str, tuple[str, ...]] = {
    "positions": ("Coordinates",),
    "velocities": ("Velocities",),
    "masses": ("Masses", "DynamicalMasses"),
    "ids": ("ParticleIDs",),
    "internal_energy": ("InternalEnergies", "InternalEnergy"),
    "density": ("Densities", "Density"),
    "electron_abundance": ("ElectronAbundance",),
    "smoothing_length": ("SmoothingLengths", "SmoothingLength"),
    "metallicity": ("MetalMassFractions", "SmoothedMetalMassFractions", "Metallicity"),
    "star_formation_rate": ("StarFormationRates", "StarFormationRate", "SFR"),
    "temperature": ("Temperatures", "Temperature"),
    "formation_scale_factor": ("BirthScaleFactors",),
}

#: Radius of the support over SWIFT's smoothing length, which is twice the standard deviation of the kernel along an
#: axis; in three dimensions (Dehnen & Aly 2012, MNRAS 425, 1068, table 1).
KERNEL_GAMMA = {
    "cubic spline": 1.825742,
    "quartic spline": 2.018932,
    "quintic spline": 2.195775,
    "wendland c2": 1.936492,
    "wendland c4": 2.207940,
    "wendland c6": 2.449490,
}
_LENGTH, _MASS, _TIME = (f"Unit {kind} in cgs ({symbol})" for kind, symbol in
                         (("length", "U_L"), ("mass", "U_M"), ("time", "U_t")))  # fmt: skip


def is_swift(file: h5py.File, path: str) -> bool:
    """SWIFT signs its snapshots; its initial conditions are known by the names of their units."""
    head, units = hdf5.member(file, "Header", path), hdf5.member(file, "Units", path)
    code = hdf5.attribute(head, "Code", path) if isinstance(head, h5py.Group) else None
    return str(code).startswith("SWIFT") or (
        isinstance(units, h5py.Group) and hdf5.attribute(units, _LENGTH, path) is not None
    )


def open_swift(path: str, over: Overrides) -> Snapshot:
    """A SWIFT snapshot, in one or several files."""
    notes: list[str] = []
    with hdf5.opened(path) as file:
        head = groups_of(file, path, ("Header",))
        raw = _raw_header(file, path, notes)
        n_files = int(first_number(head, "NumFilesPerSnapshot", path) or 1)
        total = total_of(head[0] if head else None, path)
        gamma = _kernel_gamma(file, path)
        stored = _stored_units(file, path)
    header, units = resolve(raw, over, stored, path, notes)

    def factor(field: str, scaling: Scaling | None) -> float:
        if scaling is None or is_restated(field, over):
            return factor_by_convention(field, units)
        return units.factor_from(field, scaling)

    parts = []
    for name in all_files(path, n_files):
        with hdf5.opened(name) as file:
            check_same_snapshot(file, name, path, raw.time)
            parts.append(_adjust(make_part(file, name, NAMES, factor), gamma))
    return Snapshot("swift", header, units, parts, total, notes)


def _raw_header(file: h5py.File, path: str, notes: list[str]) -> RawHeader:
    head = groups_of(file, path, ("Header",))
    places = groups_of(file, path, ("Cosmology", "Header"))
    flag = first_number(places, "Cosmological run", path)
    a = first_number(places, "Scale-factor", path)
    if flag is None and a is not None:
        flag = float(a != 1 or (first_number(places, "h", path) or 0) > 0)
    sides = hdf5.numbers(head[0] if head else None, "BoxSize", path)
    if sides is not None and len(set(sides)) > 1:
        notes.append(f"box of {sides} is no cube: taken as not periodic (argument box_size)")
        sides = None
    settings = hdf5.member(file, "Parameters", path)
    periodic = hdf5.attribute(settings, "InitialConditions:periodic", path) if settings is not None else None
    return RawHeader(
        time=first_number(head, "Time", path),
        redshift=first_number(places, "Redshift", path),
        scale_factor=a,
        box_size=None if sides is None else sides[0],
        omega_m=first_number(places, "Omega_m", path),
        omega_lambda=first_number(places, "Omega_lambda", path),
        h=first_number(places, "h", path),
        is_comoving=None if flag is None else bool(flag),
        is_periodic=None if periodic is None else str(periodic).strip() not in ("0", "0.0"),
    )


def _stored_units(file: h5py.File, path: str) -> dict[str, CodeUnit]:
    """The Units group; without h."""
    group = hdf5.member(file, "Units", path)
    sizes = [hdf5.number(group, name, path) if isinstance(group, h5py.Group) else None for name in
             (_LENGTH, _MASS, _TIME)]  # fmt: skip
    length, mass, time = sizes
    if length is None or mass is None or time is None or not (length > 0 and mass > 0 and time > 0):
        raise FileFormatError(f"{path}: group Units must state {_LENGTH}, {_MASS} and {_TIME} above 0, got {sizes}")
    cgs = {"length": length, "mass": mass, "velocity": length / time}
    for kind, size in cgs.items():
        check_unit(size, f"Units group, unit of {kind}", path)
    return {kind: CodeUnit(nominal(size / INTERNAL_CGS[kind]), 0.0, "Units group") for kind, size in cgs.items()}


def _kernel_gamma(file: h5py.File, path: str) -> float | None:
    """Support radius over smoothing length of the kernel named in HydroScheme; None when it names none we know."""
    scheme = hdf5.member(file, "HydroScheme", path)
    name = str(hdf5.attribute(scheme, "Kernel function", path) if scheme is not None else "").lower()
    return next((gamma for kernel, gamma in KERNEL_GAMMA.items() if name.startswith(kernel)), None)


def factor_by_convention(field: str, units: CodeUnits) -> float:
    """Stored to internal where a dataset has no attributes: comoving, but for peculiar velocities.

    The comoving specific energy of a gas with gamma = 5/3 is the physical one times a^2.
    """
    if field == "star_formation_rate":
        rate = units.mass.size * units.velocity.size / units.length.size
        return rate * KM_S_CM_S / MPC_CM * YEAR_S
    if field not in DIMENSIONS:
        return 1.0
    power = -2.0 if field == "internal_energy" else 0.0
    return float(units.factor(field) * units.a ** (power - DIMENSIONS[field].gadget_a))


def _adjust(part: Part, gamma: float | None) -> Part:
    """Smoothing lengths to support radii; rates below 0, which hold the time of the last star formation, to 0."""
    columns, reasons = dict(part.columns), dict(part.reasons)
    for key, column in part.columns.items():
        field = key[1]
        if field == "smoothing_length" and gamma is None:
            del columns[key]
            reasons[key] = f"{column.label} is a width of a kernel that HydroScheme does not name"
        elif field == "smoothing_length" and gamma is not None:
            columns[key] = replace(column, factor=column.factor * gamma)
        elif column.pick is not None and column.width > 1:
            del columns[key]
            reasons[key] = f"{column.label} has {column.width} values a particle (elements), not one mass fraction"
        elif field == "star_formation_rate":
            columns[key] = replace(column, floor=0.0)
    return replace(part, columns=columns, reasons=reasons)
