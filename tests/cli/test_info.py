"""`clustermass info`: what it says of each kind of file, as text and as JSON."""

import json

import h5py
import numpy as np
import pytest

from clustermass.cli.main import run
from tests.data.readers import writers


@pytest.fixture
def made():
    return writers.universe()


def test_text_says_what_the_file_is_holds_and_lacks(tmp_path, made, capsys):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, skip=["internal_energy"])
    assert run(["info", str(path)]) == 0
    out = capsys.readouterr().out
    head = ["HDF5 of the Gadget family", "redshift 0.25", "h = 0.7, Omega_m = 0.3", "20 Mpc comoving, periodic"]
    held = ["length kpc/h (Gadget default)", "gas: 70", "dark_matter: 50, 5e+10 Msun each", "stars: 11"]
    fields = ["PartType0/Density, float32", "gas internal_energy: no dataset", "no Compton y, no X-ray"]
    for words in head + held + fields:
        assert words in out


def test_json_holds_the_same(tmp_path, made, capsys):
    path = writers.write_gadget_binary(tmp_path / "s", made, version=2)
    assert run(["info", "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert (report["kind"], report["format"], report["n_files"]) == ("snapshot", "gadget2", 1)
    assert report["header"]["h"] == 0.7
    assert {t: table["count"] for t, table in report["types"].items()} == {"gas": 70, "dark_matter": 50, "stars": 11}
    assert "block NH" in report["other_data"]
    total = 50 * 5e10 + sum(made.data[t]["masses"].sum() for t in ("gas", "stars"))
    assert report["omega_in_particles"] == pytest.approx(total / (2.77536627e11 * 0.7**2 * 20**3), rel=1e-6)


def test_a_sample_of_a_run_is_noticed(tmp_path, made, capsys):
    assert run(["info", str(writers.write_gadget_binary(tmp_path / "s", made))]) == 0
    assert "of Omega_m, a part or a sample of a run" in capsys.readouterr().out


def test_assumptions_are_listed_once(tmp_path, made, capsys):
    header = {"h": 0, "omega0": 0, "omega_lambda": 0}
    assert run(["info", str(writers.write_gadget_binary(tmp_path / "s", made, header=header))]) == 0
    out, err = capsys.readouterr()
    assert out.count("assumed h = 0.7") == 1
    assert err == ""


def test_group_catalogue(tmp_path, capsys):
    with h5py.File(tmp_path / "g.hdf5", "w") as file:
        head = {"Time": 0.5, "Redshift": 1.0, "HubbleParam": 0.7, "Omega0": 0.3, "OmegaLambda": 0.7}
        file.create_group("Header").attrs.update(head | {"BoxSize": 1e5, "Ngroups_ThisFile": 2})
        file["Group/GroupPos"] = np.ones((2, 3), "f4")
        file["Group/Group_M_Crit200"] = np.array([7.0, 14.0], "f4")
    assert run(["info", str(tmp_path / "g.hdf5")]) == 0
    out = capsys.readouterr().out
    for words in ("group catalogue", "groups: 2", "m200c", "heaviest   M200c = 2e+11", "r200c: no dataset"):
        assert words in out


@pytest.mark.parametrize(("content", "code"), [(b"nonsense", 3), (None, 2)])
def test_bad_file_is_one_line(tmp_path, capsys, content, code):
    path = tmp_path / "f"
    if content is not None:
        path.write_bytes(content)
    assert run(["info", str(path)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("clustermass: error: ")
    assert err.count("\n") == 1
    assert str(path) in err


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gadget4-hydro-80/snapshot_000.0.hdf5", ["2 files", "Omega = 0.30693", "gas: 511,636", "length Mpc/h"]),
        ("camels-tng-cutout/camels_snap.hdf5", ["box        not in the file", "no Compton y", "stars: 3,479"]),
        ("disperse-simu32/simu_32_id.gad", ["format 1", "no gas particles", "1.56% of Omega_m"]),
        ("arepo-hdf5-isolated/isolated_32_smallbox.hdf5", ["without expansion", "PartType0/Density is NaN"]),
        ("gadget2-lcdm-gas-ics/lcdm_gas_bigendian.dat", ["(U) is 0 for all 32768", "assumed h = 0.7"]),
        ("gadget-format2-isolated-halo/snap_200", ["named blocks", "without expansion", "block Z"]),
        ("gadget4-hydro-80/fof_subhalo_tab_000.1.hdf5", ["groups: 903", "subhaloes: 998", "M200c = 4.7462e+14"]),
        ("camels-tng-cutout/camels_subhalo.hdf5", ["subhaloes: 10", "subhaloes only"]),
    ],
)
def test_real_files(real_data, capsys, name, words):
    assert run(["info", str(real_data(name))]) == 0
    out = capsys.readouterr().out
    for word in words:
        assert word in out
