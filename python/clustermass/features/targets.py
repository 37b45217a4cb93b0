"""Which clusters to map: from a group catalogue, from a table of centres, or the one object of an isolated run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.schema import PARTICLE_TYPES
from ..errors import ArrayError, DataWarning, DomainError, MissingFieldError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: columns of a catalogue that become labels, with their units
LABELS = {
    "m200c": "Msun",
    "r200c": "comoving Mpc",
    "m500c": "Msun",
    "r500c": "comoving Mpc",
    "m200m": "Msun",
    "r200m": "comoving Mpc",
    "masses": "Msun",
    "velocities": "km/s",
}


@dataclass(frozen=True)
class Targets:
    """Clusters to map.

    Attributes
    ----------
    centres : ndarray, shape (n, 3)
        [comoving Mpc]
    ids : ndarray of int64, shape (n,)
        All different; they key random numbers.
    labels : dict of str to ndarray
        One entry per cluster; always holds ``m200c`` [Msun] and ``r200c`` [comoving Mpc], NaN where unknown.
    """

    centres: FloatArray
    ids: IntArray
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        centres = check.float_array(self.centres, "centres", (None, 3), unit="Mpc", dtype=np.float64)
        check.check_finite(centres, "centres")
        ids = np.asarray(self.ids, np.int64)
        labels = {name: np.asarray(column) for name, column in self.labels.items()}
        for name in ("m200c", "r200c"):
            labels.setdefault(name, np.full(len(centres), np.nan))
        for name, column in ({"ids": ids} | labels).items():
            if len(column) != len(centres):
                raise ArrayError(f"`{name}` must have one entry for each of {len(centres)} centres, got {len(column)}")
        for name, value in (("centres", centres), ("ids", ids), ("labels", labels)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, keep: NDArray[np.bool_]) -> Targets:
        """The clusters where `keep` is true."""
        return Targets(self.centres[keep], self.ids[keep], {k: v[keep] for k, v in self.labels.items()})


def targets_from_groups(groups: Any, *, min_mass: float | None = None) -> Targets:
    """The groups of a catalogue that have at least `min_mass`, heaviest first; its subhaloes where it has no groups.

    Parameters
    ----------
    groups : GroupCatalogue
        From `open_groups`.
    min_mass : float, optional
        Smallest M200c [Msun]. None keeps every group.

    Returns
    -------
    Targets
        Centres, numbers (the row in the catalogue) and labels.

    Raises
    ------
    MissingFieldError
        If there is a `min_mass` but the catalogue has no M200c.
    DomainError
        If no group is heavy enough.

    Examples
    --------
    >>> import clustermass as cm
    >>> clusters = targets_from_groups(cm.open_groups(cm.datasets.sample_groups()), min_mass=1e14)
    >>> len(clusters), clusters.labels["m200c"].round(-13).tolist()
    (3, [470000000000000.0, 390000000000000.0, 240000000000000.0])
    """
    table = groups if groups.n or groups.subhaloes is None else groups.subhaloes
    if table.positions is None or table.n == 0:
        raise MissingFieldError(f"{groups.path} holds no positions of groups: there is nothing to map")
    ids = groups.ids if table is groups else np.arange(table.n)
    found = {name: getattr(table, name, None) for name in LABELS}
    labels = {name: np.asarray(column, np.float64) for name, column in found.items() if column is not None}
    targets = Targets(table.positions, ids, labels)
    masses = targets.labels["m200c"]
    if min_mass is not None:
        if "m200c" not in labels:
            raise MissingFieldError(f"{groups.path} has no M200c: a minimum mass cannot be applied")
        min_mass = check.number(min_mass, "min_mass", low=0, unit="Msun")
        keep = masses >= min_mass
        if not keep.any():
            heaviest = np.nanmax(masses) if np.isfinite(masses).any() else float("nan")
            raise DomainError(f"`min_mass` is {min_mass:.3g} Msun, but the heaviest group has {heaviest:.3g} Msun")
        targets = targets.only(keep)
        masses = targets.labels["m200c"]
    order = np.argsort(-np.where(np.isfinite(masses), masses, 0.0), kind="stable")
    return Targets(targets.centres[order], targets.ids[order], {k: v[order] for k, v in targets.labels.items()})


def target_of_isolated(snapshot: Any, *, byte_budget: int = 256 * 2**20) -> Targets:
    """The densest object of a snapshot, for files that hold one halo and come without a catalogue.

    The centre is that of the particle type with the most mass: from the densest cell of a coarse grid a sphere
    shrinks by a fifth at a time onto the mass inside it (Power et al. 2003).

    Parameters
    ----------
    snapshot : Snapshot
        Of one halo, or of a box whose densest object is wanted.
    byte_budget : int
        Memory for the particles that are looked at; of a larger snapshot every k-th is taken.

    Notes
    -----
    Cost: O(n) in time, bounded by `byte_budget` in memory.
    """
    ptype = _heaviest_type(snapshot)
    positions, masses = _sample(snapshot, ptype, max(byte_budget // 64, 10_000))
    centre = shrinking_sphere(positions, masses, box_size=snapshot.header.periodic_box)
    warnings.warn(
        f"no group catalogue and no centres: mapping the densest object, at {np.round(centre, 4).tolist()} Mpc",
        DataWarning,
        stacklevel=2,
    )
    return Targets(centre[None], np.zeros(1, np.int64))


def _heaviest_type(snapshot: Any) -> str:
    best, most = "", 0.0
    for ptype in PARTICLE_TYPES:
        if snapshot.count(ptype) == 0 or not {"positions", "masses"} <= set(snapshot.fields(ptype)):
            continue
        total = sum(float(chunk["masses"].sum(dtype=np.float64)) for chunk in snapshot.iter_chunks(ptype, ["masses"]))
        if total > most:
            best, most = ptype, total
    if not best:
        raise MissingFieldError("no particle type of the snapshot has both positions and masses: there is no centre")
    return best


def _sample(snapshot: Any, ptype: str, n_max: int) -> tuple[FloatArray, FloatArray]:
    """Positions and masses of at most about `n_max` particles: every k-th."""
    step = max(1, -(-snapshot.count(ptype) // n_max))
    positions, masses, seen = [], [], 0
    for chunk in snapshot.iter_chunks(ptype, ["positions", "masses"], byte_budget=max(n_max * 16, 2**20)):
        first = -seen % step
        positions.append(chunk["positions"][first::step].astype(np.float64))
        masses.append(chunk["masses"][first::step].astype(np.float64))
        seen += len(chunk["masses"])
    return np.concatenate(positions), np.concatenate(masses)


def shrinking_sphere(
    positions: FloatArray, masses: FloatArray, *, box_size: float | None = None, n_min: int = 500
) -> FloatArray:
    """Centre of the densest concentration of mass [unit of `positions`].

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        Where the particles are, in any unit.
    masses : ndarray, shape (n,)
        Not negative, at least one above zero.
    box_size : float, optional
        Side of a periodic box.
    n_min : int
        The sphere stops shrinking when it would hold fewer particles with mass.

    Returns
    -------
    ndarray, shape (3,)
    """
    has_mass = masses > 0
    positions, masses = positions[has_mass], masses[has_mass]
    if len(positions) == 0:
        raise DomainError("`masses` must have an entry above zero: nothing has a centre")
    low = np.zeros(3) if box_size else positions.min(axis=0)
    side = box_size or max(float((positions.max(axis=0) - low).max()), np.finfo(float).tiny)
    n_cells = int(np.clip((len(positions) / 8) ** (1 / 3), 1, 64))
    cells = np.clip(((positions - low) / side * n_cells).astype(np.int64), 0, n_cells - 1)
    weight = np.bincount(np.ravel_multi_index(tuple(cells.T), (n_cells,) * 3), masses, n_cells**3)
    densest = np.array(np.unravel_index(int(np.argmax(weight)), (n_cells,) * 3))
    centre, radius = low + (densest + 0.5) * side / n_cells, 2.0 * side / n_cells
    while True:
        offset = positions - centre
        if box_size:
            offset -= box_size * np.round(offset / box_size)
        inside = np.einsum("ij,ij->i", offset, offset) < radius * radius
        if int(inside.sum()) < min(n_min, len(positions)):
            break
        centre = centre + np.average(offset[inside], axis=0, weights=masses[inside])
        radius *= 0.8
        if radius < 1e-9 * side:
            break
    return np.asarray(centre % box_size if box_size else centre)
