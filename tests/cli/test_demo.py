"""`clustermass demo`: the whole story, at a size for tests; a stopped run goes on."""

import json
import re

import numpy as np
import pytest

from clustermass.cli import demo, main
from clustermass.data.clusters_file import read_clusters
from clustermass.data.map_sample import read_map_sample
from clustermass.data.maps_file import read_maps
from clustermass.report.tables import read_csv

pytest.importorskip("matplotlib")


def run(folder, *words):
    return main.run(["demo", "--out", str(folder), "--size", "toy", *words])


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A folder with the part on galaxies; figures of the report are left out, they are most of the time."""
    pytest.importorskip("torch", reason="torch is not installed")
    folder = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clustermass.report.figures.FIGURES", {})
        patch.setattr("clustermass.report.map_figures.FIGURES", {})
        assert run(folder, "--only", "galaxies") == 0
        yield folder


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


def test_galaxies_end_in_one_page_and_finished_steps_are_not_done_again(story, capsys):
    rows = {row["estimator"]: row for row in read_csv(story / "report" / "dynamical.csv")}
    assert list(rows) == ["m-sigma (pure)", "cnn-2d", "m-sigma"]
    page = (story / "report" / "report.html").read_text()
    clusters = read_clusters(story / "clusters.hdf5", "contaminated")
    assert f"{int(clusters.is_flat.sum()):,} observations" in page
    assert "A periodic box of 125 Mpc/h" in page
    assert "{" not in (story / "notes.md").read_text()
    assert re.search(r"measured order is (not )?the published one", page)
    assert page.count("<h3>cnn-2d</h3>") == 1  # what it looks at

    explained = story / "report" / "explain" / "cnn-2d" / "saliency.json"
    explained.unlink()
    before = {p: p.stat().st_mtime_ns for p in story.glob("*.hdf5")}
    assert run(story, "--only", "galaxies") == 0
    again = capsys.readouterr().out
    assert again.count("finished before") == 5
    assert again.count("\ntook ") == 1
    assert str(story / "report" / "report.html") in again.splitlines()[-1]
    assert {p: p.stat().st_mtime_ns for p in story.glob("*.hdf5")} == before
    assert explained.exists()


def test_maps_of_the_same_clusters_join_the_page(story, capsys):
    assert run(story, "--only", "maps") == 0
    shown = capsys.readouterr().out
    assert shown.count("finished before") == 2  # universe and clusters
    maps = read_map_sample(story / "maps.h5")
    clusters = read_clusters(story / "clusters.hdf5", "contaminated")
    assert set(maps.host_id.tolist()) <= set(clusters.host_id.tolist())
    (row,) = read_csv(story / "report" / "maps.csv")
    assert row["estimator"] == "yan-compton-y"
    assert row["n_maps"] > 0
    page = (story / "report" / "report.html").read_text()
    assert page.index("Masses from galaxies") < page.index("Masses from maps") < page.index("<h3>yan-compton-y</h3>")
    assert "20 x 20 pixels" in page
    why = story / "report" / "explain" / "yan-compton-y"
    assert (why / "examples_compton_y.png").stat().st_size > 10_000
    assert max(abs(r["completeness_error_dex"]) for r in read_csv(why / "clusters.csv")) < 0.05


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
