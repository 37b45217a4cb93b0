"""The column store: equal to parsing, reused only while it is true, never half written."""

import os

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers.catalogues import store, text
from tests.data.catalogues.writers import rockstar_list


@pytest.fixture
def source(tmp_path, rng):
    return rockstar_list(tmp_path / "out_1.list", rng, 400)


@pytest.fixture
def parsings(monkeypatch):
    """Every file that was parsed."""
    calls, parse = [], text.parse_table

    def counted(path, *rest):
        calls.append(os.path.basename(path))
        return parse(path, *rest)

    monkeypatch.setattr(store, "parse_table", counted)
    return calls


def test_columns_are_equal_and_parsed_once(source, tmp_path, parsings, monkeypatch):
    plain = cm.open_catalogue(source)
    monkeypatch.setattr(text, "BLOCK_BYTES", 3000)
    for _ in range(3):
        kept = cm.open_catalogue(source, store=tmp_path / "columns.h5")
        assert kept.raw_names == plain.raw_names
        for name in plain.raw_names:
            np.testing.assert_array_equal(kept.raw(name), plain.raw(name))
            assert kept.raw(name).dtype == plain.raw(name).dtype
        assert (kept.header, kept.columns, kept.assumptions) == (plain.header, plain.columns, plain.assumptions)
    assert parsings == ["out_1.list"]


def test_any_change_makes_it_again(source, tmp_path, parsings, rng):
    path = tmp_path / "columns.h5"
    first = cm.open_catalogue(source, store=path)
    rockstar_list(source, rng, 401)
    second = cm.open_catalogue(source, store=path)
    assert (first.n, second.n, len(parsings)) == (400, 401, 2)
    with pytest.raises(errors.FileFormatError, match=r"columns\.h5: was made again from another source"):
        first["ids"]
    times = os.stat(source)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    cm.open_catalogue(source, store=path)
    data = bytearray(source.read_bytes())
    data[-3] = ord("1") if data[-3] != ord("1") else ord("2")
    source.write_bytes(data)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    cm.open_catalogue(source, store=path)  # same size, same time
    assert len(parsings) == 4


def test_text_and_late_changes_of_kind(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("name,id,x\n" + "".join(f"Abéll {k:04d},{k},{k}\n" for k in range(200)) + "last,00007,1.5\n")
    plain = cm.open_catalogue(path)
    monkeypatch.setattr(text, "BLOCK_BYTES", 300)
    kept = cm.open_catalogue(path, store=tmp_path / "s.h5", columns={"names": "name", "spare": "x"})
    for name in ("name", "x"):
        np.testing.assert_array_equal(kept.raw(name), plain.raw(name))
    assert kept["names"][3] == "Abéll 0003"
    assert kept["spare"][-1] == 1.5
    assert plain.raw("id")[-1] == kept.raw("id")[-1] == "00007"


def test_other_files_are_kept(source, tmp_path):
    for content in (b"important", source.read_bytes()):
        other = tmp_path / "other"
        other.write_bytes(content)
        with pytest.raises(errors.FileFormatError, match="`store` must be a new file"):
            cm.open_catalogue(source, store=other)
        assert other.read_bytes() == content
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(errors.FileFormatError, match="is kept"):
        cm.open_catalogue(source, store=tmp_path / "mine.h5")


def test_a_fault_leaves_no_store(source, tmp_path):
    source.write_bytes(source.read_bytes()[:-30])
    with pytest.raises(errors.TruncatedFileError):
        cm.open_catalogue(source, store=tmp_path / "columns.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["out_1.list"]


def test_damaged_stores_are_noticed(source, tmp_path, parsings):
    path = tmp_path / "columns.h5"
    cm.open_catalogue(source, store=path)
    with h5py.File(path, "a") as file:
        file.attrs["complete"] = 0
    assert cm.open_catalogue(source, store=path).n == 400
    with h5py.File(path, "a") as file:
        del file["columns/c3"]
    assert cm.open_catalogue(source, store=path)["vmax"].size == 400
    assert len(parsings) == 3
    with h5py.File(path) as file:
        start, size = file["columns/c3"].id.get_chunk_info(0).byte_offset, 100
    data = bytearray(path.read_bytes())
    data[start : start + size] = bytes(size)
    path.write_bytes(data)
    with pytest.raises(errors.FileFormatError, match=r"columns\.h5: cannot read columns/c3"):
        cm.open_catalogue(source, store=path)["vmax"]


def test_a_set_has_a_store_for_each_file(tmp_path, rng, parsings):
    rows = rockstar_list(tmp_path / "x", rng, 60).read_text().splitlines(keepends=True)
    head, body = rows[:5], rows[5:]
    names = head[0].replace("#ID DescID", "#id num_p").replace("Np", "rvmax")
    for k in range(3):
        (tmp_path / f"halos_7.{k}.ascii").write_text("".join([names, *head[1:], *body[20 * k : 20 * k + 20]]))
    for _ in range(2):
        halos = cm.open_catalogue(tmp_path / "halos_7", store=tmp_path / "s.h5")
        assert (halos.format, halos.n, len(halos.paths)) == ("rockstar_ascii", 60, 3)
        assert halos["ids"].tolist() == list(range(60))
    assert len(parsings) == 3
    (tmp_path / "halos_7.1.ascii").unlink()
    with pytest.raises(errors.FileFormatError, match="of the 3 files of this set number 1 is not there"):
        cm.open_catalogue(tmp_path / "halos_7.2.ascii")
