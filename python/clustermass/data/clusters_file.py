"""The file of cluster observations, ragged, pure and contaminated: its layout, and how to read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import ArrayError, FileFormatError
from ..ragged import take_rows
from . import hdf5_tables as tables
from .readers import hdf5
from .splits import audit_splits

FORMAT = "clustermass-clusters"
FORMAT_VERSION = 1
KINDS = ("pure", "contaminated")

#: column -> (type in the file, unit): one entry a galaxy of an observation
GALAXY_COLUMNS: dict[str, tuple[Any, str]] = {
    "x": (np.float32, "Mpc"),
    "y": (np.float32, "Mpc"),
    "velocity": (np.float32, "km / s"),
    "distance": (np.float32, "Mpc"),
    "is_member": (np.uint8, ""),
    "galaxy": (np.int64, ""),
}
#: column -> (type in the file, unit, values a row): one row an observation
CLUSTER_COLUMNS: dict[str, tuple[Any, str, int]] = {
    "host_id": (np.int64, "", 1),
    "view": (np.int64, "", 1),
    "line_of_sight": (np.float64, "", 3),
    "position": (np.float64, "Mpc", 3),
    "log10_m200c": (np.float64, "dex(solMass)", 1),
    "r200c": (np.float64, "Mpc", 1),
    "sigma_v": (np.float64, "km / s", 1),
    "n_members": (np.int64, "", 1),
    "observer_distance": (np.float64, "Mpc", 1),
    "fold": (np.int64, "", 1),
    "split": (np.int64, "", 1),
    "octant": (np.int64, "", 1),
    "is_test": (np.uint8, "", 1),
    "is_flat": (np.uint8, "", 1),
}


@dataclass(frozen=True)
class ClusterSet:
    """Observations of clusters: one row a view of a cluster, and the galaxies seen in it, row after row.

    The galaxies of row i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of the flat columns.

    Attributes
    ----------
    kind : {"pure", "contaminated"}
        Members only, wherever they are; or everything in the cylinder.
    offsets : (n + 1,) int64
    x, y : (n_galaxies,) float32, comoving Mpc
        Place on the sky relative to the centre, across the line of sight.
    velocity : (n_galaxies,) float32, km/s
        Along the line of sight relative to the cluster, Hubble flow included.
    distance : (n_galaxies,) float32, comoving Mpc
        True distance from the centre in three dimensions.
    is_member : (n_galaxies,) bool
    galaxy : (n_galaxies,) int64
        Row in the galaxies of the universe that the observations were made from.
    host_id : (n,) int64
        Number of the halo; several views share one.
    view : (n,) int64
        0, 1, 2: along x, y, z; above: further directions.
    line_of_sight : (n, 3) float64
        Unit vector from the observer to the cluster.
    position : (n, 3) float64, comoving Mpc
        Centre in the box.
    log10_m200c : (n,) float64
        log10 of M200c in Msun (no h).
    r200c : (n,) float64, comoving Mpc
    sigma_v : (n,) float64, km/s
        Sample standard deviation (ddof 1) of `velocity`, before its rounding to float32; NaN below two galaxies.
    n_members : (n,) int64
        Galaxies of the row that are members.
    observer_distance : (n,) float64, comoving Mpc
        How far away the cluster is put: the same for all, but in a survey.
    fold : (n,) int64
        0 to 9: rank of the host by mass, modulo 10 [1]_. All views of a host, pure and contaminated, share it.
    split : (n,) int64
        0 training, 1 validation, 2 test; by host.
    octant : (n,) int64
        0 to 7: eighth of the box.
    is_test : (n,) bool
        Test selection of [1]_: along an axis, and 13.9 <= log10 M200c [Msun/h] <= 15.1.
    is_flat : (n,) bool
        Training selection of [1]_: part of the flat mass function.
    max_radius, max_velocity : float, comoving Mpc and km/s
        The cylinder of the contaminated observations.
    redshift : float
        Where the clusters are put; of the box in a survey, where each has its `observer_distance`.
    cosmology : Cosmology
    box_size : float, comoving Mpc
    record : dict
        Settings, notes and provenance.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25.
    """

    kind: str
    offsets: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    velocity: NDArray[np.float32]
    distance: NDArray[np.float32]
    is_member: NDArray[np.bool_]
    galaxy: NDArray[np.int64]
    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    line_of_sight: NDArray[np.float64]
    position: NDArray[np.float64]
    log10_m200c: NDArray[np.float64]
    r200c: NDArray[np.float64]
    sigma_v: NDArray[np.float64]
    n_members: NDArray[np.int64]
    observer_distance: NDArray[np.float64]
    fold: NDArray[np.int64]
    split: NDArray[np.int64]
    octant: NDArray[np.int64]
    is_test: NDArray[np.bool_]
    is_flat: NDArray[np.bool_]
    max_radius: float
    max_velocity: float
    redshift: float
    cosmology: Cosmology
    box_size: float
    record: dict[str, Any]

    def __post_init__(self) -> None:
        n, total = self.offsets.size - 1, self.x.size
        check.offsets(self.offsets, total=total)
        for name, (_, _, width) in CLUSTER_COLUMNS.items():
            _check_shape(name, getattr(self, name), (n,) if width == 1 else (n, width))
        for name in GALAXY_COLUMNS:
            _check_shape(name, getattr(self, name), (total,))

    def __len__(self) -> int:
        return self.offsets.size - 1

    @property
    def n_galaxies(self) -> NDArray[np.int64]:
        """Richness: galaxies of each row."""
        return np.diff(self.offsets)

    @property
    def radius(self) -> NDArray[np.float32]:
        """Projected distance from the centre [comoving Mpc]."""
        return np.hypot(self.x, self.y)

    @property
    def log10_m200c_h(self) -> NDArray[np.float64]:
        """log10 of M200c in Msun/h, as published selections count."""
        return np.asarray(self.log10_m200c + np.log10(self.cosmology.h))

    def only(self, rows: Any) -> ClusterSet:
        """Some rows (slice, index array or mask), with their galaxies."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        offsets, where = take_rows(self.offsets, chosen)
        columns = {name: getattr(self, name)[chosen] for name in CLUSTER_COLUMNS}
        return replace(
            self, offsets=offsets, **columns, **{name: getattr(self, name)[where] for name in GALAXY_COLUMNS}
        )

    def rows_of_fold(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows that train and rows that test in one round of the cross-validation of Ho et al. 2019.

        Training rows are those of the flat mass function outside the fold; test rows those of the test selection in
        it. No host is in both.
        """
        fold = check.integer(fold, "fold", low=0, high=int(self.fold.max(initial=0)))
        inside = self.fold == fold
        return np.flatnonzero(~inside & self.is_flat), np.flatnonzero(inside & self.is_test)


def _check_shape(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ArrayError(f"`{name}` must have shape {shape}, got {values.shape}")


def read_clusters(path: str | Path, kind: str = "contaminated", rows: Any = None) -> ClusterSet:
    """Read the observations that `make_cluster_catalogue` or ``clustermass catalog`` made.

    Parameters
    ----------
    path : str or Path
        The HDF5 file.
    kind : {"contaminated", "pure"}
        Which observations.
    rows : slice, index array or mask, optional
        Only these rows; of the galaxies only what lies between the first and the last of them is read.

    Returns
    -------
    ClusterSet
        In memory, about 25 bytes a galaxy.

    Raises
    ------
    FileNotFoundError, DomainError
    FileFormatError
        If the file is something else, damaged or not complete, or views of one host lie in two folds or splits.

    Examples
    --------
    >>> read_clusters("nowhere.hdf5")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.hdf5
    """
    check.choice(kind, "kind", KINDS)
    name = str(path)
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        offsets, columns = _read_rows(file, kind, name)
        for label in ("fold", "split"):
            audit_splits(columns["host_id"], columns[label], label)
        frame = _read_frame(file, name)
        if rows is None:
            return _read_part(file, kind, name, offsets, columns, frame)
        chosen = np.atleast_1d(np.arange(offsets.size - 1)[rows])
        if chosen.size == 0:
            return _read_part(file, kind, name, offsets[:1] * 0, {k: v[:0] for k, v in columns.items()}, frame)
        low, high = int(chosen.min()), int(chosen.max()) + 1
        part = {key: values[low:high] for key, values in columns.items()}
        found = _read_part(file, kind, name, offsets[low : high + 1], part, frame)
    return found if chosen.size == high - low and (np.diff(chosen) == 1).all() else found.only(chosen - low)


def iter_clusters(path: str | Path, kind: str = "contaminated", max_galaxies: int = 2**22) -> Iterator[ClusterSet]:
    """The observations of a file in order, some at a time, for files larger than memory.

    Parameters
    ----------
    path : str or Path
        The HDF5 file.
    kind : {"contaminated", "pure"}
        Which observations.
    max_galaxies : int
        About how many galaxies at a time; a row is never divided.

    Returns
    -------
    iterator of ClusterSet

    Raises
    ------
    FileNotFoundError, FileFormatError, DomainError

    Examples
    --------
    >>> list(iter_clusters("nowhere.hdf5"))
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.hdf5
    """
    check.choice(kind, "kind", KINDS)
    max_galaxies = check.integer(max_galaxies, "max_galaxies", low=1)
    name = str(path)
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        offsets, columns = _read_rows(file, kind, name)
        frame = _read_frame(file, name)
        low = 0
        while low < offsets.size - 1:
            high = int(np.searchsorted(offsets, offsets[low] + max_galaxies, "right")) - 1
            high = min(max(high, low + 1), offsets.size - 1)
            part = {key: values[low:high] for key, values in columns.items()}
            yield _read_part(file, kind, name, offsets[low : high + 1], part, frame)
            low = high


def _read_rows(file: h5py.File, kind: str, path: str) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Offsets and the columns of all rows, checked."""
    offsets = check.offsets(tables.require_column(file, f"{kind}/offsets", path), f"{kind}/offsets")
    columns = {name: tables.require_column(file, f"{kind}/clusters/{name}", path) for name in CLUSTER_COLUMNS}
    for name, values in columns.items():
        if len(values) != offsets.size - 1:
            raise FileFormatError(f"{path}: {kind}/clusters/{name} has {len(values)} rows for {offsets.size - 1}")
        if name not in ("sigma_v", "is_test", "is_flat"):
            check.check_finite(values, f"{kind}/clusters/{name}")
    return offsets, columns


def _read_part(
    file: h5py.File, kind: str, path: str, offsets: NDArray[np.int64], columns: dict[str, NDArray[Any]], frame: Any
) -> ClusterSet:
    """The rows between the first and last of `offsets`, galaxies read from the file."""
    first, last = int(offsets[0]), int(offsets[-1])
    galaxies = {}
    for name in GALAXY_COLUMNS:
        label = f"{kind}/galaxies/{name}"
        data = hdf5.dataset(file, label, path)
        if data is None or data.shape[0] < last:
            raise FileFormatError(
                f"{path}: {label} must have {last} entries, got {0 if data is None else data.shape[0]}"
            )
        with hdf5.translated(path, label):
            values = data[first:last]
        galaxies[name] = values.astype(bool) if values.dtype == np.uint8 else values
        check.check_finite(galaxies[name], label)
    parts: dict[str, Any] = columns | galaxies | frame
    return ClusterSet(kind=kind, offsets=offsets - first, **parts)


def _read_frame(file: h5py.File, path: str) -> dict[str, Any]:
    cosmology, redshift, box_size, _ = tables.read_frame(file, path)
    cylinder = {name: hdf5.number(file, name, path) for name in ("max_radius", "max_velocity")}
    for name, value in cylinder.items():
        if value is None or not value > 0:
            raise FileFormatError(f"{path}: attribute {name} must be above zero, got {value}")
    record = tables.read_record(file, path)
    return dict(cosmology=cosmology, redshift=redshift, box_size=box_size, record=record) | cylinder
