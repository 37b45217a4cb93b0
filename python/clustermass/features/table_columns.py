"""Which columns of a table are meant, by the names that such tables use. A column map comes first."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..data.readers.catalogues import Catalogue, CatalogueColumn, open_catalogue
from ..data.readers.catalogues.columns import column_map
from ..data.readers.header import warn_assumptions
from ..errors import DataWarning

#: quantity -> names that tables use for it, in lower case, letters and digits only
GALAXY_NAMES: dict[str, tuple[str, ...]] = {
    "clusters": ("clusters", "cluster", "clusterid", "idcluster", "clid", "cid", "icls", "clusterindex", "group",
                 "groupid", "groupno", "igrp", "hostid", "yang"),
    "ra": ("ra", "radeg", "raj2000", "rightascension", "alpha", "hms"),
    "dec": ("dec", "decdeg", "de", "dej2000", "declination", "delta", "dms"),
    "redshift": ("z", "zspec", "redshift", "zgal", "zhelio", "zobs", "specz", "zbest"),
    "recession_velocity": ("cz", "vhel", "vhelio", "czhel", "cznoqual", "recessionvelocity", "vr", "hrv"),
    "velocity": ("velocity", "vlos", "vel", "v", "vrel", "dv", "deltav", "velocityoffset", "voff", "vpec", "vrest"),
    "velocity_error": ("velocityerror", "velocityerr", "verr", "ev", "evel", "evlos", "vloserr"),
    "projected_radius": ("projectedradius", "dproj", "rproj", "rprojmpc", "rmpc", "radpmpc", "rp", "r", "rkpc",
                         "rprojkpc", "radius", "rperp", "bproj", "rarcmin"),
    "x": ("x", "dx", "xmpc", "xproj"),
    "y": ("y", "dy", "ympc", "yproj"),
    "cluster_redshift": ("clusterredshift", "zclus", "zcl", "zcluster", "zspeccls", "zc", "zgroup"),
    "cluster_ra": ("clusterra", "racl", "racen", "racluster", "racenter", "racentre"),
    "cluster_dec": ("clusterdec", "deccl", "deccen", "deccluster", "deccenter", "deccentre"),
    "is_member": ("ismember", "member", "memberflag"),
    "is_interloper": ("isinterloper", "interloper", "flagm"),
}  # fmt: skip
CLUSTER_NAMES: dict[str, tuple[str, ...]] = {
    "names": ("name", "names", "cluster", "clusterid", "clustername", "id", "cid", "yang", "objectname"),
    "ra": GALAXY_NAMES["ra"],
    "dec": GALAXY_NAMES["dec"],
    "redshift": (*GALAXY_NAMES["redshift"], *GALAXY_NAMES["cluster_redshift"]),
    "y_500": ("y500mpc2",),
    "y_5r500_arcmin2": ("y5r500arcmin2",),
    "l_x": ("lx", "lxergs", "l500ergs"),
}
_ANGLES = ("ra", "dec", "cluster_ra", "cluster_dec")
_RADII = ("projected_radius", "x", "y")
_SPEEDS = ("velocity", "velocity_error")
_UNIT_IN_NAME = re.compile(r"^(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]$")
_MISSING_REDSHIFTS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0)


@dataclass(frozen=True)
class NamedTable:
    """A catalogue whose columns have meaning.

    Attributes
    ----------
    catalogue : Catalogue
        Lengths named in `physical` are as in the file, physical Mpc.
    physical : frozenset of str
    notes : list of str
        Units that were assumed, since neither file nor caller says them.
    """

    catalogue: Catalogue
    physical: frozenset[str]
    notes: list[str]


def open_with_names(
    path: str | os.PathLike[str], columns: Any, names: Mapping[str, tuple[str, ...]], **arguments: Any
) -> NamedTable:
    """A catalogue with a column for each quantity of `names` that the caller or the file names.

    Parameters
    ----------
    path : str or path
        The table.
    columns : dict or None
        Column map, as for `open_catalogue`. A quantity that it maps to None is not looked for in the file. Units may be
        left out: then they are those that such tables have.
    names : mapping
        `GALAXY_NAMES` or `CLUSTER_NAMES`.
    **arguments
        Of `open_catalogue`.
    """
    given = {name: entry for name, entry in dict(columns or {}).items() if entry is not None}
    refused = set(columns or ()) - set(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # said below, with the columns
        plain = open_catalogue(path, **arguments)
    made = _given_columns(plain, given)
    notes: list[str] = []
    taken = {source for entry in made.values() for source in entry.source}
    known = _without_magnitudes(plain.raw_names, names)
    for quantity in names:
        if quantity in made or quantity in refused or quantity in plain:
            continue
        column = _column_of(plain.raw_names, known[quantity], taken)
        if column is not None:
            taken.add(column)
            made[quantity] = CatalogueColumn(column, *_unit_of(plain, quantity, column, notes))
    physical = frozenset(name for name in _RADII if name in made and (made[name].unit or "").startswith("physical"))
    for name in physical:
        made[name] = replace(made[name], unit=str(made[name].unit).removeprefix("physical "))
    catalogue = plain.with_columns(made)
    warn_assumptions(catalogue.path, catalogue.assumptions)
    return NamedTable(catalogue, physical, notes)


def _given_columns(plain: Catalogue, given: dict[str, Any]) -> dict[str, CatalogueColumn]:
    """The caller's map, with the usual units where it leaves them out."""
    made = {}
    for name, entry in given.items():
        bare = isinstance(entry, str | int) or (isinstance(entry, CatalogueColumn) and entry.unit is None)
        if bare and name in (*_RADII, *_ANGLES, *_SPEEDS):
            column = entry if isinstance(entry, CatalogueColumn) else CatalogueColumn(entry)
            source = column.source[0]
            at = source if isinstance(source, str) else dict(enumerate(plain.raw_names, 1)).get(source)
            if at in plain.raw_names:
                entry = replace(column, unit=_unit_of(plain, name, str(at), [])[0])
        made[name] = entry
    return column_map(made)


