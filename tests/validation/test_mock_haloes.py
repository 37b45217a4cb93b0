"""Haloes of a generated universe against the published relations, and the checks themselves against wrong universes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clustermass.data.mocks.universe import check_haloes as checks
from clustermass.data.mocks.universe import linear
from clustermass.data.mocks.universe.haloes import make_haloes
from clustermass.data.mocks.universe.settings import UniverseSettings
from clustermass.data.universe import Galaxies, Universe
from clustermass.errors import DomainError

SETTINGS = UniverseSettings(min_mass=10**12.5 / 0.6777, seed=1)
NONE = Galaxies(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0, bool))


@pytest.fixture(scope="module")
def universe():
    haloes = make_haloes(SETTINGS).haloes
    return Universe(haloes, NONE, SETTINGS.box_size, SETTINGS.redshift, SETTINGS.cosmology)


@pytest.fixture(scope="module")
def tables(universe):
    return {table.title: table for table in checks.check_haloes(universe, SETTINGS)}


def column(table, name):
    return np.array([row[table.columns.index(name)] for row in table.rows], float)


def changed(universe, **columns):
    return replace(universe, haloes=replace(universe.haloes, **columns))


def test_mass_function_is_that_of_tinker_2008(tables):
    """Within 10 % where there are enough haloes for that, within the noise of counting elsewhere."""
    table = tables["Halo mass function"]
    assert table.is_met, table.text()
    expected, ratio = column(table, "expected"), column(table, "ratio")
    assert abs(ratio[:3].mean() - 1) < 0.1  # 1,300 haloes
    # Tinker et al. 2008 at z = 0.117 for MDPL2: 2.8e-5 per (Mpc/h)^3 and unit of ln M at 1e14 Msun/h
    middle = linear.mass_function(SETTINGS, np.array([10**14.0 / 0.6777]))[0] / 0.6777**3
    assert middle == pytest.approx(2.80e-5, rel=0.01)
    assert expected[2] == pytest.approx(2.12e-5 * 0.25 * np.log(10) * 250**3 * 0.8, rel=0.15)


def test_bias_is_that_of_tinker_2010(tables):
    table = tables["Halo bias"]
    assert table.is_met, table.text()
    ratio, error = column(table, "ratio"), column(table, "counting error")
    assert (np.abs(ratio - 1) < np.maximum(0.2, 3 * error)).all()
    assert abs(ratio[:3].mean() - 1) < 0.08
    known = linear.halo_bias(SETTINGS, 10 ** np.array([13, 13.5, 14, 14.5, 15]) / 0.6777)
    assert known == pytest.approx([1.27, 1.68, 2.44, 3.92, 7.07], rel=5e-3)


def test_clustering_and_infall_are_those_of_linear_theory(tables):
    assert tables["Halo two-point function"].is_met, tables["Halo two-point function"].text()
    table = tables["Pairwise velocity of haloes"]
    assert table.is_met, table.text()
    assert (column(table, "v [km/s]")[2:] < -100).all()


def test_haloes_at_random_have_neither_bias_nor_clustering(universe, rng):
    there = rng.uniform(0, universe.box_size, universe.haloes.positions.shape)
    scattered = changed(universe, positions=there)
    found = {table.title: table for table in checks.check_haloes(scattered, SETTINGS)}
    assert found["Halo mass function"].is_met
    assert found["Halo bias"].is_met is False
    assert found["Halo two-point function"].is_met is False
    assert found["Pairwise velocity of haloes"].is_met is False


def test_outflow_is_noticed(universe):
    turned = changed(universe, velocities=-universe.haloes.velocities)
    assert checks.check_infall(turned, SETTINGS).is_met is False


def test_heavier_haloes_are_noticed(universe):
    heavier = changed(universe, m200c=1.25 * universe.haloes.m200c)
    assert checks.check_mass_function(heavier, SETTINGS).is_met is False
    assert checks.check_bias(heavier, SETTINGS).is_met  # 25 % of mass is 6 % of bias


def test_universes_that_cannot_be_compared_are_refused(universe):
    for wrong in (replace(universe, box_size=100.0), replace(universe, is_periodic=False)):
        with pytest.raises(DomainError, match="periodic box"):
            checks.check_haloes(wrong, SETTINGS)
    empty = changed(universe, **{name: getattr(universe.haloes, name)[:0] for name in vars(universe.haloes)})
    with pytest.raises(DomainError, match="haloes"):
        checks.check_haloes(empty, SETTINGS)


def test_velocities_are_about_those_of_linear_theory(universe):
    """One-dimensional rms of haloes: within 20 % of a H f times the linear displacements averaged over their patch.

    A box of 250 Mpc/h lacks longer waves, has few of the longest it holds, and second order adds some 5 %.
    """
    h, epoch = SETTINGS.cosmology.h, SETTINGS.epoch
    speed = 100 * h * epoch.expansion * epoch.scale_factor * epoch.matter_fraction ** (5 / 9)
    k = np.geomspace(2 * np.pi / SETTINGS.box_size, 10, 2000)
    mass = universe.haloes.m200c * h
    for low, high in ((3.2e12, 1e13), (1e13, 3e13)):
        patch = float(linear.lagrangian_radius(SETTINGS, np.sqrt(low * high) / h))
        window = 3 * (np.sin(k * patch) - k * patch * np.cos(k * patch)) / (k * patch) ** 3
        power = linear.linear_power(SETTINGS, k) * window**2
        rms = speed * np.sqrt(np.trapezoid(power, k) / (6 * np.pi**2))
        measured = universe.haloes.velocities[(mass > low) & (mass < high)].std()
        assert measured == pytest.approx(rms, rel=0.2), f"{low:g}"
