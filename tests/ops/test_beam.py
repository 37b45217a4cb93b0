from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import clustermass as cm
from clustermass import _backend, errors
from clustermass.ops.beam import FWHM_PER_SIGMA
from tests.reference import beam as reference
from tests.threads import others_run_during
from tests.tolerances import BEAM, F64, peak_error

SIGMAS = [0.05, 0.17, 0.5, 2.5, 24.6]
SIZES = [(1, 1), (1, 40), (7, 3), (16, 16), (37, 121), (33, 260)]


def sky(rng, n, rows, cols, dtype):
    """Bright points on a faint ground, as on a map of clusters."""
    images = rng.exponential(size=(n, rows, cols))
    return (images + 1e3 * (rng.random(images.shape) > 0.98)).astype(dtype)


# --- against the definition, and against other people's code


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matches_reference(backend, dtype, rng, size, sigma):
    images = sky(rng, 3, *size, dtype)
    got = cm.convolve_beam(images, sigma * FWHM_PER_SIGMA, backend=backend)
    assert got.dtype == dtype
    assert got.shape == images.shape
    assert peak_error(got, reference.convolve_beam(images, sigma * FWHM_PER_SIGMA)) <= BEAM[dtype]


@pytest.mark.parametrize(("sigma", "margin"), [(0.05, 5), (0.5, 2), (2.5, 10), (2.5, 15), (6.0, 24)])
def test_crop_matches_reference(backend, dtype, rng, sigma, margin):
    images = sky(rng, 3, 71, 86, dtype)
    got = cm.convolve_beam(images, sigma * FWHM_PER_SIGMA, edge="crop", margin=margin, backend=backend)
    want = reference.convolve_beam(images, sigma * FWHM_PER_SIGMA, margin=margin)
    assert got.shape == want.shape == (3, 71 - 2 * margin, 86 - 2 * margin)
    assert peak_error(got, want) <= BEAM[dtype]


@pytest.mark.parametrize("size", [(48, 48), (61, 30), (300, 20)], ids=str)
def test_matches_scipy(backend, dtype, rng, size):
    images = sky(rng, 2, *size, dtype)
    want = gaussian_filter(images.astype(float), 3.57, mode="constant", truncate=4.0, axes=(1, 2))
    got = cm.convolve_beam(images, 3.57 * FWHM_PER_SIGMA, backend=backend)
    assert peak_error(got, want) <= BEAM[dtype]


def test_matches_astropy(rng):
    found = pytest.importorskip("astropy.convolution")
    (image,) = images = sky(rng, 1, 40, 52, F64)
    kernel = found.Gaussian2DKernel(2.0, x_size=17, y_size=17)  # samples at pixel centres, cut at 4 sigma
    want = found.convolve(image, kernel, boundary="fill", fill_value=0.0, normalize_kernel=True)
    assert peak_error(cm.convolve_beam(images, 2.0 * FWHM_PER_SIGMA)[0], want) <= BEAM[F64]


def test_every_channel_has_its_beam(backend, dtype, rng):
    fwhm = [0.0, 3.0, 1.0, 30.0]
    images = sky(rng, 2 * 4, 45, 50, dtype).reshape(2, 4, 45, 50)
    got = cm.convolve_beam(images, fwhm, backend=backend)
    for channel, width in enumerate(fwhm):
        np.testing.assert_array_equal(got[:, channel], cm.convolve_beam(images[:, channel], width, backend=backend))
    np.testing.assert_array_equal(got[:, 0], images[:, 0])
    margin = cm.beam_margin(fwhm[:3])
    cropped = cm.convolve_beam(images, [*fwhm[:3], 0.0], edge="crop", backend=backend)
    assert cropped.shape == (2, 4, 45 - 2 * margin, 50 - 2 * margin)
    np.testing.assert_array_equal(cropped[:, 3], images[:, 3, margin:-margin, margin:-margin])


# --- properties


