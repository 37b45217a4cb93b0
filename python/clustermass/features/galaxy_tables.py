"""Tables of galaxies around clusters, as surveys publish them, into a `ClusterSample`."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import PLANCK_2018, Cosmology
from ..data.cluster_sample import ClusterSample
from ..data.readers.catalogues import Catalogue
from ..errors import BadInputError, DataWarning, DomainError, MissingFieldError
from ..units import SPEED_OF_LIGHT
from . import by_group, sky
from .cluster_tables import labels_of, names_of, quantities_of, redshifts_of
from .table_columns import CLUSTER_NAMES, GALAXY_NAMES, NamedTable, open_with_names

FloatArray = NDArray[np.float64]
CENTRES = ("given", "peak", "mean")
MAX_VELOCITY = 4000.0  #: km/s, default aperture in velocity
_WINDOW = 1500.0  #: km/s, half the window in which the redshift of a cluster is looked for
_FASTEST = 5000.0  #: km/s; velocities of which half are faster are recession velocities, not relative to a cluster


def read_galaxy_table(
    path: str | os.PathLike[str],
    columns: Any = None,
    *,
    clusters: str | os.PathLike[str] | None = None,
    cluster_columns: Any = None,
    cluster_redshift: float | None = None,
    centre: str | tuple[float, float] | None = None,
    members_only: bool = False,
    max_radius: float | None = None,
    max_velocity: float = MAX_VELOCITY,
    cosmology: Cosmology = PLANCK_2018,
) -> ClusterSample:
    """Galaxies around clusters from a table of any format that `open_catalogue` reads.

    Columns are found by the names that such tables use (docs/real-data.md); a column map comes over that. A galaxy
    needs a place (`projected_radius`, or `x` and `y`, or `ra` and `dec`) and a speed (`velocity` relative to the
    cluster, or `redshift`, or `recession_velocity` = cz [km/s]). Without a column `clusters` there is one cluster.

    Parameters
    ----------
    path : str or path
        Table of galaxies, in one row each.
    columns : dict, optional
        Column map: quantity -> column, as for `open_catalogue`; None as column: do not look for it in the file.
    clusters : str or path, optional
        Table of the clusters: `names` as in the column `clusters`, `redshift`, `ra`, `dec`; other numbers that its map
        names become `quantities`. Its rows are the rows of the result, also those without galaxies.
    cluster_columns : dict, optional
        Column map of that table.
    cluster_redshift : float, optional
        Of all clusters, where no table has it.
    centre : {"given", "peak", "mean"} or (ra, dec) in degrees, optional
        Where galaxies have `ra` and `dec`: as the tables give it; the middle of the densest part (circles that shrink
        about their mean); the mean of all galaxies. Default: given where it is, else peak.
    members_only : bool
        Keep only galaxies that the table flags as members (`is_member`, or `is_interloper` = 0).
    max_radius : float, optional
        comoving Mpc. Galaxies further out are left out. Default: the farthest galaxy of each cluster.
    max_velocity : float
        km/s. Faster galaxies are left out.
    cosmology : Cosmology
        Of distances.

    Returns
    -------
    ClusterSample
        Velocities are c (z - z_cluster) / (1 + z_cluster). Where only radii are known, y is zero.

    Raises
    ------
    FileNotFoundError, FileFormatError
    MissingFieldError
        If a place, a speed or the redshift of a cluster can be had from no column.
    BadInputError
        If a redshift, radius or velocity makes no sense.
    DomainError

    Warns
    -----
    DataWarning
        If a unit was assumed, or rows were left out because a value is missing or their cluster is unknown.

    Notes
    -----
    The redshift of a cluster comes from the table of clusters, the column `cluster_redshift`, the argument, or the
    galaxies: biweight centre of those within `max_velocity` of the densest 3000 km/s. Cost: sorts of all galaxies.

    Examples
    --------
    >>> import pathlib, warnings
    >>> rows = ["cluster,ra,dec,z"] + [f"A,{10 + 0.01 * k},{20 - 0.01 * k},{0.05 + 0.001 * (k % 3)}" for k in range(9)]
    >>> _ = pathlib.Path("galaxies.csv").write_text("\\n".join(rows) + "\\n")
    >>> sample = read_galaxy_table("galaxies.csv")
    >>> sample.names.tolist(), sample.n_galaxies.tolist(), sample.redshift.round(4).tolist()
    (['A'], [9], [0.051])
    """
    aperture = _aperture(max_radius, max_velocity)
    named = open_with_names(path, columns, GALAXY_NAMES, hubble=cosmology.h)
    table, notes = named.catalogue, named.notes
    about = None
    if clusters is not None:
        about = open_with_names(clusters, cluster_columns, CLUSTER_NAMES, hubble=cosmology.h).catalogue
    elif cluster_columns is not None:
        raise DomainError("`cluster_columns` needs `clusters`, the table that has these columns")
    names, group = _groups(table, about, notes)
    keep = group >= 0
    if members_only:
        keep &= _is_member(table)
    galaxies = _Galaxies(named, keep, group, names.size, notes)
    redshift = _cluster_redshift(table, about, galaxies, cluster_redshift, max_velocity, names)
    sample = _sample(table, about, galaxies, names, redshift, centre, aperture, cosmology)
    for note in notes:
        warnings.warn(f"{path}: {note}", DataWarning, stacklevel=2)
    return sample


class _Galaxies:
    """Rows that have all they need, and the columns that say where and how fast; angles in radians."""

    def __init__(
        self, named: NamedTable, keep: NDArray[np.bool_], group: NDArray[np.int64], n: int, notes: list[str]
    ) -> None:
        table = named.catalogue
        self.physical = named.physical
        self.angles = frozenset(info.name for info in table.columns if info.unit == "rad")
        self.place = next((p for p in (("x", "y"), ("ra", "dec"), ("projected_radius",)) if _has(table, *p)), None)
        self.speed = next((s for s in ("velocity", "redshift", "recession_velocity") if s in table), None)
        if self.place is None or self.speed is None:
            lacks = "a place (projected_radius, or x and y, or ra and dec)" if self.place is None else (
                "a speed (velocity, redshift or recession_velocity)")  # fmt: skip
            raise MissingFieldError(
                f"{table.path}: galaxies need {lacks}, its columns are {', '.join(table.raw_names[:40])}: say which "
                f"with a column map"
            )
        wanted = {*self.place, self.speed, *(name for name in ("redshift", "velocity_error") if name in table)}
        if "projected_radius" in table:
            wanted.add("projected_radius")
        held = {name: np.asarray(table[name], np.float64) for name in wanted}
        whole = np.ones(len(table), bool)
        for name in (*self.place, self.speed):
            whole &= np.isfinite(held[name])
        if (lost := int((keep & ~whole).sum())) > 0:
            notes.append(f"{lost:,} of {int(keep.sum()):,} galaxies lack a place or a speed and are left out")
        rows = np.flatnonzero(keep & whole)
        rows = rows[np.argsort(group[rows], kind="stable")]
        self.rows, self.group, self.n = rows, group[rows], n
        self.columns = {name: values[rows] for name, values in held.items()}
        if self.speed == "recession_velocity":
            self.columns["redshift"] = self.columns["recession_velocity"] / SPEED_OF_LIGHT
        _check_speeds(table, self.columns, self.speed)


def _check_speeds(table: Catalogue, columns: dict[str, FloatArray], speed: str) -> None:
    if speed == "velocity":
        v = columns["velocity"]
        if v.size and np.median(np.abs(v)) > _FASTEST:
            raise BadInputError(
                f"{table.path}: `velocity` must be relative to the cluster, got a median of {np.median(np.abs(v)):.0f} "
                f"km/s: if these are recession velocities, map them to recession_velocity"
            )
        return
    z = columns["redshift"]
    bad = (z <= -0.5) | (z > 20)
    if bad.any():
        raise BadInputError(f"{table.path}: `redshift` must lie between -0.5 and 20, got {z[bad][0]:g} (mark of a "
                            f"missing value? say it in the column map: missing)")  # fmt: skip


def _has(table: Catalogue, *names: str) -> bool:
    return all(name in table for name in names)


def _aperture(max_radius: float | None, max_velocity: float) -> tuple[float | None, float]:
    radius = None if max_radius is None else check.number(max_radius, "max_radius", above=0)
    return radius, check.number(max_velocity, "max_velocity", above=0)


def _groups(table: Catalogue, about: Catalogue | None, notes: list[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Names of the clusters, and the cluster of each galaxy; -1 where the table of clusters does not have it."""
    labels = labels_of(table["clusters"]) if "clusters" in table else None
    if about is None:
        if labels is None:
            return np.array([os.path.basename(table.path)]), np.zeros(len(table), np.int64)
        found, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty(order.size, np.int64)
        rank[order] = np.arange(order.size)
        return found[order], rank[inverse.ravel()]
    names = names_of(about)
    if np.unique(names).size != names.size:
        raise BadInputError(
            f"{about.path}: `names` of clusters must differ, {names.size - np.unique(names).size} do not"
        )
    if labels is None:
        if names.size != 1:
            raise MissingFieldError(f"{table.path}: galaxies need a column `clusters` to find theirs of {names.size}")
        return names, np.zeros(len(table), np.int64)
    order = np.argsort(names)
    at = np.minimum(np.searchsorted(names[order], labels), names.size - 1)
    group = np.where(names[order][at] == labels, order[at], -1).astype(np.int64)
    if (lost := int((group < 0).sum())) > 0:
        notes.append(f"{lost:,} of {group.size:,} galaxies are of clusters that {about.path} does not have, left out")
    return names, group


