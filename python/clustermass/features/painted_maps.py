"""Maps of clusters whose particles are made for each batch of views, and never all in memory or in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.clusters_file import ClusterSet
from ..data.maps_file import MapSet
from ..data.maps_writer import check_free
from ..data.provenance import hash_files
from ..data.universe import Universe
from ..errors import DomainError
from ..ops.subsample import select_flat_mass_function
from .make import write_maps
from .maps import MapJob, MapSettings, plan_maps
from .targets import Targets
from .views import plan_sightlines

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_BIN = 0.25  # dex of M200c
_BATCH = 48  # views whose particles are made together


class Painter(Protocol):
    """What makes the particles: `GasPainter`, or anything that does as it."""

    path: Path
    universe: Universe
    m500c: FloatArray  #: of the heaviest haloes [Msun]
    r500c: FloatArray  #: [comoving Mpc]

    def paint(self, centres: FloatArray, directions: FloatArray, radius: FloatArray, depth: float) -> Any:
        """A snapshot of all particles within cylinders: middles, directions, radii and half the length."""

    def record(self) -> dict[str, Any]:
        """What decides what the particles are, as JSON can hold it."""


@dataclass(frozen=True)
class Sightlines:
    """Views that are listed one by one.

    Attributes
    ----------
    halo : (n,) int64
        Row of the haloes of the universe.
    number : (n,) int64
        Of the view within a halo: keys its turn, its redshift and its noise.
    direction : (n, 3) float64
        From the observer to the cluster.
    labels : dict of str to ndarray
        One entry a view, for the file.
    """

    halo: IntArray
    number: IntArray
    direction: FloatArray
    labels: dict[str, NDArray[Any]] = field(default_factory=dict)


def sightlines_of_clusters(clusters: ClusterSet, universe: Universe) -> Sightlines:
    """The views of cluster observations, row by row, with their folds, splits and selections as labels.

    Raises
    ------
    DomainError
        If the observations are not of this universe.
    """
    order = np.argsort(universe.haloes.ids)
    place = np.searchsorted(universe.haloes.ids, clusters.host_id, sorter=order)
    halo = order[np.minimum(place, order.size - 1)]
    mass = np.log10(universe.haloes.m200c[halo])
    if (universe.haloes.ids[halo] != clusters.host_id).any() or not np.allclose(mass, clusters.log10_m200c, atol=1e-6):
        raise DomainError("`clusters` are not of this universe: numbers or masses of their hosts differ")
    names = ("fold", "split", "octant", "is_test", "is_flat")
    labels = {name: np.asarray(getattr(clusters, name)).astype(np.int64) for name in names}
    return Sightlines(halo, clusters.view, clusters.line_of_sight, labels)


@dataclass(frozen=True)
class PaintedJob(MapJob):
    """A job whose particles come from a painter, batch by batch; `source` is that of one view, for its plan."""

    painter: Painter
    row_labels: dict[str, NDArray[Any]]

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        return super().labels | self.row_labels

    @property
    def batches(self) -> list[tuple[int, int]]:
        size = int(min(_BATCH, max(1, self.settings.byte_budget // 4 // self.bytes_per_view)))
        return [(first, min(first + size, len(self.views))) for first in range(0, len(self.views), size)]

    def images(
        self, batch: tuple[int, int], *, n_threads: int = 1, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Make particles and maps of one batch; see `MapJob.images`."""
        views = self.views.part(*batch)
        source = replace(self.source, snapshot=_painted(self.painter, views, self.projection), n_threads=n_threads)
        shared = {name: getattr(self, name) for name in MapJob.__dataclass_fields__ if name not in ("views", "source")}
        images = MapJob(views=views, source=source, **shared).images((0, len(views)), n_threads=n_threads)
        if progress is not None:
            progress(self.source.n_particles)
        return images


def _painted(painter: Painter, views: Any, projection: Any) -> Any:
    """Everything that can fall onto the images of some views."""
    half_diagonal = (0.5 * projection.shape[0] + 1.0) * 2.0**0.5 * views.pixel_size
    return painter.paint(views.centre, views.direction, half_diagonal, projection.depth)


