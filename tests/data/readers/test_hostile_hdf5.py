"""HDF5 files that lie, lead elsewhere or were never finished: refused by name, before anything large is read."""

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers import hdf5
from tests.data.readers import writers
from tests.data.readers.checks import assert_same


@pytest.fixture
def made():
    return writers.universe()


@pytest.fixture
def path(tmp_path, made):
    return writers.write_gadget_hdf5(tmp_path / "s.hdf5", made)


def replace(path, name, make):
    """Replace the object `name` of a file by what `make(file, name, old values)` puts there."""
    with h5py.File(path, "a") as file:
        values = file[name][()] if isinstance(file[name], h5py.Dataset) else None
        del file[name]
        make(file, name, values)


def test_soft_links_inside_the_file_are_followed(path, made):
    with h5py.File(path, "a") as file:
        file.move("PartType0", "GasParticles")
        file["PartType0"] = h5py.SoftLink("/GasParticles")
        file.move("GasParticles/Masses", "GasParticles/Weights")
        file["GasParticles/Masses"] = h5py.SoftLink("Weights")
    assert_same(cm.open_snapshot(path), made)


@pytest.mark.parametrize("name", ["PartType0", "PartType0/Masses", "Header"])
def test_links_out_of_the_file_are_refused(tmp_path, path, name):
    other = writers.write_gadget_hdf5(tmp_path / "other.hdf5", writers.universe())
    replace(path, name, lambda file, name, _: file.__setitem__(name, h5py.ExternalLink(str(other), name)))
    with pytest.raises(errors.FileFormatError, match=r"s\.hdf5: .* is a link out of the file"):
        cm.open_snapshot(path)


def test_link_through_a_soft_link_is_refused(tmp_path, path):
    def make(file, name, _):
        file["door"] = h5py.ExternalLink(str(tmp_path / "other.hdf5"), "/")
        file[name] = h5py.SoftLink("/door/PartType0/Masses")

    replace(path, "PartType0/Masses", make)
    with pytest.raises(errors.FileFormatError, match="door is a link out of the file"):
        cm.open_snapshot(path)


def test_circle_of_links_is_refused(path):
    def make(file, name, _):
        file[name] = h5py.SoftLink("/a")
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("/a")

    replace(path, "PartType0/Masses", make)
    with pytest.raises(errors.FileFormatError, match="more than 16 soft links"):
        cm.open_snapshot(path)


def test_dangling_link_is_a_missing_dataset(path):
    replace(path, "PartType0/Masses", lambda file, name, _: file.__setitem__(name, h5py.SoftLink("/nowhere")))
    with pytest.raises(errors.MissingFieldError, match="PartType0/Masses"):
        cm.open_snapshot(path).read("gas", "masses")


def test_data_in_another_file_is_refused(tmp_path, path):
    (tmp_path / "raw").write_bytes(bytes(280))

    def make(file, name, values):
        file.create_dataset(name, (70,), "f4", external=[(str(tmp_path / "raw"), 0, 280)])

    replace(path, "PartType0/Masses", make)
    with pytest.raises(errors.FileFormatError, match="PartType0/Masses keeps its data in another file"):
        cm.open_snapshot(path)


@pytest.mark.parametrize("where", ["here", "elsewhere", "gone"])
def test_virtual_datasets_stay_in_their_folder(tmp_path, path, made, where):
    folder = tmp_path / "elsewhere" if where == "elsewhere" else tmp_path
    folder.mkdir(exist_ok=True)
    writers.write_gadget_hdf5(folder / "part.hdf5", made)

    def make(file, name, values):
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        source = "elsewhere/part.hdf5" if where == "elsewhere" else "part.hdf5"
        layout[:] = h5py.VirtualSource(source, name, values.shape)
        file.create_virtual_dataset(name, layout)

    replace(path, "PartType0/Masses", make)
    if where == "here":
        assert_same(cm.open_snapshot(path), made)
        return
    if where == "gone":
        (tmp_path / "part.hdf5").unlink()
    with pytest.raises(errors.FileFormatError, match=r"(in another folder|is not there)"):
        cm.open_snapshot(path)


def test_declared_terabytes_are_refused(path):
    def make(file, name, values):
        data = file.create_dataset(name, (2**40, 3), "f8", chunks=(1024, 3), compression="gzip")
        data[:1024] = 1.0

    replace(path, "PartType1/Coordinates", make)
    with h5py.File(path, "a") as file:
        file["Header"].attrs["NumPart_ThisFile"] = np.array([70, 2**40, 0, 0, 11, 0])
    with pytest.raises(errors.TruncatedFileError, match=r"PartType1/Coordinates declares \d+ bytes.*the file holds"):
        cm.open_snapshot(path)


