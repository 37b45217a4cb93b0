"""Noise on a CUDA device."""

from __future__ import annotations

from ... import _backend
from ..._device import DeviceArray


def _run(name: str, images: DeviceArray, out: DeviceArray, flat: tuple[int, int, int], sigma: DeviceArray,
         items: DeviceArray | None, seed: int) -> None:  # fmt: skip
    getattr(_backend.cuda(), name)(
        images.address, out.address, *flat, sigma.address, items.address if items else 0, seed=seed, device=out.device,
        stream=out.stream,
    )  # fmt: skip


def noise_f32(images: DeviceArray, out: DeviceArray, flat: tuple[int, int, int], sigma: DeviceArray,
              items: DeviceArray | None, *, seed: int) -> None:  # fmt: skip
    """Unlike the other backends it need not work in place: `out` may be `images`. No items: 0, 1, 2, ..."""
    _run("noise_f32", images, out, flat, sigma, items, seed)


def noise_f64(images: DeviceArray, out: DeviceArray, flat: tuple[int, int, int], sigma: DeviceArray,
              items: DeviceArray | None, *, seed: int) -> None:  # fmt: skip
    """As noise_f32."""
    _run("noise_f64", images, out, flat, sigma, items, seed)
