"""The regular cells that indexes sort positions into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _backend, _device

Grid = tuple[tuple[int, int, int], tuple[float, float, float], tuple[float, float, float]]


def cell_grid(
    n: int, box: float | None, bounds: tuple[NDArray[Any], NDArray[Any]] | None, *, per_cell: int, most: int
) -> Grid:
    """Cells along each axis (at most `most`), lower corner and size of a cell [Mpc]: about `per_cell` of n positions
    of even density in each. They fill the box, or else the bounds (lowest, highest); None stands for no positions."""
    low, wide = np.zeros(3), np.ones(3)
    if box is not None:
        wide = np.full(3, box)
    elif bounds is not None:
        low = np.asarray(bounds[0], np.float64)
        wide = np.maximum(np.asarray(bounds[1], np.float64) - low, 1e-9 * (1 + np.abs(low)))
    side = np.cbrt(np.prod(wide) * per_cell / max(n, 1))
    n_cells = np.clip(np.floor(wide / side), 1, most).astype(int)
    size = wide / n_cells
    return (
        (int(n_cells[0]), int(n_cells[1]), int(n_cells[2])),
        (float(low[0]), float(low[1]), float(low[2])),
        (float(size[0]), float(size[1]), float(size[2])),
    )


def extent(values: Any) -> tuple[Any, Any]:
    """Smallest and largest value of each column; reads them back where they lie on a device."""
    if _device.is_on_device(values):
        module: Any = _backend.load("cuda", "views")
        low, high = module.bounds(values)
        return low, high
    return values.min(axis=0), values.max(axis=0)
