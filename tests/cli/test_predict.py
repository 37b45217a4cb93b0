"""`clustermass predict`: tables in, masses with intervals and flags out, and what is refused."""

import csv
import io

import numpy as np
import pytest

import clustermass as cm
from clustermass.cli.main import run
from clustermass.cosmology import PLANCK_2018
from clustermass.units import SPEED_OF_LIGHT


@pytest.fixture
def galaxies(tmp_path):
    rng = np.random.Generator(np.random.Philox(6))
    rows = ["Cluster,RA,Dec,zspec"]
    for name, n, z, sigma in (("007", 80, 0.05, 900.0), ("poor", 1, 0.06, 1.0), ("B", 40, 0.1, 500.0)):
        for _ in range(n):
            redshift = z + rng.normal(0, sigma) / SPEED_OF_LIGHT * (1 + z)
            rows.append(f"{name},{150 + rng.normal(0, 0.1)},{2 + rng.normal(0, 0.1)},{redshift}")
    path = tmp_path / "galaxies.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def fluxes(tmp_path):
    path = tmp_path / "sz.csv"
    path.write_text("name,z,Y\nA,0.1,5.5e-5\nB,0.2,-1\nC,0.9,5.5e-5\n")
    return path


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_galaxies_by_name(galaxies, tmp_path, capsys):
    assert run(["predict", "m-sigma-evrard2008", str(galaxies)]) == 0
    out, err = capsys.readouterr()
    rows = table(out)
    assert [(row["cluster"], row["n_galaxies"]) for row in rows] == [("007", "80"), ("poor", "1"), ("B", "40")]
    rich, poor, small = rows
    # (sigma / 1082.9)^(1 / 0.3361) 1e15 Msun/h: 8.5e14 and 1.5e14 Msun
    assert float(rich["log10_m200c_msun"]) == pytest.approx(14.92, abs=0.3)
    assert float(small["log10_m200c_msun"]) == pytest.approx(14.16, abs=0.4)
    assert float(rich["lo"]) < float(rich["log10_m200c_msun"]) < float(rich["hi"])
    assert (poor["log10_m200c_msun"], "too_few_galaxies" in poor["flags"]) == ("", True)
    assert "log10 M200c [Msun] of 2 of 3 clusters" in err
    sample = cm.read_galaxy_table(galaxies)
    expected = cm.make_estimator("m-sigma-evrard2008").predict(sample)
    assert float(rich["log10_m200c_msun"]) == pytest.approx(expected.log10_mass[0], abs=1e-5)


def test_options_reach_the_table(galaxies, tmp_path, capsys):
    out = tmp_path / "masses.csv"
    words = ["predict", "m-sigma-evrard2008", str(galaxies), "--out", str(out), "--max-velocity", "500",
             "--max-radius", "0.4", "--centre", "150,2", "--redshift", "0.05", "--columns", "clusters=-",
             "--set", "method=gapper"]  # fmt: skip
    assert run(words) == 0
    (row,) = table(out.read_text())
    sample = cm.read_galaxy_table(
        galaxies, {"clusters": None}, centre=(150, 2), cluster_redshift=0.05, max_radius=0.4, max_velocity=500
    )
    expected = cm.make_estimator("m-sigma-evrard2008", method="gapper").predict(sample)
    assert row["cluster"] == "galaxies.csv"
    assert int(row["n_galaxies"]) == sample.n_galaxies[0] > 0
    assert float(row["log10_m200c_msun"]) == pytest.approx(expected.log10_mass[0], abs=1e-5)
    assert run(words) == 2  # it is there already
    assert "exists" in capsys.readouterr().err
    assert run([*words, "--overwrite"]) == 0


def test_quantities(fluxes, capsys):
    assert run(["predict", "y-m", str(fluxes), "--columns", "y_500=Y", "--set", "one_minus_b=1"]) == 0
    rows = table(capsys.readouterr().out)
    assert list(rows[0]) == ["cluster", "redshift", "n_galaxies", "log10_m500c_msun", "lo", "hi", "flags"]
    assert float(rows[0]["log10_m500c_msun"]) == pytest.approx(14.72, abs=0.05)
    assert rows[1]["flags"].split(";") == ["no_interval", "missing_input"]
    assert rows[2]["flags"] == "out_of_support"


