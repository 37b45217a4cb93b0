"""Sub-samples on a CUDA device."""

from __future__ import annotations

import numpy as np

from ... import _backend, _device
from ..._device import DeviceArray

_ROWS_AT_ONCE = 1 << 16  # chains of dependent steps, one per thread: enough to fill a device


def subsample(starts: DeviceArray, keys: DeviceArray, draw_offsets: DeviceArray, indices: DeviceArray, *, n_draws: int,
              seed: int, n_threads: int, max_members: int) -> None:  # fmt: skip
    """As the other backends; `max_members` is the size of the largest item."""
    cuda = _backend.cuda()
    n_rows = len(draw_offsets) - 1
    scratch = _device.scratch(min(n_rows, _ROWS_AT_ONCE), max_members, np.int32, indices)
    cuda.subsample(
        starts.address, keys.address, len(keys), draw_offsets.address, indices.address, len(indices), scratch.address,
        scratch.size, max_members=max_members, n_draws=n_draws, seed=seed, device=indices.device, stream=indices.stream,
    )  # fmt: skip


def subsample_uniform(items: DeviceArray, out: DeviceArray, *, seed: int, n_threads: int) -> None:
    _backend.cuda().subsample_uniform(items.address, len(items), out.address, seed=seed, device=out.device,
                                      stream=out.stream)  # fmt: skip
