"""The file of phase-space grids: one grid and its labels per observation of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..errors import ArrayError, FileFormatError
from . import hdf5_tables as tables
from .readers import hdf5

FORMAT = "clustermass-grids"
FORMAT_VERSION = 1

#: column -> (type in the file, unit); what a network is trained with, copied from the file of observations
LABELS: dict[str, tuple[Any, str]] = {
    "log10_m200c": (np.float64, "dex(solMass)"),
    "host_id": (np.int64, ""),
    "view": (np.int64, ""),
    "fold": (np.int64, ""),
    "split": (np.int64, ""),
    "octant": (np.int64, ""),
    "is_test": (np.uint8, ""),
    "is_flat": (np.uint8, ""),
    "n_galaxies": (np.int64, ""),
}


@dataclass(frozen=True)
class GridSet:
    """Grids and labels, row by row.

    Attributes
    ----------
    grids : (n, *cells) float32
        Axes in the order of `columns`.
    columns : tuple of str
        What lies along each axis: "velocity" [km/s], "radius", "x", "y" [comoving Mpc, no h].
    axes : list of (low, high, n)
        Of each axis, in those units.
    labels : dict
        Column -> (n,) array: log10_m200c [Msun, no h], host_id, view, fold, split, octant, is_test, is_flat and
        n_galaxies (that the catalogue has).
    record : dict
        Preset, settings and provenance.
    """

    grids: NDArray[np.float32]
    columns: tuple[str, ...]
    axes: list[tuple[float, float, int]]
    labels: dict[str, NDArray[Any]]
    record: dict[str, Any]

    def __len__(self) -> int:
        return len(self.grids)


def write_grids(
    path: str | Path,
    blocks: Iterable[tuple[NDArray[Any], Mapping[str, NDArray[Any]]]],
    *,
    columns: tuple[str, ...],
    axes: list[tuple[float, float, int]],
    record: Mapping[str, Any],
) -> int:
    """Write a file of grids block by block, each with the labels of its rows; returns the number of grids.

    The file appears when the last block is written.

    Raises
    ------
    ArrayError
        If a block has other cells than `axes`, or not one label of each name per grid.
    OSError
    """
    cells, n = tuple(axis[2] for axis in axes), 0
    labels: dict[str, list[NDArray[Any]]] = {name: [] for name in LABELS}
    rows = max(1, tables.CHUNK_BYTES // (4 * prod(cells)))
    with tables.create_tables(path, FORMAT, FORMAT_VERSION) as file:
        file.attrs["columns"] = np.bytes_(",".join(columns))
        file.attrs["axes"] = np.array(axes, np.float64)
        data = file.create_dataset("grids", (0, *cells), np.float32, maxshape=(None, *cells), chunks=(rows, *cells),
                                   fletcher32=True)  # fmt: skip
        for grids, own in blocks:
            if grids.shape[1:] != cells or any(len(own[name]) != len(grids) for name in LABELS):
                raise ArrayError(f"`blocks` must hold grids of {cells} and a label of each name, got {grids.shape}")
            data.resize(n + len(grids), axis=0)
            data[n:] = grids
            n += len(grids)
            for name in LABELS:
                labels[name].append(np.asarray(own[name]))
        for name, (dtype, unit) in LABELS.items():
            values = np.concatenate(labels[name]) if labels[name] else np.empty(0)
            tables.write_column(file, f"labels/{name}", values.astype(dtype), unit)
        tables.write_record(file, record)
    return n


def read_grids(path: str | Path, rows: Any = None) -> GridSet:
    """Read the grids that ``clustermass grids`` made.

    Parameters
    ----------
    path : str or Path
        The HDF5 file.
    rows : slice, index array or mask, optional
        Only these.

    Returns
    -------
    GridSet
        In memory.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, damaged or not complete.

    Examples
    --------
    >>> read_grids("nowhere.hdf5")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.hdf5
    """
    name = str(path)
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        columns = tuple(str(hdf5.attribute(file, "columns", name) or "").split(","))
        axes = [(float(low), float(high), int(n)) for low, high, n in _table_of_axes(file, name, len(columns))]
        labels = {label: tables.require_column(file, f"labels/{label}", name) for label in LABELS}
        data = hdf5.dataset(file, "grids", name, max_axes=4)
        shape = (len(labels["host_id"]), *(n for _, _, n in axes))
        if data is None or data.shape != shape or any(len(values) != shape[0] for values in labels.values()):
            raise FileFormatError(f"{name}: grids must have shape {shape}, got {None if data is None else data.shape}")
        chosen = np.arange(shape[0])[slice(None) if rows is None else rows]
        chosen = np.atleast_1d(chosen)
        with hdf5.translated(name, "grids"):
            low, high = (int(chosen.min()), int(chosen.max()) + 1) if chosen.size else (0, 0)
            grids = np.asarray(data[low:high])[chosen - low]
        check.check_finite(grids, "grids")
        record = tables.read_record(file, name)
    return GridSet(grids, columns, axes, {label: values[chosen] for label, values in labels.items()}, record)


def _table_of_axes(file: h5py.File, path: str, n_axes: int) -> NDArray[np.float64]:
    found = np.asarray(file.attrs.get("axes", ()), np.float64)
    if found.shape != (n_axes, 3) or not np.isfinite(found).all() or (found[:, 2] < 1).any():
        raise FileFormatError(f"{path}: attribute axes must be {n_axes} of (low, high, n), got {found.tolist()}")
    return found
