"""select_flat_mass_function and select_smooth_mass_function."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import CubicSpline

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, MissingDependencyError
from tests.reference import subsample as reference
from tests.tolerances import FALSE_ALARM


@pytest.fixture
def masses(rng):
    """A steep mass function: numbers fall by ten per dex."""
    return 13.5 + rng.exponential(1 / np.log(10), 60_000)


def test_flat_keeps_at_most_k_per_bin_and_small_bins_whole(backend, masses):
    kept = cm.select_flat_mass_function(masses, seed=1, backend=backend)
    assert kept.dtype == np.int64
    assert (np.diff(kept) > 0).all()
    bins = np.floor(masses / 0.02)
    for b in np.unique(bins):
        assert (bins[kept] == b).sum() == min((bins == b).sum(), 126)


def test_flat_default_is_the_published_number():
    assert int(10**-5.2 * 1000**3 * 0.02) == 126
    assert cm.select_flat_mass_function(np.full(1000, 14.01), seed=1).size == 126


def test_flat_matches_its_definition(backend, rng):
    masses = rng.uniform(13.5, 13.7, 200)
    kept = cm.select_flat_mass_function(masses, bin_width=0.05, max_per_bin=9, seed=5, backend=backend)
    want = []
    for b in np.unique(np.floor(masses / 0.05)):
        members = np.flatnonzero(np.floor(masses / 0.05) == b)
        want += reference.draw(members.tolist(), min(9, members.size), 5, int(b), 0)
    assert kept.tolist() == sorted(want)


def test_flat_bins_do_not_influence_each_other(backend, masses):
    kept = cm.select_flat_mass_function(masses, seed=1, backend=backend)
    more = np.concatenate([masses, np.full(5000, 17.01)])
    np.testing.assert_array_equal(kept, (k := cm.select_flat_mass_function(more, seed=1, backend=backend))[k < 60_000])


def test_flat_is_idempotent(masses):
    kept = cm.select_flat_mass_function(masses, seed=1)
    again = cm.select_flat_mass_function(masses[kept], seed=2)
    assert again.size == kept.size


def test_smooth_matches_its_definition(backend, masses):
    kept = cm.select_smooth_mass_function(masses, seed=4, backend=backend)
    counts, edges = np.histogram(masses, bins=30)
    x = (edges[1:] + edges[:-1]) / 2
    x[0], x[-1] = edges[0], edges[-1]
    s = CubicSpline(x[counts > 0], np.log10(counts[counts > 0]))(masses)
    u = reference.uniform(4, range(300))
    np.testing.assert_array_equal(kept[kept < 300], np.flatnonzero(u * 10 ** (s[:300] - 2) < 6.5))


def test_smooth_keeps_the_expected_number(masses):
    kept = cm.select_smooth_mass_function(masses, seed=4)
    counts, edges = np.histogram(masses, bins=30)
    seen = np.histogram(masses[kept], bins=edges)[0]
    full = counts > 3000  # in these bins the probability hardly varies
    expected = 650
    sigma = np.sqrt(expected)
    assert full.sum() >= 3
    # The spline gives the density at a mass, not the mean of its bin: the first bin is anchored at its edge.
    assert (np.abs(seen[full][1:] - expected) < 0.1 * expected + stats.norm.isf(FALSE_ALARM) * sigma).all()
    np.testing.assert_array_equal(seen[counts < 300], counts[counts < 300])


def test_smooth_uniform_numbers_are_uniform():
    from clustermass import _backend

    u = np.empty(200_000)
    _backend.load("native", "subsample").subsample_uniform(np.arange(u.size), u, seed=9, n_threads=2)
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > FALSE_ALARM


def test_smooth_backends_agree(backend, masses):
    one = cm.select_smooth_mass_function(masses, seed=4, backend="native", n_threads=3)
    np.testing.assert_array_equal(one, cm.select_smooth_mass_function(masses, seed=4, backend=backend))


@pytest.mark.parametrize("select", [cm.select_flat_mass_function, cm.select_smooth_mass_function])
def test_few_clusters(backend, select):
    assert select(np.empty(0), seed=1, backend=backend).tolist() == []
    assert select([14.0], seed=1, backend=backend).tolist() == [0]
    assert select([14.0, 14.0, 14.0], seed=1, backend=backend).tolist() == [0, 1, 2]
    assert select([13.0, 14.0, 15.0], seed=1, backend=backend).tolist() == [0, 1, 2]


@pytest.mark.parametrize("select", [cm.select_flat_mass_function, cm.select_smooth_mass_function])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_mass_must_be_finite(select, bad):
    with pytest.raises(BadInputError, match=r"`log10_mass` must be finite, got 1 of 3 .* index 1"):
        select([14.0, bad, 14.5], seed=1)


def test_errors_name_the_argument():
    with pytest.raises(DomainError, match="`bin_width`"):
        cm.select_flat_mass_function([14.0], bin_width=0.0, seed=1)
    with pytest.raises(DomainError, match=r"`bin_width` must leave fewer than 2\^53 bins"):
        cm.select_flat_mass_function([14.0], bin_width=1e-300, seed=1)
    with pytest.raises(DomainError, match="`max_per_bin`"):
        cm.select_flat_mass_function([14.0], max_per_bin=-1, seed=1)
    with pytest.raises(DomainError, match="`threshold`"):
        cm.select_smooth_mass_function([14.0], threshold=0.0, seed=1)
    with pytest.raises(DomainError, match="`n_bins`"):
        cm.select_smooth_mass_function([14.0], n_bins=0, seed=1)
    with pytest.raises(ArrayError, match="`log10_mass`"):
        cm.select_smooth_mass_function([[14.0]], seed=1)


def test_missing_scipy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(MissingDependencyError, match="pip install"):
        cm.select_smooth_mass_function([14.0, 15.0], seed=1)
