"""What a telescope does to ideal maps: white noise and a Gaussian beam, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..errors import DomainError
from ..ops.beam import beam_margin, convolve_beam
from ..ops.noise import add_noise

IntArray = NDArray[np.int64]

ORDERS = ("noise-then-beam", "beam-then-noise")

_VIEWS_BITS, _CHANNEL_BITS = 16, 6


@dataclass(frozen=True)
class Observation:
    """Noise and beam of one channel.

    Parameters
    ----------
    noise : float
        Root mean square of the noise drawn in each pixel, in the unit of the channel, >= 0.
    beam_fwhm : float
        Full width at half maximum of the beam, in pixels, >= 0; 0 for none.
    """

    noise: float
    beam_fwhm: float

    def __post_init__(self) -> None:
        check.number(self.noise, "noise", low=0)
        check.number(self.beam_fwhm, "beam_fwhm", low=0, high=10_000)

    @property
    def margin(self) -> int:
        """Pixels around the field whose light the beam carries into it."""
        return beam_margin(self.beam_fwhm)


def noise_keys(cluster_id: IntArray, number: IntArray, channel: int) -> IntArray:
    """One key per (cluster, view, channel) for the random numbers, the same whatever else is mapped with it."""
    for name, values, bits in (("cluster_id", cluster_id, 41), ("number of the view", number, _VIEWS_BITS)):
        if len(values) and not (int(values.min()) >= 0 and int(values.max()) < 2**bits):
            raise DomainError(f"`{name}` must lie within 0 ... 2^{bits} - 1, got {values.min()} to {values.max()}")
    view = cluster_id.astype(np.int64) << (_VIEWS_BITS + _CHANNEL_BITS) | number.astype(np.int64) << _CHANNEL_BITS
    return np.asarray(view | channel)


def observe(
    images: NDArray[Any],
    observation: Observation,
    *,
    margin: int,
    items: IntArray,
    order: str = "noise-then-beam",
    seed: int,
    n_threads: int = 1,
) -> NDArray[np.float32]:
    """Add the noise and the beam of one channel to ideal images, and cut the margin off.

    Yan et al. 2020 (section 2.2.3) add the noise first and smooth afterwards, so that the final noise is weaker than
    the rms given and correlated over the beam; "beam-then-noise" gives white noise of exactly that rms.

    Parameters
    ----------
    images : ndarray of float, shape (view, rows + 2 margin, cols + 2 margin)
        Ideal images with a margin of sky around the field.
    observation : Observation
        Noise rms in the unit of `images`, beam in pixels.
    margin : int
        Width of that margin [pixel]; at least ``observation.margin``.
    items : ndarray of int64, shape (view,)
        Keys of the random numbers (`noise_keys`).
    order : {"noise-then-beam", "beam-then-noise"}
        What comes first.
    seed : int
        Any integer from 0 to 2^64 - 1.
    n_threads : int
        Threads; they change no bit of the result.

    Returns
    -------
    ndarray of float32, shape (view, rows, cols)

    Raises
    ------
    DomainError, BadInputError

    Notes
    -----
    Structure outside the field leaks in as on the sky, since the beam acts on the margin too. Determinism: a pixel
    depends on (seed, item) and the size of the image alone. Cost: two passes over the images.

    Examples
    --------
    >>> ideal = np.zeros((1, 8, 8))
    >>> observe(ideal, Observation(noise=1.0, beam_fwhm=0.0), margin=2, items=np.array([5]), seed=1).shape
    (1, 4, 4)
    """
    check.choice(order, "order", ORDERS)
    reach = observation.margin
    margin = check.integer(margin, "margin", low=reach)
    extra = margin - reach
    rows, cols = images.shape[1] - extra, images.shape[2] - extra
    # a copy of its own: noise goes in place, and float32 only now, after the sums in float64
    field = np.array(images[:, extra:rows, extra:cols], dtype=np.float32, order="C")
    noise_first = order == "noise-then-beam"
    if observation.noise > 0 and noise_first:
        add_noise(field, observation.noise, seed=seed, items=items, out=field, n_threads=n_threads)
    if reach > 0:
        field = convolve_beam(field, observation.beam_fwhm, edge="crop", margin=reach, n_threads=n_threads)
    if observation.noise > 0 and not noise_first:
        add_noise(field, observation.noise, seed=seed, items=items, out=field, n_threads=n_threads)
    return np.asarray(field, np.float32)


def common_margin(observations: Sequence[Observation]) -> int:
    """The margin that is wide enough for every channel [pixel]."""
    return max((o.margin for o in observations), default=0)