def test_a_fitted_estimator_from_its_file(fluxes, tmp_path, capsys):
    pytest.importorskip("safetensors")
    mass = np.array([14.0, 14.5, 15.0, 15.2])
    none = np.zeros(0)
    known = cm.ClusterSample(
        names=np.arange(4).astype(str), offsets=np.zeros(5, int), x=none, y=none, velocity=none, redshift=np.zeros(4),
        cosmology=PLANCK_2018,
        max_radius=np.zeros(4), max_velocity=np.zeros(4), quantities={"y_500": 10 ** (1.7 * (mass - 14.5) - 4.5)},
        log10_m200c=mass,
    )  # fmt: skip
    path = tmp_path / "relation.safetensors"
    cm.save_estimator(path, cm.make_estimator("scaling-relation").fit(known))
    assert run(["predict", str(path), str(fluxes), "--columns", "y_500=Y"]) == 0
    assert float(table(capsys.readouterr().out)[0]["log10_m200c_msun"]) == pytest.approx(14.64, abs=0.05)
    assert run(["predict", str(path), str(fluxes), "--set", "quantity=l_x"]) == 2


def test_a_file_of_observations(tmp_path, capsys):
    universe, _ = cm.open_universe(cm.datasets.sample_groups(), snapshot=cm.datasets.sample_snapshot(), seed=1)
    clusters = cm.make_cluster_catalogue(universe, tmp_path / "clusters.hdf5")
    assert run(["predict", "m-sigma-evrard2008", str(tmp_path / "clusters.hdf5")]) == 0
    rows = table(capsys.readouterr().out)
    assert len(rows) == len(clusters)
    assert rows[0]["cluster"] == f"{clusters.host_id[0]}:{clusters.view[0]}"
    assert run(["predict", "m-sigma-evrard2008", str(tmp_path / "clusters.hdf5"), "--within-r200"]) == 0
    own = table(capsys.readouterr().out)
    assert [row["cluster"] for row in own] == [row["cluster"] for row in rows]
    assert [int(a["n_galaxies"]) for a in own] == [int(a["n_galaxies"]) for a in rows]
    assert any(a["log10_m200c_msun"] != b["log10_m200c_msun"] for a, b in zip(own, rows, strict=True))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["m-sigma-evrard", "galaxies.csv"], 2, "m-sigma-evrard2008"),
        (["m-sigma", "galaxies.csv"], 2, "must be fitted"),
        (["m-sigma-evrard2008", "nowhere.csv"], 2, "nowhere.csv"),
        (["y-m", "sz.csv"], 3, "'y_500'"),
        (["m-sigma-evrard2008", "galaxies.csv", "--columns", "z"], 2, "--columns must be QUANTITY=COLUMN"),
        (["m-sigma-evrard2008", "galaxies.csv", "--columns", "redshift=none"], 3, "no column 'none'"),
        (["m-sigma-evrard2008", "galaxies.csv", "--set", "colour=red"], 2, "colour"),
        (["m-sigma-evrard2008", "galaxies.csv", "--set", "x"], 2, "--set must be NAME=VALUE"),
        (["m-sigma-evrard2008", "galaxies.csv", "--centre", "1,2,3"], 2, "--centre"),
        (["y-m", "sz.csv", "--columns", "y_500=Y", "--within-r200"], 2, "--within-r200 is for"),
        (["m-sigma-evrard2008", "galaxies.csv", "--max-radius", "far"], 2, "--max-radius"),
        (["m-sigma-evrard2008", "broken.csv"], 3, "broken.csv"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(galaxies, fluxes, tmp_path, monkeypatch, capsys, words, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.csv").write_bytes(b"ra,dec,z\n1,2,\x00\n")
    assert run(["predict", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
