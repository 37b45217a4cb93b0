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


@pytest.mark.parametrize("at_once", [7, 1 << 18])
def test_rings_are_means_over_angles(rng, monkeypatch, at_once):
    """Of clusters with radii only; one with places stands between them."""
    monkeypatch.setattr(galaxy_pairs, "_PAIRS_AT_ONCE", at_once)
    radius, v = rng.uniform(0.1, 2, (3, 9)), rng.normal(size=(3, 9))
    y = np.zeros_like(radius)
    y[1] = rng.normal(size=9)
    angle = (np.arange(100_000) + 0.5) / 100_000 * 2 * np.pi
    inverse, weighted = np.zeros((3, 9)), np.zeros((3, 9))
    for c in (0, 2):
        for i, j in combinations(range(9), 2):
            one, other = radius[c, i], radius[c, j]
            apart = np.sqrt(one * one + other * other - 2 * one * other * np.cos(angle))
            for row in (i, j):
                inverse[c, row] += (1 / apart).mean()
                weighted[c, row] += (v[c, i] - v[c, j]) ** 2 * apart.mean()
    inverse[1] = by_loop(radius[1:2], y[1:2], v[1:2], lambda r, _: 1 / r)
    weighted[1] = by_loop(radius[1:2], y[1:2], v[1:2], lambda r, d: d * d * r)
    np.testing.assert_allclose(galaxy_pairs.inverse_separations(radius, y), inverse, rtol=1e-8)
    got = galaxy_pairs.squared_differences_times_separations(radius, y, v)
    np.testing.assert_allclose(got, weighted, rtol=1e-8)


def test_rings_of_equal_radius_and_in_the_middle():
    radius, zero = np.array([[1.0, 1.0, 0.0, 0.0, 2.0]]), np.zeros((1, 5))
    assert np.isfinite(galaxy_pairs.inverse_separations(radius, zero)).all()
    # mean separation of two galaxies on one ring is 4 / pi radii; of one in the middle, the radius
    v = np.array([[1.0, 0.0]])
    for pair, apart in (([1.0, 1.0], 4 / np.pi), ([1.0, 0.0], 1.0), ([0.0, 0.0], 0.0)):
        got = galaxy_pairs.squared_differences_times_separations(np.array([pair]), np.zeros((1, 2)), v)
        np.testing.assert_allclose(got, [[apart, apart]], rtol=1e-5, atol=1e-14)


def test_unfolded_radii_keep_their_radius(rng):
    x, y = rng.uniform(0, 2, (2, 3, 50))
    y[1] = 0.0
    got = galaxy_pairs.unfold_radii(x, y)
    for a, b in zip(got, (x, y), strict=True):
        np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])
    np.testing.assert_allclose(np.hypot(*got)[1], x[1])
    assert abs(got[0][1].mean()) < 0.1
    assert abs(got[1][1].mean()) < 0.1
    order = rng.permutation(50)
    again = galaxy_pairs.unfold_radii(x[:, order], y[:, order])
    np.testing.assert_array_equal(again[0], got[0][:, order])


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
