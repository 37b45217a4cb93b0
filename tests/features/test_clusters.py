"""Cluster observations against brute force, and what holds for any of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from clustermass.data.clusters_file import CLUSTER_COLUMNS, GALAXY_COLUMNS, KINDS
from clustermass.data.splits import audit_splits
from clustermass.errors import BadInputError, DataWarning, DomainError, MissingFieldError
from clustermass.features.clusters import make_cluster_catalogue
from clustermass.features.sightline import dispersion, relative_velocity
from tests.features.cluster_checks import PLAIN, C, catalogue, in_cylinder, observed, rows_of
from tests.tolerances import F32, F64, PURE_VELOCITY, READ, SEEN_LENGTH, SEEN_VELOCITY, SMOOTH
from tests.universes import COSMOLOGY, make_universe


@pytest.fixture(scope="module")
def box():
    return make_universe(n_haloes=12, n_field=3000, box_size=120.0)


@pytest.fixture(scope="module")
def both(box, tmp_path_factory):
    return catalogue(tmp_path_factory.mktemp("clusters"), box)


@pytest.mark.parametrize(
    ("changes", "universe"),
    [
        ({}, {}),
        ({"cut": "kodi-ramanah-2021", "relativistic": False}, {}),
        ({"max_radius": 3.0, "max_velocity": 900.0, "redshift": 0.3}, {}),
        ({"cut": "large"}, {"is_periodic": False}),
    ],
    ids=["ho2019", "newtonian", "narrow", "edges"],
)
@pytest.mark.filterwarnings("ignore::clustermass.errors.DataWarning")
def test_contaminated_observations_are_all_that_lies_in_the_cylinder(tmp_path, box, changes, universe):
    box, settings = replace(box, **universe), replace(PLAIN, **changes)
    got = catalogue(tmp_path, box, settings)["contaminated"]
    radius, velocity = settings.cylinder(box.cosmology.h)
    halo_of = {int(i): row for row, i in enumerate(box.haloes.ids)}
    n_galaxies = 0
    for k in range(len(got)):
        halo = halo_of[int(got.host_id[k])]
        want = in_cylinder(box, halo, got.line_of_sight[k], radius, velocity, got.redshift, settings.relativistic)
        rows = rows_of(got, k)
        assert [row[0] for row in rows] == [row[0] for row in want]
        np.testing.assert_allclose([row[1] for row in rows], [row[1] for row in want], rtol=0, atol=SEEN_VELOCITY)
        np.testing.assert_allclose([row[2] for row in rows], [row[2] for row in want], rtol=0, atol=SEEN_LENGTH)
        assert [row[5] for row in rows] == [bool(box.galaxies.host[row[0]] == halo) for row in want]
        n_galaxies += len(rows)
    assert n_galaxies > 20 * len(got)
    assert not got.is_member.all()


def test_pure_observations_are_the_members_wherever_they_are(tmp_path, box, both):
    pure = both["pure"]
    halo_of = {int(i): row for row, i in enumerate(box.haloes.ids)}
    for k in range(len(pure)):
        halo, sight = halo_of[int(pure.host_id[k])], pure.line_of_sight[k]
        members = np.flatnonzero(box.galaxies.host == halo)
        offset = box.galaxies.positions[members] - box.haloes.positions[halo]
        offset -= 120.0 * np.round(offset / 120.0)
        away, velocity = observed(box, offset, members, halo, sight, 0.1)
        rows = rows_of(pure, k)
        assert [row[0] for row in rows] == members.tolist()
        np.testing.assert_allclose([row[1] for row in rows], velocity, rtol=0, atol=SEEN_VELOCITY)
        np.testing.assert_allclose([np.hypot(row[3], row[4]) for row in rows], away, rtol=0, atol=SEEN_LENGTH)
        np.testing.assert_allclose([row[2] for row in rows], np.linalg.norm(offset, axis=1), rtol=0, atol=SEEN_LENGTH)
    assert pure.is_member.all()
    narrow = catalogue(tmp_path, box, replace(PLAIN, max_radius=0.5, max_velocity=100.0))["pure"]
    np.testing.assert_array_equal(narrow.velocity, pure.velocity)  # no cylinder cut


def test_both_kinds_agree_on_the_members_that_both_hold(both):
    pure, contaminated = both["pure"], both["contaminated"]
    there = {(int(h), int(v)): k for k, (h, v) in enumerate(zip(pure.host_id, pure.view, strict=True))}
    shared = 0
    for k in range(len(contaminated)):
        other = {row[0]: row for row in rows_of(pure, there[int(contaminated.host_id[k]), int(contaminated.view[k])])}
        for row in rows_of(contaminated, k):
            if row[5]:
                assert row[1] == pytest.approx(other[row[0]][1], rel=0, abs=PURE_VELOCITY)
                np.testing.assert_allclose(row[2:5], other[row[0]][2:5], rtol=0, atol=SEEN_LENGTH)
                shared += 1
    assert shared > 700


def test_columns_of_the_rows(box, both):
    for clusters in both.values():
        row = np.array([np.flatnonzero(box.haloes.ids == i)[0] for i in clusters.host_id])
        np.testing.assert_array_equal(clusters.log10_m200c, np.log10(box.haloes.m200c[row]))
        np.testing.assert_array_equal(clusters.position, box.haloes.positions[row])
        np.testing.assert_array_equal(clusters.r200c, box.haloes.r200c[row])
        np.testing.assert_allclose(clusters.observer_distance, COSMOLOGY.comoving_distance(0.1))
        np.testing.assert_array_equal(clusters.octant, (box.haloes.positions[row] >= 60) @ [1, 2, 4])
        parts = [slice(*clusters.offsets[k : k + 2]) for k in range(len(clusters))]
        np.testing.assert_allclose(
            clusters.sigma_v, [np.std(clusters.velocity[p], ddof=1) for p in parts], rtol=READ[F32]
        )
        np.testing.assert_array_equal(clusters.n_members, [clusters.is_member[p].sum() for p in parts])
        log_mass = clusters.log10_m200c_h
        want = (clusters.view < 3) & (log_mass >= 13.9) & (log_mass <= 15.1)
        np.testing.assert_array_equal(clusters.is_test, want)
        assert want.any()
        assert (log_mass >= 13.5).all()
        assert clusters.record["settings"]["seed"] == 3
        assert clusters.record["universe"]["source"] == "a test"


def test_no_host_is_divided_and_both_kinds_agree(tmp_path):
    universe = make_universe(n_haloes=200, per_halo=12, box_size=300.0)
    both = catalogue(tmp_path, universe, replace(PLAIN, min_richness=11))
    host = np.concatenate([c.host_id for c in both.values()])
    for name in ("fold", "split"):
        audit_splits(host, np.concatenate([getattr(c, name) for c in both.values()]))
    fold = both["pure"].fold
    hosts, first = np.unique(both["pure"].host_id, return_index=True)
    sizes = np.bincount(fold[first], minlength=10)
    assert sizes.max() - sizes.min() <= 1
    by_mass = hosts[np.argsort(both["pure"].log10_m200c[first])]
    np.testing.assert_array_equal([fold[both["pure"].host_id == h][0] for h in by_mass], np.arange(hosts.size) % 10)
    for clusters in both.values():
        for k in range(10):
            train, test = clusters.rows_of_fold(k)
            assert not set(clusters.host_id[train]) & set(clusters.host_id[test])


def test_the_training_mass_function_is_flat(tmp_path):
    universe = make_universe(
        n_haloes=600, per_halo=3, n_field=0, box_size=300.0, log10_mass=13.9 + np.arange(600) / 3000
    )
    got = catalogue(tmp_path, universe, replace(PLAIN, target_density=2e-5))["pure"]
    counts = np.bincount(np.floor(got.log10_m200c_h[got.is_flat] / 0.02).astype(int))
    allowed = int(2e-5 * 10**-0.2 * 210.0**3 * 0.02)  # 2.3: the box is 210 Mpc/h
    assert allowed == 2
    assert counts.max() == allowed
    assert got.is_flat.sum() < 0.2 * len(got)


@pytest.mark.parametrize("richness", [0, 24, 25, 30])
def test_richness_is_asked_of_each_kind_and_strictly(tmp_path, box, both, richness):
    for kind, got in catalogue(tmp_path, box, replace(PLAIN, min_richness=richness)).items() if richness < 25 else ():
        assert len(got) == (both[kind].n_galaxies > richness).sum()
        assert got.n_galaxies.min() > richness
    if richness >= 25:  # every halo has 25 members
        with pytest.warns(DataWarning, match=rf"no pure observation: none has more than {richness} galaxies"):
            got = catalogue(tmp_path, box, replace(PLAIN, min_richness=richness))
        assert len(got["pure"]) == 0
        assert len(got["contaminated"]) == (both["contaminated"].n_galaxies > richness).sum() > 0


def same(got, want, atol=0.0):
    for kind in KINDS:
        for name in ("offsets", *GALAXY_COLUMNS, *CLUSTER_COLUMNS):
            allowed = atol if kind == "contaminated" and name in ("velocity", "sigma_v") else 0.0
            one, other = getattr(got[kind], name), getattr(want[kind], name)
            np.testing.assert_allclose(one, other, rtol=0, atol=allowed, err_msg=name)


@pytest.mark.parametrize("settings", [PLAIN, replace(PLAIN, velocity_error=150.0)], ids=["exact", "errors"])
def test_same_bits_for_any_threads_and_the_same_observations_for_any_blocks(tmp_path, box, settings):
    want = catalogue(tmp_path, box, settings)
    same(catalogue(tmp_path, box, settings, n_threads=3), want)
    same(catalogue(tmp_path, box, settings, max_galaxies=1), want)
    same(catalogue(tmp_path, box, settings, n_threads=2, max_galaxies=3000), want)


def test_other_clusters_do_not_change_an_observation(tmp_path, box):
    """Directions and errors hang on the halo's number alone."""
    settings = replace(PLAIN, velocity_error=80.0)
    want = catalogue(tmp_path, box, settings)["contaminated"]
    heavy = catalogue(tmp_path, box, replace(settings, min_log10_mass=14.5))["contaminated"]
    rows = np.flatnonzero(np.isin(want.host_id, heavy.host_id))
    for name in ("velocity", "galaxy", "x"):
        np.testing.assert_array_equal(getattr(want.only(rows), name), getattr(heavy, name))
    assert 0 < len(heavy) < len(want)
    assert want.view.max() == 5


