"""Galaxies around clusters that the haloes of the field do not bring: on wide orbits, and falling in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...universe import Haloes
from ..profiles import Epoch
from .dynamics import JeansTable
from .infall import FLOW_RADII, SphericalFlow, mean_overdensity, radial_velocity, truncation_radius
from .inflow import LOWEST, REACH, fade
from .members import Hosts
from .nfw import FloatArray

LARGEST = 0.3  #: of the cluster's mass: the most massive haloes that are added
_EDGES = np.linspace(0.0, 1.0, 9)  # of shells, in ln r from the virial radius to REACH
_MASS_STEP = 0.25  # dex: haloes in a bin of mass share what is missing around them
_LEAST = 20  # haloes in a bin of mass


@dataclass(frozen=True)
class Around:
    """Clusters and the galaxies that haloes bring, to compare.

    Attributes
    ----------
    haloes : Haloes
    rows : (m,) int64
        Those of `haloes` that are clusters here, by falling mass.
    hosts : Hosts
        The clusters.
    members : (m,) float64
        Mean number of galaxies of each within its virial radius.
    weights : (n,) float64
        Mean number of galaxies that each halo brings to the sample.
    bias, brought : (n,) float64
        Large-scale bias of each halo; mean number of galaxies that it brings when it is added (its central included).
    peak_height : (m,) float64
    box_size : float, comoving Mpc
    """

    haloes: Haloes
    rows: NDArray[np.int64]
    hosts: Hosts
    members: FloatArray
    weights: FloatArray
    bias: FloatArray
    brought: FloatArray
    peak_height: FloatArray
    box_size: float


@dataclass(frozen=True)
class Infalling:
    """Haloes to add.

    Attributes
    ----------
    like : (k,) int64
        Row of a halo of the same mass and concentration.
    positions, velocities : (k, 3) float64
        [comoving Mpc], in the box; [km/s], without the part that the flow of the field carries.
    by_field : (k,) float64
        Share of the flow of the field there that is to be added to the velocity.
    """

    like: NDArray[np.int64]
    positions: FloatArray
    velocities: FloatArray
    by_field: FloatArray


def draw_infalling(
    around: Around, flow: SphericalFlow, table: JeansTable, epoch: Epoch, rng: np.random.Generator
) -> Infalling:
    """Draw the haloes that are missing around clusters, from the most massive clusters down.

    Galaxies around a cluster are to follow matter, with the cluster's own number per mass (the infall regions of
    clusters hold galaxies as their virial regions do: Rines et al. 2004, AJ 128, 1078), and matter the profile of
    Diemer & Kravtsov 2014. In bins of cluster mass the galaxies that the haloes of the field bring, and those added
    around more massive clusters before, are counted; what is lacking is added, nothing is taken away.
    """
    pool = Pool(around)
    drawn: list[Infalling] = []
    positions, weights = np.zeros((0, 3)), np.zeros(0)
    for part in mass_bins(around.hosts.m200c, epoch.h):
        field = np.concatenate([around.haloes.positions, positions]), np.concatenate([around.weights, weights])
        radii = shell_radii(around.hosts.virial[part])
        found = count_around(*field, around.haloes.positions[around.rows[part]], radii * _scale(around, part), around)
        number = lacking(around, part, radii, found, epoch)
        row, s = draw_radii(part, number / pool.mean(around.hosts.m200c[part])[:, None], radii, rng)
        like = pool.draw(around.hosts.m200c[row], rng)
        new = place(around, row, s, like, flow, table, epoch, rng)
        new = _select(new, is_outside(new.positions, around))
        drawn.append(new)
        positions = np.concatenate([positions, new.positions])
        weights = np.concatenate([weights, around.brought[new.like]])
    return Infalling(
        like=np.concatenate([one.like for one in drawn]),
        positions=positions,
        velocities=np.concatenate([one.velocities for one in drawn]),
        by_field=np.concatenate([one.by_field for one in drawn]),
    )


def _scale(around: Around, part: NDArray[np.int64]) -> FloatArray:
    return around.hosts.r200c[part][:, None]


def _select(all_of: Infalling, kept: NDArray[np.bool_]) -> Infalling:
    return Infalling(all_of.like[kept], all_of.positions[kept], all_of.velocities[kept], all_of.by_field[kept])


def mass_bins(m200c: FloatArray, h: float) -> list[NDArray[np.int64]]:
    """Rows in bins of 0.25 dex of mass, the most massive first; a bin of fewer than 20 joins the next."""
    key = np.floor(np.log10(m200c * h / LOWEST) / _MASS_STEP)
    bins, waiting = [], np.zeros(0, np.int64)
    for k in np.unique(key)[::-1]:
        waiting = np.concatenate([waiting, np.flatnonzero(key == k)])
        if waiting.size >= _LEAST or k == key.min():
            bins.append(waiting)
            waiting = np.zeros(0, np.int64)
    return bins


def shell_radii(virial: FloatArray) -> FloatArray:
    """Radii over r200c of the edges of shells around haloes of this virial radius over r200c, (n, n_shells + 1)."""
    low = np.log(virial)[:, None]
    return np.asarray(np.exp(low + (np.log(REACH) - low) * _EDGES))


def count_around(
    positions: FloatArray, weights: FloatArray, centres: FloatArray, radii: FloatArray, around: Around
) -> FloatArray:
    """Sum of weights in the shells between `radii` [comoving Mpc] around all centres, periodic: (n_shells,)."""
    from scipy.spatial import cKDTree

    size = around.box_size
    positions, weights = positions[weights > 0], weights[weights > 0]
    tree = cKDTree(positions, boxsize=size)
    near = tree.query_ball_point(centres, np.minimum(radii[:, -1], 0.49 * size))
    number = np.array([len(one) for one in near])
    row = np.repeat(np.arange(number.size), number)
    at = np.concatenate([np.asarray(one, np.int64) for one in near])
    offset = positions[at] - centres[row]
    offset -= size * np.round(offset / size)
    shell = (np.linalg.norm(offset, axis=1)[:, None] >= radii[row]).sum(axis=1) - 1
    inside = (shell >= 0) & (shell < _EDGES.size - 1)
    return np.asarray(np.bincount(shell[inside], weights[at[inside]], minlength=_EDGES.size - 1), np.float64)


def lacking(around: Around, part: NDArray[np.int64], radii: FloatArray, found: FloatArray, epoch: Epoch) -> FloatArray:
    """Mean number of galaxies to add around each cluster of a bin of mass, in each shell: (n, n_shells)."""
    hosts = around.hosts
    volume = 4.0 / 3.0 * np.pi * np.diff((radii * _scale(around, part)) ** 3, axis=1)
    background = around.weights.sum() / around.box_size**3 * volume
    c = float(np.median(hosts.concentration[part]))
    r200m = float(np.median(hosts.mean[part]))
    reach = float(truncation_radius(float(np.median(around.peak_height[part])))) * r200m
    matter = mean_overdensity(c, r200m, reach, epoch) * FLOW_RADII**3
    inside = np.interp(np.log(radii), np.log(FLOW_RADII), matter)
    wanted = background + around.members[part][:, None] * np.diff(inside, axis=1) / inside[:, :1]
    total = wanted.sum(axis=0)
    return np.asarray(wanted * np.maximum(total - found, 0.0) / total)


class Pool:
    """The haloes of the box, to draw the masses of added ones from: those of high bias more often."""

    def __init__(self, around: Around) -> None:
        order = np.argsort(around.haloes.m200c, kind="stable")
        self._order, self._mass = order, around.haloes.m200c[order]
        self._bias = np.cumsum(around.bias[order])
        self._galaxies = np.cumsum(around.bias[order] * around.brought[order])

    def _below(self, cluster_mass: FloatArray) -> NDArray[np.int64]:
        return np.maximum(np.searchsorted(self._mass, LARGEST * cluster_mass) - 1, 0)

    def mean(self, cluster_mass: FloatArray) -> FloatArray:
        """Mean number of galaxies that a halo added to a cluster of this mass brings."""
        below = self._below(cluster_mass)
        return np.asarray(self._galaxies[below] / self._bias[below])

    def draw(self, cluster_mass: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of haloes, one for each cluster mass."""
        target = rng.random(cluster_mass.size) * self._bias[self._below(cluster_mass)]
        return np.asarray(self._order[np.searchsorted(self._bias, target)])


