"""Gas of many haloes at once: published pressure and density profiles, cool cores and mergers, scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...constants import HYDROGEN_FRACTION, HYDROGEN_MASS_G, KEV_K, full_electron_abundance
from ...units import MPC_CM, MSUN_G
from .profiles import Epoch

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAMILIES = ("universal", "cool core", "disturbed")  #: numbers 0, 1, 2
REACH = 5.0  #: R500, where the gas ends: about the accretion shock
CORE = 0.1  #: R500: size of what differs between cores beyond their family (an assumption)
COOL_CORES = 0.5  #: share of undisturbed haloes with a cool core: a third of all (Andrade-Santos et al. 2017: 28-44 %)
FRACTION_SCATTER = 0.10  #: of ln of the gas fraction: what the 11 % of Y and the 6 % of T of MTNG leave
TEMPERATURE_SCATTER = 0.02  #: of ln T at a mass beside that of families and mergers: 6.5 % in all, as in MTNG
CORE_SCATTER = (
    0.9  #: of ln of the central density within a family: L_X at one Y_X then has the 40 % of Pratt et al. 2009
)
CORE_PRESSURE = 0.7  #: share of that which the pressure has too: ln T at 0.03 R500 scatters by 0.3 (an assumption)
_CENTRE = 0.01  # R500, within which profiles are constant: no measurement reaches further in

# Arnaud et al. 2010, A&A 517, A92: P0 [h70^-3/2], c500, gamma, alpha, beta (eq. 12; appendix C for the two families)
_PRESSURE = (
    (8.403, 1.177, 0.3081, 1.0510, 5.4905),
    (3.249, 1.128, 0.7736, 1.2223, 5.4905),
    (3.202, 1.083, 0.3798, 1.4063, 5.4905),
)
# Ghirardini et al. 2019, A&A 621, A41 (X-COP): ln n0 [cm^-3], ln rc, ln rs [R500], alpha, beta, epsilon
_DENSITY = (
    (-4.4, -3.0, -0.29, 0.89, 0.43, 2.86),
    (-3.9, -3.2, 0.17, 0.80, 0.49, 4.67),
    (-4.9, -2.7, -0.51, 0.70, 0.39, 2.60),
)
_GRID = np.arange(-516, 121) / 120 * np.log(REACH)  # ln x at which everything is tabulated, from 0.001 to 5; 0 is one
_GRAMS_PER_ELECTRON = HYDROGEN_MASS_G / (HYDROGEN_FRACTION * full_electron_abundance())


def pressure_shape(x: FloatArray, family: int) -> FloatArray:
    """P / P500 at x = r / R500 for h = 0.7: the generalised NFW profile of a family (Arnaud et al. 2010)."""
    p0, c500, gamma, alpha, beta = _PRESSURE[family]
    u = c500 * np.maximum(x, _CENTRE)
    return np.asarray(p0 * u**-gamma * (1.0 + u**alpha) ** ((gamma - beta) / alpha))


def density_shape(x: FloatArray, family: int) -> FloatArray:
    """Electron density [cm^-3, over E(z)^2] at x = r / R500 of the clusters of X-COP (Ghirardini et al. 2019).

    The form of Vikhlinin et al. 2006 with its steepening outside, gamma = 3, and without a second core.
    """
    ln_n0, ln_rc, ln_rs, alpha, beta, epsilon = _DENSITY[family]
    x = np.maximum(x, _CENTRE)
    core, outer = x / np.exp(ln_rc), x / np.exp(ln_rs)
    square = core**-alpha * (1.0 + core**2) ** (-3.0 * beta + 0.5 * alpha) * (1.0 + outer**3) ** (-epsilon / 3.0)
    return np.asarray(np.exp(ln_n0) * np.sqrt(square))


def gas_fraction(m500: FloatArray, epoch: Epoch) -> FloatArray:
    """Gas over all mass within R500: 0.125 (M500 / 5e14 Msun)^0.22 E^0.09 for h = 0.7.

    From the density of Pratt et al. 2022 (A&A 665, A24), n_e in proportion to E^2.09 M500^0.22; 0.10 at 2e14 Msun, as
    Vikhlinin et al. 2009 have.
    """
    h70 = epoch.h / 0.7
    return np.asarray(0.125 * h70**-1.5 * (m500 * h70 / 5e14) ** 0.22 * epoch.expansion**0.09)


@dataclass(frozen=True)
class GasHaloes:
    """The gas of n haloes: everything but the place of a particle.

    Attributes
    ----------
    m500, r500 : (n,) float64
        [Msun], [comoving Mpc], of all matter.
    family : (n,) int64
        Row of `FAMILIES`.
    fraction : (n,) float64
        Gas over all mass within R500, with its scatter.
    heat : (n,) float64
        Temperature over that of the family, its scatter.
    core : (n,) float64
        ln of the central density over that of the family.
    """

    m500: FloatArray
    r500: FloatArray
    family: IntArray
    fraction: FloatArray
    heat: FloatArray
    core: FloatArray
    epoch: Epoch

    @property
    def n(self) -> int:
        return self.m500.size


def gas_haloes(
    m500: FloatArray,
    r500: FloatArray,
    is_disturbed: NDArray[np.bool_],
    epoch: Epoch,
    cool: FloatArray,
    normal: FloatArray,
) -> GasHaloes:
    """What differs between haloes of one mass: `cool` (n,) even from 0 to 1 says which undisturbed ones have cool
    cores; `normal` (3, n) scatters gas fraction, temperature and core. Merging haloes are of the disturbed family.
    """
    fraction, heat, core = normal
    return GasHaloes(
        m500=m500,
        r500=r500,
        family=np.where(is_disturbed, 2, np.where(cool < COOL_CORES, 1, 0)),
        fraction=gas_fraction(m500, epoch) * np.exp(FRACTION_SCATTER * fraction),
        heat=np.exp(TEMPERATURE_SCATTER * heat),
        core=CORE_SCATTER * core,
        epoch=epoch,
    )


@dataclass(frozen=True)
class GasTable:
    """ln of density [Msun / comoving Mpc^3] and temperature [K] of haloes, from tables of the families.

    Attributes
    ----------
    log_density, log_temperature : (n,) float64
        What is added to the tables for each halo.
    """

    haloes: GasHaloes
    log_density: FloatArray
    log_temperature: FloatArray

    def at(self, row: IntArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Density and temperature of haloes `row` at x = r / R500, (m,) each; good to 1e-4."""
        log_x = np.log(x)
        where = np.clip((log_x - _GRID[0]) / (_GRID[1] - _GRID[0]), 0.0, _GRID.size - 1.001)
        low = where.astype(np.int64)
        share = where - low
        low += self.haloes.family[row] * _GRID.size
        density, temperature = (t[low] + share * (t[low + 1] - t[low]) for t in (_LOG_DENSITY, _LOG_TEMPERATURE))
        bump = self.haloes.core[row] * _core_shape(x)
        density += self.log_density[row] + bump
        temperature += self.log_temperature[row] - (1.0 - CORE_PRESSURE) * bump
        return np.exp(density), np.exp(temperature)


