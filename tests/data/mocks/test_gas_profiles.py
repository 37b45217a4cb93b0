"""Painted gas against the printed formulas: pressure, gas mass, scatter and families of planted haloes."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.constants import HYDROGEN_MASS_G, KEV_K
from clustermass.cosmology import Cosmology
from clustermass.data.mocks import gas_profiles
from clustermass.data.mocks.gas_particles import bodies_of, gas_particles, reach_of
from clustermass.data.mocks.gas_profiles import GasHaloes, gas_fraction, gas_haloes, tabulate
from clustermass.data.mocks.profiles import Epoch
from clustermass.data.mocks.stars import central_particles
from clustermass.data.mocks.universe.members import Hosts
from clustermass.data.mocks.universe.mergers import Clumps
from clustermass.units import MPC_CM, MSUN_G

EPOCHS = [Epoch(0.7, 0.3, 0.045, 0.0), Epoch(0.7, 0.3, 0.045, 1.0), Epoch(0.5, 0.3, 0.045, 0.3)]
BOX = 500.0


def haloes_of(epoch, mass=(3e14, 3e13), **changes):
    """Haloes of the universal family with the mean gas fraction; comoving R500 from the critical density."""
    m500 = np.array(mass)
    critical = 2.77536627e11 * epoch.h**2 * epoch.expansion**2 * epoch.scale_factor**3
    one = np.ones(m500.size)
    given = dict(
        m500=m500, r500=np.cbrt(3 * m500 / (4 * np.pi * 500 * critical)), family=np.zeros(m500.size, np.int64),
        fraction=gas_fraction(m500, epoch), heat=one, core=0 * one, epoch=epoch,
    )  # fmt: skip
    return GasHaloes(**given | changes)


def electrons_of(density, epoch):
    """[cm^-3, proper] of comoving gas density; 1.1579 electrons a hydrogen nucleus, 0.76 of the mass."""
    grams = density * MSUN_G / (MPC_CM * epoch.scale_factor) ** 3
    return 1.157895 * 0.76 * grams / HYDROGEN_MASS_G


@pytest.mark.parametrize("epoch", EPOCHS, ids=str)
def test_pressure_is_that_of_arnaud_2010(epoch):
    """Eq. 11 to 13: 1.65e-3 h(z)^(8/3) (M500 / 3e14 h70^-1)^(2/3 + 0.12) p(x) h70^2, P0 = 8.403 h70^-3/2."""
    haloes, x, h70 = haloes_of(epoch), 0.4, epoch.h / 0.7
    density, temperature = tabulate(haloes).at(np.arange(2), np.full(2, x))
    got = electrons_of(density, epoch) * temperature / KEV_K
    u = 1.177 * x
    p = 8.403 * h70**-1.5 * u**-0.3081 * (1 + u**1.0510) ** ((0.3081 - 5.4905) / 1.0510)
    expansion = Cosmology(h=epoch.h, omega_m=0.3).expansion(epoch.redshift)
    want = 1.65e-3 * expansion ** (8 / 3) * (haloes.m500 * h70 / 3e14) ** (2 / 3 + 0.12) * p * h70**2
    np.testing.assert_allclose(got, want, rtol=2e-4)


def test_gas_fraction_grows_with_the_expansion_as_published():
    now, then = (gas_fraction(np.array([5e14]), epoch)[0] for epoch in EPOCHS[:2])
    assert now == pytest.approx(0.125)
    assert then / now == pytest.approx((0.3 * 8 + 0.7) ** 0.045)


def test_a_denser_core_is_cooler_and_holds_the_same_gas():
    epoch = EPOCHS[0]
    plain, dense = (tabulate(haloes_of(epoch, core=np.full(2, core))) for core in (0.0, 1.0))
    x = np.array([0.01, 0.8])
    (n0, t0), (n1, t1) = (table.at(np.zeros(2, np.int64), x) for table in (plain, dense))
    same = n1[1] / n0[1]  # the gas that the core takes is missing elsewhere
    assert 0.9 < same < 1.0
    assert n1[0] / n0[0] / same == pytest.approx(np.exp(np.exp(-0.01)), rel=1e-3)
    pressure = n1[0] * t1[0] / (n0[0] * t0[0]) / (n1[1] * t1[1] / (n0[1] * t0[1]))
    assert pressure == pytest.approx(np.exp(gas_profiles.CORE_PRESSURE * np.exp(-0.01)), rel=1e-3)


def test_who_gets_which_family_and_which_scatter():
    disturbed, cool = np.array([True, True, False, False]), np.array([0.1, 0.9, 0.1, 0.9])
    normal = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    m500 = np.full(4, 2e14)
    got = gas_haloes(m500, np.ones(4), disturbed, EPOCHS[0], cool, normal)
    assert [gas_profiles.FAMILIES[k] for k in got.family] == ["disturbed", "disturbed", "cool core", "universal"]
    np.testing.assert_allclose(np.log(got.fraction / gas_fraction(m500, EPOCHS[0])), [0.10, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.log(got.heat), [0, 0.02, 0, 0], atol=1e-12)
    np.testing.assert_allclose(got.core, [0, 0, 0.9, 0])


def test_each_halo_has_the_profile_of_its_family():
    families = np.arange(3)
    haloes = haloes_of(EPOCHS[0], mass=(1e14, 1e14, 1e14), family=families)
    inner, outer = (tabulate(haloes).at(families, np.full(3, x))[0] for x in (0.02, 0.5))
    want = [
        gas_profiles.density_shape(np.array([0.02]), k)[0] / gas_profiles.density_shape(np.array([0.5]), k)[0]
        for k in families
    ]
    np.testing.assert_allclose(inner / outer, want, rtol=1e-3)


def round_hosts(n=2, mass=2e14, radius=1.5):
    """Spheres, or with `axes` not: hosts with nothing but a size."""
    one = np.ones(n)
    frames = np.broadcast_to(np.eye(3), (n, 3, 3)).copy()
    return Hosts(mass * one, radius * one, 4 * one, one, 1.3 * one, one, one, one, np.ones((n, 3)), frames)


def gas_of(share, count=20_000, at=1.0):
    """Particles of one round halo with a clump of that share, `at` Mpc away along x."""
    table = tabulate(haloes_of(EPOCHS[0]))
    clumps = Clumps(np.full(2, share), np.tile([at, 0.0, 0.0], (2, 1)), np.zeros((2, 3)))
    shift, counts = np.random.default_rng(1).random((2, 2, 3)), np.full(2, count)
    hosts, centres = round_hosts(), np.full((2, 3), 0.5 * BOX)
    gas = gas_particles(bodies_of(np.array([0]), clumps, shift, counts), table, hosts, centres, BOX)
    return gas, reach_of(table, hosts, clumps, counts)[0], table


def test_a_smoothing_length_holds_24_particles():
    gas, _, _ = gas_of(share=0.27)
    body = np.arange(len(gas["masses"])) < 20_000
    for part, middle in ((body, 0.5 * BOX), (~body, 0.5 * BOX + np.array([1.0, 0, 0]))):
        places, lengths = gas["positions"][part], gas["smoothing_length"][part]
        away = np.linalg.norm(places - middle, axis=1)
        inside = np.flatnonzero((away > np.quantile(away, 0.3)) & (away < np.quantile(away, 0.7)))[:60]
        count = [(np.linalg.norm(places - places[k], axis=1) < lengths[k]).sum() for k in inside]
        assert np.mean(count) == pytest.approx(24, rel=0.15)


def test_masses_of_particles_make_up_their_density():
    """Within thin shells: mass over volume is the density that the particles say they have, in the core too."""
    gas, _, table = gas_of(share=0.0)
    away = np.linalg.norm(gas["positions"] - 0.5 * BOX, axis=1) / table.haloes.r500[0]
    for low, high in ((0.012, 0.02), (0.1, 0.15), (1.0, 1.4)):
        here = (away >= low) & (away < high)
        volume = 4 / 3 * np.pi * (high**3 - low**3) * table.haloes.r500[0] ** 3
        mean = np.average(gas["density"][here], weights=1 / gas["density"][here] * gas["masses"][here])
        assert gas["masses"][here].sum() / volume == pytest.approx(mean, rel=0.08)


def test_nothing_lies_beyond_the_reach():
    """Kernels and clumps included: a clump far out lies beyond the gas of its halo."""
    found = []
    for share, at in ((0.0, 0.0), (0.27, 40.0)):
        gas, reach, _ = gas_of(share, count=400, at=at)
        away = np.linalg.norm(gas["positions"] - 0.5 * BOX, axis=1) + gas["smoothing_length"]
        assert away.max() <= reach * (1 + 1e-12)
        found.append((away.max(), reach))
    assert found[0][0] > 0.85 * found[0][1]
    assert found[1][0] > 40.0 > found[0][1]


@pytest.mark.parametrize("scale_factor", [1.0, 0.5])
def test_sizes_of_central_galaxies_and_of_the_stars_around_them(scale_factor):
    """Half of the light within 20 proper kpc and within a tenth of R200c, in projection, where profiles are whole."""
    n, hosts = 4000, round_hosts(mass=2e14)
    got = central_particles(
        np.array([0]), hosts, np.full(2, 6e11), np.full((2, 3), 250.0), np.full((2, 3), 0.3), n=(n, n),
        scale_factor=scale_factor, box_size=BOX,
    )  # fmt: skip
    across = np.hypot(*(got["positions"][:, :2] - 250.0).T)
    assert got["masses"][:n].sum() == pytest.approx(6e11)
    assert got["masses"][n:].sum() == pytest.approx(9e11)
    # of a Hernquist profile that is cut, 0.5 / 0.8 of the particles lie within what holds half of a whole one
    for part, size in ((slice(n), 0.020 / scale_factor), (slice(n, None), 0.15)):
        assert (across[part] < size).mean() == pytest.approx(0.5 / 0.8, abs=0.03)


def test_light_haloes_have_no_stars_around_their_galaxy():
    got = central_particles(
        np.array([1]), round_hosts(mass=0.99e13), np.array([1.0, 1e11]), np.full((2, 3), 250.0), np.full((2, 3), 0.3),
        n=(64, 256), scale_factor=1.0, box_size=BOX,
    )  # fmt: skip
    assert len(got["masses"]) == 64
    assert got["masses"].sum() == pytest.approx(1e11)
