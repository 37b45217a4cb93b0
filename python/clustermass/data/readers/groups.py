"""Group catalogues in HDF5: FoF groups and SUBFIND subhaloes of Gadget-4, AREPO and TNG, CAMELS subhalo cut-outs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError, TruncatedFileError
from ..schema import GroupCatalogue, MissingField, SnapshotHeader, SubhaloCatalogue
from . import hdf5
from .code_units import CodeUnit, CodeUnits
from .gadget_hdf5 import cosmology_of, first_number, groups_of, stored_units
from .header import Overrides, RawHeader, resolve
from .parts import all_files
from .snapshot import Snapshot

MAX_GROUPS = 2**31

# catalogue entry -> (names in the file, kind of unit, components)
_GROUP = {
    "positions": (("GroupPos",), "length", 3),
    "velocities": (("GroupVel",), "group velocity", 3),
    "m200c": (("Group_M_Crit200",), "mass", 1),
    "r200c": (("Group_R_Crit200",), "length", 1),
    "m500c": (("Group_M_Crit500",), "mass", 1),
    "r500c": (("Group_R_Crit500",), "length", 1),
    "m200m": (("Group_M_Mean200",), "mass", 1),
    "r200m": (("Group_R_Mean200",), "length", 1),
    "masses": (("GroupMass",), "mass", 1),
    "length_by_type": (("GroupLenType",), "integer", 6),
    "first_subhalo": (("GroupFirstSub",), "integer", 1),
    "n_subhaloes": (("GroupNsubs",), "integer", 1),
}
_SUBHALO = {
    "positions": (("SubhaloPos",), "length", 3),
    "velocities": (("SubhaloVel",), "velocity", 3),
    "masses": (("SubhaloMass",), "mass", 1),
    "group_index": (("SubhaloGroupNr", "SubhaloGrNr"), "integer", 1),
    "length_by_type": (("SubhaloLenType",), "integer", 6),
    "velocity_dispersion": (("SubhaloVelDisp",), "velocity", 1),
    "maximum_circular_velocity": (("SubhaloVmax",), "velocity", 1),
}
_PREVENTS = {
    "positions": "maps centred on groups",
    "velocities": "the motion of the groups",
    "m200c": "M200c labels and selection by mass",
    "r200c": "apertures in units of R200c",
    "m500c": "M500c labels",
    "r500c": "apertures in units of R500c",
}
Table = dict[str, Any]


@dataclass(frozen=True)
class RawGroups:
    """Both tables of a catalogue as its files store them, with the header and units that are in force."""

    paths: list[str]
    header: SnapshotHeader
    units: CodeUnits
    groups: Table
    subhaloes: Table
    n_groups: int
    n_subhaloes: int
    notes: list[str]


def read_raw_groups(path: str, over: Overrides, snapshot: Snapshot | None) -> RawGroups:
    """The whole catalogue that `path` belongs to; what its files do not say is taken from `snapshot`."""
    notes: list[str] = []
    with hdf5.opened(path) as file:
        head = groups_of(file, path, ("Header",))
        shared = cosmology_of(groups_of(file, path), path)
        n_files = int(first_number(head, "NumFiles", path) or 1)
        units = stored_units(file, path)
        totals = [first_number(head, names, path) for names in
                  (("Ngroups_Total",), ("Nsubhalos_Total", "Nsubgroups_Total"))]  # fmt: skip
    paths = all_files(path, n_files)
    tables = [_read_file(name) for name in paths]
    groups, n_groups = _join([table[0] for table in tables], _GROUP, paths)
    subhaloes, n_subhaloes = _join([table[1] for table in tables], _SUBHALO, paths)
    for what, n, total in (("groups", n_groups, totals[0]), ("subhaloes", n_subhaloes, totals[1])):
        if len(paths) > 1 and total is not None and n != total:
            raise FileFormatError(
                f"{path}: header declares {int(total)} {what} in all, the {len(paths)} files hold {n}"
            )
    if shared["is_comoving"] is None:
        shared["is_comoving"] = True  # friends-of-friends catalogues are made of cosmological runs
    raw = RawHeader(**shared)
    over, units = _from_snapshot(path, raw, over, units, snapshot)
    if "length" not in units and over.length_unit is None:
        _infer_length(groups, raw, units, notes)
    header, code_units = resolve(raw, over, units, path, notes)
    return RawGroups(paths, header, code_units, groups, subhaloes, n_groups, n_subhaloes, notes)


def open_group_files(path: str, over: Overrides, snapshot: Snapshot | None) -> GroupCatalogue:
    """The whole catalogue that `path` belongs to, in the units of the package."""
    raw = read_raw_groups(path, over, snapshot)
    groups = {name: _to_internal(values, _GROUP[name][1], raw.units) for name, values in raw.groups.items()}
    missing = _missing(groups, raw.n_groups) + _drop_dangling(groups, raw.n_subhaloes)
    subhaloes = {name: _to_internal(values, _SUBHALO[name][1], raw.units) for name, values in raw.subhaloes.items()}
    return GroupCatalogue(
        path=raw.paths[0],
        n_files=len(raw.paths),
        header=raw.header,
        n=raw.n_groups,
        ids=np.arange(raw.n_groups, dtype=np.int64),
        subhaloes=SubhaloCatalogue(n=raw.n_subhaloes, **subhaloes) if raw.n_subhaloes else None,
        missing=tuple(missing),
        assumptions=tuple(raw.notes),
        **groups,
    )


def _read_file(path: str) -> tuple[Table, Table]:
    with hdf5.opened(path) as file:
        head = groups_of(file, path, ("Header",))
        n_groups = first_number(head, "Ngroups_ThisFile", path)
        n_subhaloes = first_number(head, ("Nsubhalos_ThisFile", "Nsubgroups_ThisFile"), path)
        return _read_table(file, "Group", _GROUP, n_groups, path), _read_table(
            file, "Subhalo", _SUBHALO, n_subhaloes, path
        )


def _read_table(file: h5py.File, group: str, names: dict[str, Any], declared: float | None, path: str) -> Table:
    """Raw columns of one file, with "n" and "labels"; absent columns are left out."""
    table: Table = {}
    n = None if declared is None else int(declared)
    for entry, (candidates, kind, width) in names.items():
        for name in candidates:
            label = f"{group}/{name}"
            data = hdf5.dataset(file, label, path)
            if data is None or entry in table:
                continue
            n = _check_rows(data, n, width, label, path)
            with hdf5.translated(path, label):
                table[entry] = data[()]
            if kind == "integer" and table[entry].dtype.kind not in "iu":
                raise FileFormatError(f"{path}: {label} must hold integers, got {table[entry].dtype}")
            if kind != "integer" and not np.isfinite(table[entry]).all():
                raise FileFormatError(f"{path}: {label} holds NaN or infinite values")
    if n and not table and declared is not None:
        raise TruncatedFileError(f"{path}: header declares {n} rows of {group}, the file holds none")
    table["n"] = n or 0
    return table


def _check_rows(data: h5py.Dataset, n: int | None, width: int, label: str, path: str) -> int:
    rows = int(data.shape[0])
    components = int(data.shape[1]) if data.ndim == 2 else 1
    if components != width and not (width == 6 and data.ndim == 2):
        raise FileFormatError(f"{path}: {label} must have {width} values a row, got shape {data.shape}")
    if n is not None and rows != n:
        kind = TruncatedFileError if rows < n else FileFormatError
        raise kind(f"{path}: {n} rows are declared, {label} holds {rows}")
    if rows > MAX_GROUPS:
        raise FileFormatError(f"{path}: {label} has {rows} rows, expected at most 2^31")
    return rows


def _join(tables: list[Table], names: dict[str, Any], paths: list[str]) -> tuple[Table, int]:
    """One table of all files; a file without rows need not have the columns (TNG leaves them out)."""
    filled = [(table, path) for table, path in zip(tables, paths, strict=True) if table["n"]]
    joined: Table = {}
    for entry in names:
        holders = [table[entry] for table, _ in filled if entry in table]
        if holders and len(holders) < len(filled):
            lacking = next(path for table, path in filled if entry not in table)
            raise FileFormatError(f"{lacking}: lacks {names[entry][0][0]}, which other files of its set have")
        joined[entry] = np.concatenate(holders) if holders else None
    return joined, sum(table["n"] for table in tables)


def _from_snapshot(
    path: str, raw: RawHeader, over: Overrides, units: dict[str, CodeUnit], snapshot: Snapshot | None
) -> tuple[Overrides, dict[str, CodeUnit]]:
    """Fill what the catalogue leaves out from its snapshot, after checking that they belong together."""
    if snapshot is None:
        return over, units
    head = snapshot.header
    if raw.redshift is not None and head.is_cosmological and abs(raw.redshift - head.redshift) > 1e-3:
        raise FileFormatError(
            f"{path}: has redshift {raw.redshift:g}, the snapshot {snapshot.path} has {head.redshift:g}"
        )
    silent = {
        "hubble": (raw.h, head.h), "omega_m": (raw.omega_m, head.omega_m),
        "omega_lambda": (raw.omega_lambda, head.omega_lambda), "box_size": (raw.box_size, head.box_size),
    }  # fmt: skip
    filled = {name: theirs for name, (own, theirs) in silent.items() if own is None and getattr(over, name) is None}
    if raw.redshift is None and raw.time is None and over.redshift is None and head.is_cosmological:
        filled["redshift"] = head.redshift
    theirs_units = {kind: getattr(snapshot.units, kind) for kind in ("length", "mass", "velocity")}
    return replace(over, **filled), theirs_units | units


#: 200 rho_c(z=0) 4 pi / 3 = 100 (100 km/s/Mpc)^2 / G in Msun/h per (Mpc/h)^3, with G = 4.30091e-9 Mpc (km/s)^2 / Msun.
_M200_OF_R200 = 100 * 1e4 / 4.30091e-9


def _infer_length(groups: Table, raw: RawHeader, units: dict[str, CodeUnit], notes: list[str]) -> None:
    """Mpc/h or kpc/h, from M200c and R200c, which are tied to each other by definition; else Gadget's default."""
    mass, radius = groups["m200c"], groups["r200c"]
    if mass is None or radius is None or not (radius > 0).any():
        return
    a = raw.time if raw.time and 0 < raw.time <= 1 else 1 / (1 + (raw.redshift or 0.0))
    matter = raw.omega_m or 0.3
    expansion = matter / a**3 + 1 - matter
    held = radius > 0
    mass_unit = units["mass"].size if "mass" in units else 1e10
    ratio = np.median(mass[held].astype(np.float64) / radius[held].astype(np.float64) ** 3)
    length = (ratio * mass_unit / (_M200_OF_R200 * expansion * a**3)) ** (1 / 3)
    if length > 0 and abs(math.log10(length)) < 0.3:
        units["length"] = CodeUnit(1.0, -1.0, "M200c and R200c")
        notes.append("no length unit: Mpc/h fits M200c and R200c (arguments length_unit, snapshot)")


