from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clustermass.errors import DomainError
from clustermass.evaluation.robustness import (
    RobustnessPlan,
    SubsampleTable,
    choose_rows,
    subsample_curve,
    subsample_robustness,
    summarise_subsampling,
    take_galaxies,
    velocity_error_robustness,
)
from clustermass.models.posterior import MassPosterior
from tests.evaluation.toys import PER_GALAXY, Learner, Planted, toy_clusters


@pytest.fixture
def clusters(tmp_path):
    return toy_clusters(tmp_path)


def by_richness(clusters):
    keys = zip(clusters.host_id.tolist(), clusters.view.tolist(), strict=True)
    return Planted(full_richness=dict(zip(keys, clusters.n_galaxies.tolist(), strict=True)))


def test_a_planted_dependence_on_richness_is_found(clusters):
    estimator = by_richness(clusters)
    table = subsample_robustness(estimator, clusters, estimator.predict(clusters), RobustnessPlan(share=1.0))
    assert len(table) == 2 * len(clusters)
    want = PER_GALAXY * np.log10(table.rate)
    np.testing.assert_allclose(table.draws, np.repeat(want[:, None], 10, axis=1), atol=1e-12)
    np.testing.assert_allclose(table.mean, want, atol=1e-12)
    inside = want[(table.rate >= 0.6) & (table.rate <= 0.8)]
    summary = summarise_subsampling(table)
    assert summary.n == inside.size
    assert summary.median == pytest.approx(np.median(inside), abs=1e-12)
    low, high = np.quantile(inside, [0.16, 0.84])
    assert summary.mean_width == pytest.approx(high - low, abs=1e-12)
    low, high = np.quantile(np.repeat(inside, 10), [0.16, 0.84])  # each draw for itself
    assert summary.width == pytest.approx(high - low, abs=1e-12)
    curve = subsample_curve(table, np.linspace(0, 1, 6))
    assert curve["n"].sum() == len(table)
    assert (np.diff(curve["median"][~np.isnan(curve["median"])]) > 0).all()


def test_sub_samples_are_as_large_as_published(clusters):
    estimator = by_richness(clusters)
    table = subsample_robustness(estimator, clusters, estimator.predict(clusters), RobustnessPlan(share=1.0))
    assert table.count.min() >= 3
    assert (table.count < table.richness).all()
    # floor(U (N - 3) + 3), U uniform
    drawn = (table.count - 3 + 0.5) / (table.richness - 3)
    assert drawn.mean() == pytest.approx(0.5, abs=5 * 0.29 / np.sqrt(drawn.size))


def test_mean_of_masses_not_of_logarithms():
    table = SubsampleTable(*(np.zeros(1, int) for _ in range(4)), np.array([0.7]), np.log10([[1.0, 3.0, np.nan]]))
    assert table.mean[0] == pytest.approx(np.log10(2.0))
    assert summarise_subsampling(table).n_missing == 1


def test_a_draw_depends_on_host_and_view_alone(clusters):
    estimator = Learner().fit(clusters)
    estimator.seen = set()
    plan = RobustnessPlan(share=0.4, seed=3)
    whole = subsample_robustness(estimator, clusters, estimator.predict(clusters), plan)
    part = clusters.only(np.arange(len(clusters))[::-1][:300])
    some = subsample_robustness(estimator, part, estimator.predict(part), plan)
    where = {key: k for k, key in enumerate(zip(whole.host_id, whole.view, np.arange(len(whole)) % 2, strict=True))}
    rows = [where[key] for key in zip(some.host_id, some.view, np.arange(len(some)) % 2, strict=True)]
    np.testing.assert_array_equal(some.count, whole.count[rows])
    np.testing.assert_allclose(some.draws, whole.draws[rows], atol=1e-12)
    other = subsample_robustness(estimator, clusters, estimator.predict(clusters), replace(plan, seed=4))
    assert len(other) != len(whole) or (other.draws != whole.draws).any()


def test_the_share_is_kept(clusters):
    n = choose_rows(clusters, RobustnessPlan(share=0.3)).size / len(clusters)
    assert n == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / len(clusters)))
    assert choose_rows(clusters, RobustnessPlan(share=0.0)).size == 0


def test_errors_of_velocities_add_in_quadrature(clusters):
    pure = replace(clusters, kind="pure")
    estimator = Learner().fit(pure)
    estimator.seen = set()
    plan = RobustnessPlan(share=1.0, velocity_errors=(400.0,))
    table = velocity_error_robustness(estimator, pure, estimator.predict(pure), pure.log10_m200c, plan)
    sigma = 10 ** ((estimator.predict(pure).log10_mass - estimator.offset) / 3)
    want = 1.5 * np.log10(1 + (400 / sigma) ** 2)
    assert np.mean(table.moved - want) == pytest.approx(0.0, abs=0.02)
    np.testing.assert_allclose(table.epsilon - table.moved, estimator.predict(pure).log10_mass - pure.log10_m200c)
    curve = table.curve()
    assert curve["velocity_error"].tolist() == [400.0]
    assert curve["n"].tolist() == [len(pure)]


def test_galaxies_beyond_the_cut_are_lost(clusters):
    seen = []

    class Watcher(Planted):
        def predict(self, clusters):
            seen.append(clusters)
            return super().predict(clusters)

    plan = RobustnessPlan(share=1.0, velocity_errors=(1000.0,))
    full = Planted().predict(clusters)
    velocity_error_robustness(Watcher(), clusters, full, clusters.log10_m200c, plan)
    assert np.abs(seen[0].velocity).max() < clusters.max_velocity
    assert 0.5 < seen[0].velocity.size / clusters.velocity.size < 1
    velocity_error_robustness(Watcher(), replace(clusters, kind="pure"), full, clusters.log10_m200c, plan)
    assert seen[1].velocity.size == clusters.velocity.size


def test_taking_galaxies_counts_again(clusters):
    whole = take_galaxies(clusters, np.arange(len(clusters)), clusters.offsets, np.arange(clusters.offsets[-1]))
    np.testing.assert_array_equal(whole.n_members, clusters.n_members)
    one = slice(int(clusters.offsets[4]), int(clusters.offsets[5]))
    assert whole.sigma_v[4] == pytest.approx(np.std(clusters.velocity[one].astype(float), ddof=1))
    few = take_galaxies(clusters, np.array([4, 4]), np.array([0, 1, 1]), np.array([clusters.offsets[4]]))
    assert few.n_galaxies.tolist() == [1, 0]
    assert np.isnan(few.sigma_v).all()


def test_nothing_to_sub_sample(clusters):
    nan = MassPosterior.point(np.full(len(clusters), np.nan), "M200c", flags=np.ones(len(clusters), np.uint32))
    table = subsample_robustness(Planted(), clusters, nan, RobustnessPlan(share=1.0))
    assert len(table) == 0
    summary = summarise_subsampling(table)
    assert summary.n == 0
    assert np.isnan(summary.median)
    errors = velocity_error_robustness(Planted(), clusters, nan, clusters.log10_m200c, RobustnessPlan())
    assert len(errors) == 0


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"n_draws": 0}, {"velocity_errors": (-1.0,)}, {"seed": -1}])
def test_impossible_plans(wrong):
    with pytest.raises(DomainError):
        RobustnessPlan(**wrong)
