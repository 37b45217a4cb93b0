"""poisson: the distribution over small and large rates, keys, edges, errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from clustermass.features.poisson import keyed_generator, poisson
from tests.tolerances import FALSE_ALARM

N = 100_000


@pytest.mark.parametrize("rate", [0.003, 0.4, 3.0, 9.99, 10.0, 47.0, 3e3, 1e7])
def test_distribution(rate):
    counts = poisson(np.full((4, N // 4), rate), seed=3).ravel()
    # mean and variance: normal limits with the exact fourth moment of Poisson
    z = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(counts.mean() - rate) < z * np.sqrt(rate / N)
    assert abs(counts.var() - rate) < z * np.sqrt((rate + 2 * rate**2) / N)
    # chi-square over bins of the exact distribution with at least 50 expected
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 41)[1:-1], rate))
    edges = np.concatenate([[-1.0], edges, [np.inf]])
    expected = N * np.diff(stats.poisson.cdf(edges, rate))
    keep = np.concatenate([[True], expected[1:] >= 50])
    assert expected[~keep].sum() < N * 0.01
    observed = np.array([((counts > a) & (counts <= b)).sum() for a, b in pairwise(edges)])
    observed, expected = (np.add.reduceat(v, np.flatnonzero(keep)) for v in (observed, expected))
    if expected.size > 1:
        assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM


def test_pixels_are_independent():
    counts = poisson(np.full((2, N), 4.0), seed=9)
    near = np.corrcoef(counts[0, :-1], counts[0, 1:])[0, 1]
    across = np.corrcoef(counts)[0, 1]
    assert max(abs(near), abs(across)) < stats.norm.isf(FALSE_ALARM / 2) / np.sqrt(N)


def test_does_not_depend_on_batch_or_threads(rng):
    rates = rng.uniform(0, 30, (7, 3, 11, 5))
    items = rng.integers(-(2**63), 2**63, 7)
    whole = poisson(rates, seed=5, items=items, draw=2)
    order = rng.permutation(7)
    np.testing.assert_array_equal(poisson(rates[order], seed=5, items=items[order], draw=2), whole[order])
    np.testing.assert_array_equal(poisson(rates, seed=5, items=items, draw=2, n_threads=3), whole)


@pytest.mark.parametrize("other", [{"seed": 6}, {"draw": 3}, {"items": [1, 0]}], ids=str)
def test_every_part_of_the_key_counts(other):
    rates = np.full((2, 400), 5.0)
    key = {"seed": 5, "items": [0, 1], "draw": 2}
    assert (poisson(rates, **key) != poisson(rates, **key | other)).mean() > 0.5


def test_streams_of_a_key_are_apart():
    numbers = [keyed_generator(1, 2, draw, purpose).random(50) for draw in (0, 1, 2**63) for purpose in (0, 1)]
    assert len(np.unique(numbers)) == 300


def test_zero_rate_gives_zero(dtype):
    counts = poisson(np.zeros((2, 3), dtype), seed=1)
    assert counts.dtype == dtype
    assert not counts.any()


def test_input_stays_and_empty_passes():
    rates = np.full((1, 5), 2.0)
    poisson(rates, seed=1)
    assert (rates == 2.0).all()
    assert poisson(np.zeros((0, 4, 4)), seed=1).shape == (0, 4, 4)


def test_tensors():
    torch = pytest.importorskip("torch")
    rates = torch.full((2, 50), 3.0)
    counts = poisson(rates, seed=4)
    assert counts.dtype == torch.float32
    np.testing.assert_array_equal(counts.numpy(), poisson(rates.numpy(), seed=4))


@pytest.mark.parametrize(
    ("rates", "error"),
    [([[-1.0]], BadInputError), ([[np.nan]], BadInputError), ([[np.inf]], BadInputError), ([[1e17]], DomainError),
     (1.0, ArrayError), ([["a"]], DTypeError)],
    ids=str,
)  # fmt: skip
def test_bad_rates(rates, error):
    with pytest.raises(error, match="rates"):
        poisson(rates, seed=0)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"draw": -1}, {"items": [1, 2]}, {"n_threads": 0}], ids=str)
def test_bad_keys(wrong):
    with pytest.raises((DomainError, ArrayError), match=next(iter(wrong))):
        poisson([[1.0]], **{"seed": 0} | wrong)
