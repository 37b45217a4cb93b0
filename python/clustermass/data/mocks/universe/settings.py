"""What a generated universe is made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .... import _validate as check
from ....cosmology import Cosmology
from ....errors import DomainError
from ..profiles import Epoch
from .occupation import OCCUPATIONS

MDPL2 = Cosmology(h=0.6777, omega_m=0.307115)  #: of the MultiDark run (Klypin et al. 2016, MNRAS 457, 4340)
_CELLS = 2.0, 4.0  # Mpc/h: sides of a cell of the mesh that is chosen by itself
_PREFERRED_MESH = 256  # cells a side that is not exceeded before cells have grown to the larger side


@dataclass(frozen=True)
class UniverseSettings:
    """Settings of a generated universe. Lengths are in comoving Mpc and masses in Msun, both without h.

    Parameters
    ----------
    box_size : float
        Side of the periodic box [comoving Mpc], 30 to 6000. Default 250 Mpc/h.
    redshift : float
        0 to 2.
    seed : int
        All random numbers follow from it.
    occupation : str
        Satellites inside R200c: ``universemachine`` (as in the mocks of MDPL2) or ``observed`` (twice as many).
    velocity_bias : float
        Velocity dispersion of galaxies over that of dark matter.
    cosmology : Cosmology
        Flat. Default: that of MDPL2.
    omega_b, sigma8, spectral_index : float
        Baryons, amplitude and tilt of the linear power spectrum. Default: those of MDPL2.
    min_mass, max_mass : float
        Range of M200c of haloes [Msun]. Default 10^11 to 10^15.7 Msun/h.
    cell_size : float, optional
        Side of a cell of the mesh of the linear field [comoving Mpc]. Default 2 to 4 Mpc/h, as small as 256 cells a
        side allow.

    Raises
    ------
    DomainError
        For a value that cannot be or that the relations do not cover.

    Examples
    --------
    >>> UniverseSettings().n_mesh
    128
    """

    box_size: float = 250.0 / MDPL2.h
    redshift: float = 0.117
    seed: int = 1
    occupation: str = "universemachine"
    velocity_bias: float = 0.97
    cosmology: Cosmology = MDPL2
    omega_b: float = 0.048206
    sigma8: float = 0.8228
    spectral_index: float = 0.96
    min_mass: float = 1e11 / MDPL2.h
    max_mass: float = 10**15.7 / MDPL2.h
    cell_size: float | None = None

    def __post_init__(self) -> None:
        check.number(self.box_size, "box_size", low=30, high=6000)
        check.number(self.redshift, "redshift", low=0, high=2)
        check.seed(self.seed)
        check.choice(self.occupation, "occupation", tuple(OCCUPATIONS))
        check.number(self.velocity_bias, "velocity_bias", above=0, high=2)
        flat = 1.0 - self.cosmology.omega_m
        if self.cosmology.omega_lambda is None or abs(self.cosmology.omega_lambda - flat) > 1e-9 or flat < 0:
            raise DomainError(
                f"`cosmology` must be flat, got omega_m {self.cosmology.omega_m:g} and omega_lambda "
                f"{self.cosmology.omega_lambda:g}"
            )
        check.number(self.omega_b, "omega_b", above=0, high=self.cosmology.omega_m)
        check.number(self.sigma8, "sigma8", low=0.1, high=2)
        check.number(self.spectral_index, "spectral_index", low=0.5, high=1.5)
        check.number(self.min_mass, "min_mass", low=1e10, high=1e14)
        check.number(self.max_mass, "max_mass", above=self.min_mass, high=1e16)
        if self.cell_size is not None:
            check.number(self.cell_size, "cell_size", low=self.box_size / 2048, high=self.box_size / 8)

    @property
    def epoch(self) -> Epoch:
        """The cosmology at the redshift, with baryons."""
        return Epoch(self.cosmology.h, self.cosmology.omega_m, self.omega_b, self.redshift)

    @property
    def n_mesh(self) -> int:
        """Cells a side of the mesh: even, with small prime factors."""
        cell = self.cell_size
        if cell is None:
            h = self.cosmology.h
            cell = float(np.clip(self.box_size / _PREFERRED_MESH, _CELLS[0] / h, _CELLS[1] / h))
        n = max(8, int(np.ceil(self.box_size / cell - 1e-9)))
        return next(k for k in range(n, 4 * n) if k % 2 == 0 and _is_smooth(k))


def _is_smooth(n: int) -> bool:
    """Whether 2, 3 and 5 are the only prime factors."""
    for prime in (2, 3, 5):
        while n % prime == 0:
            n //= prime
    return n == 1
