"""Halo catalogues in binary records: Rockstar's halos_*.bin and BGC2, UniverseMachine's sfr_catalog_*.bin.

Layouts: Rockstar's headers ``io_internal.h`` and ``halo.h`` (format revisions 1 and 2, and the longer record of
Rockstar-Galaxies), BGC2's ``bgc2.h`` (C. McBride, with Rockstar), and the field explanations that UniverseMachine DR1
gives with its SMDPL catalogues.
"""

from __future__ import annotations

import math
import os
from typing import Any, Literal

import numpy as np

from ....errors import FileFormatError, TruncatedFileError
from ...schema import MissingField
from .columns import CatalogueColumn
from .halo_text import NO_PARENTS, PREVENTS
from .records import Block, check_room, files_of_set, read_one, record_table
from .table import Source, Stated, Table

Order = Literal["<", ">"]
MAX_RECORDS = 2**40
ROCKSTAR_MAGIC, BGC2_MAGIC = 0xFADEDACEC0C0D0D0, 0x1234567801010101
_HEADER_BYTES, _BGC2_BYTES = 256, 1024

_ROCKSTAR_HEADER = np.dtype(
    [("magic", "u8"), ("snap", "i8"), ("chunk", "i8"), ("scale", "f4"), ("omega_m", "f4"), ("omega_lambda", "f4"),
     ("h", "f4"), ("bounds", "f4", 6), ("n", "i8"), ("n_particles", "i8"), ("box_size", "f4"), ("particle_mass", "f4"),
     ("particle_type", "i8"), ("revision", "i4"), ("version", "S12")]
)  # fmt: skip
_FLOATS = ("m", "r", "child_r", "vmax_r", "mgrav", "vmax", "rvmax", "rs", "klypin_rs", "vrms")
_ROCKSTAR_HALO: list[tuple[Any, ...]] = [
    ("id", "i8"), ("pos", "f4", 6), ("corevel", "f4", 3), ("bulkvel", "f4", 3), *((name, "f4") for name in _FLOATS),
    ("J", "f4", 3), ("energy", "f4"), ("spin", "f4"), ("alt_m", "f4", 4), ("Xoff", "f4"), ("Voff", "f4"),
    ("b_to_a", "f4"), ("c_to_a", "f4"), ("A", "f4", 3), ("b_to_a2", "f4"), ("c_to_a2", "f4"), ("A2", "f4", 3),
    ("bullock_spin", "f4"), ("kin_to_pot", "f4"), ("m_pe_b", "f4"), ("m_pe_d", "f4"), ("halfmass_radius", "f4"),
    ("num_p", "i8"), ("num_child_particles", "i8"), ("p_start", "i8"), ("desc", "i8"), ("flags", "i8"),
    ("n_core", "i8"), ("min_pos_err", "f4"), ("min_vel_err", "f4"), ("min_bulkvel_err", "f4"),
]  # fmt: skip
_GALAXIES = [("type", "i4"), ("sm", "f4"), ("gas", "f4"), ("bh", "f4"), ("peak_density", "f4"), ("av_density", "f4")]
_RECORDS = {264: [*_ROCKSTAR_HALO, ("unused", "V4")], 288: [*_ROCKSTAR_HALO, *_GALAXIES, ("unused", "V4")]}
_PARTICLE_BYTES = {0: 0, 1: 8}

_ROCKSTAR_RULES = {
    "ids": (("id",), ""), "descendant_ids": (("desc",), ""), "n_particles": (("num_p",), ""),
    "positions": (("pos[0]", "pos[1]", "pos[2]"), "Mpc/h"), "velocities": (("pos[3]", "pos[4]", "pos[5]"), "km/s"),
    "mvir": (("m",), "Msun/h"), "m200m": (("alt_m[0]",), "Msun/h"), "m200c": (("alt_m[1]",), "Msun/h"),
    "m500c": (("alt_m[2]",), "Msun/h"), "m2500c": (("alt_m[3]",), "Msun/h"), "rvir": (("r",), "kpc/h"),
    "scale_radius": (("rs",), "kpc/h"), "vmax": (("vmax",), "km/s"), "velocity_dispersion": (("vrms",), "km/s"),
    "half_mass_radius": (("halfmass_radius",), "kpc/h"), "stellar_mass": (("sm",), "Msun/h"),
    "gas_mass": (("gas",), "Msun/h"),
}  # fmt: skip

