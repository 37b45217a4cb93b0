"""project_views against its definition, and the laws it must keep."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError, UnitError
from tests.reference import views as reference
from tests.tolerances import SMOOTH, relative_l2

BOX = 20.0
DIRECTIONS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [-0.3, 0.4, -0.8], [0.577, 0.577, 0.578]])


def particles(rng, n, dtype, channels=3):
    return (rng.uniform(0, BOX, (n, 3)).astype(dtype), rng.exponential(size=(n, channels)).astype(dtype),
            rng.uniform(0.01, 2.0, n).astype(dtype))  # fmt: skip


def some_views(rng, n=6):
    """Centres that include the corner of the box, all kinds of direction, a pixel size for each."""
    centres = rng.uniform(0, BOX, (n, 3))
    centres[0] = 0
    rotations = cm.view_rotations(DIRECTIONS[:n], azimuth=rng.uniform(0, 7, n))
    return centres, rotations, rng.uniform(0.15, 0.6, n)


@pytest.mark.parametrize("box_size", [None, BOX], ids=["open", "periodic"])
@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "sph"])
@pytest.mark.parametrize("n", [0, 1, 2, 400], ids="n={}".format)
def test_matches_reference(backend, rng, n, assignment, box_size):
    positions, weights, h = particles(rng, n, np.float64)
    centres, rotations, size = some_views(rng)
    options = dict(pixel_size=size, shape=(14, 9), depth=7.0, assignment=assignment)
    index = cm.build_particle_index(positions, weights, smoothing_length=h, box_size=box_size, backend=backend)
    got = cm.project_views(index, centres, rotations, **options, backend=backend)
    want = reference.project_views(positions, weights, centres, rotations, **options, box_size=box_size,
                                   smoothing_length=h)  # fmt: skip
    assert got.shape == (6, 3, 14, 9)
    assert relative_l2(got, want) <= SMOOTH[got.dtype]


@pytest.mark.parametrize("assignment", ["cic", "sph"])
def test_float32_matches_float64_of_the_same_numbers(backend, rng, assignment):
    positions, weights, h = particles(rng, 3000, np.float32)
    centres, rotations, size = some_views(rng)
    images = [
        cm.project_views(
            cm.build_particle_index(positions.astype(t), weights.astype(t), smoothing_length=h.astype(t), box_size=BOX),
            centres, rotations, pixel_size=size, shape=(14, 9), depth=7.0, assignment=assignment, backend=backend,
        )
        for t in (np.float32, np.float64)
    ]  # fmt: skip
    assert images[0].dtype == np.float32
    assert relative_l2(*images) <= SMOOTH[np.dtype(np.float32)]


@pytest.mark.parametrize("box_size", [None, BOX], ids=["open", "periodic"])
def test_the_index_holds_every_particle_once_and_in_order(backend, dtype, rng, box_size):
    positions, weights, h = particles(rng, 5000, dtype, channels=1)
    weights[:, 0] = np.arange(5000)
    index = cm.build_particle_index(positions, weights, smoothing_length=h, box_size=box_size, backend=backend)
    order = index.weights[:, 0].astype(int)
    assert sorted(order) == list(range(5000))
    np.testing.assert_array_equal(np.stack([index.x, index.y, index.z], 1), positions[order])
    np.testing.assert_array_equal(index.smoothing_length, h[order])
    corner = np.array(index.origin)
    cell = np.floor((positions[order].astype(float) - corner) / index.cell_size).astype(int)
    cell = np.minimum(cell, np.array(index.n_cells) - 1)
    flat = np.ravel_multi_index(cell.T, index.n_cells)
    assert (np.diff(flat) >= 0).all()
    assert all(
        (np.diff(order[a:b]) > 0).all() for a, b in zip(index.cell_start[:-1], index.cell_start[1:], strict=True)
    )
    np.testing.assert_array_equal(np.diff(index.cell_start), np.bincount(flat, minlength=np.prod(index.n_cells)))


def test_every_backend_builds_the_same_index(backend, dtype, rng):
    positions, weights, h = particles(rng, 9000, dtype)
    positions = (positions * 3 - BOX).astype(dtype)  # also outside the box
    a, b = (cm.build_particle_index(positions, weights, smoothing_length=h, box_size=BOX, backend=k)
            for k in ("native", backend))  # fmt: skip
    for name, array in a._arrays().items():
        np.testing.assert_array_equal(array, getattr(b, name))
    assert max(a.x.max(), a.y.max(), a.z.max()) < BOX
    assert min(a.x.min(), a.y.min(), a.z.min()) >= 0


@pytest.mark.parametrize("edge", [0.0, -0.0, BOX, np.nextafter(BOX, 0), np.nextafter(0, -1), 1e-320, 3 * BOX, -BOX])
def test_edges_of_the_box_hold_each_particle_once(backend, dtype, edge):
    position = np.array([[edge, 5.0, 5.0]], dtype)
    index = cm.build_particle_index(position, [1.0], box_size=BOX, backend=backend)
    assert 0 <= index.x[0] < BOX
    image = cm.project_views(index, [[BOX / 2, 5, 5]], cm.view_rotations([0, 0, 1]), pixel_size=1.0, shape=(20, 20),
                             depth=10.0, assignment="cic", backend=backend)  # fmt: skip
    assert image.sum() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "sph"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_map_of_the_whole_box_holds_all_mass(backend, rng, assignment, axis):
    positions, weights, h = particles(rng, 2000, np.float64)
    index = cm.build_particle_index(positions, weights, smoothing_length=h, box_size=BOX, backend=backend)
    image = cm.project_views(index, [[3.0, 14.0, 9.0]], cm.view_rotations(np.eye(3)[axis]), pixel_size=BOX / 32,
                             shape=(32, 32), depth=BOX / 2, assignment=assignment, backend=backend)  # fmt: skip
    np.testing.assert_allclose(image.sum((0, 2, 3)), weights.sum(0), rtol=1e-12)


@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "sph"])
@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_bits_do_not_depend_on_threads(rng, assignment, n_threads):
    positions, weights, h = particles(rng, 600_000, np.float64)
    h *= 0.2
    one, many = (cm.build_particle_index(positions, weights, smoothing_length=h, box_size=BOX, n_threads=n)
                 for n in (1, n_threads))  # fmt: skip
    for name, array in one._arrays().items():
        assert np.array_equal(array, getattr(many, name))
    centres, rotations, size = some_views(rng, 4)
    images = [cm.project_views(one, centres, rotations, pixel_size=size * 3, shape=(14, 9), depth=9.9,
                               assignment=assignment, n_threads=n) for n in (1, n_threads)]  # fmt: skip
    assert np.array_equal(*images)


def test_rotating_the_particles_is_rotating_the_view(backend, rng):
    positions, weights, h = particles(rng, 300, np.float64)
    rotation = cm.view_rotations([0.3, -0.5, 0.7], azimuth=0.4)
    options = dict(pixel_size=0.4, shape=(20, 20), depth=40.0, assignment="sph", backend=backend)
    index = cm.build_particle_index(positions, weights, smoothing_length=h, backend=backend)
    turned = cm.build_particle_index((positions - 9) @ rotation[0].T, weights, smoothing_length=h, backend=backend)
    want = cm.project_views(turned, [[0, 0, 0]], np.eye(3)[None], **options)
    np.testing.assert_allclose(cm.project_views(index, [[9, 9, 9]], rotation, **options), want, atol=1e-11)


def test_moving_box_and_centre_together_changes_nothing(backend, rng):
    positions, weights, _ = particles(rng, 500, np.float64)
    centres, rotations, size = some_views(rng)
    options = dict(pixel_size=size, shape=(14, 9), depth=7.0, assignment="cic", backend=backend)
    images = []
    for shift in (np.zeros(3), np.array([5.3, -7.1, 46.0])):
        index = cm.build_particle_index(positions + shift, weights, box_size=BOX, backend=backend)
        images.append(cm.project_views(index, centres + shift, rotations, **options))
    np.testing.assert_allclose(*images, atol=1e-10)


def test_slabs_that_meet_share_nothing_and_lose_nothing(backend, rng):
    positions, weights, _ = particles(rng, 2000, np.float64)
    positions[:, 2] = np.round(positions[:, 2])  # many exactly on the faces
    index = cm.build_particle_index(positions, weights, box_size=BOX, backend=backend)
    options = dict(pixel_size=1.0, shape=(20, 20), assignment="ngp", backend=backend)
    z = cm.view_rotations([0, 0, 1])
    whole = cm.project_views(index, [[10, 10, 10]], z, depth=10.0, **options)
    parts = [cm.project_views(index, [[10, 10, middle]], z, depth=2.0, **options) for middle in (2, 6, 10, 14, 18)]
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-12)


@pytest.mark.parametrize("dtype_in", [np.float32, np.float64])
def test_chunks_added_up_equal_the_whole(backend, rng, dtype_in):
    positions, weights, h = particles(rng, 1000, dtype_in)
    centres, rotations, size = some_views(rng)
    options = dict(pixel_size=size, shape=(14, 9), depth=7.0, assignment="sph", backend=backend)

    def add(rows, out=None):
        index = cm.build_particle_index(
            positions[rows], weights[rows], smoothing_length=h[rows], box_size=BOX, backend=backend
        )
        return cm.project_views(index, centres, rotations, **options, out=out)

    total = np.zeros((6, 3, 14, 9))
    for start in range(0, 1000, 300):
        assert add(slice(start, start + 300), total) is total
    assert relative_l2(add(slice(None)), total) <= SMOOTH[np.dtype(dtype_in)]


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_any_number_of_channels(backend, rng, channels):
    positions, weights, _ = particles(rng, 300, np.float64, channels)
    centres, rotations, size = some_views(rng)
    options = dict(pixel_size=size, shape=(14, 9), depth=7.0, backend=backend)
    together = cm.project_views(
        cm.build_particle_index(positions, weights, box_size=BOX), centres, rotations, **options
    )
    for c in range(channels):
        alone = cm.build_particle_index(positions, weights[:, c], box_size=BOX)
        np.testing.assert_allclose(
            together[:, c], cm.project_views(alone, centres, rotations, **options)[:, 0], atol=1e-12
        )


def test_more_views_than_grids_at_work(rng):
    positions, weights, _ = particles(rng, 2000, np.float64)
    index = cm.build_particle_index(positions, weights, box_size=BOX)
    centres = rng.uniform(0, BOX, (50, 3))
    rotations = cm.view_rotations(rng.normal(size=(50, 3)))
    options = dict(pixel_size=0.3, shape=(14, 9), depth=7.0)
    together = cm.project_views(index, centres, rotations, **options)
    for v in (0, 15, 16, 49):
        alone = cm.project_views(index, centres[v : v + 1], rotations[v : v + 1], **options)
        assert np.array_equal(together[v], alone[0])


def test_rotations_are_right_handed_and_look_along_the_line_of_sight(rng):
    directions = rng.normal(size=(200, 3))
    r = cm.view_rotations(directions, azimuth=rng.uniform(-9, 9, 200))
    np.testing.assert_allclose(r @ r.transpose(0, 2, 1), np.broadcast_to(np.eye(3), r.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(r), 1, rtol=1e-14)
    np.testing.assert_allclose(r[:, 2], directions / np.linalg.norm(directions, axis=1, keepdims=True), atol=1e-14)
    quarter = cm.view_rotations([0, 0, 1], azimuth=np.pi / 2)[0]
    np.testing.assert_allclose(quarter, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-15)


INDEX = dict(positions=np.full((3, 3), 1.0), weights=np.ones(3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(positions=np.zeros((3, 2))), ArrayError, "positions"),
        (dict(positions=[[0, 0, 0], [0, np.nan, 0], [1, 1, 1]]), BadInputError, r"positions.*\(1, 1\)"),
        (dict(weights=[0, 1, np.inf]), BadInputError, "weights"),
        (dict(smoothing_length=[0, 1, -1]), BadInputError, "smoothing_length.*index 2"),
        (dict(box_size=0), DomainError, "box_size"),
        (dict(n_threads=0), DomainError, "n_threads"),
    ],
)
def test_index_errors_name_the_argument(backend, change, error, message):
    with pytest.raises(error, match=message):
        cm.build_particle_index(**(INDEX | change), backend=backend)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(centres=[[0, 0]]), ArrayError, "centres"),
        (dict(centres=[[0, 0, np.nan]]), BadInputError, "centres"),
        (dict(rotations=np.eye(3)), ArrayError, "rotations"),
        (dict(rotations=2 * np.eye(3)[None]), BadInputError, "rotations.*orthonormal"),
        (dict(pixel_size=0), DomainError, "pixel_size"),
        (dict(pixel_size=[1, 1]), ArrayError, "pixel_size"),
        (dict(pixel_size=np.nan), BadInputError, "pixel_size"),
        (dict(depth=0), DomainError, "depth"),
        (dict(depth=10.1), DomainError, "depth.*half the box"),
        (dict(assignment="sph"), DomainError, "smoothing_length"),
        (dict(shape=(0, 3)), DomainError, "shape"),
        (dict(out=np.zeros((1, 1, 4, 4))), ArrayError, "out"),
        (dict(out=np.zeros((1, 1, 4, 5), np.float32)), DTypeError, "out"),
        (dict(backend="cuda!"), DomainError, "backend"),
    ],
)
def test_view_errors_name_the_argument(change, error, message):
    index = cm.build_particle_index(**INDEX, box_size=BOX)
    arguments = dict(centres=[[0.0, 0, 0]], rotations=np.eye(3)[None], pixel_size=1.0, shape=(4, 5), depth=5.0) | change
    with pytest.raises(error, match=message):
        cm.project_views(index, **arguments)


def test_a_zero_direction_is_refused():
    with pytest.raises(BadInputError, match="directions.*index 1"):
        cm.view_rotations([[0, 0, 1], [0, 0, 0]])


def test_units_are_understood(rng):
    u = pytest.importorskip("astropy.units")

    positions, weights, _ = particles(rng, 100, np.float64)
    index = cm.build_particle_index(positions * 1000 * u.kpc, weights, box_size=BOX * u.Mpc)
    want = cm.project_views(index, [[1, 2, 3]], np.eye(3)[None], pixel_size=0.5, depth=5.0)
    got = cm.project_views(
        index, [[1000, 2000, 3000]] * u.kpc, np.eye(3)[None], pixel_size=500 * u.kpc, depth=5e3 * u.kpc
    )
    np.testing.assert_allclose(got, want, atol=1e-12)
    with pytest.raises(UnitError, match="depth"):
        cm.project_views(index, [[1, 2, 3]], np.eye(3)[None], pixel_size=0.5, depth=5 * u.s)
