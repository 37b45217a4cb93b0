"""The joint-density posterior on an analytic case, and its edges."""

import numpy as np
import pytest
from scipy import stats

from clustermass.errors import BadInputError, NotFittedError
from clustermass.models.joint_density import JointDensityPosterior

MEAN, SIGMA, NOISE = 14.3, 0.3, 0.2


@pytest.fixture(scope="module")
def joint():
    """Masses normal, estimates with normal errors: the posterior is normal too."""
    random = np.random.default_rng(4)
    truth = MEAN + SIGMA * random.standard_normal(20_000)
    return JointDensityPosterior().fit(truth + NOISE * random.standard_normal(truth.size), truth)


def test_a_slice_is_the_analytic_posterior(joint):
    estimate = np.array([14.0, 14.3, 14.6])
    got = joint.posterior(estimate, "M200c")
    weight = SIGMA**2 / (SIGMA**2 + NOISE**2)
    mean = MEAN + weight * (estimate - MEAN)
    width = SIGMA * NOISE / np.hypot(SIGMA, NOISE)
    # a kernel of 0.2 of the covariance widens each conditional width by sqrt(1 + 0.2^2)
    np.testing.assert_allclose(got.quantile(0.5)[:, 0], mean, atol=0.012)
    np.testing.assert_allclose((got.upper - got.lower) / 2, width * np.hypot(1, 0.2), rtol=0.04)
    np.testing.assert_allclose(got.cdf(mean + width), stats.norm.cdf(1 / np.hypot(1, 0.2)), atol=0.02)
    np.testing.assert_array_equal(got.log10_mass, estimate)


def test_posteriors_are_calibrated_on_new_clusters(joint):
    random = np.random.default_rng(5)
    truth = MEAN + SIGMA * random.standard_normal(4000)
    got = joint.posterior(truth + NOISE * random.standard_normal(truth.size), "M200c")
    pit = got.cdf(truth)[~got.flagged("out_of_support")]
    assert abs((np.abs(pit - 0.5) < 0.3413).mean() - 0.683) < 0.03
    assert stats.kstest(pit, "uniform").statistic < 0.03


def test_estimates_where_no_cluster_was_are_flagged(joint):
    got = joint.posterior([14.3, 19.0, -3.0, np.nan], "M200c")
    assert got.flagged("out_of_support").tolist() == [False, True, True, False]
    assert got.flagged("missing_input").tolist() == [False, False, False, True]
    assert np.isnan(got.lower[1:]).all()


def test_it_comes_back_from_its_state(joint):
    again = JointDensityPosterior.from_state(*joint.state())
    np.testing.assert_array_equal(again.posterior([14.1], "M200c").density, joint.posterior([14.1], "M200c").density)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match="at least 10"):
        JointDensityPosterior().fit([14.0] * 5, [14.0] * 5)
    with pytest.raises(BadInputError, match="truth"):
        JointDensityPosterior().fit([14.0] * 12, [np.nan] * 12)
    with pytest.raises(NotFittedError):
        JointDensityPosterior().posterior([14.0], "M200c")
