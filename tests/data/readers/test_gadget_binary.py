"""Gadget format 1 and 2: byte orders, precisions, which blocks are there, several files, records above 4 GiB."""

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from tests.data.readers import writers
from tests.data.readers.checks import assert_same

GAS_ORDER = ["POS", "VEL", "ID", "MASS", "U", "RHO", "NE", "NH", "HSML", "SFR", "AGE", "Z"]
NO_HEADER = {"box": 0, "omega0": 0, "omega_lambda": 0, "h": 0, "flag_cooling": 424242, "num_files": 0, "high": [7] * 6}


@pytest.fixture
def made():
    return writers.universe()


@pytest.fixture(params=[1, 2], ids=["format1", "format2"])
def version(request):
    return request.param


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("dtype", "id_dtype"), [("f4", "u4"), ("f8", "u8"), ("f4", "u8")])
def test_reads_back_what_was_written(tmp_path, made, version, order, dtype, id_dtype):
    path = writers.write_gadget_binary(
        tmp_path / "snap", made, version=version, order=order, dtype=dtype, id_dtype=id_dtype
    )
    snapshot = cm.open_snapshot(path)
    head = snapshot.header
    assert snapshot.format == f"gadget{version}"
    assert head.counts == made.counts
    assert head.is_cosmological
    assert head.box_size == pytest.approx(made.box)
    assert head.mass_table == pytest.approx(made.mass_table)
    assert_same(snapshot, made)
    assert snapshot.read("gas", "density")["density"].dtype == np.dtype(dtype)
    np.testing.assert_allclose(snapshot.read("dark_matter", "masses")["masses"], 5e10, rtol=1e-6)


@pytest.mark.parametrize(
    "blocks",
    [["POS"], ["POS", "VEL", "ID"], ["POS", "VEL", "ID", "MASS", "U"], ["POS", "VEL", "ID", "MASS", "U", "RHO"],
     ["POS", "VEL", "ID", "MASS", "U", "RHO", "HSML"], ["POS", "VEL", "ID", "MASS", "U", "RHO", "NE", "NH"],
     GAS_ORDER[:9], GAS_ORDER[:10], GAS_ORDER[:11], GAS_ORDER, ["POS", "ID", "MASS"]],
    ids="-".join,
)  # fmt: skip
def test_blocks_that_are_there_are_found(tmp_path, made, version, blocks):
    path = writers.write_gadget_binary(tmp_path / "snap", made, version=version, blocks=blocks)
    snapshot = cm.open_snapshot(path)
    written = {writers.BLOCKS[name] for name in blocks}
    derivable = {"smoothing_length"} if {"masses", "density"} <= written else set()
    assert set(snapshot.fields("gas")) == (written - {"nh", "formation_scale_factor"}) | derivable
    assert_same(snapshot, made, skip=set(writers.BLOCKS.values()) - written)


def test_masses_in_the_table_take_no_room_in_the_block(tmp_path, made, version):
    made.mass_table = (2e9, 0.0, 0.0, 0.0, 3e8, 0.0)
    made.data["dark_matter"]["masses"] = np.linspace(1e10, 2e10, 50)
    snapshot = cm.open_snapshot(writers.write_gadget_binary(tmp_path / "snap", made, version=version))
    masses = {t: snapshot.read(t, "masses")["masses"] for t in made.data}
    np.testing.assert_allclose(masses["gas"], 2e9, rtol=1e-6)
    np.testing.assert_allclose(masses["stars"], 3e8, rtol=1e-6)
    np.testing.assert_allclose(masses["dark_matter"], made.data["dark_matter"]["masses"], rtol=1e-6)


def test_missing_mass_block_is_named(tmp_path, made):
    snapshot = cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made, version=2, blocks=["POS", "VEL"]))
    with pytest.raises(errors.MissingFieldError, match="no block MASS; prevents mass maps"):
        snapshot.read("gas", "masses")


