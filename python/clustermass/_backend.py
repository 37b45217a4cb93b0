"""Which implementation of an op runs. The only module that imports the extension modules or the numba twins.

Data decides the device; the `backend` argument of an op decides between implementations on that device. An explicit
choice never falls back to another one.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from types import ModuleType

from .errors import BackendUnavailableError, DomainError, PerformanceWarning

HOST_BACKENDS = ("native", "numba")


@cache
def _import(module: str) -> ModuleType | ImportError:
    """The module, or the reason why it is not there (remembered)."""
    try:
        return importlib.import_module(module, package=__package__)
    except ImportError as exc:
        return exc


def _module_name(backend: str, op: str) -> str:
    return "._core" if backend == "native" else f".ops._numba.{op}"


def load(backend: str, op: str) -> ModuleType:
    """Return the module that holds `<op>_f32`, `<op>_f64` (or `<op>`) for this backend.

    Raises
    ------
    BackendUnavailableError
        With the import error inside.
    """
    if backend not in HOST_BACKENDS:
        raise DomainError(f"`backend` must be one of 'auto', {', '.join(map(repr, HOST_BACKENDS))}, got {backend!r}")
    found = _import(_module_name(backend, op))
    if isinstance(found, ImportError):
        remedy = "build the extension (make build)" if backend == "native" else "pip install 'clustermass[numba]'"
        raise BackendUnavailableError(f"backend {backend!r} is not available: {found}; {remedy}") from found
    return found


def resolve(backend: str, op: str) -> ModuleType:
    """The module that runs `op`: for "auto" native, else numba with one PerformanceWarning."""
    if backend != "auto":
        return load(backend, op)
    try:
        return load("native", op)
    except BackendUnavailableError as exc:
        warnings.warn(f"{exc}; using the slower numba backend", PerformanceWarning, stacklevel=3)
        return load("numba", op)


def name_of(module: ModuleType) -> str:
    """The backend that a module from `resolve` belongs to, for provenance."""
    return "native" if module.__name__.endswith("._core") else "numba"
