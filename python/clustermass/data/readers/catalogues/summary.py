"""What a catalogue holds, in numbers: ranges of its columns, its heaviest halo, how many are clusters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import FileFormatError
from .catalogue import Catalogue
from .columns import MASS_NAMES

#: Masses above which haloes are counted [Msun/h]: groups and clusters.
COUNTED_ABOVE = (1e13, 1e14)
COUNTED_MASSES = ("m200c", "mvir")


def summarise(catalogue: Catalogue) -> dict[str, Any]:
    """Columns with their ranges and the heaviest halo, as plain dictionaries, lists and numbers. Reads every column.

    A table without a column map has raw columns only: then their ranges are given.
    """
    raw = [] if catalogue.columns else [_raw(catalogue, name) for name in catalogue.raw_names]
    return {
        "rows": catalogue.n,
        "columns": [dataclasses.asdict(info) | _range(catalogue.read, info.name) for info in catalogue.columns],
        "heaviest": heaviest(catalogue),
        "raw_columns": list(catalogue.raw_names),
        "raw_ranges": raw,
    }


def _raw(catalogue: Catalogue, name: str) -> dict[str, Any]:
    dtype = str(catalogue.raw(name).dtype)
    unit = catalogue.raw_units.get(name, "")
    return {"name": name, "unit": unit, "source": "", "dtype": dtype} | _range(catalogue.raw, name)


def _range(read: Callable[[str], NDArray[Any]], name: str) -> dict[str, Any]:
    try:
        values = read(name)
    except FileFormatError as exc:  # a damaged column is worth a line, not the end of the report
        return {"low": None, "high": None, "n_missing": 0, "fault": str(exc)}
    if values.dtype.kind not in "iuf":
        return {"low": None, "high": None, "n_missing": 0}
    held = values[np.isfinite(values)]
    low, high = (held.min().item(), held.max().item()) if held.size else (None, None)
    return {"low": low, "high": high, "n_missing": int(values.size - held.size)}


def heaviest(catalogue: Catalogue) -> dict[str, Any] | None:
    """The largest mass of a catalogue and counts of large ones; None without masses."""
    counts: dict[str, dict[str, int] | None] = {}
    found: dict[str, Any] | None = None
    for name in MASS_NAMES:
        if name not in catalogue or not catalogue.n:
            continue
        try:
            masses = catalogue[name]
        except FileFormatError:
            continue
        if np.isnan(masses).all():
            continue
        if found is None:
            top = int(np.nanargmax(masses))
            found = {"name": name, "mass": float(masses[top])}
            if "ids" in catalogue:
                found["id"] = int(catalogue["ids"][top])
        if name in COUNTED_MASSES or len(counts) == 0:
            counts[name] = count_large(masses, catalogue.header.h)
    return None if found is None else found | {"counts": {k: v for k, v in counts.items() if v is not None}}


def count_large(masses: NDArray[np.float64], h: float | None) -> dict[str, int] | None:
    """How many `masses` [Msun] are above each of `COUNTED_ABOVE` [Msun/h]; None without h."""
    if h is None:
        return None
    return {f"{limit:.0e}".replace("e+", "e"): int((masses * h > limit).sum()) for limit in COUNTED_ABOVE}
