"""Projection on a CUDA device."""

from __future__ import annotations

import numpy as np

from ... import _backend, _device
from ..._device import DeviceArray


def _run(
    name: str, pos: DeviceArray, w: DeviceArray, h: DeviceArray, image: DeviceArray, params: dict[str, float]
) -> bool:
    cuda = _backend.cuda()
    size = cuda.project_scratch(len(pos), *image.shape, device=image.device)
    scratch = _device.empty((size,), np.float64, image)
    channels, rows, cols = image.shape
    getattr(cuda, name)(
        pos.address, *pos.shape, w.address, channels, h.address, image.address, rows, cols, scratch.address, size,
        **params, device=image.device, stream=image.stream,
    )  # fmt: skip
    return not _device.checks_values()


def project_f32(pos: DeviceArray, w: DeviceArray, h: DeviceArray, image: DeviceArray, *, n_threads: int,
                **params: float) -> bool:  # fmt: skip
    return _run("project_f32", pos, w, h, image, params)


def project_f64(pos: DeviceArray, w: DeviceArray, h: DeviceArray, image: DeviceArray, *, n_threads: int,
                **params: float) -> bool:  # fmt: skip
    return _run("project_f64", pos, w, h, image, params)
