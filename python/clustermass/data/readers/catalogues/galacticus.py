"""Merger trees in Galacticus' HDF5 format (github.com/galacticusorg/galacticus/wiki/Merger-Tree-File-Format).

The forests of milli-Millennium come in it. Names have changed over the years: ``forestHalos`` was ``haloTrees``,
``descendentIndex`` is spelled with a and with e, and one may be a reference to the other.
"""

from __future__ import annotations

import h5py
import numpy as np

from ....errors import FileFormatError, TruncatedFileError
from ....units import MPC_CM, MSUN_G
from ...schema import MissingField
from .. import hdf5
from ..code_units import nominal
from .columns import CatalogueColumn
from .table import Array, Source, Stated, Table

GROUPS = ("forestHalos", "haloTrees")
# quantity -> (datasets of which the first usable one is taken, kind of unit)
_RULES = {
    "ids": (("nodeIndex",), ""),
    "descendant_ids": (("descendantIndex", "descendentIndex"), ""),
    "parent_ids": (("hostIndex",), ""),
    "positions": (("position",), "length"),
    "velocities": (("velocity",), "velocity"),
    "masses": (("nodeMass",), "mass"),
    "m200m": (("nodeMass200Mean",), "mass"),
    "m200c": (("nodeMass200Crit",), "mass"),
    "half_mass_radius": (("halfMassRadius",), "length"),
    "scale_radius": (("scaleRadius",), "length"),
    "vmax": (("velocityMaximum",), "velocity"),
    "velocity_dispersion": (("velocityDispersion",), "velocity"),
    "n_particles": (("particleCount",), ""),
    "redshift": (("redshift",), ""),
    "scale_factor": (("expansionFactor",), ""),
}
_SI = {"length": MPC_CM / 100, "mass": MSUN_G / 1000, "velocity": 1e3}
_UNIT = {"length": "Mpc", "mass": "Msun", "velocity": "km/s"}


def is_galacticus(path: str) -> bool:
    """Whether an HDF5 file has the group of nodes of this format."""
    with hdf5.opened(path) as file:
        return any(isinstance(hdf5.member(file, name, path), h5py.Group) for name in GROUPS)


def open_galacticus(path: str) -> Source:
    """All nodes of all forests of a file."""
    with hdf5.opened(path) as file:
        group = next(name for name in GROUPS if isinstance(hdf5.member(file, name, path), h5py.Group))
        notes: list[str] = []
        table = _table(file, group, path, notes)
        units, comoving = _units(file, path)
        stated = _stated(file, path, units)
    rules = {}
    for name, (datasets, kind) in _RULES.items():
        for dataset in datasets:
            if dataset in table.dtypes and name not in rules:
                rules[name] = CatalogueColumn(dataset, units.get(kind, ""))
    missing = []
    for name in [name for name, rule in rules.items() if not comoving and _RULES[name][1] == "length"]:
        del rules[name]
        missing.append(MissingField("", name, "lengths are physical, and rows are of many epochs", ""))
    source = Source(
        path, (path,), "galacticus_hdf5", table, rules, stated, notes, missing=missing, links_to_itself=True
    )
    _check_box(source)
    redshift = table.load("redshift") if "redshift" in table.dtypes else np.empty(0)
    if redshift.size and redshift.min() == redshift.max():
        stated.redshift = float(redshift[0])
    elif redshift.size:
        notes.append(f"rows of many epochs, redshift {redshift.min():g} to {redshift.max():g}")
    return source


