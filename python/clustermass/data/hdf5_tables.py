"""Tables of numbers in HDF5 files of our own: columns with units, checksummed; a JSON record; read back with care."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import ArrayError, BadInputError, ClusterMassError, DomainError, DTypeError, FileFormatError
from .hdf5_out import create_hdf5
from .readers import hdf5

CHUNK_BYTES = 2**20


@contextmanager
def create_tables(path: str | Path, file_format: str, version: int) -> Iterator[h5py.File]:
    """A new file of `file_format` that gets its ``complete`` marker, and its name, when the block ends well."""
    with create_hdf5(Path(path)) as file:
        file.attrs["format"] = np.bytes_(file_format)
        file.attrs["format_version"] = version
        file.attrs["complete"] = 0
        yield file
        file.attrs["complete"] = 1


@contextmanager
def opened_tables(path: str | Path, file_format: str, version: int) -> Iterator[h5py.File]:
    """A finished file of `file_format`, open for reading; anything else is a FileFormatError that says what came."""
    name = str(path)
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {name}")
    with hdf5.opened(name) as file:
        found = hdf5.attribute(file, "format", name)
        if found != file_format:
            raise FileFormatError(f"{name} is not a file of format {file_format!r}: attribute `format` is {found!r}")
        if (has := hdf5.number(file, "format_version", name) or 0) > version:
            raise FileFormatError(f"{name} has format version {has:g}, this clustermass reads up to {version}")
        if not hdf5.number(file, "complete", name):
            raise FileFormatError(f"{name} is not complete: its writing was interrupted; make it again")
        with as_file_errors(name):
            yield file


def format_of(path: str | Path) -> str | None:
    """The attribute ``format`` of an HDF5 file; None where there is none."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = file.attrs.get("format")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):  # no HDF5, or damaged: the readers say how
        return None
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else (None if found is None else str(found))


@contextmanager
def as_file_errors(path: str) -> Iterator[None]:
    """Values that cannot be are, once they come from a file, faults of the file."""
    try:
        yield
    except (DomainError, ArrayError, BadInputError, DTypeError) as exc:
        raise FileFormatError(f"{path}: {exc}") from exc


def write_column(file: h5py.File, name: str, values: NDArray[Any], unit: str = "") -> None:
    """A dataset of numbers (bool as uint8) with checksums, in chunks of about 1 MiB."""
    values = np.ascontiguousarray(values)
    if values.dtype == bool:
        values = values.view(np.uint8)
    data = empty_column(file, name, values.shape, values.dtype, unit)
    if values.size:
        data[...] = values


def empty_column(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any, unit: str = "") -> h5py.Dataset:
    """A dataset to be filled block by block."""
    row = np.dtype(dtype).itemsize * int(np.prod(shape[1:], dtype=np.int64))
    rows = max(1, min(shape[0], CHUNK_BYTES // max(row, 1)))
    chunked: dict[str, Any] = {"chunks": (rows, *shape[1:]), "fletcher32": True} if shape[0] else {}
    data = file.create_dataset(name, shape, dtype, **chunked)
    if unit:
        data.attrs["unit"] = np.bytes_(unit)
    return data


def read_column(file: h5py.File, name: str, path: str) -> NDArray[Any] | None:
    """All of a dataset after the checks of `readers.hdf5`; None when absent. uint8 comes back as bool."""
    data = hdf5.dataset(file, name, path)
    if data is None:
        return None
    with hdf5.translated(path, name):
        values: NDArray[Any] = data[()]
    return values.astype(bool) if values.dtype == np.uint8 else values


def require_column(file: h5py.File, name: str, path: str) -> NDArray[Any]:
    """`read_column` of what must be there."""
    values = read_column(file, name, path)
    if values is None:
        raise FileFormatError(f"{path} lacks {name}")
    return values


def write_record(file: h5py.File, record: Mapping[str, Any]) -> None:
    """Text of any length (attributes hold 64 kB) as JSON in the dataset ``record``."""
    text = json.dumps(record, indent=1, sort_keys=True).encode()
    file.create_dataset("record", data=np.frombuffer(text, np.uint8))


def read_record(file: h5py.File, path: str) -> dict[str, Any]:
    """What `write_record` wrote."""
    data = hdf5.dataset(file, "record", path)
    if data is None or data.dtype != np.uint8:
        raise FileFormatError(f"{path} lacks the text `record`")
    with hdf5.translated(path, "record"):
        found = json.loads(data[()].tobytes())
    if not isinstance(found, dict):
        raise FileFormatError(f"{path}: record must be a JSON object, got {type(found).__name__}")
    return found


def write_frame(file: h5py.File, cosmology: Cosmology, redshift: float, box_size: float, *, is_periodic: bool) -> None:
    """Attributes that say in what universe and in which units the numbers are."""
    file.attrs["h"], file.attrs["omega_m"] = cosmology.h, cosmology.omega_m
    file.attrs["omega_lambda"] = cosmology.omega_lambda
    file.attrs["redshift"], file.attrs["box_size"], file.attrs["is_periodic"] = redshift, box_size, int(is_periodic)
    file.attrs["units"] = np.bytes_("comoving Mpc, km/s (peculiar), Msun; without h")
    file.attrs["mass_definition"] = np.bytes_("M200c: within the radius of 200 times the critical density")


def read_frame(file: h5py.File, path: str) -> tuple[Cosmology, float, float, bool]:
    """Cosmology, redshift, box size [comoving Mpc], whether the box is periodic."""
    names = ("h", "omega_m", "omega_lambda", "redshift", "box_size", "is_periodic")
    values = {name: hdf5.number(file, name, path) for name in names}
    for name, value in values.items():
        if value is None or not np.isfinite(value):
            raise FileFormatError(f"{path}: attribute {name} must be a finite number, got {value}")
    h, omega_m, omega_lambda, redshift, box_size, periodic = (float(v) for v in values.values() if v is not None)
    try:
        return Cosmology(h, omega_m, omega_lambda), redshift, box_size, bool(periodic)
    except ClusterMassError as exc:
        raise FileFormatError(f"{path}: {exc}") from exc
