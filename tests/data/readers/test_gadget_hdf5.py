"""HDF5 snapshots of the Gadget family: names, units from attributes, header or default, several files, sizes."""

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers import gadget_hdf5
from tests.data.readers import writers
from tests.data.readers.checks import assert_same

UNITS_KPC = {"UnitLength_in_cm": 3.085678e21, "UnitMass_in_g": 1.989e43, "UnitVelocity_in_cm_per_s": 1e5}
UNITS_MPC = UNITS_KPC | {"UnitLength_in_cm": 3.085678e24}
FLAVOURS = {
    "gadget2, no units": {},
    "header units": {"header": UNITS_MPC, "length": 1.0},
    "gadget4": {"attributes": writers.set_gadget4_attributes, "length": 1.0, "groups": {"Parameters": UNITS_MPC}},
    "gadget4, attributes only": {"attributes": writers.set_gadget4_attributes, "length": 1.0},
    "tng": {"attributes": writers.set_gadget4_attributes, "names": writers.TNG, "header": UNITS_KPC},
    "eagle": {
        "attributes": writers.set_eagle_attributes,
        "names": writers.EAGLE,
        "length": 1.0,
        "header": {"ExpansionFactor": 0.8, "Time": 0.0123},
    },
    "gizmo": {"header": {"UnitLength_In_CGS": 3.085678e21, "UnitMass_In_CGS": 1.989e43, "UnitVelocity_In_CGS": 1e5}},
}


@pytest.fixture
def made():
    return writers.universe()


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_gives_the_same_universe(tmp_path, made, flavour, dtype):
    path = writers.write_gadget_hdf5(tmp_path / "snap.hdf5", made, dtype=np.dtype(dtype), **FLAVOURS[flavour])
    snapshot = cm.open_snapshot(path)
    head = snapshot.header
    assert (snapshot.format, head.counts) == ("gadget_hdf5", made.counts)
    assert head.is_cosmological
    assert head.is_periodic
    assert (head.scale_factor, head.h, head.omega_m) == (made.a, made.h, made.omega_m)
    assert head.redshift == pytest.approx(made.z)
    assert head.box_size == pytest.approx(made.box, rel=1e-12)
    assert head.mass_table == pytest.approx(made.mass_table, rel=1e-12)
    assert_same(snapshot, made)
    assert snapshot.read("gas", "positions")["positions"].dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_allclose(snapshot.read("dark_matter", "masses")["masses"], 5e10, rtol=1e-6)


def test_missing_datasets_are_named(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["internal_energy", ("stars", "masses")])
    snapshot = cm.open_snapshot(path)
    assert "internal_energy" not in snapshot.fields("gas")
    missing = {(m.ptype, m.field): m for m in snapshot.missing}
    assert "no Compton y" in missing["gas", "internal_energy"].prevents
    with pytest.raises(errors.MissingFieldError, match=r"s\.hdf5.*PartType0/InternalEnergy.*Compton y"):
        snapshot.read("gas", ["positions", "internal_energy"])
    with pytest.raises(errors.MissingFieldError, match="PartType4/Masses"):
        snapshot.iter_chunks("stars", "masses")


def test_several_files_are_one_snapshot(tmp_path, made):
    paths = writers.write_set(tmp_path, made, 3)
    for name in (paths[0], paths[2], tmp_path / "snap_007"):
        snapshot = cm.open_snapshot(name)
        assert snapshot.paths == tuple(map(str, paths))
        assert snapshot.header.counts == made.counts
        assert_same(snapshot, made)


def test_a_missing_file_of_a_set_is_named(tmp_path, made):
    paths = writers.write_set(tmp_path, made, 3)
    paths[1].unlink()
    with pytest.raises(errors.FileFormatError, match=r"1 of the 3 files.*snap_007\.1\.hdf5"):
        cm.open_snapshot(paths[0])


def test_files_that_do_not_add_up_are_refused(tmp_path, made):
    paths = writers.write_set(tmp_path, made, 2)
    with h5py.File(paths[0], "a") as file:
        file["Header"].attrs["NumPart_Total_HighWord"] = np.array([1, 0, 0, 0, 0, 0], np.uint32)
    with pytest.raises(errors.FileFormatError, match=r"declares \(4294967366, 50.*hold \(70, 50"):
        cm.open_snapshot(paths[0])


