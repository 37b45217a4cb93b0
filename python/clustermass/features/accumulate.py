"""Sum the particles of a snapshot onto the images of many views, in a bounded amount of memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ops.views import ParticleIndex, build_particle_index, project_views
from .channels import Channel, channel_fields, channel_weights
from .levels import collapse, kernel_levels, level_sides
from .views import ViewPlan

FloatArray = NDArray[np.float64]

#: how often a particle is held while it is handled: read, sorted, as weights, and in its index
_WORKING_COPIES = 4
#: share of the budget for indexes that are kept; the rest is for making them
_KEPT_SHARE = 0.6


class Indexed(NamedTuple):
    """Some particles of one type, ready to be projected onto the images of one level."""

    ptype: str
    level: int
    particles: ParticleIndex


@dataclass(frozen=True)
class Projection:
    """How particles become pixels: grid, slab and mass assignment.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns, margins included.
    depth : float
        Half the thickness of the slab along the line of sight [comoving Mpc].
    assignment : dict of str to str
        Scheme for each particle type.
    """

    shape: tuple[int, int]
    depth: float
    assignment: Mapping[str, str]

    @property
    def sides(self) -> tuple[int, ...]:
        """Rows (and columns) of the images of each level, see `levels`."""
        return level_sides(self.shape[0])


@dataclass
class ParticleSource:
    """The particles of a snapshot as indexes ready to be projected: kept when they fit the budget, else streamed.

    Parameters
    ----------
    snapshot : Snapshot
    channels : sequence of Channel
    assignment : dict of str to str
        Scheme for each particle type; "sph" reads smoothing lengths.
    byte_budget : int
        Memory for particles.
    widest_pixel : float
        Side of the widest pixel that a view may have [comoving Mpc]: wide is a kernel that is wide for this one.
    n_levels : int
        Levels of resolution that kernels are sorted into.
    n_threads : int
        For building the indexes.
    """

    snapshot: Any
    channels: Sequence[Channel]
    assignment: Mapping[str, str]
    byte_budget: int
    widest_pixel: float
    n_levels: int
    n_threads: int = 1
    _kept: list[Indexed] | None = field(default=None, init=False)
    _said: set[str] = field(default_factory=set, init=False)

    @property
    def ptypes(self) -> tuple[str, ...]:
        """Particle types that the channels are made of."""
        return tuple(dict.fromkeys(channel.particle_type for channel in self.channels))

    def of_type(self, ptype: str) -> list[Channel]:
        return [channel for channel in self.channels if channel.particle_type == ptype]

    def fields(self, ptype: str) -> list[str]:
        """Fields to read for a particle type, positions first."""
        extra = ["smoothing_length"] if self.assignment[ptype] == "sph" else []
        return ["positions", *channel_fields(self.of_type(ptype), self.snapshot.fields(ptype)), *extra]

    def _row_bytes(self, ptype: str) -> int:
        """Memory for one particle in an index: coordinates, weights, smoothing length, its place."""
        return 8 * (3 + len(self.of_type(ptype)) + 2)

    @property
    def n_particles(self) -> int:
        return sum(self.snapshot.count(ptype) for ptype in self.ptypes)

    @property
    def fits(self) -> bool:
        """Whether all particles stay in memory within the budget."""
        return bool(sum(self.snapshot.count(p) * self._row_bytes(p) for p in self.ptypes) <= self._kept_budget)

    @property
    def _kept_budget(self) -> float:
        return _KEPT_SHARE * self.byte_budget

    def indexes(self) -> Iterator[Indexed]:
        """All particles, chunk after chunk."""
        if self._kept is not None:
            yield from self._kept
        elif self.fits:
            self._kept = list(self._stream())
            yield from self._kept
        else:
            yield from self._stream()

    def _stream(self) -> Iterator[Indexed]:
        working = self.byte_budget - (self._kept_budget if self.fits else 0.0)
        for ptype in self.ptypes:
            fields = self.fields(ptype)
            n_read, n_weights = len(fields) + 2, len(self.of_type(ptype))  # positions are three numbers
            chunk_budget = max(int(working / _WORKING_COPIES * n_read / (n_read + n_weights)), 2**20)
            for chunk in self.snapshot.iter_chunks(ptype, fields, byte_budget=chunk_budget):
                yield from self._index(chunk, ptype)

    def _index(self, chunk: Mapping[str, Any], ptype: str) -> Iterator[Indexed]:
        """One index for each level of resolution that the particles of a chunk need."""
        weights, lengths = self._weights(chunk, ptype), chunk.get("smoothing_length")
        level = np.zeros(len(weights), np.int64)
        if lengths is not None:
            level = kernel_levels(lengths, self.widest_pixel, self.n_levels)
        for k in range(self.n_levels):
            here = level == k
            if not here.any():
                continue
            index = build_particle_index(
                chunk["positions"][here],
                weights[here],
                smoothing_length=None if lengths is None else lengths[here],
                box_size=self.snapshot.header.periodic_box,
                n_threads=self.n_threads,
            )
            yield Indexed(ptype, k, index)

    def _weights(self, chunk: Mapping[str, Any], ptype: str) -> NDArray[np.float64]:
        """Weights of one chunk; what is wrong with many chunks is said once."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            weights = channel_weights(chunk, self.of_type(ptype), self.snapshot.header)
        where = "" if self.fits else " (in the first chunk where it happens)"
        for warning in caught:
            kind = re.sub(r"\d+", "#", str(warning.message))
            if kind not in self._said:
                self._said.add(kind)
                warnings.warn(f"{ptype}: {warning.message}{where}", warning.category, stacklevel=2)
        return weights


def accumulate(
    source: ParticleSource,
    views: ViewPlan,
    projection: Projection,
    *,
    n_threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, FloatArray]:
    """Sum the weights of all particles onto the images of `views`.

    Parameters
    ----------
    source : ParticleSource
        The particles, kept or streamed.
    views : ViewPlan
        From where they are seen.
    projection : Projection
        Grid, slab and mass assignment.
    n_threads : int
        Threads of the projection.
    progress : callable, optional
        Called with the number of particles done after each chunk.

    Returns
    -------
    dict of str to ndarray of float64, shape (view, rows, cols)
        For each channel the sum of the particle weights in each pixel.

    Notes
    -----
    Accuracy: sums in float64; kernels that are at least 32 pixels wide are right to 1e-3 of their own peak (`levels`),
    which is what sampling a kernel costs anyway. Determinism: the same bits for any `n_threads`; another byte budget
    cuts the particles into other chunks and changes the order of the sums (1e-13). Cost: each chunk is read and
    indexed once for all views of a call.
    """
    sums: dict[str, list[FloatArray]] = {
        ptype: [
            np.zeros((len(views), len(source.of_type(ptype)), side, side))
            for side in projection.sides[: source.n_levels if projection.assignment[ptype] == "sph" else 1]
        ]
        for ptype in source.ptypes
    }
    for ptype, level, particles in source.indexes():
        project_views(
            particles,
            views.centre,
            views.rotation,
            pixel_size=views.pixel_size * 2.0**level,
            shape=(projection.sides[level],) * 2,
            depth=projection.depth,
            assignment=projection.assignment[ptype],
            out=sums[ptype][level],
            n_threads=n_threads,
        )
        if progress is not None:
            progress(len(particles))
    images = {ptype: collapse(levels) for ptype, levels in sums.items()}
    return {
        channel.name: images[ptype][:, i] for ptype in source.ptypes for i, channel in enumerate(source.of_type(ptype))
    }
