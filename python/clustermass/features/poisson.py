"""Photon counts: Poisson numbers of expected counts, reproducible image by image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError, DomainError
from ..ops._tensors import is_tensor

IntArray = NDArray[np.int64]

HIGHEST_RATE = 2.0**52  #: above it neighbouring counts are not told apart by a float64
_PURPOSE = 0x504F4953  # of the counts; see `keyed_generator`


def keyed_generator(seed: int, item: int, draw: int = 0, purpose: int = 0) -> np.random.Generator:
    """A stream of random numbers of its own for each (seed, item, draw, purpose): Philox4x64 with counters apart.

    Parameters
    ----------
    seed, item : int
        The key; 64 bits each, negative numbers keep their bits.
    draw, purpose : int
        Which stream of that key, 64 bits each. Streams are 2^128 numbers apart.

    Examples
    --------
    >>> one, other = (keyed_generator(1, 2, draw).random() for draw in (0, 1))
    >>> one == other
    False
    """
    key = np.array([seed % 2**64, item % 2**64], np.uint64)
    counter = np.array([0, 0, draw % 2**64, purpose % 2**64], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def poisson(
    rates: ArrayLike, *, seed: int, items: ArrayLike | None = None, draw: int = 0, n_threads: int = 1
) -> NDArray[Any]:
    """Draw the number of events in every pixel, where `rates` are the expected numbers.

    Parameters
    ----------
    rates : array_like of float, shape (n, ...)
        Expected counts, from 0 to 2^52. A tensor is taken to the host and the counts are put back beside it.
    seed : int
        From 0 to 2^64 - 1.
    items : array_like of int, shape (n,), optional
        Key of each image, e.g. its number in a catalogue; default 0, 1, 2, ...
    draw : int
        Another number gives another realisation of all images, e.g. the epoch of a training.
    n_threads : int
        Images are shared among them.

    Returns
    -------
    ndarray of float, shape and dtype of `rates`
        Whole numbers; in float32 those above 2^24 are rounded.

    Raises
    ------
    DomainError, BadInputError, ArrayError, DTypeError

    Notes
    -----
    Distribution: exactly Poisson, of the float64 value of each rate: products of uniform numbers below a rate of 10,
    transformed rejection above [1]_, as NumPy has them.
    Determinism: an image depends on (seed, item, draw) and its own rates alone, not on the batch or `n_threads`. A
    rate that changes shifts the numbers of the pixels behind it.
    Cost: 10 to 60 ns a pixel, 15 us an image; float64 memory for one image a thread.

    References
    ----------
    .. [1] Hoermann 1993, Insurance: Mathematics and Economics 12, 39.

    Examples
    --------
    >>> import numpy as np
    >>> counts = poisson(np.full((2, 3, 64, 64), 0.5), seed=7, items=[10, 11])
    >>> counts.shape, f"{counts.mean():.1f}"
    ((2, 3, 64, 64), '0.5')
    >>> one = poisson(np.full((1, 3, 64, 64), 0.5), seed=7, items=[11])
    >>> bool((one[0] == counts[1]).all())
    True
    """
    if is_tensor(rates):
        tensor: Any = rates
        drawn = poisson(tensor.detach().cpu().numpy(), seed=seed, items=items, draw=draw, n_threads=n_threads)
        beside: NDArray[Any] = tensor.new_tensor(drawn)
        return beside
    if np.ndim(rates) < 1:
        raise ArrayError(f"`rates` must have an axis of images, got {np.shape(rates)}")
    expected = check.float_array(rates, "rates", (None,) * np.ndim(rates))
    keys = check.item_keys(items, len(expected))
    seed, n_threads = check.seed(seed), check.threads(n_threads)
    draw = check.integer(draw, "draw", low=0, high=2**64 - 1)
    if expected.size and not (expected.min() >= 0 and expected.max() <= HIGHEST_RATE):  # False for NaN as well
        check.check_finite(expected, "rates")
        check.check_not_negative(expected, "rates")
        raise DomainError(f"`rates` must be at most 2^52, got {expected.max():g}")
    out = np.empty_like(expected)

    def one(i: int) -> None:
        out[i] = keyed_generator(seed, int(keys[i]), draw, _PURPOSE).poisson(expected[i])

    if n_threads == 1 or len(keys) < 2:
        for i in range(len(keys)):
            one(i)
    else:
        with ThreadPoolExecutor(min(n_threads, len(keys))) as pool:
            list(pool.map(one, range(len(keys))))
    return out
