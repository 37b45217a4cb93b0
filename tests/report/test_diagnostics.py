from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clustermass.evaluation.predictions import Predictions
from clustermass.evaluation.robustness import SubsampleTable, VelocityErrorTable
from clustermass.report import diagnostics
from clustermass.report.folder import Evaluated
from clustermass.report.tables import bin_rows, curve_rows, dynamical_rows, error_rows, summarise, velocity_rows

N_HOSTS, SCATTER, SLOPE = 1200, 0.15, 0.4
FRAME = {"h": 0.6777, "omega_m": 0.307115, "omega_lambda": 0.692885, "redshift": 0.117, "box_size": 700.0}


def made_up(name="planted", scatter=SCATTER, claimed=SCATTER, seed=3, **changes):
    """Predictions with planted scatter, bias of `SLOPE` times the contamination, and intervals of a claimed width."""
    rng = np.random.default_rng(seed)
    host = np.repeat(np.arange(N_HOSTS), 3)
    n = host.size
    true = np.random.default_rng(1).uniform(13.9, 15.1, N_HOSTS)[host] - np.log10(FRAME["h"])
    purity = changes.get("purity", np.random.default_rng(2).uniform(0.5, 1.0, n))
    error = scatter * rng.standard_normal(n)
    columns = dict(
        host_id=host, view=np.tile(np.arange(3), N_HOSTS), fold=host % 10, log10_m200c=true, log10_true=true,
        richness=np.random.default_rng(4).integers(12, 200, n), redshift=np.full(n, 0.117), purity=purity,
        log10_mass=true + error + SLOPE * (1 - purity), lower=true - claimed, upper=true + claimed,
        pit=np.clip(normal_cdf(-error / claimed), 0, 1), tarp=rng.uniform(0, 1, n), flags=np.zeros(n, np.uint32),
        is_test=np.ones(n, bool), is_flat=np.ones(n, bool),
    )  # fmt: skip
    table = Predictions(name, "contaminated", "M200c", FRAME["h"], **(columns | changes), record={"frame": FRAME})
    nothing = np.empty(0, np.int64)
    subsamples = SubsampleTable(*[nothing] * 4, np.empty(0), np.empty((0, 10)))
    errors = VelocityErrorTable(nothing, nothing, np.empty(0), np.empty(0), np.empty(0))
    return Evaluated(Path(f"{name}.hdf5"), table, subsamples, errors)


def normal_cdf(x):
    from scipy.stats import norm

    return norm.cdf(x)


def test_planted_contamination_and_scatter_are_found():
    (row,) = diagnostics.diagnostic_rows([made_up()], n_bootstrap=200)
    assert row["contamination_slope_dex"] == pytest.approx(SLOPE, abs=4 * row["contamination_slope_error"])
    assert row["contamination_slope_p"] < 1e-6
    assert row["bias_of_pure_dex"] == pytest.approx(0.0, abs=4 * row["bias_of_pure_error"])
    assert row["sigma_0"] == pytest.approx(np.hypot(SCATTER, SLOPE * 0.5 / np.sqrt(12)), abs=0.02)
    assert row["linear_bias"] == pytest.approx(10 ** (0.25 * SLOPE) - 1, abs=0.1)


def test_pure_clusters_have_no_slope():
    item = made_up(purity=np.ones(3 * N_HOSTS))
    (row,) = diagnostics.diagnostic_rows([item], n_bootstrap=100)
    assert "contamination_slope_dex" not in row
    assert "sigma_0" in row


@pytest.mark.parametrize(("claimed", "covered"), [(1.0, 0.683), (0.5, 0.383), (2.0, 0.954)])
def test_coverage_of_planted_intervals(claimed, covered):
    item = made_up(claimed=claimed * SCATTER)
    (row,) = diagnostics.calibration_rows([item])
    assert (row["n"], row["n_hosts"]) == (3 * N_HOSTS, N_HOSTS)
    assert row["coverage_68"] == pytest.approx(covered, abs=4 * np.sqrt(0.25 / N_HOSTS))
    # bins of estimated mass fail here in any case: these intervals know nothing of the limits of the true masses
    assert ("PIT values are not uniform, p" in row["failures"]) == (claimed != 1.0)
    assert ("interval holds" in row["failures"]) == (claimed != 1.0)
    levels = diagnostics.coverage_rows([item])
    assert len(levels) == diagnostics.LEVELS.size


