"""The relations behind mock galaxies against quadrature, published numbers and identities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, gammaincc

from clustermass.data.mocks.profiles import Epoch
from clustermass.data.mocks.universe.dynamics import (
    ANISOTROPY_RADIUS,
    anisotropy,
    evrard_dispersion,
    make_jeans_table,
    radial_variance,
)
from clustermass.data.mocks.universe.infall import FLOW_RADII, mean_overdensity, solve_spherical_flow
from clustermass.data.mocks.universe.luminosity import central_luminosity, magnitude, satellite_counts
from clustermass.data.mocks.universe.members import virial_overdensity
from clustermass.data.mocks.universe.nfw import draw_nfw, nfw_mass, nfw_potential, overdensity_reach
from clustermass.data.mocks.universe.occupation import (
    OCCUPATIONS,
    central_fraction,
    make_satellite_masses,
    mean_log_stellar_mass,
    mean_satellites,
    mean_satellites_model,
    stellar_mass_scatter,
)
from clustermass.data.mocks.universe.shapes import mean_minor_axis, velocity_axes

EPOCH = Epoch(h=0.6777, omega_m=0.307115, omega_b=0.048206, redshift=0.117)
H = EPOCH.h
MASSES = 10.0 ** np.array([13.5, 14.0, 14.5, 15.0]) / H
CONCENTRATION = np.array([4.9, 4.3, 3.9, 3.75])  # Diemer & Joyce 2019 at these masses
TABLE = make_jeans_table()


# NFW ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("x", [1e-4, 0.999e-3, 1.001e-3, 0.3, 5.0, 300.0])
def test_nfw_mass_is_the_integral_of_the_density(x):
    want = quad(lambda r: r / (1 + r) ** 2, 0, x, epsabs=0, epsrel=1e-13)[0]
    assert float(nfw_mass(x)) == pytest.approx(want, rel=1e-9)


def test_nfw_potential_gives_back_the_force():
    c, x, step = 4.0, np.array([0.1, 1.0, 4.0, 9.0]), 1e-5
    force = (nfw_potential(x + step, c) - nfw_potential(x - step, c)) / (2 * step) * c  # dPhi/ds, s = r / r200c
    np.testing.assert_allclose(force, nfw_mass(x) / nfw_mass(c) / (x / c) ** 2, rtol=1e-6)


def test_nfw_draws_invert_the_mass():
    share = np.linspace(0.001, 0.999, 50)
    x = draw_nfw(np.full(50, 4.0), share)
    np.testing.assert_allclose(nfw_mass(x) / nfw_mass(4.0), share, rtol=2e-5)


def test_overdensity_radii():
    """M200m / M200c as listed for these concentrations at this redshift, and r_vir from its own definition."""
    reach = overdensity_reach(CONCENTRATION, EPOCH.matter_fraction)
    np.testing.assert_allclose(nfw_mass(reach) / nfw_mass(CONCENTRATION), [1.32, 1.35, 1.37, 1.38], atol=0.006)
    virial = overdensity_reach(CONCENTRATION, virial_overdensity(EPOCH) / 200)
    mean = nfw_mass(virial) / nfw_mass(CONCENTRATION) / (virial / CONCENTRATION) ** 3 * 200
    np.testing.assert_allclose(mean, virial_overdensity(EPOCH), rtol=2e-5)
    assert 105 < virial_overdensity(EPOCH) < 115


# velocities -----------------------------------------------------------------------------------------------------------
def tracer(s, c):
    return 1.0 / (0.5 * c * s * (1.0 + 0.5 * c * s) ** 2)


@pytest.mark.parametrize("c", [2.0, 4.0, 9.0])
@pytest.mark.parametrize("s", [0.01, 0.3, 1.0, 4.0])
def test_jeans_solution_is_the_quadrature(c, s):
    def pull(log_t):
        t = np.exp(log_t)
        return (t + ANISOTROPY_RADIUS) * tracer(t, c) * nfw_mass(c * t) / nfw_mass(c) / t

    whole = quad(pull, np.log(s), np.log(1e7), epsabs=0, epsrel=1e-11, limit=400)[0]
    want = whole / ((s + ANISOTROPY_RADIUS) * tracer(s, c))
    assert radial_variance(np.array([s, 2 * s]), c)[0] == pytest.approx(want, rel=1e-7)
    assert float(TABLE.radial(np.array(c), np.array(s))) == pytest.approx(want, rel=1.5e-3)


def kernel_mamon_lokas(u, ua):
    """K(u, u_a) of sigma_los^2 Sigma = 2 G int K nu M dr / r, Mamon & Lokas 2005 (appendix), for u_a < 1."""
    cosine = np.arccos((ua * u + 1) / (u + ua)) if ua < 1 else np.arccosh((ua * u + 1) / (u + ua))
    last = np.sign(ua - 1) * ua * (ua**2 - 0.5) / abs(ua**2 - 1) ** 1.5 * (1 + ua / u) * cosine
    return np.sqrt(1 - u**-2) / (2 * (ua**2 - 1)) + (1 + ua / u) * np.arccosh(u) - last


@pytest.mark.parametrize("big_r", [0.12, 0.7, 1.1])
def test_jeans_solution_projects_to_the_published_kernel(big_r):
    """Line-of-sight dispersion from sigma_r and beta by projection, against the kernel that skips sigma_r."""
    c = 4.0
    log_s = np.linspace(np.log(1e-3), np.log(2e3), 4001)
    sigma2 = radial_variance(np.exp(log_s), c)

    def projected(y):  # r = R cosh y
        s = big_r * np.cosh(y)
        beta = float(anisotropy(s))
        return (1 - beta * big_r**2 / s**2) * tracer(s, c) * np.interp(np.log(s), log_s, sigma2) * s

    def kernel(log_s):
        s = np.exp(log_s)
        return kernel_mamon_lokas(s / big_r, ANISOTROPY_RADIUS / big_r) * tracer(s, c) * nfw_mass(c * s) / nfw_mass(c)

    got = 2 * quad(projected, 0, np.arccosh(1e3 / big_r), epsrel=1e-8, limit=400)[0]
    want = 2 * quad(kernel, np.log(big_r), np.log(1e3), epsrel=1e-8, limit=400)[0]
    assert got == pytest.approx(want, rel=2e-4)


def test_anisotropy_rises_to_two_fifths():
    assert float(anisotropy(0.0)) == 0
    assert float(anisotropy(1.0)) == pytest.approx(0.4)
    assert float(anisotropy(1e6)) == pytest.approx(0.5, rel=1e-5)


def test_self_similar_jeans_holds_the_virial_theorem():
    """2 K = -W for tracers out to infinity: 3 <sigma_1D^2> = <G M(r) / r>, whatever the anisotropy."""
    c = 4.0
    s = np.geomspace(1e-4, 3e3, 6001)
    sigma2 = radial_variance(s, c)
    weight = tracer(s, c) * s**3
    inside = s < 1.0  # within r200c the boundary term counts: 3 P V
    kinetic = np.trapezoid(((3 - 2 * anisotropy(s)) * sigma2 * weight)[inside], np.log(s[inside]))
    virial = np.trapezoid((nfw_mass(c * s) / nfw_mass(c) / s * weight)[inside], np.log(s[inside]))
    edge = np.interp(1.0, s, sigma2) * tracer(1.0, c)
    assert kinetic - edge == pytest.approx(virial, rel=2e-3)


def test_dispersion_of_dark_matter():
    assert float(evrard_dispersion(np.array(1e15 / 0.7), 70.0)) == pytest.approx(1082.9)
    ratio = np.log(evrard_dispersion(np.array(1e15), 70.0) / evrard_dispersion(np.array(1e14), 70.0)) / np.log(10)
    assert float(ratio) == pytest.approx(0.3361)


# occupation -----------------------------------------------------------------------------------------------------------
def satellites_within(occupation, radius_in_r200c):
    virial = overdensity_reach(CONCENTRATION, virial_overdensity(EPOCH) / 200)
    mean = overdensity_reach(CONCENTRATION, EPOCH.matter_fraction)
    m200m = MASSES * nfw_mass(mean) / nfw_mass(CONCENTRATION)
    number = mean_satellites(OCCUPATIONS[occupation], MASSES, m200m, 0.5 * virial, 0.5 * mean, H)
    inner = virial if radius_in_r200c is None else radius_in_r200c * CONCENTRATION
    return number * nfw_mass(0.5 * inner) / nfw_mass(0.5 * virial)


def test_observed_satellites_are_those_of_the_fits():
    """Within r200c, tracers half as concentrated: 15, 47-50, 150, 470-490 at 13.5, 14, 14.5, 15."""
    np.testing.assert_allclose(satellites_within("observed", 1.0), [15, 48.5, 150, 480], rtol=0.06)


def test_universemachine_satellites_are_those_of_the_mocks():
    """Within the virial radius: 29, 84, 260 at 14, 14.5, 15 (read off a figure to 10 %)."""
    np.testing.assert_allclose(satellites_within("universemachine", None)[1:], [29, 84, 260], rtol=0.05)
    within = satellites_within("universemachine", 1.0)
    assert 20 < within[1] < 29
    assert 185 < within[3] < 260


def test_central_step():
    log_mass = np.linspace(10.5, 12.5, 401)
    share = central_fraction(10**log_mass / H, H)
    assert np.interp(0.5, share, log_mass) == pytest.approx(11.23, abs=0.01)
    assert (np.diff(share) >= 0).all()
    assert share[-1] > 0.99
    # halotools, for the threshold of 10^9.5 Msun/h^2: 11.29 to 11.34 in several models
    higher = np.interp(0.5, central_fraction(10**log_mass / H, H, 10**9.5 / H**2), log_mass)
    assert 11.28 < higher < 11.40


def test_stellar_masses_of_centrals():
    assert float(stellar_mass_scatter(np.array(1e12 / H), H)) == pytest.approx(0.5 / np.log(10))
    assert 0.15 < float(stellar_mass_scatter(np.array(1e15 / H), H)) < 0.2
    rising = mean_log_stellar_mass(10 ** np.linspace(11, 15.5, 50), H)
    assert (np.diff(rising) > 0).all()
    # Moster et al. 2013 at z = 0.117: 10.57 and 11.29 at 10^12 and 10^14 Msun (0.3 dex between published relations)
    np.testing.assert_allclose(mean_log_stellar_mass(np.array([1e12, 1e14]), H), [10.57, 11.29], atol=0.3)


def test_satellite_masses_follow_the_model():
    table = make_satellite_masses(H)
    for mass in (3e12, 1e14, 1e15):
        stars = table.draw(np.full(3, mass), np.array([1.0, 0.3, 0.01]))
        number = [float(mean_satellites_model(np.array(mass), H, m)) for m in stars]
        np.testing.assert_allclose(np.array(number) / number[0], [1.0, 0.3, 0.01], rtol=0.02)
        assert np.log10(stars[0]) == pytest.approx(9.5, abs=1e-6)


# luminosities ---------------------------------------------------------------------------------------------------------
def test_satellite_luminosities_are_the_incomplete_gamma_function():
    """N(> L) = phi / 2 Gamma((a + 1) / 2, (L / L*)^2), raised by one recurrence to a positive argument."""
    mass, log_l = np.array([10**14.28 / H]), np.array([9.0, 10.0])
    got = satellite_counts(mass, H, log_l)[0]
    slope, m = -2.0 + 0.501, 2.28
    phi = 10 ** (-0.766 + 1.008 * m - 0.094 * m**2)
    x2 = (10**log_l / (0.562 * 10 ** central_luminosity(mass, H)[0])) ** 2
    a = 0.5 * (slope + 1)
    want = 0.5 * phi * (gamma(a + 1) * gammaincc(a + 1, x2) - x2**a * np.exp(-x2)) / a
    np.testing.assert_allclose(got, want, rtol=2e-3)


def test_published_numbers_of_luminous_satellites():
    """L > 10^9 and 10^9.5 Lsun/h^2: 42 and 21 at 10^14, 700 and 246 at 10^15 Msun/h (halo mass as given)."""
    counts = satellite_counts(np.array([1e14, 1e15]) / H, H, np.array([9.0, 9.5]))
    np.testing.assert_allclose(counts, [[42, 21], [700, 246]], rtol=0.04)
    assert float(magnitude(np.array(9.0), 1.0)) == pytest.approx(4.76 - 22.5)


# shapes ---------------------------------------------------------------------------------------------------------------
def test_mean_shapes():
    got = mean_minor_axis(np.array([1e14, 1e15]), 3.0e12)
    np.testing.assert_allclose(got, [0.46, 0.41], atol=0.01)


def test_velocity_ellipsoid_of_spheroids():
    """W_33 / W_11 of a prolate body from the closed form of A_3 (Binney & Tremaine 2008, table 2.1)."""
    ratio = 2.0  # long over short axis
    e = np.sqrt(1 - ratio**-2)
    a_long = 2 * (1 - e**2) / e**3 * (0.5 * np.log((1 + e) / (1 - e)) - e)
    a_short = (2 - a_long) / 2
    want = ratio**2 * a_long / a_short
    axes = np.array([[ratio, 1.0, 1.0]]) / ratio ** (1 / 3)
    got = velocity_axes(axes)[0] ** 2
    assert got[0] / got[1] == pytest.approx(want, rel=1e-12)
    assert got[1] == pytest.approx(got[2], rel=1e-12)
    assert got.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(velocity_axes(np.ones((1, 3))), 1.0, rtol=1e-12)


# infall ---------------------------------------------------------------------------------------------------------------
def test_spherical_flow_against_yahil():
    """Yahil 1985 is within 4 % to a density of 10, and too fast by 8, 16 and 28 % at 20, 40 and 80."""
    flow = solve_spherical_flow(EPOCH)
    growth = EPOCH.matter_fraction**0.55
    delta = np.array([0.05, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0])
    yahil = -growth / 3 * delta * (1 + delta) ** -0.25
    ratio = yahil / flow(delta)
    np.testing.assert_allclose(ratio[:4], 1.0, atol=0.04)
    np.testing.assert_allclose(ratio[4:], [1.08, 1.16, 1.28], atol=0.02)
    assert float(flow(np.array(-0.3))) > 0  # voids empty themselves


def test_mean_overdensity_of_a_cluster():
    got = mean_overdensity(4.3, 1.47, 2.2, EPOCH)
    at = np.interp(1.0, FLOW_RADII, got)
    assert at == pytest.approx(200 / EPOCH.matter_fraction + 2 * (5 * 1.47) ** 1.5, rel=0.02)
    assert (np.diff(got) < 0).all()
