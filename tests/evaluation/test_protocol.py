from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from clustermass.errors import BadInputError, DomainError, FileFormatError
from clustermass.evaluation.predictions import COLUMNS, join_predictions, read_predictions, write_predictions
from clustermass.evaluation.protocol import cross_validate, evaluate_estimator, iter_folds
from clustermass.evaluation.residuals import summarise_residuals
from clustermass.models.posterior import MassPosterior
from tests.evaluation.toys import BIAS, SCATTER, Learner, Planted, toy_clusters


@pytest.fixture
def clusters(tmp_path):
    return toy_clusters(tmp_path)


def test_planted_bias_and_scatter_are_found(clusters):
    found = cross_validate(Planted, clusters)
    assert len(found) == (clusters.is_test | clusters.is_flat).sum()
    quoted = found.only(found.is_quoted)
    assert quoted.log10_m200c_h.min() > 14
    assert quoted.log10_m200c_h.max() < 15
    summary = summarise_residuals(quoted.epsilon, n_bootstrap=0)
    assert summary.mean == pytest.approx(BIAS, abs=5 * SCATTER / np.sqrt(len(quoted)))
    assert summary.sigma == pytest.approx(SCATTER, abs=5 * SCATTER / np.sqrt(2 * len(quoted)))
    assert np.mean(found.pit < 0.5) == pytest.approx(0.73, abs=0.1)  # truth lies BIAS / SCATTER = 0.6 sigma low


def test_rows_are_those_of_the_catalogue(clusters):
    found = cross_validate(Planted, clusters)
    where = {key: k for k, key in enumerate(zip(clusters.host_id.tolist(), clusters.view.tolist(), strict=True))}
    rows = [where[key] for key in zip(found.host_id.tolist(), found.view.tolist(), strict=True)]
    assert sorted(rows) == np.flatnonzero(clusters.is_test | clusters.is_flat).tolist()
    np.testing.assert_array_equal(found.log10_true, clusters.log10_m200c[rows])
    np.testing.assert_array_equal(found.richness, clusters.n_galaxies[rows])
    np.testing.assert_array_equal(found.fold, clusters.fold[rows])
    np.testing.assert_allclose(found.purity, clusters.n_members[rows] / clusters.n_galaxies[rows])


def test_no_host_is_on_both_sides(clusters):
    found = cross_validate(Learner, clusters)
    results = list(iter_folds(Learner, clusters))
    assert len({id(result.estimator) for result in results}) == 10  # Learner refuses hosts that it has seen
    assert len(found) == (clusters.is_test | clusters.is_flat).sum()
    sizes = [result.n_train for result in results]
    assert sizes == [int((clusters.is_flat & (clusters.fold != k)).sum()) for k in range(10)]
    assert abs(np.median(found.epsilon)) < 0.05


def test_a_leak_is_refused(clusters):
    leaky = replace(clusters, fold=clusters.view.copy())  # views of a host in several folds
    with pytest.raises(BadInputError, match="trains and tests"):
        cross_validate(Learner, leaky)


def test_folds_can_be_chosen(clusters):
    some = cross_validate(Learner, clusters, folds=[3, 4])
    assert set(some.fold.tolist()) == {3, 4}
    every = cross_validate(Learner, clusters)
    np.testing.assert_array_equal(some.log10_mass, every.log10_mass[np.isin(every.fold, [3, 4])])


def test_what_cannot_be_evaluated(clusters):
    class NeedsMaps(Planted):
        inputs = ("maps",)

    with pytest.raises(DomainError, match="needs maps"):
        cross_validate(NeedsMaps, clusters)
    with pytest.raises(BadInputError, match="test selection"):
        cross_validate(Planted, replace(clusters, is_test=np.zeros(len(clusters), bool)))
    with pytest.raises(BadInputError, match="no rows to train"):
        cross_validate(Learner, replace(clusters, is_flat=np.zeros(len(clusters), bool)))


def test_m500c_is_compared_with_m500c(clusters):
    class Small(Planted):
        mass_definition = "M500c"

        def predict(self, clusters):
            return MassPosterior.point(clusters.log10_m200c - 0.15, "M500c")

    found = cross_validate(Small, clusters)
    assert found.mass_definition == "M500c"
    assert 0.1 < np.median(found.log10_m200c - found.log10_true) < 0.22  # M500c is about 0.7 of M200c
    assert np.abs(found.epsilon).max() < 0.06


def test_missing_estimates_are_kept_and_flagged(clusters):
    class Shy(Planted):
        def predict(self, clusters):
            few = clusters.n_galaxies < 20
            mass = np.where(few, np.nan, clusters.log10_m200c)
            return MassPosterior.point(mass, "M200c", flags=few.astype(np.uint32))

    found = cross_validate(Shy, clusters)
    assert len(found) == (clusters.is_test | clusters.is_flat).sum()
    np.testing.assert_array_equal(np.isnan(found.log10_mass), found.richness < 20)
    assert not found.is_quoted[found.richness < 20].any()


def test_the_file_comes_back(tmp_path, clusters):
    found = evaluate_estimator(Learner, clusters)
    path = tmp_path / "p.hdf5"
    table = replace(found.predictions, record={"key": "abc"})
    write_predictions(path, table, extra={"subsamples": found.subsamples.columns()})
    back, extra = read_predictions(path)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
        assert getattr(back, name).dtype == COLUMNS[name][0]
    assert (back.estimator, back.kind, back.mass_definition, back.h) == ("learner", "contaminated", "M200c", 0.7)
    assert back.record == {"key": "abc"}
    np.testing.assert_array_equal(extra["subsamples"]["draws"], found.subsamples.draws)


def test_a_damaged_file_is_refused(tmp_path, clusters):
    path = tmp_path / "p.hdf5"
    write_predictions(path, cross_validate(Planted, clusters))
    for change, message in (
        (lambda f: f.attrs.__setitem__("complete", 0), "not complete"),
        (lambda f: f.__delitem__("predictions/pit"), "lacks predictions/pit"),
        (lambda f: f["predictions/log10_mass"].__setitem__(3, np.nan), "flag"),
        (lambda f: f.attrs.__delitem__("h"), "attribute h"),
        (lambda f: f.__setitem__("outside", h5py.ExternalLink("other.hdf5", "/")), "group of columns"),
    ):
        broken = tmp_path / "broken.hdf5"
        broken.write_bytes(path.read_bytes())
        with h5py.File(broken, "r+") as file:
            change(file)
        with pytest.raises(FileFormatError, match=message):
            read_predictions(broken)
    with pytest.raises(FileNotFoundError):
        read_predictions(tmp_path / "none.hdf5")


def test_joining_puts_rows_in_order(clusters):
    found = cross_validate(Planted, clusters)
    half = len(found) // 2
    joined = join_predictions([found.only(slice(half, None)), found.only(slice(0, half))])
    np.testing.assert_array_equal(joined.log10_mass, found.log10_mass)
