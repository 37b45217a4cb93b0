"""What networks see of clusters, as tensors: grids of phase space, or the galaxies themselves."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ..features.phase_space import GridPreset, phase_space_grids
from ..ops.subsample import draw_subsamples
from ..ragged import take_rows

if TYPE_CHECKING:
    import torch

MAX_CACHE = 2**31  #: bytes of grids kept in memory; above, grids are made for each batch anew
Rows = NDArray[np.int64]


class GridInputs:
    """Density grids of clusters: made once and kept while they fit into `MAX_CACHE`, else made for each batch.

    Keeping pays whenever it fits: a grid of 48 x 48 cells takes 5 us to make and less than 1 us to fetch.

    Parameters
    ----------
    clusters : Observations
    preset : GridPreset
    cut : bool
        Leave out galaxies outside the cylinder of the preset.
    device : torch.device
        Where batches are wanted.
    n_threads : int
        That make grids.
    """

    def __init__(
        self, clusters: Any, preset: GridPreset, *, cut: bool, device: torch.device, n_threads: int = 1
    ) -> None:
        import torch

        self.clusters, self.preset, self.cut, self.device = clusters, preset, cut, device
        self.n_threads = n_threads
        self.velocity_axis = preset.columns.index("velocity")
        self._cache: torch.Tensor | None = None
        if 4 * prod(preset.cells) * len(clusters) <= MAX_CACHE:
            self._cache = torch.as_tensor(self._grids(np.arange(len(clusters)))).to(device)

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Grids of rows, shape (*rows.shape, *cells), mirrored in velocity where `flip`. `key` is not used."""
        import torch

        flat = rows.ravel()
        if self._cache is not None:
            grids = self._cache[torch.as_tensor(flat, device=self.device)]
        else:
            unique, back = np.unique(flat, return_inverse=True)
            grids = torch.as_tensor(self._grids(unique)).to(self.device)[torch.as_tensor(back, device=self.device)]
        mirror = torch.as_tensor(flip.ravel(), device=self.device)
        if flip.any():
            turned = torch.flip(grids, (1 + self.velocity_axis,))
            grids = torch.where(mirror.reshape(-1, *[1] * len(self.preset.cells)), turned, grids)
        return (grids.reshape(*rows.shape, *self.preset.cells),)

    def _grids(self, rows: Rows) -> NDArray[np.float32]:
        offsets, where = take_rows(np.asarray(self.clusters.offsets), rows)
        x, y, velocity = (
            np.asarray(getattr(self.clusters, name), np.float32)[where] for name in ("x", "y", "velocity")
        )
        return phase_space_grids(
            x, y, velocity, offsets, preset=self.preset, h=self.clusters.cosmology.h, cut=self.cut,
            n_threads=self.n_threads,
        )  # fmt: skip


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
            share = np.random.Generator(np.random.Philox(key=[self.seed, key])).uniform(*self.subsample, counts.size)
            counts = np.minimum(counts, np.maximum(1, np.floor(share * counts + 0.5).astype(np.int64)))
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
