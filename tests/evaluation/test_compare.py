"""Paired comparisons: planted differences are found, equal estimators are not called different."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.evaluation import compare_estimators


def test_a_planted_difference_is_measured(rng):
    shared = 0.1 * rng.standard_normal(3000)
    first = 0.02 + shared + 0.05 * rng.standard_normal(3000)
    second = -0.06 + shared + 0.10 * rng.standard_normal(3000)
    found = compare_estimators(first, second)
    want = {"bias": -0.04, "sigma": np.hypot(0.1, 0.05) - np.hypot(0.1, 0.1)}
    want["half_width"] = 0.994458 * want["sigma"]
    for name, value in want.items():
        one = getattr(found, name)
        assert abs(one.difference - value) < 4 * one.error, name
        assert one.p_value < 1e-6, name
        assert one.low < value < one.high or abs(one.difference - value) < 3 * one.error
    assert found.correlation == pytest.approx(0.1 / np.hypot(0.1, 0.05) * 0.1 / np.hypot(0.1, 0.1), abs=0.05)
    assert [row["name"] for row in found.rows()] == ["bias", "sigma", "half_width"]


def test_what_both_share_cancels(rng):
    """Errors that both estimators make alike do not hide a small difference."""
    shared, small = 0.3 * rng.standard_normal(1000), 0.01 * rng.standard_normal(1000)
    paired = compare_estimators(0.1 + shared, 0.11 + shared + small).bias
    apart = compare_estimators(0.1 + shared, 0.11 + rng.permutation(shared) + small).bias
    assert paired.p_value < 1e-3
    assert apart.p_value > 0.05
    assert paired.error < 0.3 * apart.error


@pytest.mark.parametrize(("bias_a", "bias_b"), [(0.0, 0.0), (0.1, 0.1), (0.1, -0.1)])
def test_equal_estimators_are_not_called_different(rng, bias_a, bias_b):
    """5 % of false alarms at p < 0.05; above 20 of 150 has a chance of 3e-5."""
    alarms = np.zeros(3)
    for _ in range(150):
        shared = 0.1 * rng.standard_normal(250)
        pair = [bias + shared + 0.1 * rng.standard_normal(250) for bias in (bias_a, bias_b)]
        found = compare_estimators(*pair, n_bootstrap=100)
        alarms += [one.p_value < 0.05 for one in (found.bias, found.sigma, found.half_width)]
    assert (alarms <= 20).all(), alarms


def test_views_of_a_host_are_drawn_together(rng):
    first, second = rng.standard_normal(200), 1.3 * rng.standard_normal(200)
    alone = compare_estimators(first, second).sigma
    many = compare_estimators(np.repeat(first, 6), np.repeat(second, 6), groups=np.repeat(np.arange(200), 6)).sigma
    naive = compare_estimators(np.repeat(first, 6), np.repeat(second, 6)).sigma
    assert many.error == pytest.approx(alone.error, rel=0.1)
    assert naive.error < 0.6 * alone.error


def test_an_estimator_equals_itself(rng):
    epsilon = rng.standard_normal(50)
    found = compare_estimators(epsilon, epsilon)
    assert found.bias.difference == found.bias.error == 0
    assert found.bias.p_value == 1
    assert np.isnan(compare_estimators(np.zeros(5), np.ones(5)).correlation)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match="`second` must be finite"):
        compare_estimators([0.1, 0.2], [0.1, np.nan])
    with pytest.raises(ArrayError, match="`second`"):
        compare_estimators([0.1, 0.2], [0.1])
    with pytest.raises(DomainError, match="at least two hosts, got 1"):
        compare_estimators([0.1, 0.2], [0.1, 0.3], groups=[1, 1])
