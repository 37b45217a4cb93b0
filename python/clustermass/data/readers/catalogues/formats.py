"""Which format a catalogue has, by its content, and the function that opens one."""

from __future__ import annotations

import os
from typing import Any

from ....errors import DomainError, FileFormatError
from .. import formats as snapshots
from ..header import Overrides, warn_assumptions
from ..parts import first_file
from ..snapshot import Snapshot
from . import csv_halos, halo_binary, halo_text, observed
from .catalogue import Catalogue
from .columns import column_map
from .galacticus import is_galacticus, open_galacticus
from .records import files_of_set, first_of_set
from .store import Store
from .subfind import open_subfind
from .table import Source
from .text import Parse, parse_table, read_head

#: Format -> what it is, for people.
FORMATS = {
    "rockstar_list": "Rockstar halo list, text (out_*.list)",
    "rockstar_ascii": "Rockstar haloes, text (halos_*.ascii)",
    "hlist": "consistent-trees halo list, text (hlist_*.list)",
    "ahf": "AHF haloes, text (*.AHF_halos)",
    "universemachine": "UniverseMachine galaxies, text",
    "cosmosim_csv": "CosmoSim haloes, CSV",
    "millennium_csv": "Millennium data base, CSV",
    "galacticus_hdf5": "merger trees, HDF5 of Galacticus (milli-Millennium)",
    "text_table": "table, text",
    "ecsv_table": "table, ECSV",
    "fits_table": "table, FITS",
    "npy_columns": "columns in a folder of .npy files",
    "rockstar_binary": "Rockstar haloes, binary (halos_*.bin)",
    "bgc2": "Rockstar haloes, BGC2 (halos_*.bgc2)",
    "universemachine_binary": "UniverseMachine galaxies, binary (sfr_catalog_*.bin)",
    "subfind": "group catalogue, HDF5 (Group/Subhalo)",
}


def identify(path: str | os.PathLike[str]) -> str:
    """The format of a catalogue, by its content: a key of `FORMATS`.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the content is none of them.
    """
    return _identify(_first(path))


