"""The table of interloping clusters: from a universe and its observations to a planted bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clustermass.cli.main import run
from clustermass.data.clusters_file import read_clusters
from clustermass.data.provenance import hash_files
from clustermass.data.universe_file import write_universe
from clustermass.errors import BadInputError, DomainError
from clustermass.evaluation import find_interloping_clusters
from clustermass.evaluation.predictions import Predictions
from clustermass.report.interlopers import interloper_rows, look_around
from tests.clusters import block, write_clusters
from tests.report.test_diagnostics import made_up
from tests.universes import make_universe

N_HOSTS, SHIFT = 250, 0.3


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A crowded universe, and three views of each of its haloes."""
    folder = tmp_path_factory.mktemp("around")
    universe = make_universe(N_HOSTS, per_halo=0, n_field=5, box_size=100.0)
    write_universe(folder / "u.hdf5", universe)
    rows, sizes, galaxies = block(np.random.default_rng(1), np.full(3 * N_HOSTS, 4))
    hosts = np.repeat(np.arange(N_HOSTS), 3)
    rows |= {"host_id": universe.haloes.ids[hosts], "log10_m200c": np.log10(universe.haloes.m200c[hosts])}
    write_clusters(folder / "c.hdf5", [(rows, sizes, galaxies)])
    return folder / "u.hdf5", folder / "c.hdf5", universe


def planted(path, affected, **changes):
    """Predictions that are too large by SHIFT where a more massive cluster interlopes."""
    seen = read_clusters(path)
    n, rng = len(seen), np.random.default_rng(2)
    true = 14.5 + 0.001 * rng.random(n)
    estimate = true + 0.1 * rng.standard_normal(n) + SHIFT * affected
    columns = dict(host_id=seen.host_id, view=seen.view, fold=seen.fold, log10_m200c=true, log10_true=true,
                   richness=seen.n_galaxies, redshift=np.full(n, 0.1), purity=np.ones(n), log10_mass=estimate,
                   lower=estimate - 0.1, upper=estimate + 0.1, pit=np.full(n, 0.5), tarp=np.full(n, 0.5),
                   flags=np.zeros(n, np.uint32), is_test=np.ones(n, bool), is_flat=np.ones(n, bool))  # fmt: skip
    record = {"inputs": hash_files([str(path)])} | changes
    table = Predictions("planted", "contaminated", "M200c", 0.7, **columns, record=record)
    return replace(made_up(), predictions=table.only(rng.permutation(n)))


def test_a_planted_shift_is_found(files):
    universe, clusters, box = files
    around = look_around(universe, clusters)
    seen = read_clusters(clusters)
    direct = find_interloping_clusters(
        seen.host_id, seen.line_of_sight, box.haloes, box_size=100.0, redshift=0.1, cosmology=box.cosmology,
        max_radius=2.3, max_velocity=2200.0,
    )  # fmt: skip
    affected = direct.count > 0
    assert around.found.distance.tolist() == direct.distance.tolist()
    assert 30 < affected.sum() < 600
    (row,) = interloper_rows([planted(clusters, affected)], around, n_bootstrap=200)
    assert (row["n"], row["n_affected"]) == (3 * N_HOSTS, affected.sum())
    assert abs(row["shift_dex"] - SHIFT) < 4 * row["shift_error"]
    assert row["shift_p"] < 1e-6
    assert abs(row["without_bias_dex"]) < 0.02
    assert row["affected_bias_dex"] == pytest.approx(SHIFT, abs=0.06)
    assert min(row["per_dex_of_mass_ratio_p"], row["per_inverse_distance_p"]) > 1e-3  # nothing planted there
    pure = planted(clusters, affected)
    assert interloper_rows([replace(pure, predictions=replace(pure.predictions, kind="pure"))], around) == []


def test_few_affected_clusters_are_counted_and_not_fitted(files):
    universe, clusters, _ = files
    around = look_around(universe, clusters)
    none = replace(around, found=replace(around.found, mass_ratio=around.found.mass_ratio * 0,
                                         count=around.found.count * 0))  # fmt: skip
    assert interloper_rows([planted(clusters, 0)], none) == [
        {"estimator": "planted", "n": 3 * N_HOSTS, "n_affected": 0}
    ]


def test_files_that_do_not_belong_together_are_refused(files, tmp_path):
    universe, clusters, box = files
    other = tmp_path / "other.hdf5"
    write_universe(other, replace(box, haloes=replace(box.haloes, m200c=box.haloes.m200c * 1.01)))
    with pytest.raises(BadInputError, match="masses of haloes differ"):
        look_around(other, clusters)
    with pytest.raises(BadInputError, match="was made from another file of observations"):
        interloper_rows([planted(clusters, 0, inputs=[{"sha256": "0"}])], look_around(universe, clusters))
    rows, sizes, galaxies = block(np.random.default_rng(1), np.full(6, 4))
    rows |= {"host_id": box.haloes.ids[[0, 0, 0, 1, 1, 1]], "observer_distance": 400.0 + np.arange(6)}
    write_clusters(tmp_path / "survey.hdf5", [(rows, sizes, galaxies)])
    with pytest.raises(DomainError, match="is a survey"):
        look_around(universe, tmp_path / "survey.hdf5")


def test_one_file_alone_is_refused(files, capsys):
    assert run(["report", "nowhere", "--universe", str(files[0])]) == 2
    assert "--universe and --clusters belong together" in capsys.readouterr().err
