"""Measuring clusters of a universe, against brute force and made-up universes of known answers."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.cosmology import Cosmology
from clustermass.data.mocks.universe import measure
from clustermass.data.mocks.universe.check_galaxies import check_directions, check_galaxies, check_two_point
from clustermass.data.mocks.universe.check_tables import CheckTable
from clustermass.data.universe import Galaxies, Haloes, Universe

from ...universes import make_universe


def test_members_are_relative_to_their_halo():
    universe = make_universe(n_haloes=12, per_halo=9, n_field=30)
    members = measure.members_of(universe, 0.0)
    assert members.row.size == 12 * 8  # without centrals
    assert (np.diff(members.row) >= 0).all()
    assert (np.linalg.norm(members.offset, axis=1) <= universe.haloes.r200c[members.row]).all()
    heavy = float(np.median(universe.haloes.m200c))
    assert set(measure.members_of(universe, heavy).row) == set(np.flatnonzero(universe.haloes.m200c >= heavy))


def test_dispersions_are_those_of_numpy(rng):
    row, velocity = rng.integers(0, 6, 100), rng.normal(5e4, 300, 100)
    row[row == 4] = 5
    row[0], row[1:][row[1:] == 3] = 3, 2
    count, sigma = measure.dispersion_by_group(row, velocity, 7)
    for k in range(7):
        some = velocity[row == k]
        assert count[k] == some.size
        if some.size > 1:
            assert sigma[k] == pytest.approx(some.std(ddof=1), rel=1e-12)
        else:
            assert np.isnan(sigma[k])


def brute_force(universe, cluster, axis):
    """(all, true, sigma) of one view, galaxy by galaxy."""
    a = 1 / (1 + universe.redshift)
    hubble = 100 * universe.cosmology.h * float(universe.cosmology.expansion(universe.redshift)) * a
    halo, galaxies = universe.haloes, universe.galaxies
    velocities, true = [], 0
    for g in range(galaxies.n):
        d = galaxies.positions[g] - halo.positions[cluster]
        d -= universe.box_size * np.round(d / universe.box_size)
        v = hubble * d[axis] + galaxies.velocities[g, axis] - halo.velocities[cluster, axis]
        across = np.hypot(*np.delete(d, axis))
        if across < measure.APERTURE / universe.cosmology.h and abs(v) < measure.WINDOW:
            if galaxies.host[g] == cluster and galaxies.is_central[g]:
                continue
            velocities.append(v)
            true += galaxies.host[g] == cluster
    return len(velocities), true, np.std(velocities, ddof=1)


def test_cylinders_are_those_of_brute_force():
    universe = make_universe(n_haloes=8, per_halo=20, n_field=4000, box_size=100.0)
    views = measure.view_clusters(universe, 0.0)
    for axis in range(3):
        for cluster in (0, 3, 7):
            at = axis * 8 + cluster
            n, true, sigma = brute_force(universe, cluster, axis)
            assert (views.n_all[at], views.n_true[at]) == (n, true)
            assert views.sigma_all[at] == pytest.approx(sigma, rel=1e-9)
            assert views.n_pure[at] == 19
    assert (views.purity <= 1).all()


def test_a_perfect_relation_gives_masses_back(rng):
    log_mass = rng.uniform(13.5, 15.5, 3000)
    sigma = 1000 * 10 ** (0.35 * (log_mass - 15)) * np.exp(0.1 * rng.standard_normal(3000))
    fit = measure.fit_masses(log_mass, np.full(3000, 20.0), sigma)
    assert fit.slope == pytest.approx(0.35, abs=0.01)
    assert fit.sigma15 == pytest.approx(1000, rel=0.02)
    assert fit.residual.std() == pytest.approx(0.1 / np.log(10) / 0.35, rel=0.08)
    few = np.where(np.arange(3000) % 2 == 0, 20.0, 10.0)
    assert measure.fit_masses(log_mass, few, sigma).residual.size < 0.55 * fit.residual.size


def test_directional_scatter_is_freed_of_noise(rng):
    axes = np.array([1.25, 0.95, 0.75])
    row = np.repeat(np.arange(400), 120)
    velocity = 500 * axes * rng.standard_normal((row.size, 3))
    members = measure.Members(row, np.zeros_like(velocity), velocity)
    got, n = measure.directional_scatter(members)
    tensor = axes**2 / np.mean(axes**2)
    assert n == 400
    assert got == pytest.approx(0.5 * np.sqrt(2 / 15 * np.sum((tensor - 1) ** 2)), rel=0.05)
    round_ones = measure.Members(row, np.zeros_like(velocity), rng.standard_normal((row.size, 3)))
    assert measure.directional_scatter(round_ones)[0] < 0.03
    assert measure.directional_scatter(members, n_least=121)[1] == 0
    assert check_directions(measure.Members(row[:10], velocity[:10], velocity[:10])).is_met is None


def test_two_point_function_of_pairs():
    """Pairs at 2 Mpc on a sparse random background."""
    rng = np.random.default_rng(1)
    first = rng.uniform(0, 100, (2000, 3))
    away = rng.standard_normal((2000, 3))
    second = (first + 2 * away / np.linalg.norm(away, axis=1, keepdims=True)) % 100
    xi = measure.two_point(np.concatenate([first, second]), np.array([1.0, 1.9, 2.1, 6.0]), 100.0)
    shell = 4 / 3 * np.pi * (2.1**3 - 1.9**3)
    assert xi[1] == pytest.approx(4000 / (4000 * 3999 / 1e6 * shell), rel=0.15)
    assert abs(xi[2]) < 0.1


def test_a_box_without_clusters_has_no_checks():
    nothing = Galaxies(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0, bool))
    haloes = Haloes(np.arange(1), np.zeros((1, 3)), np.zeros((1, 3)), np.array([1e12]), np.array([0.2]))
    box = Universe(haloes, nothing, 50.0, 0.1, Cosmology(h=0.7, omega_m=0.3))
    assert check_galaxies(box) == []


def test_tables_of_a_foreign_universe_can_be_made():
    """Random galaxies: the tables exist and do not claim what is not there."""
    universe = make_universe(n_haloes=60, per_halo=40, n_field=3000, box_size=200.0)
    tables = check_galaxies(universe)
    assert len({table.title for table in tables}) == len(tables) == 7
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert table.title in table.text()
    richness = next(table for table in tables if table.title == "Members")
    assert richness.rows[0][3] == pytest.approx(39)
    assert len(check_two_point(universe, 1000).rows) == 5


def test_text_of_a_table():
    table = CheckTable("A title", "a source", ("mass", "n"), ((14.0, 3.0), ("slope", 0.33331)), is_met=False)
    assert table.text() == "A title (a source): NOT met\n mass       n\n   14       3\nslope  0.3333"
