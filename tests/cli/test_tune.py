"""`clustermass tune`: its files, going on, and the training that uses them."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("matplotlib")
pytest.importorskip("optuna", reason="optuna is not installed")
pytest.importorskip("safetensors")

from clustermass.cli._signals import TerminatedError  # noqa: E402
from clustermass.cli.main import run  # noqa: E402
from clustermass.data.clusters_file import read_clusters  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.report.tables import read_csv  # noqa: E402
from tests.evaluation.toys import write_catalogue  # noqa: E402


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield write_catalogue(tmp_path_factory.mktemp("tune") / "clusters.hdf5", n_hosts=60)
    torch.set_num_threads(threads)


def tune(catalogue, out, *words):
    return run(["tune", "cnn-1d", str(catalogue), "--out", str(out), "--device", "cpu", "--threads", "1", *words])


def test_a_search_is_kept_goes_on_and_can_be_trained_with(tmp_path, catalogue, capsys, monkeypatch):
    out = tmp_path / "search"
    assert tune(catalogue, out, "--trials", "1", "--epochs", "1") == 0
    assert tune(catalogue, out, "--trials", "3", "--epochs", "1") == 0
    shown = capsys.readouterr()
    assert "Experimental" not in shown.err, "optuna's own messages are not for our users"
    assert shown.err.count("trial 0:") == 1, "a finished trial is not repeated"
    assert "trial 2:" in shown.err
    rows = read_csv(out / "trials.csv")
    assert [(row["trial"], row["state"]) for row in rows] == [(0, "complete"), (1, "complete"), (2, "complete")]
    best = json.loads((out / "best.json").read_text())
    assert best["loss"] == pytest.approx(min(row["loss"] for row in rows), rel=1e-5)
    assert best["command"].startswith("clustermass tune cnn-1d")
    assert best["train"] in shown.out
    assert (out / "trials.png").stat().st_size > 10_000

    asked = {}

    def train_model(preset, clusters, **options):
        asked.update(options)
        raise TerminatedError

    monkeypatch.setattr("clustermass.training.run.train_model", train_model)
    words = ["train", "cnn-1d", str(catalogue), "--out", str(tmp_path / "t"), "--tuned", str(out / "best.json")]
    assert run([*words, "--batch-size", "7"]) == 4
    assert asked["settings"] == best["settings"] | {"batch_size": 7}
    assert asked["options"] == best["options"]


def test_a_prior_flat_in_log_mass(tmp_path, catalogue):
    clusters = read_clusters(catalogue)
    options = dict(settings=dict(epochs=3, batch_size=20), options={"units": (32, 16)}, device="cpu")
    model = make_estimator("bayesian-cnn", **options).fit(clusters.only(np.argsort(clusters.log10_m200c)[-60:]))
    save_estimator(tmp_path / "model.safetensors", model)
    assert load_estimator(tmp_path / "model.safetensors").preset.options["units"] == (32, 16)
    for prior in ("training", "flat"):
        words = [str(tmp_path / "model.safetensors"), str(catalogue), "--out", str(tmp_path / f"{prior}.csv")]
        assert run(["predict", *words, "--prior", prior]) == 0
    rows = {prior: read_csv(tmp_path / f"{prior}.csv") for prior in ("training", "flat")}
    got = {prior: np.array([row["log10_m200c_msun"] for row in table]) for prior, table in rows.items()}
    np.testing.assert_allclose(got["training"], model.predict(clusters).log10_mass, atol=1e-5)
    want = model.predict(clusters).reweighted(model.prior).log10_mass
    np.testing.assert_allclose(got["flat"], want, atol=1e-5)
    assert np.abs(got["flat"] - got["training"]).max() > 1e-3


def test_wrong_words_end_before_any_work(tmp_path, catalogue, capsys):
    assert run(["tune", "cnn-2", str(catalogue), "--out", str(tmp_path / "x")]) == 2
    assert "cnn-2d" in capsys.readouterr().err
    assert run(["predict", "m-sigma-evrard2008", str(catalogue), "--prior", "flat"]) == 2
    assert "trained on" in capsys.readouterr().err
    (tmp_path / "best.json").write_text('{"preset": "cnn-2d", "settings": {}, "options": {}}')
    words = ["--out", str(tmp_path / "x"), "--tuned", str(tmp_path / "best.json")]
    assert run(["train", "cnn-1d", str(catalogue), *words]) == 2
    assert "not of cnn-1d" in capsys.readouterr().err
    (tmp_path / "best.json").write_text("[]")
    assert run(["train", "cnn-1d", str(catalogue), *words]) == 3
