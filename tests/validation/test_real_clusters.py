"""Real clusters: catalogued dispersions and masses found again, and the committed table of all of them."""

import csv
from pathlib import Path

import numpy as np
import pytest

import clustermass as cm
from tests.data.catalogues import maps

RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def splus(real_data):
    path, about = (real_data(f"splus-128-clusters/{n}") for n in ("galaxies_spec_r200.dat", "clusters128.dat"))
    return cm.read_galaxy_table(
        path, maps.SPLUS_GALAXIES, clusters=about, cluster_columns=maps.SPLUS_CLUSTERS, members_only=True
    )


def test_dispersions_of_splus(splus):
    # their estimator: the standard deviation with n - 1.5, velocity errors subtracted; 0.9 % are left
    found = cm.velocity_dispersions(splus.velocity, splus.offsets, velocity_error=splus.velocity_error)
    n = splus.n_galaxies
    complete = (n >= 5) & (n >= splus.quantities["n_members"])  # of other clusters the table has only some members
    assert complete.sum() == 13
    sigma = found.sigma[complete] * np.sqrt((n[complete] - 1) / (n[complete] - 1.5))
    ratio = sigma / splus.quantities["velocity_dispersion"][complete]
    np.testing.assert_allclose(ratio, 0.9915, atol=0.002)
    # half of the members or more: the rest of the difference is that of the sample
    half = (n >= 10) & (n >= 0.5 * splus.quantities["n_members"])
    part = n[half] / splus.quantities["n_members"][half]
    error = np.sqrt((1 - np.minimum(part, 1)) / (2 * n[half]))
    away = np.log(found.sigma[half] / splus.quantities["velocity_dispersion"][half]) / np.maximum(error, 0.01)
    assert half.sum() >= 15
    assert np.median(np.abs(away)) < 1.2


def test_masses_of_splus(splus):
    rich = splus.only(splus.n_galaxies >= 10)
    found = cm.make_estimator("m-sigma-evrard2008").predict(rich)
    catalogued = np.log10(rich.quantities["m200c"])
    away = (found.log10_mass - catalogued) / (0.5 * (found.upper - found.lower))
    assert abs(np.median(found.log10_mass - catalogued)) < 0.05
    assert (np.abs(away) < 1).mean() > 0.683


def test_committed_table_has_every_set():
    with open(RESULTS / "real_clusters.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["cluster", "estimator", "log10_m200c_msun", "lo", "hi", "literature", "source"]
    assert {row["source"] for row in rows} >= {
        "coma-sdss-dr20", "splus-128-clusters", "planck-psz2", "deepplanck", "mtng-clusters-z0", "gadget4-hydro-80",
        "literature-masses-chances", "sdss-yang-clusters",
    }  # fmt: skip
    coma = [row for row in rows if row["source"] == "coma-sdss-dr20"]
    assert {row["estimator"] for row in coma} >= {"m-sigma-evrard2008", "caustic", "virial"}
    for row in rows:
        # the point of the fitted m-sigma is its relation, its interval the masses of training: below those they part
        names = ("lo", "hi") if row["estimator"] == "m-sigma" else ("lo", "log10_m200c_msun", "hi")
        numbers = [float(row[name]) for name in names if row[name]]
        assert numbers == sorted(numbers)
        assert row["literature"]
