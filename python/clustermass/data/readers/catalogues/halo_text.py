"""Halo catalogues in white-space text: Rockstar lists and ascii, consistent-trees hlist, AHF, UniverseMachine.

Columns and units follow the codes' own documentation: Rockstar and consistent-trees (Behroozi et al. 2013, ApJ 762, 109
and 763, 18; comments in the files), AHF (Knollmann & Knebe 2009, ApJS 182, 608; user guide), UniverseMachine DR1
(Behroozi et al. 2019, MNRAS 488, 3143; field explanations of its catalogues).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ....errors import FileFormatError
from ...schema import MissingField
from .columns import CatalogueColumn
from .table import Source, Stated, Table
from .text import Head, Parse, Parsed, layout_after_header, read_head, split_line

NO_PARENTS = "no column of parents (Rockstar's find_parents adds PID; consistent-trees lists have pid and upid)"
PREVENTS = "telling host haloes from subhaloes"
# (quantity, columns in lower case of which the first that is there is used, unit)
Rules = tuple[tuple[str, tuple[str | tuple[str, ...], ...], str], ...]
_XYZ, _VXYZ = ("x", "y", "z"), ("vx", "vy", "vz")

_ROCKSTAR: Rules = (
    ("ids", ("id",), ""),
    ("descendant_ids", ("descid", "desc_id"), ""),
    ("parent_ids", ("pid",), ""),
    ("host_ids", ("upid",), ""),
    ("tree_ids", ("tree_root_id",), ""),
    ("positions", (_XYZ,), "Mpc/h"),
    ("velocities", (_VXYZ,), "km/s"),
    ("mvir", ("mvir",), "Msun/h"),
    ("m200c", ("m200c",), "Msun/h"),
    ("m200m", ("m200b", "m200m"), "Msun/h"),
    ("m500c", ("m500c",), "Msun/h"),
    ("m2500c", ("m2500c",), "Msun/h"),
    ("rvir", ("rvir",), "kpc/h"),
    ("r200c", ("r200c",), "kpc/h"),
    ("r200m", ("r200b", "r200m"), "kpc/h"),
    ("r500c", ("r500c",), "kpc/h"),
    ("scale_radius", ("rs",), "kpc/h"),
    ("half_mass_radius", ("halfmass_radius",), "kpc/h"),
    ("vmax", ("vmax",), "km/s"),
    ("velocity_dispersion", ("vrms",), "km/s"),
    ("n_particles", ("np", "num_p"), ""),
)
_AHF: Rules = (
    ("ids", ("id",), ""),
    ("parent_ids", ("hosthalo",), ""),
    ("positions", (("xc", "yc", "zc"),), "kpc/h"),
    ("velocities", (("vxc", "vyc", "vzc"),), "km/s"),
    ("mvir", ("mvir",), "Msun/h"),
    ("masses", ("mhalo",), "Msun/h"),
    ("rvir", ("rvir",), "kpc/h"),
    ("scale_radius", ("r2",), "kpc/h"),
    ("vmax", ("vmax",), "km/s"),
    ("velocity_dispersion", ("sigv",), "km/s"),
    ("n_particles", ("npart",), ""),
    ("stellar_mass", ("m_star",), "Msun/h"),
    ("gas_mass", ("m_gas",), "Msun/h"),
)
_UNIVERSEMACHINE: Rules = (
    ("ids", ("id",), ""),
    ("descendant_ids", ("descid", "desc_id"), ""),
    ("host_ids", ("upid",), ""),
    ("flags", ("flags",), ""),
    ("positions", (_XYZ,), "Mpc/h"),
    ("velocities", (_VXYZ,), "km/s"),
    ("mvir", ("mvir", "m"), "Msun/h"),
    ("rvir", ("rvir", "r"), "kpc/h"),
    ("vmax", ("vmax", "v"), "km/s"),
    ("stellar_mass", ("obs_sm", "log(obs_sm)", "sm", "log(sm)"), "Msun"),
    ("star_formation_rate", ("obs_sfr", "log(obs_sfr)", "sfr", "log(sfr)"), "Msun/yr"),
)


@dataclass(frozen=True)
class _Kind:
    """A format: columns that tell it, and its rules."""

    tells: frozenset[str]
    rules: Rules


_KINDS = {
    "hlist": _Kind(frozenset({"scale", "id", "desc_id", "pid", "upid", "x"}), _ROCKSTAR),
    "universemachine": _Kind(frozenset({"id", "upid", "x", "obs_sm"}), _UNIVERSEMACHINE),
    "ahf": _Kind(frozenset({"id", "hosthalo", "xc", "npart"}), _AHF),
    "rockstar_ascii": _Kind(frozenset({"id", "num_p", "rvmax", "x"}), _ROCKSTAR),
    "rockstar_list": _Kind(frozenset({"id", "descid", "vmax", "x"}), _ROCKSTAR),
}


def column_names(line: str) -> tuple[str, ...]:
    """Names of a header line: ``#ID(1) hostHalo(2)`` and ``Tidal_ID (32)`` lose their numbers, ``b_to_a(500c)`` not."""
    joined = re.sub(r"\s+(\(\d+\))", r"\1", line.lstrip("#").strip())
    return tuple(re.sub(r"\(\d+\)$", "", name) for name in joined.split())


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower().replace("log(obs_sm)", "obs_sm") for name in names)


