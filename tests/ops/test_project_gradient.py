"""differentiate_projection against its definition, finite differences of the image, and the laws it must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from clustermass.ops import beam
from tests.reference import project as image_reference
from tests.reference import project_gradient as reference
from tests.tolerances import FINITE_DIFFERENCE, GRADIENT

ASSIGNMENTS = ["ngp", "cic", "tsc", "sph"]
SHAPE, PIXEL, ORIGIN = (24, 17), 0.5, (3.0, -2.0)


def cloud(rng, n, dtype, channels=4, dims=3):
    """Particles in and around the field, clear of the edges and centres of pixels by more than float32 rounding."""
    halves = rng.uniform(-6, 54, (n, dims))
    halves = np.floor(halves) + np.clip(halves - np.floor(halves), 2e-3, 1 - 2e-3)
    positions = (halves * 0.5 * PIXEL + [*ORIGIN, 0][:dims]).astype(dtype)
    support = (PIXEL * np.exp(rng.uniform(np.log(0.02), np.log(45), n))).astype(dtype)
    return positions, rng.normal(size=(n, channels)).astype(dtype), support


def call(gradient, positions, weights, support, assignment, **kwargs):
    options = dict(pixel_size=PIXEL, origin=ORIGIN) | kwargs
    return cm.differentiate_projection(
        gradient, positions, weights, assignment=assignment, smoothing_length=support, **options
    )


def expected(gradient, positions, weights, support, assignment, kernel="cubic_spline"):
    pixels = (positions.astype(float) - [*ORIGIN, 0][: positions.shape[1]]) / PIXEL
    by_positions, by_weights = reference.project_gradient(
        gradient, pixels, weights, assignment=assignment, kernel=kernel, smoothing_length=support.astype(float) / PIXEL
    )
    return by_positions / PIXEL, by_weights


def assert_close(got, want, tolerance):
    """Relative to the largest component, or to a thousandth of what one pixel gives where all of them cancel."""
    for a, b in zip(got, want, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0.0) <= tolerance * max(1e-3, np.abs(b).max(initial=0.0))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("n", [0, 1, 2, 300], ids="n={}".format)
def test_matches_reference(backend, dtype, rng, n, assignment):
    particles = cloud(rng, n, dtype)
    gradient = rng.normal(size=(4, *SHAPE)).astype(dtype)
    got = call(gradient, *particles, assignment, backend=backend)
    assert got.positions.dtype == got.weights.dtype == dtype
    assert_close(got, expected(gradient, *particles, assignment), GRADIENT[dtype])


@pytest.mark.parametrize("kernel", ["cubic_spline", "wendland_c2"])
@pytest.mark.parametrize("pixels", [0, 0.01, 0.0625, 0.3, 0.5, 0.99, 1, 2.6, 3.6, 7.4, 31, 33, 300])
def test_sph_at_every_ratio_of_kernel_to_pixel(backend, dtype, rng, kernel, pixels):
    positions, weights, support = cloud(rng, 30 if pixels < 100 else 3, dtype)
    support[:] = pixels * PIXEL
    gradient = rng.normal(size=(4, *SHAPE)).astype(dtype)
    got = call(gradient, positions, weights, support, "sph", kernel=kernel, backend=backend)
    assert_close(got, expected(gradient, positions, weights, support, "sph", kernel), GRADIENT[dtype])


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("kernel", ["cubic_spline", "wendland_c2"])
def test_the_definition_is_the_derivative_of_the_image(rng, assignment, kernel):
    """Central differences of tests/reference/project.py: what the formulas of the definition are taken from."""
    positions, weights, support = cloud(rng, 60, np.dtype(float), dims=2)
    pixels = (positions - ORIGIN) / PIXEL
    gradient = rng.normal(size=(4, *SHAPE))
    options = dict(assignment=assignment, kernel=kernel)
    by_positions, by_weights = reference.project_gradient(
        gradient, pixels, weights, smoothing_length=support / PIXEL, **options
    )

    def number(pixels, weights, i):
        one = slice(i, i + 1)
        image = image_reference.project(
            pixels[one], weights[one], SHAPE, smoothing_length=support[one] / PIXEL, **options
        )
        return (gradient * image).sum()

    step = 1e-5
    for i in range(len(pixels)):
        for axis in range(2):
            shift = np.zeros_like(pixels)
            shift[i, axis] = step
            slope = (number(pixels + shift, weights, i) - number(pixels - shift, weights, i)) / (2 * step)
            assert abs(slope - by_positions[i, axis]) <= FINITE_DIFFERENCE * max(1, abs(by_positions[i]).max())
        assert number(pixels, np.eye(4)[[0] * len(weights)], i) == pytest.approx(by_weights[i, 0], abs=1e-12)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("beam_fwhm", [0.0, [0.8, 0.0, 2.0]])
def test_projection_and_gradient_are_adjoint(backend, dtype, rng, assignment, beam_fwhm):
    """The image is linear in the weights: <project(w), G> = <w, gradient by weights>."""
    positions, weights, support = cloud(rng, 200, dtype, channels=3)
    gradient = rng.normal(size=(3, *SHAPE)).astype(dtype)
    options = dict(pixel_size=PIXEL, origin=ORIGIN, assignment=assignment, smoothing_length=support,
                   beam_fwhm=beam_fwhm, backend=backend)  # fmt: skip
    image = cm.project_particles(positions, weights, shape=SHAPE, **options)
    by = cm.differentiate_projection(gradient, positions, weights, **options)
    forward, back = image.astype(float) * gradient, by.weights.astype(float) * weights
    assert abs(forward.sum() - back.sum()) <= GRADIENT[dtype] * np.abs(forward).sum()


@pytest.mark.parametrize("assignment", ["cic", "tsc", "sph"])
def test_gradient_through_the_beam_is_that_of_finite_differences(rng, assignment):
    positions, weights, support = cloud(rng, 12, np.dtype(float), channels=2)
    gradient = rng.normal(size=(2, *SHAPE))
    options = dict(pixel_size=PIXEL, origin=ORIGIN, assignment=assignment, smoothing_length=np.maximum(support, PIXEL),
                   beam_fwhm=[1.2, 0.4])  # fmt: skip
    by = cm.differentiate_projection(gradient, positions, weights, **options).positions

    def number(positions):
        return (gradient * cm.project_particles(positions, weights, shape=SHAPE, **options)).sum()

    for i in range(len(positions)):
        for axis in range(2):
            shift = np.zeros_like(positions)
            shift[i, axis] = 1e-5
            slope = (number(positions + shift) - number(positions - shift)) / 2e-5
            assert abs(slope - by[i, axis]) <= FINITE_DIFFERENCE * max(1, abs(by[i]).max())


@pytest.mark.parametrize(("edge", "margin", "widest"), [("zero", None, 30.0), ("crop", 3, 1.6), ("crop", None, 1.6)])
def test_beam_adjoint(backend, dtype, rng, edge, margin, widest):
    """<A x, y> = <x, A^T y>, per channel and with beams that reach beyond the image."""
    fwhm, options = [0.0, 1.0, widest], dict(edge=edge, margin=margin, backend=backend)
    x = rng.normal(size=(2, 3, 20, 15)).astype(dtype)
    ax = cm.convolve_beam(x, fwhm, **options)
    y = rng.normal(size=ax.shape).astype(dtype)
    aty = beam.beam_adjoint(y, fwhm, **options)
    assert aty.shape == x.shape
    assert abs(np.vdot(ax.astype(float), y) - np.vdot(x.astype(float), aty)) <= GRADIENT[dtype] * x.size


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8, 64])
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_any_number_of_channels(backend, dtype, rng, channels, assignment):
    positions, weights, support = cloud(rng, 40, dtype, channels)
    gradient = rng.normal(size=(channels, *SHAPE)).astype(dtype)
    whole = call(gradient, positions, weights, support, assignment, backend=backend)
    parts = [call(gradient[c], positions, weights[:, c], support, assignment, backend=backend) for c in range(channels)]
    assert parts[0].weights.shape == (40,)
    assert_close(whole, (sum(p.positions.astype(float) for p in parts), np.stack([p.weights for p in parts], 1)),
                 GRADIENT[dtype])  # fmt: skip


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_flat_gradient_moves_nothing_inside(backend, rng, assignment):
    """Mass is kept: a constant gradient gives weights that constant, and positions nothing."""
    positions = rng.uniform(9, 15, (200, 2))
    by = cm.differentiate_projection(np.full((24, 24), 3.0), positions, np.ones(200), pixel_size=1.0,
                                     assignment=assignment, smoothing_length=rng.uniform(0.03, 6, 200),
                                     backend=backend)  # fmt: skip
    np.testing.assert_allclose(by.weights, 3.0, rtol=1e-12)
    np.testing.assert_allclose(by.positions, 0.0, atol=1e-11)


@given(position=st.tuples(st.floats(3.5, 8.5), st.floats(3.5, 8.5)), support=st.floats(2, 3))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_a_linear_image_pulls_everything_alike(position, support):
    """CIC and TSC keep the centre of mass: on a ramp the gradient by position is its slope. SPH keeps it nearly."""
    ramp = np.arange(12.0)[:, None] * 2 + np.arange(12.0) * -5
    for assignment, bound in (("cic", 1e-11), ("tsc", 1e-11), ("sph", 0.1)):
        by = cm.differentiate_projection(ramp, [position], [1.0], pixel_size=1.0, assignment=assignment,
                                         smoothing_length=[support])  # fmt: skip
        np.testing.assert_allclose(by.positions, [[2.0, -5.0]], atol=bound)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_bits_do_not_depend_on_threads(dtype, rng, n_threads, assignment):
    positions, weights, support = cloud(rng, 20_000, dtype)
    support = np.minimum(support, 3 * PIXEL).astype(dtype)
    gradient = rng.normal(size=(4, *SHAPE)).astype(dtype)
    one = call(gradient, positions, weights, support, assignment, backend="native")
    many = call(gradient, positions, weights, support, assignment, backend="native", n_threads=n_threads)
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_far_particles_have_no_gradient(backend, dtype, assignment):
    far = np.array([[1e30, 3], [-1e30, 3], [4, 1e25], [50.0, -70]], dtype)
    by = cm.differentiate_projection(np.ones((8, 9), dtype), far, np.ones(4, dtype), pixel_size=1.0,
                                     assignment=assignment, smoothing_length=np.ones(4, dtype),
                                     backend=backend)  # fmt: skip
    assert not by.positions.any()
    assert not by.weights.any()


def test_nan_goes_to_the_particles_that_meet_it(backend, dtype):
    gradient = np.zeros((8, 9), dtype)
    gradient[2, 2] = np.nan
    by = cm.differentiate_projection(gradient, np.array([[2.4, 2.4], [5, 5]], dtype), np.ones(2, dtype),
                                     pixel_size=1.0, backend=backend)  # fmt: skip
    assert np.isnan(by.weights).tolist() == [True, False]


def test_inputs_are_not_modified(backend, rng):
    arrays = [rng.normal(size=(4, *SHAPE)), *cloud(rng, 60, np.dtype(float))]
    copies = [a.copy() for a in arrays]
    call(*arrays, "sph", backend=backend, beam_fwhm=1.0)
    for a, b in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("where", "name"), [(0, "positions"), (1, "weights"), (2, "smoothing_length")])
def test_bad_values_are_found_and_named(backend, rng, where, name, bad):
    particles = cloud(rng, 700, np.dtype(float))
    particles[where].reshape(700, -1)[650, -1] = bad
    with pytest.raises(BadInputError, match=f"`{name}`.*1 of .*first at index .*650"):
        call(np.ones((4, *SHAPE)), *particles, "sph", backend=backend)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(gradient=np.zeros((4, 5, 6))), ArrayError, "`gradient` must have shape .rows, columns"),
        (dict(gradient=np.zeros(4)), ArrayError, "gradient"),
        (dict(gradient=np.zeros((0, 5))), DomainError, "gradient"),
        (dict(gradient=np.zeros((4, 5), complex)), DTypeError, "gradient"),
        (dict(weights=np.ones((3, 2))), ArrayError, "`gradient` must have shape .2, rows, columns"),
        (dict(positions=np.zeros((3, 4))), ArrayError, "positions"),
        (dict(pixel_size=0), DomainError, "pixel_size"),
        (dict(assignment="pcs"), DomainError, "assignment"),
        (dict(assignment="sph"), DomainError, "smoothing_length"),
        (dict(n_threads=0), DomainError, "n_threads"),
        (dict(backend="gpu"), DomainError, "backend"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = dict(gradient=np.zeros((4, 5)), positions=np.zeros((3, 2)), weights=np.ones(3), pixel_size=1.0) | change
    first = [arguments.pop(name) for name in ("gradient", "positions", "weights")]
    with pytest.raises(error, match=message):
        cm.differentiate_projection(*first, **arguments)


def test_the_extension_takes_only_results_that_fit():
    from clustermass import _core

    good = [np.zeros((3, 2)), np.ones((3, 1)), np.empty(0), np.zeros((1, 4, 5)), np.zeros((3, 2)), np.zeros((3, 1))]
    options = dict(assignment=1, kernel=0, origin_row=0.0, origin_col=0.0, per_pixel=1.0, n_threads=1)
    assert _core.project_gradient_f64(*good, **options)
    for wrong in ([np.zeros((2, 2)), good[5]], [good[4], np.zeros((3, 2))]):
        with pytest.raises(ArrayError, match="shapes of positions and weights"):
            _core.project_gradient_f64(*good[:4], *wrong, **options)
