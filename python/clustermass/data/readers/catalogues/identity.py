"""Identifiers that stay exact, marks for "none", links between haloes, and angles in text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import FileFormatError
from .columns import QUANTITIES, CatalogueColumn
from .table import Source

EXACT = 2**53
LINKS = ("parent_ids", "host_ids")


def whole_numbers(stored: NDArray[Any], column: str, source: Source) -> NDArray[np.int64]:
    """int64 of whole numbers, however they are stored; unsigned ones beyond 2^63 keep their bits."""
    if stored.dtype.kind in "iu":
        return stored.astype(np.int64)
    if stored.dtype.kind != "f":
        raise FileFormatError(f"{source.path}: column {column} must hold whole numbers, it holds text")
    with np.errstate(invalid="ignore"):
        made = stored.astype(np.int64)
    bad = ~((np.abs(stored) < 2.0**63) & (made == stored))  # NaN is bad too
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise FileFormatError(
            f"{source.path}, {source.where(row)}: column {column} holds {stored[row]}, expected whole numbers"
        )
    return made


def rounded_ids(source: Source, rules: dict[str, CatalogueColumn]) -> list[str]:
    """A note on identifiers that were written as floats too large to be exact. Looks at float columns only."""
    notes = []
    for name in ("ids", *LINKS, "descendant_ids", "tree_ids"):
        if name not in rules or not QUANTITIES[name].is_integer:
            continue
        for column in rules[name].source:
            if source.table.dtypes[column].kind != "f":
                continue
            values = source.table.load(column)
            with np.errstate(invalid="ignore"):
                n = int((np.abs(values) > EXACT).sum())
            if n:
                notes.append(f"{n} entries of {column} are written as floats above 2^53: rounded, perhaps not unique")
    return notes


def without_marks(values: NDArray[Any], name: str, source: Source, ids: NDArray[Any] | None) -> NDArray[Any]:
    """Links with -1 for "none", whatever the file writes there: its marks, or the halo's own identifier."""
    if name in LINKS:
        if source.no_parent != (-1,):
            values[np.isin(values, source.no_parent)] = -1
        if ids is not None:
            values[values == ids] = -1
    return values


def top_of_chain(ids: NDArray[np.int64], parents: NDArray[np.int64], path: str) -> NDArray[np.int64]:
    """The outermost halo that each one lies in; -1 for none. A parent that is no row of the catalogue ends a chain."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    hosts = parents.copy()
    if not ids.size:
        return hosts
    for _ in range(128):
        at = np.minimum(np.searchsorted(ordered, hosts), ids.size - 1)
        above = np.where((hosts != -1) & (ordered[at] == hosts), parents[order[at]], -1)
        climbs = above != -1
        if not climbs.any():
            return hosts
        hosts[climbs] = above[climbs]
    raise FileFormatError(f"{path}: haloes are their own hosts, first halo {int(ids[climbs][0])}")


def sexagesimal(stored: NDArray[Any], column: str, source: Source) -> NDArray[np.float64]:
    """Numbers of "00:41:49.9" or "-09 18 07.2": units, minutes, seconds."""
    made = np.full(stored.shape, np.nan)
    for row, entry in enumerate(stored.tolist()):
        text = str(entry).strip()
        if text in ("", "nan"):
            continue
        parts = text.lstrip("+-").replace(":", " ").split()
        try:
            if not 1 <= len(parts) <= 3:
                raise ValueError
            value = sum(float(part) / 60**k for k, part in enumerate(parts))
        except ValueError:
            raise FileFormatError(
                f"{source.path}, {source.where(row)}: column {column} holds {text[:40]!r}, expected 00:00:00.0"
            ) from None
        made[row] = -value if text.startswith("-") else value
    return made