def test_velocity_errors_are_gaussian_and_come_before_the_cut(tmp_path, box, both):
    got = catalogue(tmp_path, box, replace(PLAIN, velocity_error=300.0))
    pure = got["pure"]
    errors = (pure.velocity - both["pure"].velocity) / 300.0
    assert abs(errors.mean()) < 5 / np.sqrt(errors.size)
    assert abs(errors.std() - 1) < 5 / np.sqrt(2 * errors.size)
    clusters, plain = got["contaminated"], both["contaminated"]
    assert np.abs(clusters.velocity).max() < 2200
    came = 0
    for k in range(0, len(plain), 3):  # what came in and went out
        wide = {g: v for g, v, _ in in_cylinder(box, np.flatnonzero(box.haloes.ids == plain.host_id[k])[0],
                                                plain.line_of_sight[k], 1.6 / 0.7, 2200 + 6.67 * 300, 0.1)}  # fmt: skip
        row = {g: v for g, v, *_ in rows_of(clusters, k)}
        assert set(row) <= set(wide)
        assert all(abs(row[g] - wide[g]) < 6.67 * 300 for g in row)
        came += sum(abs(wide[g]) >= 2200 for g in row)
        gone = set(wide) - set(row)
        assert all(abs(wide[g]) > 2200 - 5 * 300 for g in gone)
    assert came > 0
    other = catalogue(tmp_path, box, replace(PLAIN, velocity_error=300.0, seed=4))["pure"]
    axis = pure.view < 3  # the seed changes the other directions
    assert not np.array_equal(other.only(axis).velocity, pure.only(axis).velocity)