def _table(file: h5py.File, group: str, path: str, notes: list[str]) -> Table:
    dtypes, rows = {}, {}
    for name in hdf5.names_in(file, group, path):
        found = hdf5.member(file, f"{group}/{name}", path)
        if not isinstance(found, h5py.Dataset):
            continue
        if found.dtype.kind == "O" or found.shape is None or found.ndim == 0:
            # a region reference, which can lead anywhere: the dataset that it stands for is here by its own name
            notes.append(f"{group}/{name} is no table but a reference, left out")
            continue
        data = hdf5.dataset(file, f"{group}/{name}", path)
        if data is not None:
            dtypes[name], rows[name] = data.dtype.newbyteorder("="), int(data.shape[0])
    if "nodeIndex" not in rows:
        raise FileFormatError(f"{path}: lacks {group}/nodeIndex")
    n = rows["nodeIndex"]
    for name, held in rows.items():
        if held != n:
            error = TruncatedFileError if held < n else FileFormatError
            raise error(f"{path}: {group}/{name} has {held} rows, {group}/nodeIndex has {n}")

    def load(name: str) -> Array:
        with hdf5.opened(path) as again:
            data = hdf5.dataset(again, f"{group}/{name}", path)
            if data is None:
                raise FileFormatError(f"{path}: lacks {group}/{name}")
            with hdf5.translated(path, f"{group}/{name}"):
                values: Array = data[()].astype(dtypes[name], copy=False)
        return values

    return Table(dtypes, n, load)


def _stated(file: h5py.File, path: str, units: dict[str, str]) -> Stated:
    head = hdf5.member(file, "cosmology", path)
    simulation = hdf5.member(file, "simulation", path)
    halos = next(found for name in GROUPS if (found := hdf5.member(file, name, path)) is not None)
    periodic = hdf5.number(halos, "positionsArePeriodic", path)
    return Stated(
        h=hdf5.number(head, ("HubbleParam", "hubbleParameter"), path),
        omega_m=hdf5.number(head, ("OmegaMatter", "Omega0", "omegaMatter"), path),
        omega_lambda=hdf5.number(head, ("OmegaLambda", "omegaLambda"), path),
        box_size=hdf5.number(simulation, "boxSize", path),
        box_unit=units["length"],
        is_periodic=None if periodic is None else bool(periodic),
    )


_H_POWERS = {0: "", -1: "/h", -2: "/h^2"}


def _units(file: h5py.File, path: str) -> tuple[dict[str, str], bool]:
    """Units as a column map names them; whether lengths are comoving."""
    head = hdf5.member(file, "units", path)
    units, comoving = {}, True
    for kind, size in _SI.items():
        si = hdf5.number(head, f"{kind}UnitsInSI", path)
        if si is None or not 0 < si < 1e80:
            raise FileFormatError(f"{path}: units/{kind}UnitsInSI must be above 0, got {si}")
        h_power = hdf5.number(head, f"{kind}HubbleExponent", path) or 0
        a_power = hdf5.number(head, f"{kind}ScaleFactorExponent", path) or 0
        if h_power not in _H_POWERS:
            raise FileFormatError(f"{path}: units/{kind}HubbleExponent must be 0, -1 or -2, got {h_power:g}")
        units[kind] = f"{nominal(si / size)!r} {_UNIT[kind]}{_H_POWERS[int(h_power)]}"
        if kind == "length":
            comoving = a_power == 1
        elif a_power != 0:
            raise FileFormatError(f"{path}: units/{kind}ScaleFactorExponent must be 0, got {a_power:g}")
    return units, comoving


def _check_box(source: Source) -> None:
    """A box far larger than where the haloes are is that of another run: milli-Millennium files say 500 for 62.5."""
    box, rule = source.stated.box_size, source.rules.get("positions")
    if box is None or rule is None or not source.table.n:
        return
    positions = source.table.load(rule.source[0])
    if positions.ndim != 2:
        return
    reach = float(np.nanmax(positions))
    if reach < 0.5 * box:
        source.stated.box_size = None
        source.notes.append(
            f"the file states a box of {box:g} (its length unit), but no position is beyond {reach:g}: not used "
            f"(argument box_size)"
        )
        reason = "the box that the file states does not fit its positions (argument box_size)"
        source.missing.append(MissingField("", "box_size", reason, "periodic edges"))
