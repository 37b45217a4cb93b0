"""Linear theory and relations of haloes, from colossus (Diemer 2018, ApJS 239, 35); masses in and out are in Msun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._colossus import POWER as POWER
from ...._colossus import current_cosmology, tinker08
from .settings import UniverseSettings

FloatArray = NDArray[np.float64]


@contextmanager
def colossus_cosmology(settings: UniverseSettings) -> Iterator[Any]:
    """The cosmology of the settings as colossus' current one, for one block."""
    with current_cosmology(settings.cosmology, settings.omega_b, settings.sigma8, settings.spectral_index) as cosmo:
        yield cosmo


def linear_power(settings: UniverseSettings, k: FloatArray) -> FloatArray:
    """Linear matter power [Mpc^3] at k [1/Mpc] and the redshift (Eisenstein & Hu 1998, ApJ 496, 605, with wiggles)."""
    h = settings.cosmology.h
    with colossus_cosmology(settings) as cosmo:
        growth = cosmo.growthFactor(settings.redshift)
        power = cosmo.matterPowerSpectrum(np.asarray(k, float) / h, z=0.0, model=POWER)
    return np.asarray(growth**2 * power / h**3)


def linear_sigma(settings: UniverseSettings, radius: FloatArray | float) -> FloatArray:
    """Rms linear overdensity in spheres of a comoving radius [Mpc] at the redshift."""
    with colossus_cosmology(settings) as cosmo:
        scaled = np.asarray(radius, float) * settings.cosmology.h
        return np.asarray(cosmo.sigma(scaled, z=settings.redshift, ps_args={"model": POWER}))


def mass_function(settings: UniverseSettings, m200c: FloatArray) -> FloatArray:
    """Number of haloes per comoving Mpc^3 and unit of ln M200c (Tinker et al. 2008, ApJ 688, 709)."""
    with colossus_cosmology(settings):
        return tinker08(m200c, settings.redshift, settings.cosmology.h)


def halo_bias(settings: UniverseSettings, m200c: FloatArray) -> FloatArray:
    """Large-scale linear bias of haloes (Tinker et al. 2010, ApJ 724, 878)."""
    from colossus.lss import bias

    with colossus_cosmology(settings):
        scaled = np.asarray(m200c, float) * settings.cosmology.h
        return np.asarray(bias.haloBias(scaled, settings.redshift, mdef="200c", model="tinker10"))


def median_concentration(settings: UniverseSettings, m200c: FloatArray) -> FloatArray:
    """Median c200c (Diemer & Joyce 2019, ApJ 871, 168)."""
    from colossus.halo import concentration
    from colossus.utils import storage

    with colossus_cosmology(settings):
        # this module of colossus has a cache file of its own that is always read and written: keep it in memory
        before = concentration.storageUser
        name = concentration._getName
        concentration.storageUser = storage.StorageUser("halo.concentration", "", name, concentration._getHash, None)
        try:
            scaled = np.asarray(m200c, float) * settings.cosmology.h
            return np.asarray(concentration.concentration(scaled, "200c", settings.redshift, model="diemer19"))
        finally:
            concentration.storageUser = before


def nonlinear_mass(settings: UniverseSettings) -> float:
    """Mass [Msun] of peak height 1 at the redshift: sigma(M) = 1.686."""
    from colossus.lss import peaks

    with colossus_cosmology(settings):
        return float(peaks.nonLinearMass(settings.redshift, ps_args={"model": POWER}) / settings.cosmology.h)


def lagrangian_radius(settings: UniverseSettings, mass: FloatArray | float) -> FloatArray:
    """Comoving radius [Mpc] of the sphere that holds a mass [Msun] at the mean density."""
    return np.asarray((3.0 * np.asarray(mass, float) / (4.0 * np.pi * settings.epoch.mean_density)) ** (1.0 / 3.0))
