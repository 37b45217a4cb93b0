"""Gradient of density estimates on a CUDA device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ... import _backend, _device
from ..._device import DeviceArray

_KEPT = 4  # numbers of scratch per point


def _is_finite(array: DeviceArray) -> bool:
    return bool(np.isfinite(_device.download(array)).all())


def _run(name: str, points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
         kernel: DeviceArray, gradient: DeviceArray, by_points: DeviceArray, by_weights: DeviceArray,
         params: dict[str, float]) -> bool:  # fmt: skip
    scratch = _device.empty((_KEPT * len(points),), np.float64, points)
    getattr(_backend.cuda(), name)(
        points.address, *points.shape, offsets.address, weights.address, axes.ravel().tolist(), kernel.address,
        kernel.size, gradient.address, *gradient.shape, scratch.address, scratch.size, by_points.address,
        by_weights.address, **params, device=points.device, stream=points.stream,
    )  # fmt: skip
    return not _device.checks_values() or _is_finite(by_points) or not _is_finite(gradient)


def kde_gradient_f32(points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
                     kernel: DeviceArray, gradient: DeviceArray, by_points: DeviceArray, by_weights: DeviceArray, *,
                     n_threads: int, **params: float) -> bool:  # fmt: skip
    return _run("kde_gradient_f32", points, offsets, weights, axes, kernel, gradient, by_points, by_weights, params)


def kde_gradient_f64(points: DeviceArray, offsets: DeviceArray, weights: DeviceArray, axes: NDArray[np.float64],
                     kernel: DeviceArray, gradient: DeviceArray, by_points: DeviceArray, by_weights: DeviceArray, *,
                     n_threads: int, **params: float) -> bool:  # fmt: skip
    return _run("kde_gradient_f64", points, offsets, weights, axes, kernel, gradient, by_points, by_weights, params)
