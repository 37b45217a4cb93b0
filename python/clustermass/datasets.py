"""Data that come with the package."""

from __future__ import annotations

from pathlib import Path

_SAMPLE = Path(__file__).parent / "data" / "sample"


def _packaged(name: str) -> Path:
    path = _SAMPLE / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: this installation of clustermass is incomplete; install it again")
    return path


def sample_snapshot() -> Path:
    """Return the path of a real simulated snapshot: the surroundings of three clusters at z = 0.0975.

    A cut-out of a Gadget-4 run with gas, dark matter and stars (16,884 + 17,072 + 98 particles, 80 Mpc/h box, modest
    resolution, no AGN). ``README.md`` beside the file tells how it was made, its units and its traps.

    Returns
    -------
    Path
        An HDF5 file in the Gadget layout; read only.

    Raises
    ------
    FileNotFoundError
        If the installation has lost it.

    Examples
    --------
    >>> sample_snapshot().name
    'sample_snapshot.hdf5'
    """
    return _packaged("sample_snapshot.hdf5")


def sample_groups() -> Path:
    """Return the path of the group catalogue of `sample_snapshot`: 5 groups, three of them clusters.

    Returns
    -------
    Path
        An HDF5 file in the layout of Gadget-4 and SUBFIND; read only.

    Raises
    ------
    FileNotFoundError
        If the installation has lost it.

    Examples
    --------
    >>> sample_groups().name
    'sample_groups.hdf5'
    """
    return _packaged("sample_groups.hdf5")
