"""Which format a file has, by its content, and the two functions that open one."""

from __future__ import annotations

import os
from typing import Any

from ...errors import FileFormatError
from ..schema import N_TYPES, GroupCatalogue
from . import hdf5
from .gadget_binary import open_gadget_binary
from .gadget_hdf5 import open_gadget_hdf5
from .groups import open_group_files
from .header import Overrides, warn_assumptions
from .parts import first_file
from .snapshot import Snapshot
from .swift import is_swift, open_swift

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_KNOWN = "Gadget format 1 or 2, or HDF5 with PartType or Group/Subhalo groups"


def detect(path: str | os.PathLike[str]) -> str:
    """Tell the format of a file, or of the set that `path` names, by its content.

    Returns
    -------
    str
        "gadget1", "gadget2", "gadget_hdf5", "swift" or "groups".

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the content is none of these.
    """
    return _detect(first_file(path))


def is_hdf5(path: str) -> bool:
    """Whether a file is HDF5, which allows a foreign header of 512, 1024, 2048... bytes."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while offset + 8 <= size:
            file.seek(offset)
            if file.read(8) == _HDF5_SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False


def _gadget_binary(start: bytes) -> str | None:
    markers = {int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")}
    if 256 in markers:
        return "gadget1"
    return "gadget2" if 8 in markers and start[4:8] == b"HEAD" else None


def is_gadget_binary(path: str) -> bool:
    """Whether a file begins as a Gadget snapshot of format 1 or 2."""
    with open(path, "rb") as file:
        return _gadget_binary(file.read(16)) is not None


def _detect(path: str) -> str:
    if is_hdf5(path):
        return _detect_hdf5(path)
    with open(path, "rb") as file:
        start = file.read(16)
        size = os.fstat(file.fileno()).st_size
    if (kind := _gadget_binary(start)) is not None:
        return kind
    if len(start) < 4:
        raise FileFormatError(f"{path}: has {size} bytes, expected {_KNOWN}")
    raise FileFormatError(f"{path}: begins with {start[:8].hex(' ')}, expected {_KNOWN}")


def _detect_hdf5(path: str) -> str:
    with hdf5.opened(path) as file:
        head = hdf5.member(file, "Header", path)
        particles = any(hdf5.member(file, f"PartType{t}", path) is not None for t in range(N_TYPES + 1))
        if particles or hdf5.attribute(head, "NumPart_ThisFile", path) is not None:
            return "swift" if is_swift(file, path) else "gadget_hdf5"
        if any(hdf5.member(file, name, path) is not None for name in ("Group", "Subhalo")):
            return "groups"
    raise FileFormatError(f"{path}: HDF5 without PartType, Group or Subhalo groups, expected {_KNOWN}")


def open_snapshot(
    path: str | os.PathLike[str],
    *,
    hubble: float | None = None,
    box_size: Any = None,
    redshift: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    length_unit: Any = None,
    mass_unit: Any = None,
    velocity_unit: Any = None,
) -> Snapshot:
    """Open a simulation snapshot of any known format.

    Reads headers only. A snapshot in several files is opened through any of them or through their common name
    (`snap_099` for `snap_099.0.hdf5`, `snap_099.1.hdf5`...).

    Parameters
    ----------
    path : str or path
        Gadget format 1 or 2 (either byte order), HDF5 of Gadget, GIZMO, AREPO, IllustrisTNG, EAGLE, CAMELS, or SWIFT.
    hubble : float, optional
        H0 / (100 km/s/Mpc), instead of the file's.
    box_size : float or Quantity, optional
        Side of the box [comoving Mpc], instead of the file's.
    redshift : float, optional
        Instead of the file's; makes the run a cosmological one.
    omega_m, omega_lambda : float, optional
        Density parameters today, instead of the file's.
    length_unit, mass_unit, velocity_unit : str or astropy Unit, optional
        Units of the file, such as "kpc/h", "1e10 Msun/h", "km/s"; instead of the file's. Left out and not in the file:
        these three, Gadget's defaults.

    Returns
    -------
    Snapshot

    Raises
    ------
    FileNotFoundError
    FileFormatError, TruncatedFileError
        If the file is of no known format, damaged, or declares more than it holds.
    DomainError, UnitError
        If an argument makes no sense.

    Warns
    -----
    DataWarning
        Once, saying everything that was assumed because the file does not say (`Snapshot.assumptions`).

    Notes
    -----
    Stored velocities u of cosmological Gadget runs become peculiar velocities u sqrt(a). A run without expansion has
    no factors of a or h. Cost: the headers of all files.

    Examples
    --------
    >>> import clustermass as cm
    >>> snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    >>> gas = snapshot.read("gas", ["positions", "masses"])
    >>> gas["positions"].shape, gas["masses"].shape
    ((16884, 3), (16884,))
    """
    over = Overrides(hubble, box_size, redshift, omega_m, omega_lambda, length_unit, mass_unit, velocity_unit)
    name = first_file(path)
    kind = _detect(name)
    if kind == "groups":
        raise FileFormatError(f"{name}: is a group catalogue, expected a snapshot (open it with open_groups)")
    snapshot = _OPENERS[kind](name, over)
    warn_assumptions(name, snapshot.assumptions)
    return snapshot


_OPENERS = {
    "gadget1": open_gadget_binary,
    "gadget2": open_gadget_binary,
    "gadget_hdf5": open_gadget_hdf5,
    "swift": open_swift,
}


def open_groups(
    path: str | os.PathLike[str],
    *,
    snapshot: Snapshot | None = None,
    hubble: float | None = None,
    box_size: Any = None,
    redshift: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    length_unit: Any = None,
    mass_unit: Any = None,
    velocity_unit: Any = None,
) -> GroupCatalogue:
    """Read a group catalogue: FoF groups and SUBFIND subhaloes in the HDF5 layout of Gadget-4, AREPO and TNG.

    Parameters
    ----------
    path : str or path
        One file of the catalogue, or the common name of its files.
    snapshot : Snapshot, optional
        Supplies the cosmology and the units that the catalogue does not state (TNG catalogues state no units, CAMELS
        cut-outs nothing at all).
    hubble, box_size, redshift, omega_m, omega_lambda, length_unit, mass_unit, velocity_unit
        As for `open_snapshot`.

    Returns
    -------
    GroupCatalogue
        In the units of the package; arrays are None where the file lacks them.

    Raises
    ------
    FileNotFoundError, FileFormatError, TruncatedFileError, DomainError, UnitError

    Warns
    -----
    DataWarning
        Once, saying everything that was assumed because the file does not say.

    Examples
    --------
    >>> import clustermass as cm
    >>> groups = cm.open_groups(cm.datasets.sample_groups())
    >>> groups.positions[groups.m200c > 1e14].shape
    (3, 3)
    """
    over = Overrides(hubble, box_size, redshift, omega_m, omega_lambda, length_unit, mass_unit, velocity_unit)
    name = first_file(path)
    if (kind := _detect(name)) != "groups":
        raise FileFormatError(f"{name}: is a {kind} snapshot, expected a group catalogue (open it with open_snapshot)")
    groups = open_group_files(name, over, snapshot)
    warn_assumptions(name, groups.assumptions)
    return groups
