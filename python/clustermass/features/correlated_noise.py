"""Gaussian noise with a power spectrum, reproducible image by image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import DomainError
from ..ops.noise import add_noise
from .spectra import BeamSpectrum, PowerSpectrum, torus_frequencies

_WIDER = 1.25  # side of the torus over that of the image
_CHUNK = 16  # images transformed at once: 1 MB of modes of 120 x 120


@dataclass(frozen=True)
class CorrelatedNoise:
    """Gaussian noise, stationary and isotropic, with a given power spectrum.

    Parameters
    ----------
    spectrum : BeamSpectrum or PowerSpectrum
        Frequencies in cycles per pixel, power in the unit of the maps squared.

    Raises
    ------
    DTypeError

    Notes
    -----
    Each image is cut out of a torus at least a quarter wider, whose modes are independent normal numbers times the
    square root of the power; so opposite edges of an image are no neighbours. The variance of every pixel is
    ``spectrum.variance`` exactly: the amplitudes are scaled by what the modes of the torus sum up to (a factor of
    1 + 1e-9 for a beam of 5 pixels in 96 x 96; more for beams below a pixel or as wide as the image).

    Examples
    --------
    >>> noise = CorrelatedNoise(BeamSpectrum(((2.0, 5.6),), white=0.1))
    >>> images = noise.draw((96, 96), items=[10, 11, 12], seed=1)
    >>> bool((noise.draw((96, 96), items=[11], seed=1)[0] == images[1]).all())
    True
    """

    spectrum: BeamSpectrum | PowerSpectrum

    def __post_init__(self) -> None:
        if not isinstance(self.spectrum, (BeamSpectrum, PowerSpectrum)):
            raise DomainError(f"`spectrum` must be a BeamSpectrum or PowerSpectrum, got {type(self.spectrum).__name__}")

    @property
    def rms(self) -> float:
        """Of every pixel, in the unit of the maps."""
        return float(np.sqrt(self.spectrum.variance))

    def draw(self, shape: tuple[int, int], *, items: ArrayLike, seed: int, n_threads: int = 1, like: Any = None) -> Any:
        """Draw one image of noise for each item.

        Parameters
        ----------
        shape : (int, int)
            Rows and columns.
        items : array_like of int, shape (n,)
            Keys of the random numbers; equal keys give equal noise.
        seed : int
            From 0 to 2^64 - 1.
        n_threads : int
            Threads; they change no bit of the result.
        like : torch.Tensor, optional
            Draw on its device, with the same normal numbers, and return a tensor.

        Returns
        -------
        ndarray of float32, shape (n, rows, cols)
            In the unit of the maps.

        Raises
        ------
        ArrayError, DomainError, DTypeError

        Notes
        -----
        Determinism: an image depends on (seed, item), the spectrum and `shape` alone, bit by bit on one machine and
        version of NumPy (or torch, on a device). Cost: rows * cols normal numbers and a Fourier transform, about 60
        microseconds for 96 x 96 pixels on one core.
        """
        rows, cols = check.image_shape(shape)
        seed, n_threads = check.seed(seed), check.threads(n_threads)
        if like is not None and like.device.type != "cpu":
            return _on_device(self.spectrum, rows, cols, items, seed, like)
        host = np.asarray(items)  # of a list, an array or a tensor on the host
        keys = check.item_keys(host, host.size)
        out = np.empty((keys.size, rows, cols), np.float32)
        amplitudes, width = _amplitudes(self.spectrum, rows, cols)

        def fill(first: int) -> None:
            part = slice(first, first + _CHUNK)
            modes = np.zeros((len(keys[part]), *amplitudes.shape), np.float32)
            add_noise(modes, 1.0, seed=seed, items=keys[part], out=modes)
            modes *= amplitudes
            columns = np.fft.ifft(modes.view(np.complex64), axis=-2)[:, :rows]
            out[part] = np.fft.irfft(columns, n=width)[:, :, :cols]

        firsts = range(0, keys.size, _CHUNK)
        if n_threads > 1 and len(firsts) > 1:
            with ThreadPoolExecutor(min(n_threads, len(firsts))) as pool:
                list(pool.map(fill, firsts))
        else:
            for first in firsts:
                fill(first)
        return out if like is None else _tensor(out)


def _tensor(array: NDArray[np.float32]) -> Any:
    import torch

    return torch.from_numpy(array)


def _side(pixels: int) -> int:
    """The least even number with no prime factor above 5 that is a quarter larger."""
    side = 2 * int(np.ceil(0.5 * _WIDER * pixels))
    while True:
        rest = side
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return side
        side += 2


@lru_cache(maxsize=16)
def _amplitudes(spectrum: BeamSpectrum | PowerSpectrum, rows: int, cols: int) -> tuple[NDArray[np.float32], int]:
    """What the normal numbers are multiplied by, real and imaginary parts side by side, and the columns of the torus.

    A mode and its mirror image are one complex number of the half plane, so its parts have half the power each. In the
    first and last column a mode and its mirror are both there; the inverse transform of a row takes the real part of
    these columns, which leaves half of twice the power.
    """
    high, wide = _side(rows), _side(cols)
    power = spectrum.power(torus_frequencies(high, wide))
    power *= spectrum.variance / (power.mean() or 1.0)  # no power, no noise
    half = power[:, : wide // 2 + 1]
    half[:, 1:-1] *= 0.5
    amplitudes = np.repeat(np.sqrt(half * (high * wide)), 2, axis=1).astype(np.float32)
    amplitudes.flags.writeable = False
    return amplitudes, wide


def _on_device(
    spectrum: BeamSpectrum | PowerSpectrum, rows: int, cols: int, items: Any, seed: int, like: Any
) -> Any:  # fmt: skip
    """The same from the same normal numbers, transformed by torch."""
    import torch

    amplitudes, width = _amplitudes(spectrum, rows, cols)
    keys = torch.as_tensor(items, dtype=torch.int64, device=like.device)
    modes: Any = torch.zeros((len(keys), *amplitudes.shape), dtype=torch.float32, device=like.device)
    modes = add_noise(modes, 1.0, seed=seed, items=keys) * torch.as_tensor(amplitudes.copy(), device=like.device)
    columns = torch.fft.ifft(torch.view_as_complex(modes.unflatten(-1, (-1, 2))), dim=-2)[:, :rows].contiguous()
    for column in (0, columns.shape[-1] - 1):  # what NumPy leaves out by itself
        columns.imag[..., column] = 0.0
    return torch.fft.irfft(columns, n=width)[:, :, :cols]
