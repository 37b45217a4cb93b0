"""Halo tables from data bases as comma-separated text: CosmoSim, and SQL answers of the Millennium data base.

Columns and units: CosmoSim's pages on its Rockstar, BDM and FOF tables (www.cosmosim.org, documentation, database
structure) and the Millennium data base (Lemson et al. 2006, astro-ph/0608019; MPAHalo and galaxy tables).
"""

from __future__ import annotations

import math
import re

import numpy as np

from ....errors import FileFormatError, TruncatedFileError
from ...schema import MissingField
from .columns import CatalogueColumn
from .halo_text import Rules, choose
from .table import Source, Stated, Table
from .text import Head, Layout, Parse, read_head, skip_first, split_line

_XYZ, _VXYZ = ("x", "y", "z"), ("vx", "vy", "vz")
_COSMOSIM: Rules = (
    ("ids", ("rockstarid", "bdmid", "fofid", "haloid", "id"), ""),
    ("descendant_ids", ("descid", "desc_id"), ""),
    ("parent_ids", ("pid",), ""),
    ("host_ids", ("upid", "hostflag"), ""),
    ("tree_ids", ("treerootid", "tree_root_id"), ""),
    ("positions", (_XYZ,), "Mpc/h"),
    ("velocities", (_VXYZ,), "km/s"),
    ("mvir", ("mvir",), "Msun/h"),
    ("m200c", ("m200c",), "Msun/h"),
    ("m200m", ("m200b", "m200m"), "Msun/h"),
    ("m500c", ("m500c",), "Msun/h"),
    ("m2500c", ("m2500c",), "Msun/h"),
    ("masses", ("mass",), "Msun/h"),
    ("rvir", ("rvir",), "kpc/h"),
    ("scale_radius", ("rs",), "kpc/h"),
    ("vmax", ("vmax", "vcirc"), "km/s"),
    ("velocity_dispersion", ("vrms",), "km/s"),
    ("n_particles", ("np",), ""),
)
_MILLENNIUM: Rules = (
    ("ids", ("haloid", "galaxyid"), ""),
    ("descendant_ids", ("descendantid",), ""),
    ("host_ids", ("firsthaloinfofgroupid", "fofcentralid"), ""),
    ("tree_ids", ("treeid",), ""),
    ("positions", (_XYZ,), "Mpc/h"),
    ("velocities", (("velx", "vely", "velz"),), "km/s"),
    ("mvir", ("m_tophat", "mvir"), "1e10 Msun/h"),
    ("m200c", ("m_crit200",), "1e10 Msun/h"),
    ("m200m", ("m_mean200",), "1e10 Msun/h"),
    ("rvir", ("rvir",), "Mpc/h"),
    ("half_mass_radius", ("halfmassradius",), "Mpc/h"),
    ("vmax", ("vmax",), "km/s"),
    ("velocity_dispersion", ("veldisp", "vdisp"), "km/s"),
    ("n_particles", ("np",), ""),
    ("stellar_mass", ("stellarmass",), "1e10 Msun/h"),
    ("star_formation_rate", ("sfr",), "Msun/yr"),
    ("redshift", ("redshift",), ""),
)
#: Cosmology and boxes of the Millennium runs (Springel et al. 2005, Nature 435, 629), by the name of the data base.
_MILLENNIUM_BOXES = {"millimil": 62.5, "millennium": 500.0, "millenniumii": 100.0, "minimilii": 100.0}


def identify(head: Head) -> str | None:
    """The format of a table with commas, by its names, or None."""
    if "," not in head.first:
        return None
    names = {name.lower() for name in split_line(head.first, ",")}
    if not set(_XYZ) <= names:
        return None
    if any(comment.startswith("#SQL") for comment in head.comments) or {"haloid", "snapnum", "velx"} <= names:
        return "millennium_csv"
    if names & {"rockstarid", "bdmid", "fofid"} or {"pid", "upid"} <= names:
        return "cosmosim_csv"
    return None


