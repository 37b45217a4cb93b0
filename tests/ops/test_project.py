"""project_particles against its definition, and the laws it must keep."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError, UnitError
from tests.reference import project as reference
from tests.tolerances import SMOOTH, relative_l2

ASSIGNMENTS = ["ngp", "cic", "tsc", "sph"]
SHAPE, PIXEL, ORIGIN = (24, 17), 0.5, (3.0, -2.0)


def cloud(rng, n, dtype, channels=4):
    """Particles in and around the field, clear of pixel edges by more than float32 rounding."""
    pixels = rng.uniform(-3, 27, (n, 3))
    pixels = np.floor(pixels) + np.clip(pixels - np.floor(pixels), 1e-3, 1 - 1e-3)
    positions = (pixels * PIXEL + [*ORIGIN, 0]).astype(dtype)
    support = (PIXEL * np.exp(rng.uniform(np.log(0.02), np.log(45), n))).astype(dtype)
    return positions, rng.exponential(size=(n, channels)).astype(dtype), support


def call(positions, weights, support, assignment, **kwargs):
    options = dict(shape=SHAPE, pixel_size=PIXEL, origin=ORIGIN) | kwargs
    return cm.project_particles(positions, weights, assignment=assignment, smoothing_length=support, **options)


def expected(positions, weights, support, assignment, kernel="cubic_spline"):
    pixels = (positions.astype(float) - [*ORIGIN, 0]) / PIXEL
    return reference.project(
        pixels, weights, SHAPE, assignment=assignment, kernel=kernel, smoothing_length=support.astype(float) / PIXEL
    )


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("n", [0, 1, 2, 300], ids="n={}".format)
def test_matches_reference(backend, dtype, rng, n, assignment):
    particles = cloud(rng, n, dtype)
    got = call(*particles, assignment, backend=backend)
    assert got.dtype == dtype
    assert relative_l2(got, expected(*particles, assignment)) <= SMOOTH[dtype]


@pytest.mark.parametrize("kernel", ["cubic_spline", "wendland_c2"])
@pytest.mark.parametrize(
    "pixels", [0, 0.01, 0.0625, 0.3, 0.5, 0.99, 1, 2.6, 3.6, 7.4, 31, 33, 400], ids="support={}".format
)
def test_sph_at_every_ratio_of_kernel_to_pixel(backend, dtype, rng, kernel, pixels):
    positions, weights, support = cloud(rng, 40, dtype)
    support[:] = pixels * PIXEL
    got = call(positions, weights, support, "sph", kernel=kernel, backend=backend)
    assert relative_l2(got, expected(positions, weights, support, "sph", kernel)) <= SMOOTH[dtype]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 8, 64])
@pytest.mark.parametrize("assignment", ["cic", "sph"])
def test_any_number_of_channels(backend, dtype, rng, channels, assignment):
    positions, weights, support = cloud(rng, 50, dtype, channels)
    got = call(positions, weights, support, assignment, backend=backend)
    assert got.shape == (channels, *SHAPE)
    for channel in range(channels):
        alone = call(positions, weights[:, channel], support, assignment, backend=backend)
        np.testing.assert_allclose(got[channel], alone, rtol=SMOOTH[dtype], atol=SMOOTH[dtype])


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@given(
    pixel=st.tuples(st.floats(12, 30), st.floats(12, 30)),
    log_support=st.floats(-4, 1),
    log_weight=st.floats(-10, 15),
    kernel=st.sampled_from(["cubic_spline", "wendland_c2"]),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_each_particle_keeps_its_mass(assignment, pixel, log_support, log_weight, kernel):
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        image = cm.project_particles(
            np.array([pixel], dtype), np.array([10**log_weight], dtype), shape=(42, 43), pixel_size=1.0,
            assignment=assignment, kernel=kernel, smoothing_length=np.array([10**log_support], dtype),
        )  # fmt: skip
        assert image.sum(dtype=float) == pytest.approx(np.array(10**log_weight, dtype), rel=tolerance)
        assert (image >= 0).all()


@pytest.mark.parametrize("support", [0.3, 0.9, 2.0, 20.0, 40.0, 100.0])
def test_a_clipped_kernel_loses_what_lies_outside(backend, support):
    """The part of a particle in the image is the same whether the image ends there or not."""
    whole = cm.project_particles([[150.3, 150.2]], [1.0], shape=(300, 300), pixel_size=1.0, assignment="sph",
                                 smoothing_length=[support], backend=backend)  # fmt: skip
    part = cm.project_particles([[150.3, 150.2]], [1.0], shape=(60, 40), pixel_size=1.0, origin=(150, 140),
                                assignment="sph", smoothing_length=[support], backend=backend)  # fmt: skip
    assert whole.sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(part, whole[150:210, 140:180], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_linear_in_weight_and_blind_to_order(backend, dtype, rng, assignment):
    positions, weights, support = cloud(rng, 200, dtype)
    image = call(positions, weights, support, assignment, backend=backend)
    np.testing.assert_allclose(call(positions, 3 * weights, support, assignment, backend=backend), 3 * image,
                               rtol=SMOOTH[dtype], atol=1e-5 if dtype == np.float32 else 1e-13)  # fmt: skip
    order = rng.permutation(200)
    shuffled = call(positions[order], weights[order], support[order], assignment, backend=backend)
    assert relative_l2(shuffled, image) <= SMOOTH[dtype]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_shift_of_the_input_is_a_shift_of_the_image(backend, rng, assignment):
    positions = rng.uniform(8, 16, (100, 2))
    support, options = (
        rng.uniform(0.05, 4, 100),
        dict(shape=(30, 30), pixel_size=1.0, assignment=assignment, backend=backend),
    )
    image = cm.project_particles(positions, np.ones(100), smoothing_length=support, **options)
    moved = cm.project_particles(positions + [3, 5], np.ones(100), smoothing_length=support, **options)
    np.testing.assert_allclose(moved[3:, 5:], image[:-3, :-5], atol=1e-13)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_bits_do_not_depend_on_threads(dtype, rng, n_threads, assignment):
    n = 40_000 if assignment == "sph" else 300_000
    positions, weights, support = cloud(rng, n, dtype)
    support = np.minimum(support, 3 * PIXEL).astype(dtype)
    one = call(positions, weights, support, assignment, backend="native")
    assert np.array_equal(one, call(positions, weights, support, assignment, backend="native", n_threads=n_threads))


def test_other_threads_run_while_the_kernel_does(rng):
    """The GIL is released: another Python thread makes progress during one native call."""
    positions, weights, support = cloud(rng, 400_000, np.dtype(float))
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.wait(0.002):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    call(positions, weights, np.minimum(support, 8 * PIXEL), "sph", backend="native")
    end = time.perf_counter()
    stop.set()
    thread.join()
    assert sum(start < t < end for t in ticks) >= 3


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_far_particles_are_ignored(backend, dtype, assignment):
    far = np.array([[1e30, 3], [-1e30, 3], [4, 1e25], [50.0, -70]], dtype)
    image = cm.project_particles(far, np.ones(4, dtype), shape=(8, 9), pixel_size=1.0, assignment=assignment,
                                 smoothing_length=np.ones(4, dtype), backend=backend)  # fmt: skip
    assert not image.any()


def test_edges_belong_to_the_pixel_above(backend, dtype):
    edge = np.array([0.0, -0.0, 1.0, np.nextafter(dtype.type(1), dtype.type(0)), 3.0], dtype)
    image = cm.project_particles(np.stack([edge, np.full(5, 0.5, dtype)], 1), np.ones(5, dtype), shape=(3, 1),
                                 pixel_size=1.0, assignment="ngp", backend=backend)  # fmt: skip
    np.testing.assert_array_equal(image[:, 0], [3, 1, 0])  # 3.0 is the outer edge: outside


def test_layouts_and_lists_give_the_same(backend, rng):
    positions, weights, support = cloud(rng, 60, np.dtype(float))
    want = call(positions, weights, support, "sph", backend=backend)
    padded = np.repeat(np.repeat(positions, 2, 0), 2, 1)[::2, ::2]
    frozen = positions.copy()
    frozen.flags.writeable = False
    for p in (padded, np.asfortranarray(positions), positions.astype(">f8"), frozen, positions[::-1][::-1],
              positions.tolist()):  # fmt: skip
        np.testing.assert_allclose(call(p, weights, support, "sph", backend=backend), want, rtol=1e-9, atol=1e-12)


def test_positions_with_units(host_backend, rng):
    u = pytest.importorskip("astropy.units")
    positions, weights, support = cloud(rng, 60, np.dtype(float))
    want = call(positions, weights, support, "sph", backend=host_backend)
    got = call((1000 * positions) * u.kpc, weights, support, "sph", backend=host_backend)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_inputs_are_not_modified(backend, rng):
    particles = cloud(rng, 60, np.dtype(float))
    copies = [a.copy() for a in particles]
    call(*particles, "sph", backend=backend, beam_fwhm=1.0)
    for a, b in zip(particles, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@given(where=st.integers(0, 2), item=st.integers(0, 199), bad=st.sampled_from([np.nan, np.inf, -np.inf]))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_bad_values_are_found_and_named(where, item, bad):
    rng = np.random.default_rng(item)
    for dtype in (np.float32, np.float64):
        for name in ("native", "numba"):
            particles = cloud(rng, 200, np.dtype(dtype))
            particles[where].reshape(200, -1)[item, -1] = bad
            argument = ("positions", "weights", "smoothing_length")[where]
            with pytest.raises(BadInputError, match=f"`{argument}`.*1 of .*first at index .*{item}"):
                call(*particles, "sph", backend=name)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(positions=np.zeros((3, 4))), ArrayError, "positions"),
        (dict(positions=np.zeros(3)), ArrayError, "positions"),
        (dict(positions=np.zeros((3, 2), complex)), DTypeError, "positions"),
        (dict(positions=np.zeros((3, 2), np.float16)), DTypeError, "positions"),
        (dict(positions=np.zeros((3, 2), object)), DTypeError, "positions"),
        (dict(weights=np.ones(4)), ArrayError, "weights"),
        (dict(weights=np.ones((3, 65))), ArrayError, "64 channels"),
        (dict(weights=np.ones((3, 0))), ArrayError, "64 channels"),
        (dict(shape=(0, 4)), DomainError, "shape"),
        (dict(shape=(4,)), ArrayError, "shape"),
        (dict(shape=(4.0, 4)), DTypeError, "shape"),
        (dict(pixel_size=0), DomainError, "pixel_size"),
        (dict(pixel_size=np.nan), DomainError, "pixel_size"),
        (dict(origin=(np.inf, 0)), DomainError, "origin"),
        (dict(assignment="pcs"), DomainError, "assignment.*'ngp'.*'pcs'"),
        (dict(assignment="sph"), DomainError, "smoothing_length"),
        (dict(assignment="sph", smoothing_length=[1, -1, 1]), BadInputError, "smoothing_length.*first at index 1"),
        (dict(assignment="sph", smoothing_length=[1, 1]), ArrayError, "smoothing_length"),
        (dict(kernel="gauss"), DomainError, "kernel"),
        (dict(n_threads=0), DomainError, "n_threads"),
        (dict(n_threads=1.5), DTypeError, "n_threads"),
        (dict(backend="gpu"), DomainError, "backend"),
        (dict(beam_fwhm=-1.0), BadInputError, "fwhm"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = dict(positions=np.zeros((3, 2)), weights=np.ones(3), shape=(4, 5), pixel_size=1.0) | change
    with pytest.raises(error, match=message):
        cm.project_particles(arguments.pop("positions"), arguments.pop("weights"), **arguments)


def test_wrong_unit_is_refused():
    u = pytest.importorskip("astropy.units")
    with pytest.raises(UnitError, match="positions"):
        cm.project_particles(np.zeros((3, 2)) * u.km / u.s, np.ones(3), shape=(4, 5), pixel_size=1.0)


def test_beam_is_that_of_a_larger_image_cropped(backend, rng):
    """Structure outside the field leaks in: the image equals the middle of a larger one that was smoothed."""
    positions, weights = rng.uniform(0, 60, (500, 2)), rng.uniform(size=(500, 2))
    options = dict(pixel_size=1.0, beam_fwhm=[3.0, 0.0], backend=backend)
    small = cm.project_particles(positions, weights, shape=(20, 22), origin=(20, 20), **options)
    large = cm.project_particles(positions, weights, shape=(60, 60), **options)
    np.testing.assert_allclose(small, large[:, 20:40, 20:42], atol=1e-12)
    assert not np.allclose(small[0], small[1])
