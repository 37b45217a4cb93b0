"""Slices of a file turned into chunks of fields: budget, units, derived fields, region, checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError
from ..schema import FIELDS, Region
from .parts import Array, Column, Part, Read

#: Neighbours within the kernel's support that a derived smoothing length stands for (Gadget's customary number).
N_NEIGHBOURS = 32
_SCAN_ROWS = 2**17
_ZERO_IS_USELESS = ("density", "internal_energy", "smoothing_length", "temperature", "masses")


@dataclass(frozen=True)
class Plan:
    """What a stream delivers. `stored`: the columns it reads, for the fields themselves or to make them from."""

    ptype: int
    names: tuple[str, ...]
    stored: tuple[str, ...]
    table_mass: float
    budget: int
    region: Region | None
    box_size: float | None


def output_dtype(column: Column | None, name: str) -> np.dtype[Any]:
    """Type in which a field is handed out: ids uint64, floats as stored (half precision widened)."""
    if name == "ids":
        return np.dtype(np.uint64)
    if column is None or (column.dtype.kind == "f" and column.dtype.itemsize <= 4):
        return np.dtype(np.float32)
    return np.dtype(np.float64)


def empty(parts: Sequence[Part], ptype: int, name: str, n: int) -> Array:
    """An array for a whole field."""
    held = [part.columns.get((ptype, name)) for part in parts if part.counts[ptype]] or [None]
    if held[0] is None and name in ("masses", "smoothing_length"):  # made from others: as precise as the positions
        held = [part.columns.get((ptype, "positions")) for part in parts if part.counts[ptype]] or [None]
    width = FIELDS[name].width
    return np.empty((n, width) if width > 1 else n, np.result_type(*(output_dtype(c, name) for c in held)))


def find_useless(parts: Sequence[Part], ptype: int, name: str) -> str | None:
    """Say why a column is not to be used: NaN or infinite values, or zero throughout where zero means "not computed".

    Looks at all of a short column and at slices spread over a long one; goes on through the files only while it has
    seen nothing but zeros. (Values that slip through are found when they are read.)

    Raises
    ------
    FileFormatError
    """
    if name == "ids":
        return None
    for part in parts:
        column = part.columns[ptype, name]
        with part.open() as read:
            looked, bad, any_value = _probe(read, column)
            if bad:
                return f"{column.label} is NaN or infinite for {bad} of {looked} particles looked at"
            if any_value or name not in _ZERO_IS_USELESS:
                return None
            for start in range(0, column.rows, _SCAN_ROWS):
                if read(column, start, min(start + _SCAN_ROWS, column.rows)).any():
                    return None
    return f"{parts[0].columns[ptype, name].label} is 0 for all {sum(part.counts[ptype] for part in parts)} particles"


def _probe(read: Read, column: Column) -> tuple[int, int, bool]:
    """(particles looked at, those with a value that is not finite, whether any value differs from zero)."""
    n_slices = 8 if column.rows > 8 * _SCAN_ROWS else -(-column.rows // _SCAN_ROWS)
    if column.chunk_rows > _SCAN_ROWS:  # each slice unpacks a whole chunk
        n_slices = min(n_slices, -(-column.rows // column.chunk_rows))
    looked, bad, any_value = 0, 0, False
    for i in range(n_slices):
        start = column.rows * i // n_slices
        values = read(column, start, min(start + _SCAN_ROWS, column.rows))
        looked += len(values)
        bad += len(values) - int(np.isfinite(values).reshape(len(values), -1).all(axis=1).sum())
        any_value |= bool(values.any())
    return looked, bad, any_value


def iter_part(part: Part, plan: Plan) -> Iterator[dict[str, NDArray[Any]]]:
    """Chunks of one file."""
    n, step = part.counts[plan.ptype], _rows_per_slice(part, plan)
    with part.open() as read:
        for start in range(0, n, step):
            chunk = _Slice(read, part, plan, start, min(start + step, n)).chunk()
            if chunk is not None:
                yield chunk
            del chunk  # the caller may have dropped it: do not keep it alive while the next one is made


def _rows_per_slice(part: Part, plan: Plan) -> int:
    """Rows whose arrays stay within the budget, whole HDF5 chunks where that is possible."""
    t = plan.ptype
    columns = {name: part.columns[t, name] for name in plan.stored}
    sizes = {name: output_dtype(column, name).itemsize * FIELDS[name].width for name, column in columns.items()}
    out = sum(sizes.get(name, 8) for name in plan.names)
    helpers = sum(size for name, size in sizes.items() if name not in plan.names)
    temporary = max((c.dtype.itemsize * c.width for c in columns.values()), default=8) + 24
    held = 3 if plan.region is not None else 2  # the chunk before, this one, and its selection
    rows = max(1, plan.budget // (held * out + helpers + temporary))
    chunk = max((c.chunk_rows for c in columns.values()), default=1)
    return rows - rows % chunk if rows > chunk else rows


class _Slice:
    """Rows [start, stop) of one file; every field is made once."""

    def __init__(self, read: Read, part: Part, plan: Plan, start: int, stop: int) -> None:
        self.read, self.part, self.plan, self.start, self.stop = read, part, plan, start, stop
        self.made: dict[str, Array] = {}

    def chunk(self) -> dict[str, Array] | None:
        """The fields asked for; None when no particle of these rows lies in the region."""
        plan = self.plan
        if plan.region is None:
            return {name: self.field(name) for name in plan.names}
        inside = plan.region.contains(self.field("positions"), box_size=plan.box_size)
        if not inside.any():
            return None
        return {name: self.field(name)[inside] for name in plan.names}

    def field(self, name: str) -> Array:
        if name not in self.made:
            if name in self.plan.stored:
                self.made[name] = self.stored(name)
            elif name == "masses":
                self.made[name] = self.like_positions(self.plan.table_mass)
            else:
                self.made[name] = self.smoothing_length()
        return self.made[name]

    def stored(self, name: str) -> Array:
        column = self.part.columns[self.plan.ptype, name]
        values = self.read(column, self.start, self.stop)
        if name == "ids":
            # signed storage of unsigned numbers: the bits are the identifier
            return values.view(f"u{values.dtype.itemsize}").astype(np.uint64)
        if column.pick is not None:
            values = values[:, column.pick].copy()
        values = scaled(values.astype(output_dtype(column, name), copy=False), column)
        self.check_finite(values, column)
        return values

    def like_positions(self, value: float) -> Array:
        column = self.part.columns.get((self.plan.ptype, "positions"))
        return np.full(self.stop - self.start, value, output_dtype(column, "positions"))

    def smoothing_length(self) -> Array:
        """h = (3 N m / (4 pi rho))^(1/3): the sphere that holds N_NEIGHBOURS such particles; 0 for an empty cell."""
        mass, density = self.field("masses"), self.field("density")
        bad = (density <= 0) & (mass > 0)
        if bad.any():
            label = self.part.columns[self.plan.ptype, "density"].label
            raise FileFormatError(
                f"{self.part.path}: {label} is not above 0 for {int(bad.sum())} particles with mass, first particle "
                f"{self.start + int(np.argmax(bad))}: no smoothing length can be derived"
            )
        volume = np.divide(mass, density, out=np.zeros_like(mass, dtype=np.result_type(mass, density)), where=mass > 0)
        length: Array = np.cbrt(volume * (3 * N_NEIGHBOURS / (4 * math.pi)))
        return length

    def check_finite(self, values: Array, column: Column) -> None:
        if values.size == 0 or (np.isfinite(values.min()) and np.isfinite(values.max())):  # both pass NaN on
            return
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        raise FileFormatError(
            f"{self.part.path}: {column.label} is NaN or infinite for {int(bad.sum())} of particles "
            f"{self.start} to {self.stop - 1}, first particle {self.start + int(np.argmax(bad))}"
        )


def scaled(values: Array, column: Column) -> Array:
    """Stored values, in place, to the units of the package; what does not fit becomes infinite."""
    if column.floor is not None:
        np.maximum(values, column.floor, out=values)
    with np.errstate(over="ignore", invalid="ignore"):
        if values.dtype == np.float32 and not 1e-30 < column.factor < 1e30:  # the factor alone would leave float32
            return (values.astype(np.float64) * column.factor).astype(np.float32)
        if column.factor != 1:
            values *= column.factor
    return values
