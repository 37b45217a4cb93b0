"""`clustermass demo`: the whole story, at a size for tests; a stopped run goes on."""

import json
import re

import numpy as np
import pytest

from clustermass.cli import demo, main
from clustermass.data.clusters_file import read_clusters
from clustermass.data.maps_file import read_maps
from clustermass.report.tables import read_csv

pytest.importorskip("matplotlib")


@pytest.fixture
def no_figures(monkeypatch):
    """Figures are most of the time of a small run."""
    monkeypatch.setattr("clustermass.report.figures.FIGURES", {})


def run(folder, *words):
    return main.run(["demo", "--out", str(folder), "--size", "toy", *words])


def test_maps_of_the_snapshots_show_their_clusters(tmp_path, capsys):
    assert run(tmp_path, "--only", "snapshot") == 0
    shown = capsys.readouterr().out
    for name, n_views in (("demo", 32), ("sample", 20)):
        assert f"clustermass preview {tmp_path / name}_maps.h5" in shown
        assert (tmp_path / f"{name}_maps.png").stat().st_size > 10_000
        maps = read_maps(tmp_path / f"{name}_maps.h5")
        assert maps.shape == (n_views, 4, 120, 120)
        y, mass = maps.read_images(channel="compton_y").sum(axis=(1, 2)), maps.labels["m200c"]
        heavy, light = mass > 3e14, mass < 2e14
        assert np.median(y[heavy]) > 2 * np.median(y[light])
        assert np.corrcoef(np.log(y), np.log(mass))[0, 1] > 0.8
    assert not (tmp_path / "report").exists()


def test_galaxies_end_in_one_page_and_finished_steps_are_not_done_again(tmp_path, capsys, no_figures):
    pytest.importorskip("torch", reason="torch is not installed")
    assert run(tmp_path, "--only", "galaxies") == 0
    shown = capsys.readouterr().out
    assert shown.count("\ntook ") == 5
    assert str(tmp_path / "report" / "report.html") in shown.splitlines()[-1]
    rows = {row["estimator"]: row for row in read_csv(tmp_path / "report" / "dynamical.csv")}
    assert list(rows) == ["m-sigma (pure)", "cnn-2d", "m-sigma"]
    page = (tmp_path / "report" / "report.html").read_text()
    clusters = read_clusters(tmp_path / "clusters.hdf5", "contaminated")
    assert f"{int(clusters.is_flat.sum()):,} observations" in page
    assert "A periodic box of 125 Mpc/h" in page
    assert "{" not in (tmp_path / "notes.md").read_text()
    assert re.search(r"measured order is (not )?the published one", page)

    (tmp_path / "report" / "cnn-2d.safetensors").unlink()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*.hdf5")}
    assert run(tmp_path, "--only", "galaxies") == 0
    again = capsys.readouterr().out
    assert again.count("finished before") == 4
    assert again.count("\ntook ") == 1
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("*.hdf5")} == before
    assert (tmp_path / "report" / "cnn-2d.safetensors").exists()


def test_a_step_done_again_repeats_what_follows(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(demo, "_run", lambda words: ran.append(words[0]) or 0)
    steps = [demo.Step((), (name,), (str(tmp_path / name),)) for name in ("a", "b", "c")]
    for name in "abc":
        (tmp_path / name).touch()
    assert demo._run_all(tmp_path, steps) == 0
    assert ran == ["a", "b", "c"]  # files alone do not count: the command must have finished
    assert demo._run_all(tmp_path, steps) == 0
    assert ran == ["a", "b", "c"]
    (tmp_path / "b").unlink()
    assert demo._run_all(tmp_path, steps) == 0
    assert ran == ["a", "b", "c", "b", "c"]
    assert set(json.loads((tmp_path / demo.STEPS).read_text())) == {"clustermass a", "clustermass b", "clustermass c"}
    (tmp_path / demo.STEPS).write_text("[broken")
    assert demo._run_all(tmp_path, steps[:1]) == 0
    assert ran[-1] == "a"


def test_demo_stops_at_the_first_failure(tmp_path, capsys):
    (tmp_path / "demo" / "demo_maps.h5").mkdir(parents=True)
    assert run(tmp_path / "demo") == 2
    shown = capsys.readouterr()
    assert "is a folder" in shown.err
    assert "[2/" not in shown.out
