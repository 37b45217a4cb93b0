"""A file of named arrays (safetensors) with a record as JSON in its header and a checksum over both. Nothing is run."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import import_extra
from ..data.atomic import atomic_path
from ..errors import DomainError, FileFormatError, TruncatedFileError

MAX_HEADER = 10_000_000  #: bytes
MAX_TENSORS = 10_000


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write arrays and a record of plain values; the file is replaced whole or not at all.

    Raises
    ------
    DomainError
        If the record is not for JSON: NaN, objects.
    MissingDependencyError
        Without safetensors (extra ``ml`` or ``baselines``).
    """
    plain = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    try:
        text = json.dumps(dict(about), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise DomainError(f"state and `record` must be plain values for JSON: {exc}") from exc
    header = {"clustermass": text, "sha256": _digest(text, plain)}
    with atomic_path(path) as temporary:
        _safetensors().numpy.save_file(plain, str(temporary), metadata=header)


def read_arrays(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Record and arrays of a file that `write_arrays` wrote.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, or was changed by as little as one bit.
    MissingDependencyError
    """
    _check_header(Path(path))
    library = _safetensors()
    try:
        with library.safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise FileFormatError(f"{path}: at most {MAX_TENSORS} arrays are read, got {len(names)}")
            arrays = {name: file.get_tensor(name) for name in names}
    except (library.SafetensorError, OSError, TypeError, KeyError) as exc:
        raise FileFormatError(f"{path}: not a readable safetensors file: {exc}") from exc
    text = header.get("clustermass", "")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise FileFormatError(f"{path}: not a file of clustermass: no record in its header") from exc
    if not isinstance(about, dict):
        raise FileFormatError(f"{path}: not a file of clustermass: its record is no table")
    if header.get("sha256") != _digest(text, arrays):
        raise FileFormatError(f"{path}: the checksum does not agree: the file was changed after it was written")
    return about, arrays


def _check_header(path: Path) -> None:
    """The length that the file declares for its header, before anything is allocated for it."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
    if len(start) < 8:
        raise TruncatedFileError(f"{path}: {size} bytes are no safetensors file")
    (length,) = struct.unpack("<Q", start)
    most = min(MAX_HEADER, size - 8)
    if length > most:
        raise FileFormatError(f"{path}: declares a header of {length} bytes, at most {most} can be")


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        values = arrays[name]
        sha.update(f"|{name}|{values.dtype.str}|{values.shape}|".encode())
        sha.update(np.ascontiguousarray(values).tobytes())
    return sha.hexdigest()


def _safetensors() -> Any:
    import_extra("safetensors.numpy", extra="baselines", what="files of estimators need")
    return import_extra("safetensors", extra="baselines", what="files of estimators need")
