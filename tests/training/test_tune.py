"""Search for settings: what it may touch, what it repeats, what a kill costs."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("optuna", reason="optuna is not installed")
pytest.importorskip("safetensors")

from clustermass.data.clusters_file import read_clusters
from clustermass.errors import BadInputError, DomainError, FileFormatError
from clustermass.training import presets
from clustermass.training.presets import PRESETS, find_preset, find_space
from clustermass.training.search import Choice, Range, SearchSpace, combinations
from clustermass.training.tune import _Search, tune_preset
from tests.evaluation.toys import write_catalogue
from tests.training.test_map_estimator import maps

OPTIONS = dict(settings=dict(epochs=4), device="cpu")
TRIED = ("learning_rate", "weight_decay", "batch_size", "dropout", "units", "filters")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return write_catalogue(tmp_path_factory.mktemp("tune") / "clusters.hdf5", n_hosts=40)


@pytest.fixture(scope="module")
def clusters(catalogue):
    return read_clusters(catalogue)


def tried(found):
    return [tuple(row[name] for name in TRIED) for row in found.trials]


def losses(found):
    return [row["loss"] for row in found.trials]


def test_a_search_begins_with_the_preset_ends_bad_trials_early_and_never_sees_the_test_hosts(tmp_path, clusters):
    found = tune_preset("cnn-1d", clusters, tmp_path / "a", trials=7, **OPTIONS)
    assert [row["preset"] for row in found.trials] == [True] + [False] * 6
    assert found.trials[0]["filters"] == "10,5"
    assert len(set(tried(found))) == 7
    pruned = [row for row in found.trials if row["state"] == "pruned"]
    assert pruned, "the median of the others decides"
    assert max(row["epochs"] for row in pruned) < 4
    complete = [row for row in found.trials if row["state"] == "complete"]
    assert {row["epochs"] for row in complete} == {4}
    assert found.best["loss"] == min(row["loss"] for row in complete)
    assert found.best["settings"]["learning_rate"] == found.trials[found.best["trial"]]["learning_rate"]
    assert isinstance(found.best["options"]["filters"], tuple)

    masses = np.array(clusters.log10_m200c)
    masses[np.asarray(clusters.split) == 2] = 3.0
    again = tune_preset("cnn-1d", replace(clusters, log10_m200c=masses), tmp_path / "b", trials=7, **OPTIONS)
    assert tried(again) == tried(found), "the sampler goes by its seed"
    assert losses(again) == losses(found), "masses of test hosts make no difference"
    other = tune_preset("cnn-1d", clusters, tmp_path / "c", trials=2, seed=1, **OPTIONS)
    assert tried(other)[1] != tried(found)[1]


def test_hosts_that_validate_lend_no_interlopers(clusters):
    """Within the folds of the cross-validation those of both sides would mix."""
    from clustermass.training.tune import _Data

    data = _Data(clusters, 1, "cnn-1d")
    assert len(np.unique(clusters.fold)) > 2
    assert set(data.clusters.fold[data.train]) == {0}
    assert set(data.clusters.fold[data.validate]) == {1}


KILLED = """
    import os, signal, sys, torch
    from clustermass.data.clusters_file import read_clusters
    from clustermass.training import tune

    torch.set_num_threads(1)
    report = tune._Search._report

    def until(self, trial, history):
        report(self, trial, history)
        if trial.number == 2 and len(history.train) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    tune._Search._report = until
    tune.tune_preset("cnn-1d", read_clusters(sys.argv[1]), sys.argv[2], trials=4, settings=dict(epochs=4), device="cpu")
