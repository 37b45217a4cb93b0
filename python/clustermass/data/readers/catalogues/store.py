"""Parsed text in an HDF5 file of columns: made once, read column by column, made again when its source has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ....errors import FileFormatError
from ...hdf5_tables import create_tables, format_of, opened_tables, read_record, write_record
from .. import hdf5
from .table import Array, Table
from .text import TEXT, Layout, Parsed, parse_table

STORE_FORMAT, STORE_VERSION = "clustermass-columns", 1
CHUNK_ROWS = 2**16
_HASHED_BYTES = 2**16


class Store:
    """Parses text tables into the file `path` instead of into memory, unless they are in it already.

    A second file of a set goes to the same name with its number before the suffix.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._used = Path(path), 0

    def parse(self, source: str, layout: Layout) -> Parsed:
        """`text.parse_table`, from the store where it holds `source` as it is now."""
        path = self._path if not self._used else self._path.with_suffix(f".{self._used}{self._path.suffix}")
        self._used += 1
        key = _key(source, layout)
        if path.exists():
            _check_ours(path)
            if (held := _read(path, key)) is not None:
                return held
        with create_tables(path, STORE_FORMAT, STORE_VERSION) as file:
            parsed = parse_table(source, layout, _StoreSink(file))
            record = {"key": key, "first_line": parsed.first_line, "n": parsed.table.n}
            columns = [[name, str(dtype)] for name, dtype in parsed.table.dtypes.items()]
            flags = {"is_plain": parsed.is_plain, "ends_open": parsed.ends_open, "columns": columns}
            if _key(source, layout) != key:
                raise FileFormatError(f"{source}: changed while it was read")
            write_record(file, record | flags)
        held = _read(path, key)
        if held is None:
            raise FileFormatError(f"{path}: was replaced while it was written")
        return held


def _key(source: str, layout: Layout) -> dict[str, Any]:
    """What must be equal for a store to be of use: the source's size, time, first and last bytes, and its layout."""
    status = os.stat(source)
    digest = hashlib.sha256()
    with open(source, "rb") as file:
        digest.update(file.read(_HASHED_BYTES))
        file.seek(max(0, status.st_size - _HASHED_BYTES))
        digest.update(file.read(_HASHED_BYTES))
    return {
        "size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256_of_ends": digest.hexdigest(),
        "names": list(layout.names), "delimiter": layout.delimiter, "start": layout.start,
        "allow_text": layout.allow_text,
    }  # fmt: skip


def _check_ours(path: Path) -> None:
    if format_of(path) != STORE_FORMAT:
        raise FileFormatError(f"`store` must be a new file or a store of columns, {path} is neither and is kept")


def _read(path: Path, key: dict[str, Any]) -> Parsed | None:
    """The table in a store; None when it is of another source, of another state of it, or was not finished."""
    try:
        with opened_tables(path, STORE_FORMAT, STORE_VERSION) as file:
            record = read_record(file, str(path))
            if record.get("key") != key:
                return None
            columns = [(str(name), np.dtype(str(dtype))) for name, dtype in record["columns"]]
            n, first_line = int(record["n"]), int(record["first_line"])
            flags = bool(record["is_plain"]), bool(record["ends_open"])
            for k in range(len(columns)):
                data = hdf5.dataset(file, f"columns/c{k}", str(path))
                if data is None or len(data) != n:
                    return None
    except (FileFormatError, KeyError, TypeError, ValueError):
        return None  # ours, but of no use: made again
    positions = {name: k for k, (name, _) in enumerate(columns)}
    dtypes = dict(columns)

    def load(name: str) -> Array:
        with opened_tables(path, STORE_FORMAT, STORE_VERSION) as file:
            if read_record(file, str(path)).get("key") != key:
                raise FileFormatError(f"{path}: was made again from another source; open the catalogue again")
            label = f"columns/c{positions[name]}"
            data = hdf5.dataset(file, label, str(path))
            if data is None:
                raise FileFormatError(f"{path}: lacks {label}")
            with hdf5.translated(str(path), label):
                values: Array = data[()]
        return values if dtypes[name].kind != "U" else _as_text(values)

    return Parsed(Table(dtypes, n, load), first_line, *flags)


def _as_bytes(values: Array) -> Array:
    encoded = np.char.encode(values, "utf-8")
    width = max(1, encoded.dtype.itemsize)
    return np.frombuffer(encoded.astype(f"S{width}").tobytes(), np.uint8).reshape(len(values), width)


def _as_text(values: Array) -> Array:
    packed = np.ascontiguousarray(values).view(f"S{values.shape[1]}")[:, 0]
    return np.char.decode(packed, "utf-8") if packed.size else np.empty(0, "U1")


def _with_small_cache(group: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset that keeps two chunks in memory: HDF5 2 has 8 MiB a dataset, too much for many columns at once."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(521, 2 * CHUNK_ROWS * 8, 0.75)
    return h5py.Dataset(h5py.h5d.open(group.id, name.encode(), access))


class _StoreSink:
    """Columns in datasets that grow; text, which has no width before its end, waits in memory."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def begin(self, names: Sequence[str], kinds: Sequence[str]) -> None:
        self._names, self._kinds = tuple(names), tuple(kinds)
        if "columns" in self._file:  # parsed with narrower columns before
            del self._file["columns"]
        group = self._file.create_group("columns")
        self._text: dict[int, list[Array]] = {k: [] for k, kind in enumerate(kinds) if kind == TEXT}
        self._n = 0
        self._data = {}
        for k, kind in enumerate(kinds):
            if kind != TEXT:
                dtype = np.int64 if kind == "i" else np.float64
                group.create_dataset(f"c{k}", (0,), dtype, maxshape=(None,), chunks=(CHUNK_ROWS,), fletcher32=True)
                self._data[k] = _with_small_cache(group, f"c{k}")

    def add(self, columns: Sequence[Array]) -> None:
        n = self._n + len(columns[0])
        for k, values in enumerate(columns):
            if k in self._text:
                self._text[k].append(values)
            else:
                self._data[k].resize(n, axis=0)
                self._data[k][self._n : n] = values
        self._n = n

    def finish(self, n: int) -> Table:
        dtypes: dict[str, np.dtype[Any]] = {}
        for k, (name, kind) in enumerate(zip(self._names, self._kinds, strict=True)):
            dtypes[name] = np.dtype(np.int64 if kind == "i" else np.float64)
            if kind == TEXT:
                blocks = self._text.pop(k)
                values = np.concatenate(blocks) if blocks else np.empty(0, "U1")
                self._file.create_dataset(f"columns/c{k}", data=_as_bytes(values))
                dtypes[name] = values.dtype
        return Table(dtypes, n, lambda name: np.empty(0))  # read back from the finished file only
