"""Grids of the phase space of clusters, as published networks take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import DomainError
from ..ops.kde import estimate_density
from .cluster_settings import CUTS

LENGTHS = ("x", "y", "radius")  #: columns in Mpc/h in the sources; the other column is the velocity in km/s
MAX_BYTES = 2**27  #: of grids at a time


@dataclass(frozen=True)
class GridPreset:
    """A published way to make grids of clusters. Lengths are in Mpc/h here, as in the sources, and nowhere else.

    Attributes
    ----------
    name : str
    columns : tuple of {"velocity", "radius", "x", "y"}
        What lies along each axis of a grid.
    ranges : tuple of (low, high)
        Of each axis [comoving Mpc/h, km/s].
    cells : tuple of int
        Along each axis.
    bandwidth : float
        Standard deviations of the kernel over those of the galaxies.
    at : {"centres", "nodes"}
        Where in a cell the density is taken.
    total : float
        What a grid sums to.
    max_radius, max_velocity : float
        Cylinder that galaxies are taken from [comoving Mpc/h, km/s].
    source : str
    """

    name: str
    columns: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    cells: tuple[int, ...]
    bandwidth: float
    at: str
    total: float
    max_radius: float
    max_velocity: float
    source: str

    def axes(self, h: float) -> list[tuple[float, float, int]]:
        """(low, high, cells) of each axis in comoving Mpc (no h) and km/s."""
        h = check.number(h, "h", above=0.0)
        unit = [1.0 / h if column in LENGTHS else 1.0 for column in self.columns]
        return [(low * u, high * u, n) for (low, high), n, u in zip(self.ranges, self.cells, unit, strict=True)]


_VELOCITY, _HO, _KR = (-2200.0, 2200.0), "Ho et al. 2019, ApJ 887, 25", "Kodi Ramanah et al."

#: The published configurations by name.
GRID_PRESETS: MappingProxyType[str, GridPreset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            GridPreset("ho2019-1d", ("velocity",), (_VELOCITY,), (48,), 0.25, "centres", 1.0, *CUTS["ho2019"], _HO),
            GridPreset("ho2019-2d", ("velocity", "radius"), (_VELOCITY, (0.0, 1.6)), (48, 48), 0.25, "centres", 1.0,
                       *CUTS["ho2019"], _HO),
            # the paper gives neither grid nor bandwidth: those of the sister paper below
            GridPreset("kodi-ramanah-2020", ("velocity", "radius"), (_VELOCITY, (0.0, 1.6)), (50, 50), 0.175, "nodes",
                       1.0, *CUTS["ho2019"], f"{_KR} 2020, MNRAS 499, 1985"),
            GridPreset("kodi-ramanah-2021", ("x", "y", "velocity"), ((-4.0, 4.0), (-4.0, 4.0), _VELOCITY), (50, 50, 50),
                       0.175, "nodes", 1000.0, *CUTS["kodi-ramanah-2021"], f"{_KR} 2021, MNRAS 501, 4080"),
            GridPreset("ho2023", ("x", "y", "velocity"), ((-2.3, 2.3), (-2.3, 2.3), (-3785.0, 3785.0)), (64, 64, 64),
                       0.15, "centres", 1.0, *CUTS["large"], "Ho et al. 2023, MNRAS 524, 3289"),
        )
    }
)  # fmt: skip


def find_preset(preset: str | GridPreset) -> GridPreset:
    """The preset itself or the one of that name."""
    if isinstance(preset, GridPreset):
        return preset
    if preset not in GRID_PRESETS:
        raise DomainError(f"`preset` must be one of {', '.join(map(repr, GRID_PRESETS))}, got {preset!r}")
    return GRID_PRESETS[preset]


def _columns(x: Any, y: Any, velocity: Any) -> dict[str, NDArray[Any]]:
    """Checked columns in their common type, and the radius."""
    found = {"velocity": check.float_array(velocity, "velocity", (None,), unit="km / s")}
    n = found["velocity"].size
    found |= {name: check.float_array(v, name, (n,), unit="Mpc") for name, v in (("x", x), ("y", y))}
    dtype = check.common_dtype(*found.values())
    found = {name: values.astype(dtype, copy=False) for name, values in found.items()}
    for name, values in found.items():
        check.check_finite(values, name)
    return found | {"radius": np.hypot(found["x"], found["y"])}


def _in_cylinder(columns: dict[str, NDArray[Any]], preset: GridPreset, h: float) -> NDArray[np.bool_]:
    near = columns["radius"] < preset.max_radius / h
    return np.asarray(near & (np.abs(columns["velocity"]) < preset.max_velocity))


def iter_phase_space_grids(
    x: ArrayLike,
    y: ArrayLike,
    velocity: ArrayLike,
    offsets: ArrayLike,
    *,
    preset: str | GridPreset,
    h: float,
    cut: bool = True,
    max_bytes: int = MAX_BYTES,
    n_threads: int = 1,
    backend: str = "auto",
) -> Iterator[NDArray[Any]]:
    """The grids of `phase_space_grids` in order, some clusters at a time, where all together are too large.

    Parameters
    ----------
    x, y, velocity, offsets, preset, h, cut, n_threads, backend
        As for `phase_space_grids`.
    max_bytes : int
        Of the grids of one step; a step has one cluster at least.

    Returns
    -------
    iterator of ndarray of float, shape (clusters of this step, *cells)

    Raises
    ------
    ArrayError, BadInputError, BackendUnavailableError, DTypeError, DomainError, UnitError

    Examples
    --------
    >>> steps = iter_phase_space_grids([0.1] * 6, [0.2] * 6, [0, 100] * 3, [0, 2, 4, 6], preset="ho2019-1d", h=0.7,
    ...                                max_bytes=800)
    >>> [grids.shape for grids in steps]
    [(2, 48), (1, 48)]
    """
    found, columns = find_preset(preset), _columns(x, y, velocity)
    starts = check.offsets(offsets, total=columns["x"].size)
    axes = found.axes(h)
    if cut:
        inside = _in_cylinder(columns, found, h)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(inside, dtype=np.int64)])[starts]
        columns = {name: values[inside] for name, values in columns.items()}
    size = prod(found.cells) * columns["x"].itemsize
    step = max(1, check.integer(max_bytes, "max_bytes", low=1) // size)
    for low in range(0, starts.size - 1, step):
        own = starts[low : low + step + 1]
        points = np.stack([columns[name][own[0] : own[-1]] for name in found.columns], axis=1)
        grids = estimate_density(points, own - own[0], axes=axes, bandwidth=found.bandwidth, at=found.at,
                                 normalise="sum", n_threads=n_threads, backend=backend)  # fmt: skip
        if found.total != 1.0:
            grids *= found.total
        yield grids


def phase_space_grids(
    x: ArrayLike,
    y: ArrayLike,
    velocity: ArrayLike,
    offsets: ArrayLike,
    *,
    preset: str | GridPreset,
    h: float,
    cut: bool = True,
    n_threads: int = 1,
    backend: str = "auto",
) -> NDArray[Any]:
    """Make the grids of clusters in a published configuration.

    Parameters
    ----------
    x, y : array_like of float or Quantity, shape (n,), comoving Mpc (no h)
        Galaxies of all clusters one after another: place across the line of sight relative to the centre.
    velocity : array_like of float or Quantity, shape (n,), km/s
        Along the line of sight relative to the cluster.
    offsets : array_like of int, shape (clusters + 1,)
        Galaxies of cluster i are ``offsets[i]`` to ``offsets[i + 1]``.
    preset : str or GridPreset
        "ho2019-1d", "ho2019-2d", "kodi-ramanah-2020", "kodi-ramanah-2021", "ho2023", or one of your own.
    h : float
        Hubble constant / (100 km/s/Mpc) of the catalogue: the sources state lengths in Mpc/h.
    cut : bool
        Leave out galaxies beyond the cylinder of the preset, which would widen the kernel. The sources do so for
        contaminated clusters and keep all members of pure ones.
    n_threads : int
        Threads of the native backend, >= 1.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ndarray of float, shape (clusters, *cells)
        Axes in the order of ``preset.columns``; each grid sums to ``preset.total``, or is 0 for a cluster without
        galaxies. float32 if all columns are, else float64.

    Raises
    ------
    ArrayError, BadInputError, BackendUnavailableError, DTypeError, DomainError, UnitError

    Notes
    -----
    Degenerate clusters, accuracy, determinism and cost: see `estimate_density`. Grids too large for memory come from
    `iter_phase_space_grids`.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25.
    .. [2] Kodi Ramanah et al. 2020, MNRAS 499, 1985; 2021, MNRAS 501, 4080.
    .. [3] Ho et al. 2023, MNRAS 524, 3289.

    Examples
    --------
    >>> grids = phase_space_grids([0.1, -0.3, 0.5], [0, 1, 0.2], [-500, 0, 300], [0, 3], preset="ho2019-2d", h=0.6777)
    >>> grids.shape, float(grids.sum().round(6))
    ((1, 48, 48), 1.0)
    """
    found = find_preset(preset)
    steps = list(
        iter_phase_space_grids(x, y, velocity, offsets, preset=found, h=h, cut=cut, max_bytes=2**62,
                               n_threads=n_threads, backend=backend)
    )  # fmt: skip
    dtype = check.common_dtype(*(np.asarray(values) for values in (x, y, velocity)))
    return steps[0] if steps else np.empty((0, *found.cells), dtype)
