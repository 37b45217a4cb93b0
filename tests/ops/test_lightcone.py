"""select_lightcone against its definition, and the laws it must keep."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import UnitError
from clustermass.ops import _sightlines
from tests.reference import lightcone as reference
from tests.tolerances import RECESSION

BOX = 150.0
COSMOLOGY = Cosmology(h=0.6777, omega_m=0.307115)
COMMON = dict(redshift=0.117, cosmology=COSMOLOGY, max_velocity=2200.0)
CYLINDER, CONE = dict(aperture=3.0), dict(angle=0.006)
FIELDS = ("offsets", "indices", "x", "y", "velocity", "distance", "is_member")


def galaxies(rng, n, dtype=np.float64, clumps=40, speed=300.0):
    """Half of them even, half in clumps, so that apertures hold something."""
    even = rng.uniform(0, BOX, (n - n // 2, 3))
    clumped = rng.uniform(0, BOX, (clumps, 3))[rng.integers(0, clumps, n // 2)] + rng.normal(0, 1, (n // 2, 3))
    positions = rng.permutation(np.concatenate([even, clumped % BOX]))
    return positions.astype(dtype), rng.normal(0, speed, (n, 3)).astype(dtype)


def queries(rng, m, positions):
    """Centres on galaxies and elsewhere, one at the corner of the box, in all directions and along the axes."""
    centres = rng.uniform(0, BOX, (m, 3))
    centres[::2] = positions[rng.integers(0, len(positions), len(centres[::2]))]
    lines = rng.normal(size=(m, 3))
    lines[:3] = cm.axis_directions()[: min(m, 3)]
    centres[:1] = 0
    return centres, rng.normal(0, 300, (m, 3)), lines


def rows_of(selection, query):
    return slice(selection.offsets[query], selection.offsets[query + 1])


def compare_with_reference(positions, velocities, query, selection, *, box=BOX, n_boxes=1, **options):
    """Same galaxies and images, same values; returns how many."""
    centres, speeds, lines = query
    axes = cm.view_rotations(lines)
    for q in range(len(centres)):
        rows, x, y, v, distance = reference.select(positions, velocities, centres[q], speeds[q], axes[q], box=box,
                                                   n_boxes=n_boxes, **options)  # fmt: skip
        part = rows_of(selection, q)
        order, mine = np.lexsort((distance, rows)), np.lexsort((selection.distance[part], selection.indices[part]))
        np.testing.assert_array_equal(selection.indices[part][mine], rows[order])
        for name, want in {"x": x, "y": y, "distance": distance}.items():
            np.testing.assert_allclose(getattr(selection, name)[part][mine], want[order], atol=1e-10)
        np.testing.assert_allclose(selection.velocity[part][mine], v[order], atol=RECESSION)
    return selection.indices.size


@pytest.mark.parametrize("relativistic", [True, False], ids=["relativistic", "classical"])
@pytest.mark.parametrize("shape", [CYLINDER, CONE], ids=["cylinder", "cone"])
def test_counts_equal_brute_force_on_a_thousand_cylinders_and_cones(rng, shape, relativistic):
    """The window, with the fastest galaxy, is less than half the box deep: the nearest image is the only one."""
    positions, velocities = galaxies(rng, 20_000, speed=200.0)
    query = queries(rng, 1000 if relativistic else 100, positions)
    options = COMMON | shape | dict(relativistic=relativistic)
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, backend="native")
    selection = cm.select_lightcone(index, *query, **options, backend="native")
    n = compare_with_reference(positions, velocities, query, selection, n_boxes=0, **options)
    assert n > 5_000


@pytest.mark.parametrize("box", [BOX, None], ids=["periodic", "open"])
@pytest.mark.parametrize("relativistic", [True, False], ids=["relativistic", "classical"])
@pytest.mark.parametrize("shape", [CYLINDER, CONE], ids=["cylinder", "cone"])
@pytest.mark.parametrize("n", [1, 2, 600], ids="n={}".format)
def test_matches_reference(backend, dtype, rng, n, shape, relativistic, box):
    positions, velocities = galaxies(rng, n, dtype)
    query = queries(rng, 12, positions)
    options = COMMON | shape | dict(relativistic=relativistic)
    index = cm.build_galaxy_index(positions, velocities, box_size=box, backend=backend)
    assert index.records.dtype == dtype
    selection = cm.select_lightcone(index, *query, **options, backend=backend)
    compare_with_reference(positions, velocities, query, selection, box=box, **options)


@pytest.mark.parametrize("n_galaxies", [30, 3000])
@pytest.mark.parametrize("box", [30.0, None], ids=["periodic", "open"])
def test_a_window_deeper_than_the_box_shows_images_as_entries_of_their_own(backend, rng, box, n_galaxies):
    positions, velocities = galaxies(rng, n_galaxies)
    positions *= 30.0 / BOX
    query = queries(rng, 6, positions)
    options = COMMON | CYLINDER
    index = cm.build_galaxy_index(positions, velocities, box_size=box, backend=backend)
    selection = cm.select_lightcone(index, *query, **options, backend=backend)
    compare_with_reference(positions, velocities, query, selection, box=box, n_boxes=3, **options)
    per_query = [selection.indices[rows_of(selection, q)] for q in range(6)]
    repeated = sum(len(i) - len(set(i.tolist())) for i in per_query)
    assert (repeated > 0) == (box is not None)


@pytest.mark.parametrize("shape", [CYLINDER, CONE], ids=["cylinder", "cone"])
def test_backends_and_threads_give_the_same_bits(dtype, rng, shape):
    positions, velocities = galaxies(rng, 30_000, dtype)
    hosts = rng.integers(-1, 50, 30_000)
    query = queries(rng, 300, positions)
    targets = rng.integers(0, 50, 300)
    results = []
    for backend, n_threads in (("native", 1), ("native", 2), ("native", 3), ("native", 8), ("numba", 1)):
        index = cm.build_galaxy_index(positions, velocities, box_size=BOX, hosts=hosts, n_threads=n_threads,
                                      backend=backend)  # fmt: skip
        results.append((index, cm.select_lightcone(index, *query, **COMMON, **shape, targets=targets,
                                                   n_threads=n_threads, backend=backend)))  # fmt: skip
    index, selection = results[0]
    assert selection.indices.size > 1000
    for other, seen in results[1:]:
        assert other.max_speed == index.max_speed
        for name, array in index._arrays().items():
            np.testing.assert_array_equal(getattr(other, name), array)
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(seen, name), getattr(selection, name), err_msg=name)


@pytest.mark.parametrize("relativistic", [True, False], ids=["relativistic", "classical"])
@pytest.mark.parametrize("shape", [CYLINDER, CONE], ids=["cylinder", "cone"])
@pytest.mark.parametrize("box", [BOX, None], ids=["periodic", "open"])
def test_every_backend_gives_the_bits_of_native(backend, dtype, rng, box, shape, relativistic):
    """Index, order and values, with few lines of sight (cut into many pieces) and with many, in and out of the box."""
    positions, velocities = galaxies(rng, 4000, dtype)
    positions[::7] += np.array([BOX, 0, -BOX], dtype)
    hosts = rng.integers(-1, 50, 4000)
    ours, want = (cm.build_galaxy_index(positions, velocities, box_size=box, hosts=hosts, backend=b)
                  for b in (backend, "native"))  # fmt: skip
    assert ours.max_speed == want.max_speed
    for name, array in want._arrays().items():
        np.testing.assert_array_equal(getattr(ours, name), array, err_msg=name)
    for m in (1, 2, 300):
        query, targets = queries(rng, m, positions), rng.integers(0, 50, m)
        options = COMMON | shape | dict(relativistic=relativistic, targets=targets)
        got = cm.select_lightcone(ours, *query, **options, backend=backend)
        expected = cm.select_lightcone(want, *query, **options, backend="native")
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    assert got.indices.size > 500


def test_the_number_of_cells_changes_nothing_but_the_order(backend, rng, monkeypatch):
    """Coarse positions, the walk over cells and their margins must not decide."""
    positions, velocities = galaxies(rng, 2000)
    query = queries(rng, 40, positions)
    sets = []
    for per_cell in (1, 32, 5000):
        monkeypatch.setattr("clustermass.ops._galaxy_index.GALAXIES_PER_CELL", per_cell)
        index = cm.build_galaxy_index(positions, velocities, box_size=BOX, backend=backend)
        seen = cm.select_lightcone(index, *query, **COMMON, **CYLINDER, backend=backend)
        number = np.repeat(np.arange(40), np.diff(seen.offsets))
        order = np.lexsort((seen.distance, seen.indices, number))
        sets.append([seen.offsets, *(getattr(seen, name)[order] for name in FIELDS[1:])])
    assert index.n_cells == (1, 1, 1)
    for other in sets[1:]:
        for a, b in zip(sets[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_many_queries_outgrow_the_first_room(backend, rng, monkeypatch):
    positions, velocities = galaxies(rng, 3000)
    query = queries(rng, 2500, positions)
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX)
    want = cm.select_lightcone(index, *query, **COMMON, **CYLINDER)
    monkeypatch.setattr("clustermass.ops.lightcone._FIRST_ROOM", 3)
    got = cm.select_lightcone(index, *query, **COMMON, **CYLINDER, backend=backend)
    assert want.indices.size > 5000
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))


def test_order_within_a_query_follows_the_cells(backend, rng):
    """Along an axis the layers of cells come one after another, each in the given order."""
    positions, velocities = galaxies(rng, 20_000)
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, backend=backend)
    centre, size = np.full(3, 75.0), index.cell_size[2]
    seen = cm.select_lightcone(index, [centre], [[0, 0, 0]], [[0, 0, 1]], **COMMON, aperture=20.0, backend=backend)
    layer = np.floor(positions[seen.indices, 2] / size).astype(int)
    assert seen.indices.size > 100
    assert len(set(layer)) > 2
    assert (np.diff(layer) >= 0).all()


def test_members_are_those_of_the_target(backend, rng):
    positions, velocities = galaxies(rng, 3000)
    hosts = rng.integers(-1, 3, 3000)
    query = queries(rng, 30, positions)
    targets = rng.integers(-1, 3, 30)
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, hosts=hosts, backend=backend)
    seen = cm.select_lightcone(index, *query, **COMMON, aperture=10.0, targets=targets, backend=backend)
    target = np.repeat(targets, np.diff(seen.offsets))
    want = (hosts[seen.indices] == target) & (target >= 0)  # -1 is no host
    np.testing.assert_array_equal(seen.is_member, want)
    assert want.any()
    assert not want.all()
    assert not cm.select_lightcone(index, *query, **COMMON, aperture=10.0, backend=backend).is_member.any()


def test_moving_everything_by_a_vector_or_a_box_changes_nothing(backend, rng):
    positions, velocities = galaxies(rng, 3000)
    centres, speeds, lines = queries(rng, 40, positions)
    sets = []
    for shift in (np.zeros(3), np.array([37.0, -61.0, 11.0]), np.array([2 * BOX, 0, -BOX])):
        index = cm.build_galaxy_index(positions + shift, velocities, box_size=BOX, backend=backend)
        seen = cm.select_lightcone(index, centres + shift, speeds, lines, **COMMON, **CYLINDER, backend=backend)
        sets.append(sorted(zip(np.repeat(np.arange(40), np.diff(seen.offsets)), seen.indices, strict=True)))
    assert sets[0] == sets[1] == sets[2]
    assert len(sets[0]) > 100


def test_velocities_add_up_on_a_line(backend):
    """Galaxies at known depth: the Hubble flow of the depth, the difference of the velocities, and their sum."""
    flow = 100 * COSMOLOGY.h * COSMOLOGY.expansion(0.117) / 1.117
    positions = [[50, 50, 60], [50, 50, 50], [50, 50, 60], [50, 50, 40]]
    velocities = [[0, 0, 0], [900, 0, 350], [0, 0, -400], [0, 500, 0]]
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, backend=backend)
    classical = cm.select_lightcone(index, [[50, 50, 50]], [[0, 0, 100]], [[0, 0, 2]], **COMMON, aperture=1.0,
                                    relativistic=False, backend=backend)  # fmt: skip
    got = dict(zip(classical.indices.tolist(), classical.velocity, strict=True))
    want = {0: 10 * flow - 100, 1: 250, 2: 10 * flow - 500, 3: -10 * flow - 100}
    assert got == pytest.approx(want, rel=1e-12)
    full = cm.select_lightcone(index, [[50, 50, 50]], [[0, 0, 100]], [[0, 0, 2]], **COMMON, aperture=1.0,
                               backend=backend)  # fmt: skip
    for i, v in zip(full.indices, full.velocity, strict=True):  # c tanh of the sum of rapidities
        z = reference.redshift_at(COSMOLOGY.comoving_distance(0.117) + positions[i][2] - 50, COSMOLOGY)
        rapidity = np.log((1 + z) / 1.117) + np.arctanh(velocities[i][2] / 299792.458) - np.arctanh(100 / 299792.458)
        assert v == pytest.approx(299792.458 * np.tanh(rapidity), abs=RECESSION)


def test_a_cone_opens_from_the_observer(backend):
    """At twice the distance twice as wide; x and y are seen from the observer."""
    observer = float(COSMOLOGY.comoving_distance(0.01))
    angle = 0.05
    depth = np.array([-0.5, 0.0, 0.5]) * observer
    edge = np.tan(angle) * (observer + depth)
    inside, outside = ([[200 + f * e, 200, 200 + s] for e, s in zip(edge, depth, strict=True)] for f in (0.999, 1.001))
    index = cm.build_galaxy_index(inside + outside, np.zeros((6, 3)), box_size=None, backend=backend)
    seen = cm.select_lightcone(index, [[200, 200, 200]], [[0, 0, 0]], [[0, 0, 1]], angle=angle, redshift=0.01,
                               cosmology=COSMOLOGY, max_velocity=5000.0, backend=backend)  # fmt: skip
    assert sorted(seen.indices.tolist()) == [0, 1, 2]
    np.testing.assert_allclose(seen.radius, 0.999 * np.tan(angle) * observer, rtol=1e-12)


def test_galaxies_behind_the_observer_are_not_seen(backend):
    observer = float(COSMOLOGY.comoving_distance(0.005))
    index = cm.build_galaxy_index([[50, 50, 50 - 1.2 * observer], [50, 50, 50 - 0.8 * observer]], np.zeros((2, 3)),
                                  box_size=None, backend=backend)  # fmt: skip
    common = dict(redshift=0.005, cosmology=COSMOLOGY, max_velocity=5000.0, backend=backend)
    for options in (dict(aperture=1.0), dict(angle=0.1), dict(angle=0.1, relativistic=False)):
        seen = cm.select_lightcone(index, [[50, 50, 50]], [[0, 0, 0]], [[0, 0, 1]], **common, **options)
        assert seen.indices.tolist() == [1]
    parallel = cm.select_lightcone(index, [[50, 50, 50]], [[0, 0, 0]], [[0, 0, 1]], **common, aperture=1.0,
                                   relativistic=False)  # fmt: skip
    assert sorted(parallel.indices.tolist()) == [0, 1]


def test_each_query_may_have_its_redshift(backend, rng):
    positions, velocities = galaxies(rng, 3000)
    centres, speeds, lines = queries(rng, 8, positions)
    z = rng.uniform(0.03, 0.5, 8)
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, backend=backend)
    options = dict(cosmology=COSMOLOGY, max_velocity=2200.0, aperture=3.0, backend=backend)
    together = cm.select_lightcone(index, centres, speeds, lines, redshift=z, **options)
    for q in range(8):
        alone = cm.select_lightcone(index, centres[q : q + 1], speeds[q : q + 1], lines[q : q + 1], redshift=z[q],
                                    **options)  # fmt: skip
        np.testing.assert_array_equal(alone.indices, together.indices[rows_of(together, q)])
        np.testing.assert_array_equal(alone.velocity, together.velocity[rows_of(together, q)])


@pytest.mark.parametrize("cosmology", [COSMOLOGY, Cosmology(h=0.7, omega_m=1.0), Cosmology(0.7, 0.3, 0.9)])
def test_the_table_of_recession_velocities_is_exact_enough(cosmology):
    table, start, per_step = _sightlines.recession_table(cosmology, 0.0, 3.0)
    d = start + (np.arange(0, 10 * table.shape[1]) / 10 + 0.05) / per_step
    k = np.floor((d - start) * per_step).astype(int)
    t = (d - start) * per_step - k
    got = np.polynomial.polynomial.polyval(t, table[:, k], tensor=False)
    np.testing.assert_allclose(got, reference.recession(reference.redshift_at(d, cosmology)), atol=RECESSION)


@pytest.mark.parametrize("edge", [0.0, -0.0, BOX, np.nextafter(BOX, 0), np.nextafter(0, -1), 1e-320, 3 * BOX, -BOX])
def test_edges_of_the_box_hold_each_galaxy_once(backend, dtype, edge):
    position = np.array([[edge, 5.0, 5.0]], dtype)
    index = cm.build_galaxy_index(position, np.zeros((1, 3), dtype), box_size=BOX, backend=backend)
    assert 0 <= index.records[0, 0] < BOX
    seen = cm.select_lightcone(index, [[0, 5, 5], [BOX / 2, 5, 5]], np.zeros((2, 3)), [[0, 0, 1], [1, 0, 0]],
                               redshift=0.1, cosmology=COSMOLOGY, max_velocity=6000.0, aperture=1.0,
                               backend=backend)  # fmt: skip
    assert seen.offsets[1] == 1
    assert seen.x[0] == pytest.approx((np.float64(position[0, 0]) + BOX / 2) % BOX - BOX / 2, abs=1e-9)
    assert (seen.indices == 0).all()


def test_positions_that_float32_cannot_hold_wrapped_make_the_index_float64(backend):
    velocities = np.zeros((2, 3), np.float32)
    within = cm.build_galaxy_index(np.float32([[1, 2, 150.0], [0.1, 3, 4]]), velocities, box_size=BOX, backend=backend)
    assert within.records.dtype == np.float32
    beyond = cm.build_galaxy_index(np.float32([[1, 2, -1e-6], [0.1, 3, 4]]), velocities, box_size=BOX, backend=backend)
    assert beyond.records.dtype == np.float64
    assert pytest.approx(beyond.records[beyond.rows == 0, 2].item(), abs=1e-12) == BOX - 1e-6


def test_no_galaxies_and_no_queries(backend, dtype):
    empty = cm.build_galaxy_index(np.empty((0, 3), dtype), np.empty((0, 3), dtype), box_size=BOX, backend=backend)
    seen = cm.select_lightcone(empty, [[1, 2, 3]], [[0, 0, 0]], [[1, 0, 0]], **COMMON, **CYLINDER, backend=backend)
    assert (len(seen), seen.indices.size) == (1, 0)
    for box in (BOX, None):
        index = cm.build_galaxy_index([[1.0, 2, 3]], [[0.0, 0, 0]], box_size=box, backend=backend)
        none = cm.select_lightcone(index, *[np.empty((0, 3))] * 3, **COMMON, **CYLINDER, backend=backend)
        assert (len(none), none.indices.size, none.radius.size) == (0, 0, 0)
        assert none.offsets.tolist() == [0]


def test_the_index_cannot_be_changed_and_leaves_its_arguments_alone(host_backend, rng):
    positions, velocities = galaxies(rng, 100)
    copies = positions.copy(), velocities.copy()
    index = cm.build_galaxy_index(positions, velocities, box_size=BOX, hosts=np.arange(100), backend=host_backend)
    np.testing.assert_array_equal((positions, velocities), copies)
    with pytest.raises(ValueError, match="read-only"):
        index.records[0] = 0
    assert index.nbytes <= 66 * 100 + 8 * (np.prod(index.n_cells) + 1) + 128


def test_fibonacci_directions_are_even_and_seeded():
    lines = cm.fibonacci_directions(500, seed=7)
    np.testing.assert_allclose(np.linalg.norm(lines, axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.sort(lines[:, 2]), 2 * (np.arange(500) + 0.5) / 500 - 1, atol=1e-15)
    np.testing.assert_allclose(lines.T @ lines / 500, np.eye(3) / 3, atol=2e-3)
    nearest = np.sort(np.arccos(np.clip(lines @ lines.T, -1, 1)), axis=1)[:, 1]
    assert nearest.min() > 0.75 * np.sqrt(4 * np.pi / 500)  # no two of them close
    np.testing.assert_array_equal(lines, cm.fibonacci_directions(500, seed=7))
    other = cm.fibonacci_directions(500, seed=8)
    golden = np.pi * (3 - np.sqrt(5))
    offsets = []
    for points in (lines, other):
        points = points[np.argsort(points[:, 2])]
        turn = np.arctan2(points[:, 1], points[:, 0]) - golden * np.arange(500)
        offsets.append(np.exp(1j * turn))
        np.testing.assert_allclose(offsets[-1], offsets[-1][0], atol=1e-9)
    assert abs(offsets[0][0] - offsets[1][0]) > 1e-3
    assert not (np.diff(lines[:, 2]) > 0).all()
    assert cm.fibonacci_directions(0, seed=1).shape == (0, 3)


def test_units_are_understood(rng):
    u = pytest.importorskip("astropy.units")

    positions, velocities = galaxies(rng, 2000)
    index = cm.build_galaxy_index(positions * 1000 * u.kpc, velocities * 1000 * u.m / u.s, box_size=BOX * u.Mpc)
    centres, speeds, lines = queries(rng, 10, positions)
    want = cm.select_lightcone(index, centres, speeds, lines, **COMMON, aperture=5.0)
    got = cm.select_lightcone(index, centres * 1e3 * u.kpc, speeds * u.km / u.s, lines, redshift=0.117,
                              cosmology=COSMOLOGY, max_velocity=2.2e6 * u.m / u.s, aperture=5e3 * u.kpc)  # fmt: skip
    np.testing.assert_array_equal(got.offsets, want.offsets)
    with pytest.raises(UnitError, match="aperture"):
        cm.select_lightcone(index, centres, speeds, lines, **COMMON, aperture=5 * u.s)
