"""Many views of one particle set: index once, then select, rotate and project for each view without copying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _validate, units
from ..errors import ArrayError, BadInputError, DomainError
from ._tensors import accepts_tensors
from .project import check_scheme, particle_arrays, raise_invalid

PARTICLES_PER_CELL = 32  # measured: 16 to 64 differ by less than a tenth
MAX_CELLS_PER_AXIS = 512


@dataclass(frozen=True, eq=False)
class ParticleIndex:
    """Particles sorted into the cells of a box; made by `build_particle_index`, used by `project_views`.

    Attributes
    ----------
    x, y, z : ndarray of float, shape (n,)
        Positions [comoving Mpc] in cell order, wrapped into [0, box_size) where there is a box.
    weights : ndarray of float, shape (n, channels)
        Weights in cell order.
    smoothing_length : ndarray of float, shape (n,) or (0,)
        Support radii [comoving Mpc] in cell order; empty where none were given.
    cell_start : ndarray of int64, shape (cells + 1,)
        First particle of each cell; the last axis of the cell grid runs fastest.
    n_cells : (int, int, int)
        Cells along each axis.
    origin, cell_size : (float, float, float)
        Lower corner of the grid and size of a cell [comoving Mpc].
    box_size : float or None
        Side of the periodic box [comoving Mpc]; None if not periodic.
    max_smoothing_length : float
        Largest support radius [comoving Mpc]; 0 where none were given.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    z: NDArray[Any]
    weights: NDArray[Any]
    smoothing_length: NDArray[Any]
    cell_start: NDArray[np.int64]
    n_cells: tuple[int, int, int]
    origin: tuple[float, float, float]
    cell_size: tuple[float, float, float]
    box_size: float | None
    max_smoothing_length: float

    def __len__(self) -> int:
        return int(self.x.size)

    @property
    def n_channels(self) -> int:
        """Weights per particle."""
        return int(self.weights.shape[1])

    @property
    def nbytes(self) -> int:
        """Memory held [bytes]."""
        held = (self.x, self.y, self.z, self.weights, self.smoothing_length, self.cell_start)
        return sum(a.nbytes for a in held)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        names = ("x", "y", "z", "weights", "smoothing_length", "cell_start")
        return {name: getattr(self, name) for name in names}


def _cell_grid(pos: NDArray[Any], box: float | None) -> tuple[Any, Any, Any]:
    """Cells along each axis, lower corner and cell size: about PARTICLES_PER_CELL in a cell of even density."""
    if box is not None:
        low, extent = np.zeros(3), np.full(3, box)
    elif len(pos) and np.isfinite(pos).all():
        low = pos.min(axis=0).astype(float)
        extent = np.maximum(pos.max(axis=0).astype(float) - low, 1e-9 * (1 + np.abs(low)))
    else:
        low, extent = np.zeros(3), np.ones(3)
    side = np.cbrt(np.prod(extent) * PARTICLES_PER_CELL / max(len(pos), 1))
    n_cells = np.clip(np.floor(extent / side), 1, MAX_CELLS_PER_AXIS).astype(int)
    return tuple(map(int, n_cells)), tuple(map(float, low)), tuple(map(float, extent / n_cells))


@accepts_tensors
def build_particle_index(
    positions: ArrayLike,
    weights: ArrayLike,
    *,
    smoothing_length: ArrayLike | None = None,
    box_size: float | None = None,
    n_threads: int = 1,
    backend: str = "auto",
) -> ParticleIndex:
    """Sort particles into cells, once per snapshot, for any number of `project_views`.

    Parameters
    ----------
    positions : array_like of float, shape (n, 3)
        Positions [comoving Mpc].
    weights : array_like of float, shape (n,) or (n, channels)
        What the views deposit, up to 64 channels.
    smoothing_length : array_like of float, shape (n,), optional
        Radius of the kernel's support [comoving Mpc], >= 0.
    box_size : float, optional
        Side of the periodic box [comoving Mpc]. Positions outside it are wrapped. None: not periodic.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ParticleIndex
        Its own sorted copy of the particles; the arguments may be freed.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, UnitError, BackendUnavailableError
        The message names the argument.

    Notes
    -----
    Particles keep their order within a cell: the result does not depend on `n_threads`. Cost: O(n), memory one copy of
    the particles and 8 bytes per cell (about n / 32 cells).

    Examples
    --------
    >>> index = build_particle_index([[1.0, 2.0, 3.0], [9.5, 0.0, 5.0]], [1.0, 2.0], box_size=10.0)
    >>> len(index), index.n_channels
    (2, 1)
    """
    pos, w, h = particle_arrays(positions, weights, smoothing_length, (3,))
    box = None if box_size is None else _validate.number(box_size, "box_size", above=0, unit=units.LENGTH)
    n_threads = _validate.threads(n_threads)
    n_cells, origin, cell_size = _cell_grid(pos, box)
    out: dict[str, NDArray[Any]] = {name: np.empty(len(pos), pos.dtype) for name in ("x", "y", "z")}
    out |= {"weights": np.empty_like(w), "smoothing_length": np.empty_like(h)}
    out["cell_start"] = np.empty(int(np.prod(n_cells)) + 1, np.int64)
    run = getattr(_backend.resolve(backend, "views"), f"index_f{8 * pos.dtype.itemsize}")
    if not run(pos, w, h, out, n_cells=n_cells, origin=origin, cell_size=cell_size, is_periodic=box is not None,
               n_threads=n_threads):  # fmt: skip
        raise_invalid(pos, w, h)
    largest = float(h.max()) if h.size else 0.0
    return ParticleIndex(
        **out, n_cells=n_cells, origin=origin, cell_size=cell_size, box_size=box, max_smoothing_length=largest
    )


