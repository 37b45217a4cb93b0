"""Arrays that live on a CUDA device: what they are, where they lie, and how more of their kind are made.

Torch tensors, arrays with ``__cuda_array_interface__`` (cupy, numba) and CUDA arrays that offer DLPack are recognised
without importing a library: whoever has such an array has loaded it. Nothing is moved between devices and nothing waits
for the device, except where a function says so. Results are made by the library of the first array of a call, on its
device, and the work is queued on its current stream.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from . import _backend
from .errors import ArrayError, BadInputError, DeviceError, DTypeError

_HOST_TYPES = (np.ndarray, np.generic, list, tuple, int, float, str, type(None))
_DLPACK_CPU, _DLPACK_CUDA = 1, (2, 13)  # kDLCPU, kDLCUDA, kDLCUDAManaged


@dataclass(frozen=True, eq=False)
class DeviceArray:
    """Memory of a CUDA device in C order, seen through the array that owns it."""

    owner: Any  #: the caller's array, or one of its library: keeps the memory alive
    address: int  #: 0 where there are no elements
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    device: int  #: CUDA ordinal
    stream: int  #: cudaStream_t on which the values are ready and work is queued; 0: the default stream

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def reshape(self, *shape: int) -> DeviceArray:
        """The same memory in another shape."""
        return _wrap_known(self.owner.reshape(shape), self)

    def astype(self, dtype: Any, copy: bool = True) -> DeviceArray:
        """The values as another type: the same array where it has that type already, whatever `copy` says."""
        dtype = np.dtype(dtype)
        if self.dtype == dtype:
            return self
        owner = self.owner
        if not _is_tensor(owner) and not hasattr(owner, "astype"):
            raise DTypeError(f"a {_kind(owner)} of dtype {self.dtype} must have dtype {dtype}: convert it first")
        with _room(self.device, self.shape, dtype):
            if _is_tensor(owner):
                return _wrap_known(owner.to(getattr(sys.modules["torch"], dtype.name)), self)
            return _wrap_known(owner.astype(dtype), self)


class Together(NamedTuple):
    """The arrays of one call. `beside` is the first that lies on a device, None where all are on the host."""

    beside: DeviceArray | None
    values: list[Any]


def together(**arrays: Any) -> Together:
    """The arrays of a call, those on a device as DeviceArray; what is None or on the host comes back as it is.

    Raises
    ------
    ArrayError
        If some lie on a device and others on the host or on another device; names the argument.
    """
    values = [wrap(value, name) for name, value in arrays.items()]
    found = [(name, v) for name, v in zip(arrays, values, strict=True) if isinstance(v, DeviceArray)]
    if not found:
        return Together(None, values)
    first, beside = found[0]
    for name, value in zip(arrays, values, strict=True):
        if value is None:
            continue
        if not isinstance(value, DeviceArray):
            where = f"the host ({type(value).__name__})"
        elif value.device != beside.device:
            where = f"CUDA device {value.device}"
        else:
            if value.stream != beside.stream:
                _backend.cuda().wait(beside.stream, value.stream, beside.device)
            continue
        raise ArrayError(f"`{name}` must be on CUDA device {beside.device} like `{first}`, got it on {where}")
    return Together(beside, values)


def wrap(value: Any, name: str) -> Any:
    """A DeviceArray (copied where it was not in C order) for an array on a CUDA device; else the value itself."""
    if isinstance(value, (*_HOST_TYPES, DeviceArray)):
        return value
    if _is_tensor(value):
        return value if value.device.type == "cpu" else _of_tensor(value, name)
    if hasattr(value, "__cuda_array_interface__"):
        return _of_interface(value, name)
    if hasattr(value, "__dlpack_device__") and not hasattr(value, "__array__"):
        return _of_dlpack(value, name)
    return value


def beside(array: Any) -> DeviceArray | None:
    """What new memory has to lie beside: the array itself if it lies on a device."""
    return array if isinstance(array, DeviceArray) else None


def is_on_device(value: Any) -> bool:
    """Whether a value is an array on a device, of this package or of another library."""
    if isinstance(value, _HOST_TYPES):
        return False
    if isinstance(value, DeviceArray):
        return True
    if _is_tensor(value):
        return bool(value.device.type != "cpu")
    return hasattr(value, "__cuda_array_interface__")


def output(value: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], beside: DeviceArray) -> DeviceArray:
    """The caller's own result array, which must fit as it is: nothing is converted or copied."""
    array = wrap(value, name)
    if not isinstance(array, DeviceArray):
        raise ArrayError(f"`{name}` must be on CUDA device {beside.device} like the input, got {type(value).__name__}")
    if array.dtype != dtype:
        raise DTypeError(f"`{name}` must have dtype {dtype}, got {array.dtype}")
    if array.shape != shape or array.device != beside.device:
        raise ArrayError(
            f"`{name}` must have shape {shape} on CUDA device {beside.device}, got {array.shape} on {array.device}"
        )
    read_only = not _is_tensor(value) and value.__cuda_array_interface__["data"][1]
    if array.owner is not value or read_only:
        raise ArrayError(f"`{name}` must be writable memory in C order")
    return array


