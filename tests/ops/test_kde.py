from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

import clustermass as cm
from clustermass import _backend, errors
from tests.reference import kde as reference
from tests.threads import others_run_during
from tests.tolerances import F64, KDE, peak_error

AXES = {
    1: [(-2200.0, 2200.0, 48)],
    2: [(-2200.0, 2200.0, 48), (0.0, 1.6, 33)],
    3: [(-4.0, 4.0, 11), (-4.0, 4.0, 10), (-2200.0, 2200.0, 21)],
}
SCALE = {1: [600.0], 2: [600.0, 0.3], 3: [1.2, 1.0, 600.0]}
MIDDLE = {1: [0.0], 2: [0.0, 0.8], 3: [0.0, 0.3, 100.0]}


def cloud(rng, n, d, correlation=0.0):
    """Points whose axes are correlated, in alternating sign, float64 (n, d)."""
    sign = (-1.0) ** np.arange(d)
    covariance = correlation * np.outer(sign, sign) + (1 - correlation) * np.eye(d)
    return rng.multivariate_normal(np.zeros(d), covariance, n) * SCALE[d] + MIDDLE[d]


def batch(rng, d, dtype, richness=(12, 0, 1, 300, 2, 64), correlation=0.0):
    """Ragged points and offsets."""
    clusters = [cloud(rng, n, d, correlation) for n in richness]
    return np.concatenate(clusters).astype(dtype), np.cumsum([0, *richness])


def from_scipy(points, axes, bandwidth, at="centres", weights=None):
    """Density of scipy on the grid; integrates to 1."""
    kernel = gaussian_kde(np.float64(points).T, bandwidth, weights=weights)
    mesh = np.meshgrid(*(reference.positions(*axis, at) for axis in axes), indexing="ij")
    return kernel(np.stack([x.ravel() for x in mesh])).reshape(mesh[0].shape)


def conditioned(tolerance, points):
    """The tolerance, and more of it where the covariance gives its inverse to fewer digits, to scipy as to us."""
    correlation = np.corrcoef(np.float64(points).T)
    return tolerance * max(1.0, 0.02 / max(np.linalg.eigvalsh(correlation)[0], 1e-6))


def errors_of(got, want):
    return [peak_error(a, b) for a, b in zip(got, want, strict=True)]


# --- against the definition, and against scipy


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("at", ["centres", "nodes"])
@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
def test_matches_reference(backend, dtype, rng, d, at, normalise):
    points, offsets = batch(rng, d, dtype, correlation=0.4)
    weights = rng.exponential(size=len(points)).astype(dtype)
    weights[::7] = 0
    for w in (None, weights):
        arguments = {"axes": AXES[d], "at": at, "normalise": normalise, "weights": w}
        got = cm.estimate_density(points, offsets, **arguments, backend=backend)
        assert got.dtype == dtype
        assert got.shape == (len(offsets) - 1, *(n for _, _, n in AXES[d]))
        want = reference.estimate_density(points, offsets, **arguments)
        assert max(errors_of(got, want)) <= KDE[dtype]


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("bandwidth", [0.25, 0.7, "scott", "silverman"])
def test_matches_scipy(backend, dtype, rng, d, bandwidth):
    richness = (40, 130, 500) if backend == "native" else (40, 130)
    points, offsets = batch(rng, d, dtype, richness, correlation=0.3)
    weights = rng.uniform(0.1, 3, len(points)).astype(dtype)
    for w in (None, weights):
        arguments = {"axes": AXES[d], "bandwidth": bandwidth, "normalise": "density", "weights": w}
        got = cm.estimate_density(points, offsets, **arguments, backend=backend)
        for i, (first, last) in enumerate(pairwise(offsets)):
            own = None if w is None else np.float64(w[first:last])
            want = from_scipy(points[first:last], AXES[d], bandwidth, weights=own)
            assert peak_error(got[i], want) <= KDE[dtype]


@pytest.mark.parametrize("correlation", [-0.49, 0.7, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("d", [2, 3])
def test_strong_correlation_matches_scipy(dtype, rng, d, correlation):
    """The factors of the cross term would overflow for the grid as a whole: tiles and single rows take over."""
    if d == 3:
        axes = [(-4.0, 4.0, 21), (-4.0, 4.0, 22), (-2200.0, 2200.0, 24)]
    else:
        axes = [(-2200.0, 2200.0, 48), (0.0, 1.6, 48)]
    points = cloud(rng, 1000 if d == 2 else 300, d, correlation).astype(dtype)
    for bandwidth in (0.175, "scott"):
        got = cm.estimate_density(points, [0, len(points)], axes=axes, bandwidth=bandwidth, normalise="density")
        assert peak_error(got[0], from_scipy(points, axes, bandwidth)) <= conditioned(KDE[dtype], points)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (7, 300), (300, 17), (2, 48)], ids=str)
