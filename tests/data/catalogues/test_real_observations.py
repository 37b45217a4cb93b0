"""Tables of observations and results, with column maps, read to the facts that their READMEs state."""

import math

import numpy as np
import pytest

import clustermass as cm
from tests.data.catalogues import maps

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("error")]


def row(table, name, column="names"):
    return int(np.flatnonzero(table[column] == name)[0])


def test_psz2(real_data):
    table = cm.open_catalogue(real_data("planck-psz2/HFI_PCCS_SZ-union_R2.08.fits"), columns=maps.PSZ2)
    assert (table.format, table.n, len(table.raw_names)) == ("fits_table", 1653, 30)
    mass, redshift = table["m500c"], table["redshift"]
    assert np.isfinite(mass).sum() == 1093
    assert (np.isfinite(mass) & np.isfinite(redshift)).sum() == 1093
    assert (table.raw("REDSHIFT") == -1).sum() == np.isnan(redshift).sum() > 0
    assert table["in_cosmology_sample"].sum() == 507
    top = int(np.nanargmax(mass))
    assert table["names"][top] == "PSZ2 G006.76+30.45"
    assert redshift[top] == pytest.approx(0.203, abs=5e-4)
    assert mass[top] == pytest.approx(16.116e14, rel=1e-4)
    assert (table["mass_above"][top], table["mass_below"][top]) == pytest.approx((0.297e14, 0.292e14), abs=5e10)
    coma = row(table, "PSZ2 G057.80+88.00")
    assert (redshift[coma], mass[coma]) == pytest.approx((0.0231, 7.165e14), rel=1e-4)
    assert table["signal_to_noise"][coma] == pytest.approx(35.7, abs=0.05)
    assert table.raw("Y5R500")[coma] == pytest.approx(198.44, abs=0.01)
    assert math.degrees(table["ra"][coma]) == pytest.approx(194.9, abs=0.1)
    assert math.degrees(table["dec"][coma]) == pytest.approx(27.98, abs=0.1)


def test_yang(real_data):
    path = real_data("sdss-yang-clusters-and-tng300-masses/groupCatalog_Yang_deCarvalho2017.csv")
    table = cm.open_catalogue(path, columns=maps.YANG)
    assert table.n == 319
    assert (table["ids"][0], table["richness"][0], table["redshift"][0]) == (2, 525, 0.036)
    np.testing.assert_allclose(np.degrees((table["ra"][0], table["dec"][0])), (240.5602, 16.1113), rtol=1e-12)
    assert table["r200c"][0] == pytest.approx(2.01 * 1.036)
    mass, redshift = np.log10(table["m200c"]), table["redshift"]
    assert (mass[0], mass.min(), mass.max()) == pytest.approx((15.29, 13.35, 15.71))
    assert (redshift.min(), redshift.max()) == (0.030, 0.099)


def test_tng300_masses_are_in_msun_whatever_its_text_says(real_data):
    path = real_data("sdss-yang-clusters-and-tng300-masses/TNG300-1_GalEvol_z0p00_cluster_post.csv")
    table = cm.open_catalogue(path, columns=maps.TNG300, redshift=0.0, hubble=0.6774)
    assert (table.n, table["ids"][0]) == (280, 0)
    assert table["m200c"][0] == pytest.approx(10**15.18633, rel=1e-5)
    assert table["r200c"][0] == pytest.approx(2.43272, rel=1e-5)
    density = 800 * np.pi / 3 * 2.77536627e11 * 0.6774**2
    np.testing.assert_allclose(np.log10(table["m200c"] / (density * table["r200c"] ** 3)), 0, atol=2e-4)


def test_splus_clusters(real_data):
    table = cm.open_catalogue(real_data("splus-128-clusters/clusters128.dat"), columns=maps.SPLUS_CLUSTERS)
    assert table.n == 128
    redshift, sigma, mass = table["redshift"], table["velocity_dispersion"], table["m200c"]
    assert (redshift.min(), redshift.max()) == pytest.approx((0.0214, 0.1942), abs=5e-5)
    assert (sigma.min(), sigma.max()) == pytest.approx((44, 675), abs=0.6)
    one = row(table, "00007")
    assert mass.argmax() == one
    assert mass[one] == pytest.approx(2.849732e14, rel=1e-12)
    assert (sigma[one], table["dispersion_below"][one], table["dispersion_above"][one]) == (675.390, -40.726, 59.676)
    assert (redshift[one], table["n_members"][one]) == (0.113151, 56)
    assert table["r200c"][one] == pytest.approx(1.078510 * 1.113151, rel=1e-12)
    assert mass.min() == pytest.approx(1e11, rel=1)


