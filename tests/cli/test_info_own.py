"""`clustermass info` of the files of the package: what it says of each kind, and of damaged ones."""

import json
import shutil

import h5py
import numpy as np
import pytest

import clustermass as cm
from clustermass.cli.main import run
from clustermass.data import hdf5_tables
from clustermass.evaluation.predictions import write_predictions
from clustermass.models.registry import make_estimator
from clustermass.models.store import save_estimator
from tests.clusters import block, write_clusters
from tests.report.test_diagnostics import made_up
from tests.universes import make_universe


def said(capsys, path):
    """The report as text, and as JSON."""
    assert run(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert run(["info", "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Gadget" not in text
    return text, json.loads(out)


def has(text, *lines):
    for line in lines:
        assert line in text, f"{line!r} is not in\n{text}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Small files by kind."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "centres.txt").write_text("76.9 11.9 25.3 3.16228e14\n")
    words = ["--centres", str(folder / "centres.txt"), "--channels", "stars,compton_y", "--pixels", "16", "--seed", "5"]
    words += ["--field", "8", "--views", "x,y", "--threads", "1", "--out", str(folder / "maps.h5")]
    assert run(["maps", str(cm.datasets.sample_snapshot()), *words]) == 0
    rng = np.random.default_rng(1)
    write_clusters(folder / "clusters.hdf5", [block(rng, [12, 30, 0, 15, 8, 40])])
    box = make_universe(n_haloes=5, per_halo=3, n_field=4)
    made_by = {"mock universe": {"seed": 8}, "versions": {"clustermass": "9.8.7"}, "command": "clustermass mock u"}
    cm.write_universe(folder / "universe.hdf5", box, made_by)
    assert run(["grids", str(folder / "clusters.hdf5"), str(folder / "grids.hdf5"), "--preset", "ho2019-2d"]) == 0
    write_predictions(folder / "predictions.hdf5", made_up("m-sigma").predictions)
    save_estimator(folder / "model.safetensors", make_estimator("m-sigma-evrard2008"))
    return folder


def test_maps(made, capsys):
    text, report = said(capsys, made / "maps.h5")
    has(
        text,
        "format     maps of clusters (clustermass maps)",
        "maps       2 of 1 clusters, 16 x 16 pixels",
        "pixels     0.5 arcmin wide; 8 x 8 arcmin a map",
        "masses     log10 M200c [Msun] 14.5 to 14.5",
        "cosmology  h = 0.678, Omega_m = 0.307",
        "seed       5",
        "inputs     sample_snapshot.hdf5",
        "command    clustermass maps ",
        f"version    clustermass {cm.__version__}",
        "compton_y         no unit                   noise 1e-08 a pixel (rms), beam 1.4 arcmin (FWHM)",
        "stars             Msun a pixel ",
    )
    maps = cm.read_maps(made / "maps.h5")
    assert report["pixel_angle"] == maps.pixel_angle
    assert [c["noise_rms"] for c in report["channels"]] == [c.noise_rms for c in maps.channels]
    assert report["redshift"]["high"] == maps.views["redshift"].max()
    assert report["masses"][0]["low"] == pytest.approx(14.5)


def test_images_are_not_read(made, tmp_path, capsys):
    """A broken checksum in the images, which a reading of them would meet."""
    path = tmp_path / "maps.h5"
    content = bytearray((made / "maps.h5").read_bytes())
    with h5py.File(made / "maps.h5") as file:
        at = file["images"].id.get_chunk_info(0).byte_offset
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(OSError, match="[Cc]hecksum|filter|read"):
        cm.read_maps(path).read_images()
    assert "2 of 1 clusters" in said(capsys, path)[0]


def test_clusters(made, capsys):
    text, report = said(capsys, made / "clusters.hdf5")
    has(
        text,
        "observations of clusters",
        "cylinder   within 2.3 Mpc comoving and 2200 km/s",
        "redshift   0.1\n",
        "cosmology  h = 0.7, Omega_m = 0.3",
        "box        100 Mpc comoving",
        "seed       1",
        "command    not in the file",
        "pure observations\n    6 observations of 2 clusters, 105 galaxies, 0 to 40 each",
        "6 rows train, 6 rows test",
        "log10 M200c [Msun] 13.7 to 13.71",
    )
    assert report["observations"]["contaminated"]["galaxies"] == 105
    assert report["seed"] == 1


def test_universe(made, capsys):
    text, report = said(capsys, made / "universe.hdf5")
    has(
        text,
        "rows       5 haloes, 19 galaxies",
        "redshift   0.1\n",
        "box        150 Mpc comoving, periodic",
        "source     a test",
        "seed       8",
        "command    clustermass mock u",
        "version    clustermass 9.8.7",
        "magnitude_r           mag",
        "made up",
    )
    masses = np.log10(make_universe(n_haloes=5, per_halo=3, n_field=4).haloes.m200c)
    assert (report["masses"][0]["low"], report["masses"][0]["high"]) == pytest.approx((masses.min(), masses.max()))


def test_grids(made, capsys):
    text, report = said(capsys, made / "grids.hdf5")
    has(
        text,
        "grids      6 of 2 clusters, 48 x 48 cells",
        "preset     ho2019-2d, of contaminated observations",
        "galaxies   0 to 40 each",
        "masses     log10 M200c [Msun] 13.7 to 13.71",
        "inputs     clusters.hdf5",
        "command    clustermass grids ",
        "velocity    -2200 to 2200 km/s, 48 cells",
    )
    assert report["axes"][1]["unit"] == "Mpc (comoving)"


def test_predictions(made, capsys):
    text, report = said(capsys, made / "predictions.hdf5")
    has(
        text,
        "estimator  m-sigma, on contaminated observations",
        "rows       3,600 of 1,200 clusters in 10 folds",
        "3,600 test rows, 3,600 rows with an interval",
        "redshift   0.117",
        "cosmology  h = 0.6777, Omega_m = 0.307115",
    )
    true = made_up("m-sigma").predictions.log10_true
    assert report["masses"][0]["high"] == pytest.approx(true.max())


def test_a_model_that_needs_no_training(made, capsys):
    text, report = said(capsys, made / "model.safetensors")
    has(text, "estimator  m-sigma-evrard2008", "sees       velocities", "mass       log10 M200c [Msun]", "not said")
    assert (report["calibrated"], report["networks"]) == (None, [])


def test_models_of_networks(tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.training.test_saliency import untrained

    record = {"calibrated": False, "calibration": {"n": 1200, "verdict": "miscalibrated", "failures": "too wide"}}
    model = untrained("cnn-1d")
    model._support = {"n_galaxies": [11.0, 300.0], "max_radius": [2.3, 1e30]}
    save_estimator(tmp_path / "model.safetensors", model, record={**record, "command": "clustermass train cnn-1d"})
    text, report = said(capsys, tmp_path / "model.safetensors")
    has(
        text,
        "estimator  cnn-1d",
        "intervals  not calibrated, tested on 1,200 held-out observations (miscalibrated): too wide",
        "log10 M200c [Msun] 13.5 to 15.3",
        "counts as like it: radius [Mpc] 2.3 and more, galaxies 11 to 300",
        "command    clustermass train cnn-1d",
    )
    assert report["networks"][0]["masses"]["low"] == 13.5
    assert report["settings"]["epochs"] == model.settings.epochs


def test_a_model_with_bins_of_redshift(tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is not installed")
    from tests.training.redshift_toys import untrained_bins

    save_estimator(tmp_path / "model.safetensors", untrained_bins())
    text, report = said(capsys, tmp_path / "model.safetensors")
    has(
        text,
        "estimator  deepplanck",
        "sees       maps, redshift (compton_y)",
        "mass       log10 M500c [Msun]",
        "0 < z <= 0.1: log10 M500c [Msun] 14 to 15, images of 1 x 24 x 24",
        "0.1 < z <= 0.2: ",
    )
    assert [network["redshift_bin"] for network in report["networks"]] == [[0.0, 0.1], [0.1, 0.2]]


@pytest.mark.parametrize(
    "name", ["maps.h5", "clusters.hdf5", "universe.hdf5", "grids.hdf5", "predictions.hdf5", "model.safetensors"]
)
def test_damaged_files_are_one_line(made, tmp_path, capsys, name):
    good = (made / name).read_bytes()
    path = tmp_path / name
    for content in (good[: len(good) // 2], good[:-1], good[:9]):
        path.write_bytes(content)
        assert run(["info", str(path)]) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("clustermass: error: ")
        assert err.count("\n") == 1
        assert str(path) in err


@pytest.mark.parametrize(
    ("name", "lost", "words"),
    [
        ("maps.h5", "views", "views"),
        ("clusters.hdf5", "pure/clusters/host_id", "lacks pure/clusters/host_id"),
        ("universe.hdf5", "haloes/m200c", "lacks haloes/m200c"),
        ("grids.hdf5", "labels/fold", "lacks labels/fold"),
        ("predictions.hdf5", "record", "lacks the text `record`"),
    ],
)
def test_what_a_file_lacks_is_said(made, tmp_path, capsys, name, lost, words):
    path = shutil.copy(made / name, tmp_path)
    with h5py.File(path, "a") as file:
        del file[lost]
    assert run(["info", str(path)]) == 3
    assert words in capsys.readouterr().err
    with h5py.File(path, "a") as file:
        file.attrs["complete"] = 0
    assert run(["info", str(path)]) == 3
    assert "is not complete" in capsys.readouterr().err


def test_working_files_are_named(tmp_path, capsys):
    with hdf5_tables.create_tables(tmp_path / "store.hdf5", "clustermass-columns", 1):
        pass
    assert run(["info", str(tmp_path / "store.hdf5")]) == 3
    assert "a working file of clustermass" in capsys.readouterr().err
