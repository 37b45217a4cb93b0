"""Which more massive cluster stands in the line of sight of another, and how near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..constants import NEWTON
from ..cosmology import Cosmology
from ..data.universe import Haloes
from ..errors import BadInputError
from ..ops.lightcone import build_galaxy_index, select_lightcone
from .interlopers import phase_space_distance

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class InterlopingClusters:
    """The nearest more massive cluster in the cylinder of each observation; what `bias_by_interloper` takes.

    Attributes
    ----------
    mass_ratio : (n,) float64
        M200c of that cluster over that of the observed one, > 1; 0 where there is none.
    distance : (n,) float64
        `phase_space_distance` to it; infinite where there is none.
    count : (n,) int64
        More massive clusters in the cylinder.
    """

    mass_ratio: FloatArray
    distance: FloatArray
    count: NDArray[np.int64]


def find_interloping_clusters(
    host_id: ArrayLike,
    line_of_sight: ArrayLike,
    haloes: Haloes,
    *,
    box_size: float | None,
    redshift: ArrayLike,
    cosmology: Cosmology,
    max_radius: float,
    max_velocity: float,
    n_threads: int = 1,
) -> InterlopingClusters:
    """Look for more massive haloes in the cylinder of each observation (Kodi Ramanah et al. 2021, 2009.03340, sect. 4).

    Parameters
    ----------
    host_id : array_like of int, shape (n,)
        Identifier in `haloes` of the cluster of each observation.
    line_of_sight : array_like of float, shape (n, 3)
        From the observer to the cluster.
    haloes : Haloes
        All haloes of the box, as ``read_universe(path).haloes``.
    box_size : float or None
        Side of the periodic box [comoving Mpc]; None for one that is not periodic.
    redshift : float or array_like of float, shape (n,)
        Where the clusters are put, > 0.
    cosmology : Cosmology
        Of the box.
    max_radius, max_velocity : float
        The cylinder [comoving Mpc, km/s].
    n_threads : int
        Of the search; they change no bit of the result.

    Returns
    -------
    InterlopingClusters

    Raises
    ------
    BadInputError
        If a host is not among the haloes, or the haloes have an identifier twice.
    ArrayError, DTypeError, DomainError

    Notes
    -----
    Velocities are relativistic and include the Hubble flow, as those of galaxies in `select_lightcone`; periodic images
    count. v200 is sqrt(G M200c / r200c) with proper r200c. Cost: that of `select_lightcone`.

    Examples
    --------
    >>> haloes = Haloes(ids=np.array([7, 8]), positions=np.array([[50.0, 50, 50], [51.0, 50, 54]]),
    ...                 velocities=np.zeros((2, 3)), m200c=np.array([1e14, 5e14]), r200c=np.array([1.0, 1.7]))
    >>> found = find_interloping_clusters(
    ...     [7, 8], [[0, 0, 1], [0, 0, 1]], haloes, box_size=100.0, redshift=0.1, cosmology=Cosmology(0.7, 0.3),
    ...     max_radius=2.3, max_velocity=2200.0)
    >>> found.mass_ratio.tolist(), found.distance.round(2).tolist()
    ([5.0, 0.0], [0.79, inf])
    """
    numbers = np.asarray(host_id)
    hosts = check.item_keys(numbers if numbers.size else numbers.astype(np.int64), numbers.size, "host_id")
    n = hosts.size
    target = _rows_of(hosts, np.asarray(haloes.ids))
    z = np.broadcast_to(np.asarray(redshift, np.float64), (n,))
    if n == 0:
        return InterlopingClusters(np.empty(0), np.empty(0), np.empty(0, np.int64))
    large = np.flatnonzero(haloes.m200c >= haloes.m200c[target].min())
    index = build_galaxy_index(haloes.positions[large], haloes.velocities[large], box_size=box_size)
    seen = select_lightcone(
        index, haloes.positions[target], haloes.velocities[target], line_of_sight, redshift=z, cosmology=cosmology,
        aperture=max_radius, max_velocity=max_velocity, n_threads=n_threads,
    )  # fmt: skip
    query = np.repeat(np.arange(n), np.diff(seen.offsets))
    other = large[seen.indices]
    # equal masses: the observed cluster itself, or a periodic image of it
    keep = np.flatnonzero(haloes.m200c[other] > haloes.m200c[target[query]])
    query, other = query[keep], other[keep]
    pair = np.stack([target[query], other], axis=1)
    proper = haloes.r200c[pair] / (1.0 + z[query])[:, None]
    away = phase_space_distance(
        np.stack([seen.x[keep], seen.y[keep]], axis=1),
        seen.velocity[keep],
        haloes.r200c[pair],
        np.sqrt(NEWTON * haloes.m200c[pair] / proper),
    )
    ratio, distance = np.zeros(n), np.full(n, np.inf)
    nearest_last = np.lexsort((-away, query))  # of each query
    ratio[query[nearest_last]] = (haloes.m200c[other] / haloes.m200c[target[query]])[nearest_last]
    distance[query[nearest_last]] = away[nearest_last]
    return InterlopingClusters(ratio, distance, np.bincount(query, minlength=n).astype(np.int64))


def _rows_of(hosts: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row of each host among the identifiers."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    if (np.diff(ordered) == 0).any():
        raise BadInputError(
            f"`haloes` must have unique ids, got {ordered[int(np.argmax(np.diff(ordered) == 0))]} twice"
        )
    place = np.minimum(np.searchsorted(ordered, hosts), max(ids.size - 1, 0))
    missing = ordered[place] != hosts if ids.size else np.ones(hosts.size, bool)
    if missing.any():
        raise BadInputError(f"`host_id` must be in `haloes`, got {hosts[int(np.argmax(missing))]}, which is not")
    return np.asarray(order[place])
