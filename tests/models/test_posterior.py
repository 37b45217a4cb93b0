"""Quantiles, intervals and PIT of each form of posterior, against the distributions that they were made from."""

import numpy as np
import pytest
from scipy import stats

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.models.posterior import FLAGS, MassPosterior

LEVELS = np.array([0.01, 0.1, 0.1587, 0.5, 0.8413, 0.95, 0.999])
MEAN, SIGMA = np.array([13.7, 14.2, 14.9]), np.array([0.1, 0.25, 0.03])


def forms():
    grid = np.linspace(13, 16, 6001)
    density = stats.norm.pdf(grid, MEAN[:, None], SIGMA[:, None])
    draws = MEAN[:, None] + SIGMA[:, None] * stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    return {
        "gaussian": (MassPosterior.from_gaussian(MEAN, SIGMA, "M200c"), 1e-12),
        "density": (MassPosterior.from_density(grid, 7 * density, "M200c"), 2e-5),
        "samples": (MassPosterior.from_samples(draws, "M200c"), 2e-3),
    }


@pytest.mark.parametrize("form", ["gaussian", "density", "samples"])
def test_quantiles_intervals_and_pit_are_those_of_the_distribution(form):
    got, tolerance = forms()[form]
    want = MEAN[:, None] + SIGMA[:, None] * stats.norm.ppf(LEVELS)
    np.testing.assert_allclose(got.quantile(LEVELS), want, atol=tolerance)
    np.testing.assert_allclose(got.log10_mass, MEAN, atol=tolerance)
    np.testing.assert_allclose(got.upper - got.lower, 2 * SIGMA, atol=2 * tolerance)
    low, high = got.interval(0.9)
    np.testing.assert_allclose(high - low, 2 * 1.6448536 * SIGMA, atol=2 * tolerance + 1e-7)
    truth = MEAN + np.array([-1.3, 0.0, 2.1]) * SIGMA
    np.testing.assert_allclose(got.cdf(truth), stats.norm.cdf([-1.3, 0.0, 2.1]), atol=3e-4)
    assert not got.flags.any()


@pytest.mark.parametrize("form", ["gaussian", "density", "samples"])
def test_pit_undoes_quantile(form):
    got, _ = forms()[form]
    for level in (0.03, 0.5, 0.77):
        np.testing.assert_allclose(got.cdf(got.quantile(level)[:, 0]), level, atol=1e-4)


def test_two_sided_widths():
    got = MassPosterior.from_gaussian([14.0], [[0.1], [0.3]], "M500c")
    np.testing.assert_allclose(got.quantile([0.15865525, 0.5, 0.84134475]), [[13.9, 14.0, 14.3]], atol=1e-7)
    np.testing.assert_allclose(got.cdf([14.3]), 0.84134475, atol=1e-7)


def test_density_cut_by_the_grid_is_flagged():
    grid = np.linspace(14, 15, 101)
    got = MassPosterior.from_density(grid, np.stack([np.exp(-5 * (grid - 14)), np.sin(np.pi * (grid - 14))]), "M200c")
    assert got.flagged("at_prior_edge").tolist() == [True, False]


def test_rows_without_an_estimate_need_a_reason():
    flags = [0, FLAGS["too_few_galaxies"]]
    got = MassPosterior.from_gaussian([14.0, np.nan], [0.1, np.nan], "M200c", flags=flags)
    assert got.flagged().tolist() == [False, True]
    assert got.flagged("no_interval").tolist() == [False, True]
    assert np.isnan(got.quantile([0.5])[1]).all()
    assert np.isnan(got.cdf([14.0, 14.0])[1])
    with pytest.raises(BadInputError, match="row 1"):
        MassPosterior.from_gaussian([14.0, np.nan], 0.1, "M200c")
    grid = np.linspace(13, 15, 11)
    with pytest.raises(BadInputError, match="row 0"):
        MassPosterior.from_density(grid, np.zeros((1, 11)), "M200c")
    empty = MassPosterior.from_density(grid, np.zeros((1, 11)), "M200c", flags=[FLAGS["missing_input"]])
    assert np.isnan(empty.quantile([0.2, 0.8])).all()


def test_points_have_no_interval():
    got = MassPosterior.point([14.0, 14.5], "M200c")
    assert got.flagged("no_interval").all()
    assert not got.flagged().any()
    assert np.isnan(got.interval()[0]).all()
    assert np.isnan(got.cdf([14.1, 14.5])).all()


@pytest.mark.parametrize("form", ["gaussian", "density", "samples"])
def test_only_keeps_rows(form):
    whole = forms()[form][0]
    part = whole.only(np.array([2, 0]))
    np.testing.assert_array_equal(part.quantile(LEVELS), whole.quantile(LEVELS)[[2, 0]])
    assert len(whole.only(slice(0, 0))) == 0


def test_bad_input_is_named():
    with pytest.raises(DomainError, match="mass_definition"):
        MassPosterior.point([14.0], "M180b")
    with pytest.raises(DomainError, match="sigma"):
        MassPosterior.from_gaussian([14.0], -0.1, "M200c")
    with pytest.raises(BadInputError, match="rise"):
        MassPosterior.from_density([14.0, 14.0], [[1.0, 1.0]], "M200c")
    with pytest.raises(BadInputError, match="negative"):
        MassPosterior.from_density([14.0, 15.0], [[1.0, -1.0]], "M200c")
    with pytest.raises(BadInputError, match="in part"):
        MassPosterior.from_samples([[14.0, np.nan]], "M200c")
    with pytest.raises(ArrayError, match="flags"):
        MassPosterior.point([14.0], "M200c", flags=[1, 2])
    with pytest.raises(DomainError, match="levels"):
        MassPosterior.from_gaussian([14.0], 0.1, "M200c").quantile(1.0)
