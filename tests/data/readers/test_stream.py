"""Streaming: chunks add up to the whole, stay within the budget, follow a region; blocks that must not be used."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers import stream
from clustermass.data.schema import Region
from tests.data.readers import writers

WRITERS = {
    "gadget1": writers.write_gadget_binary,
    "hdf5": writers.write_gadget_hdf5,
    "chunked": lambda path, made: writers.write_gadget_hdf5(path, made, chunks=1000),
    "swift": writers.write_swift,
}
FIELDS = ["positions", "masses", "ids", "smoothing_length"]


@pytest.fixture(scope="module")
def made():
    return writers.universe(n_gas=60_000, n_dark=20_000)


@pytest.fixture(scope="module", params=WRITERS)
def snapshot(request, tmp_path_factory, made):
    return cm.open_snapshot(WRITERS[request.param](tmp_path_factory.mktemp("stream") / "s", made))


@pytest.mark.parametrize("ptype", ["gas", "dark_matter"])
def test_chunks_add_up_to_the_whole(snapshot, ptype):
    names = FIELDS if ptype == "gas" else FIELDS[:3]
    chunks = list(snapshot.iter_chunks(ptype, names, byte_budget=2**20))
    whole = snapshot.read(ptype, names)
    assert len(chunks) > 1
    assert list(whole) == names
    for name in names:
        np.testing.assert_array_equal(np.concatenate([chunk[name] for chunk in chunks]), whole[name])
        assert whole[name].flags.c_contiguous
    assert max(sum(a.nbytes for a in chunk.values()) for chunk in chunks) <= 2**20


def test_region_wraps_round_the_box(snapshot, made):
    region = Region((0.5, 19.8, 10.0), (1.0, 1.0, 4.0))
    got = snapshot.read("gas", ["ids", "positions"], region=region)
    d = made.data["gas"]["positions"] - region.centre
    d -= 20 * np.round(d / 20)
    inside = (np.abs(d) <= [1.0, 1.0, 4.0]).all(axis=1)
    assert 50 < inside.sum() < 1000
    np.testing.assert_array_equal(got["ids"], made.data["gas"]["ids"][inside])
    streamed = snapshot.iter_chunks("gas", ["ids"], byte_budget=2**20, region=region)
    np.testing.assert_array_equal(np.concatenate([chunk["ids"] for chunk in streamed]), got["ids"])


def test_empty_region_and_absent_type(snapshot):
    assert list(snapshot.iter_chunks("gas", "masses", region=Region((1, 1, 1), 1e-9))) == []
    got = snapshot.read("gas", ["masses", "positions", "ids"], region=Region((1, 1, 1), 1e-9))
    assert {name: array.shape for name, array in got.items()} == {"masses": (0,), "positions": (0, 3), "ids": (0,)}
    assert snapshot.fields("black_holes") == ()
    assert snapshot.read("black_holes", ["positions", "ids"])["positions"].shape == (0, 3)
    assert list(snapshot.iter_chunks("black_holes", "positions")) == []


def test_wrong_arguments_name_themselves(snapshot):
    with pytest.raises(errors.DomainError, match="`ptype` must be one of 'gas'"):
        snapshot.read("halo", "masses")
    with pytest.raises(errors.DomainError, match="`fields` must be one of 'positions'.*got 'mass'"):
        snapshot.read("gas", "mass")
    with pytest.raises(errors.DomainError, match="`fields` must name one or more different fields"):
        snapshot.read("gas", [])
    with pytest.raises(errors.DomainError, match="`byte_budget` must be >= 1048576"):
        snapshot.iter_chunks("gas", "masses", byte_budget=1000)
    with pytest.raises(errors.DomainError, match="`half_size` must be finite and > 0"):
        Region((0, 0, 0), 0)
    with pytest.raises(errors.BadInputError, match="`centre` must be finite"):
        Region((0, np.nan, 0), 1)
    with pytest.raises(errors.ArrayError, match="`centre` must have shape"):
        Region((0, 0), 1)


def test_region_takes_units():
    u = pytest.importorskip("astropy.units")
    region = Region([1000, 2000, 3000] * u.kpc, 500 * u.kpc)
    assert (region.centre, region.half_size) == ((1.0, 2.0, 3.0), (0.5, 0.5, 0.5))
    with pytest.raises(errors.UnitError, match="`half_size`"):
        Region((0, 0, 0), 1 * u.kg)


def test_smoothing_length_is_derived_where_none_is_stored(tmp_path):
    made = writers.universe(n_gas=5000)
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["smoothing_length"])
    snapshot = cm.open_snapshot(path)
    gas = made.data["gas"]
    want = np.cbrt(3 * 32 * gas["masses"] / (4 * np.pi * gas["density"]))
    got = snapshot.read("gas", "smoothing_length")["smoothing_length"]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    region = Region((5, 5, 5), 3)
    ids = snapshot.read("gas", "ids", region=region)["ids"].astype(int) - 1
    got = snapshot.read("gas", "smoothing_length", region=region)["smoothing_length"]
    np.testing.assert_allclose(got, want[ids], rtol=1e-6)
    source = {f.name: f.source for f in snapshot.describe("gas")}["smoothing_length"]
    assert "derived" in source
    assert str(stream.N_NEIGHBOURS) in source


def test_smoothing_length_of_an_empty_cell_is_zero_and_of_a_massive_void_an_error(tmp_path):
    made = writers.universe()
    made.data["gas"]["masses"][3] = 0
    made.data["gas"]["density"][3] = 0
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["smoothing_length"])
    assert cm.open_snapshot(path).read("gas", "smoothing_length")["smoothing_length"][3] == 0
    made.data["gas"]["density"][7] = 0
    writers.write_gadget_hdf5(path, made, skip=["smoothing_length"])
    with pytest.raises(errors.FileFormatError, match=r"PartType0/Density is not above 0 for 1 .* first particle 7"):
        cm.open_snapshot(path).read("gas", "smoothing_length")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_block_with_nan_is_flagged_and_not_used(tmp_path, bad):
    made = writers.universe()
    made.data["gas"]["density"][5] = bad
    path = writers.write_gadget_binary(tmp_path / "s", made, version=2, blocks=["POS", "VEL", "ID", "MASS", "U", "RHO"])
    snapshot = cm.open_snapshot(path)
    assert not {"density", "smoothing_length"} & set(snapshot.fields("gas"))
    reasons = {item.field: item.reason for item in snapshot.missing if item.ptype == "gas"}
    assert "block RHO is NaN or infinite for 1 of 70" in reasons["density"]
    with pytest.raises(errors.MissingFieldError, match=r"block RHO is NaN.*prevents X-ray"):
        snapshot.read("gas", "density")


def test_nan_far_inside_a_long_block_is_found_when_read(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_SCAN_ROWS", 16)
    made = writers.universe(n_gas=5000)
    made.data["gas"]["density"][100] = np.nan
    snapshot = cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made))
    assert "density" in snapshot.fields("gas")
    with pytest.raises(errors.FileFormatError, match=r"\(RHO\) is NaN or infinite for 1 .* first particle 100"):
        snapshot.read("gas", "density")


@pytest.mark.parametrize("name", ["internal_energy", "density", "smoothing_length", "masses"])
def test_a_block_of_zeros_is_flagged_and_not_used(tmp_path, name):
    made = writers.universe()
    made.data["gas"][name][:] = 0
    snapshot = cm.open_snapshot(writers.write_gadget_hdf5(tmp_path / "s.hdf5", made))
    reasons = {item.field: item.reason for item in snapshot.missing if item.ptype == "gas"}
    if name == "smoothing_length":
        assert "derived" in {f.name: f.source for f in snapshot.describe("gas")}[name]
    else:
        assert "is 0 for all 70 particles" in reasons[name]
        with pytest.raises(errors.MissingFieldError, match="is 0 for all"):
            snapshot.read("gas", name)


def test_zeros_in_front_are_no_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_SCAN_ROWS", 16)
    made = writers.universe(n_gas=5000)
    made.data["gas"]["internal_energy"][:4990] = 0
    assert "internal_energy" in cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made)).fields("gas")


def test_neutral_gas_keeps_its_electron_abundance(tmp_path):
    made = writers.universe()
    made.data["gas"]["electron_abundance"][:] = 0
    assert "electron_abundance" in cm.open_snapshot(writers.write_gadget_binary(tmp_path / "s", made)).fields("gas")


def test_file_that_shrank_after_it_was_opened(tmp_path, made):
    path = writers.write_gadget_binary(tmp_path / "s", made)
    snapshot = cm.open_snapshot(path)
    stream_of = snapshot.iter_chunks("gas", "velocities", byte_budget=2**20)
    next(stream_of)
    path.write_bytes(path.read_bytes()[:1_500_000])
    with pytest.raises(errors.TruncatedFileError, match=r"block 2 \(VEL\) declares"):
        list(stream_of)


MEMORY = """
import sys
import numpy as np
import clustermass as cm
from clustermass.data.schema import Region
def resident():
    return {k: int(v.split()[0]) for k, v in (line.split(":") for line in open("/proc/self/status") if ":" in line)
            if k in ("VmHWM", "VmRSS")}
