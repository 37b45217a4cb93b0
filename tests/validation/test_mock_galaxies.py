"""A whole generated universe, small enough for a test, against what is published of clusters and galaxies."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass import UniverseSettings, make_universe
from clustermass.data.mocks.universe.check_figures import draw_galaxy_checks
from clustermass.data.mocks.universe.check_galaxies import check_galaxies
from clustermass.data.mocks.universe.measure import members_of
from clustermass.errors import DomainError

H = 0.6777


@pytest.fixture(scope="module")
def mocks():
    """The two presets in a box of 160 Mpc/h, on the same haloes."""
    settings = dict(box_size=160 / H, min_mass=10**11.3 / H, seed=2)
    return {
        name: make_universe(UniverseSettings(occupation=name, **settings)) for name in ("universemachine", "observed")
    }


@pytest.fixture(scope="module")
def tables(mocks):
    return {name: {table.title.split(",")[0]: table for table in check_galaxies(mock)} for name, mock in mocks.items()}


def column(table, name):
    at = table.columns.index(name)
    return np.array([row[at] for row in table.rows if not isinstance(row[0], str)], float)


def test_presets_share_haloes_and_differ_in_galaxies(mocks):
    thin, full = mocks["universemachine"], mocks["observed"]
    np.testing.assert_array_equal(thin.haloes.positions, full.haloes.positions)
    assert full.galaxies.is_central.any()
    assert not thin.galaxies.is_central.any()
    for mock in mocks.values():
        assert mock.galaxies.stellar_mass.min() >= 10**9.5 * (1 - 1e-9)
        assert ((mock.galaxies.positions >= 0) & (mock.galaxies.positions < mock.box_size)).all()
        assert any("0.1" in note for note in mock.notes)
        assert 0.05 < (mock.galaxies.host < 0).mean() < 0.4


def test_number_density_of_galaxies(mocks):
    """0.03 to 0.05 per (Mpc/h)^3 above 10^9.5 Msun (Baldry et al. 2012), about a third of them satellites."""
    galaxies = mocks["observed"].galaxies
    assert 0.03 < galaxies.n / 160**3 < 0.05
    assert 0.3 < ((galaxies.host >= 0) & ~galaxies.is_central).mean() < 0.45


def test_dispersions_follow_evrard(tables):
    for name in tables:
        table = tables[name]["Velocity dispersion"]
        assert table.is_met, table.text()


def test_members_follow_the_presets(tables):
    for name, level, slope in (("universemachine", 29, 0.953), ("observed", 63, 1.0)):
        row = tables[name]["Members"].rows[-1]
        assert row[3] == pytest.approx(level, rel=0.07)
        assert row[2] == pytest.approx(slope, abs=0.08)


def test_profile_is_that_of_the_tracers(tables):
    got = column(tables["observed"]["Projected profile"], "ratio")
    np.testing.assert_allclose(got[2:], 1.0, atol=0.2)


def test_members_lie_within_their_ellipsoids(mocks):
    mock = mocks["observed"]
    members = members_of(mock, 1e14)
    s = np.linalg.norm(members.offset, axis=1) / mock.haloes.r200c[members.row]
    assert s.max() < 2.6
    assert 0.05 < (s > 1.29).mean() < 0.12  # the long axis reaches beyond the virial radius


def test_direction_matters(tables):
    row = tables["observed"]["Scatter of the line-of-sight dispersion over directions"].rows[0]
    assert row[0] >= 20
    assert 0.07 < row[1] < 0.14


def test_purity_is_near_that_of_the_published_mocks(tables):
    for name in tables:
        table = tables[name]["Members among galaxies in the cylinder (1.6 Mpc/h"]
        got, want = column(table, "median"), column(table, "published")
        assert got.size >= 2
        assert (np.abs(got - want) < 0.2).all(), table.text()
        assert (np.diff(got) > 0).all()


def test_masses_from_dispersions_scatter_as_published(tables):
    table = tables["universemachine"]["Mass from the dispersion"]
    pure, contaminated = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert 0.13 < pure["scatter"] < 0.23
    assert 0.26 < contaminated["scatter"] < 0.47
    assert contaminated["slope"] < pure["slope"]


def test_galaxies_cluster_as_observed(tables):
    """About as Zehavi et al. 2005 from 1 to 10 Mpc/h; a box of 160 Mpc/h strays by a third at 1 Mpc/h."""
    table = tables["observed"]["Two-point function of galaxies"]
    np.testing.assert_allclose(column(table, "measured") / column(table, "published"), 1.0, atol=0.45)


def test_a_seed_is_a_universe():
    settings = dict(box_size=60.0, min_mass=1e12)
    first, again = (make_universe(UniverseSettings(**settings)) for _ in range(2))
    np.testing.assert_array_equal(first.galaxies.positions, again.galaxies.positions)
    np.testing.assert_array_equal(first.galaxies.magnitude_r, again.galaxies.magnitude_r)
    other = make_universe(UniverseSettings(**settings, seed=2))
    assert other.galaxies.n != first.galaxies.n or (other.galaxies.positions != first.galaxies.positions).any()


def test_a_box_of_small_haloes_only():
    mock = make_universe(UniverseSettings(box_size=45.0, min_mass=2e12, max_mass=1e13))
    assert mock.haloes.n > 0
    assert check_galaxies(mock) == []
    with pytest.raises(DomainError, match="10\\^13.5"):
        draw_galaxy_checks(mock)


def test_a_box_may_be_empty():
    mock = make_universe(UniverseSettings(box_size=30.0, min_mass=9e13))
    assert mock.haloes.n == mock.galaxies.n == 0
    assert mock.galaxies.positions.shape == (0, 3)


@pytest.mark.parametrize("redshift", [0.0, 1.0])
def test_other_redshifts(redshift):
    mock = make_universe(UniverseSettings(box_size=70.0, min_mass=2e12, redshift=redshift, occupation="observed"))
    assert mock.galaxies.n > mock.haloes.n
    assert np.isfinite(mock.galaxies.velocities).all()
    assert mock.redshift == redshift


def test_the_picture_has_six_panels(mocks):
    figure = draw_galaxy_checks(mocks["universemachine"])
    assert len(figure.axes) == 6
    assert all(axes.has_data() and axes.get_xlabel() for axes in figure.axes)
