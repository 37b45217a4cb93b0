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
BACKENDS = (*HOST_BACKENDS, "cuda")


@cache
def _import(module: str) -> ModuleType | ImportError:
    """The module, or the reason why it is not there (remembered)."""
    try:
        return importlib.import_module(module, package=__package__)
    except ImportError as exc:
        return exc


def cuda() -> ModuleType:
    """The CUDA extension.

    Raises
    ------
    BackendUnavailableError
        With the import error inside.
    """
    found = _import("._cuda")
    if isinstance(found, ImportError):
        raise BackendUnavailableError(
            f"backend 'cuda' is not available: the CUDA extension is not built ({found}); build on a machine with nvcc "
            "12 or newer"
        ) from found
    return found


def load(backend: str, op: str) -> ModuleType:
    """Return the module that holds `<op>_f32`, `<op>_f64` (or `<op>`) for this backend.

    Raises
    ------
    BackendUnavailableError
        With the import error inside.
    """
    if backend not in BACKENDS:
        raise DomainError(f"`backend` must be one of 'auto', {', '.join(map(repr, BACKENDS))}, got {backend!r}")
    if backend == "cuda":
        cuda()
    found = _import("._core" if backend == "native" else f".ops._{backend}.{op}")
    if isinstance(found, ImportError):
        remedy = {"native": "build the extension (make build)", "numba": "pip install 'clustermass[numba]'"}
        raise BackendUnavailableError(
            f"backend {backend!r} is not available: {found}; {remedy.get(backend, 'it has no form of this op')}"
        ) from found
    return found


def resolve(backend: str, op: str, on_device: bool = False) -> ModuleType:
    """The module that runs `op`. For "auto" the place of the data decides: CUDA where they lie on a device, else
    native, else numba with one PerformanceWarning. An explicit backend must suit the place of the data.
    """
    if on_device:
        if backend in HOST_BACKENDS:
            raise DomainError(f"`backend` must be 'auto' or 'cuda' for arrays on a CUDA device, got {backend!r}")
        return load("cuda" if backend == "auto" else backend, op)
    if backend == "cuda":
        raise DomainError("`backend` 'cuda' works on arrays of a CUDA device (torch, cupy), got arrays on the host")
    if backend != "auto":
        return load(backend, op)
    try:
        return load("native", op)
    except BackendUnavailableError as exc:
        warnings.warn(f"{exc}; using the slower numba backend", PerformanceWarning, stacklevel=3)
        return load("numba", op)


def name_of(module: ModuleType) -> str:
    """The backend that a module from `resolve` belongs to, for provenance."""
    parts = module.__name__.split(".")
    return "numba" if "_numba" in parts else "cuda" if "_cuda" in parts else "native"


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
