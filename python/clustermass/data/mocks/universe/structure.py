"""What haloes of a generated universe are made of, worked out again from its settings: gas needs what galaxies had."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import DomainError
from ...universe import Universe
from . import linear
from .field import make_field
from .flow import make_flow
from .galaxies import BLOCK, central_masses, draw_satellites, make_galaxy_model
from .haloes import HaloField, draw_concentrations
from .members import Hosts, join_hosts
from .mergers import Clumps
from .nfw import FloatArray
from .populate import draw_hosts
from .settings import UniverseSettings
from .streams import stream


@dataclass(frozen=True)
class Structure:
    """Shape, concentration, merger and central galaxy of the most massive haloes of a universe, one row each.

    Attributes
    ----------
    hosts : Hosts
    clumps : Clumps
    central_stars : (n,) float64, Msun
        Stellar mass of the central galaxy, whether or not the occupation lists centrals.
    """

    hosts: Hosts
    clumps: Clumps
    central_stars: FloatArray

    @property
    def n(self) -> int:
        return self.hosts.n


def structure_of(universe: Universe, settings: UniverseSettings, min_mass: float) -> Structure:
    """The structure that the galaxies of a universe were drawn with, of its haloes of at least `min_mass` [Msun].

    The random numbers of the galaxies are drawn again (block after block of haloes, as `populate` did), so that shape,
    orientation, concentration and clump are those of the galaxies of the same halo.

    Raises
    ------
    DomainError
        If the haloes are not those of the settings, or none is that massive.

    Notes
    -----
    Cost: the linear field and its tides once more, most of it (10 s for 500 Mpc/h).
    """
    haloes = universe.haloes
    if haloes.n == 0 or (np.diff(haloes.m200c) > 0).any() or abs(universe.box_size / settings.box_size - 1.0) > 1e-9:
        raise DomainError("`settings` are not those that this universe was made with")
    n = int(np.searchsorted(-haloes.m200c, -min_mass, side="right"))
    if n == 0:
        raise DomainError(f"`min_mass` is {min_mass:.3g} Msun, the heaviest halo has {haloes.m200c[0]:.3g} Msun")
    field = HaloField(
        haloes, draw_concentrations(settings, haloes.m200c), make_flow(make_field(settings), settings.cosmology.h)
    )
    model = make_galaxy_model(
        settings.epoch, settings.occupation, linear.nonlinear_mass(settings), settings.velocity_bias
    )
    parts: list[Structure] = []
    for block, first in enumerate(range(0, n, BLOCK)):
        rows = np.arange(first, min(first + BLOCK, haloes.n))
        rng = stream(settings.seed, "galaxies", block)
        hosts = draw_hosts(field, model, rows, rng)
        drawn = draw_satellites(model, hosts, rng)
        stars = central_masses(model, hosts, drawn)
        kept = np.arange(min(n - first, rows.size))
        parts.append(Structure(hosts.take(kept), _take(drawn.clumps, kept), stars[kept]))
    clumps = {f.name: np.concatenate([getattr(part.clumps, f.name) for part in parts]) for f in fields(Clumps)}
    return Structure(
        join_hosts([part.hosts for part in parts]),
        Clumps(**clumps),
        np.concatenate([part.central_stars for part in parts]),
    )


def _take(clumps: Clumps, rows: NDArray[np.int64]) -> Clumps:
    columns: dict[str, Any] = {f.name: getattr(clumps, f.name)[rows] for f in fields(Clumps)}
    return Clumps(**columns)
