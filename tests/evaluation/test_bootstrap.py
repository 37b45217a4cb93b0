"""The bootstrap engine against NumPy on the values repeated."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.errors import ArrayError, DTypeError
from clustermass.evaluation import bootstrap
from tests import tolerances


@pytest.mark.parametrize("n", [1, 2, 3, 17, 400])
def test_quantiles_are_those_of_the_values_repeated(rng, n):
    ordered = np.sort(rng.standard_normal(n))
    weights = rng.integers(0, 4, (30, n))
    weights[:, rng.integers(n)] += 1  # no empty replicate
    levels = np.array([0.0, 0.16, 0.5, 0.84, 0.975, 1.0])
    got = bootstrap.weighted_quantiles(ordered, weights, levels)
    for row, of_row in zip(got, weights, strict=True):
        want = np.quantile(np.repeat(ordered, of_row), levels)
        assert np.abs(row - want).max() < tolerances.STATISTICS


def test_an_empty_replicate_has_no_quantiles():
    got = bootstrap.weighted_quantiles(np.array([1.0, 2.0]), np.array([[0, 0], [0, 2]]), np.array([0.5]))
    assert np.isnan(got[0, 0])
    assert got[1, 0] == 2.0


def test_moments_are_those_of_the_values_repeated(rng):
    values = rng.gamma(3.0, 0.1, 300) + 14.0
    weights = rng.integers(0, 4, (20, 300))
    mean, sigma, skewness, kurtosis = bootstrap.weighted_moments(values, weights)
    for k, of_row in enumerate(weights):
        repeated = np.repeat(values, of_row)
        x = (repeated - repeated.mean()) / repeated.std()
        want = repeated.mean(), repeated.std(), (x**3).mean(), (x**4).mean() - 3
        assert np.allclose((mean[k], sigma[k], skewness[k], kurtosis[k]), want, rtol=tolerances.STATISTICS, atol=0)


def test_hosts_are_drawn_with_all_their_rows():
    hosts = bootstrap.hosts_of(["b", "a", "b", "c"], 4)
    assert hosts.tolist() == [1, 0, 1, 2]
    weights = np.concatenate(list(bootstrap.draw_weights(hosts, 500, 3)))
    assert weights.shape == (500, 4)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert abs(weights.mean() - 1) < 0.1


def test_draws_are_independent_of_the_blocks_and_differ_by_seed(monkeypatch):
    hosts = np.arange(50)
    whole = np.concatenate(list(bootstrap.draw_weights(hosts, 40, 7)))
    monkeypatch.setattr(bootstrap, "_VALUES", 150)
    assert (np.concatenate(list(bootstrap.draw_weights(hosts, 40, 7))) == whole).all()
    assert (np.concatenate(list(bootstrap.draw_weights(hosts, 40, 8))) != whole).any()


def test_bad_groups_are_named():
    with pytest.raises(ArrayError, match=r"`groups` must have shape \(3,\), got \(2,\)"):
        bootstrap.hosts_of([1, 2], 3)
    with pytest.raises(DTypeError, match="`groups` must be integers"):
        bootstrap.hosts_of([1.0, 2.0, np.nan], 3)
