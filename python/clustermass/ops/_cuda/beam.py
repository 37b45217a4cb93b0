"""Smoothing on a CUDA device."""

from __future__ import annotations

import numpy as np

from ... import _backend, _device
from ..._device import DeviceArray


def _run(name: str, images: DeviceArray, taps: DeviceArray, reach: DeviceArray, out: DeviceArray, margin: int) -> bool:
    cuda = _backend.cuda()
    items, rows, _ = images.shape
    per_image = rows * out.shape[2]
    scratch = _device.scratch(items, per_image, out.dtype, out)
    getattr(cuda, name)(
        images.address, *images.shape, taps.address, *taps.shape, reach.address, scratch.address, scratch.size,
        out.address, margin=margin, device=out.device, stream=out.stream,
    )  # fmt: skip
    return not _device.checks_values() or bool(np.isfinite(_device.download(out)).all())


def beam_f32(images: DeviceArray, taps: DeviceArray, reach: DeviceArray, out: DeviceArray, *, margin: int,
             n_threads: int) -> bool:  # fmt: skip
    return _run("beam_f32", images, taps, reach, out, margin)


def beam_f64(images: DeviceArray, taps: DeviceArray, reach: DeviceArray, out: DeviceArray, *, margin: int,
             n_threads: int) -> bool:  # fmt: skip
    return _run("beam_f64", images, taps, reach, out, margin)


def with_border(images: DeviceArray, border: int) -> DeviceArray:
    """A copy with `border` rows and columns of zeros on each side."""
    *stack, rows, cols = images.shape
    wide: DeviceArray = _device.empty((*stack, rows + 2 * border, cols + 2 * border), images.dtype, images)
    getattr(_backend.cuda(), f"beam_pad_f{8 * images.itemsize}")(
        images.address, images.size // (rows * cols), rows, cols, wide.address, margin=border, device=wide.device,
        stream=wide.stream,
    )  # fmt: skip
    return wide
