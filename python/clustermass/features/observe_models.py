"""What observation models share: their interface, sequences of them, and the checks and edges of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..errors import ArrayError, DomainError
from ..ops._tensors import is_tensor
from .keys import mixed_seed

_PART = 16  # images observed at once: 1 MB of 116 x 116 float32
_SEQUENCE = 0x5345515545  # keys the random numbers of the parts of a sequence apart


@runtime_checkable
class ObservationModel(Protocol):
    """What a telescope does to ideal maps."""

    def observe(
        self, images: Any, *, redshift: Any, items: Any, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:  # fmt: skip
        """Observe images (n, channel, row, column) of clusters at `redshift` (n,).

        `items` (n,) and `draw` key the random numbers beside `seed`: a map depends on (seed, item, draw) and itself
        alone. Arrays in, arrays out; tensors in, tensors out on their device.
        """


@dataclass(frozen=True)
class ObservationSequence:
    """Observation models one after the other, themselves an observation model.

    Parameters
    ----------
    models : sequence of ObservationModel
        The first one sees the ideal images. Each has random numbers of its own.

    Raises
    ------
    DomainError
        If something in it cannot observe.

    Examples
    --------
    >>> from clustermass.features.observe_yan import YanObservation
    >>> twice = ObservationSequence([YanObservation(["compton_y"]), YanObservation(["compton_y"])])
    >>> seen = twice.observe(np.zeros((2, 1, 120, 120), np.float32), redshift=[0.05, 0.05], items=[7, 8], seed=1)
    >>> seen.shape, seen.dtype
    ((2, 1, 120, 120), dtype('float32'))
    """

    models: Sequence[ObservationModel]

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))
        for model in self.models:
            if not isinstance(model, ObservationModel):
                raise DomainError(f"`models` must be observation models, got {type(model).__name__}")

    def observe(
        self, images: Any, *, redshift: Any, items: Any, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:  # fmt: skip
        """Observe with one model after the other; arguments and result as there."""
        for number, model in enumerate(self.models):
            own = mixed_seed(check.seed(seed), _SEQUENCE, number)
            images = model.observe(
                images, redshift=redshift, items=items, seed=own, draw=draw, n_threads=n_threads
            )  # fmt: skip
        return images


def checked_images(images: Any, n_channels: int, shape: tuple[int, int] | None = None) -> Any:
    """Images as a stack of floats, or a tensor of floats; finite if on the host.

    Raises
    ------
    ArrayError, DTypeError, BadInputError
    """
    wanted = (None, n_channels, *(shape or (None, None)))
    text = ", ".join("n" if side is None and i == 0 else str(side or "any") for i, side in enumerate(wanted))
    if np.ndim(images) != 4 or any(w not in (None, s) for w, s in zip(wanted, np.shape(images), strict=True)):
        raise ArrayError(f"`images` must have shape ({text}), got {tuple(np.shape(images))}")
    if is_tensor(images):
        tensor: Any = images if images.is_floating_point() else images.double()
        if tensor.device.type == "cpu":
            check.check_finite(tensor.detach().numpy(), "images")
        return tensor
    stack = check.float_array(images, "images", wanted)
    check.check_finite(stack, "images")
    return stack


def checked_keys(items: Any, n: int, seed: int, draw: int, purpose: int) -> tuple[Any, int]:
    """Keys of the images, and the seed of this draw for this purpose.

    Raises
    ------
    ArrayError, DTypeError, DomainError
    """
    if not is_tensor(items):
        items = check.item_keys(items, n)
    elif tuple(items.shape) != (n,):
        raise ArrayError(f"`items` must have shape ({n},), got {tuple(items.shape)}")
    draw = check.integer(draw, "draw", low=0, high=2**64 - 1)
    return items, mixed_seed(check.seed(seed), purpose, draw)


def host_redshifts(redshift: Any, n: int) -> NDArray[np.float64]:
    """Redshifts of n clusters on the host, all > 0; one number stands for all.

    Raises
    ------
    ArrayError, DTypeError, DomainError
    """
    values = redshift.detach().cpu().numpy() if is_tensor(redshift) else redshift
    array = check.float_array(values, "redshift", (None,) * np.ndim(values), dtype=np.float64)
    if array.shape not in ((), (1,), (n,)):
        raise ArrayError(f"`redshift` must be one number or have shape ({n},), got {array.shape}")
    if not (np.isfinite(array) & (array > 0)).all():
        raise DomainError("`redshift` must be finite and > 0")
    return np.broadcast_to(array.reshape(-1), (n,))


def in_parts(run: Callable[[slice, int], Any], images: Any, n_threads: int) -> Any:
    """Rows of `images` observed by ``run(rows, threads)``, a few at a time so that they stay in the cache, and shared
    among the threads. Tensors all at once.
    """
    n_threads = check.threads(n_threads)
    if is_tensor(images):
        return run(slice(None), n_threads)
    out = np.empty_like(images)
    size = max(1, min(_PART, -(-len(images) // n_threads)))

    def part(first: int) -> None:
        rows = slice(first, first + size)
        out[rows] = run(rows, 1)

    firsts = range(0, len(images), size)
    if n_threads > 1 and len(firsts) > 1:
        with ThreadPoolExecutor(min(n_threads, len(firsts))) as pool:
            list(pool.map(part, firsts))
    else:
        for first in firsts:
            part(first)
    return out


def extended(images: Any, margin: int) -> Any:
    """A copy with a border of `margin` pixels that repeats the outermost ones."""
    if is_tensor(images):
        import torch

        return torch.nn.functional.pad(images, (margin,) * 4, mode="replicate") if margin else images.clone()
    return np.pad(images, [(0, 0), (0, 0), (margin, margin), (margin, margin)], mode="edge")


def beside(values: NDArray[Any], images: Any) -> Any:
    """An array in the type of `images`: a tensor on their device where they are one."""
    if is_tensor(images):
        import torch

        return torch.as_tensor(values, dtype=images.dtype, device=images.device)
    return values.astype(images.dtype)