def test_crop_is_what_a_larger_sky_shows(backend, dtype, rng):
    """A field cut from a larger sky with its margin gives the same as the larger sky smoothed and cut."""
    large = sky(rng, 2, 80, 90, dtype)
    margin = cm.beam_margin(6.0)
    cut = large[:, 30 - margin : 54 + margin, 25 - margin : 64 + margin]
    got = cm.convolve_beam(cut, 6.0, edge="crop", backend=backend)
    assert got.shape == (2, 24, 39)
    assert peak_error(got, cm.convolve_beam(large, 6.0, backend=backend)[:, 30:54, 25:64]) <= BEAM[dtype]


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("sigma", [0.3, 2.5, 12.0])
def test_flux_inside_is_kept(backend, dtype, bound, sigma):
    reach = cm.beam_margin(sigma * FWHM_PER_SIGMA)
    images = np.zeros((1, 2 * reach + 20, 2 * reach + 25), dtype)
    images[0, reach:-reach, reach:-reach] = np.arange(1, 501).reshape(20, 25)
    smooth = cm.convolve_beam(images, sigma * FWHM_PER_SIGMA, backend=backend)
    assert smooth.sum(dtype=float) == pytest.approx(images.sum(dtype=float), rel=bound)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 20.0), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_linear_and_its_own_adjoint(seed, fwhm, rows, cols):
    x, y = np.random.default_rng(seed).normal(size=(2, 1, rows, cols))
    smooth_x, smooth_y = cm.convolve_beam(x, fwhm), cm.convolve_beam(y, fwhm)
    np.testing.assert_allclose(cm.convolve_beam(2 * x - 3 * y, fwhm), 2 * smooth_x - 3 * smooth_y, atol=1e-13)
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    assert abs(np.vdot(smooth_x, y) - np.vdot(x, smooth_y)) <= 1e-13 * scale
    np.testing.assert_allclose(cm.convolve_beam(x[:, ::-1, ::-1], fwhm), smooth_x[:, ::-1, ::-1], atol=1e-14)
    transposed = cm.convolve_beam(x.swapaxes(1, 2), fwhm)
    np.testing.assert_allclose(transposed, smooth_x.swapaxes(1, 2), atol=1e-13)


def test_two_beams_are_one_wider_beam(backend):
    """Sampled Gaussians add in quadrature to the precision of the cut at 6 sigma."""
    images = np.zeros((1, 121, 121))
    images[0, 60, 60] = 1.0
    twice = images
    for fwhm in (6.0, 8.0):
        twice = cm.convolve_beam(twice, fwhm, truncate=6.0, backend=backend)
    assert peak_error(twice, cm.convolve_beam(images, 10.0, truncate=6.0, backend=backend)) < 1e-7


def test_batching_and_in_place_do_not_change_the_bits(backend, dtype, rng):
    images = sky(rng, 9, 30, 41, dtype)
    whole = cm.convolve_beam(images, 5.0, backend=backend)
    for i in range(9):
        np.testing.assert_array_equal(cm.convolve_beam(images[i : i + 1], 5.0, backend=backend)[0], whole[i])
    out = np.full_like(images, np.nan)
    assert cm.convolve_beam(images, 5.0, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, whole)
    assert cm.convolve_beam(images, 5.0, out=images, backend=backend) is images
    np.testing.assert_array_equal(images, whole)


@pytest.mark.parametrize("rows", [1, 9, 200, 700])
def test_in_place_when_the_beam_is_wide(dtype, rng, rows):
    images = sky(rng, 2, rows, 19, dtype)
    want = cm.convolve_beam(images, 70.0)
    np.testing.assert_array_equal(cm.convolve_beam(images, 70.0, out=images), want)


# --- units and the margin


def test_angles_and_pixels_mean_the_same(rng):
    images = sky(rng, 1, 40, 40, F64)
    want = cm.convolve_beam(images, 8.4)
    np.testing.assert_allclose(cm.convolve_beam(images, 84.0, pixel_size=10.0), want, rtol=1e-12)
    u = pytest.importorskip("astropy.units")
    got = cm.convolve_beam(images, 1.4 * u.arcmin, pixel_size=10 * u.arcsec)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(
    ("fwhm", "pixel_size", "want"), [(0.0, 1.0, 0), (84.0, 10.0, 14), ([4.0, 84.0, 0.0], 10.0, 14), (4.0, 10.0, 1)]
)
def test_margin(fwhm, pixel_size, want):
    assert cm.beam_margin(fwhm, pixel_size=pixel_size) == want
    u = pytest.importorskip("astropy.units")
    assert cm.beam_margin(fwhm * u.arcsec, pixel_size=pixel_size * u.arcsec) == want


# --- edges