def test_splus_galaxies(real_data):
    path = real_data("splus-128-clusters/galaxies_spec_r200.dat")
    table = cm.open_catalogue(path, columns=maps.SPLUS_GALAXIES)
    clusters = cm.open_catalogue(real_data("splus-128-clusters/clusters128.dat"), columns=maps.SPLUS_CLUSTERS)
    assert (table.n, len(table.raw_names)) == (2328, 44)
    assert set(table["clusters"]) == set(clusters["names"])
    assert np.bincount(table["is_interloper"].astype(int)).tolist() == [1267, 1061]
    assert set(np.round(table["velocity_error"], 2)) == {29.98, 30.0}
    marked = table.raw("col3") == 99
    assert marked.sum() > 0
    np.testing.assert_array_equal(np.isnan(table["magnitude_u"]), marked)
    np.testing.assert_allclose(table["projected_radius"], table.raw("col20") * (1 + table.raw("col38")))


def test_coma(real_data):
    table = cm.open_catalogue(real_data("coma-sdss-dr20/coma_sample.txt"), columns=maps.COMA)
    radius, velocity = table["projected_radius"] / 1.0235, table["velocity"]
    assert table.n == 1743
    assert (radius.min(), radius.max()) == pytest.approx((0.028, 9.978), abs=5e-4)
    assert (velocity.min(), velocity.max()) == pytest.approx((-3949.5, 3989.8), abs=0.05)
    near = (radius < 2.23) & (np.abs(velocity) < 3000)
    assert near.sum() == 679
    assert velocity[near].std(ddof=1) == pytest.approx(960, abs=1)


def test_chances(real_data):
    path = real_data("literature-masses-chances/Sifon25_chances_lowz.csv")
    table = cm.open_catalogue(path, columns=maps.CHANCES)
    assert table.n == 50
    one = row(table, "Abell 0085")
    assert (table["redshift"][one], table["sources"][one]) == (0.0560, "MENeaCS")
    assert table["m200c"][one] == pytest.approx(8.4e14)
    assert table["r200c"][one] == pytest.approx(1.96 * 1.056)
    assert math.degrees(table["ra"][one]) == pytest.approx(15 * (41 / 60 + 49.9 / 3600))
    assert math.degrees(table["dec"][one]) == pytest.approx(-(9 + 18 / 60 + 7.2 / 3600))
    assert math.degrees(table["angular_radius"][one]) * 60 == pytest.approx(29.0)
    for name, mass in (("Abell 0754", 14.9e14), ("Abell 0119", 7.8e14)):
        assert table["m200c"][row(table, name)] == pytest.approx(mass)


def test_mtng(real_data):
    table = cm.open_catalogue(real_data("mtng-clusters-z0"), columns=maps.MTNG, hubble=0.6774, redshift=0.0)
    assert (table.format, table.n) == ("npy_columns", 37371)
    mass = table["m200c"] * 0.6774
    assert (mass.min(), mass.max()) == pytest.approx((1000.04e10, 152718.2e10), rel=1e-5)
    top = mass.argmax()
    assert table["r200c"][top] * 0.6774 == pytest.approx(1.8729, rel=1e-4)
    density = 800 * np.pi / 3 * 2.77536627e11 * 0.6774**2
    np.testing.assert_allclose(table["r200c"], np.cbrt(table["m200c"] / density), rtol=2e-4)
    heavy = np.argsort(mass)[-5000:]
    logs = {name: np.log10(table[name][heavy]) for name in ("m200c", "compton_y", "temperature")}
    assert np.polyfit(logs["m200c"], logs["compton_y"], 1)[0] == pytest.approx(1.675, abs=5e-4)
    assert np.polyfit(logs["m200c"], logs["temperature"], 1)[0] == pytest.approx(0.567, abs=5e-4)
