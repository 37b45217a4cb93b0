"""Gas against independent constants, published Gaunt factors and models with known integrals."""

from __future__ import annotations

from math import gamma, pi, sqrt

import astropy.constants as const
import astropy.units as u
import numpy as np
import pytest
from scipy.integrate import trapezoid

from clustermass import constants, units
from clustermass.features.bremsstrahlung import _band_integral, bremsstrahlung_luminosity
from clustermass.features.gaunt import free_free_gaunt
from clustermass.features.tracers import compton_upsilon, gas_temperature

FULL = constants.full_electron_abundance()
N_H_PER_DENSITY = 0.76 * units.MSUN_G / units.MPC_CM**3 / constants.HYDROGEN_MASS_G  # cm^-3 per Msun/Mpc^3


def test_constants_are_those_of_astropy():
    free_free = (
        (2**5 * pi * const.e.esu.value**6 / (3 * const.h.cgs.value * const.m_e.cgs.value * const.c.cgs.value**3))
        * sqrt(2 * pi * const.k_B.cgs.value / (3 * const.m_e.cgs.value))
    )  # fmt: skip
    expected = {
        "BOLTZMANN": const.k_B.cgs.value,
        "KEV_ERG": (1 * u.keV).to_value(u.erg),
        "KEV_K": (1 * u.keV / const.k_B).to_value(u.K),
        "ELECTRON_REST_ENERGY_KEV": (const.m_e * const.c**2).to_value(u.keV),
        "PROTON_MASS_G": const.m_p.cgs.value,
        "HYDROGEN_MASS_G": 1.00782503223 * const.u.cgs.value,
        "THOMSON_CM2": const.sigma_T.cgs.value,
        "RYDBERG_K": (const.Ryd * const.h * const.c / const.k_B).to_value(u.K),
        "NEWTON": (const.GM_sun / u.Mpc / u.Msun).to_value(u.km**2 / u.s**2 / u.Msun) / 1,
        "FREE_FREE": free_free,
    }
    for name, want in expected.items():
        assert getattr(constants, name) == pytest.approx(want, rel=1e-8), name
    assert pytest.approx((1 * u.Msun).cgs.value, rel=1e-8) == units.MSUN_G
    assert pytest.approx((1 * u.Mpc).cgs.value, rel=1e-12) == units.MPC_CM


def van_hoof_total(log_gamma2):
    """van Hoof et al. 2014, eq. 26: Gaunt factor averaged over frequency, good to 0.0132 % for log gamma^2 <= 0.8."""
    a = [3.66626405363100e-2, 6.03536387105599e-2, 4.36183448595035e-1, 3.50626935257777e-1, 1.43251926625281]
    b = [3.33019373823972e-2, 5.62573012783879e-2, 4.05566949766954e-1, 2.92525161994346e-1, 1.0]
    return np.polyval(a, log_gamma2) / np.polyval(b, log_gamma2)


def test_gaunt_factor_agrees_with_a_newer_computation():
    log_gamma2 = np.linspace(-3.0, 0.8, 20)
    zero, far = np.zeros(20), np.full(20, 1e9)
    got = _band_integral(zero, far, 10**log_gamma2, None)
    np.testing.assert_allclose(got, van_hoof_total(log_gamma2), rtol=2e-3)  # measured 1.4e-3
    beyond = _band_integral(zero[:1], far[:1], np.array([1e-4]), None)  # 1.6e9 K: the edge of the table is taken
    np.testing.assert_allclose(beyond, van_hoof_total(-4.0), rtol=0.03)


def test_gaunt_factor_against_known_points():
    # Sutherland 1998 / Karzas & Latter 1961 curves: slow fall with u, logarithmic rise towards small u
    assert free_free_gaunt(1.0, 0.01) == pytest.approx(0.97, abs=0.02)
    slope = (free_free_gaunt(1e-4, 1e-3) - free_free_gaunt(1e-3, 1e-3)) / np.log(10)
    assert slope == pytest.approx(sqrt(3) / pi, rel=0.02)
    np.testing.assert_array_equal(free_free_gaunt([1e-9, 1e9], 1e-9), free_free_gaunt([1e-4, 10**1.5], 1e-3))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e9), (0.01, 0.3), (0.5, 2.0), (3.0, 60.0), (50.0, 70.0), (0, 5e-5)])
def test_band_integral_against_a_dense_sum(low, high):
    log_u = np.linspace(np.log(max(low, 1e-12)), np.log(min(high, 120.0)), 400_001)
    nodes = np.exp(log_u)
    gaunt = free_free_gaunt(nodes, 0.02) + np.where(nodes < 1e-4, sqrt(3) / pi * np.log(1e-4 / nodes), 0.0)
    want = trapezoid(np.exp(-nodes) * gaunt * nodes, log_u)
    got = _band_integral(np.array([low]), np.array([high]), np.array([0.02]), None)[0]
    assert got == pytest.approx(want, rel=2e-4 if high > 1e-4 else 0.15)


def test_emissivity_constants():
    # eps = 1.4256e-27 sqrt(T) n_e sum(n_i Z_i^2) g_B: pure hydrogen and g = 1 leave the constant itself
    temperature, density = 5e7, 1e14
    n = 1e14 / 0.76 * N_H_PER_DENSITY
    volume = 1e10 / density * units.MPC_CM**3
    args = ([1e10], [density], [temperature], [1.0])
    kwargs = {"scale_factor": 1.0, "hydrogen_fraction": 1.0, "gaunt_factor": 1.0}
    whole = bremsstrahlung_luminosity(*args, **kwargs)[0]
    assert whole / (sqrt(temperature) * n * n * volume) == pytest.approx(1.4256e-27, rel=1e-4)
    # spectral: 6.842e-38 Z^2 n_e n_i T^-1/2 exp(-h nu / kT) g per Hz
    energy, step = 3.0, 1e-3
    narrow = bremsstrahlung_luminosity(*args, **kwargs, band=(energy - step / 2, energy + step / 2))[0]
    per_hz = narrow / (step * constants.KEV_ERG / const.h.cgs.value)
    shape = np.exp(-energy * constants.KEV_K / temperature) / sqrt(temperature)
    assert per_hz / (shape * n * n * volume) == pytest.approx(6.842e-38, rel=3e-4)


