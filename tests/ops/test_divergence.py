"""knn_divergences: the reference, properties, known divergences, edges, errors, threads."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.reference import divergence as reference
from tests.tolerances import DIVERGENCE, F64, GAUSSIAN_DIVERGENCE

FORMS = [{}, {"divergence": "renyi", "alpha": 0.5}, {"divergence": "renyi", "alpha": 2.7}]


def ragged(rng, sizes, dims, dtype=float, spread=1.0):
    """Samples of normal distributions of different centres and widths."""
    parts = [rng.normal(rng.normal(0, 1.5, dims), spread * rng.uniform(0.5, 2), (size, dims)) for size in sizes]
    points = np.concatenate([*parts, np.empty((0, dims))]).astype(dtype)
    return points, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def parts(points, offsets):
    return np.split(points, offsets[1:-1])


def assert_close(got, want, dtype):
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=DIVERGENCE[np.dtype(dtype)], atol=DIVERGENCE[np.dtype(dtype)])


@pytest.mark.parametrize("form", FORMS, ids=["kl", "0.5", "2.7"])
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 4, 7])
def test_matches_reference(host_backend, dtype, rng, dims, k, form):
    rows = ragged(rng, [8, 9, 33, 120, 50], dims, dtype)
    columns = ragged(rng, [7, 64, 150, 21], dims, dtype)
    got = cm.knn_divergences(*rows, k=k, others=columns, backend=host_backend, **form)
    want = reference.divergences(parts(*rows), parts(*columns), k, form.get("alpha"))
    assert_close(got, want, dtype)
    assert (want > 0).sum() > 5  # the others are set to 0


@pytest.mark.parametrize("form", FORMS, ids=["kl", "0.5", "2.7"])
def test_one_batch_is_the_batch_with_itself_but_for_the_diagonal(host_backend, rng, form):
    rows = ragged(rng, [12, 30, 51, 100], 2)
    one = cm.knn_divergences(*rows, backend=host_backend, **form)
    two = cm.knn_divergences(*rows, others=rows, backend=host_backend, **form)
    assert (np.diag(one) == 0).all()
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(one[off], two[off])
    assert (one != one.T)[off].any()


@pytest.mark.parametrize("dims", [1, 2])
def test_many_small_clusters_match_reference(host_backend, rng, dims):
    """Rows are worked on in blocks of several clusters; points of a block begin anywhere in a vector."""
    rows = ragged(rng, rng.integers(5, 40, 60), dims)
    got = cm.knn_divergences(*rows, backend=host_backend)
    want = reference.divergences(parts(*rows), parts(*rows), 4)
    off = ~np.eye(60, dtype=bool)
    assert_close(got[off], want[off], F64)


def test_a_pair_has_the_same_bits_in_any_batch(rng):
    for dims, dtype in [(1, np.float64), (2, np.float32), (3, np.float64)]:
        points, offsets = ragged(rng, rng.integers(5, 90, 40), dims, dtype)
        whole = cm.knn_divergences(points, offsets)
        chosen = [31, 2, 17]
        few = np.concatenate([points[offsets[i] : offsets[i + 1]] for i in chosen])
        part = cm.knn_divergences(few, np.concatenate([[0], np.cumsum(np.diff(offsets)[chosen])]))
        np.testing.assert_array_equal(part, whole[np.ix_(chosen, chosen)])


def test_many_columns_are_worked_on_in_parts(rng):
    """Above 5e7 distances a block of rows is compared with some columns at a time."""
    rows = ragged(rng, [50] * 10, 2, np.float32)
    points, offsets = ragged(rng, [80] * 4000, 2, np.float32)
    whole = cm.knn_divergences(*rows, others=(points, offsets), n_threads=2)
    halves = [(0, 2001), (2001, 4000)]
    apart = [cm.knn_divergences(*rows, others=(points[80 * a : 80 * b], offsets[: b - a + 1])) for a, b in halves]
    np.testing.assert_array_equal(whole, np.concatenate(apart, axis=1))


@pytest.mark.parametrize("n_threads", [2, 3, 8])
@pytest.mark.parametrize("form", FORMS[:2], ids=["kl", "0.5"])
def test_result_does_not_depend_on_threads(rng, n_threads, form):
    rows = ragged(rng, rng.integers(5, 300, 120), 2)
    one = cm.knn_divergences(*rows, **form)
    np.testing.assert_array_equal(one, cm.knn_divergences(*rows, **form, n_threads=n_threads))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_order_place_and_scale_do_not_matter(host_backend, rng, dims):
    points, offsets = ragged(rng, [20, 45, 130], dims)
    want = cm.knn_divergences(points, offsets, backend=host_backend)
    shuffled = np.concatenate([rng.permutation(part) for part in parts(points, offsets)])
    assert_close(cm.knn_divergences(shuffled, offsets, backend=host_backend), want, F64)
    assert_close(cm.knn_divergences(1024 * points, offsets, backend=host_backend), want, F64)
    moved = cm.knn_divergences(points + 0.5, offsets, backend=host_backend)
    np.testing.assert_allclose(moved, want, rtol=1e4 * DIVERGENCE[F64], atol=1e4 * DIVERGENCE[F64])


@pytest.mark.parametrize(("dims", "n"), [(1, 4000), (2, 4000), (3, 3000)])
def test_gaussians_have_their_known_divergence(rng, dims, n):
    """KL of N(a, s) from N(b, t): dims [ln(t/s) + s^2 / (2 t^2) - 1/2] + |a - b|^2 / (2 t^2)."""
    s, t, shift = 1.0, 1.5, 0.7
    p, q = rng.normal(0, s, (n, dims)), rng.normal(0, t, (n, dims)) + shift / np.sqrt(dims)
    d = cm.knn_divergences(np.concatenate([p, q]), [0, n, 2 * n])
    want = dims * (np.log(t / s) + s**2 / (2 * t**2) - 0.5) + shift**2 / (2 * t**2)
    assert abs(d[0, 1] - want) < GAUSSIAN_DIVERGENCE
    back = np.log(s / t) + t**2 / (2 * s**2) - 0.5 + shift**2 / (2 * s**2)
    if dims == 1:  # in more, the wider one has points where the other has none: known to come out too small
        assert abs(d[1, 0] - back) < 2 * GAUSSIAN_DIVERGENCE


def test_renyi_of_gaussians(rng):
    """Same width: alpha shift^2 / 2."""
    n, shift, alpha = 4000, 0.8, 0.6
    points = np.concatenate([rng.normal(0, 1, (n, 2)), rng.normal(0, 1, (n, 2)) + [shift, 0]])
    d = cm.knn_divergences(points, [0, n, 2 * n], divergence="renyi", alpha=alpha)
    assert abs(d[0, 1] - alpha * shift**2 / 2) < GAUSSIAN_DIVERGENCE
    assert abs(d[1, 0] - alpha * shift**2 / 2) < GAUSSIAN_DIVERGENCE


def test_samples_of_one_distribution_are_close(rng):
    """The mean over pairs is near 0, where half of the estimates are set to 0."""
    points = rng.normal(0, 1, (100 * 50, 2))
    d = cm.knn_divergences(points, np.arange(0, 5001, 50))
    off = d[~np.eye(100, dtype=bool)]
    assert (off == 0).mean() > 0.2
    assert off.mean() < 0.15
    assert (off >= 0).all()


def test_duplicates_are_kept_from_zero(host_backend, dtype):
    """All of one point: every distance is the floor, and only ln(m / (n - 1)) is left."""
    for dims in (1, 2, 3):
        points = np.zeros((13, dims), dtype)
        points[5:] = 3.0
        d = cm.knn_divergences(points, [0, 5, 13], k=2, backend=host_backend)
        floor = min(1e-2, 1e-100 ** (1 / dims))
        away = dims * np.log(3 * np.sqrt(dims) / floor)
        np.testing.assert_allclose(d[0, 1], away + np.log(8 / 4), rtol=1e-6)
        np.testing.assert_allclose(d[1, 0], away + np.log(5 / 7), rtol=1e-6)
        same = cm.knn_divergences(points[:5], [0, 5], k=2, others=(points[:5], [0, 5]), backend=host_backend)
        np.testing.assert_allclose(same, np.log(5 / 4), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e30], ids=["tiny", "huge"])
def test_float32_of_any_size(host_backend, rng, scale):
    """Squares would leave the range of float32."""
    points, offsets = ragged(rng, [20, 30], 2)
    small = (points * scale).astype(np.float32)
    want = reference.divergences(parts(small, offsets), parts(small, offsets), 4)
    got = cm.knn_divergences(small, offsets, backend=host_backend)
    assert_close(got[[0, 1], [1, 0]], want[[0, 1], [1, 0]], F64)


def test_ties_and_integers(host_backend):
    points = np.array([[0], [1], [1], [2], [4], [4], [9], [3], [3], [5]])
    got = cm.knn_divergences(points, [0, 6, 10], k=2, backend=host_backend)
    want = reference.divergences(parts(points, np.array([0, 6, 10])), parts(points, np.array([0, 6, 10])), 2)
    assert_close(got[0, 1], want[0, 1], F64)
    assert_close(got[1, 0], want[1, 0], F64)


def test_empty_batches(host_backend):
    none, some = (np.empty((0, 2)), [0]), (np.arange(20.0).reshape(10, 2), [0, 10])
    assert cm.knn_divergences(*none, backend=host_backend).shape == (0, 0)
    assert cm.knn_divergences(*some, others=none, backend=host_backend).shape == (1, 0)
    assert cm.knn_divergences(*none, others=some, backend=host_backend).shape == (0, 1)


def test_inputs_stay_untouched_and_may_be_read_only(host_backend, rng):
    points, offsets = ragged(rng, [20, 30], 1)
    kept = points.copy()
    points.flags.writeable = False
    cm.knn_divergences(points[::-1], offsets, backend=host_backend)
    np.testing.assert_array_equal(points, kept)


POINTS = np.arange(20.0).reshape(10, 2)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"offsets": [0, 4, 10]}, BadInputError, "`offsets` .* at least 5 points for `k` = 4, got 4 for cluster 0"),
        ({"offsets": [0, 5, 5, 10]}, BadInputError, "got 0 for cluster 1"),
        ({"offsets": [0, 5, 9]}, ArrayError, "`offsets` must end at the number of values 10"),
        ({"offsets": [0.0, 10.0]}, DTypeError, "`offsets`"),
        ({"others": (POINTS, [0, 3, 10])}, BadInputError, "`others: offsets` .* at least 4 .* got 3 for cluster 0"),
        ({"others": (POINTS[:, :1], [0, 10])}, DomainError, "`others` must have 2 dimensions, got 1"),
        ({"others": 3}, DomainError, "`others` must be"),
        ({"points": POINTS[:, 0]}, ArrayError, "`points` must have shape"),
        ({"points": np.zeros((10, 4))}, DomainError, "`points` must have 1, 2 or 3 columns, got 4"),
        ({"points": np.where(POINTS == 7, np.nan, POINTS)}, BadInputError, "`points` must be finite, got 1 of 20"),
        ({"points": POINTS * 1e160}, DomainError, "`points` must not exceed 1e.150"),
        ({"points": POINTS.astype(str)}, DTypeError, "`points`"),
        ({"k": 0}, DomainError, "`k`"),
        ({"k": 1.5}, DTypeError, "`k`"),
        ({"divergence": "js"}, DomainError, "`divergence`"),
        ({"alpha": 0.5}, DomainError, "`alpha` belongs to the divergence 'renyi'"),
        ({"divergence": "renyi"}, DomainError, "`alpha` must be given"),
        ({"divergence": "renyi", "alpha": 1.0}, DomainError, "`alpha` must not be 1"),
        ({"divergence": "renyi", "alpha": 5.0}, DomainError, "less than `k` = 4 away"),
        ({"n_threads": 0}, DomainError, "`n_threads`"),
        ({"backend": "cuda"}, DomainError, "`backend`"),
    ],
)
def test_errors_name_the_argument(kwargs, error, message):
    with pytest.raises(error, match=message):
        cm.knn_divergences(**{"points": POINTS, "offsets": [0, 10]} | kwargs)
