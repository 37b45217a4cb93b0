"""The reports of `_own_files` as text, in the form of the other reports of `clustermass info`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

_NAMES = {
    "maps": "maps of clusters", "clusters": "observations of clusters", "universe": "universe of haloes and galaxies",
    "grids": "grids of phase space", "predictions": "predictions of an evaluation", "model": "model that gives masses",
}  # fmt: skip
_UNITS = {"": "no unit", "solMass": "Msun", "erg / (s cm2)": "erg / (s cm2)", "km / s": "km/s"}
_ARCMIN = math.radians(1 / 60)
_MODEL = (("h", "h"), ("omega_m", "Omega_m"), ("omega_lambda", "Omega_lambda"))
Line = tuple[str, str | None]


def render(report: dict[str, Any]) -> str:
    """The report as text."""
    kind = report["kind"]
    lines: list[Line] = [("format", f"{_NAMES[kind]} ({report['format']})"), *_HEADS[kind](report), *_common(report)]
    text = [report["path"], *(f"  {name:<10} {words}" for name, words in lines if words)]
    for title, items in _sections(report):
        if items:
            text += ["", f"  {title}", *(f"    {item}" for item in items)]
    return "\n".join(text)


def _common(report: dict[str, Any]) -> Iterator[Line]:
    """What files of several kinds say."""
    yield "redshift", _range_text(report.get("redshift"))
    for masses in report.get("masses", ()):
        yield "masses", _mass_text(masses)
    if "cosmology" in report:
        model = report["cosmology"] or {}
        known = [f"{label} = {model[name]:g}" for name, label in _MODEL if model.get(name) is not None]
        yield "cosmology", ", ".join(known) or "not in the file"
    if report.get("box_size"):
        says = "is_periodic" in report
        periodic = "" if not says else ", periodic" if report["is_periodic"] else ", not periodic"
        yield "box", f"{report['box_size']:.6g} Mpc comoving{periodic}"
    yield "source", report.get("source")
    yield "seed", None if report["seed"] is None else str(report["seed"])
    yield "inputs", ", ".join(report["inputs"])
    yield "command", report["command"] or "not in the file"
    yield "version", f"clustermass {report['version']}" if report["version"] else "not in the file"


def _maps(report: dict[str, Any]) -> Iterator[Line]:
    rows, columns = report["pixels"]
    angle = report["pixel_angle"] / _ARCMIN
    yield "maps", f"{report['maps']:,}{_of_clusters(report)}, {rows} x {columns} pixels"
    yield "pixels", f"{angle:.4g} arcmin wide; {rows * angle:.4g} x {columns * angle:.4g} arcmin a map"


def _clusters(report: dict[str, Any]) -> Iterator[Line]:
    cylinder, distance = report["cylinder"], report["observer_distance"]
    radius, velocity = cylinder["max_radius"], cylinder["max_velocity"]
    yield "cylinder", f"within {radius:.4g} Mpc comoving and {velocity:.6g} km/s, where contaminated"
    yield "distance", f"{_range_text(distance)} Mpc comoving" if distance else None


def _observation_lines(part: dict[str, Any]) -> Iterator[str]:
    each = f", {_range_text(part['galaxies_each'])} each" if part["galaxies_each"] else ""
    yield f"{part['rows']:,} observations{_of_clusters(part)}, {part['galaxies']:,} galaxies{each}"
    yield f"{part['training_rows']:,} rows train, {part['test_rows']:,} rows test"
    yield from (_mass_text(masses) for masses in part["masses"])


def _universe(report: dict[str, Any]) -> Iterator[Line]:
    yield "rows", f"{report['haloes']:,} haloes, {report['galaxies']:,} galaxies"


def _grids(report: dict[str, Any]) -> Iterator[Line]:
    cells = " x ".join(str(axis["cells"]) for axis in report["axes"])
    yield "grids", f"{report['grids']:,}{_of_clusters(report)}, {cells} cells"
    yield "preset", f"{report['preset']}, of {report['observations']} observations"
    yield "galaxies", f"{_range_text(report['galaxies_each'])} each" if report["galaxies_each"] else None
    yield "rows", f"{report['training_rows']:,} train, {report['test_rows']:,} test"
    yield "h", None if report["h"] is None else f"{report['h']:g}"


def _predictions(report: dict[str, Any]) -> Iterator[Line]:
    lost = f", {report['without_estimate']:,} without an estimate" if report["without_estimate"] else ""
    on = {"maps": "maps", "joint": "galaxies and maps"}.get(kind := report["observations"], f"{kind} observations")
    yield "estimator", f"{report['estimator']}, on {on}"
    yield "rows", f"{report['rows']:,}{_of_clusters(report)} in {report['folds']} folds{lost}"
    yield "", f"{report['test_rows']:,} test rows, {report['with_interval']:,} rows with an interval"
    yield "tables", ", ".join(report["tables"])


def _model(report: dict[str, Any]) -> Iterator[Line]:
    name, preset = report["estimator"], report["preset"]
    yield "estimator", name if preset in (None, name) else f"{name}, preset {preset}"
    seen = ", ".join(report["sees"])
    yield "sees", f"{seen} ({', '.join(report['channels'])})" if report["channels"] else seen
    yield "mass", f"log10 {report['mass_definition']} [Msun]"
    yield "intervals", _calibration_text(report)


def _calibration_text(report: dict[str, Any]) -> str:
    found = report["calibration"]
    if report["calibrated"] is None:
        return "not said whether they are calibrated"
    words = "calibrated" if report["calibrated"] else "not calibrated"
    if not found:
        return f"{words}: not tested"
    why = "" if report["calibrated"] else f" ({found.get('verdict')})"
    why += f": {found['failures']}" if found.get("failures") else ""
    return f"{words}, tested on {found.get('n') or 0:,} held-out observations{why}"


def _sections(report: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Titles, and lines below."""
    if report["kind"] == "clusters":
        for kind, part in report["observations"].items():
            yield f"{kind} observations", list(_observation_lines(part))
    yield "channels", [_channel_text(c) for c in report["channels"]] if report["kind"] == "maps" else []
    yield (
        "axes",
        [
            f"{a['name']:<12}{a['low']:.6g} to {a['high']:.6g} {a['unit']}, {a['cells']} cells"
            for a in report.get("axes", ())
        ],
    )
    for group, columns in report.get("columns", {}).items():
        yield group, [f"{name:<22}{_UNITS.get(unit, unit) if unit else ''}".rstrip() for name, unit in columns.items()]
    yield "trained on", [line for network in report.get("networks", ()) for line in _network_lines(network)]
    settings = [f"{name} = {value}" for name, value in report.get("settings", {}).items() if value is not None]
    yield "settings", [", ".join(settings)] if settings else []
    yield "labels", [", ".join(report["labels"])] if report.get("labels") else []
    yield "notes", list(report.get("notes", ()))