def empty(shape: tuple[int, ...], dtype: Any, beside: DeviceArray | None) -> Any:
    """New memory: an ndarray, or a DeviceArray of the library, device and stream of `beside`.

    Raises
    ------
    DeviceError
        If the device has no room.
    """
    dtype = np.dtype(dtype)
    if beside is None:
        return np.empty(shape, dtype)
    with _room(beside.device, shape, dtype):
        return _wrap_known(_new(shape, dtype, beside), beside)


def scratch(n: int, each: int, dtype: Any, beside: DeviceArray) -> DeviceArray:
    """Memory for as many of n pieces of work as there is room for, `each` numbers a piece; kernels take them in turn.

    At most half of what the driver calls free is asked for. Where even that is refused (memory in pieces, another
    process that takes it), half as much is tried, down to one piece.

    Raises
    ------
    DeviceError
        If there is no room for one piece.
    """
    dtype = np.dtype(dtype)
    at_once = int(_backend.cuda().items_at_once(n, each * dtype.itemsize, beside.device))
    while True:
        try:
            found: DeviceArray = empty((at_once * each,), dtype, beside)
            return found
        except DeviceError:
            if at_once <= 1:
                raise
        at_once //= 2


@contextmanager
def _room(device: int, shape: tuple[int, ...], dtype: Any) -> Iterator[None]:
    """Turn what an allocator says where memory is used up, each library in its words, into a DeviceError."""
    try:
        yield
    except Exception as exc:
        said = f"{type(exc).__name__} {exc}".lower()
        if not any(words in said for words in ("outofmemory", "out_of_memory", "out of memory")):
            raise
        raise DeviceError(
            f"CUDA device {device} has no room for {prod(shape) * np.dtype(dtype).itemsize / 2**30:.3g} GiB "
            f"(shape {shape}, {np.dtype(dtype)}): {exc}"
        ) from exc


def _new(shape: tuple[int, ...], dtype: np.dtype[Any], beside: DeviceArray) -> Any:
    """An array of the library of `beside`."""
    owner = beside.owner
    if _is_tensor(owner):
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=getattr(torch, dtype.name), device=owner.device)
    library = type(owner).__module__.split(".")[0]
    if library == "cupy":
        cupy = sys.modules["cupy"]
        with cupy.cuda.Device(beside.device):
            return cupy.empty(shape, dtype)
    if library == "numba":
        return sys.modules["numba"].cuda.device_array(shape, dtype)
    if hasattr(owner, "__array_namespace__"):
        return owner.__array_namespace__().empty(shape, dtype=dtype)
    raise ArrayError(
        f"a {_kind(owner)} does not say how to make another one: give a torch tensor or a cupy array of the same "
        "memory (torch.as_tensor, cupy.asarray), which copies nothing"
    )


def overlap(a: DeviceArray, b: DeviceArray) -> bool:
    """Whether two arrays share memory."""
    return bool(a.size and b.size) and a.address < b.address + b.nbytes and b.address < a.address + a.nbytes


def result(array: Any) -> Any:
    """What the caller gets: an ndarray as it is, for a DeviceArray the array of the caller's library."""
    return array.owner if isinstance(array, DeviceArray) else array


def upload(values: Any, beside: DeviceArray | None) -> Any:
    """A copy on the device of `beside`. Small arrays travel as arguments of a kernel and wait for nothing; others may
    wait for the stream.
    """
    if beside is None or isinstance(values, DeviceArray):
        return values
    values = np.ascontiguousarray(values)
    array = empty(values.shape, values.dtype, beside)
    if values.size:
        _backend.cuda().upload(array.address, values, array.device, array.stream)
    return array