def tabulate(haloes: GasHaloes) -> GasTable:
    """Scale the families to haloes: gas mass within R500 from `fraction`, T = P_e / n_e.

    P500 = 1.65e-3 E^(8/3) (M500 h70 / 3e14 Msun)^(2/3 + 0.12) h70^2 keV/cm^3 (Arnaud et al. 2010, eq. 13).
    """
    epoch, h70 = haloes.epoch, haloes.epoch.h / 0.7
    inside = _GRID <= 0.0  # R500 is the last of these
    grid = _GRID[inside]
    weight = 4.0 * np.pi * np.exp(3.0 * grid) * (grid[1] - grid[0])
    weight[[0, -1]] *= 0.5
    weight[0] += 4.0 * np.pi / 3.0 * np.exp(3.0 * grid[0])
    bump = _core_shape(np.exp(grid))
    log_density = np.empty(haloes.n)
    for family in range(len(FAMILIES)):
        rows = np.flatnonzero(haloes.family == family)
        shape = _LOG_DENSITY[family * _GRID.size :][: grid.size]
        volume = np.exp(shape + haloes.core[rows, None] * bump) @ weight  # of R500^3
        log_density[rows] = np.log(haloes.fraction[rows] * haloes.m500[rows] / (volume * haloes.r500[rows] ** 3))
    electrons = log_density - np.log(_GRAMS_PER_ELECTRON * MPC_CM**3 / MSUN_G * epoch.scale_factor**3)  # per cm^3
    mass = (haloes.m500 * h70 / 3e14) ** (2.0 / 3.0 + 0.12)
    pressure = 1.65e-3 * epoch.expansion ** (8.0 / 3.0) * mass * h70**0.5  # h70^2, and h70^-3/2 of the P0
    lack = np.log(haloes.fraction / gas_fraction(haloes.m500, epoch))  # scatter of the gas mass is in the pressure too
    return GasTable(haloes, log_density, np.log(pressure * haloes.heat * KEV_K) + lack - electrons)


def _core_shape(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-((x / CORE) ** 2)))


_LOG_DENSITY = np.concatenate([np.log(density_shape(np.exp(_GRID), k)) for k in range(len(FAMILIES))])
_LOG_PRESSURE = np.concatenate([np.log(pressure_shape(np.exp(_GRID), k)) for k in range(len(FAMILIES))])
_LOG_TEMPERATURE = _LOG_PRESSURE - _LOG_DENSITY
