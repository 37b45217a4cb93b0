"""Density estimates on a CUDA device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ... import _backend, _device
from ..._device import DeviceArray


def _run(name: str, points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
         kernel: DeviceArray, out: DeviceArray, params: dict[str, float]) -> bool:  # fmt: skip
    cuda = _backend.cuda()
    clusters, cells = out.shape
    each = 0 if out.itemsize == 8 else cells  # float64 grids are summed in place
    scratch = _device.scratch(clusters, each, np.float64, out)
    getattr(cuda, name)(
        points.address, *points.shape, offsets.address, weights.address, axes.ravel().tolist(), kernel.address,
        kernel.size, scratch.address, scratch.size, out.address, clusters, cells, **params, device=out.device,
        stream=out.stream,
    )  # fmt: skip
    return not _device.checks_values() or bool(np.isfinite(_device.download(out)).all())


def kde_f32(points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
            kernel: DeviceArray, out: DeviceArray, *, n_threads: int, **params: float) -> bool:  # fmt: skip
    return _run("kde_f32", points, offsets, weights, axes, kernel, out, params)


def kde_f64(points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
            kernel: DeviceArray, out: DeviceArray, *, n_threads: int, **params: float) -> bool:  # fmt: skip
    return _run("kde_f64", points, offsets, weights, axes, kernel, out, params)
