"""Random sub-samples of ragged batches, and selections that flatten a mass function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device, _validate
from .._extras import import_extra
from ..errors import ArrayError, BadInputError, DomainError, DTypeError
from ._tensors import accepts_tensors

_MAX_MEMBERS = 2**32  # positions are drawn with 32 bits


@dataclass(frozen=True)
class Subsamples:
    """Result of `draw_subsamples`: the indices of all draws, row by row.

    Row ``item * n_draws + draw`` is ``indices[offsets[row]:offsets[row + 1]]``.
    """

    indices: NDArray[np.int64]  #: into the flat values that the caller's offsets describe
    offsets: NDArray[np.int64]  #: shape (n_items * n_draws + 1,)
    n_draws: int  #: draws per item


@accepts_tensors
def draw_subsamples(
    offsets: ArrayLike,
    *,
    fraction: ArrayLike | None = None,
    count: ArrayLike | None = None,
    n_draws: int = 1,
    seed: int,
    items: ArrayLike | None = None,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> Subsamples:
    """Draw random subsets, without replacement, of the members of each item of a ragged batch.

    Every subset of k of the n members is equally likely, and draws are independent of each other. Give either
    `fraction`, then ``k = floor(fraction * n + 0.5)``, or `count`, then ``k = count``.

    Parameters
    ----------
    offsets : array_like of int, shape (n_items + 1,)
        Members of item i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of the flat values. Starts at 0, never falls.
    fraction : float or array_like of float, shape (n_items,) or (n_items, n_draws)
        Share of the members, from 0 to 1.
    count : int or array_like of int, shape (n_items,) or (n_items, n_draws)
        Number of members, from 0 to what the item has.
    n_draws : int
        Subsets per item, at least 1.
    seed : int
        From 0 to 2^64 - 1.
    items : array_like of int, shape (n_items,), optional
        Key of each item, e.g. its number in a catalogue; default 0, 1, 2, ... The draws of an item depend on the
        seed, its key, its size, the number of the draw and k: not on the other items of the call.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Offsets or items on a CUDA device are worked on there.

    Returns
    -------
    Subsamples
        Indices into the flat values, int64. A draw is a set: its order carries no meaning and is not random. For
        `offsets` or `items` on a CUDA device: arrays of the same library, on that device. How much is drawn depends on
        `offsets` and `fraction` or `count`: where those lie on the device they are read back, which waits for it once;
        where they are given on the host beside `items` on the device, nothing waits.

    Raises
    ------
    DomainError, BadInputError, ArrayError, DTypeError, BackendUnavailableError

    Notes
    -----
    Determinism: equal for every backend, instruction set and `n_threads`, and for any split of the items into calls
    with the same `items` (docs/determinism.md).
    Cost: O(k) per draw, O(n) where k is of the order of n. Memory: the result, and 4 bytes per member of the largest
    item or 64 MiB, whichever is more.

    References
    ----------
    .. [1] Salmon et al. 2011, SC'11 (Philox4x32-10).
    .. [2] Lemire 2019, ACM Trans. Model. Comput. Simul. 29, 3 (unbiased bounded integers).

    Examples
    --------
    Two clusters with 4 and 6 galaxies, half of each, twice:

    >>> draws = draw_subsamples([0, 4, 10], fraction=0.5, n_draws=2, seed=1)
    >>> draws.offsets
    array([ 0,  2,  4,  7, 10])
    >>> row = 1 * draws.n_draws + 0  # cluster 1, draw 0
    >>> members = draws.indices[draws.offsets[row] : draws.offsets[row + 1]]
    >>> bool(((members >= 4) & (members < 10)).all())
    True
    """
    given, keys = _device.wrap(offsets, "offsets"), _device.wrap(items, "items")
    if _device.is_on_device(given):
        _device.together(offsets=given, items=keys)
    beside = _device.beside(given) or _device.beside(keys)
    starts = _validate.offsets(_device.download(given))
    fraction, count = (_device.download(_device.wrap(value, "fraction")) for value in (fraction, count))
    members = np.diff(starts)
    largest = int(members.max(initial=0))
    if largest >= _MAX_MEMBERS:
        item = int(np.argmax(members))
        raise DomainError(f"`offsets` must give each item fewer than 2^32 members, got {members[item]} for item {item}")
    n_draws = _validate.integer(n_draws, "n_draws", low=1, high=2**32 - 1)
    counts = _counts(members, fraction, count, n_draws)
    keys = _validate.item_keys(keys, members.size)
    seed, n_threads = _validate.seed(seed), _validate.threads(n_threads)
    module = _backend.resolve(backend, "subsample", beside is not None)

    draw_offsets = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts.ravel(), out=draw_offsets[1:])
    indices = _device.empty((int(draw_offsets[-1]),), np.int64, beside)
    options: dict[str, int] = dict(n_draws=n_draws, seed=seed, n_threads=n_threads)
    if beside is not None:
        starts, keys, draw_offsets = (_device.upload(a, beside) for a in (starts, keys, draw_offsets))
        options["max_members"] = largest
    module.subsample(starts, keys, draw_offsets, indices, **options)
    return Subsamples(_device.result(indices), _device.result(draw_offsets), n_draws)


def _counts(members: _validate.IntArray, fraction: Any, count: Any, n_draws: int) -> _validate.IntArray:
    """How many to draw, shape (n_items, n_draws)."""
    if (fraction is None) == (count is None):
        raise DomainError(f"give exactly one of `fraction` and `count`, got {'neither' if count is None else 'both'}")
    if fraction is not None:
        fractions = _validate.float_array(fraction, "fraction", (None,) * np.ndim(fraction), dtype=np.float64)
        fractions = _per_draw(fractions.reshape(np.shape(fraction)), "fraction", members.size, n_draws)
        if not (fractions.min(initial=0.0) >= 0 and fractions.max(initial=0.0) <= 1):  # NaN fails too
            _check_each((fractions >= 0) & (fractions <= 1), fractions, "`fraction` must be from 0 to 1")
        counts: _validate.IntArray = (fractions * members[:, None] + 0.5).astype(np.int64)  # floor: none is negative
        return counts
    counts = np.asarray(count)
    if counts.dtype.kind not in "iu" and counts.size:
        raise DTypeError(f"`count` must be integers, got dtype {counts.dtype}")
    counts = _per_draw(counts.astype(np.int64, copy=False), "count", members.size, n_draws)
    _check_each(counts >= 0, counts, "`count` must not be negative")
    _check_each(counts <= members[:, None], counts, "`count` must be at most the number of members", members)
    return counts


def _per_draw(values: NDArray[Any], name: str, n_items: int, n_draws: int) -> NDArray[Any]:
    if values.shape not in ((), (n_items,), (n_items, n_draws)):
        raise ArrayError(
            f"`{name}` must be a number or have shape ({n_items},) or ({n_items}, {n_draws}), got {values.shape}"
        )
    return np.broadcast_to(values[:, None] if values.ndim == 1 else values, (n_items, n_draws))


def _check_each(ok: NDArray[Any], values: NDArray[Any], expected: str, members: NDArray[Any] | None = None) -> None:
    """Raise with the first item that is not ok."""
    if not ok.all():
        item, draw = (int(i) for i in np.unravel_index(int(np.argmin(ok)), ok.shape))
        has = "" if members is None else f", which has {members[item]} members"
        raise BadInputError(f"{expected}, got {values[item, draw]} for draw {draw} of item {item}{has}")


def select_flat_mass_function(
    log10_mass: ArrayLike,
    *,
    bin_width: float = 0.02,
    max_per_bin: int = 126,
    seed: int,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> NDArray[np.int64]:
    """Keep at most `max_per_bin` clusters per bin of mass, drawn at random; smaller bins are kept whole.

    The training selection of Ho et al. 2019 [1]_: with the defaults at most int(10^-5.2 * 1000^3 * 0.02) = 126 of the
    clusters of a box of 1 Gpc/h per bin of 0.02 dex. `select_smooth_mass_function` is the selection of Kodi Ramanah
    et al. 2021, which thins by probability instead.

    Parameters
    ----------
    log10_mass : array_like of float, shape (n,)
        Logarithm of the mass, any unit of mass.
    bin_width : float
        Width of a bin [dex], > 0. Bin b holds ``b * bin_width <= log10_mass < (b + 1) * bin_width``.
    max_per_bin : int
        At least 0.
    seed : int
        From 0 to 2^64 - 1. What is drawn from a bin depends on the seed, the number b and the clusters of that bin.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ndarray of int64
        Indices of the clusters kept, rising.

    Raises
    ------
    BadInputError
        If a mass is NaN or infinite.
    DomainError, ArrayError, DTypeError, BackendUnavailableError

    Notes
    -----
    The published code does not say where its bins begin; here an edge is at 0, so that a bin does not move when
    clusters are added. Cost: a sort of the masses.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25, section 3.3 and ``halo_cnn/data.py`` of its code.

    Examples
    --------
    >>> import numpy as np
    >>> masses = np.repeat([14.01, 14.51], [1000, 20])
    >>> kept = select_flat_mass_function(masses, max_per_bin=50, seed=3)
    >>> np.unique(masses[kept], return_counts=True)[1]
    array([50, 20])
    """
    masses = _validate.float_array(log10_mass, "log10_mass", (None,), dtype=np.float64)
    _validate.check_finite(masses, "log10_mass")
    bin_width = _validate.number(bin_width, "bin_width", above=0)
    max_per_bin = _validate.integer(max_per_bin, "max_per_bin", low=0)
    position = masses / bin_width
    if np.abs(position).max(initial=0.0) > 2.0**53:
        raise DomainError(f"`bin_width` must leave fewer than 2^53 bins, got {bin_width:g}")
    bins = np.floor(position).astype(np.int64)
    order = np.argsort(bins, kind="stable")
    numbers, sizes = np.unique(bins, return_counts=True)
    draws = draw_subsamples(
        np.concatenate([[0], np.cumsum(sizes)]), count=np.minimum(sizes, max_per_bin), seed=seed, items=numbers,
        n_threads=n_threads, backend=backend,
    )  # fmt: skip
    return np.sort(order[draws.indices])


def select_smooth_mass_function(
    log10_mass: ArrayLike,
    *,
    threshold: float = 6.5,
    n_bins: int = 30,
    seed: int,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> NDArray[np.int64]:
    """Keep each cluster with a probability that falls as the number of clusters of its mass grows.

    A cluster is kept if ``U * 10**(s(log10_mass) - 2) < threshold``, with U uniform in [0, 1) and s a smooth form of
    the logarithm of the mass function: a cubic spline through log10 of the counts in `n_bins` bins, at the centres of
    the bins, the first and last moved to the outer edges. The training selection of Kodi Ramanah et al. 2021 [1]_;
    `select_flat_mass_function` is that of Ho et al. 2019.

    Parameters
    ----------
    log10_mass : array_like of float, shape (n,)
        Logarithm of the mass, any unit of mass.
    threshold : float
        About a hundredth of the clusters kept per bin, > 0. Published: 6.5; 10 keeps about 25,000 of their clusters.
    n_bins : int
        Number of equal bins between the smallest and the largest mass, at least 1.
    seed : int
        From 0 to 2^64 - 1. U depends on the seed and the index of the cluster.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba"}
        An explicit choice never falls back to another.

    Returns
    -------
    ndarray of int64
        Indices of the clusters kept, rising.

    Raises
    ------
    BadInputError
        If a mass is NaN or infinite.
    MissingDependencyError
        If scipy is not installed.
    DomainError, ArrayError, DTypeError, BackendUnavailableError

    Notes
    -----
    Bins without clusters are left out of the spline: the logarithm of zero has no smooth form.

    References
    ----------
    .. [1] Kodi Ramanah, Wojtak & Arendse 2021, MNRAS 501, 4080, and the code
       ``SBI_dynamical_mass_estimator`` that belongs to it.

    Examples
    --------
    >>> import numpy as np
    >>> masses = 14 - np.log(1 - np.arange(40_000) / 40_000) / np.log(10) / 2
    >>> kept = select_smooth_mass_function(masses, seed=3)
    >>> kept.size < masses.size / 4, bool(masses[kept].mean() > masses.mean())
    (True, True)
    """
    masses = _validate.float_array(log10_mass, "log10_mass", (None,), dtype=np.float64)
    _validate.check_finite(masses, "log10_mass")
    threshold = _validate.number(threshold, "threshold", above=0)
    n_bins = _validate.integer(n_bins, "n_bins", low=1, high=1_000_000)
    seed, n_threads = _validate.seed(seed), _validate.threads(n_threads)
    module = _backend.resolve(backend, "subsample")
    uniform = np.empty(masses.size)
    module.subsample_uniform(np.arange(masses.size), uniform, seed=seed, n_threads=n_threads)
    return np.flatnonzero(uniform * 10 ** (_log10_counts(masses, n_bins) - 2) < threshold)


def _log10_counts(masses: _validate.FloatArray, n_bins: int) -> NDArray[np.float64]:
    """The smooth logarithm of the mass function at each mass."""
    interpolate = import_extra("scipy.interpolate", extra="mock", what="select_smooth_mass_function needs")
    if masses.size == 0:
        return np.empty(0)
    counts, edges = np.histogram(masses, bins=n_bins)
    centres = 0.5 * (edges[1:] + edges[:-1])
    centres[0], centres[-1] = edges[0], edges[-1]
    filled = counts > 0
    if filled.sum() == 1:
        return np.full(masses.size, np.log10(masses.size))
    spline = interpolate.CubicSpline(centres[filled], np.log10(counts[filled]))
    return np.asarray(spline(masses), np.float64)
