"""Gaussian kernel density estimates of many clusters of points on one regular grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device
from .. import _validate as check
from ..errors import ArrayError, BadInputError, DomainError, DTypeError
from ._tensors import accepts_tensors

RULES = ("scott", "silverman")
POSITIONS = ("centres", "nodes")
NORMALISATIONS = ("sum", "density", "none")
MAX_CELLS = 2**31 - 1  #: of one grid
MAX_AXIS = 65_536  #: cells along one axis
LEAST_INDEPENDENCE = 1e-12  #: part of a variance that a covariance must leave, given the other axes


def _axis(value: Any, name: str, at: str) -> tuple[float, float, int]:
    """(first position, step, n) of one axis."""
    try:
        low, high, n = value
    except (TypeError, ValueError) as exc:
        raise ArrayError(f"`{name}` must be (low, high, n), got {value!r}") from exc
    low, high = check.number(low, f"{name}[0]"), check.number(high, f"{name}[1]")
    n = check.integer(n, f"{name}[2]", low=1, high=MAX_AXIS)
    step = (high - low) / (n if at == "centres" else max(n - 1, 1))
    # an axis far from 0 and short may have no numbers between its ends
    if not (np.isfinite(step) and step > 0 and step > 1e-12 * max(abs(low), abs(high))):
        raise DomainError(f"`{name}` must have low < high and cells of some width, got {value!r}")
    return low + (0.5 * step if at == "centres" else 0.0), step, n


def _axes(axes: Any, dims: int, at: str) -> NDArray[np.float64]:
    if not isinstance(axes, Sequence | np.ndarray) or len(axes) != dims:
        raise ArrayError(f"`axes` must be {dims} of (low, high, n), one per column of `points`, got {axes!r}")
    found = [_axis(value, f"axes[{i}]", at) for i, value in enumerate(axes)]
    if np.prod([n for _, _, n in found], dtype=float) > MAX_CELLS:
        raise DomainError(f"`axes` must have at most {MAX_CELLS} cells together, got {[n for _, _, n in found]}")
    return np.array(found, np.float64).reshape(dims, 3)


def _bandwidth(value: Any) -> tuple[int, float]:
    """(rule, factor) as the kernels want them."""
    if isinstance(value, str):
        if value not in RULES:
            raise DomainError(f"`bandwidth` must be a number, 'scott' or 'silverman', got {value!r}")
        return 1 + RULES.index(value), 0.0
    return 0, check.number(value, "bandwidth", above=0.0)


def _kernel(covariance: Any, n_clusters: int, dims: int) -> NDArray[np.float64]:
    """Covariances of the kernel, flat; empty where the data decide."""
    if covariance is None:
        return np.empty(0)
    shape = (dims, dims) if np.ndim(covariance) == 2 else (n_clusters, dims, dims)
    matrices = check.float_array(covariance, "covariance", shape, dtype=np.float64)
    check.check_finite(matrices, "covariance")
    stack = matrices.reshape(-1, dims, dims)
    sigma = np.sqrt(np.maximum(np.diagonal(stack, axis1=1, axis2=2), 0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        correlation = stack / sigma[:, :, None] / sigma[:, None, :]
    good = np.asarray(np.isfinite(correlation).all(axis=(1, 2)))
    safe = np.where(good[:, None, None], correlation, np.eye(dims))
    good &= (np.abs(safe - safe.transpose(0, 2, 1)) < 1e-12).all(axis=(1, 2))
    good &= np.linalg.eigvalsh(safe).min(axis=1, initial=1.0) >= LEAST_INDEPENDENCE
    if not good.all():
        bad = int(np.argmin(good))
        raise BadInputError(f"`covariance` must be symmetric and positive definite, got {stack[bad].tolist()} at {bad}")
    return np.asarray(matrices.reshape(-1), np.float64)


def _weights(weights: Any, n: int, dtype: np.dtype[Any], beside: _device.DeviceArray | None) -> NDArray[Any]:
    result: NDArray[Any]
    if weights is None:
        result = _device.empty((0,), dtype, beside)
        return result
    result = check.float_array(weights, "weights", (n,), dtype=dtype)
    if beside is None or _device.checks_values():
        check.check_finite(result, "weights")
        check.check_not_negative(result, "weights")
    return result


def _parameter(
    value: Any, name: str, beside: _device.DeviceArray | None, checked: Callable[[Any], Any], dtype: Any
) -> Any:
    """An array beside the points. One on the host is checked there; one on a device is looked at on request only."""
    array = _device.wrap(value, name)
    if beside is None or not isinstance(array, _device.DeviceArray):
        return _device.upload(checked(array), beside)
    if np.dtype(dtype).kind == "i" and array.dtype.kind not in "iu":
        raise DTypeError(f"`{name}` must be integers, got dtype {array.dtype}")
    if _device.checks_values():
        checked(_device.download(array))
    return array.astype(dtype)


def arguments(
    points: Any, offsets: Any, axes: Any, bandwidth: Any, at: Any, normalise: Any, weights: Any, covariance: Any,
    n_threads: Any,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:  # fmt: skip
    """What the kernels take: points, offsets, weights, axes as (first, step, n), covariances, and the rest by name."""
    at, normalise = check.choice(at, "at", POSITIONS), check.choice(normalise, "normalise", NORMALISATIONS)
    beside, (points, weights) = _device.together(points=points, weights=weights)
    if np.ndim(points) != 2 or np.shape(points)[1] not in (1, 2, 3):
        raise ArrayError(f"`points` must have shape (n, 1), (n, 2) or (n, 3), got {np.shape(points)}")
    values = check.float_array(points, "points", (None, np.shape(points)[1]))
    n_points, dims = values.shape
    starts = _parameter(offsets, "offsets", beside, lambda array: check.offsets(array, total=n_points), np.int64)
    if starts.ndim != 1 or not len(starts):
        raise ArrayError(f"`offsets` must have shape (n + 1,), got {starts.shape}")
    grid = _axes(axes, dims, at)
    rule, factor = _bandwidth(bandwidth)
    n_clusters = len(starts) - 1
    kernel = _parameter(covariance, "covariance", beside, lambda array: _kernel(array, n_clusters, dims), np.float64)
    if kernel.size not in (0, dims * dims, n_clusters * dims * dims):
        raise ArrayError(f"`covariance` must have shape {(dims, dims)}, one or one per cluster, got {kernel.shape}")
    mass = _weights(weights, n_points, values.dtype, beside)
    how = NORMALISATIONS.index(normalise)
    options = dict(bandwidth=rule, factor=factor, normalise=how, n_threads=check.threads(n_threads))
    return values, starts, mass, grid, kernel, options


def raise_invalid(points: NDArray[Any]) -> None:
    """Name the value that made a kernel refuse its input."""
    check.check_finite(points, "points")
    raise BadInputError("`points` must lie within 1e150 cells of the grid, got some further out")


@accepts_tensors
def estimate_density(
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
) -> NDArray[Any]:
    r"""Estimate the density of each cluster of points on a regular grid, with a Gaussian kernel of full covariance.

    Cell :math:`X` of a cluster gets :math:`\sum_n w_n \exp[-\tfrac12 (X - x_n)^T C^{-1} (X - x_n)]` with
    :math:`C` = `bandwidth`\ :sup:`2` times the covariance of its points (unbiased, divided by :math:`n - 1`, with all
    cross terms), times a factor that `normalise` gives: what `scipy.stats.gaussian_kde` calls a scalar bandwidth. No
    term is left out and nothing is binned.

    Parameters
    ----------
    points : array_like of float, shape (n, d)
        Points of all clusters one after another; d is 1, 2 or 3 and each column has its own unit. float32 or float64;
        other numbers become float64.
    offsets : array_like of int, shape (clusters + 1,)
        Points of cluster i are ``offsets[i]`` to ``offsets[i + 1]``.
    axes : sequence of (low, high, n), one per column of `points`
        Range of the grid in the unit of that column, and its number of cells.
    bandwidth : float or {"scott", "silverman"}
        Standard deviations of the kernel over those of the points, > 0, or a rule for it: with the effective number
        of points :math:`m = (\sum w)^2 / \sum w^2`, Scott takes :math:`m^{-1/(d+4)}` and Silverman
        :math:`[m (d + 2) / 4]^{-1/(d+4)}`. Has no effect where `covariance` is given.
    at : {"centres", "nodes"}
        "centres": n cells of equal width between low and high, the density at their middles. "nodes": n positions,
        the first at low and the last at high, as ``linspace(low, high, n)``.
    normalise : {"sum", "density", "none"}
        "sum": the grid sums to 1. "density": the integral over all space, not only over the grid, is 1, in the inverse
        product of the units of the columns: the numbers of scipy. "none": the sum above as it stands.
    weights : array_like of float, shape (n,), optional
        Weight of each point, >= 0. Covariance and rules follow scipy's definitions for weights.
    covariance : array_like of float, shape (d, d) or (clusters, d, d), optional
        Covariance of the kernel itself, instead of one from the points.
    n_threads : int
        Threads of the native backend, >= 1; clusters are shared out among them.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Points on a CUDA device are worked on there.

    Returns
    -------
    ndarray of float, shape (clusters, n1[, n2[, n3]])
        In the type of `points`. Never NaN.

    Raises
    ------
    ArrayError, BackendUnavailableError, DTypeError, DomainError
    BadInputError
        For NaN or infinite points, points too far out to be squared (1e150 cells), negative weights, and a
        `covariance` that is not symmetric and positive definite.

    Notes
    -----
    Points without a spread: one point, points that coincide or lie on a line (in two or three dimensions) or in a plane
    (in three) have a singular covariance. A kernel that is narrower than 1e-6 of a cell along an axis, or has less than
    1e-12 of a variance left given the other axes, is broadened by half a cell along every axis. So one point gives a
    Gaussian of half a cell. The same holds where a single point has all the weight.

    Nothing there: a cluster without points, or whose weights are all 0, gives zeros under every `normalise`; so does a
    cluster so far from the grid that every term is below 1e-308 (under "sum" too: there is nothing to divide by).
    float32 grids that are faint but not empty are worked out in float64 before they are normalised.

    Accuracy, in parts of the largest value of a grid: 2e-6 for float32 (2e-7 to 7e-7 measured) and 1e-12 for float64
    (7e-14 measured) at correlations of the axes up to 0.99; beyond, the inverse of the covariance is itself known to
    fewer digits, as it is to scipy. Determinism: bitwise independent of `n_threads` and of how clusters are
    batched. Cost: O(n cells), as a matrix product, with O(n (n1 + n2 + n3)) exponentials where the correlation between
    the axes is not extreme, else up to O(n cells) of them (docs/phase-space.md). Memory: the result, and for each
    thread that runs at most 3 MB.

    References
    ----------
    .. [1] Silverman 1986, Density Estimation for Statistics and Data Analysis; Scott 1992, Multivariate Density
       Estimation.
    .. [2] Ho et al. 2019, ApJ 887, 25 (48 x 48 grids of velocity and radius, bandwidth 0.25).

    Examples
    --------
    >>> import numpy as np
    >>> velocity, radius = np.array([-500.0, 100.0, 400.0, 0.0]), np.array([0.3, 0.9, 0.4, 1.1])
    >>> points = np.column_stack([velocity, radius])
    >>> grids = estimate_density(points, [0, 3, 4], axes=[(-2200, 2200, 48), (0, 1.6, 48)])
    >>> grids.shape, grids.sum(axis=(1, 2)).round(6)
    ((2, 48, 48), array([1., 1.]))
    """
    values, starts, mass, grid, kernel, how = arguments(
        points, offsets, axes, bandwidth, at, normalise, weights, covariance, n_threads
    )
    beside = _device.beside(values)
    impl = getattr(_backend.resolve(backend, "kde", beside is not None), f"kde_f{8 * values.itemsize}")
    cells = tuple(int(n) for n in grid[:, 2])
    n_clusters = len(starts) - 1
    result = _device.empty((n_clusters, *cells), values.dtype, beside)
    if not impl(values, starts, mass, grid, kernel, result.reshape(n_clusters, int(np.prod(cells))), **how):
        raise_invalid(values)
    return cast("NDArray[Any]", _device.result(result))
