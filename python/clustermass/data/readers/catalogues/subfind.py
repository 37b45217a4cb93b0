"""FoF groups and SUBFIND subhaloes in HDF5 (Gadget-4, AREPO, TNG) behind the face of `Catalogue`.

Masses, frames and units are those of `data.readers.groups`, which has read and checked the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import DomainError, FileFormatError
from ...schema import MissingField
from .. import hdf5
from ..code_units import CodeUnits
from ..groups import RawGroups, factor_of, read_raw_groups
from ..header import Overrides
from ..snapshot import Snapshot
from .columns import CatalogueColumn
from .table import Array, Source, Stated, Table

TABLES = {"groups": "Group", "subhaloes": "Subhalo"}
ROW = "row"
# quantity -> (datasets, of which the first that is there is used; kind in `groups.factor_of`, or a unit)
_RULES: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "groups": {
        "positions": (("GroupPos",), "length"),
        "velocities": (("GroupVel",), "group velocity"),
        "m200c": (("Group_M_Crit200",), "mass"),
        "m500c": (("Group_M_Crit500",), "mass"),
        "m200m": (("Group_M_Mean200",), "mass"),
        "mvir": (("Group_M_TopHat200",), "mass"),
        "masses": (("GroupMass",), "mass"),
        "r200c": (("Group_R_Crit200",), "length"),
        "r500c": (("Group_R_Crit500",), "length"),
        "r200m": (("Group_R_Mean200",), "length"),
        "rvir": (("Group_R_TopHat200",), "length"),
        "n_particles": (("GroupLen",), ""),
        "star_formation_rate": (("GroupSFR",), "Msun/yr"),
        "stellar_mass": (("GroupMassType[4]",), "mass"),
        "gas_mass": (("GroupMassType[0]",), "mass"),
    },
    "subhaloes": {
        "host_ids": (("SubhaloGroupNr", "SubhaloGrNr"), ""),
        "positions": (("SubhaloPos",), "length"),
        "velocities": (("SubhaloVel",), "velocity"),
        "masses": (("SubhaloMass",), "mass"),
        "vmax": (("SubhaloVmax",), "velocity"),
        "velocity_dispersion": (("SubhaloVelDisp",), "velocity"),
        "half_mass_radius": (("SubhaloHalfmassRad",), "length"),
        "n_particles": (("SubhaloLen",), ""),
        "star_formation_rate": (("SubhaloSFR",), "Msun/yr"),
        "stellar_mass": (("SubhaloMassType[4]",), "mass"),
        "gas_mass": (("SubhaloMassType[0]",), "mass"),
    },
}
_UNIT = {"length": "Mpc", "mass": "Msun", "velocity": "km/s", "group velocity": "km/s"}


def open_subfind(path: str, over: Overrides, table: str | None, snapshot: Snapshot | None) -> Source:
    """One of the two tables of a group catalogue."""
    if table not in (None, *TABLES):
        raise DomainError(f"`table` must be one of {', '.join(map(repr, TABLES))}, got {table!r}")
    raw = read_raw_groups(path, over, snapshot)
    if table is None:
        table = "groups" if raw.n_groups or not raw.n_subhaloes else "subhaloes"
    held = _table(raw, table)
    head = raw.header
    stated = Stated(
        scale_factor=head.scale_factor,
        redshift=head.redshift,
        h=head.h,
        omega_m=head.omega_m or None,
        omega_lambda=head.omega_lambda if head.omega_m else None,
        box_size=head.box_size,
        box_unit="Mpc",
        is_periodic=head.is_periodic,
    )
    source = Source(raw.paths[0], tuple(raw.paths), "subfind", held, _rules(held, table, raw.units), stated, raw.notes)
    source.missing += [
        MissingField(table, name, f"no dataset {TABLES[table]}/{datasets[0]}", "")
        for name, (datasets, _) in _RULES[table].items()
        if name not in source.rules and name in ("positions", "velocities", "m200c", "r200c", "host_ids")
    ]
    if table == "groups":
        source.missing.append(
            MissingField("groups", "host_ids", "groups lie in no other group (subhaloes do: table='subhaloes')", "")
        )
    return source


def _table(raw: RawGroups, table: str) -> Table:
    n = raw.n_groups if table == "groups" else raw.n_subhaloes
    group = TABLES[table]
    dtypes: dict[str, np.dtype[Any]] = {ROW: np.dtype(np.int64)}
    rows: list[tuple[str, int]] = []
    for path in raw.paths:
        with hdf5.opened(path) as file:
            found = {name: hdf5.dataset(file, f"{group}/{name}", path) for name in hdf5.names_in(file, group, path)}
            held = {name: data for name, data in found.items() if data is not None}
            rows.append((path, max((len(data) for data in held.values()), default=0)))
            for name, data in held.items():
                dtypes[name] = data.dtype.newbyteorder("=")
                if data.ndim == 2 and data.shape[1] != 3:
                    dtypes |= {f"{name}[{k}]": dtypes[name] for k in range(min(data.shape[1], 16))}
    return Table(dtypes, n, lambda name: _load(rows, group, name, n))


def _load(rows: list[tuple[str, int]], group: str, name: str, n: int) -> Array:
    if name == ROW:
        return np.arange(n, dtype=np.int64)
    stem, _, component = name.partition("[")
    blocks = []
    for path, held in rows:
        if not held:
            continue
        with hdf5.opened(path) as file:
            data = hdf5.dataset(file, f"{group}/{stem}", path)
            if data is None:
                raise FileFormatError(f"{path}: lacks {group}/{stem}, which other files of its set have")
            with hdf5.translated(path, f"{group}/{stem}"):
                values = data[()] if not component else data[:, int(component[:-1])]
            blocks.append(values.astype(values.dtype.newbyteorder("="), copy=False))
    made: Array = np.concatenate(blocks) if blocks else np.empty(0)
    if len(made) != n:
        raise FileFormatError(f"{rows[0][0]}: {group}/{stem} has {len(made)} rows in all files, expected {n}")
    return made


def _rules(held: Table, table: str, units: CodeUnits) -> dict[str, CatalogueColumn]:
    rules = {"ids": CatalogueColumn(ROW, "")}
    for name, (datasets, kind) in _RULES[table].items():
        for dataset in datasets:
            if dataset in held.dtypes and name not in rules:
                unit = f"{factor_of(kind, units)!r} {_UNIT[kind]}" if kind in _UNIT else kind
                rules[name] = CatalogueColumn(dataset, unit)
    return rules