def test_empty_batches(backend, dtype):
    assert cm.convolve_beam(np.zeros((0, 5, 6), dtype), 2.0, backend=backend).shape == (0, 5, 6)
    assert cm.convolve_beam(np.zeros((3, 0, 5, 6), dtype), 2.0, backend=backend).shape == (3, 0, 5, 6)
    got = cm.convolve_beam(np.zeros((0, 2, 25, 36), dtype), 2.0, edge="crop", backend=backend)
    assert got.shape == (0, 2, 25 - 6, 36 - 6)


def test_any_layout_and_read_only_input(backend, rng):
    images = sky(rng, 4, 20, 22, F64)
    want = cm.convolve_beam(images, 3.0, backend=backend)
    views = [np.asfortranarray(images), images.astype(">f8"), np.repeat(images, 2, axis=2)[:, :, ::2], images.tolist()]
    images.setflags(write=False)
    for view in [*views, images]:
        np.testing.assert_array_equal(cm.convolve_beam(view, 3.0, backend=backend), want)
    counts = np.arange(24).reshape(1, 4, 6)
    assert cm.convolve_beam(counts, 1.0, backend=backend).dtype == np.float64


def test_beam_far_wider_than_the_image(backend):
    got = cm.convolve_beam(np.ones((1, 3, 4)), 1e4, backend=backend)
    assert got == pytest.approx(12 / (2 * np.pi * (1e4 / FWHM_PER_SIGMA) ** 2), rel=1e-3)


# --- errors


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0, 0), (2, 119, 20), (4, 64, 119)])
def test_not_finite_is_refused_and_loses_nothing(backend, dtype, rng, bad, where):
    images = sky(rng, 5, 120, 120, dtype)
    images[where] = bad
    before = images.copy()
    message = rf"`images` must be finite, got 1 of {images.size} values.*{where[0]}, {where[1]}, {where[2]}"
    for fwhm in (0.0, 3.0, 60.0):
        with pytest.raises(errors.BadInputError, match=message):
            cm.convolve_beam(images, fwhm, backend=backend)
        with pytest.raises(errors.BadInputError, match=message):
            cm.convolve_beam(images, fwhm, out=images, backend=backend, n_threads=2)
    np.testing.assert_array_equal(images, before)


def test_border_that_no_beam_meets_may_hold_anything(backend, dtype, rng):
    images = sky(rng, 2, 50, 50, dtype)
    want = cm.convolve_beam(images, 3.0, edge="crop", margin=9, backend=backend)
    images[:, :3] = images[:, :, :3] = np.nan  # the beam reaches 5 pixels
    images[:, 47:] = images[:, :, 47:] = np.inf
    np.testing.assert_array_equal(cm.convolve_beam(images, 3.0, edge="crop", margin=9, backend=backend), want)
    images[1, 4, 25] = np.nan
    with pytest.raises(errors.BadInputError, match="`images`"):
        cm.convolve_beam(images, 3.0, edge="crop", margin=9, backend=backend)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.ones((4, 4))}, errors.ArrayError, "`images` must have shape"),
        ({"images": np.ones((1, 0, 4))}, errors.ArrayError, "`images` must have pixels"),
        ({"images": np.ones((1, 4, 4), complex)}, errors.DTypeError, "`images`"),
        (
            {"images": np.ones((1, 2, 4, 4)), "fwhm": [1.0, 2.0, 3.0]},
            errors.ArrayError,
            r"one per channel \(2\), got 3",
        ),
        ({"fwhm": [1.0, 2.0]}, errors.ArrayError, r"`fwhm` must be one number"),
        ({"fwhm": -1.0}, errors.BadInputError, "`fwhm` must not be negative"),
        ({"fwhm": np.nan}, errors.BadInputError, "`fwhm` must be finite"),
        ({"fwhm": "wide"}, errors.DTypeError, "`fwhm`"),
        ({"fwhm": 1e6}, errors.DomainError, "`fwhm` must not reach further than 65536 pixels"),
        ({"pixel_size": 0.0}, errors.DomainError, "`pixel_size`"),
        ({"truncate": 0.0}, errors.DomainError, "`truncate`"),
        ({"edge": "wrap"}, errors.DomainError, "`edge` must be one of 'zero', 'crop'"),
        ({"margin": 3}, errors.DomainError, "`margin` must be left out"),
        ({"edge": "crop", "margin": 2}, errors.DomainError, "`margin` must be >= 3"),
        ({"edge": "crop", "margin": 2.5}, errors.DTypeError, "`margin`"),
        ({"edge": "crop", "margin": 4}, errors.ArrayError, "inside the margin of 4, got 8 x 8"),
        ({"n_threads": 0}, errors.DomainError, "`n_threads`"),
        ({"backend": "gpu"}, errors.DomainError, "`backend`"),
        ({"out": np.ones((1, 8, 8), np.float32)}, errors.DTypeError, "`out` must have dtype float64"),
        ({"out": np.ones((1, 8, 9))}, errors.ArrayError, r"`out` must have shape \(1, 8, 8\)"),
        ({"out": np.ones((1, 8, 16))[:, :, ::2]}, errors.ArrayError, "`out` must be writable memory"),
        ({"out": [[[0.0]]]}, errors.DTypeError, "`out` must be an ndarray"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = {"images": np.ones((1, 8, 8)), "fwhm": 2.0} | change
    with pytest.raises(error, match=message):
        cm.convolve_beam(**arguments)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"fwhm": "arcsec"}, "`pixel_size` must carry a unit"),
        ({"pixel_size": "arcsec"}, "`fwhm` must carry a unit"),
        ({"fwhm": "kpc", "pixel_size": "arcsec"}, "`fwhm` must be convertible to rad"),
    ],
)
def test_units_that_do_not_fit(units, message):
    u = pytest.importorskip("astropy.units")
    arguments = {"fwhm": 2.0, "pixel_size": 1.0} | {name: 2.0 * u.Unit(unit) for name, unit in units.items()}
    with pytest.raises(errors.UnitError, match=message):
        cm.convolve_beam(np.ones((1, 8, 8)), **arguments)


