"""Folds, splits and octants: by host, balanced, reproducible."""

import numpy as np
import pytest

from clustermass.data.splits import assign_folds, assign_octants, assign_splits, audit_splits
from clustermass.errors import BadInputError, DomainError, DTypeError


@pytest.fixture
def views(rng):
    """Hosts with 1 to 30 views, rows in random order."""
    host = np.repeat(rng.permutation(10_000)[:237], rng.integers(1, 30, 237))
    host = host[rng.permutation(host.size)]
    return host, 13.5 + np.sin(host) ** 2


def test_folds_follow_the_rank_of_the_mass(views):
    host, mass = views
    fold = assign_folds(host, mass)
    audit_splits(host, fold)
    unique = np.unique(host)
    rank = {h: r for r, h in enumerate(sorted(unique, key=lambda h: (np.sin(h) ** 2, h)))}
    assert fold.tolist() == [rank[h] % 10 for h in host]
    sizes = np.bincount([fold[host == h][0] for h in unique])
    assert sizes.max() - sizes.min() <= 1


def test_folds_do_not_depend_on_the_order_of_rows(views, rng):
    host, mass = views
    order = rng.permutation(host.size)
    np.testing.assert_array_equal(assign_folds(host[order], mass[order]), assign_folds(host, mass)[order])
    np.testing.assert_array_equal(assign_splits(host[order], seed=3), assign_splits(host, seed=3)[order])


def test_equal_masses_are_ranked_by_number():
    assert assign_folds([4, 2, 9], [14.0, 14.0, 14.0], n_folds=3).tolist() == [1, 0, 2]


def test_splits_have_their_shares_of_the_hosts(views):
    host, _ = views
    split = assign_splits(host, seed=5, fractions=(0.5, 0.2, 0.3))
    audit_splits(host, split)
    counts = np.bincount([split[host == h][0] for h in np.unique(host)])
    np.testing.assert_allclose(counts, [118.5, 47.4, 71.1], atol=1)
    assert (split != assign_splits(host, seed=6, fractions=(0.5, 0.2, 0.3))).any()
    assert not assign_splits(host, seed=5, fractions=(1, 0, 0)).any()


def test_octants_halve_the_box_along_each_axis(rng):
    positions = rng.uniform(0, 8, (1000, 3))
    octant = assign_octants(positions, 8.0)
    np.testing.assert_array_equal(octant & 1, positions[:, 0] >= 4)
    np.testing.assert_array_equal(octant >> 1 & 1, positions[:, 1] >= 4)
    np.testing.assert_array_equal(octant >> 2, positions[:, 2] >= 4)
    np.testing.assert_array_equal(octant, assign_octants(positions - 16.0, 8.0))


def test_nothing_to_split():
    assert assign_folds([], []).size == assign_splits([], seed=1).size == 0
    assert assign_octants(np.empty((0, 3)), 1.0).size == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: assign_folds([1, 1], [14.0, 14.1]), BadInputError, "equal for all rows of a host.*index 1"),
        (lambda: assign_folds([1], [np.nan]), BadInputError, "`log10_mass` must be finite"),
        (lambda: assign_folds([1], [14.0], n_folds=0), DomainError, "`n_folds`"),
        (lambda: assign_folds([1.5], [14.0]), DTypeError, "`host_id`"),
        (lambda: assign_splits([1], seed=-1), DomainError, "`seed`"),
        (lambda: assign_splits([1], seed=1, fractions=(0.5, 0.4, 0.2)), DomainError, "sum 1"),
        (lambda: assign_splits([1], seed=1, fractions=(1.5, -0.5, 0)), DomainError, "sum 1"),
        (lambda: assign_octants([[np.nan, 1, 1]], 2.0), BadInputError, "finite"),
        (lambda: assign_octants([[1, 1, 1]], 0.0), DomainError, "`box_size`"),
        (lambda: audit_splits([3, 3], [0, 1], "fold"), BadInputError, "`fold`.*host 3"),
    ],
)
def test_slips_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
