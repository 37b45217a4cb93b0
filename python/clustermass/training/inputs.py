"""What networks see of clusters, as tensors: grids of phase space, or the galaxies themselves."""

from __future__ import annotations

from hashlib import sha256
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
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


class GalaxyInputs:
    """Galaxies of clusters as padded tables: (radius / R, ln radius, velocity / 1000 km/s and its size), and a mask.

    Parameters
    ----------
    clusters : Observations
    max_radius, max_velocity : float, comoving Mpc/h and km/s
        Cylinder that galaxies are taken from; radii are in units of `max_radius`.
    max_members : int
        Of richer clusters as many galaxies are drawn at random.
    subsample : (float, float), optional
        Share of the galaxies that a training batch draws, uniform between the two.
    seed : int
    device : torch.device
    """

    columns = 4

    def __init__(
        self,
        clusters: Any,
        *,
        max_radius: float,
        max_velocity: float,
        max_members: int,
        subsample: tuple[float, float] | None,
        seed: int,
        device: torch.device,
    ) -> None:
        if max_members < 1:
            raise DomainError(f"`max_members` must be at least 1, got {max_members}")
        self.seed, self.device, self.max_members, self.subsample = seed, device, max_members, subsample
        reach = max_radius / clusters.cosmology.h
        radius = np.hypot(np.asarray(clusters.x, np.float64), np.asarray(clusters.y, np.float64))
        velocity = np.asarray(clusters.velocity, np.float64)
        inside = (radius < reach) & (np.abs(velocity) < max_velocity)
        self.offsets = np.concatenate([[0], np.cumsum(inside)])[np.asarray(clusters.offsets)].astype(np.int64)
        near, fast = radius[inside] / reach, velocity[inside] / 1000.0
        self.values = np.stack([2 * near - 1, 0.5 * np.log(near + 0.02) + 0.5, fast, np.abs(fast) - 0.7], 1)
        self.values = self.values.astype(np.float32)

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Galaxies (*rows.shape, members, columns) and mask (*rows.shape, members).

        With a `key` (training) `subsample` applies and richer clusters get another draw for every key; without one
        (prediction) all galaxies are taken, or always the same draw.
        """
        import torch

        flat = rows.ravel()
        offsets, where = take_rows(self.offsets, flat)
        counts = np.diff(offsets)
        if self.subsample is not None and key is not None:
            counts = drawn_counts(counts, self.subsample, self.seed, key, flat)
        counts = np.minimum(counts, self.max_members)
        draws = draw_subsamples(offsets, count=counts, seed=(self.seed + 1 + (key or 0)) % 2**64, items=flat)
        chosen = self.values[where[draws.indices]]
        padded = np.zeros((flat.size, max(1, int(counts.max(initial=0))), self.columns), np.float32)
        mask = np.arange(padded.shape[1]) < counts[:, None]
        padded[mask] = chosen
        padded[flip.ravel(), :, 2] *= -1.0
        galaxies = torch.as_tensor(padded).to(self.device)
        here = torch.as_tensor(mask.astype(np.float32)).to(self.device)
        return galaxies.reshape(*rows.shape, *galaxies.shape[1:]), here.reshape(*rows.shape, here.shape[1])

    def digest(self) -> str:
        """SHA-256 of the galaxies."""
        return digest_of(self.offsets, self.values)


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