_BGC2_INTEGERS = (
    "magic", "version", "num_files", "file_id", "snapshot", "format_group_data", "format_part_data", "group_type",
    "ngroups", "ngroups_total", "npart", "npart_total", "npart_orig", "max_npart", "max_npart_total", "min_group_part",
    "valid_part_ids",
)  # fmt: skip
_BGC2_HEADER = np.dtype(
    [(name, "u8" if name == "magic" else "i8") for name in _BGC2_INTEGERS]
    + [("linkinglength", "f8"), ("overdensity", "f8"), ("time", "f8"), ("redshift", "f8"), ("box_size", "f8"),
       ("box_min", "f8", 3), ("bounds", "f8", 6), ("part_mass", "f8"), ("omega_m", "f8"), ("omega_lambda", "f8"),
       ("hubble", "f8"), ("grav_const", "f8")]
)  # fmt: skip
_BGC2_ID = [("id", "i8"), ("parent_id", "i8"), ("npart", "u8")]
_BGC2_RM: list[tuple[Any, ...]] = [("radius", "f4"), ("mass", "f4")]
_BGC2_PV: list[tuple[Any, ...]] = [("pos", "f4", 3), ("vel", "f4", 3)]
_BGC2_GROUPS: dict[int, list[tuple[Any, ...]]] = {
    10: _BGC2_ID,
    20: [*_BGC2_ID, *_BGC2_RM],
    30: [*_BGC2_ID, *_BGC2_RM, *_BGC2_PV],
    40: [*_BGC2_ID, ("npart_self", "u8"), *_BGC2_RM, *_BGC2_PV, ("vmax", "f4"), ("rvmax", "f4")],
}
_BGC2_PARTICLES, _BGC2_PARTICLE_BYTES = 30, 32  # identifier, position and velocity: what Rockstar writes
_BGC2_RULES = {
    "ids": (("id",), ""), "parent_ids": (("parent_id",), ""), "n_particles": (("npart",), ""),
    "positions": (("pos[0]", "pos[1]", "pos[2]"), "Mpc/h"), "velocities": (("vel[0]", "vel[1]", "vel[2]"), "km/s"),
    "vmax": (("vmax",), "km/s"),
}  # fmt: skip

_UM_HALO = np.dtype(
    [("id", "i8"), ("descid", "i8"), ("upid", "i8"), ("flags", "i4"), ("uparent_dist", "f4"), ("pos", "f4", 6)]
    + [(name, "f4") for name in ("vmp", "lvmp", "mp", "m", "v", "r", "rank1", "rank2", "ra", "rarank", "A_UV", "sm",
                                 "icl", "sfr", "obs_sm", "obs_sfr", "obs_uv", "unused")]
)  # fmt: skip
_UM_RULES = {
    "ids": (("id",), ""), "descendant_ids": (("descid",), ""), "host_ids": (("upid",), ""), "flags": (("flags",), ""),
    "positions": (("pos[0]", "pos[1]", "pos[2]"), "Mpc/h"), "velocities": (("pos[3]", "pos[4]", "pos[5]"), "km/s"),
    "mvir": (("m",), "Msun/h"), "rvir": (("r",), "kpc/h"), "vmax": (("v",), "km/s"),
    "stellar_mass": (("obs_sm",), "Msun"), "star_formation_rate": (("obs_sfr",), "Msun/yr"),
}  # fmt: skip


def identify(path: str) -> str | None:
    """The format of a binary file, or None."""
    with open(path, "rb") as file:
        start = file.read(16)
    if int.from_bytes(start[:8], "little") == ROCKSTAR_MAGIC or int.from_bytes(start[:8], "big") == ROCKSTAR_MAGIC:
        return "rockstar_binary"
    if int.from_bytes(start[4:12], "little") == BGC2_MAGIC or int.from_bytes(start[4:12], "big") == BGC2_MAGIC:
        return "bgc2"
    return "universemachine_binary" if _looks_like_universemachine(path) else None


