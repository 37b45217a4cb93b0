"""Where a result came from: hashes of the inputs, versions, the machine-independent settings."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_BLOCK = 2**20
#: inputs of up to this many bytes together are hashed whole, larger ones by size and both ends of each file
WHOLE_UP_TO = 256 * _BLOCK


def hash_file(path: str | Path, *, whole: bool = True) -> dict[str, Any]:
    """Name, size and SHA-256 of a file, and whether the hash covers all of it.

    Not `whole`: of the size and the first and last MiB, enough to notice another file but not a changed byte in the
    middle. ``hashed`` says which.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> _ = path.write_bytes(b"abc")
    >>> record = hash_file(path)
    >>> record["sha256"][:8], record["bytes"], record["hashed"]
    ('ba7816bf', 3, 'whole file')
    """
    path = Path(path)
    size = path.stat().st_size
    sha = hashlib.sha256()
    with path.open("rb") as file:
        if whole:
            while block := file.read(_BLOCK):
                sha.update(block)
        else:
            sha.update(str(size).encode() + file.read(_BLOCK))
            file.seek(max(0, size - _BLOCK))
            sha.update(file.read(_BLOCK))
    covered = "whole file" if whole else "size, first and last MiB"
    return {"name": path.name, "bytes": size, "sha256": sha.hexdigest(), "hashed": covered}


def hash_files(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """`hash_file` of each path, in the order given; whole when they have at most 256 MiB together."""
    files = [Path(path) for path in paths]
    whole = sum(path.stat().st_size for path in files) <= WHOLE_UP_TO
    return [hash_file(path, whole=whole) for path in files]


def versions() -> dict[str, str]:
    """Versions of clustermass, Python and the packages that results pass through."""
    import h5py
    import numpy as np

    from .. import __version__

    return {
        "clustermass": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
    }
