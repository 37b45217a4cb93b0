"""Calibration: planted errors of width and place are found, good posteriors pass, and the gate has a known size."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.evaluation import (
    central_coverage,
    check_calibration,
    expected_coverage,
    holm,
    pit_values,
    ranks_to_pit,
    sbc_ranks,
    tarp_distance,
    tarp_from_samples,
    tarp_values,
    uniformity,
)
from clustermass.evaluation.calibration import kolmogorov_tail
from clustermass.models.posterior import FLAGS, MassPosterior
from tests import tolerances

N = 2000
SIGMA = 0.15
# the normal distribution function, tabulated: quick, and good to 1e-7
SCORES = np.linspace(-9, 9, 40_001)
NORMAL = np.array([NormalDist().cdf(x) for x in SCORES])


class Gaussians:
    """Posteriors of clusters whose truth scatters by SIGMA: `width` times too wide and off by `shift`."""

    def __init__(self, random, n=N, width=1.0, shift=0.0):
        self.mean = random.uniform(14, 15, n)
        self.truth = self.mean + SIGMA * random.standard_normal(n)
        self.sigma = width * SIGMA
        self.shift = shift

    def cdf(self, at):
        return np.interp((at - self.mean - self.shift) / self.sigma, SCORES, NORMAL)


def verdict_of(random, seed=0, **planted):
    made = Gaussians(random, **planted)
    pit, tarp = pit_values(made, made.truth), tarp_values(made, made.truth, seed=seed)
    richness = random.poisson(60, made.mean.size)
    return check_calibration(pit, tarp=tarp, log10_pred=made.mean, richness=richness)


def share_caught(random, n_tests, **planted):
    return np.mean([verdict_of(random, seed=k, **planted).verdict != "calibrated" for k in range(n_tests)])


def test_the_gate_rarely_fails_a_calibrated_estimator(rng):
    """2 % promised; 1.6 % over 20,000 tests. Of 600 tests, 21 false alarms or more have a chance of 1e-3."""
    assert share_caught(rng, 600) <= 0.035


@pytest.mark.parametrize("planted", [{"width": 0.9}, {"width": 1 / 1.1}, {"shift": 0.2 * SIGMA}])
def test_the_gate_catches_what_is_wrong(rng, planted):
    """95 % promised; 96.8 % or more over 2,000 tests. At 95 %, 131 of 150 or fewer have a chance of 1e-3."""
    assert share_caught(rng, 150, **planted) > 131 / 150


def test_a_report_says_what_is_wrong(rng):
    good, narrow, shifted = verdict_of(rng), verdict_of(rng, width=0.8), verdict_of(rng, shift=0.06)
    assert good.failures == ()
    assert any(text.startswith("the 68.3 % interval holds 5") for text in narrow.failures)
    assert any(text.startswith("PIT values are not uniform, p = ") for text in shifted.failures)
    assert any("for mass 14" in text for text in shifted.failures)
    assert len(good.bins) == 8
    assert sum(one.n for one in good.bins if one.by == "mass") == N
    assert set(good.as_dict()) >= {"verdict", "coverage_68", "pit_p_value", "tarp", "smallest_bin_p_value"}


def test_a_bias_of_one_range_of_mass_is_found_in_its_bin(rng):
    made = Gaussians(rng)
    made.shift = np.where(made.mean < 14.2, 0.08, 0.0)
    report = check_calibration(pit_values(made, made.truth), log10_pred=made.mean)
    assert [one.adjusted < 1e-3 for one in report.bins] == [True, False, False, False, False]


def test_bins_of_true_mass_would_fail_a_perfect_estimator(rng):
    """Why `log10_pred` is what is binned: a perfect posterior, prior and likelihood both Gaussian."""
    truth = 14.5 + 0.3 * rng.standard_normal(N)
    seen = truth + 0.2 * rng.standard_normal(N)
    share = 0.3**2 / (0.3**2 + 0.2**2)
    mean = 14.5 + share * (seen - 14.5)
    posterior = MassPosterior.from_gaussian(mean, 0.2 * np.sqrt(share), "M200c")
    pit, tarp = pit_values(posterior, truth), tarp_values(posterior, truth)
    assert check_calibration(pit, tarp=tarp, log10_pred=mean).verdict == "calibrated"
    assert check_calibration(pit, tarp=tarp, log10_pred=truth).verdict == "miscalibrated"


def test_views_of_a_host_count_once(rng):
    made = Gaussians(rng)
    pit, tarp = pit_values(made, made.truth), tarp_values(made, made.truth)
    alone = check_calibration(pit, tarp=tarp, log10_pred=made.mean)
    views = {"tarp": np.repeat(tarp, 5), "log10_pred": np.repeat(made.mean, 5), "groups": np.repeat(np.arange(N), 5)}
    report = check_calibration(np.repeat(pit, 5), **views)
    assert (report.n, report.n_hosts) == (5 * N, N)
    assert report.n_effective == pytest.approx(N)
    assert report.verdict == "calibrated"
    assert (report.pit_p_value, report.tarp) == pytest.approx((alone.pit_p_value, alone.tarp))
    assert report.coverage.error == pytest.approx(alone.coverage.error)
    assert [one.p_value for one in report.bins] == pytest.approx([one.p_value for one in alone.bins])
    assert uniformity(np.repeat(pit, 5))[1] < 0.01  # what counting each view would have said


@pytest.mark.parametrize(("width", "least", "most"), [(1.0, 0.0, 0.04), (0.8, 0.9, 1.0)])
def test_the_gate_for_views_that_have_something_in_common(rng, width, least, most):
    """Hosts with 1 to 5 views that share half of their variance; 15 false alarms of 300 have a chance of 1e-3."""
    caught = 0
    for k in range(300 if width == 1.0 else 60):
        hosts = np.repeat(np.arange(800), rng.integers(1, 6, 800))
        made = Gaussians(rng, n=hosts.size, width=width)
        common = rng.standard_normal(800)[hosts] * np.sqrt(0.5)
        made.truth = made.mean + SIGMA * (common + np.sqrt(0.5) * rng.standard_normal(hosts.size))
        pit, tarp = pit_values(made, made.truth), tarp_values(made, made.truth, seed=k)
        report = check_calibration(pit, tarp=tarp, log10_pred=made.mean, groups=hosts)
        assert report.n_effective < 0.8 * hosts.size
        caught += bool(report.failures)
    assert least <= caught / (300 if width == 1.0 else 60) <= most


def test_too_few_rows_are_not_called_calibrated(rng):
    made = Gaussians(rng, n=1500)
    pit, tarp = pit_values(made, made.truth), tarp_values(made, made.truth)
    assert check_calibration(pit, tarp=tarp).verdict == "too few rows"
    assert verdict_of(rng, n=1500, width=0.7).verdict == "miscalibrated"
    made = Gaussians(rng)
    assert check_calibration(pit_values(made, made.truth)).verdict == "too few rows"  # no TARP values


def test_nan_is_refused():
    missing = MassPosterior.from_gaussian([14.0, np.nan], 0.1, "M200c", flags=[0, FLAGS["too_few_galaxies"]])
    for values_of in (pit_values, tarp_values):
        with pytest.raises(BadInputError, match=r"NaN in 1 of 2 rows, first at index 1"):
            values_of(missing, [14.0, 14.2])
    with pytest.raises(BadInputError, match="NaN in 1 of 1 rows"):
        pit_values(MassPosterior.point([14.0], "M200c"), [14.1])
    for argument in ("pit", "tarp", "log10_pred", "richness"):
        values = {"pit": np.full(10, 0.5), argument: np.where(np.arange(10) == 3, np.nan, 0.5)}
        with pytest.raises(BadInputError, match=rf"`{argument}` must be finite, .* first at index 3"):
            check_calibration(values.pop("pit"), **values)


def test_values_outside_their_range_are_refused():
    with pytest.raises(BadInputError, match=r"`pit` must lie between 0 and 1, got 1.2 at index 1"):
        central_coverage([0.1, 1.2])
    with pytest.raises(DomainError, match="`levels` must lie between 0 and 1"):
        central_coverage([0.1], [1.0])
    with pytest.raises(ArrayError, match="`posterior` must have one row a true mass"):
        pit_values(type("Odd", (), {"cdf": lambda self, at: np.zeros(3)})(), [14.0])
    for test in (uniformity, tarp_distance, central_coverage):
        with pytest.raises(DomainError, match="at least one value"):
            test([])
    with pytest.raises(BadInputError, match="at least one value"):
        check_calibration([])


def test_coverage_is_that_of_the_widths(rng):
    """Intervals 0.8 times as wide as they should be hold 2 Phi(0.8 z) - 1."""
    made = Gaussians(rng, n=20_000, width=0.8)
    levels = np.array([0.5, 0.6827, 0.95])
    table = central_coverage(pit_values(made, made.truth), levels)
    scores = [NormalDist().inv_cdf(0.5 + 0.5 * level) for level in levels]
    want = np.array([2 * NormalDist().cdf(0.8 * z) - 1 for z in scores])
    assert (np.abs(table.coverage - want) < 4 * np.sqrt(want * (1 - want) / 20_000)).all()
    assert (table.deviation < -10).all()
    assert table.error[1] == pytest.approx(np.sqrt(0.6827 * 0.3173 / 20_000))
    assert table.rows()[1]["level"] == 0.6827


@pytest.mark.parametrize("n", [20, 200, 2000])
def test_kolmogorov_tail_against_scipy(n):
    kstwo = pytest.importorskip("scipy.stats").kstwo
    for p_value in (0.5, 0.1, 0.01, 1e-3, 1e-4):
        distance = kstwo.isf(p_value, n)
        assert abs(kolmogorov_tail(distance, n) - p_value) < tolerances.KOLMOGOROV
        assert 0.9 < kolmogorov_tail(distance, n) / p_value < 1.4


def test_uniformity_against_scipy(rng):
    kstest = pytest.importorskip("scipy.stats").kstest
    for values in (rng.random(500), rng.random(500) ** 1.2):
        distance, p_value = uniformity(values)
        want = kstest(values, "uniform")
        assert distance == pytest.approx(want.statistic, abs=1e-12)
        assert abs(p_value - want.pvalue) < tolerances.KOLMOGOROV
    assert uniformity(np.linspace(0.001, 0.999, 500))[1] == 1.0


def test_ranks_of_a_calibrated_posterior_are_uniform(rng):
    made = Gaussians(rng)
    for width, passes in ((1.0, True), (0.7, False)):
        draws = made.mean[:, None] + width * SIGMA * rng.standard_normal((N, 99))
        ranks = sbc_ranks(draws, made.truth)
        assert ranks.min() >= 0
        assert ranks.max() <= 99
        assert (uniformity(ranks_to_pit(ranks, 99))[1] > 0.01) == passes
    with pytest.raises(DomainError, match="`ranks` must lie between 0 and 9"):
        ranks_to_pit([10], 9)
    with pytest.raises(BadInputError, match="`samples` must be finite"):
        sbc_ranks([[np.nan, 1.0]], [14.0])


def test_tarp_of_draws_is_that_of_the_distribution(rng):
    made = Gaussians(rng, width=0.6)
    draws = made.mean[:, None] + 0.6 * SIGMA * rng.standard_normal((N, 400))
    exact, drawn = tarp_values(made, made.truth), tarp_from_samples(draws, made.truth)
    levels = np.linspace(0, 1, 21)
    gap = expected_coverage(exact, levels) - expected_coverage(drawn, levels)
    assert np.abs(gap).max() < 3 * 0.5 * np.sqrt(2 / N)  # other random masses
    assert tarp_distance(exact) > 0.06
    assert tarp_distance(tarp_values(Gaussians(rng), made.truth * 0 + 14.5)) > 0.06


def test_tarp_finds_what_one_dimension_at_a_time_hides(rng):
    """Draws that ignore a correlation are uniform in each dimension, and not in two."""
    covariance = np.array([[1.0, 0.95], [0.95, 1.0]]) * 0.3**2
    mean = rng.standard_normal((N, 2))
    truth = mean + rng.multivariate_normal([0, 0], covariance, N)
    right = mean[:, None] + rng.multivariate_normal([0, 0], covariance, (N, 150))
    wrong = mean[:, None] + 0.3 * rng.standard_normal((N, 150, 2))
    assert uniformity(ranks_to_pit(sbc_ranks(wrong[:, :, 0], truth[:, 0]), 150))[1] > 0.01
    assert tarp_distance(tarp_from_samples(right, truth)) < 0.04
    assert tarp_distance(tarp_from_samples(wrong, truth)) > 0.04


def test_tarp_of_samples_does_not_depend_on_blocks(rng, monkeypatch):
    samples, truth = rng.standard_normal((50, 20, 3)), rng.standard_normal((50, 3))
    whole = tarp_from_samples(samples, truth)
    monkeypatch.setattr("clustermass.evaluation.tarp._BLOCK", 100)
    assert (tarp_from_samples(samples, truth) == whole).all()


def test_bad_samples_are_named():
    with pytest.raises(ArrayError, match=r"`truth` must have shape \(2, 1\)"):
        tarp_from_samples(np.zeros((2, 5)), [1.0])
    with pytest.raises(DomainError, match="`truth` must vary in each dimension"):
        tarp_from_samples(np.zeros((2, 5)), [1.0, 1.0])
    with pytest.raises(BadInputError, match="`samples` must be finite"):
        tarp_from_samples([[np.nan], [1.0]], [1.0, 2.0])


def test_holm_keeps_the_chance_of_any_false_alarm(rng):
    assert np.allclose(holm([0.02, 0.001, 0.5]), [0.04, 0.003, 0.5])
    assert holm([]).size == 0
    alarms = np.mean([(holm(rng.random(8)) < 0.05).any() for _ in range(4000)])
    assert 0.03 < alarms < 0.065
