"""Draws of satellites: places, velocities, masses and clumps of many like haloes, against what they are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from clustermass.data.mocks.profiles import Epoch
from clustermass.data.mocks.universe import mergers
from clustermass.data.mocks.universe.dynamics import anisotropy, evrard_dispersion, make_jeans_table
from clustermass.data.mocks.universe.galaxies import (
    block_hosts,
    fill_haloes,
    join_galaxies,
    make_galaxy_model,
    mean_members,
)
from clustermass.data.mocks.universe.members import draw_members, join_hosts, make_hosts, to_box
from clustermass.data.mocks.universe.nfw import nfw_mass, nfw_potential
from clustermass.data.mocks.universe.shapes import TYPICAL, axis_power, draw_axes, draw_frames, velocity_axes

from ... import tolerances

EPOCH = Epoch(h=0.6777, omega_m=0.307115, omega_b=0.048206, redshift=0.117)
NONLINEAR = 3.0e12 / EPOCH.h
TABLE = make_jeans_table()
HUBBLE = 100 * EPOCH.h * EPOCH.expansion


def radius(m200c):
    return np.cbrt(3 * m200c / (800 * np.pi * EPOCH.critical_density))


def hosts_of(n, mass=3e14, concentration=4.0, seed=0, **changes):
    m200c = np.full(n, mass)
    drawn = make_hosts(
        m200c,
        radius(m200c),
        np.full(n, concentration),
        None,
        epoch=EPOCH,
        table=TABLE,
        nonlinear_mass=NONLINEAR,
        velocity_bias=0.97,
        rng=np.random.default_rng(seed),
    )
    return replace(drawn, **changes) if changes else drawn


def spherical(n, **more):
    """Haloes without shape and without scatter."""
    hosts = hosts_of(n, **more)
    return replace(hosts, axes=np.ones((n, 3)), boost=np.full(n, np.exp(np.log(hosts.boost).mean())))


def test_radii_follow_the_nfw_profile():
    n = 20_000
    hosts = spherical(n)
    offset, _ = draw_members(hosts, np.arange(n), TABLE, np.random.default_rng(1))
    reach = float(hosts.tracer_reach(hosts.virial)[0])
    x = np.linalg.norm(offset, axis=1) / hosts.r200c * 0.5 * 4.0
    assert kstest(x, lambda x: nfw_mass(x) / nfw_mass(reach)).pvalue > tolerances.FALSE_ALARM
    assert x.max() <= reach * (1 + 1e-9)
    direction = offset / np.linalg.norm(offset, axis=1, keepdims=True)
    assert kstest(direction[:, 2], "uniform", args=(-1, 2)).pvalue > tolerances.FALSE_ALARM


def test_velocities_have_the_dispersions_of_the_jeans_solution():
    n = 60_000
    hosts = spherical(n)
    offset, velocity = draw_members(hosts, np.arange(n), TABLE, np.random.default_rng(2))
    s = np.linalg.norm(offset, axis=1) / hosts.r200c
    radial = (velocity * offset).sum(axis=1) / np.linalg.norm(offset, axis=1)
    across = np.sqrt(((velocity**2).sum(axis=1) - radial**2) / 2)
    unit = hosts.circular * hosts.boost * np.sqrt(TABLE.radial(hosts.concentration, s))
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 1.25)):
        at = (s > low) & (s < high)
        error = 5.0 / np.sqrt(2 * at.sum())
        assert np.sqrt(np.mean((radial[at] / unit[at]) ** 2)) == pytest.approx(1, rel=error)
        assert np.sqrt(np.mean((across[at] / unit[at]) ** 2 / (1 - anisotropy(s[at])))) == pytest.approx(1, rel=error)


def test_galaxies_within_r200c_have_the_velocity_bias():
    """The 3 % below dark matter, for any concentration, with and without a shape."""
    n = 60_000
    for hosts in (spherical(n, concentration=2.5), spherical(n, concentration=8.0), hosts_of(n, seed=3)):
        offset, velocity = draw_members(hosts, np.arange(n), TABLE, np.random.default_rng(4))
        inside = np.linalg.norm(offset, axis=1) < hosts.r200c
        sigma = np.sqrt((velocity[inside] ** 2).mean())
        assert sigma / evrard_dispersion(hosts.m200c[0], HUBBLE) == pytest.approx(0.97, rel=0.015)


def test_the_virial_theorem_holds_before_scaling():
    """2 K + W = surface term in the sphere of galaxies: with the boost taken away."""
    n = 200_000
    hosts = spherical(n)
    offset, velocity = draw_members(hosts, np.arange(n), TABLE, np.random.default_rng(5))
    s = np.linalg.norm(offset, axis=1) / hosts.r200c
    kinetic = ((velocity / (hosts.circular * hosts.boost)[:, None]) ** 2).sum(axis=1).mean()
    pull = (nfw_mass(4.0 * s) / nfw_mass(4.0) / s).mean()
    edge = float(hosts.virial[0])
    x = 2.0 * edge
    shell = x**3 / (x * (1 + x) ** 2) / nfw_mass(x)  # 4 pi r^3 nu / N
    surface = shell * float(TABLE.radial(np.array(4.0), np.array(edge)))
    assert kinetic == pytest.approx(pull + surface, rel=0.01)


def test_scatter_between_haloes_of_one_mass():
    boost = np.log(hosts_of(50_000).boost)
    assert boost.std() == pytest.approx(0.043, rel=0.03)


def test_ellipsoid_in_places_and_velocities():
    n = 100_000
    axes = np.tile(np.array([1.0, 0.7, 0.45]) / np.cbrt(0.7 * 0.45), (n, 1))
    hosts = replace(spherical(n), axes=axes)
    offset, velocity = draw_members(hosts, np.arange(n), TABLE, np.random.default_rng(6))
    ratio = np.sqrt((velocity**2).mean(axis=0))
    want = velocity_axes(axes[:1] ** axis_power(np.float64(TYPICAL)))[0]
    np.testing.assert_allclose(ratio / np.sqrt((ratio**2).mean()), want, rtol=0.015)
    inner = (offset**2 / axes[0] ** 2).sum(axis=1) < (0.25 * hosts.virial * hosts.r200c) ** 2
    spread = np.sqrt((offset[inner] ** 2).mean(axis=0))
    np.testing.assert_allclose(spread / spread[0], [1, 0.7, 0.45], rtol=0.03)
    outer = np.sqrt((offset[~inner] ** 2).mean(axis=0))
    assert outer[2] / outer[0] > 0.52  # rounder outside
    assert (np.linalg.norm(to_box(offset[:9], hosts.frames[:9]), axis=1)).tolist() == pytest.approx(
        np.linalg.norm(offset[:9], axis=1).tolist()
    )


def test_line_of_sight_dispersion_varies_with_direction():
    """8 % from the ellipsoid alone; what clumps add is measured on a whole universe (docs/mock-universe.md)."""
    tensor = velocity_axes(draw_axes(np.full(4000, 4e14), NONLINEAR, np.random.default_rng(7)) ** 0.8586) ** 2
    line = np.random.default_rng(8).standard_normal((300, 3))
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    sigma = np.sqrt(tensor @ (line**2).T)
    assert 0.07 < (sigma.std(axis=1) / sigma.mean(axis=1)).mean() < 0.14


def test_drawn_shapes():
    axes = draw_axes(np.full(40_000, 4.4e12 / EPOCH.h), 4.4e12 / EPOCH.h, np.random.default_rng(9))
    np.testing.assert_allclose(axes.prod(axis=1), 1.0, rtol=1e-12)
    minor, middle = axes[:, 2] / axes[:, 0], axes[:, 1] / axes[:, 0]
    assert minor.mean() == pytest.approx(0.54, abs=0.01)
    assert minor.std() == pytest.approx(0.1, abs=0.005)
    assert (minor <= middle + 1e-12).all()
    assert (middle <= 1 + 1e-12).all()
    p = (minor / middle)[np.abs(minor - 0.6) < 0.01]
    assert p.mean() == pytest.approx(0.8, abs=0.02)  # the density is even about the middle of r to 1


def test_frames_are_rotations_aligned_with_the_tides():
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    frames = draw_frames(np.broadcast_to(turn, (20_000, 3, 3)), 20_000, np.random.default_rng(2))
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frames.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1.0)
    cosine = np.abs(np.einsum("nij,ij->ni", frames, turn))
    assert cosine[:, 0].mean() == pytest.approx(0.78, abs=0.02)
    free = draw_frames(None, 20_000, np.random.default_rng(2))
    assert np.abs(free[:, 0] @ turn[0]).mean() == pytest.approx(0.5, abs=0.02)


# clumps ---------------------------------------------------------------------------------------------------------------
def test_clumps_keep_their_energy():
    hosts = hosts_of(30_000)
    clumps = mergers.draw_clumps(hosts, np.random.default_rng(3))
    assert (clumps.share > 0).mean() == pytest.approx(1 / 3, abs=0.015)
    assert clumps.share[clumps.share > 0].min() >= 0.1
    assert clumps.share.max() <= 0.3
    s = np.linalg.norm(clumps.offset, axis=1) / hosts.r200c
    assert 0.3 <= s.min() < s.max() <= 1.5
    c = hosts.concentration
    speed2 = (np.linalg.norm(clumps.velocity, axis=1) / hosts.circular) ** 2
    at_entry = speed2 + 2 * (nfw_potential(s * c, c) - nfw_potential(c, c))
    usual = speed2 > 0
    assert np.sqrt(at_entry[usual]).mean() == pytest.approx(1.2, abs=0.02)
    radial = (clumps.velocity * clumps.offset).sum(axis=1)
    assert (radial[s > 1] <= 0).all()
    assert (radial[s < 1] > 0).mean() == pytest.approx(0.5, abs=0.03)


def test_members_of_clumps_move_together():
    hosts = hosts_of(1)
    clumps = mergers.Clumps(np.array([0.3]), np.array([[1.5, 0.0, 0.0]]), np.array([[-900.0, 0.0, 0.0]]))
    row = np.zeros(20_000, np.int64)
    offset, velocity = draw_members(hosts, row, TABLE, np.random.default_rng(4))
    before = offset.copy(), velocity.copy()
    chosen = mergers.move_to_clumps(clumps, row, offset, velocity, np.random.default_rng(5))
    assert chosen.mean() == pytest.approx(0.3, abs=0.02)
    assert (offset[~chosen] == before[0][~chosen]).all()
    assert (velocity[~chosen] == before[1][~chosen]).all()
    np.testing.assert_allclose(velocity[chosen].mean(axis=0), [-900, 0, 0], atol=40)
    ratio = velocity[chosen].std(axis=0) / velocity[~chosen].std(axis=0)
    np.testing.assert_allclose(ratio, np.cbrt(0.3), rtol=0.05)


# filling --------------------------------------------------------------------------------------------------------------
def fill(occupation, mass, n, seed=1, **more):
    model = make_galaxy_model(EPOCH, occupation, NONLINEAR)
    rng = np.random.default_rng(seed)
    m200c = np.full(n, mass)
    hosts = block_hosts(model, m200c, radius(m200c), np.full(n, 5.0), None, rng)
    places = np.arange(3.0 * n).reshape(n, 3)
    return hosts, model, fill_haloes(model, hosts, places, 10.0 * places, 100, rng, **more)


@pytest.mark.parametrize("occupation", ["observed", "universemachine"])
def test_counts_are_those_of_the_preset(occupation):
    hosts, model, galaxies = fill(occupation, 1e14, 500)
    expected = mean_members(model, hosts).sum()
    beyond = galaxies.host == -1
    satellites = galaxies.n - galaxies.is_central.sum()
    assert abs(satellites - expected) < 5.5 * np.sqrt(expected)
    assert galaxies.is_central.sum() == (500 if occupation == "observed" else 0)
    assert 0 < beyond.sum() < 0.1 * galaxies.n
    assert galaxies.host[~beyond].min() == 100
    assert galaxies.stellar_mass.min() >= 10**9.5 * (1 - 1e-12)
    assert ((galaxies.magnitude_r > -25) & (galaxies.magnitude_r < -15)).all()


def test_centrals_sit_at_the_centre_and_step_in_with_mass():
    ratio = float(hosts_of(1, concentration=5.0).m200m[0] / 3e14)  # the step is at 10^11.234 Msun/h within r200m
    _, _, galaxies = fill("observed", 10**11.234 / EPOCH.h / ratio, 4000)
    assert galaxies.is_central.sum() == pytest.approx(2000, abs=250)
    central = galaxies.is_central
    np.testing.assert_array_equal(galaxies.positions[central][:, 0], 3.0 * (galaxies.host[central] - 100))
    np.testing.assert_array_equal(galaxies.velocities[central], 10.0 * galaxies.positions[central])
    assert fill("universemachine", 1e13, 50, centrals_too=True)[2].is_central.sum() == 50


def test_brighter_means_more_massive_within_a_halo():
    galaxies = fill("observed", 1e15, 3)[2]
    satellites = ~galaxies.is_central
    order = np.argsort(galaxies.stellar_mass[satellites])
    assert (np.diff(galaxies.magnitude_r[satellites][order]) < 1e-9).all()
    assert galaxies.stellar_mass[~satellites].min() > np.median(galaxies.stellar_mass[satellites])


def test_tables_join():
    first, second = fill("observed", 1e14, 2)[2], fill("observed", 1e13, 2)[2]
    joined = join_galaxies([first, second])
    assert joined.n == first.n + second.n
    np.testing.assert_array_equal(joined.host[first.n :], second.host)
    hosts = hosts_of(5)
    again = join_hosts([hosts.take(np.array([0, 1])), hosts.take(np.array([2, 3, 4]))])
    np.testing.assert_array_equal(again.frames, hosts.frames)


def test_a_seed_gives_the_same_galaxies():
    first, second, other = (fill("observed", 1e14, 20, seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.velocities, second.velocities)
    assert first.n != other.n or (first.velocities != other.velocities).any()


def test_galaxies_lie_and_move_along_the_axes_of_their_halo():
    """In the frame of the box: spread of places and velocities along the directions in `frames`."""
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    hosts = replace(
        hosts_of(200, mass=1e15),
        axes=np.tile(np.array([1.0, 0.6, 0.4]) / np.cbrt(0.24), (200, 1)),
        frames=np.tile(turn, (200, 1, 1)),
    )
    model = make_galaxy_model(EPOCH, "universemachine", NONLINEAR)
    galaxies = fill_haloes(model, hosts, np.zeros((200, 3)), np.zeros((200, 3)), 0, np.random.default_rng(6))
    for vectors, low in ((galaxies.positions, 1.5), (galaxies.velocities, 1.2)):
        spread = np.sqrt(((vectors @ turn.T) ** 2).mean(axis=0))
        assert spread[0] > low * spread[2]
        assert spread[0] > spread[1] > spread[2]