def _without_magnitudes(columns: tuple[str, ...], names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Names that may mean the quantity in this table: beside g and i, r and z are magnitudes; beside b, v is one."""
    held = {_plain(column) for column in columns}
    dropped = ({"r", "z"} if {"g", "r", "i"} <= held else set()) | ({"v"} if {"b", "v"} <= held else set())
    return {quantity: tuple(name for name in known if name not in dropped) for quantity, known in names.items()}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _column_of(columns: tuple[str, ...], known: tuple[str, ...], taken: set[Any]) -> str | None:
    """The column whose name comes first among the known ones, with or without a unit in brackets behind it."""
    by_name: dict[str, str] = {}
    for column in columns:
        match = _UNIT_IN_NAME.match(column)
        for spelling in (column, *([match[1]] if match else [])):
            by_name.setdefault(_plain(spelling), column)
    return next((by_name[name] for name in known if name in by_name and by_name[name] not in taken), None)


def _unit_of(plain: Catalogue, quantity: str, column: str, notes: list[str]) -> tuple[str | None, tuple[float, ...]]:
    """Unit of a column and marks of missing values: what the file says, else what such tables mean."""
    match = _UNIT_IN_NAME.match(column)
    stated = plain.raw_units.get(column) or (match[2] if match else None)
    if quantity in _RADII:
        return _length(stated, quantity, column, notes), ()
    if quantity in _ANGLES:
        if plain.raw(column).dtype.kind in "SU":
            return ("hh:mm:ss" if quantity.endswith("ra") else "dd:mm:ss"), ()
        return (stated if stated in ("rad", "hourangle", "arcmin") else "deg"), ()
    if quantity in _SPEEDS:
        return (stated if stated == "m/s" else "km/s"), ()
    return ("" if quantity != "clusters" else None), _MISSING_REDSHIFTS if quantity == "redshift" else ()


def _length(stated: str | None, quantity: str, column: str, notes: list[str]) -> str:
    word = (stated or "").split()[-1] if (stated or "").split() else ""
    if not word:
        word = next((unit for unit in ("kpc", "arcmin", "arcsec", "deg") if unit in column.lower()), "")
    if not word:
        notes.append(f"column {column} ({quantity}) is taken to be in physical Mpc")
        return "physical Mpc"
    if word in ("deg", "arcmin", "arcsec", "rad"):
        return word
    return stated if stated and stated.startswith("physical") else f"physical {word}"
