"""Gradient of `project_particles`: from the pixels of an image back to the particles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import _backend, _device, _validate
from ..errors import ArrayError
from ._tensors import accepts_tensors
from .beam import beam_adjoint
from .project import check_scheme, image_frame, none_like, particle_arrays, raise_invalid


class ParticleGradients(NamedTuple):
    """Result of `differentiate_projection`: the derivative of a number by each input of `project_particles`."""

    positions: _validate.FloatArray  #: shape of the positions [1/Mpc]; 0 along the line of sight
    weights: _validate.FloatArray  #: shape of the weights


@accepts_tensors
def differentiate_projection(
    gradient: ArrayLike,
    positions: ArrayLike,
    weights: ArrayLike,
    *,
    pixel_size: float,
    origin: tuple[float, float] = (0.0, 0.0),
    assignment: str = "cic",
    kernel: str = "cubic_spline",
    smoothing_length: ArrayLike | None = None,
    beam_fwhm: float | ArrayLike = 0.0,
    n_threads: int = 1,
    backend: str = "auto",
) -> ParticleGradients:
    r"""Pull the gradient of a number by the pixels of an image back to the particles that the image was made of.

    With :math:`G_{crk} = \partial L / \partial I_{crk}` and the image
    :math:`I_{crk} = \sum_i w_{ic} S_{rk}(x_i)` of `project_particles`:
    :math:`\partial L / \partial w_{ic} = \sum_{rk} G_{crk} S_{rk}(x_i)` and
    :math:`\partial L / \partial x_i = \sum_{crk} w_{ic} G_{crk}\, \partial S_{rk} / \partial x_i`. For "sph" that
    includes the derivative of the sum by which the samples are normalised. With a beam, G is smoothed first, with the
    transpose of the beam and its margin. Torch tensors that require gradients get this through ``backward()``.

    Parameters
    ----------
    gradient : array_like of float, shape (rows, columns) or (channels, rows, columns)
        G, in the shape of the image. NaN goes to the particles that meet it; with a beam it is refused.
    positions, weights, pixel_size, origin, assignment, kernel, smoothing_length, beam_fwhm
        As they were given to `project_particles`.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Arrays on a CUDA device are worked on there.

    Returns
    -------
    ParticleGradients
        By `positions` and by `weights`, in their shapes; float32 if every array given is float32, else float64.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, UnitError, BackendUnavailableError
        As `project_particles`.

    Notes
    -----
    Accuracy: sums are float64, SPH kernels are evaluated in the type of the arrays. Kinks: NGP has no derivative by
    position (0 is returned), that of CIC jumps where a particle crosses the centre line of a pixel (the one to the
    right is returned), TSC and SPH are smooth in position; an SPH kernel narrower than a sixteenth of a pixel is a
    point. Determinism: the bits do not depend on `n_threads`. Cost: one to three times `project_particles`, and one
    float64 image.

    References
    ----------
    .. [1] Hockney & Eastwood 1988, Computer Simulation Using Particles, section 5-3.

    Examples
    --------
    The brightness of pixel (2, 2) rises as the particle moves down the rows towards its centre:

    >>> import numpy as np
    >>> gradient = np.zeros((5, 5))
    >>> gradient[2, 2] = 1.0
    >>> by = differentiate_projection(gradient, [[2.25, 2.5]], [3.0], pixel_size=1.0)
    >>> by.weights.tolist(), by.positions[:, 0].tolist()
    ([0.75], [3.0])
    """
    _, (image, p, w, h) = _device.together(
        gradient=gradient, positions=positions, weights=weights, smoothing_length=smoothing_length
    )
    pos, w, h = particle_arrays(p, w, h, (2, 3))
    image = image if _device.is_on_device(image) else np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 2) != (np.ndim(weights) == 1):
        wanted = "(rows, columns)" if np.ndim(weights) == 1 else f"({w.shape[1]}, rows, columns)"
        raise ArrayError(f"`gradient` must have shape {wanted}, got {image.shape}")
    image = _validate.float_array(image.reshape(w.shape[1], *image.shape[-2:]) if image.ndim == 2 else image,
                                  "gradient", (w.shape[1], None, None))  # fmt: skip
    _validate.image_shape(image.shape[1:], "gradient")
    scheme, kernel_number = check_scheme(assignment, kernel, smoothing_length is not None)
    size, corner, fwhm, margin = image_frame(pixel_size, origin, beam_fwhm, w.shape[1])
    n_threads = _validate.threads(n_threads)
    if margin:
        wide = beam_adjoint(image.reshape(1, *image.shape), fwhm, pixel_size=size, edge="crop", margin=margin,
                            n_threads=n_threads, backend=backend)  # fmt: skip
        image = _device.wrap(wide, "gradient")
        image = image.reshape(*image.shape[1:])
    dtype = _validate.common_dtype(pos, image)
    pos, w, h, image = (a.astype(dtype, copy=False) for a in (pos, w, h, image))
    by_positions, by_weights = (_device.empty(a.shape, dtype, _device.beside(pos)) for a in (pos, w))

    module = _backend.resolve(backend, "project_gradient", _device.is_on_device(pos))
    run: Any = getattr(module, f"project_gradient_f{8 * dtype.itemsize}")
    valid = run(
        pos, w, h if assignment == "sph" else none_like(h), image, by_positions, by_weights, assignment=scheme,
        kernel=kernel_number, origin_row=corner[0], origin_col=corner[1], per_pixel=1.0 / size, n_threads=n_threads,
    )  # fmt: skip
    if not valid:
        raise_invalid(pos, w, h)
    by_weights = by_weights.reshape(*np.shape(weights))
    return ParticleGradients(_device.result(by_positions), _device.result(by_weights))
