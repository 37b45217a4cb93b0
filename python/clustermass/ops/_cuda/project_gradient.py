"""Gradient of the projection on a CUDA device."""

from __future__ import annotations

from ... import _backend, _device
from ..._device import DeviceArray


def _run(name: str, pos: DeviceArray, w: DeviceArray, h: DeviceArray, gradient: DeviceArray, by_positions: DeviceArray,
         by_weights: DeviceArray, params: dict[str, float]) -> bool:  # fmt: skip
    channels, rows, cols = gradient.shape
    getattr(_backend.cuda(), name)(
        pos.address, *pos.shape, w.address, channels, h.address, gradient.address, rows, cols, by_positions.address,
        by_weights.address, **params, device=gradient.device, stream=gradient.stream,
    )  # fmt: skip
    return not _device.checks_values()


def project_gradient_f32(pos: DeviceArray, w: DeviceArray, h: DeviceArray, gradient: DeviceArray,
                         by_positions: DeviceArray, by_weights: DeviceArray, *, n_threads: int,
                         **params: float) -> bool:  # fmt: skip
    return _run("project_gradient_f32", pos, w, h, gradient, by_positions, by_weights, params)


def project_gradient_f64(pos: DeviceArray, w: DeviceArray, h: DeviceArray, gradient: DeviceArray,
                         by_positions: DeviceArray, by_weights: DeviceArray, *, n_threads: int,
                         **params: float) -> bool:  # fmt: skip
    return _run("project_gradient_f64", pos, w, h, gradient, by_positions, by_weights, params)
