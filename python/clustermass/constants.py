"""Physical constants, each with its unit and source. Sizes of units themselves are in `units`."""

from __future__ import annotations

BOLTZMANN = 1.380649e-16  #: erg/K (exact, SI 2019)
KEV_ERG = 1.602176634e-9  #: erg in one keV (exact, SI 2019)
KEV_K = KEV_ERG / BOLTZMANN  #: K: temperature at which kT is one keV, 1.1604518e7
ELECTRON_REST_ENERGY_KEV = 510.99895069  #: keV, m_e c^2 (CODATA 2022)
PROTON_MASS_G = 1.67262192595e-24  #: g (CODATA 2022)
HYDROGEN_MASS_G = 1.67353284e-24  #: g, mass of the neutral hydrogen-1 atom, 1.00782503 u (AME 2020, CODATA 2022)
THOMSON_CM2 = 6.6524587051e-25  #: cm^2, Thomson cross-section sigma_T (CODATA 2022)
RYDBERG_K = 157887.512402  #: K, Rydberg energy over the Boltzmann constant (CODATA 2022)
NEWTON = 4.300917270e-9  #: Mpc (km/s)^2 / Msun, gravitational constant (IAU 2015 GM_sun: exact in these units)

#: erg cm^3 s^-1 K^-1/2: thermal bremsstrahlung emits FREE_FREE sqrt(T) n_e sum(n_i Z_i^2) g per volume, integrated over
#: frequency, (32 pi e^6 / (3 h m_e c^3)) sqrt(2 pi k / (3 m_e)) with CODATA 2022 (Rybicki & Lightman 1979, eq. 5.15a)
FREE_FREE = 1.42555669e-27

HYDROGEN_FRACTION = 0.76  #: primordial mass fraction of hydrogen, as cosmological simulations take it
ADIABATIC_INDEX = 5.0 / 3.0  #: of a monatomic gas


def full_electron_abundance(hydrogen_fraction: float = HYDROGEN_FRACTION) -> float:
    """Electrons per hydrogen nucleus of fully ionised hydrogen and helium, n_e / n_H.

    Examples
    --------
    >>> round(full_electron_abundance(), 4)
    1.1579
    """
    return 1.0 + (1.0 - hydrogen_fraction) / (2.0 * hydrogen_fraction)