def _to_internal(values: NDArray[Any] | None, kind: str, units: CodeUnits) -> NDArray[Any] | None:
    if values is None:
        return None
    if kind == "integer":
        return values.astype(np.int64)
    return values * np.float64(factor_of(kind, units))


def factor_of(kind: str, units: CodeUnits) -> float:
    """Internal over stored values of a column of this kind."""
    if kind == "group velocity":
        # the codes sum their momentum variable a^2 dx/dt = a v: peculiar velocity is stored / a, unlike for subhaloes
        return units.velocity.value(units.h) / units.a
    unit = {"length": units.length, "mass": units.mass, "velocity": units.velocity}[kind]
    return unit.value(units.h)


def _missing(groups: Table, n: int) -> list[MissingField]:
    if not n:
        return [MissingField("", "groups", "the file holds subhaloes only", "M200c labels and selection by mass")]
    return [MissingField("groups", name, f"no dataset Group/{_GROUP[name][0][0]}", prevents)
            for name, prevents in _PREVENTS.items() if groups[name] is None]  # fmt: skip


def _drop_dangling(groups: Table, n_subhaloes: int) -> list[MissingField]:
    """Cut-outs keep the subhalo numbers of the catalogue they were taken from: numbers of rows that are not here."""
    first, count = groups["first_subhalo"], groups["n_subhaloes"]
    if first is None or count is None or ((first < 0) | (count <= 0) | (first + count <= n_subhaloes)).all():
        return []
    groups["first_subhalo"] = groups["n_subhaloes"] = None
    reason = f"Group/GroupFirstSub counts rows beyond the {n_subhaloes} subhaloes of the file"
    return [MissingField("groups", "first_subhalo", reason, "finding the subhaloes of a group")]
