"""The recovered mass function: drawn from Tinker08 it comes back, incompleteness is put right, errors are true."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from clustermass.cosmology import Cosmology
from clustermass.data.mocks.universe import linear
from clustermass.data.mocks.universe.settings import UniverseSettings
from clustermass.errors import BadInputError, DomainError, MissingDependencyError
from clustermass.evaluation import completeness_in_bins, expected_mass_function, recovered_mass_function
from tests import tolerances

EDGES = np.arange(13.8, 15.01, 0.2)
SETTINGS = UniverseSettings()
SPECTRUM = {"omega_b": SETTINGS.omega_b, "sigma8": SETTINGS.sigma8, "spectral_index": SETTINGS.spectral_index}


def tinker(edges=EDGES, redshift=0.117):
    pytest.importorskip("colossus")
    return expected_mass_function(edges, redshift, SETTINGS.cosmology, **SPECTRUM)


def draw(rng, volume, step=0.01):
    """Masses of a Poisson draw from Tinker08, and the hosts' density in bins of EDGES."""
    fine = np.arange(EDGES[0], EDGES[-1] + step / 2, step)
    number = rng.poisson(tinker(fine) * volume * step)
    return np.repeat(fine[:-1], number) + step * rng.random(number.sum())


def test_tinker08_is_that_of_the_mocks():
    """Averages over bins against the integral of dn/dlnM at many masses."""
    pytest.importorskip("colossus")
    fine = np.linspace(14.0, 14.4, 401)
    number = linear.mass_function(SETTINGS, 10**fine) * np.log(10)
    got = tinker([14.0, 14.4], SETTINGS.redshift)
    assert got[0] == pytest.approx(np.trapezoid(number, fine) / 0.4, rel=tolerances.BIN_AVERAGE)


# Tinker et al. 2008, table 2: overdensity over the mean, A, a, b, c of the multiplicity function at z = 0
TABLE = np.array([
    [200, 300, 400, 600, 800, 1200, 1600, 2400, 3200],
    [0.1858659, 0.1995973, 0.2115659, 0.2184113, 0.2480968, 0.2546053, 0.26, 0.26, 0.26],
    [1.466904, 1.521782, 1.559186, 1.614585, 1.869936, 2.128056, 2.301275, 2.529241, 2.661983],
    [2.571104, 2.254217, 2.048674, 1.869559, 1.588649, 1.507134, 1.464374, 1.436827, 1.405210],
    [1.193958, 1.270316, 1.335191, 1.446266, 1.581345, 1.795050, 1.965613, 2.237466, 2.439729],
])  # fmt: skip


def test_tinker08_is_what_the_paper_says():
    """dn/dlnM = f(sigma) rho_m / M dln(1/sigma)/dlnM, its table between overdensities, on colossus' sigma(M) alone."""
    pytest.importorskip("colossus")
    z, cosmology = SETTINGS.redshift, SETTINGS.cosmology
    log_mass = np.linspace(13.8, 15.0, 601)
    mean_density = 2.77536627e11 * cosmology.h**2 * cosmology.omega_m  # Msun / comoving Mpc^3
    radius = (3 * 10**log_mass / (4 * np.pi * mean_density)) ** (1 / 3)
    sigma = linear.linear_sigma(SETTINGS, radius)
    overdensity = 200 * cosmology.expansion(z) ** 2 / (cosmology.omega_m * (1 + z) ** 3)
    a0, b0, c0, d0 = (np.interp(overdensity, TABLE[0], row) for row in TABLE[1:])
    slope = 10 ** -((0.75 / np.log10(overdensity / 75)) ** 1.2)
    height, a, b = a0 * (1 + z) ** -0.14, b0 * (1 + z) ** -0.06, c0 * (1 + z) ** -slope
    multiplicity = height * ((sigma / b) ** -a + 1) * np.exp(-d0 / sigma**2)
    steepness = -np.gradient(np.log(sigma), log_mass * np.log(10))
    density = np.log(10) * multiplicity * mean_density / 10**log_mass * steepness
    edges = log_mass[[0, 200, 400, 600]]
    want = [np.trapezoid(density[k : k + 201], log_mass[k : k + 201]) / np.ptp(edges[:2]) for k in (0, 200, 400)]
    assert tinker(edges, z) == pytest.approx(want, rel=tolerances.TINKER)


def test_a_drawn_mass_function_is_recovered(rng):
    volume = 3e8
    found = recovered_mass_function(draw(rng, volume), EDGES, volume, expected=tinker())
    assert found.counts.min() > 15
    pull = (found.ratio - 1) / np.where(found.ratio > 1, found.ratio_below, found.ratio_above)
    assert np.abs(pull).max() < 4
    assert np.abs(pull).max() > 0.05  # it is a draw
    assert found.poisson_below == pytest.approx(found.density / np.sqrt(found.counts), rel=0.1)
    assert found.bootstrap_error == pytest.approx(found.density / np.sqrt(found.counts), rel=0.15)


