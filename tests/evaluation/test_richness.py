"""The scatter model of richness: both terms come back, with errors that are true."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.errors import BadInputError, DomainError
from clustermass.evaluation import fit_richness_scatter


def planted(rng, n, sigma_n, sigma_0, bias=0.03):
    richness = np.exp(rng.uniform(np.log(10), np.log(500), n)).round()
    return bias + np.hypot(sigma_n / np.sqrt(richness / 100), sigma_0) * rng.standard_normal(n), richness


@pytest.mark.parametrize(("sigma_n", "sigma_0"), [(0.1, 0.08), (0.25, 0.05), (0.05, 0.2)])
def test_planted_terms_are_recovered_with_true_errors(rng, sigma_n, sigma_0):
    truth = np.array([sigma_n, sigma_0, 0.03])
    fits = [fit_richness_scatter(*planted(rng, 3000, sigma_n, sigma_0)) for _ in range(60)]
    got = np.array([[fit.sigma_n, fit.sigma_0, fit.bias] for fit in fits])
    errors = np.array([[fit.sigma_n_error, fit.sigma_0_error, fit.bias_error] for fit in fits])
    assert all(fit.is_converged for fit in fits)
    assert (np.abs(got.mean(axis=0) - truth) < 4 * got.std(axis=0) / np.sqrt(60) + 0.02 * truth).all()
    pulls = ((got - truth) / errors).std(axis=0)
    assert (pulls > 0.65).all(), pulls
    assert (pulls < 1.45).all(), pulls


def test_the_fit_is_the_largest_likelihood(rng):
    optimize = pytest.importorskip("scipy.optimize")
    epsilon, richness = planted(rng, 800, 0.15, 0.1)
    fit = fit_richness_scatter(epsilon, richness)

    def minus_log_likelihood(p):
        total = p[0] ** 2 * 100 / richness + p[1] ** 2
        return 0.5 * np.sum(np.log(2 * np.pi * total) + (epsilon - p[2]) ** 2 / total)

    best = optimize.minimize(
        minus_log_likelihood, [0.1, 0.1, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}
    )
    assert np.allclose([fit.sigma_n, fit.sigma_0, fit.bias], best.x, atol=1e-5)
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-6)


@pytest.mark.parametrize(("sigma_n", "sigma_0"), [(0.1, 0.0), (0.0, 0.1)])
def test_a_term_that_is_not_there_is_zero_within_its_error(rng, sigma_n, sigma_0):
    fit = fit_richness_scatter(*planted(rng, 5000, sigma_n, sigma_0))
    absent, error, there = (
        (fit.sigma_0, fit.sigma_0_error, fit.sigma_n) if sigma_0 == 0 else (fit.sigma_n, fit.sigma_n_error, fit.sigma_0)
    )
    assert 0 <= absent < 0.03
    assert 0 < error < 0.03
    assert there == pytest.approx(0.1, abs=0.005)


def test_variances_stay_positive(rng):
    """Where one term is absent, half of the free fits would make its variance negative."""
    fits = [fit_richness_scatter(*planted(rng, 300, 0.15, 0.0)) for _ in range(20)]
    fits += [fit_richness_scatter(*planted(rng, 300, 0.0, 0.15)) for _ in range(20)]
    terms = np.array([[fit.sigma_n, fit.sigma_0, fit.sigma_n_error, fit.sigma_0_error] for fit in fits])
    assert (terms >= 0).all()
    assert 3 < (terms[:20, 1] == 0).sum() < 17
    assert 3 < (terms[20:, 0] == 0).sum() < 17
    epsilon, richness = next(
        data for data in (planted(rng, 300, 0.15, 0.0) for _ in range(100)) if fit_richness_scatter(*data).sigma_0 == 0
    )
    mean = (epsilon * richness).sum() / richness.sum()
    alone = np.sqrt(((epsilon - mean) ** 2 * richness / 100).mean())  # largest likelihood of one term
    assert fit_richness_scatter(epsilon, richness).sigma_n == pytest.approx(alone, rel=1e-6)


def test_errors_of_heavy_tails_and_views_are_larger(rng):
    epsilon, richness = planted(rng, 1500, 0.1, 0.1)
    alone = fit_richness_scatter(epsilon, richness)
    naive = fit_richness_scatter(np.repeat(epsilon, 4), np.repeat(richness, 4))
    by_host = fit_richness_scatter(np.repeat(epsilon, 4), np.repeat(richness, 4), groups=np.repeat(np.arange(1500), 4))
    assert by_host.sigma_0_error == pytest.approx(alone.sigma_0_error, rel=0.05)
    assert naive.sigma_0_error < 0.65 * alone.sigma_0_error
    assert by_host.sigma_0 == pytest.approx(alone.sigma_0, rel=1e-6)
    tails = 0.1 * rng.standard_t(5, 1500) * np.sqrt(0.6)
    assert (
        fit_richness_scatter(tails, richness).sigma_0_error
        > 1.2 * fit_richness_scatter(0.1 * rng.standard_normal(1500), richness).sigma_0_error
    )


def test_scatter_at_a_richness(rng):
    fit = fit_richness_scatter(*planted(rng, 5000, 0.2, 0.1))
    assert fit.scatter_at([100.0, 25.0]) == pytest.approx(
        [np.hypot(fit.sigma_n, fit.sigma_0), np.hypot(2 * fit.sigma_n, fit.sigma_0)]
    )
    assert set(fit.as_dict()) >= {"sigma_n", "sigma_0", "sigma_n_error", "n"}


def test_residuals_without_scatter():
    fit = fit_richness_scatter(np.full(10, 0.2), np.arange(10, 20))
    assert fit.sigma_n == fit.sigma_0 == 0
    assert fit.bias == pytest.approx(0.2)
    assert np.isnan(fit.sigma_0_error)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match="`richness` must be above 0, got 0 at index 1"):
        fit_richness_scatter([0.1] * 5, [5, 0, 5, 6, 7])
    with pytest.raises(DomainError, match="`richness` must differ"):
        fit_richness_scatter([0.1, 0.2, 0.3, 0.4], [5, 5, 5, 5])
    with pytest.raises(DomainError, match="at least four hosts, got 2"):
        fit_richness_scatter([0.1, 0.2, 0.3, 0.4], [5, 6, 5, 7], groups=[1, 1, 2, 2])
