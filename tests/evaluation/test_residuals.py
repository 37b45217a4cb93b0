"""Residuals: a planted bias, scatter, skewness and kurtosis come back, with honest errors."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.evaluation import (
    edgeworth_count_bias,
    linear_summary,
    linear_summary_by_redshift,
    log_residuals,
    summarise_in_bins,
    summarise_residuals,
)
from clustermass.evaluation.residuals import STATISTICS
from tests import tolerances


def planted(rng, n, bias, sigma, shape):
    """Residuals with the mean, scatter and skewness 2 / sqrt(shape), excess kurtosis 6 / shape of a gamma law."""
    return bias + sigma * (rng.gamma(shape, 1.0, n) - shape) / np.sqrt(shape)


def test_the_sign_is_that_of_the_estimate():
    assert log_residuals([15.0], [14.0]) == [1.0]


@pytest.mark.parametrize(("bias", "sigma", "shape"), [(0.1, 0.2, 16.0), (-0.3, 0.05, 4.0)])
def test_planted_moments_are_recovered_within_their_errors(rng, bias, sigma, shape):
    got = summarise_residuals(planted(rng, 6000, bias, sigma, shape))
    truth = {"mean": bias, "sigma": sigma, "skewness": 2 / np.sqrt(shape), "kurtosis": 6 / shape}
    truth["count_bias"] = float(edgeworth_count_bias(sigma, truth["skewness"], truth["kurtosis"]))
    for name, value in truth.items():
        error = got.errors[name]
        assert abs(getattr(got, name) - value) < 4 * error, name
        assert 0 < error < 0.3 * max(abs(value), 1.0), name


def test_percentiles_are_those_of_a_gaussian(rng):
    got = summarise_residuals(0.05 + 0.15 * rng.standard_normal(5000))
    for name, value in {"median": 0.05, "p16": 0.05 - 0.994458 * 0.15, "p84": 0.05 + 0.994458 * 0.15}.items():
        assert abs(getattr(got, name) - value) < 4 * got.errors[name]


def test_errors_are_those_of_repeated_experiments(rng):
    many = [summarise_residuals(rng.standard_normal(400), n_bootstrap=0) for _ in range(1000)]
    errors = summarise_residuals(rng.standard_normal(400)).errors
    for name in STATISTICS[:6]:
        want = np.std([getattr(one, name) for one in many])
        assert 0.7 < errors[name] / want < 1.4, name


def test_views_of_a_host_are_not_independent(rng):
    of_host = rng.standard_normal(500)
    epsilon, groups = np.repeat(of_host, 3), np.repeat(np.arange(500), 3)
    alone = summarise_residuals(of_host)
    with_hosts = summarise_residuals(epsilon, groups=groups)
    naive = summarise_residuals(epsilon)
    assert with_hosts.n == 1500
    assert with_hosts.n_hosts == 500
    for name in ("mean", "sigma", "median"):
        assert 0.85 < with_hosts.errors[name] / alone.errors[name] < 1.15
        assert naive.errors[name] < 0.75 * alone.errors[name]  # what the grouping repairs: sqrt(3) too small


def test_the_order_of_rows_does_not_matter(rng):
    epsilon, groups = rng.standard_normal(300), rng.integers(0, 40, 300)
    mixed = rng.permutation(300)
    for ids in (None, groups):
        first = summarise_residuals(epsilon, groups=ids)
        assert summarise_residuals(epsilon[mixed], groups=None if ids is None else ids[mixed]) == first
        assert summarise_residuals(epsilon, groups=ids, seed=1).errors != first.errors


def test_bins_hold_what_was_planted_in_them(rng):
    by = rng.uniform(0, 3, 6000)
    epsilon = 0.1 * np.floor(by) + 0.05 * rng.standard_normal(6000)
    bins = summarise_in_bins(epsilon, by, [0, 1, 2, 3, 4], groups=np.arange(6000) // 2)
    for k, one in enumerate(bins[:3]):
        assert abs(one.summary.mean - 0.1 * k) < 4 * one.summary.errors["mean"]
        assert one.low < one.centre < one.high
    assert bins[3].summary.n == 0
    assert np.isnan(bins[3].summary.median)
    assert sum(one.summary.n for one in bins) == 6000


def test_edges_belong_to_one_bin():
    bins = summarise_in_bins([1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 2.5], [0, 1, 2], n_bootstrap=0)
    assert [one.summary.n for one in bins] == [1, 2]


def test_a_row_of_a_table_has_everything():
    row = summarise_residuals([0.1, 0.2, 0.4]).as_dict()
    assert set(row) == {"n", "n_hosts", *STATISTICS, *(f"{name}_error" for name in STATISTICS)}


def test_few_rows_give_what_they_can():
    empty, one, equal = (summarise_residuals(values) for values in ([], [0.3], [0.3, 0.3, 0.3]))
    assert empty.n == 0
    assert np.isnan(empty.median)
    assert one.median == one.mean == 0.3
    assert np.isnan(one.errors["median"])
    assert equal.sigma == 0
    assert np.isnan(equal.skewness)


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match=r"`epsilon` must be finite, got 1 of 2 .* first at index 1"):
        summarise_residuals([0.1, np.nan])
    with pytest.raises(BadInputError, match=r"`log10_pred` must be log10 of masses \[Msun\], got 3e\+14 at index 1"):
        log_residuals([14.0, 3e14], [14.0, 14.0])
    with pytest.raises(ArrayError, match="`log10_true`"):
        log_residuals([14.0, 14.1], [14.0])
    with pytest.raises(DomainError, match="`edges` must be at least two rising numbers"):
        summarise_in_bins([0.1], [1.0], [2.0, 1.0])


PUBLISHED = {  # sigma, skewness, kurtosis as in the review by Abbas 2019, table 1 and text
    "CNN_2D": (0.127, 0.097, 1.577, 1.1),
    "M-sigma pure": (0.181, -0.254, 0.418, -1.6),
    "M-sigma contaminated": (0.378, 0.356, 0.612, 55.0),
    "SDM_1D": (0.151, 0.797, 2.194, 6.6),
    "SDM_2D": (0.160, 0.337, 2.129, 4.9),
    "CNN_1D with the skewness of the code": (0.171, 0.358, 0.776, 4.2),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_count_biases(name):
    sigma, skewness, kurtosis, percent = PUBLISHED[name]
    last_digit = 1.0 if percent == 55 else 0.1
    assert abs(100 * edgeworth_count_bias(sigma, skewness, kurtosis) - percent) <= last_digit * 0.51
    misprinted = 3 * 100 * edgeworth_count_bias(sigma, skewness, 0) + 100 * edgeworth_count_bias(sigma, 0, kurtosis)
    assert abs(misprinted - percent) > last_digit  # gamma / 2, as eq. 7 of the review prints it


def test_count_bias_is_that_of_counts_that_fall_as_a_power_law():
    """E[exp(alpha epsilon)] of a gamma law, known in closed form, over that of the Gaussian of its scatter."""
    shape, sigma, alpha = 900.0, 0.1, 2.0
    step = alpha * sigma * np.log(10) / np.sqrt(shape)
    exact = np.exp(-shape * np.log1p(-step) - step * shape - 0.5 * step**2 * shape) - 1
    got = edgeworth_count_bias(sigma, 2 / np.sqrt(shape), 6 / shape, alpha)
    assert abs(got / exact - 1) < tolerances.EDGEWORTH


def test_a_negative_scatter_is_refused():
    with pytest.raises(BadInputError, match="`sigma_dex` must not be negative"):
        edgeworth_count_bias([0.1, -0.1], 0.0, 0.0)


def test_planted_linear_bias_and_rms(rng):
    truth = rng.uniform(13, 15, 8000)
    ratio = 1.03 + 0.16 * rng.standard_normal(8000)
    got = linear_summary(truth + np.log10(ratio), truth, groups=np.arange(8000) // 4)
    assert abs(got.bias - 0.03) < 4 * got.bias_error
    assert abs(got.rms - np.hypot(0.03, 0.16)) < 4 * got.rms_error
    assert 0.8 < got.bias_error / (0.16 / np.sqrt(8000)) < 1.25


def test_linear_summary_of_nothing():
    assert np.isnan(linear_summary([], []).bias)


@pytest.mark.realdata
def test_deep_planck_table(real_data):
    """(M_CNN - M_Planck) / M_CNN of the published masses; printed: 0.03 +- 0.29, 0.15 +- 0.14, 0.12 +- 0.13."""
    with real_data("deepplanck/DeepPlanck.csv").open() as file:
        rows = list(csv.DictReader(file))
    cnn, planck, z = (np.array([float(row[name]) for row in rows]) for name in ("CNN_mass", "Planck_mass", "redshift"))
    got = [(one.n, round(one.mean, 3), round(one.std, 3)) for one in linear_summary_by_redshift(cnn, planck, z)]
    assert got == [
        (228, 0.029, 0.288),
        (245, 0.149, 0.140),
        (443, 0.127, 0.133),
        (178, 0.142, 0.121),
        (1094, 0.114, 0.182),
    ]


def test_upper_edges_of_redshift_belong_to_a_bin():
    bins = linear_summary_by_redshift([14.0] * 4, [14.0] * 4, [0.0, 0.1, 0.1, 0.2], [0, 0.1, 0.2])
    assert [one.n for one in bins] == [2, 1, 3]


def test_planted_linear_bias_by_redshift(rng):
    z = rng.uniform(0, 1, 5000)
    pred = rng.uniform(14, 15, 5000)
    relative = 0.2 * (z > 0.5) + 0.1 * rng.standard_normal(5000)
    low, high, whole = linear_summary_by_redshift(pred, pred + np.log10(1 - relative), z, [0, 0.5, 1])
    assert abs(low.mean) < 4 * low.error
    assert abs(high.mean - 0.2) < 4 * high.error
    assert abs(high.std - 0.1) < 0.01
    assert whole.n == 5000
