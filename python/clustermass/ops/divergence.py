"""Divergences of samples of points from each other, all pairs at once, by distances to nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _validate
from ..errors import BadInputError, DomainError

DIVERGENCES = ("kl", "renyi")
_LARGEST = 1e150  # squares of coordinates must be finite
_F32_RANGE = (1e-15, 1e15)  # where no square of a difference of float32 values leaves the range of float32


def knn_divergences(
    points: ArrayLike,
    offsets: ArrayLike,
    *,
    k: int = 4,
    divergence: str = "kl",
    alpha: float | None = None,
    others: tuple[ArrayLike, ArrayLike] | None = None,
    n_threads: int = 1,
    backend: str = "auto",
) -> NDArray[np.float64]:
    """Divergences between the distributions that clusters of points are drawn from, of all pairs of clusters.

    Kullback-Leibler [1]_ (eq. 5), with n points of the row and m of the column in d dimensions,

        D = d mean_i ln(nu_i / rho_i) + ln[m / (n - 1)],

    where rho_i and nu_i are the distances of point i of the row to its k-th neighbour among the other points of the
    row and among the points of the column. Renyi of order alpha [2]_:

        D = ln{mean_i (rho_i / nu_i)^[d (1 - alpha)] [(n - 1) / m]^(1 - alpha)
               Gamma(k)^2 / [Gamma(k + 1 - alpha) Gamma(k - 1 + alpha)]} / (alpha - 1).

    Both are set to 0 where they come out below. Distances are not taken below min(1e-2, 1e-100^(1/d)), so that
    duplicates have finite divergences.

    Parameters
    ----------
    points : array_like of float, shape (n_points, d)
        Of 1, 2 or 3 dimensions, in any unit; scale the axes so that distances mean something.
    offsets : array_like of int, shape (n + 1,)
        Points of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1``. Each must have more than k.
    k : int
        Which neighbour, from 1.
    divergence : {"kl", "renyi"}
        Kullback-Leibler, or Renyi.
    alpha : float, optional
        Order of the Renyi divergence, not 1 and less than k away from it; as it approaches 1 the result
        approaches the other one, but for a bias of order 1 / k.
    others : (points, offsets), optional
        The clusters of the columns, each of at least k points; without it, those of the rows, and the divergence of a
        cluster from itself is 0.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ndarray of float64, shape (n, m)
        Row i, column j: divergence of cluster i from cluster j. Not symmetric.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, BackendUnavailableError
        The message names the argument: values that are not finite or above 1e150, clusters with too few points.

    Notes
    -----
    Neighbours are exact: every point is compared with every point, float32 in float32 and float64 in float64;
    logarithms and sums are float64. The result does not depend on `n_threads`, and a pair has the same bits in any
    batch. Cost: O(N M) for N and M points in all (in one dimension O(N m + n M) for large clusters), memory 8 bytes per
    pair of clusters and two copies of the points. 5,000 clusters of 50 points take seconds.

    References
    ----------
    .. [1] Wang, Kulkarni & Verdu 2009, IEEE Trans. Inf. Theory 55, 2392.
    .. [2] Poczos, Xiong & Schneider 2011, UAI 27.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> narrow, wide = rng.normal(0, 1, 2000), rng.normal(0, 2, 2000)
    >>> d = knn_divergences(np.concatenate([narrow, wide])[:, None], [0, 2000, 4000])
    >>> [round(float(v), 1) for v in d[0]]  # exact: ln 2 - 3/8 = 0.32
    [0.0, 0.3]
    """
    k = _validate.integer(k, "k", low=1, high=2**20)
    order = _order(_validate.choice(divergence, "divergence", DIVERGENCES), alpha, k)
    rows = _clusters(points, offsets, k + 1, k, "")
    columns = rows if others is None else _clusters(*_pair(others), k, k, "others: ")
    if rows[0].shape[1] != columns[0].shape[1]:
        raise DomainError(f"`others` must have {rows[0].shape[1]} dimensions, got {columns[0].shape[1]}")
    n_threads = _validate.threads(n_threads)
    module = _backend.resolve(backend, "divergence")
    dtype = _type_of_work(rows[0], columns[0])
    first, second = rows[0].astype(dtype, copy=False), columns[0].astype(dtype, copy=False)
    out = np.empty((rows[1].size - 1, columns[1].size - 1))
    run = module.divergence_f32 if dtype == np.float32 else module.divergence_f64
    run(first, rows[1], second, columns[1], out, k=k, alpha=order, is_one_batch=others is None, n_threads=n_threads)
    return out


def _order(divergence: str, alpha: float | None, k: int) -> float:
    """Order of the divergence; 1 stands for Kullback-Leibler."""
    if divergence == "kl":
        if alpha is not None:
            raise DomainError(f"`alpha` belongs to the divergence 'renyi', got {alpha!r} for 'kl'")
        return 1.0
    if alpha is None:
        raise DomainError("`alpha` must be given for the divergence 'renyi'")
    order = _validate.number(alpha, "alpha")
    if order == 1.0 or not abs(order - 1.0) < k:
        raise DomainError(f"`alpha` must not be 1 and less than `k` = {k} away from it, got {order:g}")
    return order


def _pair(others: Any) -> tuple[Any, Any]:
    try:
        points, offsets = others
    except (TypeError, ValueError) as exc:
        raise DomainError(f"`others` must be (points, offsets), got {type(others).__name__}") from exc
    return points, offsets


def _clusters(points: Any, offsets: Any, fewest: int, k: int, of: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Points and offsets, checked."""
    values = _validate.float_array(points, f"{of}points", (None, None))
    if not 1 <= values.shape[1] <= 3:
        raise DomainError(f"`{of}points` must have 1, 2 or 3 columns, got {values.shape[1]}")
    _validate.check_finite(values, f"{of}points")
    largest = float(np.abs(values).max(initial=0.0))
    if largest > _LARGEST:
        raise DomainError(f"`{of}points` must not exceed {_LARGEST:g}, got {largest:g}")
    bounds = _validate.offsets(offsets, f"{of}offsets", total=len(values))
    sizes = np.diff(bounds)
    if (sizes < fewest).any():
        row = int(np.argmax(sizes < fewest))
        raise BadInputError(
            f"`{of}offsets` must give each cluster at least {fewest} points for `k` = {k}, got {int(sizes[row])} for "
            f"cluster {row}"
        )
    return values, bounds


def _type_of_work(*batches: NDArray[Any]) -> np.dtype[Any]:
    """float32 where all points are, and no square of a difference could overflow or vanish."""
    low, high = _F32_RANGE
    for points in batches:
        size = np.abs(points)
        if points.dtype != np.float32 or size.max(initial=0.0) > high or size[size > 0].min(initial=high) < low:
            return np.dtype(np.float64)
    return np.dtype(np.float32)
