"""Masses within R200c of the estimate itself: the fixed point, interlopers far out, clusters without one."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import PLANCK_2018
from clustermass.errors import ArrayError
from clustermass.models.classical.own_aperture import predict_within_r200
from clustermass.nfw import radius_of_mass


def clusters(sigmas, n=4000, far=2000):
    """Members within 4 Mpc with a dispersion that does not depend on radius, and fast galaxies beyond."""
    rng = np.random.Generator(np.random.Philox(12))
    x, v = [], []
    for sigma in sigmas:
        x += [rng.uniform(0, 3.5, n), rng.uniform(3.5, 8.0, far)]
        v += [rng.normal(0, sigma, n), rng.uniform(-3500, 3500, far)]
    x, v = np.concatenate(x), np.concatenate(v)
    k = len(sigmas)
    return cm.ClusterSample(
        names=np.arange(k).astype(str), offsets=np.arange(k + 1) * (n + far), x=x, y=np.zeros_like(x), velocity=v,
        redshift=np.full(k, 0.05), cosmology=PLANCK_2018, max_radius=np.full(k, 8.0), max_velocity=np.full(k, 4000.0),
    )  # fmt: skip


def test_the_radius_is_that_of_the_mass_and_the_field_stays_out():
    sample = clusters([400.0, 700.0, 1100.0])
    estimator = cm.make_estimator("m-sigma-evrard2008")
    found, reach = predict_within_r200(estimator, sample)
    own = radius_of_mass(10**found.log10_mass, 200.0, PLANCK_2018, 0.05)
    np.testing.assert_allclose(own, reach, rtol=0.03)
    expected = estimator.masses(np.array([400.0, 700.0, 1100.0]), np.full(3, 0.05), PLANCK_2018)
    np.testing.assert_allclose(found.log10_mass, np.log10(expected), atol=0.085)  # 3 sigma of 1,100 galaxies
    assert (estimator.predict(sample).log10_mass > found.log10_mass + 0.3).all()
    assert not found.flagged("not_converged").any()
    one, _ = predict_within_r200(estimator, sample.only([1]))
    assert one.log10_mass[0] == found.log10_mass[1]  # clusters do not know each other


def test_an_aperture_that_is_too_small_is_flagged():
    sample = clusters([1100.0])
    small = sample.keep_galaxies(sample.radius < 1.0)
    small = cm.ClusterSample(**{**vars(small), "max_radius": np.array([1.0])})
    found, reach = predict_within_r200(cm.make_estimator("m-sigma-evrard2008"), small)
    assert reach[0] == 1.0
    assert found.flagged("out_of_support").all()


def test_clusters_without_an_estimate_stay_without():
    sample = clusters([500.0])
    empty = sample.keep_galaxies(np.zeros(sample.x.size, bool))
    found, reach = predict_within_r200(cm.make_estimator("m-sigma-evrard2008"), empty)
    assert np.isnan(found.log10_mass[0])
    assert found.flagged("too_few_galaxies").all()
    assert np.isfinite(reach).all()
    with pytest.raises(ArrayError, match="ClusterSample"):
        predict_within_r200(cm.make_estimator("m-sigma-evrard2008"), [1, 2])


def test_coma(real_data):
    with pytest.warns(cm.errors.DataWarning):
        coma = cm.read_galaxy_table(real_data("coma-sdss-dr20/coma_sample.txt"))
    found, reach = predict_within_r200(cm.make_estimator("m-sigma-evrard2008", clip=3.0), coma)
    assert 0.53e15 < 10 ** found.log10_mass[0] < 1.88e15
    assert reach[0] == pytest.approx(2.2, abs=0.2)  # Sohn et al. 2017: 2.23 Mpc