def _is_member(table: Catalogue) -> NDArray[np.bool_]:
    for name, wanted in (("is_member", True), ("is_interloper", False)):
        if name in table:
            return np.asarray((np.asarray(table[name], np.float64) != 0) == wanted)
    raise MissingFieldError(f"{table.path}: `members_only` needs a column is_member or is_interloper")


def _cluster_redshift(
    table: Catalogue, about: Catalogue | None, galaxies: _Galaxies, given: float | None, max_velocity: float,
    names: NDArray[Any],
) -> FloatArray:  # fmt: skip
    """Of each cluster: from the table of clusters, the galaxies' column, the argument, or the galaxies' redshifts."""
    n = names.size
    if about is not None and "redshift" in about:
        z = redshifts_of(about, None, n, about.path)
    elif "cluster_redshift" in table:
        z = by_group.group_median(np.asarray(table["cluster_redshift"], np.float64)[galaxies.rows], galaxies.group, n)
    elif given is not None:
        z = np.full(n, check.number(given, "cluster_redshift", low=0))
    elif "redshift" in galaxies.columns:
        z = estimate_redshifts(galaxies.columns["redshift"], galaxies.group, n, max_velocity=max_velocity)
    else:
        raise MissingFieldError(f"{table.path}: the redshift of the clusters is in no column, give cluster_redshift")
    empty = ~np.isfinite(z)
    if (empty & (np.bincount(galaxies.group, minlength=n) > 0)).any() or (z[~empty] < 0).any():
        row = int(np.argmax((empty & (np.bincount(galaxies.group, minlength=n) > 0)) | (z < 0)))
        raise BadInputError(f"{table.path}: cluster {names[row]} must have a redshift of 0 or more, got {z[row]:g}")
    return np.where(empty, 0.0, z)


