"""Galaxies sorted into the cells of a box, once, for any number of `select_lightcone`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device, _validate, units
from ..errors import ArrayError, DomainError, DTypeError
from ._cells import cell_grid, extent
from ._tensors import accepts_tensors

GALAXIES_PER_CELL = 64
MAX_CELLS_PER_AXIS = 1024
MAX_GALAXIES = 2**31 - 1
_RECORD = 6  # numbers per galaxy: position, velocity
_COARSE_PADDING = 64  # entries behind the last galaxy that loops may read
_NOT_FINITE, _NOT_REPRESENTABLE = 1, 2  # what building can answer, beside 0


@dataclass(frozen=True, eq=False)
class GalaxyIndex:
    """Galaxies sorted into the cells of a box; made by `build_galaxy_index`, used by `select_lightcone`.

    Immutable: it can be kept, shared between threads and used by any backend. Arrays on a device are made by the
    library of the positions and not protected: leave them as they are.

    Attributes
    ----------
    records : ndarray of float, shape (n, 6)
        Position [comoving Mpc], wrapped into [0, box_size) where there is a box, and peculiar velocity [km/s].
    rows : ndarray of int32, shape (n,)
        Row of each galaxy in the arrays that the index was made from.
    hosts : ndarray of int64, shape (n,) or (0,)
        Host of each galaxy; empty where none were given.
    coarse : ndarray of uint16, shape (3 n + padding,)
        Place within the cell in steps of 1/65536 of it; per cell all x, then all y, then all z.
    cell_start : ndarray of int64, shape (cells + 1,)
        First galaxy of each cell; the last axis of the cell grid runs fastest.
    n_cells : (int, int, int)
        Cells along each axis.
    origin, cell_size : (float, float, float)
        Lower corner of the grid and size of a cell [comoving Mpc].
    box_size : float or None
        Side of the periodic box [comoving Mpc]; None if not periodic.
    max_speed : float
        Largest peculiar speed [km/s]: it says how deep a line of sight must be looked along.
    """

    records: NDArray[Any]
    rows: NDArray[np.int32]
    hosts: NDArray[np.int64]
    coarse: NDArray[np.uint16]
    cell_start: NDArray[np.int64]
    n_cells: tuple[int, int, int]
    origin: tuple[float, float, float]
    cell_size: tuple[float, float, float]
    box_size: float | None
    max_speed: float

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    @property
    def nbytes(self) -> int:
        """Memory held [bytes]."""
        return sum(a.nbytes for a in self._arrays().values())

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ("records", "rows", "hosts", "coarse", "cell_start")}


def integers(value: Any, name: str, n: int) -> NDArray[np.int64]:
    """Integers of shape (n,), as int64; an array on a device stays there."""
    array: Any = value if isinstance(value, _device.DeviceArray) else np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"`{name}` must be integers, got dtype {array.dtype}")
    if array.shape != (n,):
        raise ArrayError(f"`{name}` must have shape ({n},), got {array.shape}")
    if isinstance(array, _device.DeviceArray):
        return cast("NDArray[np.int64]", array.astype(np.int64))
    return np.ascontiguousarray(array, dtype=np.int64)


@accepts_tensors
def build_galaxy_index(
    positions: ArrayLike,
    velocities: ArrayLike,
    *,
    box_size: float | None,
    hosts: ArrayLike | None = None,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> GalaxyIndex:
    """Sort galaxies into cells, once per box, for any number of `select_lightcone`.

    Parameters
    ----------
    positions : array_like of float, shape (n, 3)
        Positions [comoving Mpc]. At most 2^31 - 1 galaxies.
    velocities : array_like of float, shape (n, 3)
        Peculiar velocities [km/s].
    box_size : float or None
        Side of the periodic box [comoving Mpc]. Positions outside it are wrapped, in float64. None: not periodic.
    hosts : array_like of int, shape (n,), optional
        Halo that each galaxy is a member of, negative for none; lets `select_lightcone` tell members.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Galaxies on a CUDA device are worked on there.

    Returns
    -------
    GalaxyIndex
        Its own sorted copy of the galaxies; the arguments may be freed.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, UnitError, BackendUnavailableError
        The message names the argument.

    Notes
    -----
    float32 if positions and velocities are, else float64; float32 positions outside the box that float32 cannot hold
    once they are wrapped make it float64. Galaxies keep their order within a cell: the result does not depend on
    `n_threads` or the backend. Cost: O(n); memory 34 bytes per galaxy (float32) or 58 (float64), 8 more with hosts.
    On a CUDA device the largest speed is read back, and the extent of the galaxies where there is no box; scratch of 24
    bytes per galaxy.

    Examples
    --------
    >>> index = build_galaxy_index([[1.0, 2.0, 3.0], [9.5, 0.0, 5.0]], [[0, 0, 100], [0, 0, -50]], box_size=10.0)
    >>> len(index), round(index.max_speed)
    (2, 100)
    """
    beside, arrays = _device.together(positions=positions, velocities=velocities, hosts=hosts)
    pos = _validate.float_array(arrays[0], "positions", (None, 3), unit=units.LENGTH)
    vel = _validate.float_array(arrays[1], "velocities", (len(pos), 3), unit=units.VELOCITY)
    if len(pos) > MAX_GALAXIES:
        raise DomainError(f"`positions` must have at most {MAX_GALAXIES} rows, got {len(pos)}")
    host = _device.empty((0,), np.int64, beside) if hosts is None else integers(arrays[2], "hosts", len(pos))
    box = None if box_size is None else _validate.number(box_size, "box_size", above=0, unit=units.LENGTH)
    n_threads = _validate.threads(n_threads)
    bounds = None
    if box is None and len(pos):
        bounds = extent(pos)  # the grid is laid around them
        if not np.isfinite(bounds).all():
            _validate.check_finite(pos, "positions")
    n_cells, origin, cell_size = cell_grid(len(pos), box, bounds, per_cell=GALAXIES_PER_CELL, most=MAX_CELLS_PER_AXIS)
    module = _backend.resolve(backend, "lightcone", beside is not None)
    answer = _NOT_REPRESENTABLE
    dtypes = [_validate.common_dtype(pos, vel), np.dtype(np.float64)]
    while answer == _NOT_REPRESENTABLE:
        dtype = dtypes.pop(0)
        out: dict[str, Any] = {
            "records": _device.empty((len(pos), _RECORD), dtype, beside),
            "rows": _device.empty((len(pos),), np.int32, beside),
            "hosts": _device.empty(host.shape, np.int64, beside),
            "coarse": _device.empty((3 * len(pos) + _COARSE_PADDING,), np.uint16, beside),
            "cell_start": _device.empty((int(np.prod(n_cells)) + 1,), np.int64, beside),
        }
        max_speed = np.zeros(1)
        run = getattr(module, f"galaxy_index_f{8 * dtype.itemsize}")
        p, v = pos.astype(dtype, copy=False), vel.astype(dtype, copy=False)
        answer = run(p, v, host, out, max_speed, n_cells=n_cells, origin=origin, cell_size=cell_size, box=box or 0.0,
                     n_threads=n_threads)  # fmt: skip
    if answer == _NOT_FINITE:
        _validate.check_finite(pos, "positions")
        _validate.check_finite(vel, "velocities")
    held = {name: _device.result(array) for name, array in out.items()}
    if beside is None:
        for array in held.values():
            array.flags.writeable = False
    return GalaxyIndex(
        **held, n_cells=n_cells, origin=origin, cell_size=cell_size, box_size=box, max_speed=float(max_speed[0])
    )