def download(array: Any) -> NDArray[Any]:
    """The values on the host. Waits for the stream."""
    if not isinstance(array, DeviceArray):
        return cast("NDArray[Any]", array)
    values = np.empty(array.shape, array.dtype)
    if values.size:
        _backend.cuda().download(values, array.address, array.device, array.stream)
    return values


def checks_values() -> bool:
    """Whether values on a device are looked at (CLUSTERMASS_CUDA_CHECK=1). It waits for the device and copies, so it is
    for debugging: otherwise a call never waits, and values that mean nothing give results that mean nothing.
    """
    return os.environ.get("CLUSTERMASS_CUDA_CHECK") == "1"


def _kind(owner: Any) -> str:
    return f"{type(owner).__module__}.{type(owner).__qualname__}"


def _is_tensor(value: Any) -> bool:
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def _of_tensor(tensor: Any, name: str) -> DeviceArray:
    torch = sys.modules["torch"]
    if tensor.device.type != "cuda":
        raise ArrayError(f"`{name}` must be on the CPU or on a CUDA device, got it on {tensor.device}")
    if tensor.layout != torch.strided:
        raise ArrayError(f"`{name}` must be dense, got a tensor of layout {tensor.layout}")
    try:
        dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
    except TypeError as exc:
        raise DTypeError(f"`{name}` must be of float32, float64 or integers, got dtype {tensor.dtype}") from exc
    if tensor.is_neg() or not tensor.is_contiguous():
        with _room(tensor.device.index, tuple(tensor.shape), dtype):
            tensor = tensor.resolve_neg().contiguous()
    stream = torch.cuda.current_stream(tensor.device).cuda_stream
    return DeviceArray(tensor, tensor.data_ptr(), tuple(tensor.shape), dtype, tensor.device.index, int(stream))


def _of_interface(array: Any, name: str) -> DeviceArray:
    told = array.__cuda_array_interface__
    if told.get("mask") is not None:
        raise BadInputError(f"`{name}` must have no mask")
    shape, dtype = tuple(told["shape"]), np.dtype(told["typestr"])
    if not dtype.isnative:
        raise DTypeError(f"`{name}` must have the byte order of this machine, got dtype {dtype}")
    if not _is_c_order(shape, told.get("strides"), dtype.itemsize):
        if type(array).__module__.split(".")[0] != "cupy":
            raise ArrayError(f"`{name}` must be in C order, got shape {shape} with strides {told['strides']}")
        with _room(int(array.device.id), shape, dtype):
            return _of_interface(sys.modules["cupy"].ascontiguousarray(array), name)
    address = int(told["data"][0] or 0)
    if address:
        device = int(_backend.cuda().device_of(address))
    else:
        device = int(getattr(getattr(array, "device", None), "id", 0))
    stream = told.get("stream")  # version 3: None means that the values are ready, 1 is the default stream
    return DeviceArray(array, address, shape, dtype, device, 0 if stream in (None, 1) else int(stream))


def _of_dlpack(array: Any, name: str) -> Any:
    kind = int(array.__dlpack_device__()[0])
    if kind == _DLPACK_CPU:
        return np.from_dlpack(array)
    for library in ("torch", "cupy") if kind in _DLPACK_CUDA else ():
        if library in sys.modules:
            return wrap(sys.modules[library].from_dlpack(array), name)
    raise ArrayError(
        f"`{name}` is a {_kind(array)} on a device that is known by DLPack alone: import torch or cupy and give "
        "torch.from_dlpack or cupy.from_dlpack of it, which copies nothing"
    )


def _is_c_order(shape: tuple[int, ...], strides: tuple[int, ...] | None, itemsize: int) -> bool:
    if strides is None or prod(shape) == 0:
        return True
    expected = itemsize
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and stride != expected:
            return False
        expected *= n
    return True


def _wrap_known(owner: Any, beside: DeviceArray) -> DeviceArray:
    """A new array or another view of one, made by our own call: on the device and stream of `beside`."""
    found = wrap(owner, "result")
    if not isinstance(found, DeviceArray) or found.device != beside.device:
        raise ArrayError(f"a {_kind(owner)} was made on another device than {beside.device}")
    return DeviceArray(found.owner, found.address, found.shape, found.dtype, beside.device, beside.stream)
