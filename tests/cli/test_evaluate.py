from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from clustermass.cli.main import run
from clustermass.errors import FileFormatError
from clustermass.evaluation.predictions import read_predictions
from clustermass.report.notes import read_notes, to_html
from clustermass.report.tables import DYNAMICAL, read_csv, write_csv
from tests.evaluation.toys import BIAS, SCATTER, register, write_catalogue

pytest.importorskip("matplotlib")


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    register(monkeypatch)
    return write_catalogue(tmp_path / "clusters.hdf5", n_hosts=120)


@pytest.fixture
def no_figures(monkeypatch):
    """Figures are most of the time of a run."""
    monkeypatch.setattr("clustermass.report.figures.FIGURES", {})


def evaluate(catalogue, out, *words):
    return run(["evaluate", str(catalogue), "--out", str(out), "--bootstrap", "20", *words])


def test_a_planted_error_is_reported(tmp_path, capsys, catalogue, no_figures):
    out = tmp_path / "out"
    assert evaluate(catalogue, out, "--estimators", "planted,learner", "--kind", "pure,contaminated") == 0
    assert "epsilon = log10(M_pred / M_true)" in capsys.readouterr().out
    with (out / "dynamical.csv").open(newline="") as file:
        assert next(csv.reader(file)) == list(DYNAMICAL)
    rows = {row["estimator"]: row for row in read_csv(out / "dynamical.csv")}
    assert list(rows) == ["learner (pure)", "planted (pure)", "learner", "planted"]
    planted = rows["planted"]
    table, _ = read_predictions(out / "predictions" / "planted-contaminated.hdf5")
    assert planted["n_clusters"] == table.is_quoted.sum()
    n = planted["n_clusters"]
    assert planted["bias_dex"] == pytest.approx(BIAS, abs=6 * SCATTER / np.sqrt(n))
    assert planted["sigma_dex"] == pytest.approx(SCATTER, abs=6 * SCATTER / np.sqrt(2 * n))
    assert planted["inputs"] == "velocities"
    assert planted["subsample_width_dex"] == 0.0  # knows the truth, whatever it is shown
    assert rows["learner"]["subsample_width_dex"] > 0.1
    about = json.loads((out / "dynamical.json").read_text())
    assert about["convention"].startswith("epsilon = log10(M_pred / M_true)")
    assert about["rows"][3]["sigma_dex"] == pytest.approx(planted["sigma_dex"], rel=1e-5)
    assert about["rows"][3]["published_sigma_dex"] is None
    bins = [row for row in read_csv(out / "bins.csv") if row["estimator"] == "planted"]
    assert {row["binned_by"] for row in bins} == {"log10_m200c_msun_h", "richness", "purity"}
    assert sum(row["n"] for row in bins if row["binned_by"] == "log10_m200c_msun_h") == n


