"""The optional package colossus (Diemer 2018, ApJS 239, 35): a cosmology for one block, and no files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._extras import import_extra
from .cosmology import Cosmology

POWER = "eisenstein98"  #: linear power spectrum (Eisenstein & Hu 1998, ApJ 496, 605, with wiggles)


@contextmanager
def current_cosmology(cosmology: Cosmology, omega_b: float, sigma8: float, spectral_index: float) -> Iterator[Any]:
    """A flat cosmology as colossus' current one; the caller's own is current again afterwards.

    No file is read or written (colossus would keep a cache in the home directory).
    """
    package = import_extra("colossus.cosmology.cosmology", extra="mock", what="halo statistics need")
    before = package.current_cosmo
    mine = package.Cosmology(
        name="clustermass-mock",
        flat=True,
        H0=100.0 * cosmology.h,
        Om0=cosmology.omega_m,
        Ob0=omega_b,
        sigma8=sigma8,
        ns=spectral_index,
        relspecies=False,
        persistence="",
        power_law=False,
    )
    package.setCurrent(mine)
    try:
        yield mine
    finally:
        package.current_cosmo = before


def tinker08(m200c: NDArray[np.float64], redshift: float, h: float) -> NDArray[np.float64]:
    """Haloes per comoving Mpc^3 and unit of ln M200c [Msun], of the current cosmology (Tinker et al. 2008)."""
    from colossus.lss import mass_function

    number = mass_function.massFunction(
        np.asarray(m200c, float) * h,
        redshift,
        mdef="200c",
        model="tinker08",
        q_out="dndlnM",
        ps_args={"model": POWER},
    )
    return np.asarray(number * h**3)
