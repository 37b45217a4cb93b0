"""`clustermass train`: the model, its evaluation, its log; refusal to export what is not calibrated; going on."""

import json
import re
import shutil
import sys
import types

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")

from clustermass.cli.main import run  # noqa: E402
from clustermass.data.clusters_file import read_clusters  # noqa: E402
from clustermass.data.provenance import hash_files  # noqa: E402
from clustermass.evaluation.predictions import read_predictions  # noqa: E402
from clustermass.evaluation.robustness import RobustnessPlan  # noqa: E402
from clustermass.evaluation.runs import code_hash, run_record  # noqa: E402
from clustermass.models.store import load_estimator, read_estimator_record  # noqa: E402
from clustermass.report.tables import read_csv  # noqa: E402
from tests.clusters import block, write_clusters  # noqa: E402
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
    records = [json.loads(line) for line in (out / "cnn-1d_log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in records] == list(range(1, 9))
    assert [r["train"][0] for r in records] == pytest.approx([r["train_0"] for r in log], rel=1e-5)
    assert records[0]["held_out"] == [None] * 11, "without patience nothing validates"
    assert "epoch 5 of at most 8" in shown.err
    assert " left" in shown.err
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


def test_a_calibrated_model_is_written_and_says_so(tmp_path, catalogue, capsys, monkeypatch):
    thresholds = "clustermass.evaluation.calibration_report"
    monkeypatch.setattr(f"{thresholds}.MIN_ROWS", 50)
    monkeypatch.setattr(f"{thresholds}.TARP_LIMIT", 0.04 * (2000 / 300) ** 0.5)  # 300 rows scatter as much more
    out = tmp_path / "out"
    assert train(catalogue, out, "--epochs", "8", "--learning-rate", "0.003") == 0, capsys.readouterr().out
    assert "intervals: calibrated" in capsys.readouterr().out
    record = read_estimator_record(out / "cnn-1d.safetensors")["record"]
    assert record["calibrated"] is True
    assert record["calibration"]["verdict"] == "calibrated"


def test_the_row_of_the_kind_is_printed_and_a_few_folds_are_said(tmp_path, catalogue, capsys):
    out = tmp_path / "out"
    train(catalogue, out, "--epochs", "1")
    capsys.readouterr()
    train(catalogue, out, "--epochs", "2", "--learning-rate", "0.002", "--kind", "pure", "--folds", "3")
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cnn-1d:")]
    rows = {r["estimator"]: r for r in read_csv(out / "dynamical.csv")}
    assert set(rows) == {"cnn-1d", "cnn-1d (pure)"}
    row = rows["cnn-1d (pure)"]
    assert f"bias {row['bias_dex']:+.3f}, scatter {row['sigma_dex']:.3f}" in said
    table, _ = read_predictions(out / "predictions" / "cnn-1d-pure.hdf5")
    assert set(table.fold.tolist()) == {0, 1, 2}
    hosts = np.unique(table.host_id[table.is_quoted]).size
    assert f"{row['n_clusters']} observations of {hosts} hosts in 3 of 10 folds" in said
    assert "train_3" in read_csv(out / "cnn-1d-pure_log.csv")[0]
    assert "train_4" not in read_csv(out / "cnn-1d-pure_log.csv")[0]


def test_other_training_has_another_key_than_evaluate(tmp_path, catalogue):
    """`clustermass evaluate` must not take what was trained otherwise for its own work."""
    keys = []
    for words in (("--folds", "2"), ("--folds", "2", "--epochs", "1"), ("--folds", "3", "--epochs", "1")):
        out = tmp_path / str(len(keys))
        train(catalogue, out, *words)
        keys.append(read_predictions(out / "predictions" / "cnn-1d-contaminated.hdf5")[0].record["key"])
    plan, inputs = RobustnessPlan(), hash_files([catalogue])
    keys += [run_record("cnn-1d", "contaminated", plan, inputs, code_hash())["key"]]
    keys += [run_record("cnn-1d", "contaminated", plan, inputs, code_hash(), training={"epochs": 1})["key"]]
    assert len(set(keys)) == 4
    assert keys[3] == keys[4], "what is only written down does not count"


def test_events_for_tensorboard(tmp_path, catalogue, monkeypatch):
    made = []

    class Writer:
        def __init__(self, folder, purge_step):
            self.folder, self.first, self.scalars, self.closed = folder, purge_step, {}, False
            made.append(self)

        def add_scalar(self, name, value, step):
            self.scalars.setdefault(name, []).append((step, value))

        def flush(self):
            pass

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    train(catalogue, tmp_path / "out", "--epochs", "2", "--folds", "2", "--patience", "5")
    (writer,) = made
    assert writer.folder.endswith("tensorboard/cnn-1d")
    assert writer.first == 1
    assert writer.closed
    records = [json.loads(line) for line in (tmp_path / "out" / "cnn-1d_log.jsonl").read_text().splitlines()]
    assert writer.scalars["held_out/member_02"] == [(k + 1, r["held_out"][2]) for k, r in enumerate(records)]
    assert writer.scalars["loss/train"] == [(k + 1, pytest.approx(np.mean(r["train"]))) for k, r in enumerate(records)]


def test_other_settings_in_the_same_folder_are_refused(tmp_path, catalogue, capsys):
    out = tmp_path / "out"
    train(catalogue, out, "--epochs", "1")
    assert train(catalogue, out, "--epochs", "2") == 3
    assert "remove it to start anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--device", "cuda:99"], "`device`"), (["--folds", "11"], "`folds` must be >= 2 and <= 10, got 11")],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path, catalogue, capsys, words, message):
    assert run(["train", "cnn-1d", str(catalogue), "--out", str(tmp_path / "x"), *words]) == 2
    assert message in capsys.readouterr().err


def test_catalogues_that_nothing_can_be_learned_from_are_refused(tmp_path, catalogue, capsys):
    """A velocity that is no number; no observations; too few of them."""
    shutil.copy(catalogue, tmp_path / "nan.hdf5")
    with h5py.File(tmp_path / "nan.hdf5", "a") as file:
        file["contaminated/galaxies/velocity"][5] = np.nan
    write_clusters(tmp_path / "empty.hdf5", [block(np.random.default_rng(1), np.zeros(0, int))])
    write_catalogue(tmp_path / "tiny.hdf5", n_hosts=2)
    for name, message in (("nan", "must be finite, got 1 of"), ("empty", "got none"), ("tiny", "outside fold 0")):
        assert train(tmp_path / f"{name}.hdf5", tmp_path / "out", "--epochs", "1", "--folds", "2") == 3
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "tune"])
def test_help_names_every_network(command, capsys):
    from clustermass.training.presets import PRESETS

    with pytest.raises(SystemExit):
        run([command, "--help"])
    shown = re.sub(r"-\s+", "-", capsys.readouterr().out).split()
    named = {word.strip(",;()") for word in shown}
    assert set(PRESETS) <= named


def test_wrong_words_end_before_any_work(tmp_path, catalogue, capsys):
    assert run(["train", "cnn-2", str(catalogue), "--out", str(tmp_path / "x")]) == 2
    assert "cnn-2d" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
