"""`clustermass info`: what a snapshot, a catalogue or a file of the package is, holds and lacks."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from . import _own_files, _own_text, devices

if TYPE_CHECKING:  # the readers are imported when the command runs: `--help` must not wait for h5py
    from ..data.readers import Snapshot
    from ..data.readers.catalogues import Catalogue
    from ..data.schema import GroupCatalogue

_FORMATS = {
    "gadget1": "Gadget binary, format 1",
    "gadget2": "Gadget binary, format 2 (named blocks)",
    "gadget_hdf5": "HDF5 of the Gadget family",
    "swift": "SWIFT HDF5",
    "groups": "group catalogue, HDF5 (Group/Subhalo)",
}
_GROUP_UNITS = {
    "positions": "Mpc (comoving)", "velocities": "km/s (peculiar)", "m200c": "Msun", "r200c": "Mpc (comoving)",
    "m500c": "Msun", "r500c": "Mpc (comoving)", "m200m": "Msun", "r200m": "Mpc (comoving)", "masses": "Msun",
    "length_by_type": "particles", "first_subhalo": "row", "n_subhaloes": "", "group_index": "row",
    "velocity_dispersion": "km/s", "maximum_circular_velocity": "km/s",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", help="snapshot, catalogue, or what a command made; of a set, any "
                      "file or the common name")  # fmt: skip
    what.add_argument("--devices", action="store_true", help="say which GPUs are there, or why none is used")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Describe the file, or the devices, on standard output."""
    if args.devices:
        print(devices.report(as_json=args.json))
        return 0
    report = describe(args.file)
    print(json.dumps(report, indent=2) if args.json else render(report))
    return 0


