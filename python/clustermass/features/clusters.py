"""From a box of haloes and galaxies to a file of cluster observations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data import hdf5_tables as tables
from ..data.clusters_file import FORMAT, FORMAT_VERSION, KINDS, ClusterSet, read_clusters
from ..data.clusters_writer import ClusterWriter, write_cylinder
from ..data.maps_writer import check_free
from ..data.provenance import versions
from ..data.splits import assign_folds, assign_octants, assign_splits
from ..data.universe import Universe
from ..errors import DomainError
from ..ops.subsample import select_flat_mass_function
from .cluster_observe import Observations, Observer, Queries, summarise
from .cluster_plan import check_box, choose_clusters, choose_redshift, note
from .cluster_settings import ClusterSettings
from .cluster_views import N_AXES, lines_of_sight, list_views

IntArray = NDArray[np.int64]
#: log10 of M200c [Msun/h]: test clusters of Ho et al. 2019 as its code selects them
TEST_MASSES = (13.9, 15.1)
FLAT_BIN = 0.02  #: dex
FLAT_SHARE = 10.0**-0.2  #: of the target density: 10^-5.2 to 10^-5.0 in Ho et al. 2019


@dataclass
class Summary:
    """What was made: observations, galaxies and hosts of each kind, seconds of each stage, and what was assumed."""

    n_clusters: int = 0
    n_views: int = 0
    observations: dict[str, int] = field(default_factory=dict)
    galaxies: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def make_cluster_catalogue(
    universe: Universe,
    out: str | Path,
    settings: ClusterSettings | None = None,
    *,
    n_threads: int = 1,
    overwrite: bool = False,
) -> ClusterSet:
    """Observe the clusters of a box along many lines of sight, without and with interlopers, and write a file.

    Every halo above a smallest mass is seen along the three axes and, if it is heavy, along further directions, so that
    heavy clusters are not few. Pure observations hold the members of the halo; contaminated ones all galaxies within a
    cylinder of projected radius and line-of-sight velocity. Folds and splits go by halo, never by view.

    Parameters
    ----------
    universe : Universe
        From `read_universe`, `make_universe`, a halo catalogue or a simulation.
    out : str or Path
        The HDF5 file to make. It appears when all is done, or not at all.
    settings : ClusterSettings, optional
        Those of Ho et al. 2019 [1]_ by default.
    n_threads : int
        Threads of the search; they change no bit of the result.
    overwrite : bool
        Replace an `out` that exists, at the very end.

    Returns
    -------
    ClusterSet
        The contaminated observations; ``read_clusters(out, "pure")`` gives the others.

    Raises
    ------
    DomainError
        If no cluster passes, or the cylinder is wider than the box; the message says what was asked and what there is.
    FileExistsError
        If `out` exists and `overwrite` is false; nothing has been done then.
    MissingFieldError, BadInputError, OSError

    Warns
    -----
    DataWarning
        If the box is not periodic, shorter than the cylinder, or too near; if one kind holds no observation.

    Notes
    -----
    Definitions: docs/clusters.md. Determinism: equal bits for any `n_threads`. Memory: the universe, its index and a
    block of views; it does not grow with the number of views but for 150 bytes each.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25 (arXiv 1902.05950), and its code ``halo_cnn``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from clustermass.cosmology import PLANCK_2018
    >>> from clustermass.data.universe import Galaxies, Haloes
    >>> rng = np.random.default_rng(1)
    >>> centre = np.full((1, 3), 50.0)
    >>> haloes = Haloes(np.array([7]), centre, 0 * centre, m200c=np.array([5e14]), r200c=np.array([1.6]))
    >>> where, motion = rng.normal(50.0, 0.5, (40, 3)), rng.normal(0.0, 600.0, (40, 3))
    >>> galaxies = Galaxies(where, motion, host=np.zeros(40, int), is_central=np.zeros(40, bool))
    >>> box = Universe(haloes, galaxies, box_size=100.0, redshift=0.117, cosmology=PLANCK_2018)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clusters = make_cluster_catalogue(box, f"{folder}/clusters.hdf5")
    >>> len(clusters), clusters.n_members.tolist(), clusters.view.tolist()
    (3, [40, 40, 40], [0, 1, 2])
    """
    check_free(Path(out), overwrite=overwrite)
    write_cluster_catalogue(universe, out, settings or ClusterSettings(), inputs=[], n_threads=n_threads)
    return read_clusters(out)


def write_cluster_catalogue(
    universe: Universe,
    out: str | Path,
    settings: ClusterSettings,
    *,
    inputs: list[dict[str, Any]],
    n_threads: int = 1,
    command: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_galaxies: int = 2**21,
) -> Summary:
    """`make_cluster_catalogue`, with what a command adds: hashes of inputs, itself, and a progress callback.

    `progress` gets the number of views done and their total; `max_galaxies` is about how many galaxies of
    observations are held at a time; it changes velocities by less than 1e-6 km/s.
    """
    n_threads = check.threads(n_threads)
    summary = Summary(notes=list(universe.notes))
    halo, counts = choose_clusters(universe, settings)
    redshift = choose_redshift(universe, settings, summary.notes)
    check_box(universe, settings, redshift, summary.notes)
    with _timed(summary, "index"):
        observer = Observer(universe, settings, redshift, n_threads=n_threads)
    halo, counts = _with_centrals(observer, halo, counts, summary.notes)
    summary.n_clusters, summary.n_views = halo.size, int(counts.sum())
    with tables.create_tables(out, FORMAT, FORMAT_VERSION) as file:
        frame = dict(is_periodic=universe.is_periodic)
        tables.write_frame(file, universe.cosmology, redshift, universe.box_size, **frame)
        write_cylinder(file, observer.max_radius, observer.max_velocity)
        writers = {kind: ClusterWriter(file, kind) for kind in KINDS}
        richest = dict.fromkeys(KINDS, 0)
        done = 0
        for queries in _blocks(observer, halo, counts, max_galaxies):
            for kind in KINDS:
                with _timed(summary, kind):
                    seen = getattr(observer, kind)(queries)
                richest[kind] = max(richest[kind], int(np.diff(seen.offsets).max(initial=0)))
                with _timed(summary, "writing"):
                    _append(writers[kind], observer, queries, seen, settings.min_richness)
            done += queries.halo.size
            if progress is not None:
                progress(done, summary.n_views)
        _check_filled(writers, universe, settings, halo.size, richest, summary.notes)
        with _timed(summary, "writing"):
            _finish(writers, universe, settings, n_threads)
        for kind, writer in writers.items():
            summary.observations[kind], summary.hosts[kind] = len(writer), np.unique(writer.column("host_id")).size
            summary.galaxies[kind] = writer.n_galaxies
        tables.write_record(file, _record(universe, settings, summary, inputs, command))
    return summary


class _timed:
    """Adds the seconds that a block takes to a stage of the summary."""

    def __init__(self, summary: Summary, stage: str) -> None:
        self.summary, self.stage = summary, stage

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = self.summary.seconds
        seconds[self.stage] = seconds.get(self.stage, 0.0) + time.perf_counter() - self.start


def _with_centrals(observer: Observer, halo: IntArray, counts: IntArray, notes: list[str]) -> tuple[IntArray, IntArray]:
    if observer.flux is None or observer.flux.has_central[halo].all():
        return halo, counts
    keep = observer.flux.has_central[halo]
    note(notes, f"{int((~keep).sum())} of {halo.size} clusters have no central galaxy and are left out of the survey")
    return halo[keep], counts[keep]


def _blocks(observer: Observer, halo: IntArray, counts: IntArray, max_galaxies: int) -> Iterator[Queries]:
    """All views, some at a time; whole clusters."""
    universe = observer.universe
    depth = 2 * (observer.max_velocity + 1500.0) / (100 * universe.cosmology.h)  # 1500 km/s: peculiar velocities
    density = observer.rows.size / universe.box_size**3
    field_galaxies = density * np.pi * observer.max_radius**2 * min(depth, universe.box_size)
    expected = np.cumsum(counts * (observer.n_members[halo] + field_galaxies + 1.0))
    first = 0
    while first < halo.size:
        start = expected[first - 1] if first else 0.0
        last = max(first + 1, int(np.searchsorted(expected, start + max_galaxies, "right")))
        part = counts[first:last]
        views = list_views(part)
        sight = lines_of_sight(universe.haloes.ids[halo[first:last]], part, observer.settings.seed)
        yield Queries(halo[first:last][views.cluster], views.view, sight)
        first = last


def _append(writer: ClusterWriter, observer: Observer, queries: Queries, seen: Observations, min_richness: int) -> None:
    """Write the observations that are rich enough."""
    keep = np.diff(seen.offsets) > min_richness
    seen, halo = seen.only_views(keep), queries.halo[keep]
    haloes = observer.universe.haloes
    rows = {
        "host_id": haloes.ids[halo],
        "view": queries.view[keep],
        "line_of_sight": queries.line_of_sight[keep],
        "position": observer.centre_positions[halo],
        "log10_m200c": np.log10(haloes.m200c[halo]),
        "r200c": haloes.r200c[halo],
        "observer_distance": observer.observer_distance[halo],
    }
    writer.append(rows | summarise(seen), np.diff(seen.offsets), seen.columns)


def _check_filled(
    writers: dict[str, ClusterWriter], universe: Universe, settings: ClusterSettings, n_clusters: int,
    richest: dict[str, int], notes: list[str],
) -> None:  # fmt: skip
    """An error if nothing passed, a warning if one kind is empty."""
    empty = [kind for kind, writer in writers.items() if not len(writer)]
    asked = f"more than {settings.min_richness} galaxies"
    if len(empty) == len(writers):
        raise DomainError(
            f"no cluster passes: asked for {asked}; of {n_clusters} haloes with log10 M200c >= "
            f"{settings.min_log10_mass:g} Msun/h the richest has {richest['pure']} members and "
            f"{richest['contaminated']} galaxies in its cylinder ({universe.galaxies.n} galaxies in all)"
        )
    for kind in empty:
        note(notes, f"no {kind} observation: none has {asked}, the richest {richest[kind]}")


def _finish(writers: dict[str, ClusterWriter], universe: Universe, settings: ClusterSettings, n_threads: int) -> None:
    """Folds and splits by the hosts of both kinds together, flags, and the columns."""
    h = universe.cosmology.h
    ids = np.concatenate([writer.column("host_id") for writer in writers.values()]).astype(np.int64)
    mass = np.concatenate([writer.column("log10_m200c") for writer in writers.values()])
    fold, split = assign_folds(ids, mass), assign_splits(ids, fractions=settings.fractions, seed=settings.seed)
    per_bin = int(settings.target_density * FLAT_SHARE * (universe.box_size * h) ** 3 * FLAT_BIN)
    first = 0
    for writer in writers.values():
        part = slice(first, first + len(writer))
        first += len(writer)
        log_mass = mass[part] + np.log10(h)
        flat = np.zeros(len(writer), bool)
        flat[
            select_flat_mass_function(
                log_mass, bin_width=FLAT_BIN, max_per_bin=max(per_bin, 1), seed=settings.seed, n_threads=n_threads
            )
        ] = True
        view = writer.column("view")
        low, high = TEST_MASSES
        writer.finish(
            {
                "fold": fold[part],
                "split": split[part],
                "octant": assign_octants(writer.column("position").reshape(-1, 3), universe.box_size),
                "is_test": (view < N_AXES) & (log_mass >= low) & (log_mass <= high),
                "is_flat": flat,
            }
        )


def _record(
    universe: Universe, settings: ClusterSettings, summary: Summary, inputs: list[dict[str, Any]], command: str | None
) -> dict[str, Any]:
    return {
        "settings": settings.record(),
        "universe": {"source": universe.source, "haloes": universe.haloes.n, "galaxies": universe.galaxies.n},
        "notes": summary.notes,
        "inputs": inputs,
        "versions": versions(),
        "command": command,
        "h convention": "masses in Msun, lengths in comoving Mpc, without h; settings say where they carry h",
    }
