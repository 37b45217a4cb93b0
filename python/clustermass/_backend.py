"""Which implementation of an op runs. The only module that imports the extension modules or the numba twins.

Data decides the device; the `backend` argument of an op decides between implementations on that device. An explicit
choice never falls back to another one.
"""

from __future__ import annotations

import importlib
import os
import warnings
from dataclasses import dataclass
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


@dataclass(frozen=True)
class CudaDevice:
    """One device as CUDA counts them. `reason` says why it cannot be used and is empty if it can."""

    reason: str
    name: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    memory_total: int  # bytes
    memory_free: int  # bytes


@dataclass(frozen=True)
class CudaStatus:
    """What CUDA offers here. `reason` says why nothing runs on it and is empty if something can."""

    reason: str
    built_with: str | None = None  # CUDA version of the extension, e.g. "13.0"; None: not built
    driver_supports: str | None = None  # newest CUDA version that the driver knows; None: no driver
    devices: tuple[CudaDevice, ...] = ()

    @property
    def available(self) -> bool:
        return not self.reason


def _version(number: int) -> str | None:
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def cuda_status() -> CudaStatus:
    """Ask the CUDA extension what is there. Never raises; opens a context on every device, so call it when asked to."""
    module = _import("._cuda")
    if isinstance(module, ImportError):
        return CudaStatus(f"the CUDA extension is not built ({module}); build on a machine with nvcc 12 or newer")
    found = module.query_devices()
    devices = tuple(CudaDevice(**device) for device in found["devices"])
    reason = found["reason"]
    if devices and all(device.reason for device in devices):
        reason = "; ".join(f"device {i} ({device.name}): {device.reason}" for i, device in enumerate(devices))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if reason and visible is not None:
        reason += f"; CUDA_VISIBLE_DEVICES is {visible!r}"
    return CudaStatus(reason, _version(found["runtime_version"]), _version(found["driver_version"]), devices)
