"""Disturbed haloes: a part of the members moves as a clump that fell in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .members import Hosts
from .nfw import FloatArray, nfw_potential

DISTURBED = 1.0 / 3.0  #: share of haloes with substructure in their galaxies (Dressler & Shectman 1988, AJ 95, 985)
SHARE = (0.1, 0.3)  #: of the members that are in the clump
DISTANCE = (0.3, 1.5)  #: of the clump, over r200c
ENTRY_SPEED = (1.2, 0.1)  #: speed at r200c over V200, and its scatter
TANGENTIAL = 0.25  #: share of the kinetic energy across the radius


@dataclass(frozen=True)
class Clumps:
    """The clump of each halo, in the frame of its axes; share 0 where there is none.

    Attributes
    ----------
    share : (n,) float64
        Of the members, and of the mass.
    offset, velocity : (n, 3) float64
        [comoving Mpc], [km/s]
    """

    share: FloatArray
    offset: FloatArray
    velocity: FloatArray


def draw_clumps(hosts: Hosts, rng: np.random.Generator) -> Clumps:
    """Draw whether each halo is disturbed, and where its clump is and moves.

    A clump enters r200c with 1.2 V200, as haloes that fall in do (Li et al. 2020, MNRAS 498, 2450), three quarters of
    the energy along the radius, and keeps its energy in the NFW potential: v^2(s) = v^2(1) + 2 (Phi(1) - Phi(s)).
    Inside r200c it moves in or out, outside only in. It lies where the shape of the halo makes members likely.
    """
    n = hosts.n
    is_disturbed = rng.random(n) < DISTURBED
    share = np.where(is_disturbed, rng.uniform(*SHARE, n), 0.0)
    s = rng.uniform(*DISTANCE, n)
    direction = rng.standard_normal((n, 3)) * hosts.axes
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    across = rng.standard_normal((n, 3))
    across -= (across * direction).sum(axis=1, keepdims=True) * direction
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    entry = (ENTRY_SPEED[0] + ENTRY_SPEED[1] * rng.standard_normal(n)) ** 2
    c = hosts.concentration
    energy = entry + 2.0 * (nfw_potential(c, c) - nfw_potential(s * c, c))
    speed = hosts.circular * np.sqrt(np.maximum(energy, 0.0))
    sign = np.where((s < 1.0) & (rng.random(n) < 0.5), 1.0, -1.0)
    heading = (sign * np.sqrt(1.0 - TANGENTIAL))[:, None] * direction + np.sqrt(TANGENTIAL) * across
    return Clumps(share, (s * hosts.r200c)[:, None] * direction, speed[:, None] * heading)


def move_to_clumps(
    clumps: Clumps, row: NDArray[np.int64], offset: FloatArray, velocity: FloatArray, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Put members into the clumps, in place; returns which.

    A clump is the halo made smaller: sizes and velocities scale as the cube root of its share of the mass, as those of
    haloes do.
    """
    share = clumps.share[row]
    chosen = rng.random(row.size) < share
    scale = np.cbrt(share[chosen])[:, None]
    offset[chosen] = clumps.offset[row[chosen]] + scale * offset[chosen]
    velocity[chosen] = clumps.velocity[row[chosen]] + scale * velocity[chosen]
    return np.asarray(chosen)
