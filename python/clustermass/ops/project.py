"""Particle-to-grid projection: NGP, CIC, TSC and SPH with optional Gaussian beam."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device, _validate, units
from ..errors import ArrayError, BadInputError, DomainError
from ._tensors import accepts_tensors
from .beam import beam_margin, convolve_beam

ASSIGNMENTS = ("ngp", "cic", "tsc", "sph")
KERNELS = ("cubic_spline", "wendland_c2")
MAX_CHANNELS = 64


def check_scheme(assignment: str, kernel: str, has_smoothing_length: bool) -> tuple[int, int]:
    """Numbers of the assignment and the kernel, as the native code counts them."""
    _validate.choice(assignment, "assignment", ASSIGNMENTS)
    _validate.choice(kernel, "kernel", KERNELS)
    if assignment == "sph" and not has_smoothing_length:
        raise DomainError("assignment 'sph' needs `smoothing_length`, got none")
    return ASSIGNMENTS.index(assignment), KERNELS.index(kernel)


def particle_arrays(
    positions: ArrayLike, weights: ArrayLike, smoothing_length: ArrayLike | None, dims: tuple[int, ...]
) -> tuple[_validate.FloatArray, _validate.FloatArray, _validate.FloatArray]:
    """Positions (n, d), weights (n, channels) and smoothing lengths (n or 0) of one dtype, shapes checked."""
    _, (p, w, h) = _device.together(positions=positions, weights=weights, smoothing_length=smoothing_length)
    pos = _validate.float_array(p, "positions", (None, None), unit=units.LENGTH)
    if pos.shape[1] not in dims:
        raise ArrayError(f"`positions` must have shape (n, {' or '.join(map(str, dims))}), got {pos.shape}")
    n = pos.shape[0]
    w = w if _device.is_on_device(w) else np.asarray(w)
    w = _validate.float_array(w.reshape(w.shape[0], 1) if w.ndim == 1 else w, "weights", (n, None))
    if not 1 <= w.shape[1] <= MAX_CHANNELS:
        raise ArrayError(f"`weights` must have 1 to {MAX_CHANNELS} channels, got {w.shape[1]}")
    if h is None:
        dtype = _validate.common_dtype(pos, w)
        h = none_like(pos, dtype)
    else:
        h = _validate.float_array(h, "smoothing_length", (n,), unit=units.LENGTH)
        dtype = _validate.common_dtype(pos, w, *([h] if h.size else []))
    return pos.astype(dtype, copy=False), w.astype(dtype, copy=False), h.astype(dtype, copy=False)


def none_like(array: Any, dtype: Any = None) -> _validate.FloatArray:
    """An array without elements, on the device of another."""
    none: _validate.FloatArray = _device.empty((0,), dtype or array.dtype, _device.beside(array))
    return none


def raise_invalid(pos: NDArray[Any], weights: NDArray[Any], smoothing_length: NDArray[Any]) -> None:
    """Name the value that made a kernel refuse its input."""
    _validate.check_finite(pos, "positions")
    _validate.check_finite(weights, "weights")
    _validate.check_finite(smoothing_length, "smoothing_length")
    _validate.check_not_negative(smoothing_length, "smoothing_length")
    if not _device.is_on_device(pos):  # there nobody looked before
        raise BadInputError("the kernel refused its input, yet every value is valid: please report this")


def channels_of(weights: Any) -> tuple[int, ...]:
    """Axes of an image before its rows and columns: none where each particle has one weight."""
    return () if np.ndim(weights) == 1 else (np.shape(weights)[1],)


def image_frame(
    pixel_size: Any, origin: Any, beam_fwhm: Any, channels: int
) -> tuple[float, tuple[float, float], _validate.FloatArray, int]:
    """Pixel size, corner of the image with its margin for the beam, beam per channel, and that margin [pixel]."""
    size = _validate.number(pixel_size, "pixel_size", above=0, unit=units.LENGTH)
    fwhm = np.broadcast_to(_validate.float_array(np.atleast_1d(units.strip_unit(beam_fwhm, units.LENGTH, "beam_fwhm")),
                                                 "beam_fwhm", (None,)), (channels,))  # fmt: skip
    margin = beam_margin(fwhm, pixel_size=size) if np.any(fwhm) else 0
    row, col = (_validate.number(x, f"origin[{i}]", unit=units.LENGTH) - margin * size for i, x in enumerate(origin))
    return size, (row, col), fwhm, margin


@accepts_tensors
def project_particles(
    positions: ArrayLike,
    weights: ArrayLike,
    *,
    shape: tuple[int, int],
    pixel_size: float,
    origin: tuple[float, float] = (0.0, 0.0),
    assignment: str = "cic",
    kernel: str = "cubic_spline",
    smoothing_length: ArrayLike | None = None,
    beam_fwhm: float | ArrayLike = 0.0,
    n_threads: int = 1,
    backend: str = "auto",
) -> _validate.FloatArray:
    r"""Project weighted particles along the third axis on a grid, and smooth with a Gaussian beam if asked.

    Pixel :math:`(r, c)` of a channel receives :math:`\sum_i w_i S_{rc}(x_i)` with shares :math:`S` that sum to 1 over
    the plane for every particle: mass is conserved per particle, whatever the ratio of kernel to pixel size. What
    falls outside the image is lost.

    Parameters
    ----------
    positions : array_like of float, shape (n, 2) or (n, 3)
        Positions [comoving Mpc]; axis 0 runs along the rows of the image, axis 1 along its columns, axis 2 (ignored) is
        the line of sight. Particles outside the field are fine.
    weights : array_like of float, shape (n,) or (n, channels)
        What to deposit, up to 64 channels in one pass, e.g. mass [Msun].
    shape : (int, int)
        Rows and columns of the image.
    pixel_size : float
        Side of a pixel [comoving Mpc], > 0.
    origin : (float, float)
        Position of the outer corner of pixel (0, 0) [comoving Mpc]. Pixel (j, k) covers
        ``origin[0] + [j, j + 1) * pixel_size`` along axis 0, likewise k along axis 1.
    assignment : {"ngp", "cic", "tsc", "sph"}
        Shape of a particle: a point, a box or a triangle of pixel size, or its own smoothing kernel.
    kernel : {"cubic_spline", "wendland_c2"}
        Smoothing kernel of "sph", projected along the line of sight.
    smoothing_length : array_like of float, shape (n,), optional
        Radius of the kernel's support [comoving Mpc], >= 0; 0 is a point. Needed by "sph" and used only there.
    beam_fwhm : float or array_like of float, shape (channels,)
        Full width at half maximum of a Gaussian beam [comoving Mpc], 0 for none. The image is computed with a margin,
        smoothed (`convolve_beam`) and cropped: structure just outside the field leaks in, as on the sky.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Arrays on a CUDA device are worked on there.

    Returns
    -------
    ndarray of float, shape `shape` or (channels, rows, columns)
        Weight per pixel, in the unit of `weights`; float32 if every array given is float32, else float64. For arrays on
        a CUDA device: an array of the same library, on that device (docs/cuda.md).

    Raises
    ------
    ArrayError, DTypeError, UnitError
        Shapes, types or units that do not fit.
    BadInputError
        NaN or infinite values, negative smoothing lengths; names the array, their number and the first.
    DomainError, BackendUnavailableError
        Parameters out of range; a backend that is not installed.

    Notes
    -----
    Accuracy: sums are float64; the shares of a particle sum to 1 within 1e-12 (float64) or 1e-6 (float32, SPH only).
    SPH samples the kernel at pixel centres (at sub-pixels where it is narrower than a pixel), broadened so that the
    second moment of the pixel average is exact; pixels differ from exact averages by less than 4 % of the brightest.
    Determinism: the bits do not depend on `n_threads`.
    Cost: O(n) for the grid schemes, O(n (support / pixel_size)^2) for SPH; scratch of at most 16 images.

    References
    ----------
    .. [1] Hockney & Eastwood 1988, Computer Simulation Using Particles, section 5-3 (NGP, CIC, TSC).
    .. [2] Monaghan & Lattanzio 1985, A&A 149, 135 (cubic spline); Wendland 1995, Adv. Comput. Math. 4, 389 (C2).

    Examples
    --------
    >>> import numpy as np
    >>> positions = np.array([[2.5, 2.5, 0.0], [1.0, 4.0, 9.0]])
    >>> image = project_particles(positions, [1.0, 4.0], shape=(5, 5), pixel_size=1.0)
    >>> float(image[2, 2]), float(image.sum())
    (1.0, 5.0)
    """
    pos, w, h = particle_arrays(positions, weights, smoothing_length, (2, 3))
    rows, cols = _validate.image_shape(shape)
    scheme, kernel_number = check_scheme(assignment, kernel, smoothing_length is not None)
    size, corner, fwhm, margin = image_frame(pixel_size, origin, beam_fwhm, w.shape[1])
    n_threads = _validate.threads(n_threads)
    module = _backend.resolve(backend, "project", _device.is_on_device(pos))
    image = _device.empty((w.shape[1], rows + 2 * margin, cols + 2 * margin), pos.dtype, _device.beside(pos))
    run = getattr(module, f"project_f{8 * pos.dtype.itemsize}")
    valid = run(
        pos, w, h if assignment == "sph" else none_like(h), image, assignment=scheme, kernel=kernel_number,
        origin_row=corner[0], origin_col=corner[1], per_pixel=1.0 / size, n_threads=n_threads,
    )  # fmt: skip
    if not valid:
        raise_invalid(pos, w, h)
    if margin:
        smooth = convolve_beam(image.reshape(1, *image.shape), fwhm, pixel_size=size, edge="crop", margin=margin,
                               n_threads=n_threads, backend=backend)  # fmt: skip
        image = _device.wrap(smooth, "image")
    result: _validate.FloatArray = _device.result(image.reshape(*channels_of(weights), rows, cols))
    return result
