"""Another prior for a posterior, against the products of Gaussians and exponentials that it must give."""

import numpy as np
import pytest
from scipy import stats

from clustermass.errors import BadInputError
from clustermass.models.posterior import FLAGS, MassPosterior
from clustermass.models.prior import FLOOR, MassPrior

GRID = np.linspace(12.0, 17.0, 4001)
MEAN, SIGMA = np.array([13.9, 14.3, 14.8]), np.array([0.1, 0.25, 0.05])
TRAINING = MassPrior(GRID, stats.norm.pdf(GRID, 14.2, 0.5))


def forms():
    """The likelihoods N(MEAN, SIGMA) times the training prior, in each form of a posterior."""
    variance = 1 / (SIGMA**-2 + 0.5**-2)
    mean, width = variance * (MEAN / SIGMA**2 + 14.2 / 0.5**2), np.sqrt(variance)
    density = stats.norm.pdf(GRID, mean[:, None], width[:, None])
    draws = mean[:, None] + width[:, None] * stats.norm.ppf((np.arange(40_000) + 0.5) / 40_000)
    return {
        "gaussian": (MassPosterior.from_gaussian(mean, width, "M200c"), 1e-4),
        "density": (
            MassPosterior.from_density(GRID, density, "M200c"),
            1e-4,
        ),
        "samples": (MassPosterior.from_samples(draws, "M200c"), 2e-3),
    }


@pytest.mark.parametrize("form", ["gaussian", "density", "samples"])
def test_dividing_by_the_training_prior_gives_the_likelihood_back(form):
    posterior, tolerance = forms()[form]
    flat = posterior.reweighted(TRAINING)
    assert np.abs(posterior.log10_mass - MEAN).max() > 0.01, "else the prior has done nothing"
    np.testing.assert_allclose(flat.log10_mass, MEAN, atol=tolerance)
    np.testing.assert_allclose(flat.upper - flat.lower, 2 * SIGMA, atol=2 * tolerance)
    np.testing.assert_allclose(flat.cdf(MEAN + SIGMA), stats.norm.cdf(1), atol=5 * tolerance)
    assert not flat.flagged().any()


@pytest.mark.parametrize("form", ["gaussian", "density", "samples"])
def test_a_mass_function_in_its_place_moves_the_mean_by_slope_times_variance(form):
    """N(m, s) exp(-a x) is N(m - a s^2, s)."""
    posterior, tolerance = forms()[form]
    steep = posterior.reweighted(TRAINING, MassPrior(GRID, np.exp(-6 * (GRID - 12))))
    np.testing.assert_allclose(steep.log10_mass, MEAN - 6 * SIGMA**2, atol=3 * tolerance)
    back = posterior.reweighted(TRAINING, TRAINING)
    np.testing.assert_allclose(back.log10_mass, posterior.log10_mass, atol=tolerance)


def test_where_training_had_nothing_nothing_is_known():
    narrow = MassPrior([13.5, 13.6, 14.5, 14.6], [0.0, 1.0, 1.0, 0.0])
    low, high = narrow.support
    assert (low, high) == (13.6, 14.5), f"below {FLOOR} of the largest at both ends"
    posterior = MassPosterior.from_gaussian([14.0, 14.5, 16.5], [0.1, 0.2, 0.01], "M500c", flags=[0, 8, 0])
    got = posterior.reweighted(narrow)
    assert got.mass_definition == "M500c"
    assert got.quantile([0.9999])[:2].max() <= 14.5
    assert np.isnan(got.log10_mass[2])
    assert got.flagged("out_of_support").tolist() == [False, False, True]
    assert got.flagged("not_converged").tolist() == [False, True, False]


def test_points_and_missing_rows_stay_as_they_are():
    got = MassPosterior.point([14.1, np.nan], "M200c", flags=[0, 1]).reweighted(TRAINING)
    np.testing.assert_array_equal(got.log10_mass, [14.1, np.nan])
    assert got.flags.tolist() == [FLAGS["no_interval"], FLAGS["no_interval"] + 1]
    draws = MassPosterior.from_samples([[14.0, 14.2], [np.nan, np.nan]], "M200c", flags=[0, 1]).reweighted(TRAINING)
    assert np.isnan(draws.log10_mass).tolist() == [False, True]
    assert len(got.only([])) == len(got.only([]).reweighted(TRAINING)) == 0


def test_the_prior_of_masses_is_their_kernel_density():
    masses = np.random.default_rng(1).normal(14.3, 0.4, 2000)
    prior = MassPrior.of_masses(masses)
    theirs = stats.gaussian_kde(masses, 0.3)
    at = np.linspace(13, 15.5, 50)
    np.testing.assert_allclose(prior.at(at), theirs(at), atol=2e-3)
    assert abs(np.trapezoid(prior.density, prior.grid) - 1) < 1e-6


@pytest.mark.parametrize("masses", [[14.0], [14.0, 14.0], [14.0, np.nan]])
def test_masses_without_a_density_are_refused(masses):
    with pytest.raises(BadInputError, match="log10_mass"):
        MassPrior.of_masses(masses)


@pytest.mark.parametrize(
    ("grid", "density"), [([1, 1], [1, 1]), ([1, 2], [-1, 1]), ([1, 2], [0, 0]), ([1, 2], [np.nan, 1])]
)
def test_densities_that_are_none_are_refused(grid, density):
    with pytest.raises(BadInputError, match="grid|density"):
        MassPrior(grid, density)
