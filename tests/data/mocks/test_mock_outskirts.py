"""Galaxies around clusters: counted, found lacking, and added."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.data.mocks.profiles import Epoch
from clustermass.data.mocks.universe import outskirts
from clustermass.data.mocks.universe.dynamics import make_jeans_table
from clustermass.data.mocks.universe.galaxies import block_hosts, make_galaxy_model, mean_members
from clustermass.data.mocks.universe.infall import (
    FLOW_RADII,
    mean_overdensity,
    radial_velocity,
    solve_spherical_flow,
    truncation_radius,
)
from clustermass.data.mocks.universe.members import join_hosts
from clustermass.data.universe import Haloes

EPOCH = Epoch(h=0.6777, omega_m=0.307115, omega_b=0.048206, redshift=0.117)
MODEL = make_galaxy_model(EPOCH, "universemachine", 3.0e12 / EPOCH.h)
FLOW, TABLE = solve_spherical_flow(EPOCH), make_jeans_table()
BOX = 200.0
N_CLUSTERS, N_SMALL = 60, 30_000


def around_of(weight=0.2, mass=1e14, seed=1, cluster_at=None):
    """60 clusters of one mass and small haloes, all at random, in Msun/h."""
    rng = np.random.default_rng(seed)
    m200c = np.concatenate([np.full(N_CLUSTERS, mass), np.full(N_SMALL, 1e12)]) / EPOCH.h
    r200c = np.cbrt(3 * m200c / (800 * np.pi * EPOCH.critical_density))
    n = m200c.size
    places = rng.uniform(0, BOX, (n, 3))
    if cluster_at is not None:
        places[: len(cluster_at)] = cluster_at
    haloes = Haloes(np.arange(n), places, 300 * rng.standard_normal((n, 3)), m200c, r200c)
    rows = np.arange(N_CLUSTERS)
    hosts = block_hosts(MODEL, m200c[rows], r200c[rows], np.full(N_CLUSTERS, 4.3), None, rng)
    weights = np.where(np.arange(n) < N_CLUSTERS, mean_members(MODEL, hosts).mean(), weight)
    return outskirts.Around(
        haloes=haloes,
        rows=rows,
        hosts=hosts,
        members=mean_members(MODEL, hosts),
        weights=weights,
        bias=np.ones(n),
        brought=np.full(n, 0.5),
        peak_height=np.full(N_CLUSTERS, 2.0),
        box_size=BOX,
    )


def shells(around):
    radii = outskirts.shell_radii(around.hosts.virial)
    return radii, radii * around.hosts.r200c[:, None]


def test_shells_run_from_the_virial_radius_to_the_reach():
    radii, _ = shells(around_of())
    assert radii[0, 0] == pytest.approx(around_of().hosts.virial[0])
    np.testing.assert_allclose(radii[:, -1], 5.0)
    assert (np.diff(radii, axis=1) > 0).all()


def test_counts_are_those_of_brute_force(rng):
    around = around_of(cluster_at=np.array([[0.1, 0.1, 199.9]]))
    _, radii = shells(around)
    weights = around.weights.copy()
    weights[::3] = 0.0
    got = outskirts.count_around(around.haloes.positions, weights, around.haloes.positions[:7], radii[:7], around)
    want = np.zeros(8)
    for k in range(7):
        d = around.haloes.positions - around.haloes.positions[k]
        d = np.linalg.norm(d - BOX * np.round(d / BOX), axis=1)
        want += np.histogram(d, radii[k], weights=weights)[0]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_what_lacks_is_the_published_profile_less_what_is_there():
    around = around_of()
    radii, scaled = shells(around)
    every = np.arange(N_CLUSTERS)
    nothing = outskirts.lacking(around, every, radii, np.zeros(8), EPOCH)
    r200m = float(around.hosts.mean[0])
    overdensity = mean_overdensity(4.3, r200m, float(truncation_radius(2.0)) * r200m, EPOCH)
    inside = np.interp(np.log(radii[0]), np.log(FLOW_RADII), overdensity * FLOW_RADII**3)
    volume = 4 / 3 * np.pi * np.diff(scaled[0] ** 3)
    want = around.members[0] * np.diff(inside) / inside[0] + around.weights.sum() / BOX**3 * volume
    np.testing.assert_allclose(nothing[0], want, rtol=1e-9)
    half = outskirts.lacking(around, every, radii, 0.5 * nothing.sum(axis=0), EPOCH)
    np.testing.assert_allclose(half, 0.5 * nothing, rtol=1e-9)
    assert (outskirts.lacking(around, every, radii, 2 * nothing.sum(axis=0), EPOCH) == 0).all()


def test_the_field_and_what_is_added_make_up_the_profile():
    around = around_of()
    added = outskirts.draw_infalling(around, FLOW, TABLE, EPOCH, np.random.default_rng(2))
    radii, scaled = shells(around)
    total = outskirts.count_around(
        np.concatenate([around.haloes.positions, added.positions]),
        np.concatenate([around.weights, around.brought[added.like]]),
        around.haloes.positions[around.rows],
        scaled,
        around,
    )
    want = outskirts.lacking(around, around.rows, radii, np.zeros(8), EPOCH).sum(axis=0)
    noise = np.sqrt(0.5 * want)  # each brings half a galaxy
    assert (np.abs(total - want)[1:] < 5 * noise[1:] + 0.05 * want[1:]).all()
    assert want.sum() > 500
    assert ((added.positions >= 0) & (added.positions < BOX)).all()
    assert outskirts.is_outside(added.positions, around).all()
    assert (around.haloes.m200c[added.like] <= 0.3e14 / EPOCH.h).all()


def test_nothing_is_added_where_the_field_has_enough():
    around = around_of(weight=0.2)
    many = outskirts.draw_infalling(around, FLOW, TABLE, EPOCH, np.random.default_rng(2)).like.size
    rng = np.random.default_rng(3)  # haloes on top of the profile: as many again around each cluster
    n = 40_000
    row, s = rng.integers(0, N_CLUSTERS, n), rng.uniform(1.2, 5.0, n)
    away = rng.standard_normal((n, 3))
    away *= (s * around.hosts.r200c[row] / np.linalg.norm(away, axis=1))[:, None]
    places = (around.haloes.positions[row] + away) % BOX
    haloes = Haloes(
        np.arange(around.haloes.n + n),
        np.concatenate([around.haloes.positions, places]),
        np.zeros((around.haloes.n + n, 3)),
        np.concatenate([around.haloes.m200c, np.full(n, 1e12)]),
        np.concatenate([around.haloes.r200c, np.full(n, 0.2)]),
    )
    pad = lambda values: np.concatenate([values, np.full(n, 0.2)])  # noqa: E731 one line, used three times
    rich = outskirts.Around(
        haloes, around.rows, around.hosts, around.members, pad(around.weights), pad(around.bias),
        pad(around.brought), around.peak_height, BOX,
    )  # fmt: skip
    few = outskirts.draw_infalling(rich, FLOW, TABLE, EPOCH, np.random.default_rng(2)).like.size
    assert few < 0.1 * many


def test_infall_is_that_of_the_spherical_model_and_fades_inside():
    around = around_of()
    s = np.array([0.9, 1.5, 3.0, 4.5])
    row = np.zeros(4, np.int64)
    hosts = around.hosts
    got = radial_velocity(FLOW, s, hosts.concentration[row], hosts.mean[row], around.peak_height[row], EPOCH)
    got *= 100 * EPOCH.h * EPOCH.expansion * EPOCH.scale_factor * hosts.r200c[0]
    r200m = float(hosts.mean[0])
    mean = mean_overdensity(4.3, r200m, float(truncation_radius(2.0)) * r200m, EPOCH)
    delta = np.interp(s, FLOW_RADII, mean)
    hubble = 100 * EPOCH.h * EPOCH.expansion
    want = FLOW(delta) * hubble * EPOCH.scale_factor * s * hosts.r200c[0] * np.array([0, 0.5, 1, 1])
    np.testing.assert_allclose(got, want, rtol=0.02)
    assert -600 < got[2] < -300  # km/s at 3 r200c of 1e14 Msun/h


def test_added_haloes_fall_in_and_are_handed_to_the_field():
    around = around_of()
    added = outskirts.draw_infalling(around, FLOW, TABLE, EPOCH, np.random.default_rng(2))
    offset = added.positions[:, None] - around.haloes.positions[around.rows]
    offset -= BOX * np.round(offset / BOX)
    near = np.argmin((offset**2).sum(axis=2), axis=1)
    away = offset[np.arange(near.size), near]
    s = np.linalg.norm(away, axis=1) / around.hosts.r200c[near]
    own = added.velocities - (1 - added.by_field[:, None]) * around.haloes.velocities[near]
    radial = (own * away).sum(axis=1) / np.linalg.norm(away, axis=1)
    between = (s > 2) & (s < 3)
    assert radial[between].mean() < -200
    assert ((added.by_field >= 0) & (added.by_field <= 1)).all()
    assert added.by_field[(s > 4.8) & (s < 5)].min() > 0.9
    assert np.median(added.by_field[s < 1.4]) == 0


def test_bins_of_mass_hold_all_haloes_once():
    mass = 10 ** np.random.default_rng(1).uniform(13.01, 15.3, 500) / EPOCH.h
    bins = outskirts.mass_bins(mass, EPOCH.h)
    assert sorted(np.concatenate(bins).tolist()) == list(range(500))
    assert all(one.size >= 20 for one in bins[:-1])
    assert mass[bins[0]].min() >= mass[bins[1]].max()
    assert [one.tolist() for one in outskirts.mass_bins(mass[:3], EPOCH.h)] == [
        np.argsort(-np.floor(np.log10(mass[:3] * EPOCH.h / 1e13) / 0.25), kind="stable").tolist()
    ]


def test_no_cluster_and_a_small_pool():
    around = around_of(mass=2e13)
    pool = outskirts.Pool(around)
    rows = pool.draw(np.full(100, 2e13 / EPOCH.h), np.random.default_rng(1))
    assert (around.haloes.m200c[rows] < 0.61e13 / EPOCH.h).all()
    assert pool.mean(np.array([2e13 / EPOCH.h]))[0] == pytest.approx(0.5)
    assert join_hosts([around.hosts, around.hosts]).n == 2 * N_CLUSTERS