def test_any_shape_matches_scipy(backend, dtype, rng, shape):
    points = cloud(rng, 200, 2, -0.6).astype(dtype)
    axes = [(-2200.0, 2200.0, shape[0]), (0.0, 1.6, shape[1])]
    for at in ("centres", "nodes"):
        got = cm.estimate_density(points, [0, 200], axes=axes, at=at, normalise="density", backend=backend)
        assert peak_error(got[0], from_scipy(points, axes, 0.25, at)) <= KDE[dtype]


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 40), (1, 30, 9), (5, 70, 31), (40, 2, 17)], ids=str)
def test_any_cube_matches_reference(dtype, rng, shape):
    points = cloud(rng, 150, 3, 0.3).astype(dtype)
    axes = [(low, high, n) for (low, high, _), n in zip(AXES[3], shape, strict=True)]
    got = cm.estimate_density(points, [0, 150], axes=axes)
    assert max(errors_of(got, reference.estimate_density(points, [0, 150], axes))) <= KDE[dtype]


@pytest.mark.parametrize("d", [1, 2, 3])
def test_given_covariance(backend, dtype, rng, d):
    points, offsets = batch(rng, d, dtype)
    spread = np.diag(np.square(SCALE[d])) * 0.05
    spread += 0.3 * (np.sqrt(np.outer(np.diag(spread), np.diag(spread))) - spread)
    each = np.stack([spread * (1 + i) for i in range(len(offsets) - 1)])
    for covariance in (spread, each):
        arguments = {"axes": AXES[d], "covariance": covariance, "normalise": "density"}
        got = cm.estimate_density(points, offsets, **arguments, backend=backend)
        assert max(errors_of(got, reference.estimate_density(points, offsets, **arguments))) <= KDE[dtype]
    single = cm.estimate_density(points, offsets, axes=AXES[d], covariance=each, backend=backend)
    again = cm.estimate_density(points, offsets, axes=AXES[d], covariance=each, bandwidth=3.0, backend=backend)
    np.testing.assert_array_equal(single, again)


# --- properties


def test_each_cluster_on_its_own_gives_the_same_bits(backend, dtype, rng):
    points, offsets = batch(rng, 2, dtype)
    whole = cm.estimate_density(points, offsets, axes=AXES[2], backend=backend)
    for i, (first, last) in enumerate(pairwise(offsets)):
        alone = cm.estimate_density(points[first:last], [0, last - first], axes=AXES[2], backend=backend)
        np.testing.assert_array_equal(whole[i], alone[0])


def test_weights_count_points(backend, dtype, rng):
    """A weight of 2 is the point twice, where the covariance does not tell them apart."""
    points = cloud(rng, 60, 2, 0.5).astype(dtype)
    twice = np.concatenate([points, points[:20]])
    weights = np.where(np.arange(60) < 20, 2, 1).astype(dtype)
    arguments = {"axes": AXES[2], "covariance": [[1e4, 3.0], [3.0, 0.01]], "normalise": "none", "backend": backend}
    got = cm.estimate_density(points, [0, 60], weights=weights, **arguments)
    assert peak_error(got, cm.estimate_density(twice, [0, 80], **arguments)) <= KDE[dtype]


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_units_do_not_matter(backend, rng, size):
    points, offsets = batch(rng, 2, F64, correlation=0.6)
    want = cm.estimate_density(points, offsets, axes=AXES[2], backend=backend)
    axes = [(low * size, high * size, n) for low, high, n in AXES[2]]
    assert peak_error(cm.estimate_density(points * size, offsets, axes=axes, backend=backend), want) <= KDE[F64]


def test_weights_of_any_size(backend, dtype, rng):
    points, offsets = batch(rng, 2, dtype)
    weights = rng.uniform(1, 2, len(points)).astype(dtype)
    want = cm.estimate_density(points, offsets, axes=AXES[2], weights=weights, backend=backend)
    for size in (1e-36, 1e36):
        got = cm.estimate_density(points, offsets, axes=AXES[2], weights=weights * dtype.type(size), backend=backend)
        assert peak_error(got, want) <= KDE[dtype]


