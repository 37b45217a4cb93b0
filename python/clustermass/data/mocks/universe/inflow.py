"""Haloes near clusters fall in: what the smoothed flow of the field lacks within a few virial radii."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...universe import Haloes
from . import linear
from .haloes import HaloField
from .infall import SphericalFlow, radial_velocity, solve_spherical_flow
from .nfw import FloatArray, nfw_mass, overdensity_reach
from .settings import UniverseSettings

LOWEST = 1e13  #: Msun/h: haloes above it draw others in
REACH = 5.0  #: r200c, to where they do
_CHAIN = 4  # steps of haloes that fall towards haloes that fall


def by_mass(relation: Callable[[FloatArray], FloatArray], mass: FloatArray) -> FloatArray:
    """A smooth relation of mass at many masses, by interpolation in ln M."""
    if mass.size == 0:
        return np.zeros(0)
    grid = np.geomspace(0.99 * mass.min(), 1.01 * mass.max(), 200)
    return np.asarray(np.interp(np.log(mass), np.log(grid), relation(grid)))


def peak_height(settings: UniverseSettings, mass: FloatArray) -> FloatArray:
    """1.686 / sigma(M) at many masses [Msun]."""

    def relation(grid: FloatArray) -> FloatArray:
        return 1.686 / linear.linear_sigma(settings, linear.lagrangian_radius(settings, grid))

    return by_mass(relation, mass)


def fade(s: FloatArray, mean: FloatArray) -> FloatArray:
    """Share of a cluster's own flow at s = r / r200c: 1 to r200m (`mean`, over r200c), 0 from `REACH` on, linear."""
    return np.asarray(np.clip((REACH - s) / (REACH - mean), 0.0, 1.0))


def nearest_cluster(
    haloes: Haloes, clusters: NDArray[np.int64], box_size: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """(halo, cluster, offset from it [comoving Mpc]) of haloes within `REACH` r200c of a more massive one.

    Of several clusters the one that is nearest in units of its r200c; rows of haloes are by falling mass.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(haloes.positions, boxsize=box_size)
    radii = np.minimum(REACH * haloes.r200c[clusters], 0.49 * box_size)
    near = tree.query_ball_point(haloes.positions[clusters], radii)
    cluster = np.repeat(clusters, [len(one) for one in near])
    halo = np.concatenate([np.zeros(0, np.int64), *(np.asarray(one, np.int64) for one in near)])
    smaller = halo > cluster
    halo, cluster = halo[smaller], cluster[smaller]
    offset = haloes.positions[halo] - haloes.positions[cluster]
    offset -= box_size * np.round(offset / box_size)
    s = np.linalg.norm(offset, axis=1) / haloes.r200c[cluster]
    order = np.lexsort((s, halo))
    first = order[np.concatenate([[True], np.diff(halo[order]) > 0])[: order.size]]
    return halo[first], cluster[first], offset[first]


def let_fall(field: HaloField, settings: UniverseSettings) -> HaloField:
    """Give haloes near more massive ones the mean infall of the spherical model, and the motion those gained.

    The displacements of the field are averaged over the patches that haloes come from, so around clusters its mean
    radial velocity goes to nothing inside 3 r200c, where the spherical model has 0.6 to 0.9 of V200. The infall fades
    inside 2 r200c, where haloes have fallen through, and from r200m to 5 r200c, where the field takes over (`fade`).
    """
    haloes, epoch = field.haloes, settings.epoch
    clusters = np.flatnonzero(haloes.m200c * epoch.h > LOWEST)
    halo, cluster, offset = nearest_cluster(haloes, clusters, settings.box_size)
    if halo.size == 0:
        return field
    c = field.concentration[cluster]
    mean = overdensity_reach(c, epoch.matter_fraction) / c
    m200m = haloes.m200c[cluster] * nfw_mass(mean * c) / nfw_mass(c)
    distance = np.linalg.norm(offset, axis=1)
    s = distance / haloes.r200c[cluster]
    flow: SphericalFlow = solve_spherical_flow(epoch)
    hubble = 100.0 * epoch.h * epoch.expansion * epoch.scale_factor  # km/s per comoving Mpc
    speed = radial_velocity(flow, s, c, mean, peak_height(settings, m200m), epoch) * hubble * haloes.r200c[cluster]
    share = fade(s, mean)
    own = np.zeros((haloes.n, 3))
    own[halo] = (share * speed / distance)[:, None] * offset
    gained = own.copy()
    for _ in range(_CHAIN):
        gained[halo] = own[halo] + share[:, None] * gained[cluster]
    return replace(field, haloes=replace(haloes, velocities=haloes.velocities + gained))