def test_calibration_is_of_the_flat_rows():
    flat = np.arange(3 * N_HOSTS) < 600
    (row,) = diagnostics.calibration_rows([made_up(is_flat=flat)])
    assert row["n"] == 600
    assert diagnostics.calibration_rows([made_up(pit=np.full(3 * N_HOSTS, np.nan))]) == []


def test_pairs_are_compared_row_by_row():
    good, bad = made_up("good", scatter=0.1), made_up("bad", scatter=0.2, seed=5)
    shuffled = np.random.default_rng(0).permutation(len(bad.predictions))
    mixed = replace(bad, predictions=bad.predictions.only(shuffled))
    (straight,) = diagnostics.comparison_rows([good, bad], n_bootstrap=200)
    (row,) = diagnostics.comparison_rows([good, mixed], n_bootstrap=200)
    assert row == straight
    assert row["sigma_difference"] < -0.07
    assert row["sigma_p_value"] < 1e-6
    pure = replace(bad, predictions=replace(bad.predictions, kind="pure"))
    assert diagnostics.comparison_rows([good, pure]) == []


def test_the_mass_function_counts_hosts():
    item = made_up(scatter=0.0, purity=np.ones(3 * N_HOSTS))
    rows = diagnostics.mass_function_rows([item], n_bootstrap=20)
    mass = item.predictions.log10_m200c_h[::3]
    volume = (FRAME["box_size"] * FRAME["h"]) ** 3
    for row in rows:
        n = ((mass >= row["low"]) & (mass < row["high"])).sum()
        assert row["counts"] == pytest.approx(n)  # three views of a host count once
        assert row["density"] == pytest.approx(n / (volume * (row["high"] - row["low"])))
        assert row["density"] == pytest.approx(row["true_density"])


def test_lost_clusters_are_corrected_for():
    lost = np.random.default_rng(8).uniform(size=3 * N_HOSTS) < 0.3
    table = made_up(scatter=0.0, purity=np.ones(3 * N_HOSTS)).predictions
    mass, flags = np.where(lost, np.nan, table.log10_mass), lost.astype(np.uint32)
    item = made_up(scatter=0.0, log10_mass=mass, flags=flags)
    rows = diagnostics.mass_function_rows([item], n_bootstrap=20)
    assert all(0.5 < row["completeness"] < 0.85 for row in rows)
    ratio = [row["density"] / row["true_density"] for row in rows]
    np.testing.assert_allclose(ratio, 1.0, atol=1e-9)  # views of one host have one mass: completeness is exact
    (counted,) = error_rows(summarise([item], n_bootstrap=0))
    assert counted["n_without_estimate"] == counted["n_too_few_galaxies"] == (lost & item.predictions.is_wanted).sum()


def test_the_expected_mass_function_needs_a_known_spectrum():
    pytest.importorskip("colossus")
    item = made_up()
    rows = diagnostics.mass_function_rows([item], n_bootstrap=0)
    # per (Mpc/h)^3 and dex at 10^14.05 Msun/h, z = 0.117: counted in a generated box of 250 Mpc/h
    assert rows[0]["expected"] == pytest.approx(5.5e-5, rel=0.1)
    other = replace(item.predictions, record={"frame": FRAME | {"h": 0.7}})
    rows = diagnostics.mass_function_rows([replace(item, predictions=other)], n_bootstrap=0)
    assert np.isnan(rows[0]["expected"])
    assert diagnostics.mass_function_rows([replace(item, predictions=replace(other, record={}))]) == []


def test_empty_robustness_is_told_as_such():
    item = made_up()
    (row,) = dynamical_rows(summarise([item], n_bootstrap=0))
    assert row["sigma_dex"] > 0
    assert np.isnan(row["subsample_width_dex"])
    assert all(np.isnan(line["median"]) for line in curve_rows([item]))
    assert velocity_rows([item]) == []
    assert {line["binned_by"] for line in bin_rows([item], n_bootstrap=0)} == {
        "log10_m200c_msun_h", "richness", "purity",
    }  # fmt: skip
