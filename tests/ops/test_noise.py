"""add_noise: the reference, properties, edges, errors, threads, statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.reference import noise as reference
from tests.tolerances import FALSE_ALARM, NORMAL_RELATIVE

SEED = 20240917


def images(rng, dtype, n=3, channels=2, rows=9, cols=7):
    return rng.normal(size=(n, channels, rows, cols)).astype(dtype)


@pytest.mark.parametrize("n", [0, 1, 2, 5], ids="n={}".format)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 7), (3, 5, 101), (1, 40, 40)], ids=str)
def test_same_bits_as_reference(backend, dtype, rng, n, shape):
    before = images(rng, dtype, n, *shape)
    sigma = np.array([0.1, 2.0, 0.0])[: shape[0]]
    items = rng.integers(-(2**63), 2**63, n)
    got = cm.add_noise(before, sigma, seed=SEED, items=items, backend=backend)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, reference.add_noise(before, sigma, SEED, items.tolist()))


def test_normal_numbers_are_accurate():
    got, want = reference.normals(400_000, SEED, 3), reference.exact_normals(400_000, SEED, 3)
    assert np.abs(got / want - 1).max() < NORMAL_RELATIVE


def test_float32_and_float64_get_the_same_numbers(backend):
    zeros = np.zeros((2, 30, 30))
    single = cm.add_noise(zeros.astype(np.float32), 1.0, seed=SEED, backend=backend)
    np.testing.assert_array_equal(single, cm.add_noise(zeros, 1.0, seed=SEED, backend=backend))


def test_noise_does_not_depend_on_the_batch(backend, dtype, rng):
    before = images(rng, dtype, n=6)
    whole = cm.add_noise(before, 1.0, seed=SEED, backend=backend)
    order = rng.permutation(6)
    parts = cm.add_noise(before[order], 1.0, seed=SEED, items=order, backend=backend)
    np.testing.assert_array_equal(parts, whole[order])


def test_a_channel_without_noise_does_not_shift_the_others(backend, dtype, rng):
    before = images(rng, dtype, channels=3, rows=5, cols=5)
    every = cm.add_noise(before, [1.0, 2.0, 3.0], seed=SEED, backend=backend)
    some = cm.add_noise(before, [1.0, 0.0, 3.0], seed=SEED, backend=backend)
    np.testing.assert_array_equal(some[:, 1], before[:, 1])
    np.testing.assert_array_equal(some[:, ::2], every[:, ::2])


def test_images_without_channel_axis(backend, dtype, rng):
    before = images(rng, dtype, channels=1)
    flat = cm.add_noise(before[:, 0], 0.5, seed=SEED, backend=backend)
    np.testing.assert_array_equal(flat, cm.add_noise(before, 0.5, seed=SEED, backend=backend)[:, 0])


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_result_does_not_depend_on_threads(dtype, rng, n_threads):
    before = images(rng, dtype, n=7, channels=3, rows=97, cols=101)
    one = cm.add_noise(before, [1.0, 0.0, 2.0], seed=SEED, backend="native")
    many = cm.add_noise(before, [1.0, 0.0, 2.0], seed=SEED, backend="native", n_threads=n_threads)
    np.testing.assert_array_equal(one, many)


def test_input_is_not_modified(backend, dtype, rng):
    before = images(rng, dtype)
    before.flags.writeable = False
    copy = before.copy()
    cm.add_noise(before, 1.0, seed=SEED, backend=backend)
    np.testing.assert_array_equal(before, copy)


def test_out_may_be_the_images_or_another_array(backend, dtype, rng):
    before = images(rng, dtype)
    want = cm.add_noise(before, 1.0, seed=SEED, backend=backend)
    out = np.full_like(before, 99)
    assert cm.add_noise(before, 1.0, seed=SEED, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, want)
    assert cm.add_noise(before, 1.0, seed=SEED, out=before, backend=backend) is before
    np.testing.assert_array_equal(before, want)


def test_strided_and_integer_images(backend, rng):
    wide = images(rng, np.float32, cols=14)
    np.testing.assert_array_equal(
        cm.add_noise(wide[..., ::2], 1.0, seed=1, backend=backend),
        cm.add_noise(wide[..., ::2].copy(), 1.0, seed=1, backend=backend),
    )
    assert cm.add_noise(np.ones((1, 2, 2), int), 1.0, seed=1, backend=backend).dtype == np.float64


def test_nan_pixels_stay_and_spoil_nothing(backend, dtype, rng):
    before = images(rng, dtype)
    spoilt = before.copy()
    spoilt[1, 0, 3, 3] = np.nan
    got = cm.add_noise(spoilt, 1.0, seed=1, backend=backend)
    want = cm.add_noise(before, 1.0, seed=1, backend=backend)
    assert np.isnan(got[1, 0, 3, 3])
    assert (got != want).sum() == 1


def test_empty_images(backend, dtype):
    for shape in ((0, 4, 4), (2, 0, 4), (2, 3, 4, 0), (2, 0, 4, 4)):
        assert cm.add_noise(np.empty(shape, dtype), 1.0, seed=1, backend=backend).shape == shape


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"images": np.zeros((4, 4))}, ArrayError, r"`images` .* got \(4, 4\)"),
        ({"images": np.zeros((1, 1, 4, 4), np.float16)}, DTypeError, "`images`"),
        ({"sigma": -1.0}, BadInputError, "`sigma` must not be negative"),
        ({"sigma": np.nan}, BadInputError, "`sigma` must be finite"),
        ({"sigma": [1.0, 2.0, 3.0]}, ArrayError, r"`sigma` .* shape \(2,\), got \(3,\)"),
        ({"sigma": 1e200, "images": np.zeros((1, 4, 4), np.float32)}, DomainError, "`sigma` must fit .* float32"),
        ({"items": [1]}, ArrayError, "`items`"),
        ({"seed": 1.0}, DTypeError, "`seed`"),
        ({"seed": 2**64}, DomainError, "`seed`"),
        ({"out": np.zeros((3, 2, 4, 4), np.float32)}, DTypeError, "`out` .* float64, got float32"),
        ({"out": [1.0]}, DTypeError, "`out` .* got list"),
        ({"out": np.zeros((3, 2, 4, 5))}, ArrayError, "`out` must have the shape"),
        ({"out": np.zeros((3, 2, 4, 8))[..., ::2]}, ArrayError, "`out` must be C-contiguous"),
        ({"n_threads": 0}, DomainError, "`n_threads`"),
    ],
)
def test_errors_name_the_argument(kwargs, error, message):
    with pytest.raises(error, match=message):
        cm.add_noise(**{"images": np.zeros((3, 2, 4, 4)), "sigma": 1.0, "seed": 1} | kwargs)


def test_out_must_not_overlap_in_part():
    memory = np.zeros((4, 4, 4))
    with pytest.raises(ArrayError, match="overlap"):
        cm.add_noise(memory[:3], 1.0, seed=1, out=memory[1:])
    assert not memory.any()


def test_errors_leave_out_untouched():
    out = np.full((1, 4, 4), 5.0)
    with pytest.raises(DomainError):
        cm.add_noise(np.zeros((1, 4, 4)), 1.0, seed=-1, out=out)
    assert (out == 5).all()


# The distribution. Fixed seed; each check fails by chance less often than FALSE_ALARM.


@pytest.fixture(scope="module")
def z():
    return cm.add_noise(np.zeros((20, 1, 100, 1000)), 1.0, seed=SEED).reshape(20, -1)


def test_shape(z):
    assert stats.kstest(z.ravel(), "norm").pvalue > FALSE_ALARM


def test_moments(z):
    limit = stats.norm.isf(FALSE_ALARM / 2)
    for order, mean, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10395 - 225)]:
        assert abs((z**order).mean() - mean) / np.sqrt(variance / z.size) < limit


def test_tails(z):
    for threshold in (3.0, 4.0, 4.5):
        expected = z.size * stats.norm.sf(threshold)
        for seen in ((z > threshold).sum(), (z < -threshold).sum()):
            assert stats.poisson.cdf(seen, expected) > FALSE_ALARM
            assert stats.poisson.sf(seen - 1, expected) > FALSE_ALARM


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 1000])
def test_neighbours_are_independent(z, lag):
    limit = stats.norm.isf(FALSE_ALARM / 2)
    for power, scale in [(1, 1), (2, 2)]:  # of the numbers, and of their squares
        x = z**power - (power == 2)
        product = x[:, lag:] * x[:, :-lag]
        assert abs(product.mean()) * np.sqrt(product.size) / scale < limit


def test_items_and_seeds_are_independent(z):
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert abs((z[1:] * z[:-1]).mean()) * np.sqrt(z[1:].size) < limit
    other = cm.add_noise(np.zeros((20, 1, 100, 1000)), 1.0, seed=SEED + 1).reshape(20, -1)
    assert abs((z * other).mean()) * np.sqrt(z.size) < limit
