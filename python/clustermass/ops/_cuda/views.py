"""Index of particles and views on a CUDA device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _backend, _device
from ..._device import DeviceArray

_BOUNDS = 1024  # numbers of scratch that looking for the smallest and largest values can use
_HELD = ("x", "y", "z", "weights", "smoothing_length", "cell_start")


def bounds(values: DeviceArray) -> tuple[Any, Any]:
    """Smallest and largest value of each column; NaN is passed over. Waits for the device."""
    rows, cols = values.shape if values.ndim == 2 else (values.size, 1)
    scratch = _device.empty((2 * cols * _BOUNDS,), np.float64, values)
    run = getattr(_backend.cuda(), f"bounds_f{8 * values.itemsize}")
    found = run(values.address, rows, cols, scratch.address, scratch.size, device=values.device, stream=values.stream)
    return np.array(found[:cols]), np.array(found[cols:])


def _index(name: str, pos: DeviceArray, w: DeviceArray, h: DeviceArray, out: dict[str, DeviceArray],
           grid: dict[str, Any]) -> bool:  # fmt: skip
    cuda = _backend.cuda()
    scratch = _device.empty((cuda.index_scratch(len(pos)),), np.uint8, pos)
    getattr(cuda, name)(
        pos.address, w.address, h.address, *w.shape, [out[key].address for key in _HELD], scratch.address, scratch.size,
        **grid, device=pos.device, stream=pos.stream,
    )  # fmt: skip
    return not _device.checks_values()


def index_f32(pos: DeviceArray, w: DeviceArray, h: DeviceArray, out: dict[str, DeviceArray], *, n_threads: int,
              **grid: Any) -> bool:  # fmt: skip
    return _index("index_f32", pos, w, h, out, grid)


def index_f64(pos: DeviceArray, w: DeviceArray, h: DeviceArray, out: dict[str, DeviceArray], *, n_threads: int,
              **grid: Any) -> bool:  # fmt: skip
    return _index("index_f64", pos, w, h, out, grid)


def _views(name: str, arrays: dict[str, DeviceArray], centres: DeviceArray, rotations: DeviceArray,
           pixel_size: DeviceArray, out: DeviceArray, params: dict[str, Any]) -> None:  # fmt: skip
    cuda = _backend.cuda()
    n_views, channels, rows, cols = out.shape
    each = 0 if out.itemsize == 8 else channels * rows * cols  # float64 images are summed in place
    scratch = _device.scratch(n_views, each, np.float64, out)
    if name == "views_f32" and out.itemsize == 8:
        name = "views_f32_into_f64"
    getattr(cuda, name)(
        [arrays[key].address for key in _HELD], *arrays["weights"].shape, centres.address, rotations.address,
        pixel_size.address, n_views, pixel_size.size, out.address, rows, cols, scratch.address, scratch.size, **params,
        device=out.device, stream=out.stream,
    )  # fmt: skip


def views_f32(arrays: dict[str, DeviceArray], *, centres: DeviceArray, rotations: DeviceArray, pixel_size: DeviceArray,
              out: DeviceArray, n_threads: int, **params: Any) -> None:  # fmt: skip
    """Unlike the other backends it takes the sizes of pixels, one or one per view, not their inverse."""
    _views("views_f32", arrays, centres, rotations, pixel_size, out, params)


def views_f64(arrays: dict[str, DeviceArray], *, centres: DeviceArray, rotations: DeviceArray, pixel_size: DeviceArray,
              out: DeviceArray, n_threads: int, **params: Any) -> None:  # fmt: skip
    """As views_f32."""
    _views("views_f64", arrays, centres, rotations, pixel_size, out, params)
