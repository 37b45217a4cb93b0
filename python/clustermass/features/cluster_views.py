"""Along which lines of sight each cluster is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..ops.lightcone import axis_directions, fibonacci_directions

N_AXES = 3
WINDOW = 0.01  #: dex, in which Ho et al. 2019 count clusters of like mass
_PURPOSE = 0x76696577  # keeps these random numbers apart from those for other things


def count_views(
    log10_mass: ArrayLike,
    volume: float,
    *,
    target_density: float = 1e-5,
    boost_above: float = 14.0,
    max_views: int = 500,
) -> NDArray[np.int64]:
    """Number of views of each cluster, so that heavy clusters are as many as the target asks for.

    With n clusters within a window of 0.01 dex around it, the density at a cluster is n / (volume 0.01 dex), and it
    gets ``int(target_density / density) + 1`` views, at least 3 and at most `max_views`; clusters not above
    `boost_above` get 3 (Ho et al. 2019 and its code).

    Parameters
    ----------
    log10_mass : array_like of float, shape (n,)
        log10 M200c [Msun/h] of all clusters of the box.
    volume : float
        [(Mpc/h)^3]
    target_density : float
        [(Mpc/h)^-3 dex^-1]
    boost_above : float
        log10 M200c [Msun/h].
    max_views : int
        Most views of one cluster.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    One cluster of 10^15 Msun/h in a box of 1 Gpc/h, and a hundred of 10^14.2:

    >>> count_views([15.0] + [14.2] * 100, 1e9)[:2].tolist()
    [101, 3]
    """
    mass = check.float_array(log10_mass, "log10_mass", (None,), dtype=np.float64)
    check.check_finite(mass, "log10_mass")
    volume = check.number(volume, "volume", above=0)
    ordered = np.sort(mass)
    alike = np.searchsorted(ordered, mass + WINDOW / 2, "right") - np.searchsorted(ordered, mass - WINDOW / 2, "left")
    density = alike / (volume * WINDOW)
    wanted = np.minimum(target_density / density, max_views).astype(np.int64) + 1
    return np.where(mass > boost_above, np.clip(wanted, N_AXES, max_views), N_AXES).astype(np.int64)


@dataclass(frozen=True)
class ViewList:
    """Views of clusters, cluster after cluster.

    Attributes
    ----------
    cluster : (n,) int64
        Row in the list of clusters.
    view : (n,) int64
        0, 1, 2: the axes; then the directions of the cluster's own.
    """

    cluster: NDArray[np.int64]
    view: NDArray[np.int64]

    def __len__(self) -> int:
        return self.cluster.size


def list_views(counts: NDArray[np.int64]) -> ViewList:
    """All views of clusters with `counts` views each."""
    cluster = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    return ViewList(cluster, np.arange(cluster.size) - first[cluster])


def lines_of_sight(host_id: NDArray[np.int64], counts: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Unit vectors of all views of some clusters, shape (sum of counts, 3).

    Beyond the axes they are a Fibonacci sphere with a random offset, shuffled. They depend on the seed, the number of
    the host and its number of views alone.
    """
    out = []
    for host, count in zip(host_id, counts, strict=True):
        out.append(axis_directions())
        if count > N_AXES:
            out.append(fibonacci_directions(int(count) - N_AXES, seed=host_seed(seed, int(host), _PURPOSE)))
    return np.concatenate(out) if out else np.empty((0, 3))


def host_seed(seed: int, host_id: int, purpose: int) -> int:
    """64 random bits that depend on the seed, the host and the purpose alone."""
    bits = np.random.Philox(key=[seed, host_id % 2**64], counter=[0, 0, 0, purpose])
    return int(bits.random_raw())
