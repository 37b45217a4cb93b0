"""Haloes that fall towards larger ones: which, and how fast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clustermass.data.mocks.universe import inflow, linear
from clustermass.data.mocks.universe.haloes import make_haloes
from clustermass.data.mocks.universe.infall import (
    FLOW_RADII,
    mean_overdensity,
    solve_spherical_flow,
    truncation_radius,
)
from clustermass.data.mocks.universe.nfw import overdensity_reach
from clustermass.data.mocks.universe.settings import UniverseSettings

SETTINGS = UniverseSettings(box_size=60.0, min_mass=2e12, seed=3)
EPOCH = SETTINGS.epoch


@pytest.fixture(scope="module")
def field():
    return make_haloes(SETTINGS)


def staged(field, places, masses, velocities=None):
    """A field with these haloes instead of its own, concentration 4."""
    mass = np.array(masses) / EPOCH.h
    radius = np.cbrt(3 * mass / (800 * np.pi * EPOCH.critical_density))
    still = np.zeros((mass.size, 3)) if velocities is None else np.array(velocities, float)
    haloes = replace(
        field.haloes, ids=np.arange(mass.size), positions=np.array(places, float), velocities=still, m200c=mass,
        r200c=radius,
    )  # fmt: skip
    return replace(field, haloes=haloes, concentration=np.full(mass.size, 4.0))


def test_the_nearest_cluster_is_that_in_its_own_radii(field):
    big, small = 1e15, 2e13
    at = [[30, 30, 30], [30, 30, 36.0], [30, 30, 38.2], [59.9, 1, 1], [0.4, 1, 1]]
    haloes = staged(field, at, [big, small, 1e12, 2e14, 1e12]).haloes
    halo, cluster, offset = inflow.nearest_cluster(haloes, np.array([0, 1, 3]), 60.0)
    assert dict(zip(halo.tolist(), cluster.tolist(), strict=True)) == {1: 0, 2: 1, 4: 3}
    np.testing.assert_allclose(offset[halo == 4], [[0.5, 0, 0]], atol=1e-12)  # across the edge of the box


def expected(s, share):
    """Speed of the spherical model [km/s] at s = r / r200c of 1e14 Msun/h, concentration 4."""
    mean = float(overdensity_reach(np.array([4.0]), EPOCH.matter_fraction)[0]) / 4
    m200m = 200 * EPOCH.mean_density * 4 / 3 * np.pi * (mean * radius_of(1e14)) ** 3
    nu = 1.686 / linear.linear_sigma(SETTINGS, linear.lagrangian_radius(SETTINGS, m200m))
    delta = mean_overdensity(4.0, mean, float(truncation_radius(float(nu))) * mean, EPOCH)
    hubble = 100 * EPOCH.h * EPOCH.expansion * EPOCH.scale_factor
    model = float(solve_spherical_flow(EPOCH)(np.interp(s, FLOW_RADII, delta))) * hubble * s * radius_of(1e14)
    return model * share * min(1.0, (5 - s) / (5 - mean))


def radius_of(mass):
    return np.cbrt(3 * mass / EPOCH.h / (800 * np.pi * EPOCH.critical_density))


@pytest.mark.parametrize(("s", "share"), [(1.5, 0.5), (2.5, 1.0), (4.0, 1.0)])
def test_the_speed_is_that_of_the_spherical_model(field, s, share):
    away = np.array([0.0, 0.6, 0.8]) * s * radius_of(1e14)
    one = staged(field, [[5, 5, 5], 5 + away], [1e14, 1e12], [[100, 0, 0], [0, 50, 0]])
    got = inflow.let_fall(one, SETTINGS).haloes.velocities
    np.testing.assert_array_equal(got[0], [100, 0, 0])
    want = expected(s, share)
    np.testing.assert_allclose(got[1], [0, 50, 0] + want * np.array([0.0, 0.6, 0.8]), rtol=0.02)
    assert want < -50


def test_haloes_take_along_what_falls_towards_them(field):
    """A small halo beside a group that falls into a cluster gains the group's fall, faded, besides its own."""
    group = np.array([30.0, 30.0, 30.0 + 2.5 * radius_of(1e15)])
    beside = group + [2.5 * radius_of(2e13), 0, 0]
    three = staged(field, [[30, 30, 30], group, beside], [1e15, 2e13, 1e12])
    _, of_group, of_small = inflow.let_fall(three, SETTINGS).haloes.velocities
    assert of_group[2] < -500
    mean = float(overdensity_reach(np.array([4.0]), EPOCH.matter_fraction)[0]) / 4
    assert of_small[2] == pytest.approx(of_group[2] * (5 - 2.5) / (5 - mean), rel=1e-6)
    assert of_small[0] < -50


def test_far_haloes_and_places_stay_as_they_were(field):
    fallen = inflow.let_fall(field, SETTINGS)
    np.testing.assert_array_equal(fallen.haloes.positions, field.haloes.positions)
    clusters = np.flatnonzero(field.haloes.m200c * EPOCH.h > inflow.LOWEST)
    near, _, _ = inflow.nearest_cluster(field.haloes, clusters, SETTINGS.box_size)
    changed = np.flatnonzero((fallen.haloes.velocities != field.haloes.velocities).any(axis=1))
    assert set(changed) <= set(near)
    assert 0 < changed.size < field.haloes.n


def test_a_box_without_clusters_is_left_alone(field):
    lonely = staged(field, [[1, 1, 1], [2, 2, 2]], [5e12, 1e12])
    assert inflow.let_fall(lonely, SETTINGS) is lonely


def test_large_haloes_do_not_fall_towards_small_ones(field):
    two = staged(field, [[30, 30, 30], [30, 30, 33.3]], [1e15, 2e13])  # each within five radii of the other
    large, small = inflow.let_fall(two, SETTINGS).haloes.velocities
    np.testing.assert_array_equal(large, [0, 0, 0])
    assert small[2] < -100
