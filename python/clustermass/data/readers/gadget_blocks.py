"""Records of a Gadget binary file: found by their Fortran markers, named, and matched to particle types by size.

Format 2 names its blocks; in format 1 the order is Gadget's (POS, VEL, ID, MASS, U, RHO, ...) and the record sizes tell
which of the optional blocks are there. Unknown blocks are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from ...errors import FileFormatError, TruncatedFileError
from ..schema import N_TYPES

HEADER_BYTES = 256
MAX_RECORDS = 10_000
Order = Literal["<", ">"]
_WRAP = 2**32  # a record of 4 GiB or more is written with its size modulo this


@dataclass(frozen=True)
class BinaryHeader:
    """The 256 bytes that begin every file, in code units."""

    counts: tuple[int, ...]
    masses: tuple[float, ...]
    time: float
    redshift: float
    total: tuple[int, ...]
    n_files: int
    box_size: float
    omega_m: float
    omega_lambda: float
    h: float
    has_sfr: bool
    has_cooling: bool
    is_entropy: bool

    @property
    def variable_mass(self) -> tuple[int, ...]:
        """Types whose masses are in the MASS block."""
        return tuple(t for t in range(N_TYPES) if self.counts[t] and self.masses[t] == 0)


@dataclass(frozen=True)
class Record:
    """A block: its name, or its number where the format has no names; where its data begin, and their bytes."""

    name: str
    start: int
    size: int


@dataclass(frozen=True)
class Block:
    """A named block matched to particle types."""

    record: Record
    types: tuple[int, ...]
    width: int
    itemsize: int


def parse_header(raw: bytes, order: Order) -> BinaryHeader:
    """Gadget-2 user guide, table 4."""
    counts = struct.unpack(f"{order}6I", raw[:24])
    masses = struct.unpack(f"{order}6d", raw[24:72])
    time, redshift, sfr, _feedback = struct.unpack(f"{order}ddii", raw[72:96])
    total = struct.unpack(f"{order}6I", raw[96:120])
    cooling, n_files, box, omega_m, omega_lambda, h = struct.unpack(f"{order}iidddd", raw[120:160])
    _age, _metals, *high = struct.unpack(f"{order}ii6I", raw[160:192])
    (entropy,) = struct.unpack(f"{order}i", raw[192:196])
    whole = tuple(low + (top << 32) for low, top in zip(total, high, strict=True))
    return BinaryHeader(counts, masses, time, redshift, whole, n_files, box, omega_m, omega_lambda, h,
                        sfr != 0, cooling != 0, entropy == 1)  # fmt: skip


def scan(file: BinaryIO, path: str, order: Order, named: bool) -> tuple[BinaryHeader, list[Record]]:
    """Header and records of a file, every record checked against its two markers.

    Raises
    ------
    TruncatedFileError
        If a record goes beyond the end of the file.
    FileFormatError
        If the markers of a record differ.
    """
    scanner = _Scanner(file, path, order, named)
    try:
        first = next(scanner.records(), None)
    except _EarlyEndError as end:
        raise TruncatedFileError(f"{path}: the header must have {HEADER_BYTES} bytes, got {end.held}") from None
    if first is None or first.size != HEADER_BYTES:
        raise FileFormatError(f"{path}: the header must have {HEADER_BYTES} bytes, got {first.size if first else 0}")
    file.seek(first.start)
    head = scanner.head = parse_header(file.read(HEADER_BYTES), order)
    found: list[Record] = []
    try:
        for record in scanner.records():
            found.append(record)
            if len(found) > MAX_RECORDS:
                raise FileFormatError(f"{path}: has more than {MAX_RECORDS} records")
    except _EarlyEndError as end:
        raise TruncatedFileError(_describe_end(path, head, found, end, named)) from None
    return head, found


class _EarlyEndError(Exception):
    """A record that goes beyond the end of the file."""

    def __init__(self, name: str, declared: int, held: int) -> None:
        super().__init__(name, declared, held)
        self.name, self.declared, self.held = name, declared, held


class _Scanner:
    """Walks over the records; the header, once known, tells which sizes make sense."""

    def __init__(self, file: BinaryIO, path: str, order: Order, named: bool) -> None:
        self.file, self.path, self.order, self.named = file, path, order, named
        self.size = file.seek(0, 2)
        self.position = 0
        self.number = 0
        self.head: BinaryHeader | None = None

    def records(self) -> Iterator[Record]:
        name = ""
        while self.position < self.size:
            label = name.strip() or str(self.number)
            start, length = self.position + 4, self.length(label)
            self.position = start + length + 4
            if self.named and length == 8 and not name:
                self.file.seek(start)
                name = self.file.read(4).decode("latin-1")
                continue
            if self.named and not name:
                raise FileFormatError(f"{self.path}: the block at byte {start} has no name record before it")
            self.number += 1
            yield Record(label, start, length)
            name = ""
        if name:
            raise _EarlyEndError(name.strip(), 0, 0)

    def length(self, name: str) -> int:
        """Bytes of the record at the current position: its marker, plus the 4 GiB that the marker cannot hold."""
        marker = self.word(self.position)
        room = self.size - self.position - 8
        if marker is None:
            raise _EarlyEndError(name, 4, room + 4)
        matching = [n for n in range(marker, room + 1, _WRAP) if self.word(self.position + 4 + n) == marker]
        if matching:
            return next((n for n in matching if self.is_plausible(name, n)), matching[0])
        if marker > room:
            raise _EarlyEndError(name, marker, max(0, room + 4))
        end = self.word(self.position + 4 + marker)
        raise FileFormatError(f"{self.path}: block {name} begins with record marker {marker} and ends with {end}")

    def word(self, at: int) -> int | None:
        self.file.seek(at)
        raw = self.file.read(4)
        return int(struct.unpack(f"{self.order}I", raw)[0]) if len(raw) == 4 else None

    def is_plausible(self, name: str, length: int) -> bool:
        """Whether some set of particle types fills a record of this name and size."""
        if self.head is None or length < _WRAP:
            return length > 0
        name = name if self.named else {1: "POS", 2: "VEL", 3: "ID"}.get(self.number, "")
        if name in WIDTHS:
            return match_types(Record(name, 0, length), self.head) is not None
        counts = self.head.counts
        sets = (range(N_TYPES), self.head.variable_mass, (0,), (4,), (0, 4))
        rows = (sum(counts[t] for t in types) for types in sets)
        return any(n and length % (4 * n) == 0 for n in rows)


def _describe_end(path: str, head: BinaryHeader, found: list[Record], end: _EarlyEndError, named: bool) -> str:
    cut = Record(end.name, 0, end.declared)
    names = [record.name for record in found] if named else name_by_size([*found, cut], head)
    name = end.name if named else names[-1]
    text = f"{path}: block {name} declares {end.declared} bytes, the file holds {end.held} of them"
    block = match_types(Record(name, 0, end.declared), head)
    if block is None or not block.types:
        return text
    n, row = sum(head.counts[t] for t in block.types), block.width * block.itemsize
    return f"{text} ({n} particles declared, {end.held // row} held)"


#: Values a particle of the blocks that are read.
WIDTHS = {"POS": 3, "VEL": 3, "ID": 1, "MASS": 1, "U": 1, "RHO": 1, "NE": 1, "HSML": 1, "SFR": 1, "AGE": 1, "TEMP": 1}


def type_sets(name: str, head: BinaryHeader) -> list[tuple[int, ...]]:
    present = tuple(t for t in range(N_TYPES) if head.counts[t])
    if name in ("POS", "VEL", "ID"):
        return [present]
    if name == "MASS":
        return [head.variable_mass, present]
    if name == "AGE":
        return [(4,), (4, 5)]
    if name == "Z":
        return [(0, 4), (0,), (4,), (0, 4, 5)]
    return [(0,)]


def float_bytes(positions: Record | None, head: BinaryHeader) -> int:
    """Precision of the floats of a file, by that of its positions."""
    block = match_types(positions, head) if positions is not None else None
    return block.itemsize if block is not None else 4


def match_types(record: Record, head: BinaryHeader, precision: int = 4) -> Block | None:
    """The types whose particles fill the record, by its size; None when no set of types does."""
    for types in type_sets(record.name, head):
        held = tuple(t for t in types if head.counts[t])
        n = sum(head.counts[t] for t in held)
        if n == 0:
            continue
        if record.name == "Z":  # one number, or one for each element
            if record.size % (precision * n) == 0 and 1 <= record.size // (precision * n) <= 64:
                return Block(record, held, record.size // (precision * n), precision)
            continue
        for itemsize in (4, 8):
            if record.size == n * WIDTHS.get(record.name, 1) * itemsize:
                return Block(record, held, WIDTHS.get(record.name, 1), itemsize)
    return None


def match_info(record: Record, info: bytes, order: Order, head: BinaryHeader) -> Block | None:
    """As `match_types`, from the INFO block of Gadget-3 (name, kind, width, types); None where it disagrees."""
    if len(info) % 40:
        return None
    for at in range(0, len(info), 40):
        name, kind, width, *active = struct.unpack(f"{order}4s8s7i", info[at : at + 40])
        if name.decode("latin-1").strip() != record.name:
            continue
        types = tuple(t for t in range(N_TYPES) if active[t] and head.counts[t])
        itemsize = 8 if kind.startswith((b"DOUBLE", b"LLONG")) else 4
        if width > 0 and record.size == sum(head.counts[t] for t in types) * width * itemsize:
            return Block(record, types, width, itemsize)
    return None


def name_by_size(records: list[Record], head: BinaryHeader) -> list[str]:
    """Names of the records of a format-1 file; "?" for those that cannot be told.

    The blocks come in Gadget's order. Of the run of gas blocks, two are U, RHO; three U, RHO, HSML; five or more with
    cooling U, RHO, NE, NH, HSML and, with star formation, SFR.
    """
    sizes = [record.size for record in records]
    names: list[str] = []

    def take(name: str) -> None:
        i = len(names)
        if i < len(sizes) and match_types(Record(name, 0, sizes[i]), head) is not None:
            names.append(name)

    names.append("POS")
    for name in ("VEL", "ID", "MASS") if head.variable_mass else ("VEL", "ID"):
        take(name)
    if head.counts[0]:
        run = 0
        while len(names) + run < len(sizes) and match_types(Record("U", 0, sizes[len(names) + run]), head) is not None:
            run += 1
        names += _gas_blocks(run, head)
    if head.counts[4]:
        take("AGE")
    take("Z")
    return (names + ["?"] * len(sizes))[: len(sizes)]


def _gas_blocks(run: int, head: BinaryHeader) -> list[str]:
    if head.has_cooling and run >= 4:
        known = ["U", "RHO", "NE", "NH", "HSML"] + ["SFR"] * head.has_sfr
    else:
        known = ["U", "RHO", "HSML"]
    return (known + ["?"] * run)[:run]
