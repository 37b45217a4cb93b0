"""velocity_dispersions and shifting_gapper against their definitions, astropy, and planted answers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.reference import dispersion as reference
from tests.tolerances import DISPERSION

METHODS = ("std", "gapper", "biweight")
RICHNESS = (0, 1, 2, 3, 4, 5, 8, 17, 40, 63, 64, 65, 100, 700)


def batch(rng, dtype=float, richness=RICHNESS, outliers=True):
    """Velocities of clusters of their own mean and dispersion, with some galaxies far away in velocity."""
    offsets = np.cumsum([0, *richness])
    scale = np.repeat(rng.uniform(200, 1000, len(richness)), richness)
    velocity = rng.normal(np.repeat(rng.normal(0, 100, len(richness)), richness), scale)
    if outliers:
        far = rng.random(velocity.size) < 0.1
        velocity[far] = rng.uniform(-6000, 6000, far.sum())
    return velocity.astype(dtype), offsets


def assert_same(got, want, tolerance):
    sigma, location, n_used = want
    np.testing.assert_array_equal(got.n_used, n_used)
    np.testing.assert_allclose(got.sigma, sigma, rtol=tolerance)
    np.testing.assert_allclose(got.location, location, atol=tolerance * 6000, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("clip", [None, 3.0, 1.5])
@pytest.mark.parametrize("with_errors", [False, True])
def test_matches_reference(backend, dtype, rng, method, clip, with_errors):
    velocity, offsets = batch(rng, dtype)
    error = rng.uniform(10, 300, velocity.size).astype(dtype) if with_errors else None
    got = cm.velocity_dispersions(velocity, offsets, method=method, clip=clip, velocity_error=error, backend=backend)
    assert got.sigma.dtype == got.location.dtype == np.float64
    want = reference.velocity_dispersions(velocity, offsets, method, clip, error)
    assert_same(got, want, DISPERSION)
    assert clip is None or (got.n_used < np.diff(offsets)).any()
    assert np.isnan(got.sigma).tolist() == [n < 2 for n in got.n_used]


def test_the_definition_is_astropys(rng):
    stats = pytest.importorskip("astropy.stats")
    velocity, offsets = batch(rng)
    for first, last in pairwise(offsets[3:]):
        v = velocity[first:last]
        location, scale = reference.biweight(v)
        np.testing.assert_allclose(scale, stats.biweight_scale(v), rtol=1e-13)
        np.testing.assert_allclose(location, stats.biweight_location(v), atol=1e-10)


@pytest.mark.parametrize("clip", [1.5, 2.0, 3.0])
def test_clipping_is_astropys(backend, rng, clip):
    stats = pytest.importorskip("astropy.stats")
    velocity, offsets = batch(rng)
    got = cm.velocity_dispersions(velocity, offsets, clip=clip, backend=backend)
    for i, (first, last) in enumerate(pairwise(offsets)):
        if last - first > 1:
            kept = stats.sigma_clip(
                velocity[first:last], sigma=clip, maxiters=5, cenfunc="mean", masked=False,
                stdfunc=lambda v, axis=None: np.std(v, axis=axis, ddof=1),
            )  # fmt: skip
            assert got.n_used[i] == kept.size
            np.testing.assert_allclose(got.sigma[i], kept.std(ddof=1), rtol=DISPERSION)


@pytest.mark.parametrize(
    ("method", "mean", "spread"), [("std", -0.0025, 1.0), ("gapper", 0, 1.01), ("biweight", 0.003, 1.045)]
)
def test_a_gaussian_of_known_dispersion(method, mean, spread):
    """Bias (that of the standard deviation is -1 / (4 n)) and loss of precision for 100 Gaussian velocities: textbook
    values for the first, measured for the others, to four standard errors of 20,000 clusters."""
    velocity = np.random.default_rng(5).normal(150, 800, (20_000, 100))
    got = cm.velocity_dispersions(velocity.ravel(), np.arange(0, velocity.size + 1, 100), method=method)
    ratio = got.sigma / 800
    assert abs(ratio.mean() - 1 - mean) < 4 * ratio.std() / np.sqrt(20_000)
    assert abs(ratio.std() * np.sqrt(2 * 99) / spread - 1) < 4 / np.sqrt(2 * 20_000)
    assert abs(got.location.mean() - 150) < 4 * 80 / np.sqrt(20_000)


@pytest.mark.parametrize("method", METHODS)
def test_shift_and_scale(rng, method):
    velocity, offsets = batch(rng)
    one = cm.velocity_dispersions(velocity, offsets, method=method, clip=3)
    two = cm.velocity_dispersions(-2 * velocity + 300, offsets, method=method, clip=3)
    assert_same(two, (2 * one.sigma, 300 - 2 * one.location, one.n_used), 1e-11)


def test_interlopers_move_the_robust_ones_less(rng):
    velocity, offsets = batch(rng, richness=(100,) * 200, outliers=False)
    clean = cm.velocity_dispersions(velocity, offsets).sigma
    velocity[::10] = rng.uniform(3000, 6000, velocity[::10].size)
    moved = {m: np.median(cm.velocity_dispersions(velocity, offsets, method=m).sigma / clean) for m in METHODS}
    assert moved["std"] > moved["gapper"] > 1.3 > moved["biweight"] > 0.9
    clipped = np.median(cm.velocity_dispersions(velocity, offsets, clip=3.0).sigma / clean)
    assert clipped < moved["std"]


def test_errors_are_subtracted_in_quadrature(backend, rng):
    velocity, offsets = batch(rng)
    plain = cm.velocity_dispersions(velocity, offsets, backend=backend)
    less = cm.velocity_dispersions(velocity, offsets, velocity_error=120.0, backend=backend)
    np.testing.assert_allclose(less.sigma, np.sqrt(np.maximum(plain.sigma**2 - 120.0**2, 0)), rtol=1e-12)
    huge = cm.velocity_dispersions(velocity, offsets, velocity_error=1e5, backend=backend)
    assert np.nanmax(huge.sigma) == 0.0


@pytest.mark.parametrize("kind", ["outlier", "two values", "tiny", "huge", "ramp", "ties"])
def test_rich_clusters_of_odd_spread(backend, rng, kind):
    """What a sort by value could stumble over."""
    n = 900
    velocity = {
        "outlier": np.append(rng.normal(0, 700, n - 1), 1e99),
        "two values": np.where(rng.random(n) < 0.5, -300.0, 300.0),
        "tiny": rng.normal(0, 1, n) * 1e-310,
        "huge": rng.normal(0, 1, n) * 1e98,
        "ramp": np.arange(n)[::-1] * 1.0,
        "ties": rng.normal(0, 700, n).round(-2),
    }[kind]
    want = reference.velocity_dispersions(velocity, [0, n], "gapper")
    got = cm.velocity_dispersions(velocity, [0, n], method="gapper", backend=backend)
    np.testing.assert_allclose([got.sigma, got.location], want[:2], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_coincident_velocities_have_no_dispersion(backend, method):
    got = cm.velocity_dispersions([70.0] * 9 + [1.0, 1.0, 1.0, 5.0], [0, 9, 13], method=method, clip=3, backend=backend)
    assert (got.sigma[0], got.location[0], got.n_used[0]) == (0.0, 70.0, 9)
    if method == "biweight":  # more than half coincide: as astropy
        assert (got.sigma[1], got.location[1]) == (0.0, 1.0)


def test_clipping_may_leave_too_few(backend):
    got = cm.velocity_dispersions([-500.0, 500.0, 3.0], [0, 2, 3], clip=0.5, backend=backend)
    assert np.isnan(got.sigma).all()
    assert np.isnan(got.location).all()
    assert got.n_used.tolist() == [0, 1]


def test_no_clusters(backend):
    got = cm.velocity_dispersions([], [0], backend=backend)
    assert got.sigma.shape == got.location.shape == got.n_used.shape == (0,)
    assert cm.shifting_gapper([], [], [0], backend=backend).shape == (0,)


@pytest.mark.parametrize("method", METHODS)
def test_threads_and_batches_give_the_same_bits(rng, method):
    velocity, offsets = batch(rng, np.float32, richness=rng.integers(0, 400, 700))
    how = dict(method=method, clip=2.5)
    one = cm.velocity_dispersions(velocity, offsets, **how)
    many = cm.velocity_dispersions(velocity, offsets, **how, n_threads=4)
    alone = [cm.velocity_dispersions(velocity[a:b], [0, b - a], **how).sigma[0] for a, b in pairwise(offsets)]
    for other in (many.sigma, np.array(alone)):
        assert other.tobytes() == one.sigma.tobytes()
    radius = rng.random(velocity.size).astype(np.float32)
    np.testing.assert_array_equal(
        cm.shifting_gapper(radius, velocity, offsets), cm.shifting_gapper(radius, velocity, offsets, n_threads=4)
    )


@pytest.mark.parametrize("per_bin", [1, 6, 25, 40])
def test_shifting_gapper_matches_reference(backend, dtype, rng, per_bin):
    velocity, offsets = batch(rng, dtype)
    radius = rng.random(velocity.size).astype(dtype).round(2)  # with ties
    got = cm.shifting_gapper(radius, velocity, offsets, per_bin=per_bin, backend=backend)
    want = reference.shifting_gapper(radius, velocity, offsets, per_bin=per_bin)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == bool
    assert per_bin < 10 or 0.8 < got.mean() < 1


@pytest.mark.parametrize(("gap", "members"), [(100.0, 2), (500.0, 10), (1e6, 5)])
def test_settings_of_the_shifting_gapper(backend, rng, gap, members):
    velocity, offsets = batch(rng)
    radius = rng.random(velocity.size)
    how = dict(min_gap=gap, min_members=members)
    got = cm.shifting_gapper(radius, velocity, offsets, **how, backend=backend)
    np.testing.assert_array_equal(got, reference.shifting_gapper(radius, velocity, offsets, **how))
    assert gap < 1e6 or got.all()


def test_planted_interlopers_are_found(rng):
    """A rich cluster with a foreground and a background sheet. Bins of small dispersion are left alone: the rule."""
    n = 400
    velocity = np.concatenate([rng.normal(0, 1100, n), rng.normal(-5500, 150, 30), rng.normal(6000, 150, 30)])
    keep = cm.shifting_gapper(rng.random(n + 60) * 2, velocity, [0, n + 60])
    assert not keep[n:].any()
    assert keep[:n].mean() > 0.93
    cleaned = velocity[keep]
    assert abs(cm.velocity_dispersions(cleaned, [0, cleaned.size]).sigma[0] / velocity[:n].std() - 1) < 0.1


def test_a_lone_galaxy_on_one_side_stays(backend):
    velocity = np.array([-600.0, *np.linspace(100, 4000, 24)])
    assert cm.shifting_gapper(np.zeros(25), velocity, [0, 25], backend=backend)[0]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"velocity": [1.0, np.nan, 2.0]}, BadInputError, "`velocity` must be finite, .* first at index 1"),
        ({"velocity": [1.0, 2.0, -np.inf]}, BadInputError, "`velocity` must be finite"),
        ({"velocity": [1.0, 2.0, -1e101]}, BadInputError, "`velocity` must be at most 1e100, got -1e.101 at index 2"),
        ({"velocity": [[1.0, 2.0, 3.0]]}, ArrayError, "`velocity` must have shape"),
        ({"velocity": ["a", "b", "c"]}, DTypeError, "`velocity`"),
        ({"offsets": [0, 2]}, ArrayError, "`offsets` must end at the number of values 3, got 2"),
        ({"offsets": [0, 2, 1, 3]}, BadInputError, "`offsets`"),
        ({"method": "mad"}, DomainError, "`method` must be one of 'std', 'gapper', 'biweight', got 'mad'"),
        ({"clip": 0}, DomainError, "`clip` must be finite and > 0, got 0"),
        ({"clip": np.nan}, DomainError, "`clip`"),
        ({"velocity_error": -1.0}, DomainError, "`velocity_error`"),
        ({"velocity_error": [1.0, -1.0, 1.0]}, BadInputError, "`velocity_error` must not be negative"),
        ({"velocity_error": [1.0, np.nan, 1.0]}, BadInputError, "`velocity_error` must be finite"),
        ({"velocity_error": [1.0]}, ArrayError, "`velocity_error`"),
        ({"n_threads": 0}, DomainError, "`n_threads`"),
    ],
)
def test_errors_name_the_argument(host_backend, kwargs, error, message):
    arguments = {"velocity": [1.0, 2.0, 3.0], "offsets": [0, 3], "backend": host_backend} | kwargs
    with pytest.raises(error, match=message):
        cm.velocity_dispersions(**arguments)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"radius": [1.0, np.nan]}, BadInputError, "`radius` must be finite"),
        ({"velocity": [np.inf, 1.0]}, BadInputError, "`velocity` must be finite"),
        ({"velocity": [1.0]}, ArrayError, r"`velocity` must have shape \(2,\)"),
        ({"per_bin": 0}, DomainError, "`per_bin`"),
        ({"min_members": 1}, DomainError, "`min_members`"),
        ({"min_gap": -1}, DomainError, "`min_gap`"),
        ({"offsets": [0, 3]}, ArrayError, "`offsets`"),
    ],
)
def test_errors_of_the_shifting_gapper(host_backend, kwargs, error, message):
    arguments = {"radius": [0.1, 0.2], "velocity": [1.0, 2.0], "offsets": [0, 2], "backend": host_backend} | kwargs
    with pytest.raises(error, match=message):
        cm.shifting_gapper(**arguments)


def test_the_gate_to_memory():
    from clustermass import _backend

    core = _backend.load("native", "dispersion")
    out = np.empty(1), np.empty(1), np.empty(1, np.int64)
    how = dict(method=0, clip=0.0, max_iterations=5, n_threads=1)
    v, offsets, none = np.zeros(3), np.array([0, 3]), np.empty(0)
    assert core.dispersion_f64(v, offsets, none, *out, **how)
    with pytest.raises(ArrayError):
        core.dispersion_f64(v, np.array([0, 4]), none, *out, **how)
    with pytest.raises(ArrayError):
        core.dispersion_f64(v, offsets, np.zeros(2), *out, **how)
    with pytest.raises(ArrayError):
        core.dispersion_f64(v, offsets, none, np.empty(0), *out[1:], **how)
    with pytest.raises(ArrayError):
        core.shifting_gapper_f64(
            v, v, offsets, np.empty(2, np.uint8), per_bin=5, min_members=5, min_gap=1.0, n_threads=1
        )