def identify(head: Head) -> str | None:
    """The format whose columns the comments name, or None."""
    for comment in head.comments[:4]:
        names = _lower(column_names(comment))
        for name, kind in _KINDS.items():
            if kind.tells <= names:
                return name
    return None


def open_halo_text(path: str, paths: tuple[str, ...], parse: Parse) -> Source:
    """One catalogue of one or several files of the same columns."""
    head = read_head(path)
    kind = identify(head)
    assert kind is not None  # `formats` has asked
    names = _names(path, head, kind)
    parsed = []
    for name in paths:
        own = head if name == path else read_head(name)
        if own is not head and identify(own) != kind:
            raise FileFormatError(f"{name}: is no {kind} file, as {path} of the same set is")
        parsed.append(parse(name, layout_after_header(own, names)))
    notes: list[str] = []
    source = Source(path, paths, kind, _joined(parsed), {}, _stated(head), notes)
    for name, item in zip(paths, parsed, strict=True):
        if item.ends_open:
            notes.append(f"{name} ends without a line end: its last number may be cut")
    if len(parsed) == 1:
        source.where = parsed[0].where
    source.rules = choose(_KINDS[kind].rules, source.table)
    _finish(source)
    return source


def _names(path: str, head: Head, kind: str) -> tuple[str, ...]:
    """The names in the comment that has as many as the first line has entries."""
    made = [column_names(comment) for comment in head.comments]
    named = next(names for names in made if _KINDS[kind].tells <= _lower(names))
    if not head.first:
        return named
    n = len(split_line(head.first, None))
    if n != len(named):
        raise FileFormatError(f"{path}, line {head.first_line}: has {n} columns, the header names {len(named)}")
    return named


def choose(rules: Rules, table: Table) -> dict[str, CatalogueColumn]:
    """The rules whose columns are there."""
    there = {name.lower(): name for name in reversed(table.names)}
    chosen: dict[str, CatalogueColumn] = {}
    for quantity, candidates, unit in rules:
        for candidate in candidates:
            wanted = (candidate,) if isinstance(candidate, str) else candidate
            if quantity not in chosen and all(name in there for name in wanted):
                chosen[quantity] = CatalogueColumn(tuple(there[name] for name in wanted), unit)
    return chosen


def _joined(parsed: list[Parsed]) -> Table:
    tables = [item.table for item in parsed]
    if len(tables) == 1:
        return tables[0]
    dtypes = {name: np.result_type(*(t.dtypes[name] for t in tables)) for name in tables[0].names}
    return Table(
        dtypes,
        sum(table.n for table in tables),
        lambda name: np.concatenate([table.load(name).astype(dtypes[name], copy=False) for table in tables]),
    )


_NUMBER = r"\s*([+-]?\d[\d.]*(?:[eE][+-]?\d+)?)"
_ENTRIES = {
    "scale_factor": r"^#\s*a\s*=" + _NUMBER,
    "omega_m": r"\b(?:Om|Omega_M)\s*=" + _NUMBER,
    "omega_lambda": r"\b(?:Ol|Omega_L)\s*=" + _NUMBER,
    "h": r"\b(?:h|h0)\s*=" + _NUMBER,
    "box_size": r"(?:Full box size\s*=|Box size:)" + _NUMBER,
    "particle_mass": r"Particle mass:" + _NUMBER,
}


def _stated(head: Head) -> Stated:
    text = "\n".join(head.comments)
    stated = Stated()
    for name, pattern in _ENTRIES.items():
        if match := re.search(pattern, text, re.MULTILINE):
            try:
                setattr(stated, name, float(match[1]))
            except ValueError:
                continue  # damaged: as if the file did not say
    return stated


def _finish(source: Source) -> None:
    """What a format needs to be looked up in its rows: the epoch, marks of "none", logarithms."""
    table = source.table
    if source.format == "hlist" and table.n:
        scales = table.load(next(name for name in table.names if name.lower() == "scale"))
        if scales.min() == scales.max():
            source.stated.scale_factor = float(scales[0])
        else:
            source.notes.append(f"rows of many epochs, scale factors {scales.min():g} to {scales.max():g}")
            return
    source.names_epoch = True
    if source.format == "ahf":
        ids, hosts = (table.load(source.rules[name].source[0]) for name in ("ids", "parent_ids"))
        if not (hosts == -1).any() and not (ids == 0).any():
            source.no_parent = (0, -1)
    if source.format == "universemachine":
        _take_logarithms(source)
    if not {"parent_ids", "host_ids"} & set(source.rules):
        source.missing.append(MissingField("", "host_ids", NO_PARENTS, PREVENTS))


def _take_logarithms(source: Source) -> None:
    """UniverseMachine's own catalogues have Msun and Msun/yr, tables made of them often decimal logarithms."""
    mass = source.table.load(source.rules["stellar_mass"].source[0])
    held = mass[np.isfinite(mass)]
    if held.size and held.max() < 20:
        source.notes.append("stellar masses and star formation rates are decimal logarithms: none is above 20")
        for name in ("stellar_mass", "star_formation_rate"):
            if name in source.rules:
                rule = source.rules[name]
                source.rules[name] = CatalogueColumn(rule.source, f"log10 {rule.unit}")