snapshot = cm.open_snapshot(sys.argv[1])
fields = snapshot.fields("gas")
next(snapshot.iter_chunks("gas", fields, byte_budget=2**20))
start = resident()["VmRSS"]
budget = 24 * 2**20
n = 0
for chunk in snapshot.iter_chunks("gas", fields, byte_budget=budget):
    n += len(chunk["ids"])
for chunk in snapshot.iter_chunks("gas", fields, byte_budget=budget, region=Region((1, 1, 1), 5)):
    pass
print(n, (resident()["VmHWM"] - start) / 1024, start / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["binary", "hdf5"])
def test_memory_stays_within_the_budget(tmp_path, kind):
    """A snapshot of three times the budget; the peak above the start stays below the budget."""
    n = 2_000_000
    made = writers.Universe(mass_table=(1e9, 0, 0, 0, 0, 0))
    made.data["gas"] = {"positions": np.ones((n, 3), "f4"), "velocities": np.ones((n, 3), "f4"),
                        "ids": np.arange(n, dtype="u4"), "internal_energy": np.ones(n, "f4")}  # fmt: skip
    path = tmp_path / "s"
    if kind == "binary":
        writers.write_gadget_binary(path, made, version=2)
    else:
        writers.write_gadget_hdf5(path, made)
        with h5py.File(path, "a") as file:
            del file["PartType0/Velocities"]
            file.create_dataset("PartType0/Velocities", data=made.data["gas"]["velocities"], chunks=(65536, 3))
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    count, grown, start = map(float, done.stdout.split())
    assert count == n
    assert grown < 24 + 16, f"grew by {grown:.0f} MB from {start:.0f} MB"


def test_region_needs_positions(tmp_path):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", writers.universe(), skip=["positions"])
    snapshot = cm.open_snapshot(path)
    assert len(snapshot.read("gas", "masses")["masses"]) == 70
    with pytest.raises(errors.MissingFieldError, match=r"PartType0/Coordinates; prevents maps and every selection"):
        snapshot.read("gas", "masses", region=Region((1, 1, 1), 1))
