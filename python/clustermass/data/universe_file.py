"""The file of a universe: a box of haloes and galaxies, written whole and read whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from .. import _validate as check
from ..errors import BadInputError, FileFormatError
from . import hdf5_tables as tables
from .universe import Galaxies, Haloes, Universe

FORMAT = "clustermass-universe"
FORMAT_VERSION = 1

UNITS = {
    "positions": "Mpc",
    "velocities": "km / s",
    "m200c": "solMass",
    "r200c": "Mpc",
    "stellar_mass": "solMass",
    "magnitude_r": "mag",
}
Table = TypeVar("Table", Haloes, Galaxies)


def write_universe(path: str | Path, universe: Universe, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a universe to an HDF5 file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to make or replace.
    universe : Universe
        What to write.
    provenance : dict, optional
        What JSON can hold: versions, settings, seed, inputs, and the command that makes the file again.

    Raises
    ------
    BadInputError
        If a position, velocity, mass or radius is not finite, or a mass is not above zero.
    OSError
        If the file cannot be written; an older one is then what it was.

    Notes
    -----
    Layout: groups ``haloes`` and ``galaxies`` with one dataset a field, in comoving Mpc, km/s and Msun without h (each
    says its unit); box, redshift and cosmology are attributes; ``record`` is text: source, notes and provenance as
    JSON. About 90 bytes a galaxy.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from clustermass.cosmology import PLANCK_2018
    >>> one = np.full((1, 3), 5.0)
    >>> haloes = Haloes(np.array([7]), one, 0 * one, m200c=np.array([1e14]), r200c=np.array([1.0]))
    >>> galaxies = Galaxies(one, 0 * one, host=np.array([0]), is_central=np.array([True]))
    >>> box = Universe(haloes, galaxies, box_size=10.0, redshift=0.117, cosmology=PLANCK_2018)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_universe(f"{folder}/box.hdf5", box)
    ...     read_universe(f"{folder}/box.hdf5").haloes.ids.tolist()
    [7]
    """
    _check(universe)
    with tables.create_tables(path, FORMAT, FORMAT_VERSION) as file:
        periodic = universe.is_periodic
        tables.write_frame(file, universe.cosmology, universe.redshift, universe.box_size, is_periodic=periodic)
        for group in ("haloes", "galaxies"):
            table = getattr(universe, group)
            for field in fields(table):
                values = getattr(table, field.name)
                if values is not None:
                    tables.write_column(file, f"{group}/{field.name}", values, UNITS.get(field.name, ""))
        record = {"source": universe.source, "notes": universe.notes, "provenance": dict(provenance or {})}
        tables.write_record(file, record)


def read_universe(path: str | Path) -> Universe:
    """Read a universe that `write_universe` wrote.

    Parameters
    ----------
    path : str or Path
        The HDF5 file.

    Returns
    -------
    Universe
        All in memory.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, damaged or not complete; checksums are verified.

    Examples
    --------
    >>> read_universe("nowhere.hdf5")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.hdf5
    """
    name = str(path)
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        cosmology, redshift, box_size, periodic = tables.read_frame(file, name)
        haloes, galaxies = _read(file, "haloes", Haloes, name), _read(file, "galaxies", Galaxies, name)
        record = tables.read_record(file, name)
        universe = Universe(
            haloes=haloes,
            galaxies=galaxies,
            box_size=box_size,
            redshift=redshift,
            cosmology=cosmology,
            is_periodic=periodic,
            source=str(record.get("source", "")),
            notes=tuple(str(note) for note in record.get("notes", ())),
        )
        _check(universe)
    return universe


def _read(file: h5py.File, group: str, kind: type[Table], path: str) -> Table:
    columns = {}
    for field in fields(kind):
        values = tables.read_column(file, f"{group}/{field.name}", path)
        if values is None:
            if field.default is MISSING:
                raise FileFormatError(f"{path} lacks {group}/{field.name}")
            continue
        columns[field.name] = values.astype(np.int64 if values.dtype.kind in "iu" else values.dtype)
    return kind(**columns)


def _check(universe: Universe) -> None:
    check.number(universe.box_size, "box_size", above=0)
    check.number(universe.redshift, "redshift", low=0)
    for group, names in (
        ("haloes", ("positions", "velocities", "m200c", "r200c")),
        ("galaxies", ("positions", "velocities")),
    ):
        for name in names:
            check.check_finite(getattr(getattr(universe, group), name), f"{group}.{name}")
    for name in ("m200c", "r200c"):
        values = getattr(universe.haloes, name)
        if not (values > 0).all():
            first = int(np.argmin(values > 0))
            raise BadInputError(f"`haloes.{name}` must be above zero, got {values[first]:g} at index {first}")
    if np.unique(universe.haloes.ids).size != universe.haloes.n:
        raise BadInputError("`haloes.ids` must all be different")
