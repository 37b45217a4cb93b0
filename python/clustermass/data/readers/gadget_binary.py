"""Gadget snapshots in binary format 1 and 2, either byte order, one or several files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...errors import FileFormatError, TruncatedFileError
from ..schema import N_TYPES
from . import gadget_blocks as blocks
from .code_units import CodeUnits
from .header import Overrides, RawHeader, resolve
from .parts import Array, Column, Part, Read, all_files
from .snapshot import Snapshot

#: Block -> field.
FIELD_OF = {
    "POS": "positions", "VEL": "velocities", "ID": "ids", "MASS": "masses", "U": "internal_energy", "RHO": "density",
    "NE": "electron_abundance", "HSML": "smoothing_length", "SFR": "star_formation_rate", "Z": "metallicity",
    "AGE": "formation_scale_factor", "TEMP": "temperature",
}  # fmt: skip
_BLOCK_OF = {field: name for name, field in FIELD_OF.items()}
# a wrong size in these means a damaged file; elsewhere some code wrote another layout
_STRICT = ("POS", "VEL", "ID", "MASS", "U", "RHO")


@dataclass(frozen=True)
class BinaryPart(Part):
    """One binary file; the key of a column is the byte at which its rows begin."""

    order: blocks.Order = "<"

    @contextmanager
    def open(self) -> Iterator[Read]:
        with open(self.path, "rb", buffering=0) as file:

            def read(column: Column, start: int, stop: int) -> Array:
                file.seek(column.key + start * column.width * column.dtype.itemsize)
                count = (stop - start) * column.width
                values = np.fromfile(file, column.dtype.newbyteorder(self.order), count)
                if len(values) != count:
                    raise TruncatedFileError(
                        f"{self.path}: {column.label} declares {column.rows} particles, the file ends after "
                        f"{start + len(values) // column.width}"
                    )
                if not values.dtype.isnative:
                    values = values.byteswap(inplace=True).view(column.dtype)
                return values.reshape(-1, column.width) if column.width > 1 else values

            yield read


def _layout(path: str) -> tuple[blocks.Order, bool]:
    """(byte order, whether the blocks are named), from the first record marker: 256 in format 1, 8 in format 2."""
    with open(path, "rb") as file:
        start = file.read(4)
    marks = (8, blocks.HEADER_BYTES)
    if (marker := int.from_bytes(start, "little")) in marks:
        return "<", marker == 8
    if (marker := int.from_bytes(start, "big")) in marks:
        return ">", marker == 8
    raise FileFormatError(f"{path}: begins with {start.hex(' ')}, expected the record marker of a Gadget header")


class _File(NamedTuple):
    """What a look at the record markers tells about one file."""

    path: str
    order: blocks.Order
    named: bool
    head: blocks.BinaryHeader
    records: list[blocks.Record]


def _scan(path: str) -> _File:
    order, named = _layout(path)
    with open(path, "rb") as file:
        return _File(path, order, named, *blocks.scan(file, path, order, named))


def open_gadget_binary(path: str, over: Overrides) -> Snapshot:
    """A snapshot in Gadget's binary format 1 or 2."""
    notes: list[str] = []
    first = _scan(path)
    head = first.head
    raw = RawHeader(
        mass_table=head.masses,
        time=head.time,
        redshift=head.redshift,
        box_size=head.box_size,
        omega_m=head.omega_m,
        omega_lambda=head.omega_lambda,
        h=head.h,
        particles=head.total if head.n_files > 1 else head.counts,
    )
    header, units = resolve(raw, over, {}, path, notes)
    parts = []
    for name in all_files(path, head.n_files):
        file = _scan(name)
        if file.head.time != head.time and np.isfinite(head.time):
            raise FileFormatError(f"{name}: has Time {file.head.time:g}, its set begins with {path} at {head.time:g}")
        if file.named != first.named:
            raise FileFormatError(f"{name}: is of another format than {path}, which begins its set")
        parts.append(_make_part(file, units))
    counts = tuple(sum(column) for column in zip(*(part.counts for part in parts), strict=True))
    low = tuple(n % 2**32 for n in head.total)
    # a careless header may hold anything in the high words, which came later than the format
    total = low if counts == low else head.total
    return Snapshot("gadget2" if first.named else "gadget1", header, units, parts, total, notes)