def describe(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Everything `info` says, as plain dictionaries, lists and numbers."""
    from ..data import readers
    from ..data.readers import catalogues
    from ..errors import DataWarning

    if (kind := _own_files.kind_of(file)) is not None:
        return _own_files.describe(file, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the report lists what was assumed
        if catalogues.is_catalogue(file):
            return _describe_catalogue(catalogues.open_catalogue(file))
        if readers.detect(file) == "groups":
            return _describe_groups(readers.open_groups(file))
        return _describe_snapshot(readers.open_snapshot(file))


def _describe_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    from ..data.readers.matter import omega_in_particles
    from ..data.schema import PARTICLE_TYPES

    head = snapshot.header
    types = {}
    for ptype, mass in zip(PARTICLE_TYPES, head.mass_table, strict=True):
        if snapshot.count(ptype):
            fields = [dataclasses.asdict(field) for field in snapshot.describe(ptype)]
            types[ptype] = {"count": snapshot.count(ptype), "mass_each": mass or None, "fields": fields}
    units = {}
    for kind, name in (("length", "Mpc"), ("mass", "Msun"), ("velocity", "km/s")):
        unit = getattr(snapshot.units, kind)
        units[kind] = {"size": unit.size, "unit": name, "h_power": unit.h_power, "source": unit.source}
    return {
        "path": snapshot.path,
        "kind": "snapshot",
        "format": snapshot.format,
        "n_files": len(snapshot.paths),
        "header": _header(head),
        "units": units,
        "omega_in_particles": omega_in_particles(snapshot),
        "types": types,
        "other_data": list(snapshot.others),
        "missing": [dataclasses.asdict(item) for item in snapshot.missing],
        "assumed": list(snapshot.assumptions),
    }


def _describe_catalogue(catalogue: Catalogue) -> dict[str, Any]:
    from ..data.readers.catalogues import FORMATS, summarise

    return {
        "path": catalogue.path,
        "kind": "catalogue",
        "format": catalogue.format,
        "format_name": FORMATS[catalogue.format],
        "n_files": len(catalogue.paths),
        "header": dataclasses.asdict(catalogue.header),
        **summarise(catalogue),
        "missing": [dataclasses.asdict(item) for item in catalogue.missing],
        "assumed": list(catalogue.assumptions),
    }


def _describe_groups(groups: GroupCatalogue) -> dict[str, Any]:
    from ..data.readers.catalogues import count_large

    def held(table: Any) -> list[dict[str, str]]:
        return [{"name": name, "unit": unit} for name, unit in _GROUP_UNITS.items()
                if getattr(table, name, None) is not None]  # fmt: skip

    tables: dict[str, Any] = {"groups": {"count": groups.n, "fields": held(groups)}}
    if groups.subhaloes is not None:
        tables["subhaloes"] = {"count": groups.subhaloes.n, "fields": held(groups.subhaloes)}
    heaviest = None
    if groups.m200c is not None and groups.n:
        counts = count_large(groups.m200c, groups.header.h)
        heaviest = {"name": "m200c", "mass": float(groups.m200c.max()), "counts": {"m200c": counts}}
    return {
        "path": groups.path,
        "kind": "groups",
        "format": "groups",
        "n_files": groups.n_files,
        "header": _header(groups.header),
        "heaviest": heaviest,
        "types": tables,
        "missing": [dataclasses.asdict(item) for item in groups.missing],
        "assumed": list(groups.assumptions),
    }


def _header(head: Any) -> dict[str, Any]:
    entries = dataclasses.asdict(head)
    del entries["counts"]
    return entries


def render(report: dict[str, Any]) -> str:
    """The report as text."""
    if report["kind"] in _own_files.FORMATS:
        return _own_text.render(report)
    head, n_files = report["header"], report["n_files"]
    files = f", {n_files} files" if n_files > 1 else ""
    if report["kind"] == "catalogue":
        return "\n".join([report["path"], f"  format     {report['format_name']}{files}", *_catalogue_lines(report)])
    lines = [report["path"], f"  format     {_FORMATS[report['format']]}{files}", *_frame_lines(head)]
    if "units" in report:
        units = (_unit_text(kind, unit, head["is_cosmological"]) for kind, unit in report["units"].items())
        lines.append("  units      " + ", ".join(units))
    lines += _matter_lines(report)
    for name, table in report["types"].items():
        each = f", {table['mass_each']:.6g} Msun each" if table.get("mass_each") else ""
        lines += ["", f"  {name}: {table['count']:,}{each}"]
        for field in table["fields"]:
            source = f"{field['source']}, {field['dtype']}" if "source" in field else ""
            lines.append(f"    {field['name']:<26}{field['unit']:<24}{source}".rstrip())
    lines += _list_lines("missing or without use", [_missing_text(item) for item in report["missing"]])
    lines += _list_lines("assumed, because the file does not say", report["assumed"])
    others = report.get("other_data")
    lines += _list_lines("also in the file", [", ".join(others)] if others else [])
    return "\n".join(lines)


def _frame_lines(head: dict[str, Any]) -> list[str]:
    box = head["box_size"]
    edges = "periodic" if head["is_periodic"] else "not periodic"
    size = "not in the file" if box is None else f"{box:.6g} Mpc{' comoving' * head['is_cosmological']}, {edges}"
    if head["is_cosmological"]:
        run = f"cosmological, redshift {head['redshift']:.6g}, scale factor {head['scale_factor']:.6g}"
        model = f"h = {head['h']:g}, Omega_m = {head['omega_m']:g}, Omega_lambda = {head['omega_lambda']:g}"
        return [f"  run        {run}", f"  cosmology  {model}", f"  box        {size}"]
    return ["  run        without expansion (no factors of h and of the scale factor)", f"  box        {size}"]


def _unit_text(kind: str, unit: dict[str, Any], with_h: bool) -> str:
    size, name = (1.0, "kpc") if (unit["size"], unit["unit"]) == (1e-3, "Mpc") else (unit["size"], unit["unit"])
    per_h = "/h" if with_h and unit["h_power"] == -1 else ""
    number = "" if size == 1 else f"{size:g} "
    return f"{kind} {number}{name}{per_h} ({unit['source']})"


def _matter_lines(report: dict[str, Any]) -> list[str]:
    if report.get("heaviest"):
        return _heaviest_lines(report["heaviest"])
    omega = report.get("omega_in_particles")
    if omega is None:
        return []
    stated = report["header"]["omega_m"]
    share = f": {omega / stated:.2%} of Omega_m, a part or a sample of a run" if omega < 0.5 * stated else ""
    return [f"  matter     the particles in the box amount to Omega = {omega:.5g}{share}"]


def _heaviest_lines(heaviest: dict[str, Any]) -> list[str]:
    def text(name: str) -> str:
        return name.capitalize() if name.startswith("m") and name != "masses" else name

    owner = f" (halo {heaviest['id']})" if "id" in heaviest else ""
    lines = [f"  heaviest   {text(heaviest['name'])} = {heaviest['mass']:.5g} Msun{owner}"]
    for name, counts in heaviest["counts"].items():
        many = ", ".join(f"{n:,} above {limit} Msun/h" for limit, n in counts.items())
        lines.append(f"  counts     {text(name)}: {many}")
    return lines


def _catalogue_lines(report: dict[str, Any]) -> list[str]:
    head = report["header"]
    z, box = head["redshift"], head["box_size"]
    model = [f"{label} = {head[name]:g}" for name, label in _MODEL if head[name] is not None]
    edges = "periodic" if head["is_periodic"] else "not periodic"
    lines = [
        f"  rows       {report['rows']:,}",
        "  epoch      " + ("not in the file" if z is None else f"redshift {z:.6g}"),
        "  cosmology  " + (", ".join(model) or "not in the file"),
        "  box        " + ("not in the file" if box is None else f"{box:.6g} Mpc comoving, {edges}"),
    ]
    if head["particle_mass"] is not None:
        lines.append(f"  particles  {head['particle_mass']:.6g} Msun each")
    if report["heaviest"]:
        lines += _heaviest_lines(report["heaviest"])
    lines += _list_lines("quantities", [_column_text(column) for column in report["columns"]])
    lines += _list_lines("missing or without use", [_missing_text(item) for item in report["missing"]])
    lines += _list_lines("assumed, because the file does not say", report["assumed"])
    title = "columns of the file (a column map gives them meaning)"
    raw = [_column_text(column) for column in report["raw_ranges"]] or [", ".join(report["raw_columns"])]
    lines += _list_lines(title, raw)
    return lines


_MODEL = (("h", "h"), ("omega_m", "Omega_m"), ("omega_lambda", "Omega_lambda"))


def _column_text(column: dict[str, Any]) -> str:
    low, high = column["low"], column["high"]
    extent = "" if low is None else f"{low:.6g} to {high:.6g}" if isinstance(high, float) else f"{low} to {high}"
    gaps = f", {column['n_missing']:,} missing" if column["n_missing"] else ""
    if "fault" in column:
        extent = "damaged: " + column["fault"].split(": ", 1)[-1]
    source = ", ".join(filter(None, (column["source"], column["dtype"])))
    return f"{column['name']:<22}{column['unit']:<18}{extent + gaps:<36}{source}"


def _missing_text(item: dict[str, str]) -> str:
    what = f"{item['ptype']} {item['field']}".strip()
    return f"{what}: {item['reason']}" + (f" -> prevents {item['prevents']}" if item["prevents"] else "")


def _list_lines(title: str, items: list[str]) -> list[str]:
    return ["", f"  {title}", *(f"    {item}" for item in items)] if items else []