@given(n=st.integers(3, 200), correlation=st.floats(-0.999, 0.999), width=st.floats(0.02, 3), seed=st.integers(0, 99))
@example(n=174, correlation=0.75, width=0.02, seed=1)  # exponents of thousands
@settings(deadline=None, max_examples=60)
def test_any_cluster_matches_reference(n, correlation, width, seed):
    points = cloud(np.random.default_rng(seed), n, 2, correlation)
    axes = [(-2200.0, 2200.0, 21), (0.0, 1.6, 19)]
    for dtype in KDE:
        same = points.astype(dtype)
        want = reference.estimate_density(same, [0, n], axes, width)
        got = cm.estimate_density(same, [0, n], axes=axes, bandwidth=width)
        assert peak_error(got, want) <= conditioned(KDE[dtype], same)


# --- edges


@pytest.mark.parametrize("d", [1, 2, 3])
def test_nothing_gives_zeros(backend, dtype, d):
    for normalise in ("sum", "density", "none"):
        arguments = {"axes": AXES[d], "normalise": normalise, "backend": backend}
        assert not cm.estimate_density(np.empty((0, d), dtype), [0, 0, 0], **arguments).any()
        none = np.zeros(3, dtype)
        assert not cm.estimate_density(np.ones((3, d), dtype), [0, 3], weights=none, **arguments).any()
    assert cm.estimate_density(np.empty((0, d), dtype), [0], axes=AXES[d], backend=backend).shape[0] == 0


