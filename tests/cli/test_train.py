"""`clustermass train`: the model, its evaluation, its log; refusal to export what is not calibrated; going on."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")

from clustermass.cli.main import run  # noqa: E402
from clustermass.data.clusters_file import read_clusters  # noqa: E402
from clustermass.models.store import load_estimator, read_estimator_record  # noqa: E402
from clustermass.report.tables import read_csv  # noqa: E402
from tests.evaluation.toys import write_catalogue  # noqa: E402


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr("clustermass.report.figures.FIGURES", {})  # most of the time of a report
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield write_catalogue(tmp_path / "clusters.hdf5", n_hosts=100)
    torch.set_num_threads(threads)


def train(catalogue, out, *words):
    return run(["train", "cnn-1d", str(catalogue), "--out", str(out), "--device", "cpu", "--threads", "1", *words])


def test_an_uncalibrated_model_is_written_only_if_allowed_and_then_marked(tmp_path, catalogue, capsys):
    out = tmp_path / "out"
    assert train(catalogue, out, "--epochs", "8", "--learning-rate", "0.003") == 4
    shown = capsys.readouterr()
    assert "too few rows" in shown.out or "miscalibrated" in shown.out
    assert "--allow-uncalibrated" in shown.err
    assert not (out / "cnn-1d.safetensors").exists()
    (row,) = read_csv(out / "dynamical.csv")
    assert row["sigma_dex"] < 0.25, "a constant would have 0.28"
    log = read_csv(out / "cnn-1d_log.csv")
    assert [r["epoch"] for r in log] == list(range(1, 9))
    assert log[-1]["train_0"] < log[0]["train_0"]
    assert "train_10" in log[0], "ten folds and the model that is kept"
    for name in ("report.html", "cnn-1d_learning.png", "predictions/cnn-1d-contaminated.hdf5"):
        assert (out / name).stat().st_size > 1000

    again = train(catalogue, out, "--epochs", "8", "--learning-rate", "0.003", "--allow-uncalibrated")
    assert again == 0
    assert "epoch" not in capsys.readouterr().err, "the finished training is not done again"
    record = read_estimator_record(out / "cnn-1d.safetensors")["record"]
    assert record["calibrated"] is False
    assert record["calibration"]["n"] >= 90
    model = load_estimator(out / "cnn-1d.safetensors")
    clusters = read_clusters(catalogue).only(slice(0, 30))
    posterior = model.predict(clusters)
    assert posterior.density is not None, "intervals of a point come from held-out clusters"
    error = posterior.log10_mass - clusters.log10_m200c
    assert np.isfinite(error).all()
    assert error.std() < 0.3


def test_other_settings_in_the_same_folder_are_refused(tmp_path, catalogue, capsys):
    out = tmp_path / "out"
    train(catalogue, out, "--epochs", "1")
    assert train(catalogue, out, "--epochs", "2") == 3
    assert "remove it to start anew" in capsys.readouterr().err


def test_wrong_words_end_before_any_work(tmp_path, catalogue, capsys):
    assert run(["train", "cnn-2", str(catalogue), "--out", str(tmp_path / "x")]) == 2
    assert "cnn-2d" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