def _make_part(file: _File, units: CodeUnits) -> BinaryPart:
    path, order, named, head, records = file
    names = [r.name for r in records] if named else blocks.name_by_size(records, head)
    info = _info_block(path, records) if named else b""
    positions = [blocks.Record("POS", r.start, r.size) for r, n in zip(records, names, strict=True) if n == "POS"]
    precision = blocks.float_bytes(positions[0] if positions else None, head)
    columns: dict[tuple[int, str], Column] = {}
    reasons: dict[tuple[int, str], str] = {}
    others = []
    for number, (record, name) in enumerate(zip(records, names, strict=True), start=1):
        if name not in FIELD_OF:
            others.append(f"block {name}" if named else f"block {number}, {record.size} bytes")
            continue
        label = f"block {name}" if named else f"block {number} ({name})"
        renamed = blocks.Record(name, record.start, record.size)
        block = blocks.match_info(renamed, info, order, head) or blocks.match_types(renamed, head, precision)
        if block is None:
            _refuse_misfit(path, renamed, head)
            others.append(label)
        else:
            _add_columns(columns, reasons, block, label, head, units)
    for t in range(N_TYPES):
        for field, name in _BLOCK_OF.items():
            reasons.setdefault((t, field), f"no block {name}")
    _mark_entropy(columns, reasons, head)
    return BinaryPart(path, head.counts, columns, reasons, tuple(others), order=order)


def _add_columns(
    columns: dict[tuple[int, str], Column], reasons: dict[tuple[int, str], str], block: blocks.Block, label: str,
    head: blocks.BinaryHeader, units: CodeUnits,
) -> None:  # fmt: skip
    field = FIELD_OF[block.record.name]
    dtype = np.dtype(f"{'u' if field == 'ids' else 'f'}{block.itemsize}")
    start = block.record.start
    for t in block.types:
        rows = head.counts[t]
        if block.width != blocks.WIDTHS.get(block.record.name, 1):
            reasons[t, field] = f"{label} has {block.width} values a particle (elements), not one mass fraction"
        else:
            columns[t, field] = Column(label, rows, dtype, units.factor(field), width=block.width, key=start)
        start += rows * block.width * block.itemsize


def _refuse_misfit(path: str, record: blocks.Record, head: blocks.BinaryHeader) -> None:
    """Raise for a block that must fit and does not."""
    if record.name not in _STRICT or not sum(head.counts):
        return
    types = blocks.type_sets(record.name, head)[0]
    n, row = sum(head.counts[t] for t in types), blocks.WIDTHS[record.name] * 4
    kind = TruncatedFileError if record.size < n * row else FileFormatError
    raise kind(
        f"{path}: header declares {n} particles for block {record.name}, that is {n * row} or {2 * n * row} bytes; it "
        f"has {record.size}, enough for {record.size // row}"
    )


def _info_block(path: str, records: list[blocks.Record]) -> bytes:
    found = [record for record in records if record.name == "INFO" and record.size <= 2**20]
    if not found:
        return b""
    with open(path, "rb") as file:
        file.seek(found[-1].start)
        return file.read(found[-1].size)


def _mark_entropy(
    columns: dict[tuple[int, str], Column], reasons: dict[tuple[int, str], str], head: blocks.BinaryHeader
) -> None:
    """Initial conditions may hold entropy in place of energy, and say so in the header."""
    if head.is_entropy and columns.pop((0, "internal_energy"), None) is not None:
        reasons[0, "internal_energy"] = "block U holds entropy, says the header"
