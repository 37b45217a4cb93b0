"""Galaxies of a box of haloes: centrals and satellites with places, velocities, stellar masses and magnitudes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...universe import Galaxies
from ..profiles import Epoch
from .dynamics import JeansTable, make_jeans_table
from .luminosity import CENTRAL_SCATTER, central_luminosity, magnitude, make_satellite_luminosities
from .members import Hosts, draw_members, make_hosts, to_box
from .mergers import Clumps, draw_clumps, move_to_clumps
from .nfw import FloatArray
from .occupation import (
    OCCUPATIONS,
    THRESHOLD,
    Occupation,
    SatelliteMasses,
    draw_central_masses,
    make_satellite_masses,
    mean_satellites,
)

VELOCITY_BIAS = 0.97  #: of galaxies against dark matter (TNG, Magneticum, The Three Hundred: Anbajagane et al. 2022)
BLOCK = 1 << 16  #: haloes filled at a time; part of the stream of random numbers


@dataclass(frozen=True)
class GalaxyModel:
    """What does not differ between haloes: the relations, tabulated for one epoch and preset."""

    epoch: Epoch
    occupation: Occupation
    velocity_bias: float
    nonlinear_mass: float
    jeans: JeansTable
    satellite_masses: SatelliteMasses
    satellite_luminosities: SatelliteMasses


def make_galaxy_model(
    epoch: Epoch, occupation: str, nonlinear_mass: float, velocity_bias: float = VELOCITY_BIAS
) -> GalaxyModel:
    """Tabulate the relations; `nonlinear_mass` [Msun] is that of peak height 1."""
    masses = make_satellite_masses(epoch.h)
    return GalaxyModel(
        epoch=epoch,
        occupation=OCCUPATIONS[occupation],
        velocity_bias=velocity_bias,
        nonlinear_mass=nonlinear_mass,
        jeans=make_jeans_table(),
        satellite_masses=masses,
        satellite_luminosities=make_satellite_luminosities(masses, epoch.h),
    )


def mean_members(model: GalaxyModel, hosts: Hosts) -> FloatArray:
    """Mean number of satellites of each halo within its virial radius, by the preset."""
    reach, reach_200m = hosts.tracer_reach(hosts.virial), hosts.tracer_reach(hosts.mean)
    return mean_satellites(model.occupation, hosts.m200c, hosts.m200m, reach, reach_200m, model.epoch.h)


@dataclass(frozen=True)
class Drawn:
    """Everything of the galaxies of some haloes that is random, in the order of the stream of random numbers.

    Attributes
    ----------
    row : (m,) int64
        Host of each satellite.
    offset, velocity : (m, 3) float64
        In the frame of the host's axes [comoving Mpc], [km/s]; those of clumps moved there.
    clumps : Clumps
        One a host.
    in_clump : (m,) bool
    share : (m,) float64
        Rank of the satellite's mass within its host, in (0, 1].
    normal : (n,) float64
        Scatter of the central galaxy.
    """

    row: NDArray[np.int64]
    offset: FloatArray
    velocity: FloatArray
    clumps: Clumps
    in_clump: NDArray[np.bool_]
    share: FloatArray
    normal: FloatArray


def draw_satellites(model: GalaxyModel, hosts: Hosts, rng: np.random.Generator) -> Drawn:
    """Draw satellites, clumps and the scatter of centrals of some haloes."""
    row = np.repeat(np.arange(hosts.n), rng.poisson(mean_members(model, hosts)))
    offset, velocity = draw_members(hosts, row, model.jeans, rng)
    clumps = draw_clumps(hosts, rng)
    in_clump = move_to_clumps(clumps, row, offset, velocity, rng)
    share = 1.0 - rng.random(row.size)  # in (0, 1]
    return Drawn(row, offset, velocity, clumps, in_clump, share, rng.standard_normal(hosts.n))


def central_masses(model: GalaxyModel, hosts: Hosts, drawn: Drawn) -> FloatArray:
    """Stellar mass of the central galaxy of each halo [Msun], below the threshold too."""
    return draw_central_masses(hosts.m200m, model.epoch.h, drawn.normal)


def fill_haloes(
    model: GalaxyModel,
    hosts: Hosts,
    positions: FloatArray,
    velocities: FloatArray,
    first_row: int,
    rng: np.random.Generator,
    *,
    centrals_too: bool | None = None,
) -> Galaxies:
    """Draw the galaxies of some haloes at these places [comoving Mpc] and velocities [km/s].

    Satellites are Poisson draws about the mean of the preset, independent of whether there is a central above the
    threshold. Centrals are there if the preset has them, or as `centrals_too` says. `host` counts from `first_row`; a
    galaxy of a clump that lies beyond the virial radius has none.
    """
    h = model.epoch.h
    drawn = draw_satellites(model, hosts, rng)
    row, offset, velocity = drawn.row, drawn.offset, drawn.velocity
    chosen = drawn.in_clump
    beyond = chosen & ((offset**2).sum(axis=1) > (hosts.virial * hosts.r200c)[row] ** 2)
    stars = model.satellite_masses.draw(hosts.m200m[row], drawn.share)
    light = np.log10(model.satellite_luminosities.draw(hosts.m200m[row], drawn.share))

    central_stars = central_masses(model, hosts, drawn)
    wanted = model.occupation.field_centrals if centrals_too is None else centrals_too
    has_central = (central_stars >= THRESHOLD) & wanted
    central_light = (central_luminosity(hosts.m200m, h) + CENTRAL_SCATTER * drawn.normal)[has_central]
    centrals = np.flatnonzero(has_central)
    frames = hosts.frames[row]
    return Galaxies(
        positions=np.concatenate([positions[centrals], positions[row] + to_box(offset, frames)]),
        velocities=np.concatenate([velocities[centrals], velocities[row] + to_box(velocity, frames)]),
        host=np.concatenate([centrals, np.where(beyond, -1 - first_row, row)]) + first_row,
        is_central=np.arange(centrals.size + row.size) < centrals.size,
        stellar_mass=np.concatenate([central_stars[centrals], stars]),
        magnitude_r=magnitude(np.concatenate([central_light, light]), h),
    )


def join_galaxies(parts: list[Galaxies]) -> Galaxies:
    """Put the rows of several tables into one, in their order."""

    def column(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Galaxies(
        positions=column("positions"),
        velocities=column("velocities"),
        host=np.concatenate([part.host for part in parts]),
        is_central=np.concatenate([part.is_central for part in parts]),
        stellar_mass=column("stellar_mass"),
        magnitude_r=column("magnitude_r"),
    )


def block_hosts(
    model: GalaxyModel,
    m200c: FloatArray,
    r200c: FloatArray,
    concentration: FloatArray,
    tidal_axes: FloatArray | None,
    rng: np.random.Generator,
) -> Hosts:
    """`make_hosts` with the relations of a model."""
    return make_hosts(
        m200c,
        r200c,
        concentration,
        tidal_axes,
        epoch=model.epoch,
        table=model.jeans,
        nonlinear_mass=model.nonlinear_mass,
        velocity_bias=model.velocity_bias,
        rng=rng,
    )
