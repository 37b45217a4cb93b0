"""Gas of haloes as particles: evenly spread in ln r, with the mass, density and temperature of their place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...constants import full_electron_abundance
from .gas_profiles import REACH, GasTable
from .universe.members import Hosts, to_box
from .universe.mergers import Clumps
from .universe.shapes import axis_power

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROUNDNESS = 0.4  #: power of the axes of matter that gas has: rounder, as the potential is (an assumption)
NEIGHBOURS = 24  #: particles within a smoothing length: they lie more evenly than at random
_FEWEST = 64  # particles of a clump
_INNER = 0.03  # R500: particles are even in ln r outside, rarer in proportion to r inside
_FIRST = 0.002  # R500
_FLAT = np.log(REACH / _INNER)
_WHOLE = _FLAT + 1.0 - _FIRST / _INNER  # integral of min(1, x / _INNER) over ln x
# even points of a cube: fractional parts of multiples of the powers of 1/g, g^4 = g + 1 (Roberts 2018)
_STEP = 1.22074408460575947536 ** -np.arange(1.0, 4.0)


@dataclass(frozen=True)
class Bodies:
    """What particles are drawn of: haloes, and the clumps that fall into them, one row each.

    Attributes
    ----------
    halo : (n,) int64
        Row of the halo.
    share : (n,) float64
        Of the gas of the halo.
    size : (n,) float64
        Over the size of the halo: the cube root of the share, since haloes of all masses are equally dense.
    cooler : (n,) float64
        Temperature over that of the halo: size^2 for a clump; 1 for what it falls into, which it heats.
    offset : (n, 3) float64, comoving Mpc
        From the halo, in the frame of its axes.
    shift : (n, 3) float64
        Random part of the place of the particles.
    count : (n,) int64
        Particles.
    """

    halo: IntArray
    share: FloatArray
    size: FloatArray
    cooler: FloatArray
    offset: FloatArray
    shift: FloatArray
    count: IntArray


def bodies_of(halo: IntArray, clumps: Clumps, shift: FloatArray, count: IntArray) -> Bodies:
    """Haloes of these rows, less what their clumps hold, and the clumps: each is the halo made smaller, as clumps of
    galaxies are (`mergers`).

    `clumps`, `shift` (n, 2, 3) and `count` (n,) are those of all haloes.
    """
    split = halo[clumps.share[halo] > 0]
    share = clumps.share[split]
    return Bodies(
        halo=np.concatenate([halo, split]),
        share=np.concatenate([1.0 - clumps.share[halo], share]),
        size=np.cbrt(np.concatenate([1.0 - clumps.share[halo], share])),
        cooler=np.concatenate([np.ones(halo.size), np.cbrt(share) ** 2]),
        offset=np.concatenate([np.zeros((halo.size, 3)), clumps.offset[split]]),
        shift=np.concatenate([shift[halo, 0], shift[split, 1]]),
        count=np.concatenate([count[halo], _of_clump(count[split], share)]),
    )


def _of_clump(count: IntArray, share: FloatArray) -> IntArray:
    """Particles of a clump of a halo of `count`."""
    return np.maximum((count * np.sqrt(share)).astype(np.int64), _FEWEST)


def gas_particles(
    bodies: Bodies, table: GasTable, hosts: Hosts, centres: FloatArray, box_size: float
) -> dict[str, FloatArray]:
    """Particles of some bodies, in the fields of a snapshot.

    Radii are even in ln r from 0.03 to 5 R500, so that cores and outskirts are both smooth; what a particle weighs
    makes up for it. Density is that of the profile at its place, not one estimated from neighbours. A clump is
    cooler as its mass to the power 2/3. Smoothing lengths hold `NEIGHBOURS` particles.

    Parameters
    ----------
    bodies : Bodies
        What is drawn.
    table : GasTable
        Profiles of all haloes that `bodies` count in.
    hosts : Hosts
        Their shapes.
    centres : ndarray of float64, shape (n, 3)
        Their places [comoving Mpc].
    box_size : float, comoving Mpc
        Positions are wrapped into it.

    Returns
    -------
    dict of str to ndarray
        positions [comoving Mpc], masses [Msun], density [Msun / comoving Mpc^3], temperature [K], electron_abundance,
        smoothing_length [comoving Mpc].

    Notes
    -----
    Cost: about 1 us and 200 bytes a particle.
    """
    body = np.repeat(np.arange(bodies.halo.size), bodies.count)
    rank = np.arange(body.size) - np.repeat(np.cumsum(bodies.count) - bodies.count, bodies.count)
    even = np.mod(bodies.shift[body] + (rank + 1.0)[:, None] * _STEP, 1.0)
    x = _radii(even[:, 0])
    halo = bodies.halo[body]
    size = bodies.size[body]
    density, temperature = table.at(halo, x)
    radius = x * table.haloes.r500[halo]
    per_log = np.minimum(x / _INNER, 1.0) / _WHOLE * bodies.count[body]  # particles per unit of ln r
    masses = 4.0 * np.pi * radius**3 * density * bodies.share[body] / per_log
    power = ROUNDNESS * axis_power(radius / (hosts.virial * hosts.r200c)[halo])
    cosine, angle = 2.0 * even[:, 1] - 1.0, 2.0 * np.pi * even[:, 2]
    sine = np.sqrt(1.0 - cosine**2)
    offset = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    offset *= (size * radius)[:, None] * np.exp(power[:, None] * np.log(hosts.axes)[halo])
    offset += bodies.offset[body]
    return {
        "positions": (centres[halo] + to_box(offset, hosts.frames[halo])) % box_size,
        "masses": masses,
        "density": density,
        "temperature": temperature * bodies.cooler[body],
        "electron_abundance": np.full(body.size, full_electron_abundance()),
        "smoothing_length": size * radius * np.cbrt(3.0 * NEIGHBOURS / per_log),
    }


def reach_of(table: GasTable, hosts: Hosts, clumps: Clumps, count: IntArray) -> FloatArray:
    """Radius [comoving Mpc] beyond which a halo puts nothing, kernels and clumps included."""
    stretch = hosts.axes[:, 0] ** ROUNDNESS + np.cbrt(3.0 * NEIGHBOURS * _WHOLE / count)
    fewest = _of_clump(count, clumps.share)
    clump = np.cbrt(clumps.share) * (hosts.axes[:, 0] ** ROUNDNESS + np.cbrt(3.0 * NEIGHBOURS * _WHOLE / fewest))
    radius = REACH * table.haloes.r500
    away = np.linalg.norm(clumps.offset, axis=1)
    return np.asarray(np.maximum(radius * stretch, np.where(clumps.share > 0, away + radius * clump, 0.0)))


def _radii(u: FloatArray) -> FloatArray:
    """x = r / R500 below which a share u of the particles lies."""
    inner = 1.0 - _FIRST / _INNER
    t = u * _WHOLE
    return np.asarray(np.where(t < inner, _FIRST + _INNER * t, _INNER * np.exp(np.maximum(t - inner, 0.0))))