def test_fewer_tracers_on_request(tmp_path, box, both):
    got = catalogue(tmp_path, box, replace(PLAIN, satellites_only=True))
    assert got["pure"].n_galaxies.tolist() == (both["pure"].n_galaxies - 1).tolist()
    assert not box.galaxies.is_central[got["contaminated"].galaxy].any()
    got = catalogue(tmp_path, box, replace(PLAIN, min_stellar_mass=10**10.5))
    assert (box.galaxies.stellar_mass[got["contaminated"].galaxy] >= 10**10.5).all()
    for k in range(len(got["contaminated"])):  # the order within a row depends on the cells of the index
        kept = [row[0] for row in rows_of(both["contaminated"], k) if box.galaxies.stellar_mass[row[0]] >= 10**10.5]
        assert [row[0] for row in rows_of(got["contaminated"], k)] == kept
    bare = replace(box, galaxies=replace(box.galaxies, stellar_mass=None))
    with pytest.raises(MissingFieldError, match="`min_stellar_mass` needs stellar masses"):
        catalogue(tmp_path, bare, replace(PLAIN, min_stellar_mass=10**10.5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_log10_mass": 16.0}, r"log10 M200c >= 16 Msun/h, the heaviest of 12 haloes has 1[45]\.\d\d"),
        (
            {"min_richness": 10_000},
            r"more than 10000 galaxies; of \d+ haloes .* the richest has 25 members and \d+ galaxies",
        ),
        ({"max_radius": 61.0}, "cylinder is 122 Mpc wide, the box only 120 Mpc"),
        ({"redshift": 0.003}, r"`redshift` must be above 0\.0\d+ for this velocity window, got 0.003"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_no_file(tmp_path, box, settings, message):
    with pytest.raises(DomainError, match=message):
        catalogue(tmp_path, box, replace(PLAIN, **settings))
    assert not list(tmp_path.iterdir())


def test_an_empty_box_and_bad_values(tmp_path, box):
    none = replace(box.haloes, **{name: getattr(box.haloes, name)[:0] for name in ("ids", "positions", "velocities",
                                                                                  "m200c", "r200c")})  # fmt: skip
    lonely = replace(box, haloes=none, galaxies=replace(box.galaxies, host=np.full(box.galaxies.n, -1)))
    with pytest.raises(DomainError, match="a test holds no halo"):
        catalogue(tmp_path, lonely)
    bad = box.galaxies.positions.copy()
    bad[5, 1] = np.nan
    with pytest.raises(BadInputError, match="`positions` must be finite, got 1 of"):
        catalogue(tmp_path, replace(box, galaxies=replace(box.galaxies, positions=bad)))
    assert not list(tmp_path.iterdir())


def test_haloes_without_galaxies_are_not_observed(tmp_path, box):
    host = np.where(box.galaxies.host == 3, -1, box.galaxies.host)
    got = catalogue(tmp_path, replace(box, galaxies=replace(box.galaxies, host=host)))
    assert box.haloes.ids[3] not in got["pure"].host_id
    row = got["contaminated"].host_id == box.haloes.ids[3]
    assert (got["contaminated"].n_members[row] == 0).all()


def test_boxes_that_are_short_near_or_have_edges_are_named(tmp_path):
    small = make_universe(n_haloes=3, box_size=40.0)
    with pytest.warns(DataWarning, match=r"box \(40 Mpc\) is shorter than the velocity window"):
        got = catalogue(tmp_path, small)
    assert "shorter than the velocity window" in " ".join(got["pure"].record["notes"])
    with pytest.warns(DataWarning, match="not periodic"):
        catalogue(tmp_path, make_universe(n_haloes=3, is_periodic=False))
    with pytest.warns(DataWarning, match=r"at redshift 0, too near to be observed: clusters are put at 0\.1"):
        assert catalogue(tmp_path, make_universe(n_haloes=3, redshift=0.0))["pure"].redshift == 0.1


def test_the_public_function(tmp_path, box, both):
    got = make_cluster_catalogue(box, tmp_path / "a.hdf5", PLAIN, n_threads=2)
    np.testing.assert_array_equal(got.velocity, both["contaminated"].velocity)
    with pytest.raises(FileExistsError, match="overwrite"):
        make_cluster_catalogue(box, tmp_path / "a.hdf5", PLAIN)
    make_cluster_catalogue(box, tmp_path / "a.hdf5", PLAIN, overwrite=True)


def test_dispersion_of_ragged_rows(rng):
    sizes = np.array([0, 1, 2, 0, 50, 3])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    velocity = rng.normal(5e4, 700, offsets[-1])
    want = [np.std(velocity[a:b], ddof=1) if b - a > 1 else np.nan for a, b in itertools.pairwise(offsets)]
    np.testing.assert_allclose(dispersion(velocity, offsets), want, rtol=SMOOTH[F64])


def test_velocities_of_members_are_exact_far_from_the_cluster(rng):
    depth, redshift = rng.uniform(-100, 300, 500), rng.uniform(0.03, 1.0, 500)
    own, other = rng.normal(0, 900, (2, 500))
    z = np.linspace(0, 1.2, 30_001)
    there = np.interp(COSMOLOGY.comoving_distance(redshift) + depth, COSMOLOGY.comoving_distance(z), z)
    flow, here = (C * ((1 + z) ** 2 - 1) / ((1 + z) ** 2 + 1) for z in (there, redshift))
    total, cluster = (flow + own) / (1 + flow * own / C**2), (here + other) / (1 + here * other / C**2)
    want = (total - cluster) / (1 - total * cluster / C**2)
    np.testing.assert_allclose(
        relative_velocity(depth, own, other, redshift, COSMOLOGY), want, rtol=0, atol=SEEN_VELOCITY
    )
