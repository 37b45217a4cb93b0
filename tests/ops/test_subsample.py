"""draw_subsamples: the reference, properties, edges, errors, threads, statistics."""

from __future__ import annotations

import threading
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import clustermass as cm
from clustermass import _backend
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.reference import philox
from tests.reference import subsample as reference
from tests.tolerances import FALSE_ALARM

SEED = 20240917


def rows(draws):
    return np.split(draws.indices, draws.offsets[1:-1])


def ragged(rng, n_items, largest):
    return np.concatenate([[0], np.cumsum(rng.integers(0, largest + 1, n_items))])


def test_philox_known_answers():
    ones = 2**32 - 1
    cases = [  # Random123, kat_vectors
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([ones] * 4, [ones] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ]
    for counter, key, words in cases:
        assert philox.rounds(counter, key).ravel().tolist() == words


@pytest.mark.parametrize("n_items", [0, 1, 2, 40], ids="n={}".format)
def test_matches_reference(backend, rng, n_items):
    offsets = ragged(rng, n_items, 60)
    counts = np.floor(rng.random((n_items, 5)) * (np.diff(offsets)[:, None] + 1)).astype(int)
    items = rng.integers(-(2**63), 2**63, n_items)
    draws = cm.draw_subsamples(offsets, count=counts, n_draws=5, seed=SEED, items=items, backend=backend)
    assert draws.indices.dtype == draws.offsets.dtype == np.int64
    assert draws.n_draws == 5
    want = reference.subsample(offsets.tolist(), counts, SEED, items.tolist())
    assert np.diff(draws.offsets).tolist() == counts.ravel().tolist()
    assert draws.indices.tolist() == [i for row in want for i in row]


@pytest.mark.parametrize("k", [600, 2400, 3000], ids="k={}".format)
def test_rows_longer_than_a_batch_match_reference(backend, k):
    draws = cm.draw_subsamples([0, 5, 3005, 3010], count=[2, k, 2], seed=SEED, backend=backend)
    want = reference.subsample([0, 5, 3005, 3010], [[2], [k], [2]], SEED, [0, 1, 2])
    assert draws.indices.tolist() == [i for row in want for i in row]


def test_rejected_words_match_reference(backend):
    """In an item this large some words must be thrown away; the item after it shows that scratch was restored."""
    n, k, seed = 6_000_000, 6000, 1
    size, word = n, 0
    for word in philox.words(seed, "subsample", 0, 0, np.arange(k // 4)).tolist():
        if word * size % 2**32 < 2**32 % size:
            break
        size -= 1
    else:
        pytest.fail("no word is rejected: choose another seed")
    draws = cm.draw_subsamples([0, n, 2 * n], count=[k, 10], seed=seed, backend=backend)
    want = reference.subsample([0, n, 2 * n], [[k], [10]], seed, [0, 1])
    assert draws.indices.tolist() == [i for row in want for i in row]


@given(
    sizes=st.lists(st.integers(0, 200), max_size=12), fraction=st.floats(0, 1), n_draws=st.integers(1, 4),
    seed=st.integers(0, 2**64 - 1),
)  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_a_draw_is_a_subset_of_the_right_size(sizes, fraction, n_draws, seed):
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    draws = cm.draw_subsamples(offsets, fraction=fraction, n_draws=n_draws, seed=seed)
    for row, members in enumerate(rows(draws)[: len(sizes) * n_draws]):
        item = row // n_draws
        assert members.size == np.floor(fraction * sizes[item] + 0.5)
        assert np.unique(members).size == members.size
        assert ((members >= offsets[item]) & (members < offsets[item + 1])).all()


def test_all_members_and_none(backend):
    draws = cm.draw_subsamples([0, 4, 4, 9], fraction=[1.0, 1.0, 0.0], n_draws=2, seed=SEED, backend=backend)
    assert [sorted(row) for row in rows(draws)] == [[0, 1, 2, 3]] * 2 + [[]] * 4


def test_draws_do_not_depend_on_the_batch(backend, rng):
    offsets = ragged(rng, 30, 300)
    whole = rows(cm.draw_subsamples(offsets, fraction=0.4, n_draws=3, seed=SEED, backend=backend))
    order = rng.permutation(30)
    sizes = np.diff(offsets)[order]
    shuffled = cm.draw_subsamples(
        np.concatenate([[0], np.cumsum(sizes)]), fraction=0.4, n_draws=3, seed=SEED, items=order, backend=backend
    )
    start = shuffled.offsets[::3]  # a whole item starts where its first draw does
    first_member = np.concatenate([[0], np.cumsum(sizes)])
    for i, item in enumerate(order):
        moved = shuffled.indices[start[i] : start[i + 1]] - first_member[i] + offsets[item]
        np.testing.assert_array_equal(moved, np.concatenate(whole[3 * item : 3 * item + 3]))


def test_more_draws_keep_the_first_ones(backend):
    few = cm.draw_subsamples([0, 50], fraction=0.3, n_draws=2, seed=SEED, backend=backend)
    many = cm.draw_subsamples([0, 50], fraction=0.3, n_draws=9, seed=SEED, backend=backend)
    np.testing.assert_array_equal(few.indices, many.indices[: few.indices.size])


def test_seed_item_and_draw_each_change_the_result(backend):
    def draw(seed, item):
        return rows(cm.draw_subsamples([0, 60], count=20, n_draws=2, seed=seed, items=[item], backend=backend))

    a, b = draw(1, 0)
    different = [a, b, draw(2, 0)[0], draw(1, 1)[0], draw(1, 2**32)[0], draw(1 + 2**32, 0)[0]]
    assert len({tuple(row) for row in different}) == len(different)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_result_does_not_depend_on_threads(rng, n_threads):
    offsets = ragged(rng, 500, 800)
    kwargs = {"fraction": rng.random((500, 4)), "n_draws": 4, "seed": SEED, "backend": "native"}
    one = cm.draw_subsamples(offsets, **kwargs)
    many = cm.draw_subsamples(offsets, **kwargs, n_threads=n_threads)
    np.testing.assert_array_equal(one.indices, many.indices)


def test_native_and_numba_agree_on_a_large_batch(rng):
    pytest.importorskip("numba")
    offsets = ragged(rng, 300, 2000)
    kwargs = {"fraction": rng.random((300, 3)), "n_draws": 3, "seed": SEED}
    native = cm.draw_subsamples(offsets, **kwargs, backend="native", n_threads=2)
    twin = cm.draw_subsamples(offsets, **kwargs, backend="numba")
    np.testing.assert_array_equal(native.indices, twin.indices)


def test_the_lock_of_python_is_released():
    """This thread runs while the kernel is in its middle half."""
    core = _backend.load("native", "subsample")
    offsets = np.arange(0, 100 * 200_001, 100)
    indices = np.empty(50 * 200_000, np.int64)
    times = []

    def work():
        times.append(time.perf_counter())
        core.subsample(offsets, offsets[1:], offsets // 2, indices, n_draws=1, seed=1, n_threads=1)
        times.append(time.perf_counter())

    worker, turns = threading.Thread(target=work), []
    worker.start()
    while worker.is_alive():
        turns.append(time.perf_counter())
    quarter = (times[1] - times[0]) / 4
    assert any(times[0] + quarter < turn < times[1] - quarter for turn in turns)


def test_count_and_fraction_may_be_given_per_item_and_draw(backend):
    offsets = [0, 10, 30]
    for count in (3, [3, 3], [[3, 3], [3, 3]], np.array(3, np.uint8)):
        draws = cm.draw_subsamples(offsets, count=count, n_draws=2, seed=1, backend=backend)
        assert np.diff(draws.offsets).tolist() == [3, 3, 3, 3]
    draws = cm.draw_subsamples(offsets, fraction=[[0.0, 0.05], [0.5, 1.0]], n_draws=2, seed=1, backend=backend)
    assert np.diff(draws.offsets).tolist() == [0, 1, 10, 20]


def test_input_may_be_read_only_or_strided(backend):
    wide = np.arange(0, 60, 3, dtype=np.int32)
    wide.flags.writeable = False
    draws = cm.draw_subsamples(wide[::2], fraction=0.5, seed=1, backend=backend)
    want = cm.draw_subsamples(np.arange(0, 60, 6), fraction=0.5, seed=1, backend=backend)
    np.testing.assert_array_equal(draws.indices, want.indices)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({}, DomainError, "exactly one of `fraction` and `count`, got neither"),
        ({"fraction": 0.5, "count": 1}, DomainError, "got both"),
        ({"fraction": 1.5}, BadInputError, r"`fraction` must be from 0 to 1, got 1.5 for draw 0 of item 0"),
        ({"fraction": [0.5, np.nan]}, BadInputError, "got nan for draw 0 of item 1"),
        ({"fraction": [0.5, 0.5, 0.5]}, ArrayError, r"`fraction` .* got \(3,\)"),
        ({"fraction": "half"}, DTypeError, "`fraction`"),
        ({"count": [4, 7]}, BadInputError, "`count` .* got 7 for draw 0 of item 1, which has 6 members"),
        ({"count": [4, -1]}, BadInputError, "`count` must not be negative, got -1"),
        ({"count": 0.5}, DTypeError, "`count` must be integers"),
        ({"count": 1, "n_draws": 0}, DomainError, "`n_draws`"),
        ({"count": 1, "n_draws": 2.0}, DTypeError, "`n_draws`"),
        ({"count": 1, "seed": -1}, DomainError, "`seed`"),
        ({"count": 1, "items": [1]}, ArrayError, r"`items` must have shape \(2,\), got \(1,\)"),
        ({"count": 1, "items": [1.0, 2.0]}, DTypeError, "`items`"),
        ({"count": 1, "n_threads": 0}, DomainError, "`n_threads`"),
        ({"count": 1, "offsets": [0, 4, 3]}, BadInputError, "`offsets`"),
        ({"count": 1, "offsets": [1, 4, 5]}, BadInputError, "`offsets`"),
        ({"count": 1, "offsets": [0, 5, 5 + 2**32]}, DomainError, r"2\^32 members, got 4294967296 for item 1"),
        ({"count": 1, "backend": "cuda"}, DomainError, "`backend`"),
    ],
)
def test_errors_name_the_argument(kwargs, error, message):
    with pytest.raises(error, match=message):
        cm.draw_subsamples(**{"offsets": [0, 4, 10], "seed": 1} | kwargs)


@pytest.mark.parametrize(("n", "k"), [(5, 2), (5, 3), (6, 3), (4, 4), (7, 1)])
def test_every_subset_is_equally_likely(backend, n, k):
    n_draws = 20_000
    draws = cm.draw_subsamples([0, n], count=k, n_draws=n_draws, seed=SEED, backend=backend)
    codes = (1 << draws.indices.reshape(n_draws, k)).sum(axis=1)
    subsets = [sum(1 << i for i in members) for members in combinations(range(n), k)]
    counts = np.array([(codes == code).sum() for code in subsets])
    assert counts.sum() == n_draws
    if len(subsets) > 1:
        assert stats.chisquare(counts).pvalue > FALSE_ALARM


@pytest.mark.parametrize("k", [30, 170], ids="k={}".format)
def test_members_are_included_equally_often(k):
    n, n_draws = 200, 20_000
    draws = cm.draw_subsamples([0, n], count=k, n_draws=n_draws, seed=SEED)
    counts = np.bincount(draws.indices, minlength=n)
    p = k / n
    chi2 = ((counts - n_draws * p) ** 2).sum() / (n_draws * p * (1 - p)) * (n - 1) / n
    assert stats.chi2.sf(chi2, n - 1) > FALSE_ALARM
    assert stats.chi2.cdf(chi2, n - 1) > FALSE_ALARM  # nor more even than chance


@pytest.mark.parametrize("between", ["draws", "items", "seeds"])
def test_draws_are_independent(between):
    """The overlap of two independent subsets has a hypergeometric distribution."""
    n, k, n_pairs = 40, 12, 20_000
    offsets = np.arange(0, n * n_pairs + 1, n)
    a = cm.draw_subsamples(offsets, count=k, n_draws=2, seed=SEED)
    pairs = a.indices.reshape(n_pairs, 2, k) % n
    first = pairs[:, 0]
    if between == "draws":
        second = pairs[:, 1]
    elif between == "items":
        second = np.roll(first, 1, axis=0)
    else:
        second = cm.draw_subsamples(offsets, count=k, seed=SEED + 1).indices.reshape(n_pairs, k) % n
    overlap = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2))
    expected = stats.hypergeom(n, k, k)
    z = (overlap.mean() - expected.mean()) / (expected.std() / np.sqrt(n_pairs))
    assert abs(z) < stats.norm.isf(FALSE_ALARM / 2)
    bins = np.arange(1, 8)
    seen = np.array([(overlap <= 1).sum(), *[(overlap == b).sum() for b in bins[1:-1]], (overlap >= 7).sum()])
    want = np.array([expected.cdf(1), *expected.pmf(bins[1:-1]), expected.sf(6)]) * n_pairs
    assert stats.chisquare(seen, want).pvalue > FALSE_ALARM
