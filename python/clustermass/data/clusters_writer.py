"""Write the file of cluster observations block by block, so that memory does not grow with the number of views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from . import hdf5_tables as tables
from .clusters_file import CLUSTER_COLUMNS, GALAXY_COLUMNS, KINDS


class ClusterWriter:
    """Grows one kind of observations in an open file, block by block.

    Parameters
    ----------
    file : h5py.File
        From `hdf5_tables.create_tables`.
    kind : {"pure", "contaminated"}
    """

    def __init__(self, file: h5py.File, kind: str) -> None:
        self._file, self._kind = file, check.choice(kind, "kind", KINDS)
        self._rows: dict[str, list[NDArray[Any]]] = {}
        self._sizes: list[NDArray[np.int64]] = []
        self._galaxies = {
            name: _growing(file, f"{kind}/galaxies/{name}", *spec) for name, spec in GALAXY_COLUMNS.items()
        }

    def append(
        self, rows: Mapping[str, NDArray[Any]], sizes: NDArray[np.int64], galaxies: Mapping[str, NDArray[Any]]
    ) -> None:
        """Add observations: columns of the rows that are known, galaxies of each, and the flat columns of those."""
        self._sizes.append(sizes)
        for name, values in rows.items():
            self._rows.setdefault(name, []).append(values)
        for name, data in self._galaxies.items():
            first, n_new = data.shape[0], len(galaxies[name])
            data.resize(first + n_new, axis=0)
            data[first:] = galaxies[name]

    def column(self, name: str) -> NDArray[Any]:
        """A column of all rows so far."""
        return np.concatenate(self._rows[name]) if self._rows.get(name) else np.empty(0)

    @property
    def n_galaxies(self) -> int:
        """Galaxies of all rows so far."""
        return sum(int(part.sum()) for part in self._sizes)

    def __len__(self) -> int:
        return sum(part.size for part in self._sizes)

    def finish(self, rest: Mapping[str, NDArray[Any]]) -> None:
        """Write the columns of the rows; `rest` holds those that depend on all of them."""
        sizes = np.concatenate([np.zeros(1, np.int64), *self._sizes])
        tables.write_column(self._file, f"{self._kind}/offsets", np.cumsum(sizes, dtype=np.int64))
        for name, (dtype, unit, width) in CLUSTER_COLUMNS.items():
            values = np.asarray(rest[name] if name in rest else self.column(name), dtype)
            shape = (len(self),) if width == 1 else (len(self), width)
            tables.write_column(self._file, f"{self._kind}/clusters/{name}", values.reshape(shape), unit)


def _growing(file: h5py.File, name: str, dtype: Any, unit: str) -> h5py.Dataset:
    rows = tables.CHUNK_BYTES // np.dtype(dtype).itemsize // 4
    data = file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(rows,), fletcher32=True)
    if unit:
        data.attrs["unit"] = np.bytes_(unit)
    return data


def write_cylinder(file: h5py.File, max_radius: float, max_velocity: float) -> None:
    """Attributes that say what the contaminated observations were cut to [comoving Mpc, km/s]."""
    file.attrs["max_radius"], file.attrs["max_velocity"] = max_radius, max_velocity
