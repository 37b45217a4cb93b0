"""The state of a training run in a file: written whole after an epoch, read to go on as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from ..models.arrays_file import read_arrays, write_arrays

FORMAT = "clustermass-checkpoint"


def write_checkpoint(path: Path, arrays: dict[str, NDArray[Any]], progress: dict[str, Any], fingerprint: str) -> None:
    """Replace the checkpoint; `fingerprint` says which run it belongs to."""
    write_arrays(path, arrays, {"format": FORMAT, "fingerprint": fingerprint, "progress": progress})


def read_checkpoint(path: Path, fingerprint: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Arrays and progress of a checkpoint, or None where there is none yet.

    Raises
    ------
    FileFormatError
        If it is damaged, or of another run: another network, other settings, data or version of torch.
    """
    if not path.is_file():
        return None
    about, arrays = read_arrays(path)
    if about.get("format") != FORMAT:
        raise FileFormatError(f"{path}: not a checkpoint")
    if about.get("fingerprint") != fingerprint:
        raise FileFormatError(
            f"{path}: of a run with another network, other settings, clusters or versions; remove it to start anew"
        )
    return arrays, about["progress"]


def fingerprint_of(*parts: Any) -> str:
    """SHA-256 of settings and arrays that make a run what it is."""
    import hashlib

    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.tobytes() if isinstance(part, np.ndarray) else json.dumps(part, sort_keys=True).encode())
        sha.update(b"|")
    return sha.hexdigest()
