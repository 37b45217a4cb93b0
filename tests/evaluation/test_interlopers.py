"""Interlopers: planted slopes come back, and what was not planted is not found."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.evaluation import bias_by_contamination, bias_by_interloper, phase_space_distance


def test_a_planted_bias_by_contamination(rng):
    purity = rng.uniform(0.3, 1.0, 4000)
    epsilon = -0.05 + 0.4 * (1 - purity) + 0.15 * rng.standard_normal(4000)
    found = bias_by_contamination(epsilon, purity)
    assert abs(found.slope.value - 0.4) < 4 * found.slope.error
    assert abs(found.intercept.value + 0.05) < 4 * found.intercept.error
    assert found.slope.error == pytest.approx(0.15 / np.sqrt(4000) / purity.std(), rel=0.15)
    assert found.slope.p_value < 1e-6
    for one in found.bins:
        if one.summary.n:
            assert abs(one.summary.mean - (-0.05 + 0.4 * one.centre)) < 4 * one.summary.errors["mean"]
    assert sum(row["n"] for row in found.rows()) == 4000


def test_no_bias_is_found_where_there_is_none(rng):
    """5 % of false alarms at p < 0.05; above 25 of 200 has a chance of 1e-5."""
    many = [
        bias_by_contamination(rng.standard_normal(200), rng.random(200), [0, 1], n_bootstrap=100) for _ in range(200)
    ]
    assert sum(one.slope.p_value < 0.05 for one in many) <= 25


def test_views_of_a_host_are_drawn_together(rng):
    purity, epsilon = rng.random(300), rng.standard_normal(300)
    alone = bias_by_contamination(epsilon, purity).slope
    views = [np.repeat(v, 5) for v in (epsilon, purity, np.arange(300))]
    assert bias_by_contamination(views[0], views[1], groups=views[2]).slope.error == pytest.approx(alone.error, rel=0.1)
    assert bias_by_contamination(views[0], views[1]).slope.error < 0.6 * alone.error


def planted(rng, n):
    ratio = np.where(rng.random(n) < 0.4, 10 ** rng.uniform(0, 1.3, n), 0.0)
    distance = np.where(ratio > 0, rng.uniform(0.4, 5, n), np.inf)
    expected = np.where(ratio > 0, 0.1 + 0.25 * np.log10(np.maximum(ratio, 1)) + 0.08 / distance, 0.0)
    return expected + 0.1 * rng.standard_normal(n), ratio, distance


def test_a_planted_bias_by_interloping_clusters(rng):
    epsilon, ratio, distance = planted(rng, 4000)
    found = bias_by_interloper(epsilon, ratio, distance)
    assert abs(found.mass_ratio.value - 0.25) < 4 * found.mass_ratio.error
    assert abs(found.nearness.value - 0.08) < 4 * found.nearness.error
    assert 0 < found.mass_ratio.error < 0.03
    assert 0 < found.nearness.error < 0.03
    assert found.shift.value == pytest.approx(epsilon[ratio > 0].mean() - epsilon[ratio == 0].mean())
    assert found.shift.p_value < 1e-6
    assert abs(found.without.mean) < 4 * found.without.errors["mean"]
    assert found.affected.n + found.without.n == 4000
    assert [row["low"] for row in found.rows()] == [0.0, 0.25, 0.5, 1.0]


def test_interlopers_that_do_nothing(rng):
    _, ratio, distance = planted(rng, 3000)
    found = bias_by_interloper(rng.standard_normal(3000), ratio, distance, groups=np.arange(3000) // 3)
    assert min(found.shift.p_value, found.mass_ratio.p_value, found.nearness.p_value) > 1e-3
    assert found.without.n_hosts < found.without.n


def test_distance_is_a_mean_of_both_sizes():
    got = phase_space_distance([[3.0, 4.0], [0.0, 0.0]], [0.0, -1700.0], [[1.5, 2.5]] * 2, [[800.0, 900.0]] * 2)
    assert got.tolist() == [2.5, 2.0]


def test_bad_input_is_named(rng):
    with pytest.raises(BadInputError, match="`purity` must lie between 0 and 1"):
        bias_by_contamination([0.1, 0.2, 0.3], [0.5, 1.5, 0.2])
    with pytest.raises(DomainError, match="`purity` must differ"):
        bias_by_contamination([0.1, 0.2, 0.3], [0.5, 0.5, 0.5])
    epsilon, ratio, distance = planted(rng, 50)
    row = int(np.argmax(ratio > 0))
    distance[row] = np.nan
    with pytest.raises(BadInputError, match=f"`distance` must be finite and above 0 .* at index {row}"):
        bias_by_interloper(epsilon, ratio, distance)
    with pytest.raises(BadInputError, match="`mass_ratio` must not be negative"):
        bias_by_interloper(epsilon, -1 - ratio, distance)
    with pytest.raises(DomainError, match="at least 4 rows with and 2 without"):
        bias_by_interloper(epsilon, np.zeros(50), distance)
    with pytest.raises(ArrayError, match="`r200`"):
        phase_space_distance([[3.0, 4.0]], [0.0], [1.0], [[800.0, 900.0]])
    with pytest.raises(BadInputError, match="`v200` must be above 0"):
        phase_space_distance([[3.0, 4.0]], [0.0], [[1.0, 1.0]], [[800.0, 0.0]])
