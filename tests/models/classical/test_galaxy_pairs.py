"""Sums over pairs against loops over pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from clustermass.models.classical import galaxy_pairs


def by_loop(x, y, v, term):
    out = np.zeros_like(x)
    for c in range(len(x)):
        for i, j in combinations(range(x.shape[1]), 2):
            value = term(np.hypot(x[c, i] - x[c, j], y[c, i] - y[c, j]), v[c, i] - v[c, j])
            out[c, i] += value
            out[c, j] += value
    return out


@pytest.mark.parametrize("at_once", [7, 100, 1 << 18])
def test_sums_over_pairs(rng, monkeypatch, at_once):
    monkeypatch.setattr(galaxy_pairs, "_PAIRS_AT_ONCE", at_once)
    x, y, v = rng.normal(size=(3, 4, 11))
    np.testing.assert_allclose(galaxy_pairs.inverse_separations(x, y), by_loop(x, y, v, lambda r, _: 1 / r), rtol=1e-12)
    got = galaxy_pairs.squared_differences_times_separations(x, y, v)
    np.testing.assert_allclose(got, by_loop(x, y, v, lambda r, d: d * d * r), rtol=1e-12)


def test_pairs_at_one_place_are_left_out():
    x, y = np.array([[0.0, 0.0, 3.0]]), np.array([[1.0, 1.0, 5.0]])
    np.testing.assert_allclose(galaxy_pairs.inverse_separations(x, y), [[0.2, 0.2, 0.4]])


def test_rings_are_means_over_angles(rng):
    radius = rng.uniform(0.1, 2, (2, 9))
    got = galaxy_pairs.ring_separations(radius)
    angle = (np.arange(200_000) + 0.5) / 200_000 * 2 * np.pi
    zero = np.zeros_like(radius)

    def term(i, j):
        return (1 / np.sqrt(i * i + j * j - 2 * i * j * np.cos(angle))).mean()

    want = zero.copy()
    for c in range(2):
        for i, j in combinations(range(9), 2):
            value = term(radius[c, i], radius[c, j])
            want[c, i] += value
            want[c, j] += value
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_rings_of_equal_radius_are_finite():
    assert np.isfinite(galaxy_pairs.ring_separations(np.array([[1.0, 1.0, 0.0, 0.0, 2.0]]))).all()


@pytest.mark.parametrize("at_once", [10, 200, 1 << 18])
def test_every_cluster_comes_once(rng, monkeypatch, at_once):
    monkeypatch.setattr(galaxy_pairs, "_PAIRS_AT_ONCE", at_once)
    sizes = rng.integers(0, 12, 200)
    offsets = np.cumsum([0, *sizes])
    seen = []
    for rows, members in galaxy_pairs.equal_richness(offsets, 3):
        assert (sizes[rows] == members.shape[1]).all()
        np.testing.assert_array_equal(members[:, 0], offsets[rows])
        np.testing.assert_array_equal(members[:, -1], offsets[rows + 1] - 1)
        seen += rows.tolist()
    assert sorted(seen) == np.flatnonzero(sizes >= 3).tolist()
    assert list(galaxy_pairs.equal_richness(np.array([0]), 3)) == []
    assert list(galaxy_pairs.equal_richness(np.array([0, 2]), 3)) == []