def test_the_page_holds_everything_and_loads_nothing(tmp_path, monkeypatch, catalogue):
    out, notes = tmp_path / "out", tmp_path / "notes.md"
    notes.write_text("In general <b>true</b>.\n\n## planted\nBecause it was **planned**.\n\n- one\n- two\n")
    with monkeypatch.context() as patch:
        patch.setattr("clustermass.report.figures.FIGURES", {})
        assert evaluate(catalogue, out, "--estimators", "planted") == 0
    before = (out / "report.html").read_text()
    assert run(["report", str(out), "--notes", str(notes), "--bootstrap", "20"]) == 0
    page = (out / "report.html").read_text()
    assert "planned" not in before
    assert "Because it was <strong>planned</strong>." in page
    assert "<li>one</li>" in page
    assert "&lt;b&gt;true&lt;/b&gt;" in page
    links = re.findall(r"""(?:src|href|action|data|url)\s*[=(]\s*["']?([^"'>\s)]{1,40})""", page)
    assert len(links) == 8
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert not re.search(r"<script|<link|<iframe|<object|@import|https?://", page)
    record = json.loads((out / "report.json").read_text())
    assert record["input_sha256"] in page
    assert record["commands"][-2].startswith("clustermass evaluate ")
    for words in ("epsilon = log10(M_pred / M_true)", "M200c", "Msun/h", "commit", "code_sha256"):
        assert words in page, words
    for name in (
        "predicted_true",
        "residuals",
        "by_mass",
        "subsampling",
        "velocity_errors",
        "calibration",
        "mass_function",
    ):
        assert (out / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_finished_estimators_are_not_done_again(tmp_path, capsys, monkeypatch, catalogue, no_figures):
    out = tmp_path / "out"
    path = out / "predictions" / "planted-contaminated.hdf5"
    assert evaluate(catalogue, out, "--estimators", "planted") == 0
    first = path.stat().st_mtime_ns
    assert evaluate(catalogue, out, "--estimators", "planted,learner") == 0
    assert "planted (contaminated): finished before" in capsys.readouterr().err
    assert path.stat().st_mtime_ns == first
    assert evaluate(catalogue, out, "--estimators", "planted", "--draws", "4") == 0  # other settings
    second = path.stat().st_mtime_ns
    assert second != first
    with h5py.File(path, "r+") as file:
        file.attrs["complete"] = 0
    assert evaluate(catalogue, out, "--estimators", "planted", "--draws", "4") == 0  # not complete
    third = path.stat().st_mtime_ns
    assert third != second
    monkeypatch.setattr("clustermass.evaluation.runs.code_hash", lambda: "other")
    assert evaluate(catalogue, out, "--estimators", "planted", "--draws", "4") == 0  # other code
    assert path.stat().st_mtime_ns != third


def test_one_failure_does_not_stop_the_others(tmp_path, capsys, catalogue, no_figures):
    out = tmp_path / "out"
    assert evaluate(catalogue, out, "--estimators", "failing,planted") == 4
    said = capsys.readouterr()
    assert "failing (contaminated): failed: this never works" in said.err
    assert "planted" in said.out
    assert [row["estimator"] for row in read_csv(out / "dynamical.csv")] == ["planted"]
    assert evaluate(catalogue, tmp_path / "other", "--estimators", "failing") == 2


def test_catalogues_are_not_mixed(tmp_path, capsys, catalogue, no_figures):
    out = tmp_path / "out"
    assert evaluate(catalogue, out, "--estimators", "planted") == 0
    other = write_catalogue(tmp_path / "other.hdf5", n_hosts=60, seed=6)
    assert evaluate(other, out, "--estimators", "learner") == 3
    assert "different catalogues" in capsys.readouterr().err


def test_wrong_words(tmp_path, capsys, catalogue):
    assert evaluate(catalogue, tmp_path / "o", "--estimators", "plantd") == 2
    assert "did you mean 'planted'" in capsys.readouterr().err
    assert evaluate(catalogue, tmp_path / "o", "--kind", "clean") == 2
    assert run(["report", str(tmp_path / "nothing")]) == 2
    assert "run `clustermass evaluate` first" in capsys.readouterr().err


SLOW = """
import sys, time
sys.path.insert(0, {root!r})
import pytest
from tests.evaluation.toys import Learner, register
class Slow(Learner):
    name = "slow"
    def predict(self, clusters):
        print("working", flush=True)
        time.sleep(0.5)
        return super().predict(clusters)
from clustermass.cli.main import run
with pytest.MonkeyPatch.context() as patch:
    register(patch, slow=Slow)
    sys.exit(run({words!r}))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 4), (signal.SIGINT, 130)])
def test_a_killed_run_goes_on_where_it_was(tmp_path, catalogue, no_figures, number, code, request):
    out = tmp_path / "out"
    words = ["evaluate", str(catalogue), "--out", str(out), "--bootstrap", "20", "--estimators", "planted,slow"]
    program = SLOW.format(root=str(request.config.rootpath), words=words)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"working\n"
        time.sleep(0.1)
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == code
    assert [path.name for path in (out / "predictions").glob("[!.]*")] == ["planted-contaminated.hdf5"]
    before = (out / "predictions" / "planted-contaminated.hdf5").read_bytes()
    assert evaluate(catalogue, out, "--estimators", "planted,learner") == 0
    assert [row["estimator"] for row in read_csv(out / "dynamical.csv")] == ["learner", "planted"]
    whole = tmp_path / "whole"
    assert evaluate(catalogue, whole, "--estimators", "planted,learner") == 0
    for name in ("dynamical.csv", "bins.csv", "subsampling.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert (out / "predictions" / "planted-contaminated.hdf5").read_bytes() == before  # not done again


def test_csv_comes_back(tmp_path):
    rows = [{"a": 1, "b": 0.1234567891, "c": 'x, "y"'}, {"a": -2, "b": float("nan"), "c": "", "d": 1e-30}]
    write_csv(tmp_path / "t.csv", rows)
    back = read_csv(tmp_path / "t.csv")
    assert back[0]["a"] == 1
    assert back[0]["c"] == 'x, "y"'
    assert back[0]["b"] == pytest.approx(0.1234567891, rel=1e-5)
    assert np.isnan(back[1]["b"])
    assert back[1]["d"] == 1e-30
    (tmp_path / "t.csv").write_text("a,b\n1\n")
    with pytest.raises(FileFormatError, match="line 2"):
        read_csv(tmp_path / "t.csv")


def test_notes(tmp_path):
    path = tmp_path / "n.json"
    path.write_text('{"m-sigma (pure)": "few <galaxies>"}')
    assert read_notes(path) == {"m-sigma (pure)": "few <galaxies>"}
    assert to_html("few <galaxies>\nand `code`") == "<p>few &lt;galaxies&gt; and <code>code</code></p>"
    for bad in ('["x"]', '{"a": 1}', "{", "[" * 100_000):
        path.write_text(bad)
        with pytest.raises(FileFormatError):
            read_notes(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileFormatError):
        read_notes(path)
    markdown = tmp_path / "n.md"
    markdown.write_text("# Title\nAll of it.\n\n## a\none\n\n## b\n")
    assert read_notes(markdown) == {"": "All of it.", "a": "one"}