def _looks_like_universemachine(path: str) -> bool:
    """These files begin with their first record: its numbers, and some others, must make sense."""
    size = os.path.getsize(path)
    if size < _UM_HALO.itemsize:
        return False
    n = size // _UM_HALO.itemsize
    rows = sorted({k * (n - 1) // 15 for k in range(16)})
    sensible = sum(_is_halo(np.fromfile(path, _UM_HALO, 1, offset=row * _UM_HALO.itemsize)[0]) for row in rows)
    return 4 * sensible >= 3 * len(rows)


def _is_halo(one: Any) -> bool:
    values = [*(float(x) for x in one["pos"]), float(one["m"]), float(one["mp"]), float(one["r"])]
    if not all(map(math.isfinite, values)):
        return False
    inside = all(-1 <= x < 1e5 for x in values[:3]) and all(abs(v) < 3e4 for v in values[3:6])
    masses = 0 <= values[6] < 1e17 and 1 < values[7] < 1e17 and 0 <= values[8] < 1e5
    links = int(one["id"]) >= 0 and int(one["upid"]) >= -1 and int(one["descid"]) >= -1
    return inside and masses and links and 0 <= int(one["flags"]) < 2**24


def _choose(rules: dict[str, tuple[tuple[str, ...], str]], table: Table) -> dict[str, CatalogueColumn]:
    return {name: CatalogueColumn(sources, unit) for name, (sources, unit) in rules.items()
            if all(source in table.dtypes for source in sources)}  # fmt: skip


def _check_count(path: str, what: str, n: int) -> int:
    if not 0 <= n <= MAX_RECORDS:
        raise FileFormatError(f"{path}: header declares {n} {what}, expected 0 to 2^40")
    return n


def open_rockstar_binary(path: str) -> Source:
    """The set of ``halos_S.C.bin`` that `path` belongs to."""
    paths = files_of_set(path)
    blocks, heads = [], []
    records: set[tuple[int, Order]] = set()
    for name in paths:
        head = read_one(name, _ROCKSTAR_HEADER, "the header of 256 bytes")
        order: Order = "<"
        if int(head["magic"]) != ROCKSTAR_MAGIC:
            head, order = read_one(name, _ROCKSTAR_HEADER.newbyteorder(">"), "the header"), ">"
        if int(head["magic"]) != ROCKSTAR_MAGIC:
            raise FileFormatError(f"{name}: is no binary file of Rockstar, as {path} of the same set is")
        size = _record_size(name, head)
        blocks.append(Block(name, _HEADER_BYTES, int(head["n"])))
        heads.append(head)
        records.add((size, order))
    if len(records) > 1 or len({(int(head["snap"]), float(head["scale"])) for head in heads}) > 1:
        raise FileFormatError(f"{path}: the {len(paths)} files of this set are of different snapshots or versions")
    ((size, order),) = records
    table = record_table(blocks, np.dtype(_RECORDS[size]).newbyteorder(order))
    head = heads[0]
    stated = Stated(
        scale_factor=float(head["scale"]), h=float(head["h"]), omega_m=float(head["omega_m"]),
        omega_lambda=float(head["omega_lambda"]), box_size=float(head["box_size"]),
        particle_mass=float(head["particle_mass"]),
    )  # fmt: skip
    notes = ["masses m and alt_m are taken as Rockstar's defaults: vir; 200b, 200c, 500c, 2500c"]
    _note_coverage(heads, "bounds", stated, notes)
    missing = [MissingField("", "host_ids", NO_PARENTS, PREVENTS)]
    rules = _choose(_ROCKSTAR_RULES, table)
    if int(head["revision"]) < 2:  # the four bytes are there, without content
        rules.pop("half_mass_radius")
    if table.n and not table.load("desc").any():
        rules.pop("descendant_ids")
        missing.append(MissingField("", "descendant_ids", "field desc is 0 for all haloes: not filled in", "links"))
    return Source(paths[0], paths, "rockstar_binary", table, rules, stated, notes, missing=missing)


def _record_size(path: str, head: Any) -> int:
    """Bytes of a halo, from what the header declares and the file holds."""
    n, tail = _check_count(path, "haloes", int(head["n"])), _check_count(path, "particles", int(head["n_particles"]))
    kind = int(head["particle_type"])
    if kind not in _PARTICLE_BYTES:
        raise FileFormatError(f"{path}: particle type must be 0 (none) or 1 (identifiers), got {kind}")
    size, rest = os.path.getsize(path), _HEADER_BYTES + tail * _PARTICLE_BYTES[kind]
    for record in _RECORDS:
        if size == rest + n * record:
            return record
    declared = rest + n * min(_RECORDS)
    error = TruncatedFileError if size < declared else FileFormatError
    raise error(f"{path}: {n} haloes and {tail} particles take {declared} bytes, the file has {size}")


def _note_coverage(heads: list[Any], name: str, stated: Stated, notes: list[str]) -> None:
    """Files say which part of the box is theirs: a part of a set is no periodic box."""
    box = (stated.box_size or 0.0) ** 3
    sides = [np.asarray(head[name], np.float64)[3:] - np.asarray(head[name], np.float64)[:3] for head in heads]
    covered = float(sum(side.prod() for side in sides if (side > 0).all()))
    if box > 0 and 0 < covered < 0.97 * box:
        stated.is_periodic = False
        notes.append(f"the files hold {covered / box:.3g} of the volume of the box: others are not here")


def open_bgc2(path: str) -> Source:
    """The set of ``halos_S.C.bgc2`` that `path` belongs to."""
    paths = files_of_set(path)
    blocks, heads = [], []
    kinds: set[tuple[int, Order, int]] = set()
    for name in paths:
        order: Order = "<" if int(read_one(name, np.dtype("<i4"), "the first mark")) == _BGC2_BYTES else ">"
        check_room(name, "the header", _BGC2_BYTES + 12)
        head = read_one(name, _BGC2_HEADER.newbyteorder(order), "the header", 4)
        if int(head["magic"]) != BGC2_MAGIC:
            raise FileFormatError(f"{name}: is no BGC2 file")
        fields = _BGC2_GROUPS.get(int(head["format_group_data"]))
        if fields is None:
            raise FileFormatError(f"{name}: format of groups must be 10, 20, 30 or 40, got {head['format_group_data']}")
        dtype = np.dtype(fields).newbyteorder(order)
        n = _check_count(name, "groups", int(head["ngroups"]))
        start = _BGC2_BYTES + 12
        check_room(name, f"{n} groups", start + n * dtype.itemsize + 4)
        for at in (4 + _BGC2_BYTES, start - 4, start + n * dtype.itemsize):
            mark = int(read_one(name, np.dtype(order + "i4"), "a mark", at))
            wanted = _BGC2_BYTES if at == 4 + _BGC2_BYTES else n * dtype.itemsize
            if mark != wanted and wanted < 2**31:
                raise FileFormatError(f"{name}: mark at byte {at} must be {wanted}, got {mark}")
        if int(head["format_part_data"]) == _BGC2_PARTICLES:  # a record of members for each group
            members = _check_count(name, "particles", int(head["npart"])) * _BGC2_PARTICLE_BYTES
            check_room(name, "groups and members", start + n * dtype.itemsize + 4 + members + 8 * n)
        blocks.append(Block(name, start, n))
        heads.append(head)
        kinds.add((int(head["format_group_data"]), order, int(head["snapshot"])))
    if len(kinds) > 1:
        raise FileFormatError(f"{path}: the {len(paths)} files of this set are of different snapshots or versions")
    head = heads[0]
    if int(head["num_files"]) != len(paths):
        raise FileFormatError(f"{path}: header declares {head['num_files']} files, {len(paths)} are here")
    ((kind, order, _),) = kinds
    return _bgc2_source(paths, record_table(blocks, np.dtype(_BGC2_GROUPS[kind]).newbyteorder(order)), head)


def _bgc2_source(paths: tuple[str, ...], table: Table, head: Any) -> Source:
    hubble = float(head["hubble"])
    stated = Stated(
        redshift=float(head["redshift"]), omega_m=float(head["omega_m"]), omega_lambda=float(head["omega_lambda"]),
        h=hubble if hubble > 0 else None, box_size=float(head["box_size"]), particle_mass=float(head["part_mass"]),
    )  # fmt: skip
    rules = _choose(_BGC2_RULES, table)
    if "mass" in table.dtypes:
        is_mean = abs(float(head["overdensity"]) - 200) < 0.01
        names = ("m200m", "r200m") if is_mean else ("mvir", "rvir")
        rules[names[0]] = CatalogueColumn("mass", "Msun/h")
        rules[names[1]] = CatalogueColumn("radius", "Mpc/h")
    notes = ["units are not in the file: taken as Mpc/h, Msun/h, km/s, which Rockstar writes"]
    return Source(paths[0], paths, "bgc2", table, rules, stated, notes)


def open_universemachine_binary(path: str) -> Source:
    """A ``sfr_catalog_A.bin``: scale factor in its name, box and cosmology nowhere."""
    size = os.path.getsize(path)
    n, rest = divmod(size, _UM_HALO.itemsize)
    if rest:
        raise TruncatedFileError(f"{path}: {size} bytes are no whole number of records of {_UM_HALO.itemsize} bytes")
    table = record_table([Block(path, 0, n)], _UM_HALO.newbyteorder("<"))
    missing = [MissingField("", "box_size", "not in files of UniverseMachine (argument box_size)", "periodic edges")]
    source = Source(path, (path,), "universemachine_binary", table, _choose(_UM_RULES, table), missing=missing)
    source.names_epoch = True
    return source
