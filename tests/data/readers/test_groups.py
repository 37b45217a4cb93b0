"""Group catalogues: both spellings, several files, units that are not stated, cut-outs, damage."""

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from tests.data.readers import writers

MPC = {"UnitLength_in_cm": 3.085678e24, "UnitMass_in_g": 1.989e43, "UnitVelocity_in_cm_per_s": 1e5}
pytestmark = pytest.mark.filterwarnings("error")


def assert_table(got, want):
    for name, values in want.items():
        np.testing.assert_allclose(getattr(got, name), values, rtol=1e-6, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "flavour",
    [{"tng": True}, {"parameters": MPC, "length": 1.0}, {}],
    ids=["tng", "gadget4 in Mpc/h", "gadget4 without units"],
)
def test_reads_back_what_was_written(tmp_path, flavour):
    held, sub = writers.write_groups(tmp_path / "g.hdf5", **flavour)
    groups = cm.open_groups(tmp_path / "g.hdf5")
    assert (groups.n, groups.subhaloes.n) == (6, 9)
    assert groups.header.redshift == pytest.approx(0.25)
    assert groups.header.box_size == pytest.approx(20)
    assert_table(groups, held)
    assert_table(groups.subhaloes, sub)
    np.testing.assert_array_equal(groups.ids, np.arange(6))
    assert groups.missing == ()
    assert groups.positions.dtype == np.float64


def test_length_unit_is_told_by_mass_and_radius(tmp_path):
    held, _ = writers.write_groups(tmp_path / "g.hdf5", length=1.0)
    with pytest.warns(errors.DataWarning, match="Mpc/h fits M200c and R200c"):
        groups = cm.open_groups(tmp_path / "g.hdf5")
    assert_table(groups, held)
    assert_table(cm.open_groups(tmp_path / "g.hdf5", length_unit="Mpc/h"), held)


def test_snapshot_supplies_what_the_catalogue_leaves_out(tmp_path):
    made = writers.universe(h=0.6, omega_m=0.25)
    header = {"UnitLength_in_cm": 3.085678e24, "UnitMass_in_g": 1.989e43}
    snapshot = cm.open_snapshot(writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, header=header, length=1.0))
    held, _ = writers.write_groups(tmp_path / "g.hdf5", length=1.0, h=0.6, parameters=False)
    groups = cm.open_groups(tmp_path / "g.hdf5", snapshot=snapshot)
    assert groups.assumptions == ()
    assert (groups.header.h, groups.header.omega_m) == (0.6, 0.25)
    assert_table(groups, held)
    assert cm.open_groups(tmp_path / "g.hdf5", snapshot=snapshot, hubble=0.5).header.h == 0.5


def test_snapshot_of_another_time_is_refused(tmp_path):
    snapshot = cm.open_snapshot(writers.write_gadget_hdf5(tmp_path / "s.hdf5", writers.universe(a=0.5)))
    writers.write_groups(tmp_path / "g.hdf5")
    with pytest.raises(errors.FileFormatError, match=r"has redshift 0\.25, the snapshot .* has 1"):
        cm.open_groups(tmp_path / "g.hdf5", snapshot=snapshot)


def test_several_files_are_one_catalogue(tmp_path):
    """TNG writes every n-th file without groups, and then without the datasets."""
    sizes, wanted = (4, 0, 2), []
    for i, n in enumerate(sizes):
        header = {"NumFiles": 3, "Ngroups_Total": 6, "Nsubgroups_Total": 3}
        wanted.append(writers.write_groups(tmp_path / f"fof.{i}.hdf5", n, 1, tng=True, header=header, seed=i)[0] if n
                      else writers.write_groups(tmp_path / f"fof.{i}.hdf5", 1, 1, tng=True, seed=i,
                                                header=header | {"Ngroups_ThisFile": 0}))  # fmt: skip
        if not n:
            with h5py.File(tmp_path / f"fof.{i}.hdf5", "a") as file:
                del file["Group"]
                file.create_group("Group")
    groups = cm.open_groups(tmp_path / "fof")
    assert (groups.n, groups.subhaloes.n, groups.n_files) == (6, 3, 3)
    np.testing.assert_allclose(groups.m200c, np.concatenate([wanted[0]["m200c"], wanted[2]["m200c"]]), rtol=1e-6)
    (tmp_path / "fof.1.hdf5").unlink()
    with pytest.raises(errors.FileFormatError, match=r"1 of the 3 files .* missing.*fof\.1\.hdf5"):
        cm.open_groups(tmp_path / "fof.0.hdf5")


