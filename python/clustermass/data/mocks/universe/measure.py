"""Clusters of a universe as they are and as they are observed: the numbers that checks compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....ops.lightcone import build_galaxy_index, select_lightcone
from ...universe import Universe
from .nfw import FloatArray

APERTURE = 1.6  #: Mpc/h, comoving: radius of the cylinder of Ho et al. 2019 (ApJ 887, 25)
WINDOW = 2200.0  #: km/s: half its depth
RICHNESS = 10  #: clusters with more galaxies are kept there


@dataclass(frozen=True)
class Members:
    """Satellites of haloes, sorted by halo.

    Attributes
    ----------
    row : (k,) int64
        Halo of each.
    offset, velocity : (k, 3) float64
        From the halo [comoving Mpc], [km/s].
    """

    row: NDArray[np.int64]
    offset: FloatArray
    velocity: FloatArray


def members_of(universe: Universe, lowest: float) -> Members:
    """Satellites of the haloes above a mass [Msun], relative to their halo."""
    galaxies, haloes, size = universe.galaxies, universe.haloes, universe.box_size
    chosen = np.flatnonzero((galaxies.host >= 0) & ~galaxies.is_central)
    chosen = chosen[haloes.m200c[galaxies.host[chosen]] >= lowest]
    chosen = chosen[np.argsort(galaxies.host[chosen], kind="stable")]
    row = galaxies.host[chosen]
    offset = galaxies.positions[chosen] - haloes.positions[row]
    offset -= size * np.round(offset / size)
    return Members(row, offset, galaxies.velocities[chosen] - haloes.velocities[row])


def dispersion_by_group(row: NDArray[np.int64], velocity: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """(count, sample standard deviation) of the velocities in each of n groups; NaN for fewer than two."""
    count = np.bincount(row, minlength=n).astype(float)
    with np.errstate(all="ignore"):
        mean = np.bincount(row, velocity, n) / count
        square = np.bincount(row, (velocity - mean[row]) ** 2, n)
        return count, np.where(count > 1, np.sqrt(square / (count - 1.0)), np.nan)


@dataclass(frozen=True)
class Views:
    """Clusters seen along the three axes of the box, one row a view.

    Attributes
    ----------
    log10_mass : (v,) float64
        log10 of M200c [Msun/h].
    n_pure, n_true, n_all : (v,) float64
        Members; members in the cylinder; all galaxies in it.
    sigma_pure, sigma_all : (v,) float64, km/s
        Standard deviation of the line-of-sight velocities of the members, and of all in the cylinder.
    """

    log10_mass: FloatArray
    n_pure: FloatArray
    n_true: FloatArray
    n_all: FloatArray
    sigma_pure: FloatArray
    sigma_all: FloatArray

    @property
    def purity(self) -> FloatArray:
        """Share of members among the galaxies in the cylinder."""
        return np.asarray(self.n_true / np.maximum(self.n_all, 1.0))


def view_clusters(universe: Universe, lowest: float = 10**13.5) -> Views:
    """Observe the haloes above a mass [Msun/h] as Ho et al. 2019: all members, and all galaxies in the cylinder.

    Velocities are those of the Hubble flow across the box and peculiar ones, relative to the halo, added without
    relativistic terms (below 1 % at 2200 km/s). Centrals of the clusters are left out.
    """
    haloes, galaxies, h = universe.haloes, universe.galaxies, universe.cosmology.h
    clusters = np.flatnonzero(haloes.m200c * h >= lowest)
    seen = select_lightcone(
        build_galaxy_index(galaxies.positions, galaxies.velocities, box_size=universe.box_size, hosts=galaxies.host),
        np.tile(haloes.positions[clusters], (3, 1)),
        np.tile(haloes.velocities[clusters], (3, 1)),
        np.repeat(np.eye(3), clusters.size, axis=0),
        targets=np.tile(clusters, 3),
        redshift=universe.redshift,
        cosmology=universe.cosmology,
        aperture=APERTURE / h,
        max_velocity=WINDOW,
        relativistic=False,
    )
    n = 3 * clusters.size
    view = np.repeat(np.arange(n), np.diff(seen.offsets))
    kept = ~(seen.is_member & galaxies.is_central[seen.indices])
    n_all, sigma_all = dispersion_by_group(view[kept], seen.velocity[kept], n)
    n_true = np.bincount(view[kept & seen.is_member], minlength=n).astype(float)
    order = np.full(haloes.n, -1)
    order[clusters] = np.arange(clusters.size)
    members = members_of(universe, lowest / h)
    hubble = 100.0 * h * float(universe.cosmology.expansion(universe.redshift)) / (1.0 + universe.redshift)
    rows = (order[members.row] + np.arange(3)[:, None] * clusters.size).ravel()
    n_pure, sigma_pure = dispersion_by_group(rows, (hubble * members.offset + members.velocity).T.ravel(), n)
    log_mass = np.tile(np.log10(haloes.m200c[clusters] * h), 3)
    return Views(log_mass, n_pure, n_true, n_all, sigma_pure, sigma_all)


@dataclass(frozen=True)
class MassFit:
    """log10 sigma = log10 sigma15 + slope log10(M200c / 1e15 Msun/h), and the masses it gives back.

    Attributes
    ----------
    sigma15 : float, km/s
    slope : float
    residual : (k,) float64
        log10 of estimated over true mass, of the clusters from 1e14 to 1e15 Msun/h.
    """

    sigma15: float
    slope: float
    residual: FloatArray


def fit_masses(log10_mass: FloatArray, count: FloatArray, sigma: FloatArray) -> MassFit:
    """The M-sigma relation of Ho et al. 2019: a straight line through a flat mass function, inverted.

    Clusters with more than ten galaxies; weights make bins of 0.1 dex equal where they hold 20 or more.
    """
    used = (count > RICHNESS) & np.isfinite(sigma) & (sigma > 0)
    x, y = log10_mass[used] - 15.0, np.log10(sigma[used])
    bins = np.floor((x - x.min(initial=0.0)) / 0.1).astype(np.int64)
    weight = 1.0 / np.sqrt(np.maximum(np.bincount(bins)[bins], 20.0))
    slope, level = np.polyfit(x, y, 1, w=weight)
    inside = (x > -1.0) & (x < 0.0)
    return MassFit(float(10.0**level), float(slope), (y[inside] - level) / slope - x[inside])


def directional_scatter(members: Members, n_least: int = 100) -> tuple[float, int]:
    """(scatter of ln sigma_los of one cluster over directions, clusters used), without the noise of sampling.

    From the velocity tensor S of clusters with `n_least` members or more: over directions the variance of sigma_los^2
    is 2/15 |S - tr S / 3|^2, of which N members of an isotropic cluster give 4 / (3 N) of the mean squared.
    """
    _, start, count = np.unique(members.row, return_index=True, return_counts=True)
    square, noise = [], []
    for first, n in zip(start[count >= n_least], count[count >= n_least], strict=True):
        tensor = np.cov(members.velocity[first : first + n].T)
        mean = np.trace(tensor) / 3.0
        square.append(2.0 / 15.0 * np.sum((tensor / mean - np.eye(3)) ** 2))
        noise.append(4.0 / (3.0 * n))
    if not square:
        return float("nan"), 0
    return 0.5 * float(np.sqrt(max(np.mean(square) - np.mean(noise), 0.0))), len(square)


def two_point(positions: FloatArray, edges: FloatArray, box_size: float) -> FloatArray:
    """Two-point function in shells between `edges` [comoving Mpc], periodic: pairs over those of a uniform box."""
    from scipy.spatial import cKDTree

    tree = cKDTree(positions, boxsize=box_size)
    pairs = np.diff(tree.count_neighbors(tree, edges).astype(float))
    n = len(positions)
    uniform = n * (n - 1) / box_size**3 * 4.0 / 3.0 * np.pi * np.diff(edges**3)
    return np.asarray(pairs / uniform - 1.0)