def estimate_redshifts(
    redshift: FloatArray, group: NDArray[np.int64], n: int, *, max_velocity: float = MAX_VELOCITY
) -> FloatArray:
    """Redshift of each cluster from its galaxies: biweight centre about the densest part, shape (n,).

    Parameters
    ----------
    redshift : (k,) float64
        Of the galaxies.
    group : (k,) int64
        Their cluster, 0 to n - 1.
    n : int
        Clusters.
    max_velocity : float
        km/s. Galaxies further from the densest part do not count.
    """
    speed = SPEED_OF_LIGHT * np.log1p(redshift)
    middle = by_group.densest_value(speed, group, n, _WINDOW)
    for _ in range(3):
        near = np.abs(speed - middle[group]) < max_velocity
        middle = by_group.group_biweight_centre(speed[near], group[near], n)
    return np.expm1(middle / SPEED_OF_LIGHT)


def _velocities(galaxies: _Galaxies, redshift: FloatArray) -> FloatArray:
    if galaxies.speed == "velocity":
        return galaxies.columns["velocity"]
    z = redshift[galaxies.group]
    return SPEED_OF_LIGHT * (galaxies.columns["redshift"] - z) / (1.0 + z)


def _sample(
    table: Catalogue, about: Catalogue | None, galaxies: _Galaxies, names: NDArray[Any], redshift: FloatArray,
    centre: Any, aperture: tuple[float | None, float], cosmology: Cosmology,
) -> ClusterSample:  # fmt: skip
    group, n = galaxies.group, names.size
    velocity = _velocities(galaxies, redshift)
    slow = np.abs(velocity) <= aperture[1]
    x, y = sky.offsets_of(table, about, galaxies, redshift, centre, slow, cosmology)
    radius = np.hypot(x, y)
    inside = slow if aperture[0] is None else slow & (radius <= aperture[0])
    farthest = np.zeros(n)
    np.maximum.at(farthest, group[inside], radius[inside])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group[inside], minlength=n))]).astype(np.int64)
    error = galaxies.columns.get("velocity_error")
    if error is not None and not np.isfinite(error[inside]).all():
        error = None  # of some galaxies only: of no use to the methods
    return ClusterSample(
        names=names, offsets=offsets, x=x[inside], y=y[inside], velocity=velocity[inside], redshift=redshift,
        cosmology=cosmology, max_radius=farthest if aperture[0] is None else np.full(n, aperture[0]),
        max_velocity=np.full(n, aperture[1]), velocity_error=None if error is None else error[inside],
        quantities=quantities_of(about) if about is not None else {}, source=str(table.path),
    )  # fmt: skip
