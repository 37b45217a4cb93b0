"""Arrays on a device for tests: torch on a real one, or host memory that the emulated CUDA extension works on.

`clustermass.ops` are called by the tests with NumPy arrays. For the backends "cuda" and "emulated" of conftest.py each
call is wrapped: arrays go to the device, the call runs there, results come back.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import inspect
import os
import sys
from pathlib import Path

import numpy as np

import clustermass as cm
from clustermass.ops import beam

REPOSITORY = Path(__file__).parents[1]

# public op -> the arguments that are data. What is not named here is a parameter and stays on the host.
DATA = {
    "project_particles": ("positions", "weights", "smoothing_length"),
    "differentiate_projection": ("gradient", "positions", "weights", "smoothing_length"),
    "draw_subsamples": ("offsets", "items"),
    "add_noise": ("images", "items"),
    "convolve_beam": ("images",),
    "beam_adjoint": ("images",),
    "build_particle_index": ("positions", "weights", "smoothing_length"),
    "project_views": ("index",),
    "build_galaxy_index": ("positions", "velocities", "hosts"),
    "select_lightcone": ("index", "centres", "targets"),
    "estimate_density": ("points", "weights", "offsets"),
    "differentiate_density": ("gradient", "points", "weights", "offsets"),
}

# files of tests that also run on a device
OPS = ("beam", "kde", "kde_gradient", "lightcone", "noise", "project", "project_gradient", "subsample", "views")
MODULES = {f"test_{op}" for op in OPS} | {"test_lightcone_arguments"}


def home_of(name):
    """The module through which the tests call an op."""
    return beam if name == "beam_adjoint" else cm


class EmulatedArray:
    """Host memory that says it is on CUDA device 0, as cupy does; its library is this class itself."""

    def __init__(self, values, stream=None):
        self.values, self.stream = values, stream

    @property
    def __cuda_array_interface__(self):
        strides = None if self.values.flags.c_contiguous else self.values.strides
        return {
            "shape": self.values.shape, "typestr": self.values.dtype.str, "strides": strides, "version": 3,
            "data": (self.values.ctypes.data if self.values.size else 0, not self.values.flags.writeable),
            "stream": self.stream,
        }  # fmt: skip

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    dtype = property(lambda self: self.values.dtype)

    def reshape(self, shape):
        return EmulatedArray(self.values.reshape(shape), self.stream)

    def astype(self, dtype):
        return EmulatedArray(self.values.astype(dtype), self.stream)

    def __len__(self):
        return len(self.values)

    def __array_namespace__(self):
        return EmulatedArray

    @staticmethod
    def empty(shape, dtype):
        values = np.empty(shape, dtype)
        values.view(np.uint8).fill(0xA5)  # nothing may rely on memory being clear
        return EmulatedArray(values)


@functools.cache
def emulated_extension():
    """The CUDA extension over host memory (tests/cpp/CMakeLists.txt), or the reason why it is not there."""
    told = os.environ.get("CLUSTERMASS_EMULATED")
    found = [Path(told)] if told else sorted(REPOSITORY.glob("build/*/tests/cpp/_cuda_emulated*.so"))
    if not found:
        return ImportError("the emulated CUDA extension is not built (make build; or CLUSTERMASS_EMULATED=<its file>)")
    newest = max(found, key=lambda path: path.stat().st_mtime)
    spec = importlib.util.spec_from_file_location("_cuda_emulated", newest)
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as exc:
        return exc
    return module


def to_emulated(value):
    return EmulatedArray(np.array(value, order="C"))


def to_cuda(value):
    torch = sys.modules["torch"]
    return torch.from_numpy(np.array(value, order="C")).to("cuda")


def to_host(value):
    """What an op returned, with NumPy arrays in the place of device arrays."""
    if isinstance(value, EmulatedArray):
        return value.values
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        return value.cpu().numpy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(to_host, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_host(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return type(value)(**fields)
    return value


def _can_move(value):
    if isinstance(value, str) or value is None:
        return False
    array = np.asarray(getattr(value, "value", value))
    return array.dtype.kind in "iuf" and array.dtype.itemsize in (1, 2, 4, 8) and array.dtype != np.float16


def _moved(value, to_device):
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return type(value)(**{k: to_device(v) if isinstance(v, np.ndarray) else v for k, v in fields.items()})
    if hasattr(value, "unit") or not _can_move(value):
        return value  # a Quantity is refused or converted on the host
    array = np.asarray(value)
    return to_device(array.astype(array.dtype.newbyteorder("=")))


def on_device(name, to_device):
    """The public op `name`, whose calls with backend="cuda" move NumPy arrays to the device and results back."""
    run = getattr(home_of(name), name)

    @functools.wraps(run)
    def call(*args, **kwargs):
        if kwargs.get("backend") != "cuda":
            return run(*args, **kwargs)
        named = dict(inspect.signature(run).bind_partial(*args, **kwargs).arguments)
        out = named.get("out")
        for key in (*DATA[name], "out"):
            if key in named and named[key] is not None:
                named[key] = _moved(named[key], to_device)
        found = to_host(run(**named))
        if isinstance(out, np.ndarray):  # results are also where the caller asked for them
            out[...] = to_host(named["out"])
            return out
        return found

    return call
