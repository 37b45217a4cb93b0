"""The file of cluster observations: what is appended comes back, in parts or whole; nothing damaged is read."""

from dataclasses import fields

import h5py
import numpy as np
import pytest

from clustermass.data.clusters_file import (
    CLUSTER_COLUMNS,
    GALAXY_COLUMNS,
    KINDS,
    ClusterSet,
    iter_clusters,
    read_clusters,
)
from clustermass.errors import ArrayError, BadInputError, DomainError, FileFormatError
from tests.clusters import block, write_clusters
from tests.universes import COSMOLOGY


@pytest.fixture
def blocks(rng):
    return [block(rng, [3, 0, 5]), block(rng, [0, 0, 0], 1), block(rng, [2, 1, 40, 7, 0, 1], 2)]


@pytest.fixture
def path(tmp_path, blocks):
    write_clusters(tmp_path / "clusters.hdf5", blocks)
    return tmp_path / "clusters.hdf5"


def test_every_column_has_its_attribute():
    assert {*GALAXY_COLUMNS, *CLUSTER_COLUMNS} <= {field.name for field in fields(ClusterSet)}


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(path, blocks, kind):
    got = read_clusters(path, kind)
    assert (len(got), got.kind, got.max_radius, got.max_velocity) == (12, kind, 2.3, 2200.0)
    assert got.offsets.tolist() == [0, 3, 3, 8, 8, 8, 8, 10, 11, 51, 58, 58, 59]
    assert got.offsets.dtype == np.int64
    assert got.n_galaxies.tolist() == [3, 0, 5, 0, 0, 0, 2, 1, 40, 7, 0, 1]
    for name in ("host_id", "view", "line_of_sight", "position", "log10_m200c", "sigma_v", "n_members"):
        np.testing.assert_array_equal(getattr(got, name), np.concatenate([rows[name] for rows, _, _ in blocks]))
    for name, (dtype, _) in GALAXY_COLUMNS.items():
        want = np.concatenate([galaxies[name] for _, _, galaxies in blocks])
        np.testing.assert_array_equal(getattr(got, name), want.astype(bool if dtype is np.uint8 else dtype))
    assert got.is_member.dtype == bool
    assert got.cosmology == COSMOLOGY
    assert got.record["settings"] == {"seed": 1}
    np.testing.assert_allclose(got.log10_m200c_h, got.log10_m200c + np.log10(0.7))
    np.testing.assert_allclose(got.radius, np.sqrt(got.x**2 + got.y**2), rtol=1e-6)
    with h5py.File(path) as file:
        assert file["pure/galaxies/velocity"].attrs["unit"] == b"km / s"
        assert file["pure/clusters/log10_m200c"].attrs["unit"] == b"dex(solMass)"
        assert file["pure/galaxies/x"].fletcher32


def same(got, want):
    for name in ("offsets", *GALAXY_COLUMNS, *CLUSTER_COLUMNS):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))


@pytest.mark.parametrize(
    "rows", [slice(2, 9), slice(0, 0), [8], [9, 2, 2, 0], slice(None, None, 2), np.arange(12) > 10, [], slice(None)]
)
def test_rows_are_read_in_part(path, rows):
    whole = read_clusters(path)
    want = np.atleast_1d(np.arange(12)[np.array(rows, int) if isinstance(rows, list) else rows])
    for got in (read_clusters(path, rows=np.array(rows, int) if isinstance(rows, list) else rows), whole.only(want)):
        assert len(got) == want.size
        for k, row in enumerate(want):
            mine, there = slice(*got.offsets[k : k + 2]), slice(*whole.offsets[row : row + 2])
            for name in GALAXY_COLUMNS:
                np.testing.assert_array_equal(getattr(got, name)[mine], getattr(whole, name)[there])
            for name in CLUSTER_COLUMNS:
                np.testing.assert_array_equal(getattr(got, name)[k], getattr(whole, name)[row])
    same(read_clusters(path, rows=want), whole.only(want))


@pytest.mark.parametrize("at_a_time", [1, 7, 40, 10**6])
def test_streaming_gives_every_row_once(path, at_a_time):
    whole, parts = read_clusters(path), list(iter_clusters(path, max_galaxies=at_a_time))
    assert sum(len(part) for part in parts) == 12
    assert all(len(part) == 1 or part.x.size <= at_a_time for part in parts)
    for name in (*GALAXY_COLUMNS, *CLUSTER_COLUMNS):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))


def test_a_file_without_any_observation(tmp_path, rng):
    write_clusters(tmp_path / "none.hdf5", [block(rng, [])])
    got = read_clusters(tmp_path / "none.hdf5")
    assert (len(got), got.x.size, got.offsets.tolist()) == (0, 0, [0])
    assert list(iter_clusters(tmp_path / "none.hdf5")) == []


def test_rows_of_a_fold_share_no_host(path):
    got = read_clusters(path)
    train, test = got.rows_of_fold(2)
    assert set(got.host_id[test]) == {2}
    assert set(got.host_id[train]) == {0, 1, 3}
    with pytest.raises(DomainError, match="`fold`"):
        got.rows_of_fold(4)


def test_views_of_one_host_on_two_sides_are_refused(tmp_path, blocks):
    for name in ("fold", "split"):
        write_clusters(tmp_path / "leak.hdf5", blocks, **{name: np.arange(12) % 2})
        with pytest.raises(FileFormatError, match=f"`{name}` must be equal for all views of a host"):
            read_clusters(tmp_path / "leak.hdf5")


def test_unknown_kinds_and_wrong_shapes(path):
    with pytest.raises(DomainError, match="'pure', 'contaminated'"):
        read_clusters(path, "clean")
    whole = read_clusters(path)
    with pytest.raises(ArrayError, match="`fold` must have shape"):
        ClusterSet(**{f.name: getattr(whole, f.name) for f in fields(whole)} | {"fold": whole.fold[:3]})
    with pytest.raises((ArrayError, BadInputError), match="offsets"):
        ClusterSet(**{f.name: getattr(whole, f.name) for f in fields(whole)} | {"offsets": whole.offsets[:3]})


def rewrite(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__setitem__("complete", 0), "not complete"),
        (lambda f: f.attrs.__setitem__("max_radius", -1.0), "max_radius"),
        (lambda f: f.__delitem__("contaminated/offsets"), "lacks contaminated/offsets"),
        (lambda f: f.__delitem__("contaminated/clusters/view"), "lacks contaminated/clusters/view"),
        (lambda f: f.__delitem__("contaminated/galaxies/x"), "galaxies/x must have 59 entries, got 0"),
        (rewrite("contaminated/galaxies/x", np.ones(9)), "galaxies/x must have 59 entries, got 9"),
        (rewrite("contaminated/clusters/view", np.ones(9, int)), "view has 9 rows for 12"),
        (rewrite("contaminated/offsets", np.arange(13)[::-1].copy()), "never decrease"),
        (rewrite("contaminated/galaxies/velocity", np.full(59, np.nan)), "velocity.*finite"),
        (rewrite("contaminated/clusters/log10_m200c", np.full(12, np.nan)), "log10_m200c.*finite"),
    ],
)
def test_damaged_files_are_refused(path, change, message):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FileFormatError, match=message):
        read_clusters(path)


def test_a_flipped_byte_is_noticed(path):
    data = path.read_bytes()
    at = data.rfind(read_clusters(path).velocity.tobytes())
    assert at > 0
    path.write_bytes(data[: at + 5] + bytes([data[at + 5] ^ 1]) + data[at + 6 :])
    with pytest.raises(FileFormatError, match="velocity"):
        read_clusters(path)
