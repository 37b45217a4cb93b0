"""Galaxies of clusters one after another, and summaries of whole clusters, as tensors."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..features.keys import uniform
from ..ops.subsample import draw_subsamples
from ..ragged import ragged_rows, take_rows
from .inputs import GridInputs, Rows, digest_of, drawn_counts

if TYPE_CHECKING:
    import torch

RADII = (0.2, 0.4, 0.7, 1.0)  #: apertures of the summaries, in units of the largest radius
SPEEDS = (300.0, 600.0, 1100.0)  #: km/s; a fourth limit is that of the cylinder
N_SPEEDS = len(SPEEDS) + 1
_KNOWN = ("is_member", "fold", "log10_m200c")
SUMMARIES = len(RADII) * N_SPEEDS + len(RADII) + 1


class GalaxyInputs:
    """Galaxies of clusters, and what is known of each cluster as a whole.

    Of a galaxy: radius, its logarithm, speed along the line of sight, its logarithm; scaled to the order of one. Of a
    cluster: ln of the number of galaxies in 4 apertures below 4 speeds, ln of the mean speed in the apertures (a robust
    dispersion), and how far the mean velocity is from zero. All are the same for a cluster mirrored in velocity, so
    that mirror images need no training.

    Parameters
    ----------
    clusters : Observations
    max_radius, max_velocity : float, comoving Mpc/h and km/s
        Cylinder that galaxies are taken from; radii are in units of `max_radius`.
    subsample : (float, float), optional
        Share of a cluster's galaxies that a training batch draws, uniform between the two. Those that are drawn weigh
        as much as those that are not, so that numbers keep their mean and only scatter more.
    exchange : float
        dex. In a training batch each cluster gets the interlopers of another one, drawn from those of the same fold
        with true masses within this; 0: its own. Needs `clusters` that know masses, members and folds, and changes
        nothing where they do not. What a mock puts around clusters of one mass thus meets members of all of them.
    seed : int
        Of the draws.
    device : torch.device
        Where batches are wanted.
    """

    columns = 4
    summaries = SUMMARIES

    def __init__(
        self,
        clusters: Any,
        *,
        max_radius: float,
        max_velocity: float,
        device: torch.device,
        subsample: tuple[float, float] | None = None,
        exchange: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.seed, self.device, self.subsample = seed, device, subsample
        x, y, velocity = (np.asarray(getattr(clusters, name), np.float32) for name in ("x", "y", "velocity"))
        reach = max_radius / clusters.cosmology.h
        radius = np.hypot(x, y)
        inside = (radius < reach) & (np.abs(velocity) < max_velocity)
        self.offsets = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])[np.asarray(clusters.offsets, np.int64)]
        near, self.velocity = (radius[inside] / reach).astype(np.float32), velocity[inside] / np.float32(1000.0)
        self.others = None
        if exchange > 0 and all(getattr(clusters, name, None) is not None for name in _KNOWN):
            self.others = _Others(clusters, exchange, self.offsets, inside)
            near, self.velocity = near[self.others.order], self.velocity[self.others.order]
        speed = np.abs(self.velocity)
        self.values = np.stack(
            [2 * near - 1, 0.5 * np.log(near + 0.02) + 0.5, 2 * speed - 1, 0.5 * np.log(speed + 0.05) + 0.5], 1
        )
        cell = N_SPEEDS * np.searchsorted(RADII[:-1], near) + np.searchsorted(SPEEDS, 1000.0 * speed)
        self.cell = cell.astype(np.int64)

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """What `SetNetwork` reads, for rows of shape (..., b).

        With a `key` (training) `subsample` applies, with another draw for every key; what is drawn of a cluster is a
        function of (seed, key, row), whatever else is in the batch.

        Returns
        -------
        galaxies : (..., m, 4) float32
            Galaxies of all b clusters one after another; m is the largest number, and some; the rest is padding.
        weight : (..., m) float32
            How many each stands for: 1, more where not all were drawn, 0 for padding.
        owner : (..., m) int64
            Number of the cluster in the batch, 0 to b - 1.
        summary : (..., b, 21) float32
        """
        import torch

        lead, width = rows.shape[:-1], rows.shape[-1]
        where, owner, weight = self._drawn(rows.ravel(), key)
        summary = self._summary(where, owner, weight, rows.size).astype(np.float32)
        groups = prod(lead)
        group = owner // max(1, width)
        sizes = np.bincount(group, minlength=groups)
        longest = _roomy(max(1, int(sizes.max(initial=0))))
        place = group * longest + np.arange(owner.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        galaxies = np.zeros((groups * longest, self.columns), np.float32)
        weights, owners = np.zeros(groups * longest, np.float32), np.zeros(groups * longest, np.int64)
        galaxies[place], weights[place], owners[place] = self.values[where], weight, owner - group * width
        parts = (
            galaxies.reshape(*lead, longest, self.columns),
            weights.reshape(*lead, longest),
            owners.reshape(*lead, longest),
            summary.reshape(*rows.shape, SUMMARIES),
        )
        return tuple(torch.as_tensor(part).to(self.device) for part in parts)

    def summary(self, rows: Rows, key: int | None = None) -> torch.Tensor:
        """The summaries alone, shape (*rows.shape, 21)."""
        import torch

        where, owner, weight = self._drawn(rows.ravel(), key)
        found = self._summary(where, owner, weight, rows.size).astype(np.float32)
        return torch.as_tensor(found.reshape(*rows.shape, SUMMARIES)).to(self.device)

    def digest(self) -> str:
        """SHA-256 of the galaxies."""
        return digest_of(self.offsets, self.values)

    def _drawn(self, rows: Rows, key: int | None) -> tuple[Rows, Rows, NDArray[np.float32]]:
        """Galaxies of a batch: where they are, whose they are, and how many each stands for."""
        if self.others is not None and key is not None:
            offsets, where = self.others.take(rows, uniform((self.seed + 1) % 2**64, rows, key))
        else:
            offsets, where = take_rows(self.offsets, rows)
        counts = np.diff(offsets)
        each = np.ones(rows.size, np.float32)
        if self.subsample is not None and key is not None:
            drawn = drawn_counts(counts, self.subsample, self.seed, key, rows)
            draws = draw_subsamples(offsets, count=drawn, seed=(self.seed + 1 + key) % 2**64, items=rows)
            where, each = where[draws.indices], (counts / np.maximum(1, drawn)).astype(np.float32)
            counts = drawn
        owner = np.repeat(np.arange(rows.size), counts)
        return where, owner, each[owner]

    def _summary(self, where: Rows, owner: Rows, weight: NDArray[np.float32], n: int) -> NDArray[np.float64]:
        shape = (n, len(RADII), N_SPEEDS)
        cell, speed = self.cell[where], np.abs(self.velocity[where])
        count = np.bincount(owner * (shape[1] * N_SPEEDS) + cell, weight, n * shape[1] * N_SPEEDS)
        count = count.reshape(shape).cumsum(1).cumsum(2)
        total = np.bincount(owner * shape[1] + cell // N_SPEEDS, weight * speed, n * shape[1])
        total = total.reshape(shape[:2]).cumsum(1)
        shift = np.bincount(owner, weight * self.velocity[where], n)
        within = count[:, :, -1]
        return np.concatenate(
            [
                np.log1p(count.reshape(n, shape[1] * N_SPEEDS)) - 3.0,
                2.0 * np.log((total + 0.5) / (within + 1.0)) + 1.0,
                3.0 * np.abs(shift / (within[:, -1] + 1.0))[:, None],
            ],
            axis=1,
        )


def _roomy(size: int) -> int:
    """A size up to a sixteenth larger, of few: memory of one batch then serves another, instead of lying in pieces."""
    step = 1 << max(0, size.bit_length() - 5)
    return -(-size // step) * step


class _Others:
    """Members of clusters with the interlopers of others of nearly the same mass, in the same fold.

    Folds divide hosts: a cluster that trains gets interlopers of no cluster that tests.
    """

    def __init__(self, clusters: Any, exchange: float, offsets: Rows, inside: NDArray[np.bool_]) -> None:
        is_member = np.asarray(clusters.is_member, bool)[inside]
        owner = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
        self.order = np.lexsort((~is_member, owner))  # of each cluster the members, then the others
        self.first, self.last = offsets[:-1], offsets[1:]
        self.divide = self.first + np.bincount(owner, is_member, offsets.size - 1).astype(np.int64)
        fold, mass = np.asarray(clusters.fold), np.asarray(clusters.log10_m200c, np.float64)
        self.ranked = np.lexsort((mass, fold))
        # folds one after another on one axis of mass, so far apart that no range of masses meets two
        place = mass + (np.ptp(mass) + 2.0 * exchange + 1.0) * fold
        self.low = np.searchsorted(place[self.ranked], place - exchange, "left")
        self.high = np.searchsorted(place[self.ranked], place + exchange, "right")

    def take(self, rows: Rows, share: NDArray[np.float64]) -> tuple[Rows, Rows]:
        """Offsets of rows and where their galaxies are; `share`, from 0 to 1, chooses the other cluster of each."""
        low = self.low[rows]
        other = self.ranked[low + (share * (self.high[rows] - low)).astype(np.int64)]
        starts = np.stack([self.first[rows], self.divide[other]], 1)
        sizes = np.stack([self.divide[rows], self.last[other]], 1) - starts
        offsets = np.concatenate([[0], np.cumsum(sizes.sum(axis=1))]).astype(np.int64)
        return offsets, ragged_rows(starts.ravel(), sizes.ravel())


class SummarisedGrids:
    """Grids of phase space with the summaries of `GalaxyInputs` beside them, of the same galaxies.

    Parameters
    ----------
    grids : GridInputs
    galaxies : GalaxyInputs
        Of the same clusters, seed and share of galaxies.
    """

    def __init__(self, grids: GridInputs, galaxies: GalaxyInputs) -> None:
        self.grids, self.galaxies = grids, galaxies

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Grids (*rows.shape, *cells) and summaries (*rows.shape, 21)."""
        return (*self.grids.batch(rows, flip, key), self.galaxies.summary(rows, key))

    def digest(self) -> str:
        """SHA-256 of both."""
        return self.grids.digest() + self.galaxies.digest()
