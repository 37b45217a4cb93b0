"""Make a `Universe` of what there is: a universe file, a halo catalogue, or a simulation with its groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..data.hdf5_tables import format_of
from ..data.readers import open_groups, open_snapshot
from ..data.readers.catalogues import identify, open_catalogue
from ..data.universe import Galaxies, Haloes, Universe
from ..data.universe_file import FORMAT, read_universe
from ..errors import DomainError, MissingFieldError
from ..nfw import m200c_within, radius_of_mass
from .hosts import outermost
from .tracer_choice import Frame, Tracers, choose_tracers, member_of, warn_note

#: masses that M200c can be found from, best first, with their radii
OTHER_MASSES = (("mvir", "rvir"), ("m200m", "r200m"), ("m500c", "r500c"))
CONCENTRATION = 5.0  #: radius over scale radius where a catalogue has no scale radius
FloatArray = NDArray[np.float64]


def open_universe(
    path: str | Path,
    *,
    snapshot: str | Path | None = None,
    tracers: str = "auto",
    fraction: float | None = None,
    seed: int = 0,
    **overrides: Any,
) -> tuple[Universe, list[Path]]:
    """The haloes and galaxies of any file that has some, and the files that they come from.

    Parameters
    ----------
    path : str or Path
        A universe file, SUBFIND groups, or a halo catalogue that `open_catalogue` reads.
    snapshot : str or Path, optional
        Snapshot of the groups, whose particles may serve as tracers.
    tracers : {"auto", "subhaloes", "particles"}
        What stands for galaxies; "auto" takes subhaloes where they are enough, else particles of the snapshot.
    fraction : float, optional
        Share of the particles taken; by default so many that a halo of 10^14 Msun/h holds 49.
    seed : int
        Of the draw of particles.
    overrides
        What the file leaves out or says wrongly: hubble, box_size, redshift, omega_m, omega_lambda.

    Returns
    -------
    (Universe, list of Path)

    Raises
    ------
    FileNotFoundError, FileFormatError
    MissingFieldError
        If the file lacks what is needed: masses, velocities, the box, tracers.
    DomainError, MissingDependencyError

    Notes
    -----
    Definitions: docs/clusters.md. Determinism: equal for equal files and seed. Cost: searches around haloes need scipy.

    Examples
    --------
    >>> import clustermass as cm
    >>> files = {"snapshot": cm.datasets.sample_snapshot()}
    >>> universe, read = open_universe(cm.datasets.sample_groups(), **files, fraction=0.1, seed=1)
    >>> universe.haloes.n, bool(universe.galaxies.n > 1000), len(read)
    (5, True, 2)
    """
    choice = Tracers(tracers, fraction, seed)
    if format_of(path) == FORMAT:
        if snapshot is not None:
            raise DomainError("`snapshot` goes with a halo catalogue; a universe file has its galaxies")
        return read_universe(path), [Path(path)]
    kind = identify(path)
    particles = None if snapshot is None else open_snapshot(snapshot, **overrides)
    held = () if particles is None else particles.paths
    if kind == "subfind":
        groups = open_groups(path, snapshot=particles, **overrides)
        return universe_from_groups(groups, particles, choice), [Path(groups.path), *map(Path, held)]
    catalogue = open_catalogue(path, **overrides)
    return universe_from_catalogue(catalogue, particles, choice), [*map(Path, catalogue.paths), *map(Path, held)]


def universe_from_groups(groups: Any, snapshot: Any = None, tracers: Tracers | None = None) -> Universe:
    """Groups of a simulation as haloes; its subhaloes, or a part of its particles, as galaxies.

    Parameters
    ----------
    groups : GroupCatalogue
        From `open_groups`.
    snapshot : Snapshot, optional
        From `open_snapshot`; needed for particles.
    tracers : Tracers, optional
        What stands for galaxies.

    Returns
    -------
    Universe
        A tracer is a member of the heaviest group whose R200c holds it.

    Raises
    ------
    MissingFieldError
        If the groups have no M200c, or there is nothing to serve as tracers.
    DomainError, MissingDependencyError
    """
    frame, notes = _frame(groups.header, groups.path), list(groups.assumptions)
    for name in ("positions", "velocities", "m200c"):
        if getattr(groups, name) is None:
            raise MissingFieldError(f"{groups.path} has no {name} of groups: there are no clusters to observe")
    r200c = (
        groups.r200c
        if groups.r200c is not None
        else radius_of_mass(groups.m200c, 200.0, frame.cosmology, frame.redshift)
    )
    rows = np.flatnonzero((groups.m200c > 0) & (r200c > 0))
    top = outermost(groups.positions[rows], groups.m200c[rows], r200c[rows], frame.periodic_box)
    rows = rows[top == np.arange(rows.size)]
    if rows.size < groups.n:
        notes.append(f"{groups.n - rows.size} of {groups.n} groups have no M200c or lie within a heavier one: no hosts")
    columns = (groups.ids, groups.positions, groups.velocities, groups.m200c, r200c)
    haloes = Haloes(*(column[rows] for column in columns))
    subhaloes = None
    table = groups.subhaloes
    if table is not None and table.positions is not None and table.velocities is not None:
        central = np.zeros(table.n, bool)
        if groups.first_subhalo is not None:
            central[groups.first_subhalo[groups.first_subhalo >= 0]] = True
        subhaloes = Galaxies(table.positions, table.velocities, member_of(table.positions, haloes, frame), central)
    galaxies = choose_tracers(haloes, subhaloes, snapshot, tracers or Tracers(), frame, notes)
    return _universe(haloes, galaxies, frame, groups.path, notes)


def universe_from_catalogue(catalogue: Any, snapshot: Any = None, tracers: Tracers | None = None) -> Universe:
    """Host haloes of a halo catalogue as haloes; all its haloes, hosts and subhaloes, or particles, as galaxies.

    Where the catalogue links haloes to their hosts the links count; elsewhere a halo is a subhalo of the heaviest one
    whose R200c holds it. A host is the central galaxy of itself.

    Parameters
    ----------
    catalogue : Catalogue
        From `open_catalogue`; needs positions, velocities, and M200c or a mass that M200c can be found from.
    snapshot : Snapshot, optional
        From `open_snapshot`; needed for particles.
    tracers : Tracers, optional
        What stands for galaxies.

    Returns
    -------
    Universe

    Raises
    ------
    MissingFieldError
        If a column that is needed is missing, or there is nothing to serve as tracers.
    DomainError, MissingDependencyError
    """
    frame, notes = _frame(catalogue.header, catalogue.path), list(catalogue.assumptions)
    for name in ("positions", "velocities"):
        if name not in catalogue:
            raise MissingFieldError(f"{catalogue.path} has no {name}: there are no clusters to observe")
    epoch = _epoch(catalogue, frame, notes)
    positions, velocities = catalogue["positions"][epoch], catalogue["velocities"][epoch]
    m200c = _m200c(catalogue, frame, notes)[epoch]
    has_radius = "r200c" in catalogue
    r200c = catalogue["r200c"][epoch] if has_radius else radius_of_mass(m200c, 200.0, frame.cosmology, frame.redshift)
    ids = catalogue["ids"][epoch] if "ids" in catalogue else np.arange(len(positions))
    if np.unique(ids).size != ids.size:
        notes.append("some haloes share a number: rows are numbered instead")
        ids = np.arange(len(positions))
    if "host_ids" in catalogue:
        top = _rows_of(ids, catalogue["host_ids"][epoch], notes)
    else:
        notes.append("no links to hosts: a halo is a subhalo of the heaviest one whose R200c holds it")
        top = outermost(positions, m200c, r200c, frame.periodic_box)
    rows = np.arange(len(positions))
    is_host = (top == rows) & (m200c > 0) & (r200c > 0)
    row_of_host = np.cumsum(is_host) - 1
    subhaloes = Galaxies(
        positions=positions,
        velocities=velocities,
        host=np.where((top >= 0) & is_host[top], row_of_host[top], -1),
        is_central=is_host,
        stellar_mass=catalogue["stellar_mass"][epoch] if "stellar_mass" in catalogue else None,
    )
    haloes = Haloes(ids[is_host], positions[is_host], velocities[is_host], m200c[is_host], r200c[is_host])
    galaxies = choose_tracers(haloes, subhaloes, snapshot, tracers or Tracers(), frame, notes)
    return _universe(haloes, galaxies, frame, catalogue.path, notes)


def _universe(haloes: Haloes, galaxies: Galaxies, frame: Frame, path: str, notes: list[str]) -> Universe:
    return Universe(
        haloes=haloes,
        galaxies=galaxies,
        box_size=frame.box_size,
        redshift=frame.redshift,
        cosmology=frame.cosmology,
        is_periodic=frame.is_periodic,
        source=Path(path).name,
        notes=tuple(notes),
    )


def _frame(header: Any, path: str) -> Frame:
    lacking = [name for name in ("box_size", "redshift", "h", "omega_m") if getattr(header, name) is None]
    if lacking:
        raise MissingFieldError(
            f"{path} does not say {', '.join(lacking)}: give it (--box-size, --at for redshift, --hubble, --omega-m)"
        )
    cosmology = Cosmology(header.h, header.omega_m, header.omega_lambda)
    return Frame(float(header.box_size), max(float(header.redshift), 0.0), cosmology, bool(header.is_periodic))


def _epoch(catalogue: Any, frame: Frame, notes: list[str]) -> Any:
    """Rows of the epoch of the frame, where a catalogue holds several."""
    if "redshift" not in catalogue:
        return slice(None)
    redshift = catalogue["redshift"]
    rows = np.flatnonzero(np.abs(redshift - frame.redshift) < 1e-3)
    if rows.size == 0:
        epochs = ", ".join(f"{z:.3f}" for z in np.unique(np.round(redshift, 3))[:8])
        raise DomainError(f"{catalogue.path} has no row at redshift {frame.redshift:g}; it has {epochs} ... (--at)")
    if rows.size < redshift.size:
        notes.append(f"{rows.size} of {redshift.size} rows are at redshift {frame.redshift:g}")
    return rows


def _m200c(catalogue: Any, frame: Frame, notes: list[str]) -> FloatArray:
    """M200c of a catalogue, or through an NFW profile from another mass."""
    if "m200c" in catalogue:
        return np.asarray(catalogue["m200c"], np.float64)
    for mass, radius in OTHER_MASSES:
        if mass in catalogue and radius in catalogue:
            r = catalogue[radius]
            has_scale = "scale_radius" in catalogue
            scale = catalogue["scale_radius"] if has_scale else r / CONCENTRATION
            how = "its scale radius" if has_scale else f"concentration {CONCENTRATION:g}"
            warn_note(notes, f"no M200c: found from {mass} with an NFW profile of {how}")
            return m200c_within(catalogue[mass], r, scale, frame.cosmology, frame.redshift)
    raise MissingFieldError(
        f"{catalogue.path} has no M200c, nor a mass with its radius to find it from (mvir, m200m, m500c)"
    )


def _rows_of(ids: NDArray[np.int64], hosts: NDArray[np.int64], notes: list[str]) -> NDArray[np.int64]:
    """Row of each halo's host; its own where it has none; -1 where the host is not in the catalogue."""
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], hosts), ids.size - 1)
    found = ids[order][place] == hosts
    top = np.where(hosts < 0, np.arange(ids.size), np.where(found, order[place], -1))
    if (lost := int((top < 0).sum())) > 0:
        notes.append(f"{lost} haloes have a host that is not in the catalogue: they are members of none")
    return np.asarray(top)