def test_unknown_blocks_are_passed_over(tmp_path, made):
    extra = [("WHAT", b"\1" * 77), ("HUH", b"")]
    snapshot = cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made, version=2, extra=extra))
    assert_same(snapshot, made)
    assert set(snapshot.others) == {"block WHAT", "block HUH", "block NH"}


def test_format_1_tail_is_passed_over(tmp_path, made):
    snapshot = cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made, blocks=["POS", "VEL", "ID", "MASS"]))
    path = tmp_path / "s"
    path.write_bytes(path.read_bytes() + writers.record(b"\1" * 99))
    snapshot = cm.open_snapshot(path)
    assert snapshot.others == ("block 5, 99 bytes",)


def test_info_block_says_which_types_a_block_holds(tmp_path, made):
    """12 stars and 12 gas particles: only INFO can tell whose HSML this is."""
    made = writers.universe(n_gas=12, n_stars=12)
    entry = lambda name, *types: name.ljust(4).encode() + b"FLOAT   " + np.array([1, *types], "<i4").tobytes()  # noqa: E731
    info = entry("SFR", 0, 0, 0, 0, 1, 0) + entry("U", 1, 0, 0, 0, 0, 0)
    path = writers.write_gadget_binary(tmp_path / "s", made, version=2)
    path.write_bytes(path.read_bytes() + writers.record(info, name="INFO"))
    snapshot = cm.open_snapshot(path)
    assert "star_formation_rate" not in snapshot.fields("gas")
    assert "internal_energy" in snapshot.fields("gas")


def test_elements_are_not_a_metallicity(tmp_path, made):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=2, blocks=["POS", "VEL", "ID", "MASS"])
    path.write_bytes(path.read_bytes() + writers.record(b"\0" * (81 * 12 * 4), name="Z"))
    with pytest.raises(errors.MissingFieldError, match="12 values a particle"):
        cm.open_snapshot(path).read("gas", "metallicity")


def test_entropy_is_not_an_energy(tmp_path, made):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=2, header={"flag_entropy": 1})
    with pytest.raises(errors.MissingFieldError, match="holds entropy"):
        cm.open_snapshot(path).read("gas", "internal_energy")


def test_several_files_are_one_snapshot(tmp_path, made, version):
    header = {"num_files": 3, "total": made.counts}
    for i in range(3):
        writers.write_gadget_binary(tmp_path / f"snap.{i}", made.part(i, 3), version=version, header=header)
    for name in ("snap", "snap.0", "snap.2"):
        snapshot = cm.open_snapshot(tmp_path / name)
        assert len(snapshot.paths) == 3
        assert_same(snapshot, made)
    header["total"] = (71, 50, 0, 0, 11, 0)
    writers.write_gadget_binary(tmp_path / "snap.0", made.part(0, 3), version=version, header=header)
    with pytest.raises(errors.FileFormatError, match=r"declares \(71, 50"):
        cm.open_snapshot(tmp_path / "snap.0")


@pytest.mark.parametrize("blocks", [GAS_ORDER[:5], GAS_ORDER])
def test_more_particles_declared_than_held(tmp_path, made, version, blocks):
    path = writers.write_gadget_binary(
        tmp_path / "s", made, version=version, blocks=blocks, header={"npart": (70, 51, 0, 0, 11, 0)}
    )
    with pytest.raises(errors.TruncatedFileError, match=r"/s: header declares 132 .*POS.*enough for 131"):
        cm.open_snapshot(path)


def test_cut_file_names_block_and_counts(tmp_path, made, version):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=version)
    whole = path.read_bytes()
    start = 256 + 8 + 16 * (version - 1) * 2 + 4
    path.write_bytes(whole[: start + 100 * 12 + 5])
    with pytest.raises(errors.TruncatedFileError, match=r"/s: block POS declares 1572 .*131 particles.*100 held"):
        cm.open_snapshot(path)


