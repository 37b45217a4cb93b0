"""A flux-limited survey: where each cluster is put, which galaxies are bright enough, which galaxy is the centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.universe import Universe
from ..errors import DomainError, MissingFieldError
from .cluster_settings import Survey
from .keys import uniform

FloatArray = NDArray[np.float64]
_PURPOSE = 0x73757276
TEN_PC = 1e-5  #: Mpc: at this distance the apparent magnitude is the absolute one, by definition


class FluxLimit:
    """What a survey sees of a universe.

    Parameters
    ----------
    survey : Survey
    universe : Universe
        Its galaxies have absolute magnitudes, its haloes central galaxies.
    seed : int

    Attributes
    ----------
    distance : (haloes,) float64, comoving Mpc
        Where each halo is put, drawn evenly over the volume; depends on the seed and its number alone.
    positions, velocities : (haloes, 3) float64
        Of the central galaxy; of the halo where it has none.
    has_central : (haloes,) bool

    Raises
    ------
    MissingFieldError
        If the galaxies have no magnitudes.
    DomainError
        If no halo has a central galaxy.
    """

    def __init__(self, survey: Survey, universe: Universe, seed: int) -> None:
        galaxies, haloes = universe.galaxies, universe.haloes
        if galaxies.magnitude_r is None:
            raise MissingFieldError(
                f"`survey` needs absolute magnitudes, which the galaxies of {universe.source or 'the universe'} do not "
                "have: make the catalogue without a flux limit"
            )
        self.limit, self.cosmology = survey.limit, universe.cosmology
        self.magnitude = galaxies.magnitude_r
        # luminosity over comoving distance, nearly linear: 2e-9 between nodes
        z = np.linspace(0.0, 1.0, 10_001)
        comoving, luminosity = self.cosmology.comoving_distance(z), self.cosmology.luminosity_distance(z)
        self._table_redshift, self._table_distance = z, comoving
        self._table_ratio = np.divide(luminosity, comoving, out=np.ones(z.size), where=comoving > 0)
        low, high = survey.nearest / universe.cosmology.h, survey.farthest / universe.cosmology.h
        self.distance: FloatArray = np.cbrt(low**3 + (high**3 - low**3) * uniform(seed, haloes.ids, _PURPOSE))
        centrals = np.flatnonzero(galaxies.is_central & (galaxies.host >= 0))[::-1]  # of several the first counts
        if centrals.size == 0:
            raise DomainError("`survey` needs central galaxies as origins, and no galaxy of the universe is one")
        self.positions, self.velocities = haloes.positions.copy(), haloes.velocities.copy()
        self.positions[galaxies.host[centrals]] = galaxies.positions[centrals]
        self.velocities[galaxies.host[centrals]] = galaxies.velocities[centrals]
        self.has_central = np.zeros(haloes.n, bool)
        self.has_central[galaxies.host[centrals]] = True

    @property
    def redshift(self) -> FloatArray:
        """Redshift of each halo at its distance."""
        return np.asarray(np.interp(self.distance, self._table_distance, self._table_redshift))

    def sees(self, galaxy: NDArray[np.int64], distance: FloatArray) -> NDArray[np.bool_]:
        """Whether galaxies (rows of the universe) at comoving distances [Mpc] are brighter than the limit."""
        ahead = distance > 0
        near = np.where(ahead, distance, 1.0)
        luminosity_distance = near * np.interp(near, self._table_distance, self._table_ratio)
        apparent = self.magnitude[galaxy] + 5.0 * np.log10(luminosity_distance / TEN_PC)
        return np.asarray(ahead & (apparent < self.limit))