def _channel_text(channel: dict[str, Any]) -> str:
    noise, beam = channel["noise_rms"], channel["beam_fwhm"]
    seen = [
        f"noise {noise:.4g} a pixel (rms)" if noise else "no noise",
        f"beam {beam / _ARCMIN:.4g} arcmin (FWHM)" if beam else "no beam",
    ]
    unit = f"{_UNITS.get(channel['unit'], channel['unit'])}{' a pixel' if channel['unit'] else ''}"
    return f"{channel['name']:<18}{unit:<26}{', '.join(seen)}"


def _network_lines(network: dict[str, Any]) -> Iterator[str]:
    own = network["redshift_bin"]
    start = "" if own is None else f"{own[0]:g} < z <= {own[1]:g}: "
    shape = f", images of {' x '.join(str(n) for n in network['shape'])}" if network["shape"] else ""
    yield f"{start}{_mass_text(network['masses'])}{shape}"
    inside = [_like_text(name, *ends) for name, ends in network["like_training"].items()]
    yield f"    counts as like it: {', '.join(inside)}" if inside else "    no range of inputs in the file"


def _like_text(name: str, low: float, high: float) -> str:
    words, unit = _RANGES.get(name, (name, 1.0))
    return f"{words} {low / unit:.4g}" + (f" to {high / unit:.4g}" if high < _NO_LIMIT else " and more")


_NO_LIMIT = 1e29  #: of a range that is open above
_RANGES = {"pixel_angle": ("pixels [arcmin]", _ARCMIN), "n_galaxies": ("galaxies", 1.0), "redshift": ("redshift", 1.0),
           "max_radius": ("radius [Mpc]", 1.0), "max_velocity": ("velocity [km/s]", 1.0)}  # fmt: skip
_HEADS = {
    "maps": _maps, "clusters": _clusters, "universe": _universe, "grids": _grids, "predictions": _predictions,
    "model": _model,
}  # fmt: skip


def _of_clusters(part: dict[str, Any]) -> str:
    return "" if part["clusters"] is None else f" of {part['clusters']:,} clusters"


def _range_text(extent: dict[str, Any] | None) -> str | None:
    if not extent:
        return None
    low, high = (f"{value:.6g}" if isinstance(value, float) else f"{value:,}" for value in extent.values())
    return low if low == high else f"{low} to {high}"


def _mass_text(masses: dict[str, Any]) -> str:
    name, low, high = f"log10 {masses['definition']} [Msun]", masses["low"], masses["high"]
    if low is None:
        return f"{name}: none known"
    unknown = f", {masses['unknown']:,} unknown" if masses.get("unknown") else ""
    return f"{name} {low:.4g} to {high:.4g}{unknown}"