def test_markers_that_differ_are_refused(tmp_path, made, version):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=version)
    raw = bytearray(path.read_bytes())
    at = raw.index((131 * 12).to_bytes(4, "little"), 320)
    raw[at : at + 4] = (131 * 12 - 4).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(errors.FileFormatError, match=r"block (1|POS) begins with .* 1572 and ends with 1568"):
        cm.open_snapshot(path)


def test_careless_header_says_what_it_assumed(tmp_path, made, version):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=version, header=NO_HEADER)
    with pytest.warns(errors.DataWarning, match=r"assumed h = 0\.7.*Omega_m = 0\.3.*Omega_lambda = 0\.7") as caught:
        snapshot = cm.open_snapshot(path)
    assert len(caught) == 1
    assert snapshot.header.box_size is None
    assert snapshot.header.is_cosmological
    assert_same(snapshot, made)
    told = cm.open_snapshot(path, hubble=0.5, omega_m=0.25, omega_lambda=0.75, box_size=30.0)
    assert (told.header.h, told.header.omega_m, told.header.box_size) == (0.5, 0.25, 30.0)
    ratio = told.read("gas", "positions")["positions"] / made.data["gas"]["positions"]
    np.testing.assert_allclose(ratio, 0.7 / 0.5, rtol=1e-6)


@pytest.mark.parametrize("n", [2**31 + 1000, 2**30, 3 * 2**30 + 7])
def test_billions_of_particles_are_counted_and_sliced(tmp_path, n):
    """A sparse file: only the header, the record markers and one position are written."""
    made = writers.Universe(mass_table=(0.0, 1e10, 0.0, 0.0, 0.0, 0.0))
    head = writers.binary_header(made, npart=(0, n, 0, 0, 0, 0), total=(0, n, 0, 0, 0, 0))
    path = tmp_path / "huge"
    row = n - 3
    with path.open("wb") as file:
        file.write(writers.record(head))
        for width in (12, 12, 4):
            start = file.tell()
            marker = np.array(width * n % 2**32, "<u4").tobytes()
            file.write(marker)
            if start < 300:
                file.seek(start + 4 + 12 * row)
                file.write(np.array([700.0, 1400.0, 2100.0], "<f4").tobytes())
            file.seek(start + 4 + width * n)
            file.write(marker)
    snapshot = cm.open_snapshot(path)
    assert snapshot.count("dark_matter") == n
    chunk = next(snapshot.iter_chunks("dark_matter", ["positions", "ids", "masses"], byte_budget=2**20))
    assert not chunk["positions"].any()
    part = snapshot._parts[0]
    with part.open() as read:
        column = part.columns[1, "positions"]
        np.testing.assert_array_equal(read(column, row, row + 2), [[700, 1400, 2100], [0, 0, 0]])
        with pytest.raises(errors.TruncatedFileError, match="the file ends after"):
            read(part.columns[1, "ids"], n - 5, n + 5)


def test_high_words_count_above_32_bits(tmp_path):
    """Totals of 2^32 + 131: the header of a set whose files hold 131 particles is refused with the whole number."""
    made = writers.universe()
    header = {"num_files": 2, "total": made.counts, "high": (1, 0, 0, 0, 0, 0)}
    for i in range(2):
        writers.write_gadget_binary(tmp_path / f"s.{i}", made.part(i, 2) if i else made, header=header)
    with pytest.raises(errors.FileFormatError, match=rf"declares \({2**32 + 70}, 50"):
        cm.open_snapshot(tmp_path / "s.0")


@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 400, b"GADGET binary?" * 20], ids=["0", "3", "zeros", "text"])
def test_other_files_are_of_no_known_format(tmp_path, content):
    path = tmp_path / "snap.hdf5"
    path.write_bytes(content)
    with pytest.raises(errors.FileFormatError, match=r"snap\.hdf5: .*expected Gadget format 1 or 2, or HDF5"):
        cm.open_snapshot(path)


def test_absent_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        cm.open_snapshot(tmp_path / "nothing")
    with pytest.raises(errors.FileFormatError, match="is a folder"):
        cm.open_snapshot(tmp_path)