def open_halo_csv(path: str, parse: Parse) -> Source:
    """One table."""
    head = read_head(path)
    kind = identify(head)
    assert kind is not None  # `formats` has asked
    layout = skip_first(Layout(tuple(split_line(head.first, ",")), ","), head)
    if kind == "millennium_csv":
        _check_end(path, head)
    parsed = parse(path, layout)
    source = Source(path, (path,), kind, parsed.table, {}, where=parsed.where, links_to_itself=True)
    if parsed.ends_open:
        source.notes.append("ends without a line end: its last number may be cut")
    if kind == "millennium_csv":
        source.rules = choose(_MILLENNIUM, parsed.table)
        source.stated = _millennium(head, source)
    else:
        source.rules = choose(_COSMOSIM, parsed.table)
        source.no_parent = (-1, 1) if source.rules.get("host_ids") == _host_flag(parsed.table) else (-1,)
        _choose_radius_unit(source)
    _epoch(source)
    if not {"parent_ids", "host_ids"} & set(source.rules):
        source.missing.append(MissingField("", "host_ids", "no column", "telling host haloes from subhaloes"))
    return source


def _host_flag(table: Table) -> CatalogueColumn | None:
    return next((CatalogueColumn(name, "") for name in table.names if name.lower() == "hostflag"), None)


def _check_end(path: str, head: Head) -> None:
    """An answer of the Millennium data base ends with #OK; without it the transfer was cut, or the query failed."""
    if not any(comment.startswith("#SQL") for comment in head.comments):
        return  # a table that was made of one
    with open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 4096))
        last = file.read().rstrip().rsplit(b"\n", 1)[-1].strip()
    if last != b"#OK":
        raise TruncatedFileError(f"{path}: must end with the line #OK, its last line is {last[:60]!r}")


def _millennium(head: Head, source: Source) -> Stated:
    query = " ".join(comment for comment in head.comments if comment.startswith("#SQL")).lower()
    names = [name for name in _MILLENNIUM_BOXES if re.search(rf"\b{name}\.\.", query)]
    if not names:
        return Stated(h=None)
    source.notes.append(
        f"box {_MILLENNIUM_BOXES[names[0]]:g} Mpc/h and the cosmology of the Millennium runs, by the data base "
        f"{names[0]!r} in the query"
    )
    return Stated(h=0.73, omega_m=0.25, omega_lambda=0.75, box_size=_MILLENNIUM_BOXES[names[0]])


def _epoch(source: Source) -> None:
    """One epoch if a column of scale factors or redshifts has one value."""
    table = source.table
    for name in table.names:
        if name.lower() in ("scale", "redshift") and table.n:
            values = table.load(name)
            if values.dtype.kind not in "iuf":
                raise FileFormatError(f"{source.path}: column {name} must hold numbers, it holds text")
            if values.min() != values.max():
                source.notes.append(f"rows of many epochs, {name} {values.min():g} to {values.max():g}")
                return
            field = "scale_factor" if name.lower() == "scale" else "redshift"
            setattr(source.stated, field, float(values[0]))
            return
    source.names_epoch = True


def _choose_radius_unit(source: Source) -> None:
    """kpc/h, or Mpc/h as in CosmoSim's BDM tables of the older runs: by the density within the virial radius."""
    if not {"mvir", "rvir"} <= set(source.rules):
        return
    mass, radius = (source.table.load(source.rules[name].source[0]).astype(np.float64) for name in ("mvir", "rvir"))
    held = (mass > 0) & (radius > 0)
    if not held.any():
        return
    density = float(np.median(mass[held] / radius[held] ** 3)) / 2.775e11
    if math.log10(density) > -4:  # 1e-9 times a few hundred for kpc/h
        source.notes.append("radii are in Mpc/h: masses and radii fit only so")
        for name in ("rvir", "scale_radius"):
            if name in source.rules:
                source.rules[name] = CatalogueColumn(source.rules[name].source, "Mpc/h")