def test_a_file_of_another_time_is_refused(tmp_path, made):
    paths = writers.write_set(tmp_path, made, 2)
    with h5py.File(paths[1], "a") as file:
        file["Header"].attrs["Time"] = 0.5
    with pytest.raises(errors.FileFormatError, match=r"snap_007\.1\.hdf5: has Time 0\.5"):
        cm.open_snapshot(paths[0])


def test_cut_out_that_kept_the_file_count_is_one_file(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "cutout.hdf5", made, header={"NumFilesPerSnapshot": 600})
    assert cm.open_snapshot(path).header.counts == made.counts


@pytest.mark.parametrize("extra", [1, 10**9])
def test_more_particles_declared_than_held(tmp_path, made, extra):
    counts = np.add(made.counts, [extra, 0, 0, 0, 0, 0])
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header={"NumPart_ThisFile": counts})
    with pytest.raises(errors.TruncatedFileError, match=rf"s\.hdf5.*declares {70 + extra} .*PartType0/.* holds 70"):
        cm.open_snapshot(path)


@pytest.mark.parametrize("count", [-1, 2**41])
def test_absurd_counts_are_refused(tmp_path, made, count):
    counts = np.array([count, 0, 0, 0, 0, 0])
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header={"NumPart_ThisFile": counts})
    with pytest.raises(errors.FileFormatError, match=f"declares {count} particles of type 0"):
        cm.open_snapshot(path)


def test_declared_type_without_group_is_missing_not_empty(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made)
    with h5py.File(path, "a") as file:
        del file["PartType4"]
    snapshot = cm.open_snapshot(path)
    assert snapshot.count("stars") == 11
    with pytest.raises(errors.MissingFieldError, match="group PartType4 is not in the file"):
        snapshot.read("stars", "masses")


def test_metallicity_table_gives_the_total(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["metallicity"])
    with h5py.File(path, "a") as file:
        file["PartType0/Metallicity"] = np.outer(made.data["gas"]["metallicity"], np.arange(1, 12)).astype("f4")
    got = cm.open_snapshot(path).read("gas", "metallicity")["metallicity"]
    np.testing.assert_allclose(got, made.data["gas"]["metallicity"], rtol=1e-6)


def test_signed_ids_keep_their_bits(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["ids"])
    with h5py.File(path, "a") as file:
        file["PartType0/ParticleIDs"] = np.arange(70, dtype=np.int32) - 5
    ids = cm.open_snapshot(path).read("gas", "ids")["ids"]
    assert ids[0] == 2**32 - 5
    assert ids[-1] == 64


def test_group_catalogue_is_not_a_snapshot(tmp_path):
    with h5py.File(tmp_path / "g.hdf5", "w") as file:
        file.create_group("Group")
    with pytest.raises(errors.FileFormatError, match="open it with open_groups"):
        cm.open_snapshot(tmp_path / "g.hdf5")


def test_columns_of_one_value_are_accepted(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["density"])
    density = made.data["gas"]["density"] * writers.code_values(made)["density"]
    with h5py.File(path, "a") as file:
        file["PartType0/Density"] = density.astype("f4")[:, None]
    assert_same(cm.open_snapshot(path), made)


def test_masses_of_particles_come_before_the_table(tmp_path, made):
    header = {"MassTable": [9.0, 5e10 * 0.7 / 1e10, 0, 0, 0, 0]}
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header=header, skip=["smoothing_length"])
    snapshot = cm.open_snapshot(path)
    assert_same(snapshot, made, skip=["smoothing_length"])
    gas = made.data["gas"]
    want = np.cbrt(24 * gas["masses"] / (np.pi * gas["density"]))
    np.testing.assert_allclose(snapshot.read("gas", "smoothing_length")["smoothing_length"], want, rtol=1e-6)


def test_forgotten_particles_are_noticed(tmp_path, made):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header={"NumPart_ThisFile": [70, 50, 0, 0, 0, 0]})
    with pytest.raises(errors.FileFormatError, match="no particles of type 4, group PartType4 holds 11"):
        cm.open_snapshot(path)


def test_totals_in_signed_words(tmp_path, made):
    """A set of 2^32 - 5 gas particles in all, as a code with 32-bit signed totals writes it."""
    header = {"NumPart_Total": np.array([-5, 50, 0, 0, 11, 0])}
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header=header)
    with h5py.File(path) as file:
        assert gadget_hdf5.total_of(file["Header"], "s")[:2] == (2**32 - 5, 50)
