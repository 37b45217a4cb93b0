"""Index of galaxies and light cones on a CUDA device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _backend, _device
from ..._device import DeviceArray

_HELD = ("records", "rows", "hosts", "coarse", "cell_start")
_VALUES = ("x", "y", "velocity", "distance")


def _index(name: str, pos: DeviceArray, vel: DeviceArray, hosts: DeviceArray, out: dict[str, DeviceArray],
           max_speed: NDArray[np.float64], grid: dict[str, Any]) -> int:  # fmt: skip
    cuda = _backend.cuda()
    scratch = _device.empty((cuda.index_scratch(len(pos)),), np.uint8, pos)
    answer, max_speed[0] = getattr(cuda, name)(
        pos.address, vel.address, hosts.address, len(pos), [out[key].address for key in _HELD], scratch.address,
        scratch.size, **grid, device=pos.device, stream=pos.stream,
    )  # fmt: skip
    return int(answer)


def galaxy_index_f32(pos: DeviceArray, vel: DeviceArray, hosts: DeviceArray, out: dict[str, DeviceArray],
                     max_speed: NDArray[np.float64], *, n_threads: int, **grid: Any) -> int:  # fmt: skip
    return _index("galaxy_index_f32", pos, vel, hosts, out, max_speed, grid)


def galaxy_index_f64(pos: DeviceArray, vel: DeviceArray, hosts: DeviceArray, out: dict[str, DeviceArray],
                     max_speed: NDArray[np.float64], *, n_threads: int, **grid: Any) -> int:  # fmt: skip
    return _index("galaxy_index_f64", pos, vel, hosts, out, max_speed, grid)


def _lightcone(dtype: str, index: dict[str, DeviceArray], queries: dict[str, NDArray[Any]],
               params: dict[str, Any]) -> dict[str, DeviceArray]:  # fmt: skip
    cuda, beside = _backend.cuda(), index["records"]
    n = len(queries["centres"])
    lines = np.concatenate([queries["centres"], queries["rotations"].reshape(n, 9), queries["numbers"]], axis=1)
    numbers = _device.upload(np.concatenate([lines.ravel(), queries["table"].ravel()]), beside)
    targets = _device.upload(queries["targets"], beside)
    table = numbers.address + lines.nbytes if queries["table"].size else 0
    scratch = _device.empty((cuda.lightcone_scratch(n),), np.int64, beside)
    out = {"offsets": _device.empty((n + 1,), np.int64, beside)}
    call: Any = ([index[key].address for key in _HELD], len(beside), [numbers.address, targets.address, table], n,
                 queries["table"].shape[1], scratch.address, scratch.size)  # fmt: skip
    where = dict(device=beside.device, stream=beside.stream)
    total = getattr(cuda, f"lightcone_count_{dtype}")(*call, out["offsets"].address, **params, **where)
    out["indices"] = _device.empty((total,), np.int64, beside)
    out |= {name: _device.empty((total,), np.float64, beside) for name in _VALUES}
    out["is_member"] = _device.empty((total,), np.bool_, beside)
    seen = [out[name].address for name in ("indices", *_VALUES, "is_member")]
    getattr(cuda, f"lightcone_fill_{dtype}")(*call, seen, total, **params, **where)
    return out


def lightcone_f32(index: dict[str, DeviceArray], queries: dict[str, NDArray[Any]], *, n_threads: int,
                  **params: Any) -> dict[str, DeviceArray]:  # fmt: skip
    """Unlike the other backends it counts before it fills, and makes the arrays of the result itself."""
    return _lightcone("f32", index, queries, params)


def lightcone_f64(index: dict[str, DeviceArray], queries: dict[str, NDArray[Any]], *, n_threads: int,
                  **params: Any) -> dict[str, DeviceArray]:  # fmt: skip
    """As lightcone_f32."""
    return _lightcone("f64", index, queries, params)