@pytest.mark.parametrize("points", ["one", "same", "line", "plane", "one weight"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_points_without_spread(backend, dtype, rng, d, points):
    at = np.array(MIDDLE[d]) + 0.1 * np.array(SCALE[d])
    direction, other = np.array(SCALE[d]), np.array(SCALE[d]) * (-1.0) ** np.arange(d)
    steps = np.arange(-8, 9)[:, None] / 8
    values = {
        "one": at[None],
        "same": np.repeat(at[None], 5, axis=0),
        "line": at + steps * direction,
        "plane": np.concatenate([at + steps * direction + shift * other for shift in (-0.5, 0.25)]),
        "one weight": cloud(rng, 4, d),
    }[points].astype(dtype)
    weights = np.array([0, 0, 3, 0], dtype) if points == "one weight" else None
    for normalise in ("sum", "density", "none"):
        arguments = {"axes": AXES[d], "normalise": normalise, "weights": weights}
        got = cm.estimate_density(values, [0, len(values)], **arguments, backend=backend)
        assert np.isfinite(got).all()
        assert got.max() > 0
        # the covariance has no inverse: what is left of it in the last digits is gone beside half a cell
        assert peak_error(got, reference.estimate_density(values, [0, len(values)], **arguments)) <= 3 * KDE[dtype]


def test_one_point_is_half_a_cell_wide(backend):
    got = cm.estimate_density([[0.25]], [0, 1], axes=[(-8.0, 8.0, 32)], normalise="none", backend=backend)
    x = (np.arange(32) - 15.5) * 0.5
    np.testing.assert_allclose(got[0], np.exp(-0.5 * ((x - 0.25) / 0.25) ** 2), rtol=0, atol=1e-14)


def test_far_from_the_grid(backend, dtype):
    """Faint grids keep their shape as long as there is a number for them; then they are zeros."""
    axes, covariance = [(0.0, 1.0, 8)], [[0.01]]
    for far, is_seen in [(2.0, True), (3.0, True), (4.7, True), (6.0, False), (1e6, False), (1e30, False)]:
        points = np.array([[far], [far]], dtype)
        got = cm.estimate_density(points, [0, 2], axes=axes, covariance=covariance, backend=backend)
        assert np.isfinite(got).all()
        assert got.sum() == pytest.approx(float(is_seen), abs=1e-6)
        if is_seen:
            want = reference.estimate_density(points, [0, 2], axes, covariance=np.array(covariance))
            assert peak_error(got, want) <= 30 * KDE[dtype]


def test_points_beyond_the_grid_disturb_nothing(backend, dtype, rng):
    points = cloud(rng, 100, 2).astype(dtype)
    covariance = [[1e4, 12.0], [12.0, 0.02]]
    want = cm.estimate_density(points, [0, 100], axes=AXES[2], covariance=covariance, backend=backend)
    for far in (3e3, 1e5, 1e30):
        more = np.concatenate([[[far, 0.5], [0.0, -far], [far, -far]], points]).astype(dtype)
        got = cm.estimate_density(more, [0, 103], axes=AXES[2], covariance=covariance, backend=backend)
        assert peak_error(got, want) <= KDE[dtype]


def test_kernel_narrower_than_a_cell(backend, dtype, rng):
    points, offsets = batch(rng, 2, dtype, (30, 100))
    got = cm.estimate_density(points, offsets, axes=AXES[2], bandwidth=0.01, backend=backend)
    assert np.isfinite(got).all()
    want = reference.estimate_density(points, offsets, AXES[2], 0.01)
    assert max(errors_of(got, want)) <= 30 * KDE[dtype]  # exponents of hundreds decide even the largest value


def test_any_layout_and_read_only_input(backend, rng):
    points, offsets = batch(rng, 2, F64)
    want = cm.estimate_density(points, offsets, axes=AXES[2], backend=backend)
    views = [np.asfortranarray(points), points.astype(">f8"), np.repeat(points, 2, axis=0)[::2], points.tolist()]
    points.setflags(write=False)
    before = points.copy()
    for view in [*views, points]:
        got = cm.estimate_density(view, offsets.astype(np.int32), axes=AXES[2], backend=backend)
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(points, before)
    counts = np.arange(24).reshape(12, 2)
    assert cm.estimate_density(counts, [0, 12], axes=AXES[2], backend=backend).dtype == np.float64


def test_long_axis_and_many_points(rng, dtype):
    """More cells than a tile, more points than 16 blocks."""
    points = cloud(rng, 3000, 1).astype(dtype)
    axes = [(-2200.0, 2200.0, 5001)]
    got = cm.estimate_density(points, [0, 3000], axes=axes, normalise="density")
    assert peak_error(got[0], from_scipy(points, axes, 0.25)) <= KDE[dtype]


# --- errors


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0), (20, 1), (378, 1)])
def test_not_finite_is_refused(backend, dtype, rng, bad, where):
    points, offsets = batch(rng, 2, dtype)
    points[where] = bad
    message = rf"`points` must be finite, got 1 of {points.size} values.*{where[0]}, {where[1]}"
    for weights in (None, np.where(np.arange(len(points)) == where[0], 0, 1), np.zeros(len(points))):
        with pytest.raises(errors.BadInputError, match=message):
            cm.estimate_density(points, offsets, axes=AXES[2], weights=weights, backend=backend, n_threads=2)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"points": np.ones(4)}, errors.ArrayError, r"`points` must have shape \(n, 1\)"),
        ({"points": np.ones((4, 4))}, errors.ArrayError, "`points` must have shape"),
        ({"points": np.ones((4, 2), complex)}, errors.DTypeError, "`points`"),
        ({"points": [[1e200, 0], [-1e200, 1], [0, 0], [1, 1]]}, errors.BadInputError, "`points` must lie within 1e150"),
        ({"offsets": [0, 3]}, errors.ArrayError, "`offsets` must end at the number of values 4"),
        ({"offsets": [0, 5, 4]}, errors.BadInputError, "`offsets`"),
        ({"axes": AXES[1]}, errors.ArrayError, "`axes` must be 2 of"),
        ({"axes": 3.0}, errors.ArrayError, "`axes` must be 2 of"),
        ({"axes": [(0, 1), (0, 1, 2)]}, errors.ArrayError, r"`axes\[0\]` must be \(low, high, n\)"),
        ({"axes": [(0, 1, 4), (0, np.nan, 4)]}, errors.DomainError, r"`axes\[1\]\[1\]` must be finite"),
        ({"axes": [(0, 1, 4), (1, 0, 4)]}, errors.DomainError, r"`axes\[1\]` must have low < high"),
        ({"axes": [(0, 1, 0), (0, 1, 4)]}, errors.DomainError, r"`axes\[0\]\[2\]` must be >= 1"),
        ({"axes": [(0, 1, 4.0), (0, 1, 4)]}, errors.DTypeError, r"`axes\[0\]\[2\]`"),
        ({"axes": [(0, 1, 65_536)] * 2}, errors.DomainError, "`axes` must have at most"),
        ({"bandwidth": 0.0}, errors.DomainError, "`bandwidth` must be finite and > 0"),
        ({"bandwidth": "wide"}, errors.DomainError, "`bandwidth` must be a number, 'scott' or 'silverman'"),
        ({"at": "edges"}, errors.DomainError, "`at` must be one of"),
        ({"normalise": "max"}, errors.DomainError, "`normalise` must be one of"),
        ({"weights": [1, 1, 1]}, errors.ArrayError, r"`weights` must have shape \(4,\)"),
        ({"weights": [1, 1, -1, 1]}, errors.BadInputError, "`weights` must not be negative"),
        ({"weights": [1, np.nan, 1, 1]}, errors.BadInputError, "`weights` must be finite"),
        ({"covariance": np.eye(3)}, errors.ArrayError, r"`covariance` must have shape \(2, 2\)"),
        ({"covariance": np.ones((3, 2, 2))}, errors.ArrayError, r"`covariance` must have shape \(1, 2, 2\)"),
        ({"covariance": [[1, 1], [1, 1]]}, errors.BadInputError, "`covariance` must be symmetric and positive"),
        ({"covariance": [[1, 0.5], [0.4, 1]]}, errors.BadInputError, "`covariance` must be symmetric"),
        ({"covariance": [[1, 0], [0, -1]]}, errors.BadInputError, "`covariance` must be symmetric"),
        ({"covariance": [[1, 0], [0, np.inf]]}, errors.BadInputError, "`covariance` must be finite"),
        ({"n_threads": 0}, errors.DomainError, "`n_threads`"),
        ({"backend": "gpu"}, errors.DomainError, "`backend`"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = {"points": np.ones((4, 2)), "offsets": [0, 4], "axes": AXES[2]} | change
    with pytest.raises(error, match=message):
        cm.estimate_density(**arguments)


def test_the_extension_guards_memory_itself():
    core = _backend.load("native", "kde")
    axes = np.array([[0.5, 1.0, 4], [0.5, 1.0, 4]])

    def call(**change):
        arguments = {
            "points": np.ones((3, 2)), "offsets": np.array([0, 1, 3]), "weights": np.empty(0), "axes": axes,
            "kernel": np.empty(0), "out": np.empty((2, 16)), "bandwidth": 0, "factor": 0.25, "normalise": 0,
            "n_threads": 1,
        }  # fmt: skip
        return core.kde_f64(**(arguments | change))

    assert call() is True
    for change, error in [
        ({"points": np.ones((3, 1))}, errors.ArrayError),
        ({"points": np.ones((3, 2), np.float32)}, errors.ArrayError),
        ({"offsets": np.array([0, 1, 4])}, errors.ArrayError),
        ({"offsets": np.array([0, -1, 3])}, errors.DomainError),
        ({"offsets": np.array([1, 2, 3])}, errors.ArrayError),
        ({"weights": np.ones(2)}, errors.ArrayError),
        ({"axes": np.array([[0.5, 1.0, np.nan], [0.5, 1.0, 4]])}, errors.DomainError),
        ({"axes": np.array([[0.5, 1.0, 2.0**40], [0.5, 1.0, 4]])}, errors.DomainError),
        ({"axes": axes[:1]}, errors.ArrayError),
        ({"kernel": np.ones(3)}, errors.ArrayError),
        ({"out": np.empty((2, 15))}, errors.ArrayError),
        ({"out": np.empty((3, 16))}, errors.ArrayError),
        ({"bandwidth": 3}, errors.DomainError),
        ({"normalise": -1}, errors.DomainError),
        ({"n_threads": 0}, errors.DomainError),
    ]:
        with pytest.raises(error):
            call(**change)


# --- threads


@pytest.mark.parametrize("n_threads", [2, 3, 8])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_result_does_not_depend_on_threads(dtype, rng, d, n_threads):
    points, offsets = batch(rng, d, dtype, rng.integers(0, 150, 60).tolist(), correlation=0.8)
    one = cm.estimate_density(points, offsets, axes=AXES[d], backend="native")
    many = cm.estimate_density(points, offsets, axes=AXES[d], n_threads=n_threads, backend="native")
    np.testing.assert_array_equal(one, many)


def test_other_python_threads_run_meanwhile(rng):
    points, offsets = batch(rng, 3, np.float32, [300] * 40, correlation=0.5)
    assert others_run_during(lambda: cm.estimate_density(points, offsets, axes=AXES[3], backend="native"))