def plan_painted_maps(
    painter: Painter,
    settings: MapSettings,
    *,
    min_mass: float | None = None,
    per_bin: int | None = None,
    clusters: ClusterSet | None = None,
    n_threads: int = 1,
) -> PaintedJob:
    """Decide everything about maps of painted haloes, and check it.

    Parameters
    ----------
    painter : GasPainter
        Of the universe.
    settings : MapSettings
        What maps; `directions` and `n_random` are not used where `clusters` are given.
    min_mass : float, optional
        Smallest M200c of clusters to map [Msun].
    per_bin : int, optional
        Most clusters in 0.25 dex of M200c.
    clusters : ClusterSet, optional
        Observations of the same universe: their hosts along their lines of sight, row by row.
    n_threads : int
        For building the particle index.

    Raises
    ------
    DomainError
        If no cluster is left, or one is below the smallest painted mass.
    """
    universe = painter.universe
    sightlines = None if clusters is None else sightlines_of_clusters(clusters, universe)
    if sightlines is None:
        low = 0.0 if min_mass is None else check.number(min_mass, "min_mass", above=0, unit="Msun")
        halo = np.flatnonzero(universe.haloes.m200c[: painter.m500c.size] >= low)
        if per_bin is not None:
            mass = np.log10(universe.haloes.m200c[halo])
            most = check.integer(per_bin, "per_bin", low=1)
            halo = halo[select_flat_mass_function(mass, bin_width=_BIN, max_per_bin=most, seed=settings.seed)]
    else:
        halo = np.unique(sightlines.halo)
    if halo.size == 0:
        raise DomainError(f"`min_mass` is {min_mass:.3g} Msun, the heaviest halo has {universe.haloes.m200c.max():.3g}")
    if halo[-1] >= painter.m500c.size:
        raise DomainError("`clusters` hold hosts below the smallest mass that is painted")
    haloes = universe.haloes
    labels = {"m200c": haloes.m200c[halo], "r200c": haloes.r200c[halo]}
    labels |= {"m500c": painter.m500c[halo], "r500c": painter.r500c[halo], "velocities": haloes.velocities[halo]}
    targets = Targets(haloes.positions[halo], haloes.ids[halo], labels)
    ahead = np.array([[0.0, 0.0, 1.0]])
    sample = painter.paint(targets.centres[:1], ahead, np.array([0.1]), settings.depth)
    job = plan_maps(sample, targets, settings, n_threads=n_threads)
    views, row_labels = job.views, {}
    if sightlines is not None:
        views = plan_sightlines(
            targets.centres, targets.ids, np.searchsorted(halo, sightlines.halo), sightlines.number,
            sightlines.direction, pixel_angle=settings.pixel_angle, scale_factor=sample.header.scale_factor,
            cosmology=universe.cosmology, redshift=settings.redshift, seed=settings.seed,
        )  # fmt: skip
        row_labels = sightlines.labels
    shared = {name: getattr(job, name) for name in MapJob.__dataclass_fields__ if name != "views"}
    return PaintedJob(views=views, painter=painter, row_labels=row_labels, **shared)


def make_painted_maps(
    painter: Painter,
    out: str | Path,
    settings: MapSettings | None = None,
    *,
    min_mass: float | None = None,
    per_bin: int | None = None,
    clusters: ClusterSet | None = None,
    n_threads: int = 1,
    overwrite: bool = False,
) -> MapSet:
    """Make maps of the clusters of a generated universe, ideal unless the settings say what noise and beams they have.

    Parameters
    ----------
    painter : GasPainter
        Of the universe.
    out : str or Path
        The file to make, as `make_maps` does; an unfinished run goes on.
    settings : MapSettings, optional
        What maps. Default: those of Yan et al. 2020 along x, y and z, without noise and beam.
    min_mass : float, optional
        Smallest M200c of clusters to map [Msun]; default all that are painted.
    per_bin : int, optional
        Most clusters in 0.25 dex of M200c (edges at whole quarters of log10 Msun), drawn at random by the seed of the
        settings, so that masses are spread evenly; 200 in Yan et al. 2020 (sect. 2.1). Default all.
    clusters : ClusterSet, optional
        From `read_clusters`: maps of these hosts along these lines of sight, one for each row, in their order.
    n_threads : int
        Threads of the projection; they change no bit of the result.
    overwrite : bool
        Replace an `out` that exists, at the very end.

    Returns
    -------
    MapSet
        Labels M200c, M500c [Msun], R200c, R500c [comoving Mpc] and, with `clusters`, fold, split, is_test, is_flat.

    Raises
    ------
    FileExistsError, DomainError, OSError

    Notes
    -----
    Haloes near the line of sight within `depth` are painted too. Cost: docs/maps.md. Determinism: a map depends on the
    painter, the settings, the halo and the number of its view; sums of float64 differ in the last bits where other
    views share its batch.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> from clustermass.data.mocks.universe.record import settings_record
    >>> box = cm.UniverseSettings(box_size=80.0, min_mass=1e12)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cm.write_universe(f"{folder}/box.hdf5", cm.make_universe(box), settings_record(box))
    ...     painter = cm.GasPainter(f"{folder}/box.hdf5", n_particles=1000)
    ...     look = cm.MapSettings(channels=["compton_y"], pixels=32, directions=["axes"], depth=30.0)
    ...     make_painted_maps(painter, f"{folder}/maps.h5", look.ideal(), min_mass=5e13).channel_names
    ('compton_y',)
    """
    check_free(Path(out), overwrite=overwrite)
    settings = settings or MapSettings(directions=("axes",)).ideal()
    job = plan_painted_maps(
        painter, settings, min_mass=min_mass, per_bin=per_bin, clusters=clusters, n_threads=n_threads
    )
    return write_maps(job, out, inputs=painted_inputs(painter), n_threads=check.threads(n_threads), overwrite=overwrite)


def painted_inputs(painter: Painter) -> list[dict[str, Any]]:
    """The universe and what is painted on it, for the plan and the provenance of `write_maps`."""
    return [{**record, "painted": painter.record()} for record in hash_files([painter.path])]