def draw_radii(
    part: NDArray[np.int64], number: FloatArray, radii: FloatArray, rng: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray]:
    """Poisson draws of `number` (n, n_shells) haloes: row among all clusters, and radius over r200c."""
    counts = rng.poisson(number)
    row, shell = (np.repeat(i, counts.ravel()) for i in np.indices(counts.shape).reshape(2, -1))
    low, high = radii[row, shell] ** 3, radii[row, shell + 1] ** 3
    return part[row], np.cbrt(low + (high - low) * rng.random(row.size))


def place(
    around: Around,
    row: NDArray[np.int64],
    s: FloatArray,
    like: NDArray[np.int64],
    flow: SphericalFlow,
    table: JeansTable,
    epoch: Epoch,
    rng: np.random.Generator,
) -> Infalling:
    """Places and velocities of haloes at s = r / r200c from the clusters of these rows.

    They lie where the shape of the cluster reaches, and move with the cluster, the mean infall, and the dispersion that
    the Jeans solution has there; from r200m to `REACH` r200c these fade as the flow of the field takes over.
    """
    hosts, haloes, halo = around.hosts, around.haloes, around.rows[row]
    direction = rng.standard_normal((row.size, 3)) * hosts.axes[row]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction = np.einsum("ni,nij->nj", direction, hosts.frames[row])
    share = fade(s, hosts.mean[row])
    mean = radial_velocity(flow, s, hosts.concentration[row], hosts.mean[row], around.peak_height[row], epoch)
    mean *= hosts.circular[row] / 10.0  # H r200c = V200 / 10
    sigma = np.sqrt(table.radial(hosts.concentration[row], s)) * hosts.circular[row] * hosts.boost[row]
    own = mean[:, None] * direction + sigma[:, None] * rng.standard_normal((row.size, 3))
    positions = haloes.positions[halo] + (s * haloes.r200c[halo])[:, None] * direction
    return Infalling(
        like, wrap(positions, around.box_size), share[:, None] * (haloes.velocities[halo] + own), 1.0 - share
    )


def wrap(positions: FloatArray, box_size: float) -> FloatArray:
    """Into [0, box_size); the remainder of a tiny negative number rounds up to the box size itself."""
    inside = positions % box_size
    inside[inside >= box_size] = 0.0
    return inside


def is_outside(positions: FloatArray, around: Around) -> NDArray[np.bool_]:
    """Which places lie within the virial radius of no cluster."""
    from scipy.spatial import cKDTree

    outside = np.ones(len(positions), bool)
    if outside.size:
        tree = cKDTree(positions, boxsize=around.box_size)
        radii = around.hosts.virial * around.hosts.r200c
        for inside in tree.query_ball_point(around.haloes.positions[around.rows], radii):
            outside[inside] = False
    return outside