def test_incompleteness_is_put_right(rng):
    volume = 4e8
    mass = draw(rng, volume)
    seen = rng.random(mass.size) < np.clip((mass - 13.5) / 1.0, 0, 1)
    share, lower, upper = completeness_in_bins(mass, seen, EDGES)
    assert (np.diff(share[:4]) > 0.1).all()
    assert ((lower <= share) & (share <= upper)).all()
    raw = recovered_mass_function(mass[seen], EDGES, volume, expected=tinker(), n_bootstrap=0)
    right = recovered_mass_function(mass[seen], EDGES, volume, expected=tinker(), completeness=share, n_bootstrap=0)
    assert raw.ratio[0] < 0.5
    assert (np.abs(right.ratio - 1) < 5 * right.ratio_above).all()


def test_views_of_a_host_do_not_make_errors_smaller(rng):
    mass = draw(rng, 1e8)
    once = recovered_mass_function(mass, EDGES, 1e8)
    hosts = np.repeat(np.arange(mass.size), 3)
    views = recovered_mass_function(np.repeat(mass, 3), EDGES, 1e8, weights=np.full(hosts.size, 1 / 3), groups=hosts)
    for name in ("counts", "density", "poisson_below", "poisson_above"):
        assert getattr(views, name) == pytest.approx(getattr(once, name)), name
    assert views.bootstrap_error == pytest.approx(once.bootstrap_error, rel=0.15, abs=1e-12)


def test_weights_scatter_as_the_hosts_that_they_stand_for(rng):
    """100 hosts of weight 1 and 100 of weight 3: 400 clusters, with the error of sqrt(100 * 1 + 100 * 9)."""
    found = recovered_mass_function(np.full(200, 14.5), [14, 15], 1.0, weights=np.repeat([1.0, 3.0], 100))
    assert found.counts[0] == 400
    assert found.poisson_below[0] == pytest.approx(np.sqrt(1000), rel=0.05)
    assert found.bootstrap_error[0] == pytest.approx(np.sqrt(1000), rel=0.1)


def test_a_mass_on_an_edge_is_in_the_bin_above():
    assert recovered_mass_function([14.5, 14.5, 15.0], [14.0, 14.5, 15.0], 1.0).counts.tolist() == [0, 2]


@pytest.mark.parametrize("n", [0, 1, 3, 10, 100])
def test_counting_errors_are_those_of_poisson(n):
    """Gehrels 1986, tables 1 and 2: limits that one-sided counts of Poisson reach with a probability of 15.87 %."""
    chi2 = pytest.importorskip("scipy.stats").chi2
    found = recovered_mass_function(np.full(n, 14.5), [14.0, 15.0], 1.0)
    above = 0.5 * chi2.ppf(0.841345, 2 * (n + 1))
    below = 0.5 * chi2.ppf(0.158655, 2 * n) if n else 0.0
    assert n + found.poisson_above[0] == pytest.approx(above, rel=tolerances.GEHRELS)
    assert n - found.poisson_below[0] == pytest.approx(below, rel=tolerances.GEHRELS)


def test_completeness_limits_hold_the_truth(rng):
    inside = 0
    for _ in range(400):
        n, truth = rng.integers(20, 300), rng.uniform(0.3, 0.98)
        _, lower, upper = completeness_in_bins(np.full(n, 14.5), rng.random(n) < truth, [14, 15])
        inside += lower[0] <= truth <= upper[0]
    assert 0.60 < inside / 400 < 0.76  # 68.3 %, and three standard errors
    share, lower, upper = completeness_in_bins([], np.zeros(0, bool), [14, 15])
    assert np.isnan(share[0])
    assert (lower[0], upper[0]) == (0, 1)


def test_a_row_of_a_table_for_each_bin():
    found = recovered_mass_function([14.1, 14.2], [14, 14.5, 15], 10.0, expected=[0.4, 0.1], completeness=[1.0, 0.0])
    low, high = found.rows()
    assert low["density"] == 0.4
    assert low["ratio"] == 1.0
    assert high["counts"] == 0
    assert np.isnan(high["density"])
    assert recovered_mass_function([], [14, 15], 1.0).counts[0] == 0


def test_colossus_is_left_as_it_was():
    cosmology = pytest.importorskip("colossus.cosmology.cosmology")
    before = cosmology.current_cosmo
    tinker()
    assert cosmology.current_cosmo is before


def test_without_colossus_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "colossus.cosmology.cosmology", None)
    with pytest.raises(MissingDependencyError, match=r"clustermass\[mock\]"):
        expected_mass_function(EDGES, 0.0, SETTINGS.cosmology, **SPECTRUM)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match=r"`log10_mass` must be log10 of masses"):
        recovered_mass_function([1e14], [14, 15], 1.0)
    with pytest.raises(DomainError, match="`volume`"):
        recovered_mass_function([14.1], [14, 15], 0.0)
    with pytest.raises(BadInputError, match="`completeness` must lie between 0 and 1"):
        recovered_mass_function([14.1], [14, 15], 1.0, completeness=[1.5])
    with pytest.raises(BadInputError, match="`weights` must not be negative"):
        recovered_mass_function([14.1], [14, 15], 1.0, weights=[-1])
    with pytest.raises(DomainError, match="`is_found` must be booleans"):
        completeness_in_bins([14.1], [1], [14, 15])
    with pytest.raises(DomainError, match="`cosmology` must be flat"):
        expected_mass_function(EDGES, 0.0, Cosmology(0.7, 0.3, 0.6), **SPECTRUM)
