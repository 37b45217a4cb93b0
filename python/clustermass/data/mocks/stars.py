"""Stars for maps: the galaxies of a universe, and central galaxies with extended haloes of stars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .universe.members import Hosts, to_box
from .universe.shapes import axis_power

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CENTRAL_SIZE = 0.020  #: Mpc (proper): half-light radius of a central galaxy of `CENTRAL_PIVOT` in projection
CENTRAL_PIVOT = 6e11  #: Msun in stars; sizes go as the root of the mass
HALO_SIZE = 0.1  #: R200c: half-light radius of the halo of stars around it
HALO_SHARE = 1.5  #: its mass over that of the galaxy (of the order of Kravtsov et al. 2018)
HALO_ABOVE = 1e13  #: Msun: M200c below which there is none
_ENDS = 0.8  # share of the mass of a Hernquist profile within 8.5 scale lengths, where it is cut
_PROJECTED = 1.8153  # half-light radius over the scale length
_ROUNDNESS = 0.7  # power of the axes of matter


def central_particles(
    rows: IntArray, hosts: Hosts, stars: FloatArray, centres: FloatArray, shift: FloatArray, *, n: tuple[int, int],
    scale_factor: float, box_size: float,
) -> dict[str, FloatArray]:  # fmt: skip
    """Particles of the central galaxies of haloes `rows`: a Hernquist 1990 profile, and a wide one above `HALO_ABOVE`.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
        Which haloes.
    hosts : Hosts
        Shapes of all haloes that `rows` count in.
    stars : ndarray of float64, shape (k,)
        Stellar masses of their central galaxies [Msun].
    centres : ndarray of float64, shape (k, 3)
        Their places [comoving Mpc].
    shift : ndarray of float64, shape (k, 3)
        Random part of the places of particles, 0 to 1.
    n : (int, int)
        Particles of a galaxy, and of the stars around it.
    scale_factor, box_size : float
        Box in comoving Mpc.

    Returns
    -------
    dict of str to ndarray
        positions [comoving Mpc] and masses [Msun].
    """
    galaxy = CENTRAL_SIZE * np.sqrt(stars[rows] / CENTRAL_PIVOT) / scale_factor
    wide = rows[hosts.m200c[rows] > HALO_ABOVE]
    count = np.repeat(n, (rows.size, wide.size))  # of each profile: galaxies, then what is around them
    profile = np.repeat(np.arange(count.size), count)
    owner = np.concatenate([rows, wide])[profile]
    size = np.concatenate([galaxy, HALO_SIZE * hosts.r200c[wide]])[profile] / _PROJECTED
    mass = (np.concatenate([stars[rows], HALO_SHARE * stars[wide]]) / count)[profile]
    k = 1.0 + np.arange(profile.size) - np.repeat(np.cumsum(count) - count, count)
    half = np.where(profile < rows.size, 0.0, 0.5)
    # golden-angle spirals, radii one in each of n equal parts: even over the sphere for each halo
    root = np.sqrt(_ENDS * (k - 1.0 + shift[owner, 0]) / count[profile])
    radius = size * root / (1.0 - root)
    cosine = 2.0 * np.mod(shift[owner, 1] + half + 0.7548776662466927 * k, 1.0) - 1.0
    angle = 2.0 * np.pi * np.mod(shift[owner, 2] + half + 0.5698402909980532 * k, 1.0)
    sine = np.sqrt(1.0 - cosine**2)
    offset = radius[:, None] * np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    power = _ROUNDNESS * axis_power(radius / (hosts.virial * hosts.r200c)[owner])
    offset *= hosts.axes[owner] ** power[:, None]
    return {"positions": (centres[owner] + to_box(offset, hosts.frames[owner])) % box_size, "masses": mass}
