"""`clustermass info` of catalogues: what it says of haloes, of tables, and of what is neither."""

import json

import pytest

from clustermass.cli.main import run
from tests.data.catalogues import writers


def test_haloes(tmp_path, rng, capsys):
    path = writers.rockstar_list(tmp_path / "out_1.list", rng, 300)
    assert run(["info", str(path)]) == 0
    out = capsys.readouterr().out
    for words in (
        "Rockstar halo list", "rows       300", "redshift 1\n", "h = 0.7, Omega_m = 0.3, Omega_lambda = 0.7",
        "100 Mpc comoving, periodic", "1.42857e+09 Msun each", "heaviest   M200c = ", "Msun/h",
        "ids                                     0 to 299                            ID, int64",
        "derived from m200c", "host_ids: no column of parents", "columns of the file",
    ):  # fmt: skip
        assert words in out, words
    assert run(["info", "--json", str(path)]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    masses = [float(row[14]) for row in rows]
    assert (report["kind"], report["rows"], report["header"]["h"]) == ("catalogue", 300, 0.7)
    assert report["heaviest"]["mass"] * 0.7 == pytest.approx(max(masses))
    assert report["heaviest"]["id"] == masses.index(max(masses))
    assert report["heaviest"]["counts"]["m200c"] == {
        "1e13": sum(m > 1e13 for m in masses),
        "1e14": sum(m > 1e14 for m in masses),
    }
    spread = next(column for column in report["columns"] if column["name"] == "mvir")
    assert spread["high"] * 0.7 == pytest.approx(max(float(row[2]) for row in rows))


def test_table_without_a_map(tmp_path, rng, capsys):
    path = writers.fits_table(tmp_path / "t.fits", writers.halos(rng, 20))
    assert run(["info", str(path)]) == 0
    out = capsys.readouterr().out
    for words in ("table, FITS", "cosmology  not in the file", "RA                    deg               0 to 360"):
        assert words in out
    assert "heaviest" not in out


def test_a_damaged_column_is_a_line(tmp_path, rng, capsys):
    path = writers.rockstar_list(tmp_path / "out_1.list", rng, 3)
    path.write_text(path.read_text().replace(" 100.5 ", " nan ", 1))
    assert run(["info", str(path)]) == 0
    assert "damaged: column Vrms holds nan" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x89PNG\r\n\x1a\n\0\0\0"])
def test_neither(tmp_path, capsys, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    assert run(["info", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(path) in err


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rockstar-outlist/out_163.list", "Mvir: 8 above 1e13 Msun/h, 0 above 1e14"),
        ("rockstar-binary-and-ahf/halos_14.0.bin", "the files hold 0.151 of the volume"),
        ("rockstar-binary-and-ahf/tiny.000832.z1.512.AHF_halos", "AHF haloes"),
        ("universemachine-bolshoiplanck/isolated_hosts_1.002310_11.0_11.5.dat", "124 entries of ID"),
        ("millimillennium-trees/millenniumTestTrees.csv", "85.6164 Mpc comoving, periodic"),
        ("millimillennium-trees/milliMillennium-tree1000019000000.hdf5", "a box of 500"),
        ("gadget4-hydro-80/fof_subhalo_tab_000.0.hdf5", "M200c: 180 above 1e13 Msun/h, 10 above 1e14 Msun/h"),
        ("planck-psz2/HFI_PCCS_SZ-union_R2.08.fits", "MSZ                   1e14 Msun         0 to 16.1165"),
        ("mtng-clusters-z0", "rows       37,371"),
        ("literature-masses-chances/Sifon25_chances_lowz.csv", "rows       50"),
    ],
)
def test_real_files(real_data, capsys, name, words):
    assert run(["info", str(real_data(name))]) == 0
    assert words in capsys.readouterr().out
