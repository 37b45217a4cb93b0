"""Images as networks see them: observed by a telescope, turned and mirrored, as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.map_sample import CACHED_PIXELS
from ..errors import ArrayError
from .checkpoint import fingerprint_of
from .map_preset import AUGMENTATIONS, MapPreset

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int64]
_ON_GPU = 512  # images in one pass
_VIEW_BITS = 16
_DRAW = 2**31  #: draws of noise in training begin above those of prediction


class MapInputs:
    """Batches of maps for one preset.

    Ideal maps are turned first and observed then, so that a turned map has the noise of its own pixels; maps that were
    observed already are turned as they are.

    Parameters
    ----------
    maps : MapSample
        With the channels of the preset.
    preset : MapPreset
    seed : int
        Of augmentation and noise.
    device : torch.device
        Where batches are wanted.
    n_threads : int
        That observe.

    Attributes
    ----------
    at_once : int
        Maps in one pass without gradients.

    Notes
    -----
    Images and noise depend on (seed, host, view, step) alone, augmentation on (seed, step) and the place in the batch.
    Cost: 0.1 ms a map of 120 x 120 without a telescope.
    """

    def __init__(
        self, maps: Any, preset: MapPreset, *, seed: int, device: torch.device | str, n_threads: int = 1
    ) -> None:
        self.preset, self.seed, self.device, self.n_threads = preset, seed, device, n_threads
        check.choice(preset.augment, "augment", AUGMENTATIONS)
        chosen = maps.select(preset.channels)
        self.images = chosen.images
        pixels = self.images.shape[2] * self.images.shape[3]
        self.at_once = max(1, CACHED_PIXELS // pixels) if str(device).startswith("cpu") else _ON_GPU
        self.redshift = np.asarray(chosen.redshift, np.float64)
        self.items = np.asarray(chosen.host_id, np.int64) << _VIEW_BITS | np.asarray(chosen.view, np.int64)
        self.telescope = None
        if preset.telescope is not None and chosen.is_ideal:
            self.telescope = preset.telescope(chosen.pixel_angle)
        if self.telescope is not None and not preset.fresh_noise:
            self.images, self.telescope = self.observed(self.images, np.arange(len(chosen)), 0), None

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Images (*rows.shape, channel, row, column) and, where the preset says so, redshifts (*rows.shape).

        With a `key` (training) images are augmented and observed with a draw of their own; without one (prediction)
        they are observed with the same draw always. Where `flip`, columns are mirrored.
        """
        import torch

        flat = rows.ravel()
        images = self.images[flat]
        if flip.any():
            images[flip.ravel()] = images[flip.ravel(), :, :, ::-1]
        if key is not None and self.preset.augment != "none":
            images = self._augmented(images, key)
        if self.telescope is not None:
            images = self.observed(images, flat, 0 if key is None else _DRAW + key)
        tensor = torch.as_tensor(images).to(self.device)
        found = [tensor.reshape(*rows.shape, *tensor.shape[1:])]
        if self.preset.redshift:
            found.append(torch.as_tensor(self.redshift[rows].astype(np.float32)).to(self.device))
        return tuple(found)

    def digest(self) -> str:
        """Of images, redshifts and keys; the preset is known by its name."""
        return fingerprint_of(self.preset.name, self.images, self.redshift, self.items)

    def sample(self, rows: Rows, most: int = 512) -> torch.Tensor:
        """Some images of rows as prediction sees them, to fit a scale to: (at most `most`, channel, row, column)."""
        order = np.random.Generator(np.random.Philox(key=[self.seed, 0x7363616C65])).permutation(rows.size)
        chosen = np.sort(rows[order[:most]])
        return self.batch(chosen, np.zeros(chosen.size, bool))[0]

    def observed(self, images: NDArray[np.float32], rows: Rows, draw: int) -> NDArray[np.float32]:
        """Images of rows as the telescope sees them."""
        assert self.telescope is not None  # callers have looked
        got = self.telescope.observe(
            images, redshift=self.redshift[rows], items=self.items[rows], seed=self.seed, draw=draw,
            n_threads=self.n_threads,
        )  # fmt: skip
        if np.shape(got)[0] != rows.size:
            raise ArrayError(f"the telescope of {self.preset.name!r} gave {np.shape(got)[0]} of {rows.size} maps")
        return np.asarray(got, np.float32)

    def _augmented(self, images: NDArray[np.float32], key: int) -> NDArray[np.float32]:
        random = np.random.Generator(np.random.Philox(key=[self.seed, 1 + key]))
        n = len(images)
        kind = self.preset.augment
        if kind == "turn":
            angle = self.preset.max_turn * random.uniform(-1.0, 1.0, n)
            images = turned(images, angle)
        mirror = random.integers(0, 8, n)
        out = np.empty_like(images)
        for number in range(8):
            own = mirror == number
            part = images[own]
            part = part[:, :, ::-1] if number & 1 else part
            part = part[:, :, :, ::-1] if number & 2 else part
            if number & 4 and kind == "square":
                part = part.swapaxes(2, 3)
            out[own] = part
        return out


def turned(images: NDArray[np.float32], angle: NDArray[np.float64]) -> NDArray[np.float32]:
    """Images (n, channel, row, column) turned about their middle by angles (n,) [rad], bilinear, mirrored at borders.

    A turn by pi/2 brings the columns to the place of the rows, as ``np.rot90`` does.

    Examples
    --------
    >>> image = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> turned(image, np.array([np.pi / 2])).round(3).tolist()
    [[[[1.0, 3.0], [0.0, 2.0]]]]
    """
    import torch
    from torch.nn import functional

    n, _, rows, columns = images.shape
    sine, cosine = np.sin(angle), np.cos(angle)
    ratio = rows / columns
    matrix = np.zeros((n, 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = cosine, -sine * ratio
    matrix[:, 1, 0], matrix[:, 1, 1] = sine / ratio, cosine
    grid = functional.affine_grid(torch.as_tensor(matrix.astype(np.float32)), list(images.shape), align_corners=False)
    got = functional.grid_sample(
        torch.as_tensor(images), grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return np.asarray(got.numpy())