def test_files_that_do_not_add_up_are_refused(tmp_path):
    for i in range(2):
        writers.write_groups(tmp_path / f"fof.{i}.hdf5", header={"NumFiles": 2, "Ngroups_Total": 13})
    with pytest.raises(errors.FileFormatError, match="declares 13 groups in all, the 2 files hold 12"):
        cm.open_groups(tmp_path / "fof")


def test_absent_columns_are_none_and_named(tmp_path):
    writers.write_groups(tmp_path / "g.hdf5", skip=["m500c", "r500c", "velocities"])
    groups = cm.open_groups(tmp_path / "g.hdf5")
    assert groups.m500c is None
    assert groups.subhaloes.velocities is None
    assert {item.field for item in groups.missing} == {"m500c", "r500c", "velocities"}


def test_cut_out_whose_subhaloes_stayed_behind(tmp_path):
    writers.write_groups(tmp_path / "g.hdf5")
    with h5py.File(tmp_path / "g.hdf5", "a") as file:
        del file["Subhalo"]
        file["Header"].attrs["Nsubhalos_ThisFile"] = 0
    groups = cm.open_groups(tmp_path / "g.hdf5")
    assert groups.subhaloes is None
    assert groups.first_subhalo is None
    assert "beyond the 0 subhaloes" in groups.missing[0].reason


def test_camels_cut_out_has_subhaloes_only(tmp_path):
    with h5py.File(tmp_path / "g.hdf5", "w") as file:
        file["Subhalo/SubhaloPos"] = np.full((3, 3), 700.0, "f4")
        file["Subhalo/SubhaloLenType"] = np.ones((3, 6), "i4")
    with pytest.warns(errors.DataWarning, match=r"assumed redshift 0.*assumed h = 0\.7"):
        groups = cm.open_groups(tmp_path / "g.hdf5")
    assert (groups.n, groups.positions, groups.subhaloes.n) == (0, None, 3)
    np.testing.assert_allclose(groups.subhaloes.positions, 1.0)
    told = cm.open_groups(tmp_path / "g.hdf5", hubble=0.35, redshift=0.1, omega_m=0.3, omega_lambda=0.7)
    np.testing.assert_allclose(told.subhaloes.positions, 2.0)
    assert told.header.scale_factor == pytest.approx(1 / 1.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["Header"].attrs.__setitem__("Ngroups_ThisFile", 7), "7 rows are declared, Group/.* holds 6"),
        (lambda f: f["Header"].attrs.__setitem__("Ngroups_ThisFile", 5), "5 rows are declared, Group/.* holds 6"),
        (lambda f: f["Group/GroupPos"].__setitem__((2, 1), np.nan), "Group/GroupPos holds NaN"),
        (lambda f: (f.__delitem__("Group/GroupPos"), f.__setitem__("Group/GroupPos", np.ones((6, 2)))), "3 values"),
        (lambda f: (f.__delitem__("Group/GroupNsubs"), f.__setitem__("Group/GroupNsubs", np.ones(6))), "integers"),
        (lambda f: f.__delitem__("Group"), "declares 6 rows of Group, the file holds none"),
    ],
)
def test_damage_is_named(tmp_path, change, message):
    writers.write_groups(tmp_path / "g.hdf5")
    with h5py.File(tmp_path / "g.hdf5", "a") as file:
        change(file)
    with pytest.raises(errors.FileFormatError, match=rf"g\.hdf5: .*{message}"):
        cm.open_groups(tmp_path / "g.hdf5")


def test_snapshot_is_not_a_catalogue(tmp_path):
    path = writers.write_gadget_binary(tmp_path / "s", writers.universe())
    with pytest.raises(errors.FileFormatError, match="is a gadget1 snapshot, expected a group catalogue"):
        cm.open_groups(path)
