"""HDF5 from strangers: nothing outside the file is followed, sizes are checked before anything is allocated.

Refused: external links, soft links that lead out of the file, external storage, virtual datasets over files of another
folder, filters that would load a plugin, datasets that declare far more than they store. Whatever the HDF5 library
raises becomes a FileFormatError that names the file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...errors import ClusterMassError, FileFormatError, TruncatedFileError

MAX_ATTRIBUTE_BYTES = 2**20
MAX_OBJECTS = 10_000
MAX_LINKS = 16
#: A dataset may declare this many times what it stores: deflate's best ratio with 20 % to spare.
MAX_EXPANSION = 1.2 * 1032
CACHE_BYTES = 16 * 2**20  #: chunk cache of an open dataset: a chunk up to this size is unpacked once

_TEXT = ("Code", "Kernel function", "InitialConditions:periodic")
# deflate, shuffle, fletcher32, szip, nbit, scaleoffset, lzf: those that HDF5 and h5py carry themselves
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
_RAISED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError,
           MemoryError, AssertionError)  # fmt: skip


@contextmanager
def translated(path: str, what: str) -> Iterator[None]:
    """Turn whatever h5py and numpy raise on damaged input into a FileFormatError naming the file."""
    try:
        yield
    except ClusterMassError:
        raise
    except _RAISED as exc:
        reason = " ".join(str(exc).split())[:300] or type(exc).__name__
        kind = TruncatedFileError if "truncated" in reason else FileFormatError
        raise kind(f"{path}: cannot read {what}: {reason}") from exc


@contextmanager
def opened(path: str) -> Iterator[h5py.File]:
    """The file, open for reading; a missing or forbidden file keeps its builtin error."""
    with open(path, "rb"):
        pass
    with translated(path, "the HDF5 structure"):
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=CACHE_BYTES)
    try:
        yield file
    finally:
        with translated(path, "the HDF5 structure"):
            file.close()


def member(file: h5py.File, name: str, path: str) -> h5py.Group | h5py.Dataset | None:
    """The object at the absolute name `name`; None when there is none. Soft links are followed inside the file only."""
    with translated(path, name):
        return _follow(file, [part for part in name.split("/") if part], path, [0])


def _follow(file: h5py.File, parts: list[str], path: str, hops: list[int]) -> Any:
    # h5py's own `in` and `get` would open the other file of an external link, so the links are asked one by one
    here: Any = file
    for i, part in enumerate(parts):
        if not isinstance(here, h5py.Group) or not here.id.links.exists(part.encode()):
            return None
        kind = here.id.links.get_info(part.encode()).type
        if kind == h5py.h5l.TYPE_HARD:
            here = here[part]
        elif kind == h5py.h5l.TYPE_SOFT:
            hops[0] += 1
            if hops[0] > MAX_LINKS:
                raise FileFormatError(f"{path}: more than {MAX_LINKS} soft links to reach {'/'.join(parts)}")
            value = here.id.links.get_val(part.encode()).decode()
            target = value if value.startswith("/") else f"{here.name}/{value}"
            return _follow(file, [p for p in target.split("/") if p not in ("", ".")] + parts[i + 1 :], path, hops)
        else:
            raise FileFormatError(f"{path}: {part} is a link out of the file, which is refused")
    return here


def attribute(obj: h5py.Group | h5py.Dataset | None, name: str, path: str) -> Any:
    """An attribute as a Python number, str or tuple of numbers; None when absent or empty."""
    if obj is None:
        return None
    with translated(path, f"attribute {name}"):
        key = name.encode()
        if not h5py.h5a.exists(obj.id, key):
            return None
        attr = h5py.h5a.open(obj.id, key)
        if (size := attr.get_storage_size()) > MAX_ATTRIBUTE_BYTES:
            raise FileFormatError(f"{path}: attribute {name} has {size} bytes, expected at most 1 MB")
        # text of variable length lies elsewhere in the file, where damage can make the library loop: only for names
        if attr.dtype.kind == "O" and name not in _TEXT:
            raise FileFormatError(f"{path}: attribute {name} must be numbers, got {attr.dtype}")
        return _plain(obj.attrs[name])


def _plain(value: Any) -> Any:
    if isinstance(value, h5py.Empty):
        return None
    array = np.asarray(value)
    if array.size == 0:
        return None
    if array.dtype.kind in "SOU":
        first = array.reshape(-1)[0]
        return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    if array.dtype.kind not in "iufb":
        raise ValueError(f"expected numbers or text, got {array.dtype}")
    return array.item() if array.ndim == 0 else tuple(array.reshape(-1).tolist())


def number(obj: h5py.Group | h5py.Dataset | None, names: str | Sequence[str], path: str) -> float | None:
    """The first of the attributes `names` that is there, as one number (SWIFT writes arrays of one)."""
    for name in [names] if isinstance(names, str) else names:
        value = attribute(obj, name, path)
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if isinstance(value, (int, float)):
            return value
        if value is not None:
            raise FileFormatError(f"{path}: attribute {name} must be one number, got {str(value)[:60]!r}")
    return None


def numbers(obj: h5py.Group | h5py.Dataset | None, name: str, path: str) -> tuple[Any, ...] | None:
    """An attribute as a tuple of numbers."""
    value = attribute(obj, name, path)
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, (int, float)):
        return (value,)
    raise FileFormatError(f"{path}: attribute {name} must be numbers, got {str(value)[:60]!r}")


def integers(obj: h5py.Group | h5py.Dataset | None, name: str, path: str) -> tuple[int, ...] | None:
    """An attribute as a tuple of whole numbers."""
    values = numbers(obj, name, path)
    if values is None:
        return None
    if not all(math.isfinite(v) and v == int(v) for v in values):
        raise FileFormatError(f"{path}: attribute {name} must be whole numbers, got {values}")
    return tuple(int(v) for v in values)


def dataset(file: h5py.File, name: str, path: str, max_axes: int = 2) -> h5py.Dataset | None:
    """The numeric dataset `name` after all checks; None when absent."""
    found = member(file, name, path)
    if found is None:
        return None
    if not isinstance(found, h5py.Dataset):
        raise FileFormatError(f"{path}: {name} must be a dataset, got a group")
    with translated(path, name):
        _check_type(found, name, path, max_axes)
        _check_storage(found, name, path)
    return found


def _check_type(data: h5py.Dataset, name: str, path: str, max_axes: int) -> None:
    if data.shape is None or not 1 <= data.ndim <= max_axes:
        wanted = "one or two" if max_axes == 2 else f"one to {max_axes}"
        raise FileFormatError(f"{path}: {name} must have {wanted} axes, got shape {data.shape}")
    if data.dtype.kind not in "iuf" or data.dtype.itemsize > 8:
        raise FileFormatError(f"{path}: {name} must hold integers or floats of at most 64 bits, got {data.dtype}")


def _check_storage(data: h5py.Dataset, name: str, path: str) -> None:
    plist = data.id.get_create_plist()
    if plist.get_external_count():
        raise FileFormatError(f"{path}: {name} keeps its data in another file, which is refused")
    if data.is_virtual:
        _check_virtual(data, name, path)
        return
    for i in range(plist.get_nfilters()):
        code = plist.get_filter(i)[0]
        if code not in _FILTERS:
            raise FileFormatError(f"{path}: {name} needs the HDF5 filter plugin {code}, which is not loaded from files")
    declared, stored = math.prod(data.shape) * data.dtype.itemsize, data.id.get_storage_size()
    short = f"{path}: {name} declares {declared} bytes in shape {data.shape}, the file holds {stored}"
    if declared == 0:
        return
    if data.chunks is None:
        offset = data.id.get_offset()
        inside = offset is None or offset + stored <= os.path.getsize(path)
        if stored < declared or not inside:
            raise TruncatedFileError(short)
        return
    if declared > MAX_EXPANSION * stored:
        raise TruncatedFileError(short)
    chunk = math.prod(data.chunks) * data.dtype.itemsize
    if chunk > max(2**24, 2 * declared):
        raise FileFormatError(f"{path}: {name} has chunks of {chunk} bytes for {declared} bytes of data")
    wanted = math.prod(-(-size // step) for size, step in zip(data.shape, data.chunks, strict=True))
    if (present := data.id.get_num_chunks()) < wanted:
        raise TruncatedFileError(f"{path}: {name} has {present} of its {wanted} chunks; the file was not finished")


def _check_virtual(data: h5py.Dataset, name: str, path: str) -> None:
    """A virtual dataset may gather files of its own folder, all of which must be there (else it reads as zeros)."""
    folder = Path(path).resolve().parent
    for source in data.virtual_sources():
        where = Path(path) if source.file_name == "." else folder / source.file_name
        if where.resolve().parent != folder:
            raise FileFormatError(f"{path}: {name} points to {source.file_name} in another folder, which is refused")
        if not where.exists():
            raise TruncatedFileError(f"{path}: {name} needs {source.file_name}, which is not there")


def names_in(file: h5py.File, group: str, path: str) -> list[str]:
    """Names of what a group holds."""
    found = member(file, group, path)
    if not isinstance(found, h5py.Group):
        return []
    with translated(path, group):
        if len(found) > MAX_OBJECTS:
            raise FileFormatError(f"{path}: {group} has {len(found)} members, expected at most {MAX_OBJECTS}")
        return list(found)
