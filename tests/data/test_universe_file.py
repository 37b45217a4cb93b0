"""The file of a universe: round trip to the bit, and only finished, whole files are read."""

import json
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest

from clustermass.data.universe import Galaxies, Haloes
from clustermass.data.universe_file import read_universe, write_universe
from clustermass.errors import BadInputError, FileFormatError
from tests.universes import make_universe


def same(got, want):
    for table in ("haloes", "galaxies"):
        for field in fields(getattr(want, table)):
            one, other = (getattr(getattr(u, table), field.name) for u in (got, want))
            if other is None:
                assert one is None
            else:
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
    for name in ("box_size", "redshift", "cosmology", "is_periodic", "source", "notes"):
        assert getattr(got, name) == getattr(want, name)


@pytest.fixture
def box():
    return make_universe(n_haloes=5, per_halo=3, n_field=4)


def test_round_trip(tmp_path, box):
    write_universe(tmp_path / "box.hdf5", box, {"seed": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["box.hdf5"]
    same(read_universe(tmp_path / "box.hdf5"), box)
    with h5py.File(tmp_path / "box.hdf5") as file:
        assert file["haloes/m200c"].attrs["unit"] == b"solMass"
        assert file["galaxies/positions"].attrs["unit"] == b"Mpc"
        assert file["galaxies/positions"].fletcher32
        assert json.loads(file["record"][()].tobytes())["provenance"] == {"seed": 1}
        assert file.attrs["h"] == 0.7


def test_what_is_not_there_stays_away(tmp_path, box):
    plain = replace(box, galaxies=replace(box.galaxies, stellar_mass=None, magnitude_r=None), is_periodic=False)
    write_universe(tmp_path / "box.hdf5", plain)
    same(read_universe(tmp_path / "box.hdf5"), plain)


def test_an_empty_box_is_a_box(tmp_path, box):
    none = np.empty((0, 3))
    haloes = Haloes(np.empty(0, np.int64), none, none, np.empty(0), np.empty(0))
    galaxies = Galaxies(none, none, np.empty(0, np.int64), np.empty(0, bool))
    empty = replace(box, haloes=haloes, galaxies=galaxies)
    write_universe(tmp_path / "box.hdf5", empty)
    same(read_universe(tmp_path / "box.hdf5"), empty)


def test_texts_of_any_length(tmp_path, box):
    long = replace(box, notes=("x" * 200_000,))
    write_universe(tmp_path / "box.hdf5", long)
    assert read_universe(tmp_path / "box.hdf5").notes == long.notes


@pytest.mark.parametrize(
    ("table", "name", "value", "message"),
    [
        ("haloes", "positions", np.nan, "haloes.positions.*finite.*1 of 15"),
        ("haloes", "m200c", 0.0, "haloes.m200c.*above zero"),
        ("haloes", "r200c", -1.0, "haloes.r200c.*above zero"),
        ("galaxies", "velocities", np.inf, "galaxies.velocities.*finite"),
    ],
)
def test_values_that_cannot_be_are_not_written(tmp_path, box, table, name, value, message):
    bad = getattr(getattr(box, table), name).copy()
    bad.flat[1] = value
    broken = replace(box, **{table: replace(getattr(box, table), **{name: bad})})
    with pytest.raises(BadInputError, match=message):
        write_universe(tmp_path / "box.hdf5", broken)
    assert not list(tmp_path.iterdir())


def test_equal_ids_are_refused(tmp_path, box):
    with pytest.raises(BadInputError, match="different"):
        write_universe(tmp_path / "a", replace(box, haloes=replace(box.haloes, ids=np.zeros(5, np.int64))))


def set_value(name, value):
    def change(file):
        data = file[name]
        data[0] = value

    return change


def rewrite(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__setitem__("complete", 0), "not complete"),
        (lambda f: f.attrs.__delitem__("complete"), "not complete"),
        (lambda f: f.attrs.__setitem__("format", np.bytes_("other")), "format"),
        (lambda f: f.attrs.__setitem__("format_version", 99), "format version 99"),
        (lambda f: f.attrs.__setitem__("h", -1.0), "`h` must be"),
        (lambda f: f.attrs.__setitem__("box_size", np.nan), "box_size must be a finite"),
        (lambda f: f.attrs.__delitem__("redshift"), "redshift"),
        (lambda f: f.__delitem__("haloes/m200c"), "lacks haloes/m200c"),
        (lambda f: f.__delitem__("galaxies"), "lacks galaxies/positions"),
        (lambda f: f.__delitem__("record"), "record"),
        (rewrite("record", np.frombuffer(b"{ half", np.uint8)), "record"),
        (rewrite("galaxies/host", np.full(19, 99)), "`host` must be rows"),
        (rewrite("haloes/r200c", np.ones(3)), "r200c"),
        (set_value("haloes/m200c", np.nan), "m200c"),
        (rewrite("haloes/m200c", h5py.ExternalLink("other.hdf5", "a")), "link out of the file"),
    ],
)
def test_damaged_files_are_refused(tmp_path, box, change, message):
    path = tmp_path / "box.hdf5"
    write_universe(path, box)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FileFormatError, match=message):
        read_universe(path)


def test_every_cut_and_a_flipped_byte_are_noticed(tmp_path, box):
    path = tmp_path / "box.hdf5"
    write_universe(path, box)
    data = path.read_bytes()
    for size in range(0, len(data), 1500):
        path.write_bytes(data[:size])
        with pytest.raises(FileFormatError):
            read_universe(path)
    at = data.find(box.galaxies.positions.tobytes())
    assert at > 0
    path.write_bytes(data[: at + 9] + bytes([data[at + 9] ^ 1]) + data[at + 10 :])
    with pytest.raises(FileFormatError, match="galaxies/positions"):
        read_universe(path)


def test_files_of_others_and_missing_ones(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    with pytest.raises(FileFormatError):
        read_universe(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_universe(tmp_path / "b")
