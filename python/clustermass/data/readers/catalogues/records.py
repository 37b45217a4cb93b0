"""Binary records of one struct after another as a table: sizes are checked against the file, columns read in blocks."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileFormatError, TruncatedFileError
from .table import Array, Table

BLOCK_BYTES = 2**22
_PART = re.compile(r"^(?P<stem>.+)\.(?P<index>\d+)\.(?P<suffix>bin|ascii|bgc2)$")


@dataclass(frozen=True)
class Block:
    """`n` records at byte `start` of a file."""

    path: str
    start: int
    n: int


def files_of_set(path: str) -> tuple[str, ...]:
    """All of ``halos_14.0.bin``, ``halos_14.1.bin``... that `path` belongs to, in order.

    Raises
    ------
    FileFormatError
        If a number between 0 and the largest is not there.
    """
    match = _PART.match(Path(path).name)
    if match is None:
        return (path,)
    pattern = re.compile(re.escape(match["stem"]) + r"\.(\d+)\." + match["suffix"])
    found = {}
    for entry in os.scandir(Path(path).parent):
        if part := pattern.fullmatch(entry.name):
            found[int(part[1])] = os.path.join(os.path.dirname(path), entry.name)
    absent = [k for k in range(max(found)) if k not in found] if len(found) > 1 else []
    if absent:
        raise FileFormatError(f"{path}: of the {max(found) + 1} files of this set number {absent[0]} is not there")
    return tuple(found[k] for k in sorted(found))


def first_of_set(path: str | os.PathLike[str]) -> str | None:
    """File 0 of a set that is named by its common part, such as ``halos_14``; None if there is none."""
    for suffix in ("bin", "ascii", "bgc2"):
        name = f"{os.fspath(path)}.0.{suffix}"
        if os.path.exists(name):
            return name
    return None


def check_room(path: str, what: str, wanted: int) -> None:
    """The file must have at least `wanted` bytes before anything of that size is read."""
    size = os.path.getsize(path)
    if size < wanted:
        raise TruncatedFileError(f"{path}: {what} take {wanted} bytes, the file has {size}")


def read_one(path: str, dtype: np.dtype[Any], what: str, start: int = 0) -> Any:
    """One record."""
    check_room(path, what, start + dtype.itemsize)
    return np.fromfile(path, dtype, 1, offset=start)[0]


def record_table(blocks: Sequence[Block], dtype: np.dtype[Any]) -> Table:
    """A table of the fields of `dtype`; a field of several values has one column for each: ``pos[0]``."""
    dtypes: dict[str, np.dtype[Any]] = {}
    for name in dtype.names or ():
        base, shape = dtype[name].base, dtype[name].shape
        names = [name] if not shape else [f"{name}[{k}]" for k in range(shape[0])]
        dtypes |= dict.fromkeys(names, base.newbyteorder("="))
    return Table(dtypes, sum(block.n for block in blocks), lambda name: _load(blocks, dtype, name, dtypes[name]))


def _load(blocks: Sequence[Block], dtype: np.dtype[Any], name: str, native: np.dtype[Any]) -> Array:
    made = np.empty(sum(block.n for block in blocks), native)
    field, _, component = name.partition("[")
    step, at = max(1, BLOCK_BYTES // dtype.itemsize), 0
    for block in blocks:
        with open(block.path, "rb") as file:
            file.seek(block.start)
            for row in range(0, block.n, step):
                count = min(step, block.n - row)
                records = np.fromfile(file, dtype, count)
                if len(records) != count:
                    raise TruncatedFileError(f"{block.path}: ends after {row + len(records)} of {block.n} records")
                values = records[field]
                made[at : at + count] = values[:, int(component[:-1])] if component else values
                at += count
    return made
