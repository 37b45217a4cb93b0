"""Gaussian white noise on images, reproducible element by element."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device, _validate
from ..errors import ArrayError, DomainError, DTypeError
from ._tensors import accepts_tensors

_MAX_ELEMENTS = 2**34  # per image: a block number has 32 bits and gives four numbers


@accepts_tensors
def add_noise(
    images: ArrayLike,
    sigma: ArrayLike,
    *,
    seed: int,
    items: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> NDArray[Any]:
    """Add independent Gaussian noise to every pixel.

    ``out[i, c, y, x] = images[i, c, y, x] + sigma[c] * z``, with z a standard normal number that depends only on
    `seed`, ``items[i]`` and the position of the element in its image.

    Parameters
    ----------
    images : array_like of float, shape (n, rows, cols) or (n, channels, rows, cols)
        Images in any unit; float32 and float64 stay what they are. Never modified, unless `out` is `images` itself.
        A pixel that is NaN stays NaN.
    sigma : float or array_like of float, shape (channels,)
        Standard deviation of the noise, in the unit of the images, >= 0. A channel with 0 is left alone; it does not
        shift the noise of the others.
    seed : int
        From 0 to 2^64 - 1.
    items : array_like of int, shape (n,), optional
        Key of each image, e.g. its number in a catalogue; default 0, 1, 2, ... Images with equal keys get equal
        noise; the noise of an image does not depend on the other images of the call.
    out : ndarray, shape and dtype of `images`, optional
        Where to write the result; may be `images` itself.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. Images on a CUDA device are worked on there.

    Returns
    -------
    ndarray of float, shape and dtype of `images`
        `out` if it was given.

    Raises
    ------
    DomainError, BadInputError, ArrayError, DTypeError, BackendUnavailableError

    Notes
    -----
    Accuracy: z is a float32 number, the same for float32 and float64 images; its relative error against the exact
    Box-Muller transform of its random bits is below 4.6e-7. |z| <= 6.66, which a normal number exceeds once in 4e10.
    Determinism: equal bits for every backend, instruction set and `n_threads`, and for any split of the images into
    calls with the same `items` (docs/determinism.md).
    Cost: O(number of pixels); no memory beyond the result.

    References
    ----------
    .. [1] Salmon et al. 2011, SC'11 (Philox4x32-10).
    .. [2] Box & Muller 1958, Ann. Math. Statist. 29, 610.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((3, 4, 64, 64), np.float32)  # three clusters, four channels
    >>> noisy = add_noise(images, [0.0, 1.0, 2.0, 0.5], seed=7, items=[10, 11, 12])
    >>> [f"{s:.1f}" for s in noisy.std(axis=(0, 2, 3))]
    ['0.0', '1.0', '2.0', '0.5']
    >>> one = add_noise(images[1:2], [0.0, 1.0, 2.0, 0.5], seed=7, items=[11])
    >>> bool((one == noisy[1]).all())
    True
    """
    beside, (given, given_items) = _device.together(images=images, items=items)
    image_array = _image_array(given)
    n_items, channels = len(image_array), (image_array.shape[1] if image_array.ndim == 4 else 1)
    sigmas = _sigmas(sigma, channels, image_array.dtype)
    keys = _validate.item_keys(given_items, n_items)
    seed, n_threads = _validate.seed(seed), _validate.threads(n_threads)
    run = getattr(_backend.resolve(backend, "noise", beside is not None), f"noise_f{8 * image_array.itemsize}")
    flat = (n_items, channels, image_array.shape[-2] * image_array.shape[-1])
    if beside is not None:
        own_keys = None if items is None else keys
        return _add_on_device(run, image_array, flat, _device.upload(sigmas, beside), own_keys, seed, out)
    if out is None:
        out = np.array(image_array)
    else:
        _check_out(out, image_array)
        if not _is_same_memory(out, image_array):
            np.copyto(out, image_array)
    run(out.reshape(flat), sigmas, keys, seed=seed, n_threads=n_threads)
    return out


def _add_on_device(run: Any, images: Any, flat: tuple[int, ...], sigmas: Any, keys: Any, seed: int,
                   out: Any) -> NDArray[Any]:  # fmt: skip
    """The same on a CUDA device: one pass from `images` to the result."""
    if out is None:
        result = _device.empty(images.shape, images.dtype, images)
    else:
        result = _device.output(out, "out", images.shape, images.dtype, images)
        if result.address != images.address and _device.overlap(result, images):
            raise ArrayError("`out` must be `images` itself or not overlap it, got a partial overlap")
    run(images, result, flat, sigmas, keys, seed=seed)
    return cast("NDArray[Any]", _device.result(result))


def _image_array(images: ArrayLike) -> _validate.FloatArray:
    n_axes = np.ndim(images)
    if n_axes not in (3, 4):
        raise ArrayError(
            f"`images` must have shape (n, rows, cols) or (n, channels, rows, cols), got {np.shape(images)}"
        )
    array = _validate.float_array(images, "images", (None,) * n_axes)
    per_item = int(np.prod(array.shape[1:], dtype=np.int64))
    if per_item > _MAX_ELEMENTS:
        raise DomainError(f"`images` must have at most 2^34 elements per item, got {per_item}")
    return array


def _sigmas(sigma: ArrayLike, channels: int, dtype: np.dtype[Any]) -> _validate.FloatArray:
    """Standard deviation per channel, float64."""
    array = _validate.float_array(sigma, "sigma", (None,) * np.ndim(sigma), dtype=np.float64).reshape(np.shape(sigma))
    if array.shape not in ((), (channels,)):
        raise ArrayError(f"`sigma` must be a number or have shape ({channels},), got {array.shape}")
    array = np.array(np.broadcast_to(array, (channels,)), np.float64)
    _validate.check_finite(array, "sigma")
    _validate.check_not_negative(array, "sigma")
    if array.max(initial=0.0) > np.finfo(dtype).max:
        raise DomainError(f"`sigma` must fit into the dtype of the images, {dtype}, got {array.max():g}")
    return array


def _check_out(out: Any, images: _validate.FloatArray) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != images.dtype:
        got = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise DTypeError(f"`out` must be an array of the dtype of `images`, {images.dtype}, got {got}")
    if out.shape != images.shape:
        raise ArrayError(f"`out` must have the shape of `images`, {images.shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ArrayError("`out` must be C-contiguous and writable, got another layout or a read-only array")
    if not _is_same_memory(out, images) and np.may_share_memory(out, images):
        raise ArrayError("`out` must be `images` itself or not overlap it, got a partial overlap")


def _is_same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.__array_interface__["data"][0] == b.__array_interface__["data"][0] and a.shape == b.shape
