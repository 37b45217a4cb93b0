"""Satellites of many haloes at once: places in triaxial NFW profiles, velocities from the Jeans solution."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ....constants import NEWTON
from ..profiles import Epoch
from .dynamics import TRACER_RATIO, JeansTable, anisotropy, evrard_dispersion
from .nfw import FloatArray, draw_nfw, nfw_mass, overdensity_reach
from .shapes import TYPICAL, axis_power, draw_axes, draw_frames, velocity_axes

DISPERSION_SCATTER = 0.043  #: of ln sigma between haloes of one mass (Evrard et al. 2008, ApJ 672, 122: 0.0426)


def virial_overdensity(epoch: Epoch) -> float:
    """Mean density within the virial radius over the critical one (Bryan & Norman 1998, ApJ 495, 80, eq. 6)."""
    x = epoch.matter_fraction - 1.0
    return 18.0 * np.pi**2 + 82.0 * x - 39.0 * x**2


@dataclass(frozen=True)
class Hosts:
    """What the satellites of a halo need to know of it, one row each.

    Attributes
    ----------
    m200c, r200c : (n,) float64
        [Msun], [comoving Mpc]
    concentration : (n,) float64
        Of matter: r200c over the scale radius.
    m200m : (n,) float64, Msun
    virial, mean : (n,) float64
        Virial radius and r200m over r200c.
    circular : (n,) float64, km/s
        V200, the circular velocity at r200c.
    boost : (n,) float64
        Velocities of galaxies over those of the Jeans solution.
    axes, frames : (n, 3), (n, 3, 3) float64
        Lengths of the axes at 0.3 virial radii, major first, product 1; their directions as rows.
    """

    m200c: FloatArray
    r200c: FloatArray
    concentration: FloatArray
    m200m: FloatArray
    virial: FloatArray
    mean: FloatArray
    circular: FloatArray
    boost: FloatArray
    axes: FloatArray
    frames: FloatArray

    @property
    def n(self) -> int:
        return self.m200c.size

    def take(self, rows: NDArray[np.int64]) -> Hosts:
        """Some of the rows."""
        return Hosts(*(getattr(self, field.name)[rows] for field in fields(self)))

    def tracer_reach(self, radius: FloatArray) -> FloatArray:
        """A radius over r200c as one over the scale radius of the galaxies."""
        return np.asarray(radius * TRACER_RATIO * self.concentration)


def make_hosts(
    m200c: FloatArray,
    r200c: FloatArray,
    concentration: FloatArray,
    tidal_axes: FloatArray | None,
    *,
    epoch: Epoch,
    table: JeansTable,
    nonlinear_mass: float,
    velocity_bias: float,
    rng: np.random.Generator,
) -> Hosts:
    """Draw what differs between haloes of one mass: shape, orientation, and the scatter of their dispersion.

    The Jeans solution is scaled so that galaxies within r200c have `velocity_bias` times the dispersion of dark matter
    (Evrard et al. 2008), whatever the concentration, with a scatter of 4.3 % between haloes.
    """
    virial = overdensity_reach(concentration, virial_overdensity(epoch) / 200.0) / concentration
    mean = overdensity_reach(concentration, epoch.matter_fraction) / concentration
    circular = np.sqrt(NEWTON * m200c / (epoch.scale_factor * r200c))
    sigma = velocity_bias * evrard_dispersion(m200c, 100.0 * epoch.h * epoch.expansion)
    boost = sigma / (circular * np.sqrt(table.mean_variance(concentration)))
    m_virial = m200c * nfw_mass(virial * concentration) / nfw_mass(concentration)
    return Hosts(
        m200c=m200c,
        r200c=r200c,
        concentration=concentration,
        m200m=m200c * nfw_mass(mean * concentration) / nfw_mass(concentration),
        virial=virial,
        mean=mean,
        circular=circular,
        boost=boost * np.exp(DISPERSION_SCATTER * rng.standard_normal(m200c.size)),
        axes=draw_axes(m_virial, nonlinear_mass, rng),
        frames=draw_frames(tidal_axes, m200c.size, rng),
    )


def join_hosts(parts: list[Hosts]) -> Hosts:
    """The rows of several tables in one."""
    return Hosts(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Hosts)))


def draw_members(
    hosts: Hosts, row: NDArray[np.int64], table: JeansTable, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Offsets [comoving Mpc] and velocities [km/s] from the halo, in the frame of its axes: (n, 3) each.

    Radii from the NFW profile of galaxies (half as concentrated as matter) to the virial radius; directions at random;
    then stretched along the axes, with the volume kept, less so outside (`axis_power`). Velocities are normal with the
    radial and tangential dispersions of the Jeans solution at that radius, then stretched along the axes as the tensor
    virial theorem asks (`velocity_axes`), which leaves the three-dimensional dispersion as it was.
    """
    c, virial = hosts.concentration[row], hosts.virial[row]
    x = draw_nfw(hosts.tracer_reach(hosts.virial)[row], rng.random(row.size))
    s = x / (TRACER_RATIO * c)
    direction = rng.standard_normal((row.size, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radial = np.sqrt(table.radial(c, s)) * hosts.circular[row] * hosts.boost[row]
    across = radial * np.sqrt(1.0 - anisotropy(s))
    normal = rng.standard_normal((row.size, 3))
    along = ((radial - across) * (normal * direction).sum(axis=1))[:, None] * direction
    used, at = np.unique(row, return_inverse=True)
    ellipsoid = velocity_axes(hosts.axes[used] ** float(axis_power(TYPICAL)))[at]
    velocity = (across[:, None] * normal + along) * ellipsoid
    offset = (s * hosts.r200c[row])[:, None] * direction * hosts.axes[row] ** axis_power(s / virial)[:, None]
    return offset, velocity


def to_box(vectors: FloatArray, frames: FloatArray) -> FloatArray:
    """Vectors in the frame of the axes, turned into the frame of the box: (n, 3)."""
    return np.asarray(np.einsum("ni,nij->nj", vectors, frames))