def view_rotations(directions: ArrayLike, *, azimuth: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Rotation matrices that turn given lines of sight into the third axis.

    The rows of each matrix are the row axis, the column axis and the line of sight, a right-handed set. At azimuth 0
    the line of sight z has rows along x and columns along y, x has (y, z), y has (z, x).

    Parameters
    ----------
    directions : array_like of float, shape (n, 3) or (3,)
        Lines of sight, from the observer through the centre; any length but 0.
    azimuth : array_like of float, shape (n,) or ()
        Rotation of the image about the line of sight [radian].

    Returns
    -------
    ndarray of float64, shape (n, 3, 3)

    Raises
    ------
    ArrayError, BadInputError, DTypeError, UnitError
        Wrong shapes, NaN, or a direction of length 0.

    Examples
    --------
    >>> view_rotations([0, 0, 1])[0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    sight = _validate.float_array(np.atleast_2d(np.asarray(directions)), "directions", (None, 3), dtype=np.float64)
    _validate.check_finite(sight, "directions")
    largest = np.abs(sight).max(axis=1, keepdims=True, initial=0.0)
    if (largest == 0).any():
        raise BadInputError(f"`directions` must not be zero, first at index {int(np.argmin(largest))}")
    sight = sight / largest
    sight = sight / np.linalg.norm(sight, axis=1, keepdims=True)
    angle = _validate.float_array(
        np.atleast_1d(units.strip_unit(azimuth, units.ANGLE, "azimuth")), "azimuth", (None,), dtype=np.float64
    )
    _validate.check_finite(angle, "azimuth")
    if angle.size not in (1, len(sight)):
        raise ArrayError(f"`azimuth` must have 1 or {len(sight)} values, got {angle.size}")
    # The axis after the one closest to the line of sight is never parallel to it.
    first = np.eye(3)[(np.abs(sight).argmax(axis=1) + 1) % 3]
    first = first - (first * sight).sum(axis=1, keepdims=True) * sight
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(sight, first)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.stack([c * first + s * second, c * second - s * first, sight], axis=1)


def _check_views(
    centres: ArrayLike, rotations: ArrayLike, pixel_size: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Centres, rotations and pixels per Mpc of all views, float64 and C order."""
    c = _validate.float_array(centres, "centres", (None, 3), unit=units.LENGTH, dtype=np.float64)
    _validate.check_finite(c, "centres")
    r = _validate.float_array(rotations, "rotations", (len(c), 3, 3), dtype=np.float64)
    _validate.check_finite(r, "rotations")
    error = np.abs(r @ r.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2), initial=0.0)
    if (error > 1e-6).any():
        worst = int(np.argmax(error))
        raise BadInputError(f"`rotations` must be orthonormal, number {worst} is off by {error[worst]:g}")
    size = _validate.float_array(
        np.atleast_1d(units.strip_unit(pixel_size, units.LENGTH, "pixel_size")), "pixel_size", (None,), dtype=np.float64
    )
    _validate.check_finite(size, "pixel_size")
    if size.size not in (1, len(c)):
        raise ArrayError(f"`pixel_size` must have 1 or {len(c)} values, got {size.size}")
    if (size <= 0).any():
        raise DomainError(f"`pixel_size` must be > 0, got {size.min():g}")
    return c, r, np.ascontiguousarray(np.broadcast_to(1.0 / size, (len(c),)))


@accepts_tensors
def project_views(
    index: ParticleIndex,
    centres: ArrayLike,
    rotations: ArrayLike,
    *,
    pixel_size: float | ArrayLike,
    shape: tuple[int, int] = (120, 120),
    depth: float = 50.0,
    assignment: str = "cic",
    kernel: str = "cubic_spline",
    out: NDArray[np.float64] | None = None,
    n_threads: int = 1,
    backend: str = "auto",
) -> NDArray[Any]:
    r"""Project the particles around many centres along many lines of sight.

    For each view :math:`v` and particle (and periodic image) :math:`i`: :math:`p = R_v (x_i - c_v)`; if
    :math:`-d \le p_3 < d` its weights are deposited at :math:`(p_1, p_2) / s_v`, the image being centred on
    :math:`c_v`. Selection, rotation, scaling and deposit are one pass; no particle is copied.

    Parameters
    ----------
    index : ParticleIndex
        From `build_particle_index`.
    centres : array_like of float, shape (n_views, 3)
        Centres of the views [comoving Mpc].
    rotations : array_like of float, shape (n_views, 3, 3)
        Row axis, column axis and line of sight of each view, orthonormal; see `view_rotations`.
    pixel_size : float or array_like of float, shape (n_views,)
        Side of a pixel at the centre [comoving Mpc], > 0. For clusters of a snapshot with expansion factor a placed at
        redshift z it is ``pixel_angle * angular_diameter_distance(z) / a``: structures keep the proper size they have
        in the snapshot. Views are parallel projections (distant observer).
    shape : (int, int)
        Rows and columns of an image.
    depth : float
        Half depth of the slab, before and behind the centre [comoving Mpc], > 0; at most half a periodic box.
    assignment, kernel : str
        As in `project_particles`; "sph" needs an index with smoothing lengths.
    out : ndarray of float64, shape (n_views, channels, rows, columns), optional
        Images to add to, e.g. chunk by chunk of a snapshot larger than memory.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ndarray of float, shape (n_views, channels, rows, columns)
        `out`, or new images of the dtype of the index.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, UnitError, BackendUnavailableError
        The message names the argument.

    Notes
    -----
    Accuracy as `project_particles`. Determinism: the bits do not depend on `n_threads`. Cost: per view O(particles in
    the cells that the column crosses); scratch of at most 16 images, whatever the number of threads.

    References
    ----------
    .. [1] Yan et al. 2020, MNRAS 499, 3445, section 2.2 (slab of +-50 Mpc, four directions, random azimuth).

    Examples
    --------
    >>> index = build_particle_index([[1.0, 2.0, 3.0], [9.5, 2.0, 5.0]], [1.0, 2.0], box_size=10.0)
    >>> images = project_views(index, [[0.0, 2.0, 4.0]], view_rotations([0, 0, 1]), pixel_size=1.0,
    ...                        shape=(4, 4), depth=5.0, assignment="ngp")
    >>> images[0, 0].astype(int).tolist()
    [[0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
    """
    c, r, per_pixel = _check_views(centres, rotations, pixel_size)
    rows, cols = _validate.image_shape(shape)
    half_depth = _validate.number(depth, "depth", above=0, unit=units.LENGTH)
    if index.box_size is not None and 2 * half_depth > index.box_size * (1 + 1e-9):
        raise DomainError(f"`depth` must be at most half the box of {index.box_size:g} Mpc, got {half_depth:g}")
    scheme, kernel_number = check_scheme(assignment, kernel, bool(index.smoothing_length.size or not len(index)))
    full_shape = (len(c), index.n_channels, rows, cols)
    if out is not None:
        images = _validate.output(out, "out", full_shape, np.dtype(np.float64))
    else:
        images = np.empty(full_shape, index.x.dtype)
    run = getattr(_backend.resolve(backend, "views"), f"views_f{8 * index.x.dtype.itemsize}")
    run(
        index._arrays(), n_cells=index.n_cells, origin=index.origin, cell_size=index.cell_size,
        is_periodic=index.box_size is not None, centres=c, rotations=r, per_pixel=per_pixel, out=images,
        assignment=scheme, kernel=kernel_number, half_depth=half_depth,
        max_support=index.max_smoothing_length if assignment == "sph" else 0.0, add=out is not None,
        n_threads=_validate.threads(n_threads),
    )  # fmt: skip
    return images
