"""differentiate_density against its definition, finite differences of the estimate, and the laws it must keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.reference import kde as density_reference
from tests.reference import kde_gradient as reference
from tests.tolerances import KDE_GRADIENT, peak_error

AXES = {
    1: [(-2200.0, 2200.0, 37)],
    2: [(-2200.0, 2200.0, 21), (0.0, 1.6, 18)],
    3: [(-4.0, 4.0, 7), (-4.0, 4.0, 6), (-2200.0, 2200.0, 9)],
}
SCALE = {1: [600.0], 2: [600.0, 0.3], 3: [1.2, 1.0, 600.0]}
MIDDLE = {1: [0.0], 2: [0.0, 0.8], 3: [0.0, 0.3, 100.0]}
RICHNESS = (12, 0, 40, 7, 150)


def batch(rng, d, dtype, richness=RICHNESS, correlation=0.4):
    """Ragged points, offsets, weights and a gradient."""
    covariance = correlation * np.ones((d, d)) + (1 - correlation) * np.eye(d)
    points = rng.multivariate_normal(np.zeros(d), covariance, sum(richness)) * SCALE[d] + MIDDLE[d]
    gradient = rng.normal(size=(len(richness), *(n for _, _, n in AXES[d])))
    weights = rng.exponential(size=len(points))
    return points.astype(dtype), np.cumsum([0, *richness]), weights.astype(dtype), gradient.astype(dtype)


def assert_close(got, want, offsets, tolerance):
    """Each cluster and each column on its own scale."""
    assert got.points.shape == want[0].shape
    for first, last in pairwise(offsets):
        for a in range(want[0].shape[1]):
            assert peak_error(got.points[first:last, a], want[0][first:last, a]) <= tolerance
        assert peak_error(got.weights[first:last], want[1][first:last]) <= tolerance


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
@pytest.mark.parametrize("bandwidth", [0.25, 1.1, "scott", "silverman"])
@pytest.mark.parametrize("weighted", [False, True])
def test_matches_reference(backend, dtype, rng, d, normalise, bandwidth, weighted):
    points, offsets, weights, gradient = batch(rng, d, dtype)
    how = dict(bandwidth=bandwidth, normalise=normalise, weights=weights if weighted else None)
    got = cm.differentiate_density(gradient, points, offsets, axes=AXES[d], backend=backend, **how)
    assert got.points.dtype == got.weights.dtype == dtype
    want = reference.differentiate_density(gradient, points, offsets, AXES[d], **how)
    assert_close(got, want, offsets, KDE_GRADIENT[dtype])


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
@pytest.mark.parametrize("each", [False, True])
def test_a_covariance_of_its_own(backend, dtype, rng, d, normalise, each):
    points, offsets, weights, gradient = batch(rng, d, dtype)
    scale = 0.4 * np.array(SCALE[d])
    kernel = (0.3 * np.ones((d, d)) + 0.7 * np.eye(d)) * np.outer(scale, scale)
    how = dict(normalise=normalise, weights=weights, at="nodes", covariance=kernel)
    if each:
        how["covariance"] = kernel * np.linspace(0.5, 2, len(RICHNESS))[:, None, None]
    got = cm.differentiate_density(gradient, points, offsets, axes=AXES[d], backend=backend, **how)
    want = reference.differentiate_density(gradient, points, offsets, AXES[d], **how)
    assert_close(got, want, offsets, KDE_GRADIENT[dtype])


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
@pytest.mark.parametrize("bandwidth", [0.4, "scott", "silverman"])
@pytest.mark.parametrize("own", [False, True])
def test_the_definition_is_the_derivative_of_the_estimate(rng, d, normalise, bandwidth, own):
    points, _, weights, gradient = batch(rng, d, float, richness=(9,))
    kernel = np.diag(np.square(SCALE[d])) * 0.2 if own else None
    how = (AXES[d], bandwidth, "centres", normalise, kernel)
    by_points, by_weights = reference.one_cluster(gradient[0], points, weights, *how)

    def number(points, weights):
        return (gradient[0] * density_reference.density(points, weights, *how)).sum()

    for n in range(len(points)):
        for a in range(d):
            step = np.zeros_like(points)
            step[n, a] = 1e-5 * SCALE[d][a]
            slope = (number(points + step, weights) - number(points - step, weights)) / (2 * step[n, a])
            assert abs(slope - by_points[n, a]) <= 1e-7 * np.abs(by_points[:, a]).max()
        step = np.zeros_like(weights)
        step[n] = 1e-5
        slope = (number(points, weights + step) - number(points, weights - step)) / 2e-5
        assert abs(slope - by_weights[n]) <= 1e-7 * np.abs(by_weights).max()


@pytest.mark.parametrize(
    ("correlation", "bandwidth", "tolerance"),
    [(0.0, 0.02, 1e-9), (0.9, 0.02, 1e-9), (0.9, 0.25, 1e-9), (0.9999, 0.25, 1e-5), (-0.99999, 0.25, 1e-4)],
)
def test_narrow_and_slanted_kernels(backend, rng, correlation, bandwidth, tolerance):
    """Exponents that cannot be taken apart are done cell by cell. The covariance gives its inverse to fewer digits."""
    points, offsets, weights, gradient = batch(rng, 2, float, (40, 0, 90, 150), correlation)
    how = dict(bandwidth=bandwidth, weights=weights)
    got = cm.differentiate_density(gradient, points, offsets, axes=AXES[2], backend=backend, **how)
    want = reference.differentiate_density(gradient, points, offsets, AXES[2], **how)
    assert_close(got, want, offsets, tolerance)


@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
def test_points_that_are_far_from_the_grid(backend, rng, normalise):
    points, offsets, _, gradient = batch(rng, 2, float)
    points[:, 0] += 30_000.0
    got = cm.differentiate_density(gradient, points, offsets, axes=AXES[2], normalise=normalise, backend=backend)
    want = reference.differentiate_density(gradient, points, offsets, AXES[2], normalise=normalise)
    assert np.isfinite(got.points).all()
    if normalise == "sum":
        assert np.abs(got.points).max() > 0
        assert_close(got, want, offsets, 1e-6)
    else:
        np.testing.assert_allclose(got.points, want[0], atol=1e-300)


def test_clusters_without_a_spread(backend):
    """One point, two that coincide, and three on a line: the broadened kernel; what is constant has no derivative."""
    points = np.array([[100.0, 0.4], [0.0, 0.5], [0.0, 0.5], [-300.0, 0.2], [0.0, 0.5], [300.0, 0.8]])
    offsets, gradient = [0, 1, 3, 6], np.random.default_rng(3).normal(size=(3, 21, 18))
    got = cm.differentiate_density(gradient, points, offsets, axes=AXES[2], backend=backend)
    want = reference.differentiate_density(gradient, points, offsets, AXES[2])
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("normalise", ["sum", "density", "none"])
def test_clusters_without_weight_have_no_gradient(backend, dtype, rng, normalise):
    points, offsets, weights, gradient = batch(rng, 2, dtype)
    weights[12:52] = 0
    by = cm.differentiate_density(gradient, points, offsets, axes=AXES[2], weights=weights, normalise=normalise,
                                  backend=backend)  # fmt: skip
    assert not by.points[12:52].any()
    assert not by.weights[12:52].any()
    assert by.points[:12].all()


def test_the_scale_of_the_weights_and_a_flat_gradient(backend, rng):
    """The grid sums to 1 whatever the weights: nothing changes it along them, and a flat gradient gives nothing."""
    points, offsets, weights, gradient = batch(rng, 2, float)
    by = cm.differentiate_density(gradient, points, offsets, axes=AXES[2], weights=weights, backend=backend)
    for first, last in pairwise(offsets):
        part = by.weights[first:last] * weights[first:last]
        assert abs(part.sum()) <= 1e-11 * max(np.abs(part).sum(), 1)
    flat = cm.differentiate_density(np.full_like(gradient, 7.0), points, offsets, axes=AXES[2], backend=backend)
    assert np.abs(flat.points).max() < 1e-11
    assert np.abs(flat.weights).max() < 1e-11


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_bits_depend_neither_on_threads_nor_on_the_batch(dtype, rng, n_threads):
    points, offsets, weights, gradient = batch(rng, 2, dtype, richness=RICHNESS * 9)
    how = dict(axes=AXES[2], backend="native")
    one = cm.differentiate_density(gradient, points, offsets, weights=weights, **how)
    many = cm.differentiate_density(gradient, points, offsets, weights=weights, n_threads=n_threads, **how)
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    first, last = offsets[4], offsets[5]
    alone = cm.differentiate_density(gradient[4:5], points[first:last], [0, last - first], weights=weights[first:last],
                                     **how)  # fmt: skip
    assert np.array_equal(alone.points, one.points[first:last])


def test_a_large_grid_and_many_points(rng):
    """More points than a block holds, more cells than a tile: native against the twin on a part of the points."""
    points, offsets, _, _ = batch(rng, 2, float, richness=(300,))
    axes, gradient = [(-2200.0, 2200.0, 301), (0.0, 1.6, 5)], rng.normal(size=(1, 301, 5))
    native, twin = (cm.differentiate_density(gradient, points, offsets, axes=axes, backend=name).points
                    for name in ("native", "numba"))  # fmt: skip
    assert peak_error(native, twin) < 1e-10


def test_inputs_are_not_modified(backend, rng):
    arrays = batch(rng, 2, float)
    copies = [a.copy() for a in arrays]
    cm.differentiate_density(arrays[3], arrays[0], arrays[1], axes=AXES[2], weights=arrays[2], backend=backend)
    for a, b in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_points_are_found_and_named(backend, rng, bad):
    points, offsets, _, gradient = batch(rng, 2, float)
    points[30, 1] = bad
    with pytest.raises(BadInputError, match=r"`points` must be finite, got 1 of .*first at index \(30, 1\)"):
        cm.differentiate_density(gradient, points, offsets, axes=AXES[2], backend=backend)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(gradient=np.zeros((2, 21, 18))), ArrayError, "`gradient` must have shape .1, 21, 18"),
        (dict(gradient=np.zeros((1, 21, 18), complex)), DTypeError, "gradient"),
        (dict(points=np.zeros((3, 4))), ArrayError, "points"),
        (dict(offsets=[0, 4]), ArrayError, "offsets"),
        (dict(bandwidth=0), DomainError, "bandwidth"),
        (dict(normalise="peak"), DomainError, "normalise"),
        (dict(weights=np.ones(4)), ArrayError, "weights"),
        (dict(n_threads=0), DomainError, "n_threads"),
        (dict(backend="gpu"), DomainError, "backend"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = dict(gradient=np.zeros((1, 21, 18)), points=np.zeros((3, 2)), offsets=[0, 3], axes=AXES[2]) | change
    first = [arguments.pop(name) for name in ("gradient", "points", "offsets")]
    with pytest.raises(error, match=message):
        cm.differentiate_density(*first, **arguments)


def test_the_extension_takes_only_results_that_fit():
    from clustermass import _core

    axes = np.array([[0.0, 1.0, 4.0]])
    arrays = [np.ones((3, 1)), np.array([0, 3]), np.empty(0), axes, np.empty(0), np.zeros((1, 4))]
    options = dict(bandwidth=0, factor=0.5, normalise=0, n_threads=1)
    untouched = np.full((0, 1), 7.0)
    assert _core.kde_gradient_f64(*arrays, untouched, np.empty(3), **options)
    assert _core.kde_gradient_f64(*arrays, np.empty((3, 1)), np.empty(0), **options)
    for wrong in ([np.zeros((2, 1)), np.zeros(3)], [np.zeros((3, 1)), np.zeros(2)]):
        with pytest.raises(ArrayError, match="shapes of points and weights"):
            _core.kde_gradient_f64(*arrays, *wrong, **options)
