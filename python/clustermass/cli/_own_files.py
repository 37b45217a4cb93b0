"""What `clustermass info` says of the files of the package itself, from their headers and labels: no image, grid or
galaxy is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import FileFormatError

Report = dict[str, Any]


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """Which file of the package it is, by its content: a key of `FORMATS`; None if it is none.

    Raises
    ------
    FileFormatError
        If it is one that has nothing to tell, such as a store of columns.
    """
    from ..data.hdf5_tables import format_of

    if not os.path.isfile(path):
        return None  # the readers know names of sets, and say what is missing
    if _is_model(os.fspath(path)):
        return "model"
    found = format_of(os.fspath(path))
    for kind, (name, _) in FORMATS.items():
        if found == name:
            return kind
    if found is not None and found.startswith("clustermass"):
        raise FileFormatError(f"{path}: is a working file of clustermass of format {found!r}, made anew when needed")
    return None


def describe(path: str | os.PathLike[str], kind: str) -> Report:
    """Everything `info` says of a file of that kind, as plain dictionaries, lists and numbers.

    Raises
    ------
    FileFormatError, TruncatedFileError, MissingDependencyError
        Of the reader of that kind.
    """
    from ..data.readers import hdf5

    name = os.fspath(path)
    with hdf5.translated(name, "what the file says of itself"):
        return {"path": name, "kind": kind, "format": FORMATS[kind][0], **FORMATS[kind][1](name)}


def _is_model(path: str) -> bool:
    """Whether a file begins as safetensors do: the length of its header, and the header, a JSON object."""
    from ..data.readers.formats import is_gadget_binary
    from ..models.arrays_file import MAX_HEADER

    with open(path, "rb") as file:
        start = file.read(10)
    if start[8:] == b'{"' and int.from_bytes(start[:8], "little") <= MAX_HEADER:
        return not is_gadget_binary(path)
    return path.lower().endswith(".safetensors")  # a damaged one


def _maps(path: str) -> Report:
    from ..data.maps_file import read_maps

    maps = read_maps(path)
    record = _table(maps.provenance)
    settings = _table(record.get("settings"))
    channels = [
        {"name": c.name, "unit": c.unit, "noise_rms": c.noise_rms, "beam_fwhm": c.beam_fwhm} for c in maps.channels
    ]
    masses = {d: np.asarray(maps.labels[d.lower()], float) for d in ("M200c", "M500c") if d.lower() in maps.labels}
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [_masses(definition, np.log10(values)) for definition, values in masses.items()]
    return {
        "maps": len(maps),
        "clusters": _count(maps.labels.get("cluster_id")),
        "pixels": list(maps.shape[2:]),
        "pixel_angle": maps.pixel_angle,
        "channels": channels,
        "redshift": _extent(maps.views.get("redshift")),
        "masses": found,
        "cosmology": _table(record.get("cosmology")) or None,
        "labels": sorted(maps.labels),
        "notes": [str(note) for note in record.get("notes") or ()],
        **_origin(record, settings.get("seed")),
    }


def _clusters(path: str) -> Report:
    from ..data import hdf5_tables as tables
    from ..data.clusters_file import FORMAT, FORMAT_VERSION, KINDS, read_clusters

    kinds, distances = {}, []
    for kind in KINDS:
        frame = read_clusters(path, kind, slice(0, 0))
        with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
            sizes = np.diff(tables.require_column(file, f"{kind}/offsets", path))
            of = {
                name: tables.require_column(file, f"{kind}/clusters/{name}", path)
                for name in ("host_id", "log10_m200c", "observer_distance", "is_flat", "is_test")
            }
        distances.append(of["observer_distance"])
        kinds[kind] = {
            "rows": sizes.size,
            "clusters": _count(of["host_id"]),
            "galaxies": int(sizes.sum()),
            "galaxies_each": _extent(sizes),
            "masses": [_masses("M200c", of["log10_m200c"])],
            "training_rows": int(of["is_flat"].sum()),
            "test_rows": int(of["is_test"].sum()),
        }
    record = frame.record
    return {
        "observations": kinds,
        "cylinder": {"max_radius": frame.max_radius, "max_velocity": frame.max_velocity},
        "redshift": {"low": frame.redshift, "high": frame.redshift},
        "observer_distance": _extent(np.concatenate(distances)),
        "cosmology": _cosmology(frame.cosmology),
        "box_size": frame.box_size,
        "source": _table(record.get("universe")).get("source"),
        "notes": [str(note) for note in record.get("notes") or ()],
        **_origin(record, _table(record.get("settings")).get("seed")),
    }


def _universe(path: str) -> Report:
    from ..data import hdf5_tables as tables
    from ..data.readers import hdf5
    from ..data.universe_file import FORMAT, FORMAT_VERSION

    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        cosmology, redshift, box_size, periodic = tables.read_frame(file, path)
        record = tables.read_record(file, path)
        mass = tables.require_column(file, "haloes/m200c", path)
        columns: dict[str, dict[str, Any]] = {}
        for group in ("haloes", "galaxies"):
            columns[group] = {}
            for name in sorted(hdf5.names_in(file, group, path)):
                data = hdf5.dataset(file, f"{group}/{name}", path)
                if data is None:
                    continue
                columns[group][name] = {"rows": len(data), "unit": hdf5.attribute(data, "unit", path) or ""}
    sizes = {group: {column["rows"] for column in of.values()} for group, of in columns.items()}
    for group, found in sizes.items():
        if len(found) != 1:
            raise FileFormatError(f"{path}: columns of {group} must have one length, got {sorted(found)}")
    with np.errstate(divide="ignore", invalid="ignore"):
        masses = [_masses("M200c", np.log10(mass))]
    made = _table(record.get("provenance"))
    return {
        **{group: found.pop() for group, found in sizes.items()},
        "columns": {group: {name: c["unit"] for name, c in of.items()} for group, of in columns.items()},
        "redshift": {"low": redshift, "high": redshift},
        "masses": masses,
        "cosmology": _cosmology(cosmology),
        "box_size": box_size,
        "is_periodic": periodic,
        "source": record.get("source"),
        "notes": [str(note) for note in record.get("notes") or ()],
        **_origin(made, _table(made.get("mock universe")).get("seed")),
    }


def _grids(path: str) -> Report:
    from ..data import hdf5_tables as tables
    from ..data.grids_file import FORMAT, FORMAT_VERSION, read_grids

    found = read_grids(path, slice(0, 0))
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        of = {name: tables.require_column(file, f"labels/{name}", path) for name in found.labels}
    units = {"velocity": "km/s"}
    axes = [
        {"name": name, "low": low, "high": high, "cells": n, "unit": units.get(name, "Mpc (comoving)")}
        for name, (low, high, n) in zip(found.columns, found.axes, strict=True)
    ]
    record, catalogue = found.record, _table(found.record.get("catalogue"))
    return {
        "grids": of["host_id"].size,
        "clusters": _count(of["host_id"]),
        "observations": record.get("kind"),
        "preset": record.get("preset"),
        "axes": axes,
        "galaxies_each": _extent(of["n_galaxies"]),
        "masses": [_masses("M200c", of["log10_m200c"])],
        "training_rows": int(of["is_flat"].sum()),
        "test_rows": int(of["is_test"].sum()),
        "h": record.get("h"),
        **_origin(record, _table(catalogue.get("settings")).get("seed")),
    }


def _predictions(path: str) -> Report:
    from ..evaluation.predictions import read_predictions

    found, extra = read_predictions(path)
    record = found.record
    masses = [_masses(found.mass_definition, found.log10_true)]
    settings = _table(record.get("training")) or _table(record.get("settings"))
    frame = {k: v for k, v in _table(record.get("frame")).items() if k in ("h", "omega_m", "omega_lambda")}
    return {
        "estimator": found.estimator,
        "observations": found.kind,
        "rows": len(found),
        "clusters": _count(found.host_id),
        "folds": _count(found.fold),
        "test_rows": int(found.is_test.sum()),
        "without_estimate": int(np.isnan(found.log10_mass).sum()),
        "with_interval": int(np.isfinite(found.upper - found.lower).sum()),
        "redshift": _extent(found.redshift),
        "masses": masses,
        "cosmology": frame or {"h": found.h},
        "tables": sorted(extra),
        "source": record.get("source"),
        **_origin(record, settings.get("seed")),
    }


def _model(path: str) -> Report:
    from ._own_models import describe_model

    return describe_model(path)


def _table(value: Any) -> dict[str, Any]:
    """A JSON object of a record; empty if it is something else."""
    return dict(value) if isinstance(value, Mapping) else {}


def _count(values: Any) -> int | None:
    return None if values is None else int(np.unique(values).size)


def _extent(values: Any) -> dict[str, Any] | None:
    """Lowest and highest of the finite values."""
    if values is None:
        return None
    flat = np.asarray(values)
    flat = flat[np.isfinite(flat)]
    return {"low": flat.min().item(), "high": flat.max().item()} if flat.size else None


def _masses(definition: str, log10_mass: Any) -> dict[str, Any]:
    """Range of log10 masses; without an entry where none is known."""
    log10_mass = np.asarray(log10_mass, float)
    known = int(np.isfinite(log10_mass).sum())
    extent = _extent(log10_mass) or {"low": None, "high": None}
    return {"definition": definition, "unit": "log10 Msun, no h", **extent, "unknown": log10_mass.size - known}


def _cosmology(cosmology: Any) -> dict[str, float]:
    return {name: getattr(cosmology, name) for name in ("h", "omega_m", "omega_lambda")}


def _origin(record: Mapping[str, Any], seed: Any) -> dict[str, Any]:
    """Seed, command, version and inputs, None or empty where the record does not say."""
    inputs = record.get("inputs") or record.get("data") or ()
    names = [str(item["name"]) for item in inputs if isinstance(item, Mapping) and "name" in item]
    version = _table(record.get("versions")).get("clustermass")
    return {"seed": seed, "command": record.get("command"), "version": version, "inputs": names}


#: kind -> attribute ``format`` of the file, and what describes it
FORMATS: dict[str, tuple[str, Callable[[str], Report]]] = {
    "maps": ("clustermass maps", _maps),
    "clusters": ("clustermass-clusters", _clusters),
    "universe": ("clustermass-universe", _universe),
    "grids": ("clustermass-grids", _grids),
    "predictions": ("clustermass-predictions", _predictions),
    "model": ("clustermass-model", _model),
}