def test_chunks_never_written_are_noticed(path):
    def make(file, name, values):
        data = file.create_dataset(name, values.shape, "f4", chunks=(16,))
        data[:32] = values[:32]

    replace(path, "PartType0/Density", make)
    with pytest.raises(errors.TruncatedFileError, match="PartType0/Density has 2 of its 5 chunks"):
        cm.open_snapshot(path)


def test_contiguous_data_never_written_are_noticed(path):
    replace(path, "PartType0/Density", lambda file, name, values: file.create_dataset(name, values.shape, "f4"))
    with pytest.raises(errors.TruncatedFileError, match="declares 280 bytes .* holds 0"):
        cm.open_snapshot(path)


def test_filters_from_plugins_are_not_loaded(path):
    def make(file, name, values):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((70,))
        plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # zstd, usually a plugin
        space = h5py.h5s.create_simple((70,))
        h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)

    replace(path, "PartType0/Density", make)
    with pytest.raises(errors.FileFormatError, match="filter plugin 32015"):
        cm.open_snapshot(path)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [("PartType0/Masses", np.ones((70, 2), "f4"), "must have 1 values a particle"),
     ("PartType0/Coordinates", np.ones((70, 2), "f4"), "must have 3 values a particle"),
     ("PartType0/Coordinates", np.ones((70, 3, 1), "f4"), "one or two axes"),
     ("PartType0/Coordinates", np.ones((70, 3), "i4"), "must hold floats"),
     ("PartType0/ParticleIDs", np.ones(70, "f4"), "must hold integers"),
     ("PartType0/Masses", np.ones(70, "c8"), "must hold integers or floats"),
     ("PartType0/Masses", np.array([b"x"] * 70), "must hold integers or floats"),
     ("PartType0/Masses", np.ones(71, "f4"), "declares 70 particles, PartType0/Masses holds 71")],
)  # fmt: skip
def test_wrong_shapes_and_types_are_named(path, name, values, message):
    replace(path, name, lambda file, name, _: file.__setitem__(name, values))
    with pytest.raises(errors.FileFormatError, match=f"{name}.*{message}" if "declares" not in message else message):
        cm.open_snapshot(path)


def test_a_group_in_place_of_a_dataset(path):
    replace(path, "PartType0/Masses", lambda file, name, _: file.create_group(name))
    with pytest.raises(errors.FileFormatError, match="PartType0/Masses must be a dataset"):
        cm.open_snapshot(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("Time", "yesterday", "attribute Time must be"), ("Time", [1.0, 2.0], "attribute Time must be one number"),
     ("NumPart_ThisFile", [0.5] * 6, "must be whole numbers"), ("NumPart_ThisFile", b"many", "must be numbers"),
     ("MassTable", np.full(6, np.inf), "must be finite"), ("NumPart_ThisFile", np.zeros(99, int), "one entry for")],
)  # fmt: skip
def test_wrong_attributes_are_named(path, name, value, message):
    with h5py.File(path, "a") as file:
        file["Header"].attrs[name] = value
    with pytest.raises(errors.FileFormatError, match=message):
        cm.open_snapshot(path)


def test_huge_attribute_is_refused(path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_ATTRIBUTE_BYTES", 40)
    with pytest.raises(errors.FileFormatError, match="attribute MassTable has 48 bytes"):
        cm.open_snapshot(path)


def test_a_crowded_group_is_refused(path, monkeypatch):
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 5)
    with pytest.raises(errors.FileFormatError, match="PartType0 has 10 members"):
        cm.open_snapshot(path)


@pytest.mark.parametrize(
    ("where", "name", "value", "message"),
    [("Header", "HubbleParam", 1e-310, "header entry h must be"), ("Header", "BoxSize", 1e300, "box_size must be"),
     ("Header", "Omega0", np.inf, "omega_m must be"), ("Header", "ExpansionFactor", 1e-300, "scale_factor must be"),
     ("Header", "UnitMass_in_g", 1e300, "unit of mass must be"), ("PartType0/Density", "to_cgs", 1e-300, "must be"),
     ("PartType0/Density", "h_scaling", 1e9, "scales with a"), ("PartType0/Density", "to_cgs", 1e79, "is NaN or inf")],
)  # fmt: skip
def test_absurd_units_are_refused(path, where, name, value, message):
    with h5py.File(path, "a") as file:
        data = file["PartType0/Density"].attrs
        data["to_cgs"], data["a_scaling"], data["h_scaling"] = 6.77e-22, -3.0, 2.0
        file[where].attrs[name] = value
    with pytest.raises(errors.FileFormatError, match=rf"s\.hdf5: .*{message}"):
        cm.open_snapshot(path).read("gas", "density")
