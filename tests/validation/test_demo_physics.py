"""Profiles against published integrals, the web against its power, the demonstration against scaling relations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import clustermass as cm
from clustermass import constants
from clustermass.data.mocks.clusters import Cluster, draw_cluster, draw_gas, gas_profiles
from clustermass.data.mocks.demo import EPOCH, write_demo_snapshot
from clustermass.data.mocks.profiles import Epoch, Sphere, arnaud2010_pressure, nfw_sphere, pratt2022_density
from clustermass.data.mocks.web import (
    _amplitude,
    cloud_in_cell,
    growth,
    highest_peaks,
    transfer_function,
    zeldovich_web,
)
from clustermass.units import MPC_CM, MSUN_G

NOW = Epoch(h=0.7, omega_m=0.3, omega_b=0.045, redshift=0.0)
MU_MP_KEV = 0.588 * constants.PROTON_MASS_G * 1e10 / constants.KEV_ERG  # keV per (km/s)^2


def r500_of(m500, epoch):
    return (m500 / (4 / 3 * np.pi * 500 * epoch.critical_density)) ** (1 / 3)


def volume_integral(x, profile):
    return 4 * np.pi * np.sum(0.5 * np.diff(x) * ((profile * x**2)[1:] + (profile * x**2)[:-1]))


def test_universal_pressure_gives_the_published_compton_signal():
    # Y500 at M500 = 6e14 Msun, z = 0: 0.620e-4 Mpc^2; Y(5 R500) = 1.80 Y500 (Arnaud et al. 2010, integrated)
    x = np.geomspace(1e-4, 5, 20_000)
    pressure = arnaud2010_pressure(x, 6e14, NOW)
    factor = constants.THOMSON_CM2 / constants.ELECTRON_REST_ENERGY_KEV * MPC_CM * r500_of(6e14, NOW) ** 3
    y500 = factor * volume_integral(x[x <= 1], pressure[x <= 1])
    assert y500 == pytest.approx(0.620e-4, rel=0.01)
    assert factor * volume_integral(x, pressure) / y500 == pytest.approx(1.80, rel=0.01)


def test_gas_fraction_of_the_density_profile():
    x = np.geomspace(1e-4, 1, 20_000)
    grams = volume_integral(x, pratt2022_density(x, 5e14, NOW)) * (r500_of(5e14, NOW) * MPC_CM) ** 3
    grams *= constants.HYDROGEN_MASS_G / (0.76 * constants.full_electron_abundance())
    assert grams / MSUN_G / 5e14 == pytest.approx(0.125, abs=0.006)


def test_overdensity_radii():
    halo = nfw_sphere(3e14, 4.0, EPOCH)
    r200 = halo.overdensity_radius(200 * EPOCH.critical_density)
    assert float(halo.mass(r200)) == pytest.approx(3e14, rel=1e-4)
    r500 = halo.overdensity_radius(500 * EPOCH.critical_density)
    assert 0.6 < r500 / r200 < 0.7
    assert halo.overdensity_radius(200 * EPOCH.mean_density) / r200 == pytest.approx(1.5, abs=0.1)


def test_sphere_table_and_draws():
    r = np.geomspace(1e-4, 2, 800)
    uniform = Sphere(r, np.full(800, 3.0))
    assert uniform.enclosed[-1] == pytest.approx(4 * np.pi * 8, rel=3e-4)  # trapezoids: 1.2e-4
    radius = uniform.draw(20_000, np.random.default_rng(0))
    assert np.mean(radius**3) == pytest.approx(4.0, rel=0.01)  # uniform in volume
    assert radius.max() <= 2
    assert uniform.draw(0, np.random.default_rng(0)).size == 0


def test_dispersion_obeys_the_virial_theorem():
    halo = nfw_sphere(5e14, 4.0, EPOCH)
    sigma = halo.dispersion(halo.density, EPOCH.scale_factor)
    kinetic = 3 * volume_integral(halo.radius, halo.density * sigma**2)
    pull = constants.NEWTON * halo.enclosed / halo.radius / EPOCH.scale_factor
    assert kinetic == pytest.approx(volume_integral(halo.radius, halo.density * pull), rel=0.01)
    inside = halo.radius < halo.overdensity_radius(200 * EPOCH.critical_density)
    mean = np.sqrt(kinetic / 3 / halo.enclosed[-1])
    evrard = 1082.9 * (EPOCH.h * EPOCH.expansion * 5e14 / 1e15) ** 0.3361  # Evrard et al. 2008
    assert 0.8 < mean / evrard < 1.1
    assert sigma[inside].max() < 1.4 * evrard


def test_linear_power_has_its_amplitude():
    k = np.geomspace(1e-5, 50, 5000)
    x = k * 8 / EPOCH.h
    window = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    power = _amplitude(EPOCH) * k**0.96 * transfer_function(k, EPOCH) ** 2
    variance = np.sum(0.5 * np.diff(np.log(k)) * sum((power * window**2 * k**3 / 2 / np.pi**2)[s] for s in
                                                     (slice(1, None), slice(None, -1))))  # fmt: skip
    assert np.sqrt(variance) == pytest.approx(0.8228, rel=1e-3)
    assert transfer_function(np.array([1e-5]), EPOCH)[0] == pytest.approx(1.0, abs=1e-3)
    assert growth(Epoch(0.7, 1.0, 0.05, 1.0)) == pytest.approx(0.5, rel=1e-6)  # D = a without dark energy
    assert growth(EPOCH) == pytest.approx(0.9648, abs=1e-3)


def test_web_is_homogeneous_on_average_and_clustered():
    web = zeldovich_web(24, 100.0, EPOCH, np.random.default_rng(3))
    assert web.positions.shape == (24**3, 3)
    assert ((web.positions >= 0) & (web.positions < 100)).all()
    assert np.abs(web.velocities.mean(axis=0)).max() < 1e-9
    assert 100 < web.velocities.std() < 500
    assert np.mean(1 / web.overdensity) == pytest.approx(1.0, abs=0.35)  # volume where there is matter
    assert np.median(web.overdensity) > 1.3
    # matter flows towards the peaks: over-dense places come from high places of the linear field
    assert np.corrcoef(web.peak_height, np.log(web.overdensity))[0, 1] > 0.3
    peaks = highest_peaks(web, 6, 18.0)
    offset = web.positions[peaks][:, None] - web.positions[peaks]
    apart = np.linalg.norm(offset - 100 * np.round(offset / 100), axis=2)
    assert apart[~np.eye(6, dtype=bool)].min() >= 18
    assert (np.diff(web.peak_height[peaks]) <= 0).all()


def test_cloud_in_cell_of_a_lattice_is_flat():
    lattice = (np.indices((8, 8, 8)).reshape(3, -1).T + 0.31) * 12.5
    np.testing.assert_allclose(cloud_in_cell(lattice, 8, 100.0), 1.0, rtol=1e-12)


@pytest.mark.parametrize("m200", [1e14, 3e14, 1e15])
def test_gas_is_in_rough_hydrostatic_balance(m200):
    cluster = Cluster(m200, np.zeros(3), np.zeros(3), np.ones(3), np.eye(3), 4.0, 1.0, 0.0, EPOCH)
    gas, temperature = gas_profiles(cluster)
    r = gas.radius * EPOCH.scale_factor
    kev = temperature / constants.KEV_K
    slope = np.gradient(np.log(gas.density * temperature), np.log(r))
    balance = -slope * kev / MU_MP_KEV * r / constants.NEWTON / cluster.sphere.enclosed
    middle = (gas.radius > 0.15 * cluster.r500) & (gas.radius < 1.2 * cluster.r500)
    assert balance[middle].min() > 0.75
    assert balance[middle].max() < 1.5
    fraction = gas.enclosed / cluster.sphere.enclosed
    assert fraction[gas.radius < cluster.r200].max() < EPOCH.omega_b / EPOCH.omega_m
    assert (np.diff(fraction[middle]) > 0).all()


def test_drawn_gas_has_the_density_it_states():
    rng = np.random.default_rng(5)
    cluster = draw_cluster(5e14, np.zeros(3), np.zeros(3), EPOCH, rng)
    gas = draw_gas(cluster, 40_000, rng)
    radius = np.linalg.norm(gas["positions"], axis=1)
    edges = np.geomspace(0.1, 1.5, 9)
    for low, high in pairwise(edges):
        shell = (radius >= low) & (radius < high)
        counted = gas["masses"][shell].sum() / (4 / 3 * np.pi * (high**3 - low**3))
        stated = np.sum(gas["masses"][shell]) / np.sum(gas["masses"][shell] / gas["density"][shell])
        assert counted == pytest.approx(stated, rel=0.15)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    """Label and gas of each cluster of the default demonstration, within R500."""
    files = write_demo_snapshot(tmp_path_factory.mktemp("demo") / "demo.hdf5")
    snapshot, groups = cm.open_snapshot(files.snapshot), cm.open_groups(files.groups)
    names = ["compton_y", "xray_bolometric", "xray_soft", "gas_mass"]
    gas = snapshot.read("gas", ["positions", *cm.channel_fields(names, snapshot.fields("gas"))])
    weights = cm.channel_weights(gas, names, snapshot.header)
    kelvin = cm.gas_temperature(gas["internal_energy"], gas["electron_abundance"])
    stars = snapshot.read("stars", ["positions", "masses"])
    rows = []
    for i in range(len(groups.m500c)):
        distance = [np.linalg.norm((p - groups.positions[i] + 50) % 100 - 50, axis=1)
                    for p in (gas["positions"], stars["positions"])]  # fmt: skip
        inside = distance[0] < groups.r500c[i]
        total = weights[inside].sum(axis=0)
        kev = np.average(kelvin[inside], weights=weights[inside, 3]) / constants.KEV_K
        stellar = stars["masses"][distance[1] < groups.r500c[i]].sum()
        rows.append((groups.m500c[i], groups.r500c[i] * EPOCH.scale_factor, *total, kev, stellar))
    return np.array(rows).T


def test_compton_signal_follows_the_planck_relation(clusters):
    m500, _, upsilon = clusters[:3]
    planck = 10**-0.19 * 1e-4 * (EPOCH.h / 0.7) ** -0.21 * (m500 / 6e14) ** 1.79 * EPOCH.expansion ** (2 / 3)
    ratio = np.log(upsilon / planck)
    assert np.abs(ratio).max() < 0.6  # mergers are under-luminous; group pressure lies above the relation
    assert abs(np.median(ratio)) < 0.2
    assert np.polyfit(np.log(m500), np.log(upsilon), 1)[0] == pytest.approx(1.7, abs=0.2)


def test_temperature_is_about_virial(clusters):
    m500, r500, kev = clusters[0], clusters[1], clusters[6]
    virial = constants.NEWTON * m500 / (2 * r500) * MU_MP_KEV
    assert ((kev / virial > 0.55) & (kev / virial < 1.7)).all()
    assert np.polyfit(np.log(m500), np.log(kev), 1)[0] == pytest.approx(0.6, abs=0.15)


def test_luminosities_and_fractions_are_those_of_clusters(clusters):
    m500, _, _, bolometric, soft, gas, _, stellar = clusters
    # Pratt et al. 2009: L_bol of some 1e44 to 1e45 erg/s at 3e14 to 6e14 Msun, rising as M^1.5 to M^2
    assert 1.3 < np.polyfit(np.log(m500), np.log(bolometric), 1)[0] < 2.1
    at_3e14 = np.exp(np.polyval(np.polyfit(np.log(m500 / 3e14), np.log(bolometric), 1), 0.0))
    assert 1.5e44 < at_3e14 < 8e44
    assert ((soft / bolometric > 0.1) & (soft / bolometric < 0.5)).all()
    assert ((gas / m500 > 0.05) & (gas / m500 < 0.16)).all()
    assert ((stellar / m500 > 0.005) & (stellar / m500 < 0.04)).all()
