"""Which clusters are observed, at what redshift, and whether the box is large enough for it."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.universe import Universe
from ..errors import DataWarning, DomainError
from ..units import SPEED_OF_LIGHT
from .cluster_settings import ClusterSettings
from .cluster_views import count_views

IntArray = NDArray[np.int64]
DEFAULT_REDSHIFT = 0.1  #: where clusters of a box that is too near are put


def choose_clusters(universe: Universe, settings: ClusterSettings) -> tuple[IntArray, IntArray]:
    """Rows of the haloes that are heavy enough, and how many views each gets."""
    haloes, h = universe.haloes, universe.cosmology.h
    for table, names in (
        (haloes, ("positions", "velocities", "m200c")),
        (universe.galaxies, ("positions", "velocities")),
    ):
        for name in names:
            check.check_finite(getattr(table, name), name)
    if haloes.n == 0:
        raise DomainError(f"{universe.source or 'the universe'} holds no halo")
    log_mass = np.log10(haloes.m200c * h)
    halo = np.flatnonzero(log_mass >= settings.min_log10_mass)
    if halo.size == 0:
        raise DomainError(
            f"no cluster passes: asked for log10 M200c >= {settings.min_log10_mass:g} Msun/h, the heaviest of "
            f"{haloes.n} haloes has {log_mass.max():.2f}"
        )
    counts = count_views(
        log_mass[halo], (universe.box_size * h) ** 3, target_density=settings.target_density,
        boost_above=settings.boost_above, max_views=settings.max_views,
    )  # fmt: skip
    return halo, counts


def choose_redshift(universe: Universe, settings: ClusterSettings, notes: list[str]) -> float:
    """Where the clusters are put: so far that nothing in the velocity window lies behind the observer."""
    if settings.survey is not None:
        return universe.redshift  # of the box: each cluster has a distance of its own
    _, max_velocity = settings.cylinder(universe.cosmology.h)
    fastest = sum(
        float(np.sqrt((t.velocities**2).sum(axis=1).max(initial=0.0))) for t in (universe.haloes, universe.galaxies)
    )
    least = (max_velocity + fastest) / SPEED_OF_LIGHT * 1.05
    if settings.redshift is not None:
        if settings.redshift < least:
            raise DomainError(
                f"`redshift` must be above {least:.4f} for this velocity window, got {settings.redshift:g}"
            )
        return settings.redshift
    if universe.redshift >= least:
        return universe.redshift
    note(notes, f"the box is at redshift {universe.redshift:g}, too near to be observed: clusters are put at "
                 f"{max(DEFAULT_REDSHIFT, least):.3g} (option redshift)")  # fmt: skip
    return max(DEFAULT_REDSHIFT, least)


def check_box(universe: Universe, settings: ClusterSettings, redshift: float, notes: list[str]) -> None:
    """Refuse a cylinder wider than the box; say so if it is longer, or the box has edges."""
    cosmology, box = universe.cosmology, universe.box_size
    radius, velocity = settings.cylinder(cosmology.h)
    if 2 * radius > box:
        raise DomainError(f"the cylinder is {2 * radius:.3g} Mpc wide, the box only {box:.3g} Mpc")
    length = 2 * velocity * (1 + redshift) / (100 * cosmology.h * float(cosmology.expansion(redshift)))
    if length > box and universe.is_periodic:
        note(notes, f"the box ({box:.3g} Mpc) is shorter than the velocity window ({length:.3g} Mpc deep): the same "
                     "structures are seen more than once along an axis")  # fmt: skip
    if not universe.is_periodic:
        note(notes, f"the box is not periodic: cylinders ({length:.3g} Mpc deep) that reach beyond it hold too few "
                     "interlopers")  # fmt: skip


def note(notes: list[str], text: str) -> None:
    notes.append(text)
    warnings.warn(text, DataWarning, stacklevel=3)
