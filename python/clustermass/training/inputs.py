"""What networks on grids see of clusters, as tensors."""

from __future__ import annotations

from hashlib import sha256
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..features.keys import uniform
from ..features.phase_space import GridPreset, phase_space_grids
from ..ops.subsample import draw_subsamples
from ..ragged import take_rows

if TYPE_CHECKING:
    import torch

MAX_CACHE = 2**31  #: bytes of grids kept in memory; above, grids are made for each batch anew
Rows = NDArray[np.int64]


class GridInputs:
    """Density grids of clusters: made once and kept while they fit into `MAX_CACHE`, else made for each batch.

    Keeping pays whenever it fits: a grid of 48 x 48 cells takes 5 us to make and less than 1 us to fetch. Mirror images
    are kept beside them where both fit.

    Parameters
    ----------
    clusters : Observations
    preset : GridPreset
    cut : bool
        Leave out galaxies outside the cylinder of the preset.
    device : torch.device
        Where batches are wanted.
    subsample : (float, float), optional
        Share of a cluster's galaxies that the grid of a training batch is made of, uniform between the two, drawn anew
        for every batch. Grids are then made for each batch.
    seed : int
        Of the draws.
    n_threads : int
        That make grids.
    """

    def __init__(
        self,
        clusters: Any,
        preset: GridPreset,
        *,
        cut: bool,
        device: torch.device,
        subsample: tuple[float, float] | None = None,
        seed: int = 0,
        n_threads: int = 1,
    ) -> None:
        import torch

        self.preset, self.device, self.h = preset, device, clusters.cosmology.h
        self.subsample, self.seed, self.n_threads = subsample, seed, n_threads
        self.velocity_axis = preset.columns.index("velocity")
        names, self.offsets = ("x", "y", "velocity"), np.asarray(clusters.offsets, np.int64)
        self.columns = [np.asarray(getattr(clusters, name), np.float32) for name in names]
        if cut:
            inside = np.hypot(*self.columns[:2]) < preset.max_radius / self.h
            inside &= np.abs(self.columns[2]) < preset.max_velocity
            self.columns = [values[inside] for values in self.columns]
            self.offsets = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])[self.offsets]
        self._cache: torch.Tensor | None = None
        self._n, size = len(clusters), 4 * prod(preset.cells) * len(clusters)
        self._keeps_mirrors = 2 * size <= MAX_CACHE
        if size <= MAX_CACHE:
            self._cache = torch.as_tensor(self._grids(np.arange(len(clusters)))).to(device)

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Grids of rows, shape (*rows.shape, *cells), mirrored in velocity where `flip`.

        With a `key` (training) `subsample` applies, with another draw for every key; a cluster that is twice in a
        batch has one draw.
        """
        import torch

        flat, mirror = rows.ravel(), flip.ravel()
        fresh = key is not None and self.subsample is not None
        if self._cache is not None and not fresh:
            if mirror.any() and self._keeps_mirrors and len(self._cache) == self._n:
                self._cache = torch.cat([self._cache, torch.flip(self._cache, (1 + self.velocity_axis,))])
            if len(self._cache) > self._n:
                flat, mirror = flat + self._n * mirror, np.zeros_like(mirror)
            grids = self._cache[torch.as_tensor(flat, device=self.device)]
        else:
            unique, back = np.unique(flat, return_inverse=True)
            grids = torch.as_tensor(self._grids(unique, key)).to(self.device)
            grids = grids[torch.as_tensor(back, device=self.device)]
        if mirror.any():
            turned = torch.flip(grids, (1 + self.velocity_axis,))
            which = torch.as_tensor(mirror, device=self.device).reshape(-1, *[1] * len(self.preset.cells))
            grids = torch.where(which, turned, grids)
        return (grids.reshape(*rows.shape, *self.preset.cells),)

    def digest(self) -> str:
        """SHA-256 of what grids are made of."""
        return digest_of(self.offsets, *self.columns)

    def _grids(self, rows: Rows, key: int | None = None) -> NDArray[np.float32]:
        offsets, where = take_rows(self.offsets, rows)
        if key is not None and self.subsample is not None:
            counts = drawn_counts(np.diff(offsets), self.subsample, self.seed, key, rows)
            draws = draw_subsamples(offsets, count=counts, seed=(self.seed + 1 + key) % 2**64, items=rows)
            offsets, where = draws.offsets, where[draws.indices]
        x, y, velocity = (values[where] for values in self.columns)
        return phase_space_grids(
            x, y, velocity, offsets, preset=self.preset, h=self.h, cut=False, n_threads=self.n_threads
        )


def drawn_counts(counts: Rows, share: tuple[float, float], seed: int, key: int, items: Rows) -> Rows:
    """How many galaxies of each cluster a training batch draws: at least 1 of those there are.

    The share of a cluster is a function of (seed, key, its number in `items`), whatever else is in the batch.
    """
    low, high = share
    u = uniform(seed, items, key)
    return np.minimum(counts, np.maximum(1, np.floor((low + (high - low) * u) * counts + 0.5).astype(np.int64)))


def digest_of(*arrays: NDArray[Any]) -> str:
    """SHA-256 of arrays with their types and shapes."""
    sha = sha256()
    for values in arrays:
        sha.update(f"{values.dtype.str}{values.shape}".encode())
        sha.update(np.ascontiguousarray(values).tobytes())
    return sha.hexdigest()
