"""State of the gas: temperature and Compton Upsilon of a particle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from .. import units
from ..constants import (
    ADIABATIC_INDEX,
    BOLTZMANN,
    ELECTRON_REST_ENERGY_KEV,
    HYDROGEN_FRACTION,
    HYDROGEN_MASS_G,
    KEV_K,
    PROTON_MASS_G,
    THOMSON_CM2,
)
from ._gas import BLOCK, electrons_or_default, warn_dead
from .bremsstrahlung import bremsstrahlung_luminosity

__all__ = ["bremsstrahlung_luminosity", "compton_upsilon", "gas_temperature"]

FloatArray = NDArray[np.float64]


def kelvin(internal_energy: FloatArray, electrons: FloatArray, hydrogen_fraction: float) -> FloatArray:
    """Temperature [K] of good gas; no checks."""
    molecular_weight = 4.0 / (1.0 + 3.0 * hydrogen_fraction + 4.0 * hydrogen_fraction * electrons)
    per_energy = (ADIABATIC_INDEX - 1.0) * PROTON_MASS_G * units.KM_S_CM_S**2 / BOLTZMANN
    return np.asarray(per_energy * internal_energy * molecular_weight)


def upsilon(masses: FloatArray, temperature: FloatArray, electrons: FloatArray, hydrogen_fraction: float) -> FloatArray:
    """Compton Upsilon [proper Mpc^2] of good gas; no checks."""
    per_electron = THOMSON_CM2 / (KEV_K * ELECTRON_REST_ENERGY_KEV)  # cm^2 / K
    per_mass = (
        hydrogen_fraction * units.MSUN_G / HYDROGEN_MASS_G / units.MPC_CM**2
    )  # m / (mu_e m_H), mu_e = 1 / (X x_e)
    return np.asarray(per_electron * per_mass * masses * electrons * temperature)


def gas_temperature(
    internal_energy: ArrayLike,
    electron_abundance: ArrayLike | None = None,
    *,
    hydrogen_fraction: float = HYDROGEN_FRACTION,
) -> FloatArray:
    r"""Compute the temperature of gas from its internal energy per mass.

    :math:`T = (\gamma - 1)\, u\, \mu m_p / k_B` with :math:`\gamma = 5/3` and :math:`\mu = 4 / (1 + 3 X + 4 X x_e)`,
    where X is `hydrogen_fraction` and x_e is `electron_abundance`: hydrogen, helium and x_e n_H free electrons [1]_.

    Parameters
    ----------
    internal_energy : array_like of float, shape (n,)
        [(km/s)^2].
    electron_abundance : array_like of float, shape (n,), optional
        Electrons per hydrogen nucleus, n_e / n_H. Default: fully ionised (1.158 for X = 0.76), with a `DataWarning`.
    hydrogen_fraction : float
        Mass fraction of hydrogen, in (0, 1]; the rest is helium.

    Returns
    -------
    ndarray of float64, shape (n,)
        Temperature [K]. 0 where the internal energy is not finite or not above 0, or the electron abundance is not
        finite or negative, with a `DataWarning` that counts them.

    Raises
    ------
    ArrayError, DTypeError, DomainError, UnitError

    Notes
    -----
    Gas on an effective equation of state (star-forming gas) has no temperature in this sense. Metals are left out.
    Cost: O(n).

    References
    ----------
    .. [1] The convention of the Gadget and AREPO families of codes; TNG public data release, Nelson et al. 2019.

    Examples
    --------
    >>> gas_temperature([1.0e6], [1.158]).round(-3)
    array([47507000.])
    """
    energy = check.float_array(internal_energy, "internal_energy", (None,), unit="km2 / s2")
    x_hydrogen = check.number(hydrogen_fraction, "hydrogen_fraction", above=0, high=1)
    electrons = electrons_or_default(electron_abundance, energy.size, x_hydrogen)
    out, dead = np.zeros(energy.size), 0
    for first in range(0, energy.size, BLOCK):
        rows = slice(first, first + BLOCK)
        u, x = (np.asarray(v[rows], np.float64) for v in (energy, electrons))
        good = np.isfinite(u) & (u > 0) & np.isfinite(x) & (x >= 0)
        dead += int(good.size - good.sum())
        out[rows] = kelvin(np.where(good, u, 0.0), np.where(good, x, 0.0), x_hydrogen)
    warn_dead(dead, energy.size, "internal energy or electron abundance", "gas_temperature")
    return out


def compton_upsilon(
    masses: ArrayLike,
    temperature: ArrayLike,
    electron_abundance: ArrayLike | None = None,
    *,
    hydrogen_fraction: float = HYDROGEN_FRACTION,
) -> FloatArray:
    r"""Compute the Compton Upsilon of gas particles; summed over a pixel and divided by its area it is Compton y.

    :math:`\Upsilon = \sigma_T \frac{k_B T}{m_e c^2} \frac{m}{\mu_e m_H}` [1]_, with :math:`1 / \mu_e = X x_e`.

    Parameters
    ----------
    masses : array_like of float, shape (n,)
        Gas mass of each particle [Msun], >= 0.
    temperature : array_like of float, shape (n,)
        [K]. 0 gives 0.
    electron_abundance : array_like of float, shape (n,), optional
        Electrons per hydrogen nucleus, n_e / n_H. Default: fully ionised (1.158 for X = 0.76), with a `DataWarning`.
    hydrogen_fraction : float
        Mass fraction of hydrogen, in (0, 1].

    Returns
    -------
    ndarray of float64, shape (n,)
        [proper Mpc^2]. 0 where temperature or electron abundance is not finite or negative, with a `DataWarning` that
        counts them.

    Raises
    ------
    ArrayError, DTypeError, BadInputError, DomainError, UnitError

    Notes
    -----
    Non-relativistic: at 10 keV the true effect is some per cent weaker, depending on frequency. Cost: O(n).

    References
    ----------
    .. [1] Yan et al. 2020, MNRAS 499, 3445, eq. 1; McCarthy et al. 2018, MNRAS 476, 2999.

    Examples
    --------
    Gas of 1e14 Msun at 5 keV, spread over a disc of radius 1 Mpc:

    >>> upsilon = compton_upsilon([1e14], [5.8e7], [1.158])
    >>> print(f"{upsilon[0] / 3.14:.1e}")
    2.3e-05
    """
    mass = check.float_array(masses, "masses", (None,), unit="Msun")
    check.check_finite(mass, "masses")
    check.check_not_negative(mass, "masses")
    temperatures: Any = check.float_array(temperature, "temperature", (mass.size,), unit="K")
    x_hydrogen = check.number(hydrogen_fraction, "hydrogen_fraction", above=0, high=1)
    electrons = electrons_or_default(electron_abundance, mass.size, x_hydrogen)
    out, dead = np.zeros(mass.size), 0
    for first in range(0, mass.size, BLOCK):
        rows = slice(first, first + BLOCK)
        m, t, x = (np.asarray(v[rows], np.float64) for v in (mass, temperatures, electrons))
        good = np.isfinite(t) & (t >= 0) & np.isfinite(x) & (x >= 0)
        dead += int(good.size - good.sum())
        out[rows] = upsilon(m, np.where(good, t, 0.0), np.where(good, x, 0.0), x_hydrogen)
    warn_dead(dead, mass.size, "temperature or electron abundance", "compton_upsilon")
    return out
