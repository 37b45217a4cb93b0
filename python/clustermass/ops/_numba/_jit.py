"""Compiler decorator of the twins: `numba.njit` whose cache is safe to share and may be missing.

numba takes cached code to be current as long as the file of the function has not changed, whatever happened to the
functions of other files that were compiled into it. Here the cache is a folder named after the sources of all twins
together. Where no folder can be written (a read-only installation and home) the twins are compiled in every process,
where numba would refuse to import.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba

_HERE = Path(__file__).parent
_config: Any = numba.config  # numba makes its settings at run time, so that type checkers know of none


def sources_key(folder: Path) -> str:
    """Hash of the sources in `folder`."""
    sha = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        sha.update(path.name.encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()[:16]


def candidates() -> list[Path]:
    """Where compiled code may go, best first: what NUMBA_CACHE_DIR says, else beside the sources, else the user's."""
    if _config.CACHE_DIR:
        return [Path(_config.CACHE_DIR)]
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return [_HERE / "__pycache__", home / "clustermass"]


def first_writable(folders: Iterable[Path]) -> Path | None:
    """The first folder that exists, or can be made, and takes a file."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    return None


_CACHE = first_writable(folder / f"numba-{sources_key(_HERE)}" for folder in candidates())


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options and, where that is possible, the cache."""

    def compiled(function: Callable[..., Any]) -> Any:
        if _CACHE is None:
            return numba.njit(**options)(function)
        before = _config.CACHE_DIR
        _config.CACHE_DIR = str(_CACHE)  # read when the function is decorated, not later
        try:
            return numba.njit(cache=True, **options)(function)
        finally:
            _config.CACHE_DIR = before

    return compiled
