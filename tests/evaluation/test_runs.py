from __future__ import annotations

from dataclasses import replace

import pytest

from clustermass.errors import DomainError
from clustermass.evaluation.robustness import RobustnessPlan
from clustermass.evaluation.runs import code_hash, galaxy_estimators, is_done, run_estimator, run_record
from tests.evaluation.toys import register, toy_clusters

INPUTS = [{"name": "toy.hdf5", "sha256": "0"}]


def test_who_reads_galaxies_only():
    every, classical = galaxy_estimators(), galaxy_estimators("classical.")
    assert {"m-sigma", "caustic", "sdm-1d"} <= set(every)
    assert {"m-sigma", "caustic"} <= set(classical)
    assert not {"sdm-1d", "cnn-1d"} & set(classical)
    assert not {"y-m", "l-x-m"} & set(every)  # need quantities


def test_the_key_changes_with_everything_that_matters(monkeypatch):
    register(monkeypatch)
    plan = RobustnessPlan()
    first = run_record("planted", "pure", plan, INPUTS, "code")
    again = run_record("planted", "pure", RobustnessPlan(), INPUTS, "code", command="another", commit="another")
    assert first["key"] == again["key"]
    others = [
        run_record("learner", "pure", plan, INPUTS, "code"),
        run_record("planted", "contaminated", plan, INPUTS, "code"),
        run_record("planted", "pure", replace(plan, seed=1), INPUTS, "code"),
        run_record("planted", "pure", plan, [INPUTS[0] | {"sha256": "1"}], "code"),
        run_record("planted", "pure", plan, INPUTS, "other code"),
    ]
    assert len({first["key"], *(other["key"] for other in others)}) == 6


def test_a_run_is_found_again(tmp_path, monkeypatch):
    register(monkeypatch)
    clusters, plan, path = toy_clusters(tmp_path, n_hosts=60), RobustnessPlan(), tmp_path / "p" / "planted.hdf5"
    record = run_record("planted", "contaminated", plan, INPUTS, code_hash())
    assert not is_done(path, record)
    run_estimator(path, clusters, "planted", plan, record)
    assert is_done(path, record)
    assert not is_done(path, record | {"key": "other"})
    path.write_bytes(path.read_bytes()[:2000])
    assert not is_done(path, record)


def test_estimators_of_maps_are_refused(tmp_path):
    with pytest.raises(DomainError, match="'y-m' needs more"):
        run_estimator(tmp_path / "p.hdf5", toy_clusters(tmp_path, n_hosts=9), "y-m", RobustnessPlan(), {})
