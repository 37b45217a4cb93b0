"""One file of a snapshot as a table of columns: what every format reader produces and `Snapshot` consumes."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError

Array = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A field of one particle type in one file, as stored."""

    label: str  # as the file calls it: "PartType0/Density", "block RHO"
    rows: int
    dtype: np.dtype[Any]  # stored type, native byte order
    factor: float = 1.0  # internal value = stored value x factor
    chunk_rows: int = 1  # slices that begin and end at multiples of this are cheapest
    pick: int | None = None  # of a table with several values a particle, the one that is the field
    width: int = 1
    key: Any = None  # where the format finds it
    floor: float | None = None  # smaller stored values mean this one


#: Stored rows [start, stop) of a column, in native byte order.
Read = Callable[[Column, int, int], Array]


@dataclass(frozen=True)
class Part(ABC):
    """One file of a snapshot."""

    path: str
    counts: tuple[int, ...]
    columns: dict[tuple[int, str], Column]  # (particle type, field)
    reasons: dict[tuple[int, str], str] = field(default_factory=dict)  # why a column that is there is not used
    others: tuple[str, ...] = ()  # what else the file holds, by name

    @abstractmethod
    def open(self) -> AbstractContextManager[Read]:
        """Open the file for as long as slices are read."""


_PART_NAME = re.compile(r"^(?P<stem>.+)\.(?P<index>\d+)(?P<suffix>(\.(hdf5|h5))?)$")


def first_file(path: str | os.PathLike[str]) -> str:
    """The file to open first for `path`: itself, or the file 0 of the set that it names.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If it is a folder.
    """
    name = os.fspath(path)
    if os.path.isdir(name):
        raise FileFormatError(f"{name}: is a folder, expected a file (or the common name of the files of a snapshot)")
    for candidate in (name, f"{name}.hdf5", f"{name}.0", f"{name}.0.hdf5", f"{name}.h5", f"{name}.0.h5"):
        if os.path.exists(candidate):
            return candidate
    raise FileNotFoundError(2, "No such file", name)


def all_files(path: str, n_files: int) -> list[str]:
    """Every file of the set that `path` belongs to, in order; just `path` if its name carries no file number.

    A cut-out keeps the file count of the snapshot it was taken from, under a name of its own.

    Raises
    ------
    FileFormatError
        If a file of the set is not there.
    """
    match = _PART_NAME.match(Path(path).name)
    if n_files <= 1 or match is None:
        return [path]
    if not n_files <= 100_000 or int(match["index"]) >= n_files:
        raise FileFormatError(f"{path}: header declares {n_files} files, the file name has number {match['index']}")
    folder = Path(path).parent
    files = [str(folder / f"{match['stem']}.{i}{match['suffix']}") for i in range(n_files)]
    absent = [name for name in files if not os.path.exists(name)]
    if absent:
        raise FileFormatError(
            f"{path}: {len(absent)} of the {n_files} files of this set are missing, first {absent[0]}"
        )
    return files


def check_total(path: str, counts: tuple[int, ...], total: tuple[int, ...] | None, n_files: int) -> None:
    """The files of a set must add up to the total in the header; a header that leaves the total out is accepted."""
    if n_files > 1 and total is not None and any(total) and counts != total:
        raise FileFormatError(f"{path}: header declares {total} particles in all, the {n_files} files hold {counts}")
