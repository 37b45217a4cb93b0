"""All galaxies of a box: those of its haloes, and those around clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...universe import Galaxies
from . import linear
from .galaxies import (
    BLOCK,
    GalaxyModel,
    block_hosts,
    fill_haloes,
    join_galaxies,
    make_galaxy_model,
    mean_members,
)
from .haloes import HaloField
from .infall import solve_spherical_flow
from .inflow import LOWEST, by_mass, peak_height
from .members import Hosts, join_hosts
from .nfw import FloatArray
from .occupation import central_fraction
from .outskirts import Around, draw_infalling, wrap
from .settings import UniverseSettings
from .streams import stream

ALIGNED = 1e12  #: Msun/h: haloes above it are aligned with the tides
_FEW = 0.01  # galaxies: haloes that bring fewer are not counted around clusters


def populate(field: HaloField, settings: UniverseSettings) -> Galaxies:
    """Draw the galaxies of a box, positions wrapped into it.

    Haloes are filled in blocks with a stream of random numbers each, so the same seed gives the same galaxies.
    """
    haloes = field.haloes
    model = make_galaxy_model(
        settings.epoch, settings.occupation, linear.nonlinear_mass(settings), settings.velocity_bias
    )
    parts: list[Galaxies] = []
    shapes: list[Hosts] = []
    weights, brought = np.zeros(haloes.n), np.zeros(haloes.n)
    for block, first in enumerate(range(0, max(haloes.n, 1), BLOCK)):
        rows = np.arange(first, min(first + BLOCK, haloes.n))
        rng = stream(settings.seed, "galaxies", block)
        hosts = draw_hosts(field, model, rows, rng)
        parts.append(fill_haloes(model, hosts, haloes.positions[rows], haloes.velocities[rows], first, rng))
        shapes.append(hosts.take(np.flatnonzero(hosts.m200c * model.epoch.h > LOWEST)))
        centrals = central_fraction(hosts.m200m, model.epoch.h)
        brought[rows] = mean_members(model, hosts) + centrals
        weights[rows] = brought[rows] - (0.0 if model.occupation.field_centrals else centrals)
    if sum(part.n for part in shapes):
        parts.append(around_clusters(field, model, settings, join_hosts(shapes), weights, brought))
    joined = join_galaxies(parts)
    return replace(joined, positions=wrap(joined.positions, settings.box_size))


def draw_hosts(field: HaloField, model: GalaxyModel, rows: NDArray[np.int64], rng: np.random.Generator) -> Hosts:
    """Shapes of a block of haloes, aligned with the tides."""
    return _hosts(field, model, rows, tidal_axes(field, rows, model.epoch.h), rng)


def _hosts(
    field: HaloField, model: GalaxyModel, rows: NDArray[np.int64], tidal: FloatArray | None, rng: np.random.Generator
) -> Hosts:
    haloes = field.haloes
    return block_hosts(model, haloes.m200c[rows], haloes.r200c[rows], field.concentration[rows], tidal, rng)


def tidal_axes(field: HaloField, rows: NDArray[np.int64], h: float) -> FloatArray:
    """Axes of the tides at haloes above `ALIGNED`; nothing at smaller ones, whose shapes hardly matter."""
    axes = np.zeros((rows.size, 3, 3))
    large = field.haloes.m200c[rows] * h > ALIGNED
    axes[large] = field.tidal_axes_at(field.haloes.positions[rows[large]])
    return axes


def around_clusters(
    field: HaloField,
    model: GalaxyModel,
    settings: UniverseSettings,
    clusters: Hosts,
    weights: FloatArray,
    brought: FloatArray,
) -> Galaxies:
    """Galaxies of no halo of the box around those above `LOWEST`, in groups: centrals too, whatever the preset."""

    around = Around(
        haloes=field.haloes,
        rows=np.flatnonzero(field.haloes.m200c * model.epoch.h > LOWEST),
        hosts=clusters,
        members=mean_members(model, clusters),
        weights=np.where(weights > _FEW, weights, 0.0),
        bias=by_mass(lambda mass: linear.halo_bias(settings, mass), field.haloes.m200c),
        brought=brought,
        peak_height=peak_height(settings, clusters.m200m),
        box_size=settings.box_size,
    )
    flow = solve_spherical_flow(model.epoch)
    infalling = draw_infalling(around, flow, model.jeans, model.epoch, stream(settings.seed, "outskirts"))
    velocities = infalling.velocities + infalling.by_field[:, None] * field.velocity_at(infalling.positions)
    rng = stream(settings.seed, "infalling")
    small = _hosts(field, model, infalling.like, None, rng)
    fallen = fill_haloes(model, small, infalling.positions, velocities, 0, rng, centrals_too=True)
    return replace(fallen, host=np.full(fallen.n, -1), is_central=np.zeros(fallen.n, bool))
