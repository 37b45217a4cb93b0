"""`clustermass train` and `predict` on maps: from a file of maps to a model, from a FITS image to a mass."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")
pytest.importorskip("matplotlib")

from clustermass.cli import main  # noqa: E402
from clustermass.data import map_sample  # noqa: E402
from clustermass.data.clusters_file import read_clusters  # noqa: E402
from clustermass.evaluation.predictions import read_predictions  # noqa: E402
from tests.evaluation.toys import write_catalogue  # noqa: E402
from tests.training.test_deepplanck import keras  # noqa: E402
from tests.training.test_map_estimator import maps  # noqa: E402

fits = pytest.importorskip("astropy.io.fits")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_maps_train_and_a_fits_image_is_predicted(tmp_path, monkeypatch, capsys):
    data = maps(60, fold=np.arange(60) % 3)
    monkeypatch.setattr(map_sample, "read_map_sample", lambda path, channels=None, **_: data.select(channels))
    for place in ("make.write_report", "learning.draw_learning_curves"):  # tests of the report draw
        monkeypatch.setattr(f"clustermass.report.{place}", lambda *_: None)
    (tmp_path / "maps.h5").write_bytes(b"")
    words = ["train", "yan-compton-y", str(tmp_path / "maps.h5"), "--out", str(tmp_path / "out"), "--epochs", "1",
             "--batch-size", "20", "--learning-rate", "0.001", "--device", "cpu", "--allow-uncalibrated"]  # fmt: skip
    assert main.run(words) == 0
    assert "rms" in capsys.readouterr().out
    table, extra = read_predictions(tmp_path / "out/predictions/yan-compton-y-maps.hdf5")
    assert (table.kind, len(table), extra) == ("maps", 60, {})
    assert np.isnan(table.purity).all()
    header = fits.Header()
    header["Z"] = 0.05
    fits.PrimaryHDU(data.images[0, 3].astype(float), header).writeto(tmp_path / "map.fits")
    model = str(tmp_path / "out/yan-compton-y.safetensors")
    assert main.run(["predict", model, str(tmp_path / "map.fits")]) == 0
    assert "log10_m200c_msun" in capsys.readouterr().out
    assert main.run(["predict", model, str(tmp_path / "map.fits"), "--pixel", "0.05"]) == 2
    assert "arcmin is needed" in capsys.readouterr().err


def test_galaxies_and_maps_train_together(tmp_path, monkeypatch, capsys):
    path = write_catalogue(tmp_path / "clusters.hdf5", n_hosts=60)
    known = read_clusters(path, "contaminated")
    same = {name: getattr(known, name) for name in ("host_id", "view", "log10_m200c", "fold", "is_flat", "is_test")}
    data = maps(len(known), **same)
    monkeypatch.setattr(map_sample, "read_map_sample", lambda path, channels=None, **_: data.select(channels))
    for place in ("make.write_report", "learning.draw_learning_curves"):
        monkeypatch.setattr(f"clustermass.report.{place}", lambda *_: None)
    (tmp_path / "maps.h5").write_bytes(b"")
    both = ["--maps", str(tmp_path / "maps.h5")]
    words = ["train", "joint-posterior", str(path), "--out", str(tmp_path / "out"), "--epochs", "1", "--folds", "2",
             "--batch-size", "60", "--device", "cpu", "--allow-uncalibrated"]  # fmt: skip
    assert main.run(words) == 2
    assert "joint-posterior needs maps too" in capsys.readouterr().err
    assert main.run([*words, *both]) == 0
    table, _ = read_predictions(tmp_path / "out/predictions/joint-posterior-maps.hdf5")
    assert set(table.fold.tolist()) == {0, 1}
    model = str(tmp_path / "out/joint-posterior.safetensors")
    capsys.readouterr()
    assert main.run(["predict", model, str(path), *both]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(known)
    assert [line.split(",")[0] for line in lines[1:4]] == [f"{known.host_id[k]}:{known.view[k]}" for k in range(3)]
    assert main.run(["predict", model, str(path)]) == 2
    assert "needs maps too" in capsys.readouterr().err
    assert main.run(["train", "cnn-1d", str(path), *both, "--out", str(tmp_path / "x")]) == 2
    assert "does not see galaxies and maps" in capsys.readouterr().err


def test_released_weights_are_a_model(tmp_path, capsys):
    keras(tmp_path / "bestmodel-3.h5")
    header = fits.Header()
    header["Z"] = 0.3
    fits.PrimaryHDU(np.zeros((96, 96)), header).writeto(tmp_path / "map.fits")
    words = ["predict", str(tmp_path / "bestmodel-3.h5"), str(tmp_path / "map.fits")]
    assert main.run(words) == 0
    line = capsys.readouterr().out.splitlines()[1].split(",")
    assert (line[1], line[-1]) == ("0.3", "no_interval")
    assert main.run([*words, "--set", "redshift_bin=2"]) == 0
    assert "out_of_support" in capsys.readouterr().out
    (tmp_path / "bestmodel-3.h5").rename(tmp_path / "weights.h5")
    assert main.run(["predict", str(tmp_path / "weights.h5"), str(tmp_path / "map.fits")]) == 2
    assert "redshift_bin" in capsys.readouterr().err