"""


def test_a_killed_search_goes_on_and_repeats_nothing(tmp_path, catalogue, clusters, monkeypatch):
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(catalogue), str(tmp_path / "killed")]
    assert subprocess.run(words, check=False).returncode == -9
    assert list((tmp_path / "killed" / "workers").glob("*.checkpoint")), "the state after its second epoch"
    epochs = []
    report = _Search._report
    monkeypatch.setattr(
        _Search, "_report", lambda self, trial, history: [epochs.append(trial.number), report(self, trial, history)]
    )
    found = tune_preset("cnn-1d", clusters, tmp_path / "killed", trials=4, **OPTIONS)
    assert [row["trial"] for row in found.trials] == [0, 1, 3, 4], "2 was killed and 3 is what it was trying"
    assert epochs == [3] * 2 + [4] * 4, "two epochs were left of it, and one more trial"
    whole = tune_preset("cnn-1d", clusters, tmp_path / "whole", trials=4, **OPTIONS)
    assert tried(found) == tried(whole)
    assert losses(found) == losses(whole)
    assert not list((tmp_path / "killed" / "workers").glob("*.checkpoint"))

    epochs.clear()
    tune_preset("cnn-1d", clusters, tmp_path / "killed", trials=4, **OPTIONS)
    assert epochs == [], "a finished search has nothing left to do"


def made_search(folder, **changes):
    preset = find_preset("cnn-1d")
    options = dict(space=find_space(preset), base=preset.settings, fixed={}, grid=False, seed=0, repeats=1) | changes
    return _Search(preset, folder=folder, **options)


def test_processes_share_a_journal_and_take_over_from_the_dead(tmp_path):
    one, other = made_search(tmp_path), made_search(tmp_path)
    with other.opened("data"):
        with one.opened("data"):
            first, values = one.next_trial(3)
            second, different = other.next_trial(3)
            assert (first.number, second.number) == (0, 1)
            assert values != different
            assert other.next_trial(2) is None, "two are under way"
        again, same = other.next_trial(3)
        assert (again.number, same) == (2, values), "one has gone without a result"
        last, _ = other.next_trial(3)
        assert last.number == 3
        assert other.next_trial(3) is None


def test_a_grid_is_tried_whole_and_in_order(tmp_path, clusters, monkeypatch):
    grid = combinations(
        {"filters": ((5, 3), (10, 5)), "dropout": (0.0, 0.25)}, lambda c: c != {"filters": (5, 3), "dropout": 0.25}
    )
    space = SearchSpace({"filters": Choice(((5, 3), (10, 5))), "dropout": Range(0.0, 0.5)}, grid)
    monkeypatch.setitem(presets.SPACES, "cnn-1d", space)
    options = dict(settings=dict(epochs=1), device="cpu", grid=True, repeats=2)
    found = tune_preset("cnn-1d", clusters, tmp_path, **options)
    assert [(row["filters"], row["dropout"]) for row in found.trials] == [("5,3", 0.0), ("10,5", 0.0), ("10,5", 0.25)]
    assert {row["state"] for row in found.trials} == {"complete"}
    assert found.best["options"]["dropout"] == found.trials[int(np.argmin(losses(found)))]["dropout"]


def test_values_that_cannot_be_trained_end_a_trial_and_not_the_search(tmp_path, clusters, monkeypatch):
    space = SearchSpace({"version": Choice(("arxiv-v1", "nonsense"), start="arxiv-v1")},
                        combinations({"version": ("nonsense", "arxiv-v1")}))  # fmt: skip
    monkeypatch.setitem(presets.SPACES, "cnn-1d", space)
    found = tune_preset("cnn-1d", clusters, tmp_path, grid=True, settings=dict(epochs=1), device="cpu")
    assert [row["state"] for row in found.trials] == ["pruned", "complete"]
    assert "nonsense" in found.trials[0]["error"]
    assert found.best["trial"] == 1


def test_networks_on_maps_are_searched_alike(tmp_path):
    sample = maps(90, pixels=24, split=np.arange(90) % 3, is_flat=np.ones(90, bool))
    found = tune_preset("yan-stars", sample, tmp_path, trials=2, settings=dict(epochs=1), device="cpu")
    assert [row["state"] for row in found.trials] == ["complete", "complete"]
    assert np.isfinite(losses(found)).all()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_lies_in_its_search_space(name):
    """The first trial of a search is the preset as it is, so nothing of it may be missing."""
    preset = PRESETS[name]
    space = find_space(preset)
    assert set(space.of_preset(preset, preset.settings)) == set(space.parameters)


def test_bad_requests_are_named(tmp_path, clusters):
    with pytest.raises(DomainError, match="no finite grid"):
        tune_preset("cnn-3d", clusters, tmp_path, grid=True)
    with pytest.raises(DomainError, match="learning_rate"):
        tune_preset("cnn-1d", clusters, tmp_path, settings=dict(learning_rate=1e-3))
    with pytest.raises(BadInputError, match="training split"):
        tune_preset("cnn-1d", clusters.only(slice(0, 30)), tmp_path)
    with pytest.raises(BadInputError, match="must know its split"):
        tune_preset("yan-stars", maps(30), tmp_path)
    with pytest.raises(DomainError, match="bins of redshift"):
        tune_preset("deepplanck", maps(30), tmp_path)
    with pytest.raises(DomainError, match="low < high"):
        Range(2.0, 1.0)
    with pytest.raises(DomainError, match="not in the search space"):
        SearchSpace({"dropout": Range(0.0, 0.5)}, [{"dropout": 0.7}])
    with made_search(tmp_path).opened("data"):
        pass
    with pytest.raises(FileFormatError, match="another search"), made_search(tmp_path, seed=1).opened("data"):
        pass
