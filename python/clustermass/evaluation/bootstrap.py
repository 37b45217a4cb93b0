"""Bootstrap by host: views of one host are not independent, so hosts are drawn, and their rows come along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError

FloatArray = NDArray[np.float64]
_VALUES = 2**20  # weights that one block of replicates holds
_TAG = 0x626F6F74  # second word of the key of the random numbers, "boot"


def values_of(values: ArrayLike, name: str, n: int | None = None) -> FloatArray:
    """Finite float64 values, one a row; errors name the argument and the first bad row."""
    array = check.float_array(values, name, (n,), dtype=np.float64)
    check.check_finite(array, name)
    return np.asarray(array, np.float64)


def hosts_of(groups: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Number 0 to n_hosts - 1 of the host of each row, in the order of the ids; None: each row is its own host."""
    if groups is None:
        return np.arange(n, dtype=np.int64)
    ids = np.asarray(groups)
    if ids.shape != (n,):
        raise ArrayError(f"`groups` must have shape ({n},), got {ids.shape}")
    if ids.size and ids.dtype.kind not in "iuUS":
        check.item_keys(ids, n, "groups")  # raises: neither integers nor words
    return np.asarray(np.unique(ids, return_inverse=True)[1].reshape(n), np.int64)


def draw_weights(hosts: NDArray[np.int64], n_bootstrap: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each row is in each replicate, in blocks of shape (some, n) that make up `n_bootstrap` rows in all.

    Each replicate draws as many hosts as there are, with replacement. The numbers depend on the seed and the hosts
    alone, not on the order of rows within them. Memory: 8 MiB a block, or one replicate.
    """
    n_hosts = int(hosts.max(initial=-1)) + 1
    if n_hosts == 0:
        return
    random = np.random.Generator(np.random.Philox(key=[seed, _TAG]))
    is_plain = n_hosts == hosts.size and bool((hosts == np.arange(n_hosts)).all())
    step = max(1, _VALUES // max(n_hosts, hosts.size))
    for first in range(0, n_bootstrap, step):
        m = min(step, n_bootstrap - first)
        drawn = random.integers(0, n_hosts, (m, n_hosts))
        drawn += n_hosts * np.arange(m)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=m * n_hosts).reshape(m, n_hosts)
        yield counts if is_plain else counts[:, hosts]


def draw_numbers(n_hosts: int, n_bootstrap: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """As `draw_weights` with each row its own host, but of Poisson numbers of mean 1: where the total is a draw too."""
    random = np.random.Generator(np.random.Philox(key=[seed, _TAG]))
    step = max(1, _VALUES // max(n_hosts, 1))
    for first in range(0, n_bootstrap, step):
        yield random.poisson(1.0, (min(step, n_bootstrap - first), n_hosts))


def weighted_quantiles(ordered: FloatArray, weights: NDArray[Any], levels: FloatArray) -> FloatArray:
    """Quantiles of replicates, shape (m, k), of values in rising order, each `weights` (m, n) times in a replicate.

    The definition of ``numpy.quantile`` (linear between order statistics) on the values repeated. NaN where a replicate
    is empty.
    """
    m, n = weights.shape
    if n == 0:
        return np.full((m, levels.size), np.nan)
    ends = np.cumsum(weights, axis=1)
    total = ends[:, -1]
    place = levels * np.maximum(total - 1, 0)[:, None]
    low = np.floor(place)
    step = int(total.max()) + 1  # keeps the rows apart when they lie behind each other
    flat = (ends + step * np.arange(m)[:, None]).ravel()

    def value_at(rank: FloatArray) -> FloatArray:
        wanted = np.minimum(rank, np.maximum(total - 1, 0)[:, None]) + step * np.arange(m)[:, None]
        column = np.searchsorted(flat, wanted.ravel(), side="right").reshape(wanted.shape) - n * np.arange(m)[:, None]
        return np.asarray(ordered[np.clip(column, 0, n - 1)])

    lower, upper = value_at(low), value_at(low + 1)
    share = place - low
    result = lower + share * (upper - lower)
    return np.where(total[:, None] > 0, result, np.nan)


def weighted_moments(values: FloatArray, weights: NDArray[Any]) -> tuple[FloatArray, ...]:
    """Mean, standard deviation, skewness and excess kurtosis (moments over n) of each replicate, each of shape (m,)."""
    shift = values.mean() if values.size else 0.0
    scale = values.std() if values.size else 0.0
    centred = (values - shift) / (scale if scale > 0 else 1.0)
    powers = np.stack([centred**k for k in range(5)], axis=1)
    total, first, second, third, fourth = (np.asarray(weights, np.float64) @ powers).T
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second, third, fourth = (s / total for s in (first, second, third, fourth))
        variance = np.maximum(second - first**2, 0.0)
        sigma = np.sqrt(variance)
        # all replicates of equal values leave rounding only
        sigma = np.where(sigma > 1e-10, sigma, 0.0)
        skewness = (third - 3 * first * second + 2 * first**3) / sigma**3
        kurtosis = (fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4) / sigma**4 - 3
    unit = scale if scale > 0 else 1.0
    undefined = sigma == 0
    return (
        shift + unit * first,
        unit * sigma,
        np.where(undefined, np.nan, skewness),
        np.where(undefined, np.nan, kurtosis),
    )


def spread(replicates: FloatArray) -> float:
    """Standard deviation over the replicates that have a value; NaN below two."""
    good = replicates[np.isfinite(replicates)]
    return float(good.std(ddof=1)) if good.size > 1 else float("nan")
