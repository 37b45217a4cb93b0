"""Files of estimators: arrays in safetensors, all else as JSON in its header, a checksum over both. Nothing is run."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.atomic import atomic_path
from ..data.provenance import versions
from ..errors import DomainError, FileFormatError, MissingDependencyError, TruncatedFileError
from .base import Estimator
from .registry import ESTIMATORS, estimator_class

FORMAT = "clustermass-model"
FORMAT_VERSION = 1
MAX_HEADER = 10_000_000  #: bytes
MAX_TENSORS = 10_000


def save_estimator(path: str | Path, estimator: Estimator, *, record: Mapping[str, Any] | None = None) -> None:
    """Write an estimator, fitted or not, so that `load_estimator` gives one with the same predictions, bit for bit.

    Parameters
    ----------
    path : str or Path
        The file, replaced whole or not at all; by custom ``.safetensors``.
    estimator : Estimator
        One that `make_estimator` knows by its name.
    record : mapping, optional
        What else to keep, for JSON: hash of the training data, seeds, calibration.

    Raises
    ------
    DomainError
        If the estimator has no registered name, or its state or record is not for JSON.
    MissingDependencyError
        Without safetensors (extra ``ml`` or ``baselines``).

    Examples
    --------
    What it wrote is read by `load_estimator`:

    >>> read_estimator_record("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    if estimator.name not in ESTIMATORS:
        raise DomainError(f"`estimator` must have a registered name, got {estimator.name!r}")
    config, arrays = estimator.state()
    plain = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "estimator": estimator.name,
        "config": config,
        "mass_definition": estimator.mass_definition,
        "mass_unit": "log10 Msun, no h",
        "inputs": list(estimator.inputs),
        "source": estimator.source,
        "versions": versions(),
        "record": dict(record or {}),
    }
    try:
        text = json.dumps(about, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise DomainError(f"state and `record` must be plain values for JSON: {exc}") from exc
    header = {"clustermass": text, "sha256": _digest(text, plain)}
    with atomic_path(path) as temporary:
        _safetensors().numpy.save_file(plain, str(temporary), metadata=header)


def load_estimator(path: str | Path) -> Estimator:
    """Read an estimator that `save_estimator` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Estimator
        With the same predictions, bit for bit.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, was changed by as little as one bit, is of another version, or holds an
        estimator that this version does not know.
    MissingDependencyError
        Without safetensors (extra ``ml`` or ``baselines``).

    Examples
    --------
    >>> load_estimator("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    about, arrays = _read(path)
    cls, _ = estimator_class(about["estimator"])
    try:
        return cls.from_state(about["config"], arrays)
    except (KeyError, TypeError, ValueError) as exc:
        raise FileFormatError(f"{path}: not the state of {about['estimator']!r}: {exc}") from exc


def read_estimator_record(path: str | Path) -> dict[str, Any]:
    """What a file of an estimator says of itself.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict
        Name and settings of the estimator, units, source, versions, and the `record` given to `save_estimator`.

    Raises
    ------
    FileNotFoundError, FileFormatError, MissingDependencyError
        As `load_estimator`.

    Examples
    --------
    >>> read_estimator_record("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
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
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise FileFormatError(f"{path}: not a file of an estimator")
    if about.get("format_version") != FORMAT_VERSION:
        raise FileFormatError(f"{path}: version {about.get('format_version')!r} is not {FORMAT_VERSION}")
    if header.get("sha256") != _digest(text, arrays):
        raise FileFormatError(f"{path}: the checksum does not agree: the file was changed after it was written")
    if about.get("estimator") not in ESTIMATORS or not isinstance(about.get("config"), dict):
        raise FileFormatError(f"{path}: holds the unknown estimator {about.get('estimator')!r}")
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
    try:
        import safetensors.numpy
    except ImportError as exc:
        raise MissingDependencyError(
            f"files of estimators need safetensors: pip install 'clustermass[baselines]' ({exc})"
        ) from exc
    return safetensors
