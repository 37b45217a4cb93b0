"""Published relations between dispersion and mass: their own numbers, h(z) conventions, intervals and flags."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.cosmology import Cosmology
from clustermass.models.classical.m_sigma_published import CALIBRATIONS, PublishedMSigma
from clustermass.models.registry import ESTIMATORS, make_estimator
from tests.models.classical.samples import MDPL2, sample

SEVENTY = Cosmology(h=0.7, omega_m=0.3)


def mass_of(name, sigma, z, cosmology=SEVENTY, **settings):
    return PublishedMSigma(name, **settings).masses(np.array([sigma]), np.array([z]), cosmology)[0]


@pytest.mark.parametrize(
    ("name", "sigma_15", "alpha"),
    [
        ("evrard2008", 1082.9, 0.3361), ("munari2013-galaxies", 1177.0, 0.364), ("munari2013-subhaloes", 1199.0, 0.365),
        ("munari2013-dm", 1095.0, 0.336),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cosmology", [SEVENTY, MDPL2])
def test_hubble_is_in_units_of_100(name, sigma_15, alpha, cosmology):
    """M = 1e15 Msun / h(z) (sigma / sigma_15)^(1 / alpha), with h(z) = h E(z)."""
    for sigma, z in [(sigma_15, 0.0), (700.0, 0.0), (1000.0, 0.8)]:
        expansion = np.sqrt(cosmology.omega_m * (1 + z) ** 3 + 1 - cosmology.omega_m)
        want = 1e15 / (cosmology.h * expansion) * (sigma / sigma_15) ** (1 / alpha)
        np.testing.assert_allclose(mass_of(name, sigma, z, cosmology), want, rtol=1e-12)


@pytest.mark.parametrize(("z", "sigma", "alpha"), [(0.0, 692, 0.2724), (0.6, 674, 0.2903), (1.0, 671, 0.3232)])
def test_lau_at_its_redshifts(z, sigma, alpha):
    expansion = np.sqrt(0.3 * (1 + z) ** 3 + 0.7)
    np.testing.assert_allclose(mass_of("lau2010", sigma, z), 2e14 / (0.7 * expansion), rtol=1e-12)
    ratio = mass_of("lau2010", 1.2 * sigma, z) / mass_of("lau2010", sigma, z)
    np.testing.assert_allclose(ratio, 1.2 ** (1 / alpha), rtol=1e-12)


def test_lau_between_its_redshifts_and_beyond():
    low, high, middle = (mass_of("lau2010", 700.0, z) * SEVENTY.expansion(z) for z in (0.0, 0.6, 0.3))
    assert min(low, high) <= middle <= max(low, high)
    np.testing.assert_allclose(
        mass_of("lau2010", 700.0, 1.5) * SEVENTY.expansion(1.5), mass_of("lau2010", 700.0, 1.0) * SEVENTY.expansion(1.0)
    )


def test_saro_is_in_units_of_70():
    for z in (0.0, 0.5, 1.0):
        want = 1e15 * (800 / (939 * (0.3 * (1 + z) ** 3 + 0.7) ** (0.33 / 2))) ** 2.91
        np.testing.assert_allclose(mass_of("saro2013", 800.0, z), want, rtol=1e-12)


def test_relations_agree_with_each_other():
    """Those of dark matter and galaxies lie within a factor 1.6 at 3e14 to 1.5e15 Msun: a wrong unit would not."""
    for sigma, z in [(750.0, 0.0), (1000.0, 0.1), (1100.0, 0.6)]:
        masses = [mass_of(name, sigma, z) for name in CALIBRATIONS if name != "lau2010"]
        assert max(masses) / min(masses) < 1.6
    assert 0.6 < mass_of("lau2010", 640.0, 0.0) / mass_of("evrard2008", 640.0, 0.0) < 1.0  # dissipation raises sigma


def test_velocity_bias_divides_the_dispersion():
    got = mass_of("evrard2008", 970.0, 0.0, velocity_bias=0.97)
    np.testing.assert_allclose(got, mass_of("evrard2008", 1000.0, 0.0), rtol=1e-12)


@pytest.mark.parametrize("members", [20, 200])
def test_intervals_hold_the_planted_scatter(members):
    """Dispersions that scatter about the relation by 0.35 / slope in mass: 68 % of the intervals hold the truth."""
    rng, n = np.random.default_rng(2), 4000
    truth = rng.uniform(14.2, 15.2, n)
    evolution = MDPL2.h * float(MDPL2.expansion(0.117))
    sigma = 1082.9 * (evolution * 10 ** (truth - 15)) ** 0.3361 * np.exp(rng.normal(0, 0.35 * 0.3361, n))
    velocity = rng.normal(0, np.repeat(sigma, members))
    found = make_estimator("m-sigma-evrard2008").predict(sample(velocity, [members] * n))
    assert abs(np.median(found.log10_mass - truth)) < 0.03
    inside = (found.lower < truth) & (truth < found.upper)
    assert abs(inside.mean() - 0.683) < 0.03
    width = (0.5 * (found.upper - found.lower))[0] * np.log(10)
    np.testing.assert_allclose(width, np.hypot(0.35, 1 / 0.3361 / np.sqrt(2 * (members - 1))), rtol=1e-12)


def test_flags(rng):
    velocity = [*rng.normal(0, 800, 50), *rng.normal(0, 150, 50), -800.0, 0.0, 800.0, 3.0, *[1.0] * 10]
    found = PublishedMSigma().predict(sample(velocity, [50, 50, 3, 1, 0, 10], redshift=0.1))
    assert found.flagged("out_of_support").tolist() == [False, True, False, False, False, True]
    assert found.flagged("too_few_galaxies").tolist() == [False, False, True, True, True, False]
    assert np.isnan(found.log10_mass).tolist() == [False, False, False, True, True, True]
    far = PublishedMSigma("lau2010").predict(sample(velocity[:50], [50], redshift=1.3))
    assert far.flagged("out_of_support").all()
    assert len(PublishedMSigma().predict(sample([], [], redshift=np.empty(0)))) == 0


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name.startswith("m-sigma-")])
def test_each_has_a_name_a_source_and_a_file(name, rng, tmp_path):
    made = make_estimator(name, method="gapper")
    assert made.name == name
    assert not made.needs_fit
    assert made.source[-1] not in ", "
    clusters = sample(rng.normal(0, 800, 60), [30, 30])
    assert made.fit(clusters) is made
    one = made.predict(clusters)
    assert one.mass_definition == "M200c"
    assert (abs(one.log10_mass - 14.7) < 0.5).all()
    pytest.importorskip("safetensors")
    from clustermass.models.store import load_estimator, save_estimator

    save_estimator(tmp_path / "m.safetensors", made)
    two = load_estimator(tmp_path / "m.safetensors").predict(clusters)
    assert one.log10_mass.tobytes() == two.log10_mass.tobytes()


def test_all_calibrations_are_registered():
    assert {f"m-sigma-{name}" for name in CALIBRATIONS} <= set(ESTIMATORS)