def test_helium_counts_with_its_charge_squared_and_its_own_gaunt_factor():
    kwargs = {"scale_factor": 1.0, "gaunt_factor": 1.0}
    mixed = bremsstrahlung_luminosity([1.0], [1.0], [1e7], [FULL], **kwargs)[0]
    hydrogen = bremsstrahlung_luminosity([1.0], [1.0], [1e7], [1.0], hydrogen_fraction=1.0, **kwargs)[0]
    n_he = 0.24 / (4 * 0.76)
    assert mixed / hydrogen == pytest.approx(0.76**2 * FULL * (1 + 4 * n_he), rel=1e-12)
    real = bremsstrahlung_luminosity([1.0], [1.0], [1e7], [FULL], scale_factor=1.0)[0]
    log_gamma2 = np.log10(constants.RYDBERG_K / 1e7)  # four times that for helium
    gaunt = van_hoof_total(log_gamma2) + 4 * n_he * van_hoof_total(log_gamma2 + np.log10(4))
    assert real / mixed == pytest.approx(gaunt / (1 + 4 * n_he), rel=2e-3)


@pytest.mark.parametrize(("kev", "fraction"), [(1, 0.47), (2, 0.43), (4, 0.30), (8, 0.17)])
def test_observed_soft_fraction(kev, fraction):
    args = ([1e9], [1e14], [kev * constants.KEV_K], [FULL])
    kwargs = {"scale_factor": 1.0, "redshift": 0.1, "gaunt_factor": 1.0}
    soft = bremsstrahlung_luminosity(*args, **kwargs, band=(0.5, 2.0))
    assert (soft / bremsstrahlung_luminosity(*args, **kwargs))[0] == pytest.approx(
        fraction, abs=0.006
    )  # given to two digits


def test_kelvin_and_kev_meet():
    # sigma^2 = kT / (mu m_p): a cluster of 1000 km/s is one of about 6 keV
    kelvin = gas_temperature([1.5e6], [FULL])[0]
    assert kelvin / constants.KEV_K == pytest.approx(6.14, abs=0.02)
    assert pytest.approx(1.30185e-27, rel=1e-5) == constants.THOMSON_CM2 / constants.ELECTRON_REST_ENERGY_KEV


def shells(n=4000, core=0.2, edge=4000.0):
    """Concentric shells: radii and volumes [Mpc, Mpc^3], out to where a beta model has ended."""
    edges = core * np.sinh(np.linspace(0, np.arcsinh(edge / core), n + 1))
    return 0.5 * (edges[1:] + edges[:-1]), 4 / 3 * pi * np.diff(edges**3)


def test_uniform_sphere():
    radius, density, kev = 1.0, 2e13, 4.0
    mass = 4 / 3 * pi * radius**3 * density
    upsilon = compton_upsilon([mass], [kev * constants.KEV_K], [FULL])[0]
    n_e = FULL * density * N_H_PER_DENSITY
    mean_y = 1.30185e-27 * kev * n_e * 4 / 3 * radius * units.MPC_CM  # mean path through a sphere: 4 R / 3
    assert upsilon / (pi * radius**2) == pytest.approx(mean_y, rel=1e-5)


def test_isothermal_beta_model():
    # n_e = n0 (1 + r^2 / rc^2)^(-3 beta / 2), Cavaliere & Fusco-Femiano 1976, comoving, seen at scale factor 0.8
    a, core, beta, kev, central = 0.8, 0.2, 1.0, 6.0, 1e14
    path = core * np.sinh(np.linspace(-12, 12, 20_001))
    length = np.diff(path)
    middle = 0.5 * (path[1:] + path[:-1])
    for offset in (0.0, 0.5):
        density = central * (1 + (middle**2 + offset**2) / core**2) ** (-1.5 * beta)
        area = 1e-6  # comoving Mpc^2 of the column
        upsilon = compton_upsilon(density * length * area, np.full(length.size, kev * constants.KEV_K),
                                  np.full(length.size, FULL)).sum()  # fmt: skip
        n0 = FULL * central * N_H_PER_DENSITY / a**3
        y0 = 1.30185e-27 * kev * n0 * a * core * units.MPC_CM * sqrt(pi) * gamma(1.5 * beta - 0.5) / gamma(1.5 * beta)
        want = y0 * (1 + offset**2 / core**2) ** (0.5 - 1.5 * beta)
        assert upsilon / (area * a**2) == pytest.approx(want, rel=1e-4)

    # total luminosity for beta = 2/3: integral of n^2 dV = pi^2 rc^3 n0^2
    radius, volume = shells()
    density = central / (1 + radius**2 / core**2)
    total = bremsstrahlung_luminosity(density * volume, density, np.full(radius.size, kev * constants.KEV_K),
                                      np.full(radius.size, FULL), scale_factor=a, gaunt_factor=1.2).sum()  # fmt: skip
    ions = central * N_H_PER_DENSITY / a**3
    eps = 1.4256e-27 * sqrt(kev * constants.KEV_K) * 1.2 * FULL * ions**2 * (1 + 0.24 / 0.76)
    assert total == pytest.approx(eps * pi**2 * (a * core * units.MPC_CM) ** 3, rel=1e-3)
