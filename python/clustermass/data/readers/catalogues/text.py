"""Tables of numbers in text: parsed once, block by block, into typed columns. Knows no catalogue."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....errors import FileFormatError, TruncatedFileError
from .table import Table, table_of

MAX_LINE, MAX_COLUMNS = 65536, 4096
BLOCK_BYTES, HEAD_BYTES = 2**22, 2**18
SNIFF_LINES = 500

# kinds of columns, from narrow to wide: whole numbers, numbers, text
INTEGER, FLOAT, TEXT = "i", "f", "t"
_DTYPES = {INTEGER: np.dtype(np.int64), FLOAT: np.dtype(np.float64)}
_WHOLE = re.compile(r"[+-]?\d+")
_WHOLE_PLAIN = re.compile(r"[+-]?(0|[1-9]\d*)")  # 00007 is a name, where names are allowed
NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_COMMENT_LINE = re.compile(rb"^[ \t]*#[^\n]*\n?", re.MULTILINE)
_EMPTY = frozenset(("", "null", "NULL", "Null", "--", "N/A", "nan", "NaN"))


@dataclass(frozen=True)
class Layout:
    """How the lines of a file make a table. `start`, `first_line`: where its data begin (byte, line from 1)."""

    names: tuple[str, ...]
    delimiter: str | None = None  # None: white space
    start: int = 0
    first_line: int = 1
    allow_text: bool = False

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            seen: dict[str, int] = {}
            unique = []
            for name in self.names:
                seen[name] = seen.get(name, 0) + 1
                unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
            object.__setattr__(self, "names", tuple(unique))


@dataclass(frozen=True)
class Head:
    """The first lines of a text file: comments (without line ends), and where the first other line is."""

    comments: tuple[str, ...]
    first: str
    start: int
    first_line: int
    end_of_first: int


def read_head(path: str) -> Head:
    """Comment lines at the top of a text file and its first line of another kind ("" if there is none)."""
    comments: list[str] = []
    at, number = 0, 1
    with open(path, "rb") as file:
        while True:
            line = file.readline(MAX_LINE + 1)
            check_text(path, line, number)
            if len(line) > MAX_LINE:
                raise FileFormatError(f"{path}, line {number}: is longer than {MAX_LINE} bytes")
            text = line.decode("utf-8", "replace").strip("\ufeff \t\r\n")  # some programs begin text with a mark
            if line and (text.startswith("#") or not text):
                if at > HEAD_BYTES * 16:
                    raise FileFormatError(f"{path}: has more than {HEAD_BYTES * 16} bytes of comments")
                comments += [text] if text else []
                at, number = at + len(line), number + 1
                continue
            return Head(tuple(comments), text, at, number, at + len(line))


def check_text(path: str, data: bytes, line: int) -> None:
    """Refuse what is no text: a NUL byte is in every damaged or binary file and in no catalogue."""
    if b"\0" in data:
        number = line + data.count(b"\n", 0, data.index(b"\0"))
        raise FileFormatError(f"{path}, line {number}: holds a NUL byte, expected text")


class Sink(Protocol):
    """Where parsed columns go, block by block."""

    def begin(self, names: Sequence[str], kinds: Sequence[str]) -> None: ...

    def add(self, columns: Sequence[NDArray[Any]]) -> None: ...

    def finish(self, n: int) -> Table: ...


class MemorySink:
    """Columns in memory that grow in place: joining blocks at the end would hold every number twice."""

    def begin(self, names: Sequence[str], kinds: Sequence[str]) -> None:
        self._names, self._n = tuple(names), 0
        self._numbers = {k: np.empty(0, _DTYPES[kind]) for k, kind in enumerate(kinds) if kind != TEXT}
        self._text: dict[int, list[NDArray[Any]]] = {k: [] for k, kind in enumerate(kinds) if kind == TEXT}

    def add(self, columns: Sequence[NDArray[Any]]) -> None:
        n = self._n + len(columns[0])
        for k, values in enumerate(columns):
            if k in self._text:
                self._text[k].append(values)
                continue
            column = self._numbers[k]
            if len(column) < n:  # by half more, of which nothing is touched before it is needed
                column.resize(n if not self._n else max(n, len(column) * 3 // 2), refcheck=False)
            column[self._n : n] = values
        self._n = n

    def finish(self, n: int) -> Table:
        columns = {}
        for k, name in enumerate(self._names):
            if k in self._numbers:
                self._numbers[k].resize(n, refcheck=False)
                columns[name] = self._numbers[k]
            else:
                columns[name] = np.concatenate(self._text[k]) if self._text[k] else np.empty(0, "U1")
        return table_of(columns, n)


class _Wider(Exception):
    """A block needs wider columns than were seen before: parse again with these."""

    def __init__(self, kinds: list[str]) -> None:
        self.kinds = kinds


@dataclass(frozen=True)
class Parsed:
    """A parsed table, and how to find a row in the file."""

    table: Table
    first_line: int
    is_plain: bool  # every line is a row
    ends_open: bool  # the last line has no line end

    def where(self, row: int) -> str:
        return f"line {self.first_line + row}" if self.is_plain else f"row {row + 1} of the table"


#: `parse_table`, or `Store.parse`.
Parse = Callable[[str, Layout], Parsed]


def parse_table(path: str, layout: Layout, sink: Sink | None = None) -> Parsed:
    """All rows of a text table.

    Columns whose entries are all whole numbers become int64 exactly, other numbers float64, and anything else text
    where the layout allows text. Lines that begin with # and empty lines are left out. An empty entry between commas
    (or null, NULL, --, N/A) is NaN.

    Raises
    ------
    FileFormatError, TruncatedFileError
        Naming file, line and column.
    """
    if not 1 <= len(layout.names) <= MAX_COLUMNS:
        raise FileFormatError(f"{path}: has {len(layout.names)} columns, expected 1 to {MAX_COLUMNS}")
    sink = MemorySink() if sink is None else sink
    kinds = _sniff(path, layout)
    for _ in range(2 * len(kinds) + 1):
        try:
            return _parse_with(path, layout, kinds, sink)
        except _Wider as wider:
            kinds = wider.kinds
    raise FileFormatError(f"{path}: its columns change their kind too often")


def _parse_with(path: str, layout: Layout, kinds: list[str], sink: Sink) -> Parsed:
    sink.begin(layout.names, kinds)
    n = lines = 0
    ends_open = False
    for data, number, n_lines in _blocks(path, layout):
        ends_open = not data.endswith(b"\n")
        lines += n_lines
        columns = _parse_block(path, data, number, layout, kinds)
        if columns and columns[0].size:
            sink.add(columns)
            n += columns[0].size
    return Parsed(sink.finish(n), layout.first_line, lines == n, ends_open)


def _blocks(path: str, layout: Layout) -> Iterator[tuple[bytes, int, int]]:
    """(whole lines, number of the first, how many) from the start of the data on."""
    rest, number = b"", layout.first_line
    with open(path, "rb") as file:
        file.seek(layout.start)
        while True:
            data = file.read(BLOCK_BYTES)
            check_text(path, data, number)
            whole = rest + data
            cut = whole.rfind(b"\n") + 1 if data else len(whole)
            rest, whole = whole[cut:], whole[:cut]
            n_lines = _check_lines(path, whole, rest, number)
            if whole:
                yield whole, number, n_lines
                number += n_lines
            if not data:
                return


def _check_lines(path: str, whole: bytes, rest: bytes, number: int) -> int:
    """The number of lines in `whole`, none of which may be too long."""
    ends = np.flatnonzero(np.frombuffer(whole, np.uint8) == 10)
    lengths = np.diff(ends, prepend=-1, append=len(whole))
    if lengths.size and lengths.max() > MAX_LINE:
        bad = number + int(lengths.argmax())
        raise FileFormatError(f"{path}, line {bad}: is longer than {MAX_LINE} bytes")
    if len(rest) > MAX_LINE:
        raise FileFormatError(f"{path}, line {number + ends.size}: is longer than {MAX_LINE} bytes")
    return ends.size + (not whole.endswith(b"\n") and bool(whole))


def _parse_block(path: str, data: bytes, number: int, layout: Layout, kinds: list[str]) -> list[NDArray[Any]]:
    if TEXT not in kinds:
        plain = _COMMENT_LINE.sub(b"", data) if b"#" in data else data
        if not plain.strip():
            return []
        dtype = np.dtype([(f"f{i}", _DTYPES[kind]) for i, kind in enumerate(kinds)])
        text = io.StringIO(plain.decode("latin-1"))
        quote = '"' if layout.delimiter else None
        try:
            rows = np.loadtxt(text, dtype, comments=None, delimiter=layout.delimiter, quotechar=quote, ndmin=1)
        except (ValueError, OverflowError):
            pass  # the careful way finds the line and the column, or what loadtxt does not know
        else:
            return [np.ascontiguousarray(rows[name]) for name in dtype.names or ()]
    return _parse_carefully(path, data, number, layout, kinds)


def _rows(path: str, data: bytes, number: int, layout: Layout) -> tuple[list[list[str]], list[int]]:
    """Entries of each line that holds any, and the numbers of these lines."""
    rows, numbers = [], []
    for line, text in enumerate(data.decode("utf-8", "replace").split("\n"), number):
        stripped = text.strip()
        if not stripped or stripped.startswith("#"):
            continue
        row = split_line(stripped, layout.delimiter)
        if len(row) != len(layout.names):
            last = line == number + data.count(b"\n") - data.endswith(b"\n")
            kind = TruncatedFileError if len(row) < len(layout.names) and last else FileFormatError
            raise kind(f"{path}, line {line}: has {len(row)} columns, expected {len(layout.names)}")
        rows.append(row)
        numbers.append(line)
    return rows, numbers


def split_line(line: str, delimiter: str | None) -> list[str]:
    """Entries of one line, without quotes and surrounding blanks."""
    if delimiter is None:
        return line.split()
    if '"' not in line:
        return [entry.strip() for entry in line.split(delimiter)]
    try:
        entries = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    except csv.Error:  # a carriage return within the line: what it splits into fits no header
        entries = line.split(delimiter)
    return [entry.strip() for entry in entries]


def _kind_of(entries: Sequence[str], allow_text: bool) -> str:
    whole = _WHOLE_PLAIN if allow_text else _WHOLE
    if all(whole.fullmatch(entry) for entry in entries):
        # beyond 64 bits there are floats and names, no whole numbers
        return INTEGER if all(len(e) < 19 or (len(e) < 22 and -(2**63) <= int(e) < 2**64) for e in entries) else FLOAT
    if not all(entry in _EMPTY or NUMBER.fullmatch(entry) for entry in entries):
        return TEXT
    has_names = allow_text and any(re.fullmatch(r"0\d+", entry) for entry in entries)
    return TEXT if has_names or (allow_text and all(entry in _EMPTY for entry in entries)) else FLOAT


def _sniff(path: str, layout: Layout) -> list[str]:
    data, number, _ = next(_blocks(path, layout), (b"", 1, 0))
    if not layout.allow_text:
        data = b"\n".join(data.split(b"\n", SNIFF_LINES)[:SNIFF_LINES]) + b"\n"
    rows, _ = _rows(path, data, number, layout)
    kinds = [_kind_of(entries, layout.allow_text) for entries in zip(*rows, strict=True)]
    if TEXT in kinds and not layout.allow_text:  # found and reported by the parser
        kinds = [FLOAT if kind == TEXT else kind for kind in kinds]
    return kinds or [FLOAT] * len(layout.names)


def _parse_carefully(path: str, data: bytes, number: int, layout: Layout, kinds: list[str]) -> list[NDArray[Any]]:
    rows, numbers = _rows(path, data, number, layout)
    entries = list(zip(*rows, strict=True))
    order = (INTEGER, FLOAT, TEXT)
    wanted = list(kinds)
    for i, column in enumerate(entries):
        found = _kind_of(column, layout.allow_text)
        if found == TEXT and not layout.allow_text:
            bad = next(k for k, e in enumerate(column) if e not in _EMPTY and not NUMBER.fullmatch(e))
            name = layout.names[i]
            raise FileFormatError(
                f"{path}, line {numbers[bad]}, column {i + 1} ({name}): expected a number, got {column[bad][:40]!r}"
            )
        if order.index(found) > order.index(kinds[i]):
            wanted[i] = found
    if wanted != kinds:
        raise _Wider(wanted)
    made = []
    for kind, column in zip(kinds, entries, strict=False):
        if kind == TEXT:
            made.append(np.array(column, np.str_))
        elif kind == INTEGER:
            bits = [int(entry) & (2**64 - 1) for entry in column]  # identifiers of 64 unsigned bits keep their bits
            made.append(np.array(bits, np.uint64).view(np.int64))
        else:
            made.append(np.array([math.nan if e in _EMPTY else float(e) for e in column], np.float64))
    return made


def layout_after_header(head: Head, names: Sequence[str], delimiter: str | None = None) -> Layout:
    """The layout of a file whose names are in its comments and whose data begin with the first other line."""
    return Layout(tuple(names), delimiter, head.start, head.first_line)


def skip_first(layout: Layout, head: Head) -> Layout:
    """The layout of a file whose first line that is no comment holds the names."""
    return replace(layout, start=head.end_of_first, first_line=head.first_line + 1)