def test_overlapping_output_is_refused():
    memory = np.zeros(2 * 64 + 8)
    images = memory[:128].reshape(2, 8, 8)
    for out in (memory[8:136].reshape(2, 8, 8), memory[1:129].reshape(2, 8, 8)):
        with pytest.raises(errors.ArrayError, match="`out` must share no memory"):
            cm.convolve_beam(images, 2.0, out=out)
    with pytest.raises(errors.ArrayError, match="`out` must share no memory"):
        cm.convolve_beam(images, 1.0, edge="crop", margin=2, out=memory[:32].reshape(2, 4, 4))


def test_the_extension_guards_memory_itself():
    core = _backend.load("native", "beam")
    images, taps, reach = np.ones((2, 8, 8)), np.ones((1, 3)), np.array([2])

    def call(**change):
        arguments = {
            "images": images,
            "taps": taps,
            "reach": reach,
            "out": np.empty((2, 8, 8)),
            "margin": 0,
            "n_threads": 1,
        }
        return core.beam_f64(**(arguments | change))

    assert call() is True
    for change, error in [
        ({"reach": np.array([3])}, errors.DomainError),
        ({"reach": np.array([-1])}, errors.DomainError),
        ({"reach": np.array([1, 1])}, errors.ArrayError),
        ({"taps": np.ones((0, 3)), "reach": np.empty(0, np.int64)}, errors.ArrayError),
        ({"taps": np.ones((3, 3)), "reach": np.array([1, 1, 1])}, errors.ArrayError),
        ({"margin": -1}, errors.DomainError),
        ({"margin": 1}, errors.DomainError),
        ({"margin": 2}, errors.ArrayError),
        ({"margin": 4, "out": np.empty((2, 0, 0))}, errors.ArrayError),
        ({"out": np.empty((3, 8, 8))}, errors.ArrayError),
        ({"out": np.empty((2, 8, 8), np.float32)}, errors.ArrayError),
        ({"images": np.ones((2, 8, 8), np.float32)}, errors.ArrayError),
        ({"out": images[::-1]}, errors.ArrayError),
        ({"n_threads": 0}, errors.DomainError),
    ]:
        with pytest.raises(error):
            call(**change)


# --- threads


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_result_does_not_depend_on_threads(dtype, rng, n_threads):
    images = sky(rng, 60, 64, 65, dtype).reshape(30, 2, 64, 65)
    one = cm.convolve_beam(images, [3.0, 9.0], backend="native")
    many = cm.convolve_beam(images, [3.0, 9.0], n_threads=n_threads, backend="native")
    np.testing.assert_array_equal(one, many)


def test_other_python_threads_run_meanwhile(rng):
    images = sky(rng, 200, 120, 120, np.float32)
    assert others_run_during(lambda: cm.convolve_beam(images, 60.0, backend="native"))
