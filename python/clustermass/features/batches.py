"""Density grids for training, made anew at every step from a catalogue that lies where the network does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _backend
from .. import _validate as check
from .._extras import import_extra
from ..errors import ArrayError, DomainError
from ..ops.kde import estimate_density
from ..ops.noise import add_noise
from ..ops.subsample import draw_subsamples
from .keys import mixed_seed

if TYPE_CHECKING:
    import torch

_ORDER, _DRAW, _ERROR, _FLIP, _FRACTION = range(1, 6)  # what random numbers are for


class PhaseSpaceBatch(NamedTuple):
    """One training step."""

    items: torch.Tensor  #: int64 (batch,): which clusters; indexes labels that lie on the same device
    grids: torch.Tensor  #: (batch, n1[, n2[, n3]])


class PhaseSpaceBatcher:
    """Batches of density grids, each from a fresh sub-sample with fresh velocity errors and flips.

    At step s: the next `batch_size` clusters of the shuffled epoch; of each a random `fraction` of its galaxies without
    replacement; a Gaussian error added to their velocities; for a random half of the clusters the sign of all
    velocities changed; `estimate_density`. The catalogue stays on the device of `points`. What is decided per cluster
    (order, fraction, flip) is worked out on the host, which knows the number of members of each from the start, and
    sent along; nothing is fetched back, and no step waits for the device.

    Parameters
    ----------
    points : tensor or array_like of float, shape (n, d)
        Galaxies of all clusters one after another, e.g. velocity [km/s] and radius [comoving Mpc]; d is 1, 2 or 3.
    offsets : tensor or array_like of int, shape (clusters + 1,)
        Galaxies of cluster i are ``offsets[i]`` to ``offsets[i + 1]``.
    axes, bandwidth, at, normalise
        As for `estimate_density`.
    batch_size : int
        Clusters per step. The last step of an epoch has what is left.
    seed : int
        From 0 to 2^64 - 1.
    fraction : float or (float, float)
        Share of the galaxies that are drawn, from 0 to 1; a pair: uniform between the two, for each cluster and step.
    velocity_column : int
        Column of `points` that the two following options are about.
    velocity_error : float
        Standard deviation of the error of each velocity [km/s], >= 0.
    flip : bool
        Whether half of the clusters get their velocities mirrored: the sign of the line of sight is a convention.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. A catalogue on a CUDA device is worked on there.

    Raises
    ------
    ArrayError, DTypeError, DomainError
        The message names the argument.
    MissingDependencyError
        If torch is not installed.

    Notes
    -----
    Determinism: a batch is a function of the catalogue, the options, the seed and the number of the step: training goes
    on at any step without a history, and the bits do not depend on `n_threads`. The grid of a cluster depends on the
    seed, the step and the number of the cluster, not on the others in its batch (docs/determinism.md). Cost: that of
    `estimate_density`, and with 100 galaxies and 48 x 48 cells 60 % more for draws, errors and copies; less with larger
    grids. Memory: besides the batch, up to two numbers per member of its clusters. Gradients are not kept.

    Examples
    --------
    >>> import numpy as np
    >>> galaxies = np.random.default_rng(1).normal(0, 500, (60, 1))
    >>> batcher = PhaseSpaceBatcher(galaxies, [0, 20, 35, 60], axes=[(-2200, 2200, 48)], batch_size=2, seed=5,
    ...                             fraction=(0.5, 1.0), velocity_error=50.0)
    >>> len(batcher), [tuple(batch.grids.shape) for batch in batcher.epoch(0)]
    (2, [(2, 48), (1, 48)])
    >>> bool((batcher.batch(7).grids == batcher.batch(7).grids).all())
    True
    """

    def __init__(
        self,
        points: Any,
        offsets: Any,
        *,
        axes: Sequence[tuple[float, float, int]],
        batch_size: int,
        seed: int,
        bandwidth: float | str = 0.25,
        at: str = "centres",
        normalise: str = "sum",
        fraction: float | tuple[float, float] = 1.0,
        velocity_column: int = 0,
        velocity_error: float = 0.0,
        flip: bool = True,
        n_threads: int = 1,
        backend: str = "auto",
    ) -> None:
        self._torch = import_extra("torch", extra="ml", what="PhaseSpaceBatcher needs")
        values = points if isinstance(points, self._torch.Tensor) else check.float_array(points, "points", (None, None))
        self.points: torch.Tensor = self._torch.as_tensor(values).detach()
        if self.points.ndim != 2 or not self.points.is_floating_point():
            raise ArrayError(f"`points` must be a table of floats, got {self.points.dtype} {tuple(self.points.shape)}")
        host = offsets.detach().cpu().numpy() if isinstance(offsets, self._torch.Tensor) else offsets
        self._starts = check.offsets(host, total=self.points.shape[0])
        if self._starts.size < 2:
            raise ArrayError("`offsets` must describe at least one cluster, got none")
        self.batch_size = check.integer(batch_size, "batch_size", low=1)
        self.seed = check.seed(seed)
        low, high = fraction if isinstance(fraction, tuple) else (fraction, fraction)
        self._low = check.number(low, "fraction", low=0, high=1)
        self._high = check.number(high, "fraction", low=0, high=1)
        if self._low > self._high:
            raise DomainError(f"`fraction` must be (low, high) with low <= high, got {fraction!r}")
        self._column = check.integer(velocity_column, "velocity_column", low=0, high=self.points.shape[1] - 1)
        self.velocity_error = check.number(velocity_error, "velocity_error", low=0)
        self.flip = bool(flip)
        self._threads, self._backend = check.threads(n_threads), backend
        self._density: dict[str, Any] = dict(axes=axes, bandwidth=bandwidth, at=at, normalise=normalise)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __len__(self) -> int:
        """Steps per epoch."""
        return -(-self.n_clusters // self.batch_size)

    def __repr__(self) -> str:
        return (
            f"PhaseSpaceBatcher({self.n_clusters} clusters, {self.points.shape[0]} galaxies on {self.points.device}, "
            f"{len(self)} steps of {self.batch_size} per epoch, seed {self.seed})"
        )

    @property
    def n_clusters(self) -> int:
        return int(self._starts.size - 1)

    def epoch(self, number: int) -> Iterator[PhaseSpaceBatch]:
        """The batches of an epoch: every cluster once."""
        first = check.integer(number, "number", low=0) * len(self)
        return (self.batch(step) for step in range(first, first + len(self)))

    def batch(self, step: int) -> PhaseSpaceBatch:
        """The batch of a step, counted from 0 over all epochs."""
        step = check.integer(step, "step", low=0)
        clusters = self._clusters(step)
        members = np.diff(self._starts)[clusters]
        counts = self._counts(clusters, members, step)
        local = np.concatenate([[0], np.cumsum(members)])
        items = self._on_device(clusters)
        draws = draw_subsamples(  # sizes from the host, keys on the device: drawn there, and nothing is read back
            local, count=counts, seed=mixed_seed(self.seed, _DRAW, step), items=items, n_threads=self._threads,
            backend=self._backend,  # type: ignore[arg-type]
        )  # fmt: skip
        drawn: Any = draws.indices
        points = self.points[drawn + self._per_galaxy(self._starts[clusters] - local[:-1], counts)]
        velocity = points[:, self._column]
        if self.velocity_error > 0:
            errors, first = self._errors(clusters, members, step)
            velocity = velocity + errors[drawn + self._per_galaxy(first - local[:-1], counts)]
        if self.flip:
            sign = np.where(self._uniform(clusters, _FLIP, step) < 0.5, -1, 1)
            velocity = velocity * self._per_galaxy(sign, counts)
        points[:, self._column] = velocity
        grids: Any = estimate_density(
            points, draws.offsets, **self._density, n_threads=self._threads, backend=self._backend
        )
        return PhaseSpaceBatch(items, grids)

    def _clusters(self, step: int) -> NDArray[np.int64]:
        epoch, place = divmod(step, len(self))
        if epoch != self._epoch:  # kept: all steps of an epoch need the same order
            key = self._uniform(np.arange(self.n_clusters), _ORDER, epoch)
            self._epoch, self._order = epoch, np.argsort(key, kind="stable")
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]

    def _counts(self, clusters: NDArray[np.int64], members: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        share = self._low + (self._high - self._low) * self._uniform(clusters, _FRACTION, step)
        return np.minimum(np.floor(share * members + 0.5).astype(np.int64), members)

    def _errors(
        self, clusters: NDArray[np.int64], members: NDArray[np.int64], step: int
    ) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Errors of all members, keyed by cluster and member, and where those of each cluster begin. Clusters of about
        the same size are done together, as images of one row: less than half of the numbers are not needed.
        """
        sizes = np.ceil(np.log2(np.maximum(members, 1)))
        first, end, parts = np.empty_like(members), 0, []
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            width = max(int(members[rows].max()), 1)
            blank = self._torch.zeros((rows.size, 1, width), dtype=self.points.dtype, device=self.points.device)
            errors: Any = add_noise(
                blank, self.velocity_error, seed=mixed_seed(self.seed, _ERROR, step),
                items=self._on_device(clusters[rows]),
                n_threads=self._threads, backend=self._backend,  # type: ignore[arg-type]
            )  # fmt: skip
            parts.append(errors.reshape(-1))
            first[rows] = end + width * np.arange(rows.size)
            end += rows.size * width
        together: torch.Tensor = self._torch.cat(parts)
        return together, first

    def _uniform(self, clusters: NDArray[np.int64], purpose: int, number: int) -> NDArray[np.float64]:
        """A number in [0, 1) for each cluster."""
        values = np.empty(clusters.size)
        module = _backend.resolve("auto", "subsample")
        keys = np.ascontiguousarray(clusters, np.int64)
        module.subsample_uniform(keys, values, seed=mixed_seed(self.seed, purpose, number), n_threads=1)
        return values

    def _on_device(self, values: NDArray[Any]) -> torch.Tensor:
        here: torch.Tensor = self._torch.from_numpy(np.ascontiguousarray(values))
        if self.points.device.type == "cpu":
            return here
        return here.pin_memory().to(self.points.device, non_blocking=True)  # else the copy may wait for the stream

    def _per_galaxy(self, per_cluster: NDArray[Any], counts: NDArray[np.int64]) -> torch.Tensor:
        """Repeated for each galaxy; the length is known here, so that no one waits for the device to tell."""
        repeats = self._on_device(counts)
        total = int(counts.sum())
        repeated: torch.Tensor = self._torch.repeat_interleave(self._on_device(per_cluster), repeats, output_size=total)
        return repeated