def is_catalogue(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a catalogue other than groups in HDF5, and no snapshot or unknown file.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the content is of no format that the package knows.
    """
    name = _first(path)
    if os.path.isdir(name) or not (snapshots.is_gadget_binary(name) or snapshots.is_hdf5(name)):
        return bool(_identify(name))
    return snapshots.is_hdf5(name) and is_galacticus(name)


def _first(path: str | os.PathLike[str]) -> str:
    return os.fspath(path) if os.path.isdir(path) else first_of_set(path) or first_file(path)


def _identify(name: str) -> str:
    found = _identify_any(name)
    if found is None:
        raise FileFormatError(
            f"{name}: is no catalogue of a known format, and no snapshot; known: {', '.join(FORMATS)}"
        )
    return found


def _identify_any(name: str) -> str | None:
    if os.path.isdir(name):
        return observed.identify(name)
    if snapshots.is_hdf5(name):
        if is_galacticus(name):
            return "galacticus_hdf5"
        if snapshots.detect(name) == "groups":
            return "subfind"
        raise FileFormatError(f"{name}: is a snapshot, expected a catalogue (open it with open_snapshot)")
    if (found := halo_binary.identify(name)) is not None:
        return found
    if snapshots.is_gadget_binary(name):
        raise FileFormatError(f"{name}: is a snapshot, expected a catalogue (open it with open_snapshot)")
    with open(name, "rb") as file:
        start = file.read(9)
    if start == b"SIMPLE  =":  # its padding may hold bytes that no text has
        return observed.identify(name)
    if start[:2] == b"\x1f\x8b":
        raise FileFormatError(f"{name}: is compressed with gzip, unpack it first")
    head = read_head(name)
    return halo_text.identify(head) or csv_halos.identify(head) or observed.identify(name)


def open_catalogue(
    path: str | os.PathLike[str],
    *,
    columns: Any = None,
    store: str | os.PathLike[str] | None = None,
    table: str | None = None,
    snapshot: Snapshot | None = None,
    hubble: float | None = None,
    box_size: Any = None,
    redshift: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    length_unit: Any = None,
    mass_unit: Any = None,
    velocity_unit: Any = None,
) -> Catalogue:
    """Open a halo, galaxy or cluster catalogue.

    Parameters
    ----------
    path : str or path
        A file of any of the formats in docs/catalogues.md, told by its content.
    columns : dict, optional
        Column map: quantity -> `CatalogueColumn` or a short form of it: "MSZ", 5 (from 1), ("MSZ", "1e14 Msun"),
        ("MSZ", "1e14 Msun", [0.0]). Comes over what the format says.
    store : str or path, optional
        A file to parse text into (HDF5, written whole or not at all), instead of into memory. The next call with it
        reads columns from there, unless the text has changed since (size, time, first and last 64 kB): then it is
        made again. Formats that are no text have no use for it.
    table : str, optional
        Of a group catalogue in HDF5: "groups" or "subhaloes". Default: groups, where the file has any.
    snapshot : Snapshot, optional
        Of a group catalogue in HDF5: supplies cosmology and units that the catalogue does not state.
    hubble, box_size, redshift, omega_m, omega_lambda : optional
        As for `open_snapshot`: instead of the file's.
    length_unit, mass_unit, velocity_unit : optional
        As for `open_groups`; other formats have units column by column, which `columns` changes.

    Returns
    -------
    Catalogue
        Columns in the units of the package, read when asked for.

    Raises
    ------
    FileNotFoundError
    FileFormatError, TruncatedFileError
        If the file is of no known format or damaged; names file, line and column.
    DomainError, MissingFieldError
        If an argument makes no sense or names a column that is not there.

    Warns
    -----
    DataWarning
        Once, saying everything that was assumed because the file does not say (`Catalogue.assumptions`).

    Notes
    -----
    Text is parsed once: into memory, 8 bytes an entry, or block by block into `store`. Of binary formats headers are
    read, and columns when asked for.

    Examples
    --------
    >>> import clustermass as cm
    >>> groups = cm.open_catalogue(cm.datasets.sample_groups())
    >>> groups["positions"][groups["m200c"] > 1e14].shape
    (3, 3)
    """
    over = Overrides(hubble, box_size, redshift, omega_m, omega_lambda, length_unit, mass_unit, velocity_unit)
    maps = column_map(columns)
    parse = parse_table if store is None else Store(store).parse
    name = _first(path)
    kind = _identify(name)
    _check_arguments(kind, over, table, snapshot)
    catalogue = Catalogue(_open(name, kind, over, table, snapshot, parse), over, maps)
    warn_assumptions(catalogue.path, catalogue.assumptions)
    return catalogue


def _check_arguments(kind: str, over: Overrides, table: str | None, snapshot: Snapshot | None) -> None:
    if kind == "subfind":
        return
    given = {"table": table, "snapshot": snapshot, "length_unit": over.length_unit, "mass_unit": over.mass_unit,
             "velocity_unit": over.velocity_unit}  # fmt: skip
    for name, value in given.items():
        if value is not None:
            raise DomainError(f"`{name}` is for group catalogues in HDF5, not for {kind} (units: argument columns)")


def _open(name: str, kind: str, over: Overrides, table: str | None, snapshot: Snapshot | None, parse: Parse) -> Source:
    if kind == "subfind":
        return open_subfind(name, over, table, snapshot)
    if kind in _OPENERS:
        return _OPENERS[kind](name)
    if kind in ("cosmosim_csv", "millennium_csv"):
        return csv_halos.open_halo_csv(name, parse)
    if kind == "text_table":
        return observed.open_text(name, parse)
    paths = files_of_set(name)
    return halo_text.open_halo_text(paths[0], paths, parse)


_OPENERS = {
    "galacticus_hdf5": open_galacticus,
    "ecsv_table": observed.open_ecsv,
    "fits_table": observed.open_fits,
    "npy_columns": observed.open_npy_columns,
    "rockstar_binary": halo_binary.open_rockstar_binary,
    "bgc2": halo_binary.open_bgc2,
    "universemachine_binary": halo_binary.open_universemachine_binary,
}
