"""Gradient of `estimate_density`: from the cells of a grid back to the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device
from .. import _validate as check
from ._tensors import accepts_tensors
from .kde import arguments, raise_invalid


class DensityGradients(NamedTuple):
    """Result of `differentiate_density`: the derivative of a number by each input of `estimate_density`."""

    points: NDArray[Any]  #: shape of the points [1 / unit of each column]
    weights: NDArray[Any]  #: shape (n,), also where no weights were given


@accepts_tensors
def differentiate_density(
    gradient: ArrayLike,
    points: ArrayLike,
    offsets: ArrayLike,
    *,
    axes: Sequence[tuple[float, float, int]],
    bandwidth: float | str = 0.25,
    at: str = "centres",
    normalise: str = "sum",
    weights: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    n_threads: int = 1,
    backend: str = "auto",
) -> DensityGradients:
    r"""Pull the gradient of a number by the cells of density grids back to the points that the grids were made of.

    With :math:`G_X = \partial L / \partial F_X` this is :math:`\partial L / \partial x_n` and
    :math:`\partial L / \partial w_n`, complete: a point moves its own kernel, the covariance from which all kernels of
    its cluster are made, and the normalisation; a weight also the effective number of points that the rules for the
    bandwidth go by. docs/gradients.md has the formulas. Torch tensors that require gradients get this through
    ``backward()``.

    Parameters
    ----------
    gradient : array_like of float, shape (clusters, n1[, n2[, n3]])
        G, in the shape of the grids. NaN goes to all points of its cluster.
    points, offsets, axes, bandwidth, at, normalise, weights, covariance
        As they were given to `estimate_density`. With a `covariance` of its own the kernel does not follow the points;
        derivatives by the covariance itself are not computed.
    n_threads : int
        Threads of the native backend, >= 1; clusters are shared out among them.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Points on a CUDA device are worked on there.

    Returns
    -------
    DensityGradients
        By `points` and by `weights`; float32 if `points` and `gradient` are, else float64.

    Raises
    ------
    ArrayError, BadInputError, BackendUnavailableError, DTypeError, DomainError
        As `estimate_density`.

    Notes
    -----
    Where there is none: a cluster without points, without weight, or too far from the grid for any number to show has
    gradient 0. The density jumps where a kernel becomes degenerate and is broadened; the gradient is that of the side
    it is on. Accuracy: worked out in float64 for both types. Determinism: bitwise independent of `n_threads` and of how
    clusters are batched. Cost: about that of three estimates in float64 (docs/gradients.md); on a CUDA device every
    point looks at every cell twice.

    Examples
    --------
    Which galaxy would raise the density at a velocity of 2000 km/s most, if it moved outwards?

    >>> import numpy as np
    >>> points = np.array([[-500.0], [100.0], [400.0], [900.0]])
    >>> gradient = np.zeros((1, 40))
    >>> gradient[0, -1] = 1.0
    >>> by = differentiate_density(gradient, points, [0, 4], axes=[(-2050, 2050, 40)], bandwidth=0.5)
    >>> int(by.points[:, 0].argmax()), by.points.shape, by.weights.shape
    (3, (4, 1), (4,))
    """
    values, starts, mass, grid, kernel, how = arguments(
        points, offsets, axes, bandwidth, at, normalise, weights, covariance, n_threads
    )
    beside, given = _device.together(points=values, gradient=gradient)
    module = _backend.resolve(backend, "kde_gradient", beside is not None)
    cells = tuple(int(n) for n in grid[:, 2])
    n_clusters = len(starts) - 1
    slopes = check.float_array(given[1], "gradient", (n_clusters, *cells))
    dtype = check.common_dtype(values, slopes)
    values, slopes, mass = (a.astype(dtype, copy=False) for a in (values, slopes, mass))
    by_points = _device.empty(values.shape, dtype, beside)
    by_weights = _device.empty((len(values),), dtype, beside)
    impl = getattr(module, f"kde_gradient_f{8 * dtype.itemsize}")
    flat = slopes.reshape(n_clusters, int(np.prod(cells)))
    if not impl(values, starts, mass, grid, kernel, flat, by_points, by_weights, **how):
        raise_invalid(values)
    return DensityGradients(_device.result(by_points), _device.result(by_weights))
