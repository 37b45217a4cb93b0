"""Argument checks. Every message names the argument, what was expected and what came."""

from __future__ import annotations

import operator
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from . import _device, units
from .errors import ArrayError, BadInputError, DomainError, DTypeError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Shape = tuple[int | None, ...]


def _plain(value: Any, name: str, unit: str | None) -> Any:
    if isinstance(value, _device.DeviceArray):
        return value
    if _device.is_on_device(value):
        raise ArrayError(f"`{name}` must be on the host, got a {type(value).__name__} on a device")
    if unit is not None:
        value = units.strip_unit(value, unit, name)
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise BadInputError(f"`{name}` must have no masked entries, got {int(np.ma.getmaskarray(value).sum())}")
        value = value.data
    return np.asarray(value)


def _check_shape(array: NDArray[Any], name: str, shape: Shape) -> None:
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = "(" + ", ".join("n" if s is None else str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ArrayError(f"`{name}` must have shape {wanted}, got {array.shape}")


def float_array(value: Any, name: str, shape: Shape, *, unit: str | None = None, dtype: Any = None) -> FloatArray:
    """Contiguous native float32 or float64 array of `shape` (None: any length); copies only when it must.

    float32 and float64 stay what they are unless `dtype` says otherwise; integers and lists become float64. An array on
    a device (DeviceArray) is checked alike and stays there.
    """
    array = _plain(value, name, unit)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8 or array.dtype == np.float16:
        raise DTypeError(f"`{name}` must be of float32, float64 or integers, got dtype {array.dtype}")
    _check_shape(array, name, shape)
    if dtype is None:
        dtype = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize == 4 else np.float64
    if isinstance(array, _device.DeviceArray):
        return cast("FloatArray", array.astype(dtype))
    return np.ascontiguousarray(array, dtype=dtype)


def float64_array(value: Any, name: str, shape: Shape, *, unit: str | None = None) -> NDArray[np.float64]:
    """`float_array` as float64, on the host."""
    array = float_array(value, name, shape, unit=unit, dtype=np.float64)
    return array.astype(np.float64, copy=False)


def output(value: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The caller's own result array, which must fit as it is: nothing is converted or copied."""
    if not isinstance(value, np.ndarray):
        raise DTypeError(f"`{name}` must be an ndarray, got {type(value).__name__}")
    if value.dtype != dtype:
        raise DTypeError(f"`{name}` must have dtype {dtype}, got {value.dtype}")
    if value.shape != shape:
        raise ArrayError(f"`{name}` must have shape {shape}, got {value.shape}")
    if not (value.flags.c_contiguous and value.flags.aligned and value.flags.writeable):
        raise ArrayError(f"`{name}` must be writable memory in C order")
    return value


def common_dtype(*arrays: NDArray[Any]) -> np.dtype[Any]:
    """float32 if every array is float32, else float64: all arrays of one native call share a type."""
    return np.dtype(np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64)


def check_finite(array: NDArray[Any], name: str) -> None:
    """Raise BadInputError with the count and the first index of NaN or infinite values. Copies what is on a device."""
    array = _device.download(array)
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
        where = first[0] if len(first) == 1 else first
        raise BadInputError(
            f"`{name}` must be finite, got {int(bad.sum())} of {array.size} values NaN or infinite, "
            f"first at index {where}: {array[first]}"
        )


def check_not_negative(array: NDArray[Any], name: str) -> None:
    """Raise BadInputError with the count and the first index of negative values. Copies what is on a device."""
    array = _device.download(array)
    bad = array < 0
    if bad.any():
        first = int(np.argmax(bad))
        raise BadInputError(
            f"`{name}` must not be negative, got {int(bad.sum())} of {array.size} values below zero, "
            f"first at index {first}: {array.flat[first]}"
        )


def offsets(value: Any, name: str = "offsets", total: int | None = None) -> IntArray:
    """Ragged offsets: int64, length n + 1, starting at 0, never falling, ending at `total` where that is known."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"`{name}` must be integers, got dtype {array.dtype}")
    if array.ndim != 1 or array.size == 0:
        raise ArrayError(f"`{name}` must have shape (n + 1,), got {array.shape}")
    array = np.ascontiguousarray(array, dtype=np.int64)
    if array[0] != 0 or (np.diff(array) < 0).any():
        raise BadInputError(f"`{name}` must start at 0 and never decrease")
    if total is not None and array[-1] != total:
        raise ArrayError(f"`{name}` must end at the number of values {total}, got {int(array[-1])}")
    return array


def number(value: Any, name: str, *, low: float | None = None, above: float | None = None, high: float | None = None,
           unit: str | None = None) -> float:  # fmt: skip
    """A finite float, with low <= value, above < value, value <= high where given."""
    if unit is not None:
        value = units.strip_unit(value, unit, name)
    try:
        result = float(value)
    except (TypeError, ValueError) as exc:
        raise DTypeError(f"`{name}` must be a number, got {value!r}") from exc
    wanted = [f">= {low:g}"] if low is not None else []
    wanted += [f"> {above:g}"] if above is not None else []
    wanted += [f"<= {high:g}"] if high is not None else []
    ok = np.isfinite(result) and (low is None or result >= low) and (above is None or result > above)
    if not ok or (high is not None and result > high):
        raise DomainError(f"`{name}` must be {' and '.join(['finite', *wanted])}, got {result:g}")
    return result


def integer(value: Any, name: str, *, low: int | None = None, high: int | None = None) -> int:
    """A Python int within [low, high]; booleans and floats are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise DTypeError(f"`{name}` must be an integer, got {value!r}")
    try:
        result = operator.index(value)
    except TypeError as exc:
        raise DTypeError(f"`{name}` must be an integer, got {value!r}") from exc
    if (low is not None and result < low) or (high is not None and result > high):
        bounds = " and ".join([f">= {low}"] * (low is not None) + [f"<= {high}"] * (high is not None))
        raise DomainError(f"`{name}` must be {bounds}, got {result}")
    return result


def threads(n_threads: Any) -> int:
    """Number of threads of one call."""
    return integer(n_threads, "n_threads", low=1, high=1024)


def seed(value: Any) -> int:
    """Random seed: any integer of 64 bits without sign."""
    return integer(value, "seed", low=0, high=2**64 - 1)


def item_keys(value: Any, n_items: int, name: str = "items") -> IntArray:
    """Random-number key of each item: any integers of 64 bits; None gives 0, 1, 2, ... on the host."""
    if value is None:
        return np.arange(n_items, dtype=np.int64)
    array: Any = value if isinstance(value, _device.DeviceArray) else np.asarray(value)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"`{name}` must be integers, got dtype {array.dtype}")
    _check_shape(array, name, (n_items,))
    if isinstance(array, _device.DeviceArray):
        return cast("IntArray", array.astype(np.int64))
    return np.ascontiguousarray(array.astype(np.int64, copy=False))  # uint64 keeps its bits


def choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    if value not in allowed:
        raise DomainError(f"`{name}` must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return str(value)


def image_shape(value: Any, name: str = "shape") -> tuple[int, int]:
    """Rows and columns of an image, each from 1 to 65,536."""
    try:
        rows, cols = value
    except (TypeError, ValueError) as exc:
        raise ArrayError(f"`{name}` must be two integers (rows, columns), got {value!r}") from exc
    high = 65_536
    return integer(rows, f"{name}[0]", low=1, high=high), integer(cols, f"{name}[1]", low=1, high=high)


Backend = Literal["auto", "native", "numba", "cuda"]
