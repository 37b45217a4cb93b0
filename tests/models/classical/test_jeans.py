"""Masses by the Jeans equation: against a likelihood worked out galaxy by galaxy, and on haloes drawn from it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import BadInputError, DomainError
from clustermass.models.classical import phase_space_lattice as lattice
from clustermass.models.classical.jeans import CONCENTRATION_SCATTER, FIELD, VALUES, concentration_prior
from clustermass.models.classical.jeans_profiles import JeansModel
from clustermass.models.store import load_estimator, save_estimator
from clustermass.nfw import concentration
from tests.jeans_halos import PLANCK_2018, REDSHIFT, draw_clusters, sample_of
from tests.tolerances import JEANS_LATTICE

CYLINDER = {"max_radius": 1.6, "max_velocity": 3000.0}
ONE = {"concentrations": [4.0], "tracer_ratios": [0.6], "anisotropy_values": [0.3]}
MODEL = JeansModel(4.0, 4.0 * 0.6, "tiret", 0.3)


def one_by_one(sample, model, background, masses, error=0.0, inner=0.05):
    """Log-likelihoods of the one cluster of a sample, from sums over the line of sight for every galaxy."""
    r200, v200 = (float(unit[0]) for unit in lattice.scales(sample.redshift, sample.cosmology))
    found = []
    for mass in masses:
        growth = 10.0 ** ((mass - lattice.LOG10_MASS[0]) / 3)
        r, v = r200 * growth, v200 * growth

        def density(x, w, v=v):
            number, sigma2 = model.sight(x)
            sigma = np.sqrt(sigma2 + (error / v) ** 2)
            return (number * stats.norm.pdf(w[:, None], 0, sigma)).sum(axis=1) + background

        def surface(x, v=v):
            number, sigma2 = model.sight(x)
            speed = sample.max_velocity[0] / v
            inside = 1 - 2 * stats.norm.sf(speed, 0, np.sqrt(sigma2 + (error / v) ** 2))
            return (number * inside).sum(axis=1) + 2 * speed * background

        rings = np.geomspace(inner, sample.max_radius[0], 400) / r
        norm = np.trapezoid(2 * np.pi * rings**2 * surface(rings), np.log(rings))
        logs = np.log(density(sample.x / r, np.abs(sample.velocity) / v)).sum()
        found.append(logs - sample.x.size * np.log(norm * r**2 * v))
    return np.array(found)


@pytest.mark.parametrize("field", [0.0, 1.0])
@pytest.mark.parametrize("error", [None, 60.0, 220.0])
def test_likelihood_is_that_of_all_galaxies_one_by_one(field, error):
    rng = np.random.default_rng(1)
    sample = draw_clusters([14.6], [MODEL], 200, rng, field=FIELD * field, error=error, **CYLINDER)
    found = cm.make_estimator("jeans", field=[field], **ONE).log_posterior(sample)[0]
    near = np.flatnonzero(np.abs(lattice.LOG10_MASS - 14.6) < 0.25)[::3]
    want = one_by_one(sample, MODEL, FIELD * field, lattice.LOG10_MASS[near], error or 0.0)
    got = found[near] - concentration_prior([4.0], sample.redshift, PLANCK_2018)[0, 0, near]
    bound = JEANS_LATTICE * {None: 1, 60.0: 2, 220.0: 8}[error]
    np.testing.assert_allclose(got - got[4], want - want[4], atol=bound * sample.x.size)
    assert np.ptp(want) > 5


def prior_draws(n, rng, low=14.0, high=15.0):
    """Masses, models and fields as the priors of the defaults have them."""
    mass = rng.uniform(low, high, n)
    mean = np.log10(concentration(10.0**mass, PLANCK_2018, REDSHIFT))
    c = 10 ** (mean + CONCENTRATION_SCATTER * rng.normal(size=n))
    ratio, beta = rng.choice([0.4, 0.65, 1.0], n), rng.choice(VALUES["tiret"], n)
    return mass, [JeansModel(a, a * b, "tiret", v) for a, b, v in zip(c, ratio, beta, strict=True)]


def test_500_tracers_give_the_radius_to_2_percent():
    """Mamon, Biviano & Boue 2013: bias of R200 below 2 %, scatter 10 %."""
    rng = np.random.default_rng(2)
    mass, models = prior_draws(40, rng)
    sample = draw_clusters(mass, models, 500, rng, **CYLINDER)
    found = cm.make_estimator("jeans", interlopers="none").predict(sample)
    ratio = 10 ** ((found.log10_mass - mass) / 3)
    assert abs(ratio.mean() - 1) < 0.02
    assert ratio.std() < 0.06
    assert not found.flagged().any()


def test_posterior_is_calibrated():
    rng = np.random.default_rng(3)
    mass, models = prior_draws(300, rng)
    field = rng.choice([0.0, 1.0], 300)
    parts = [draw_clusters(mass[k : k + 1], models[k : k + 1], 40, rng, field=FIELD * field[k], **CYLINDER)
             for k in range(300)]  # fmt: skip
    sample = sample_of(mass, np.full(300, 40), np.concatenate([p.x for p in parts]),
                       np.concatenate([p.velocity for p in parts]), **CYLINDER)  # fmt: skip
    found = cm.make_estimator("jeans", field=[0.0, 1.0]).predict(sample)
    pit = found.cdf(mass)
    assert stats.kstest(pit, "uniform").pvalue > 1e-3  # seed fixed: a bias of half an error has 1e-7
    inside = np.abs(pit - 0.5) < 0.5 * 0.6827
    assert stats.binomtest(int(inside.sum()), 300, 0.6827).pvalue > 1e-3
    assert np.std(found.log10_mass - mass) < 0.2


@pytest.mark.parametrize("interlopers", ["constant", "mamon2010"])
def test_a_background_is_told_from_the_halo(interlopers):
    rng = np.random.default_rng(4)
    mass = np.full(80, 14.3)
    sample = draw_clusters(mass, [MODEL] * 80, 80, rng, field=2 * FIELD, **CYLINDER)
    blind = cm.make_estimator("jeans", interlopers="none", **ONE).predict(sample).log10_mass
    found = cm.make_estimator("jeans", interlopers=interlopers, **ONE).predict(sample).log10_mass
    assert np.mean(blind - mass) > 0.4
    assert abs(np.mean(found - mass)) < 0.07


def test_clusters_do_not_feel_their_neighbours():
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 12, 600)
    total = int(counts.sum())
    sample = sample_of(np.zeros(600), counts, rng.uniform(0, 2.0, total), rng.normal(0, 700, total), **CYLINDER)
    jeans = cm.make_estimator("jeans", **ONE)
    whole = jeans.predict(sample)
    rows = np.array([599, 3, 512, 511, 77])
    part = jeans.predict(sample.only(rows))
    np.testing.assert_allclose(part.density, whole.density[rows], rtol=1e-9)
    order = np.concatenate([np.flatnonzero(np.repeat(np.arange(600), counts) == k)[::-1] for k in range(600)])
    turned = replace(sample, x=sample.x[order], velocity=-sample.velocity[order])
    np.testing.assert_allclose(jeans.predict(turned).density, whole.density, rtol=1e-9)


def test_few_galaxies_are_flagged_and_none_are_nan():
    counts = [0, 1, 4, 5, 3]
    radius = np.concatenate([np.full(10, 0.5), [0.0, 1.9, 0.01]])  # the last three: centre, outside, centre
    found = cm.make_estimator("jeans", **ONE).predict(
        sample_of(np.zeros(5), counts, radius, np.linspace(-900, 900, 13), **CYLINDER)
    )
    assert np.isnan(found.log10_mass).tolist() == [True, False, False, False, True]
    assert found.flagged("too_few_galaxies").tolist() == [True, True, True, False, True]
    assert len(cm.make_estimator("jeans", **ONE).predict(sample_of([], [], np.zeros(0), np.zeros(0), **CYLINDER))) == 0


def test_galaxies_outside_the_aperture_change_nothing():
    rng = np.random.default_rng(6)
    sample = draw_clusters([14.5], [MODEL], 60, rng, **CYLINDER)
    more = sample_of([14.5], [63], np.append(sample.x, [0.02, 1.7, 0.5]), np.append(sample.velocity, [0, 0, 3100]),
                     **CYLINDER)  # fmt: skip
    jeans = cm.make_estimator("jeans", **ONE)
    np.testing.assert_array_equal(jeans.predict(more).density, jeans.predict(sample).density)


def test_large_errors_are_flagged():
    rng = np.random.default_rng(7)
    sample = draw_clusters([14.0], [MODEL], 60, rng, **CYLINDER)
    jeans = cm.make_estimator("jeans", **ONE)
    assert not jeans.predict(replace(sample, velocity_error=np.full(60, 50.0))).flagged().any()
    assert jeans.predict(replace(sample, velocity_error=np.full(60, 400.0))).flagged("out_of_support").all()


def test_state_comes_back(tmp_path):
    pytest.importorskip("safetensors")
    made = cm.make_estimator("jeans", anisotropy="mamon-lokas", interlopers="mamon2010", field=[0.3, 1.0], max_radius=2)
    save_estimator(tmp_path / "jeans.safetensors", made)
    assert load_estimator(tmp_path / "jeans.safetensors").state() == made.state()


@pytest.mark.parametrize(
    ("settings", "error", "name"),
    [({"anisotropy": "radial"}, DomainError, "anisotropy"), ({"anisotropy_values": [1.2]}, DomainError, "value"),
     ({"concentrations": [4.0, 4.0]}, BadInputError, "concentrations"), ({"field": [-1.0]}, BadInputError, "field"),
     ({"tracer_ratios": [np.nan]}, BadInputError, "tracer_ratios"), ({"max_radius": 7}, DomainError, "max_radius"),
     ({"interlopers": "some"}, DomainError, "interlopers"), ({"radius": 1}, DomainError, "radius")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(settings, error, name):
    with pytest.raises(error, match=name):
        cm.make_estimator("jeans", **settings)


def test_coma(real_data):
    table = np.genfromtxt(real_data("coma-sdss-dr20/coma_sample.txt"), names=True)
    coma = cm.ClusterSample(
        names=["A1656"], offsets=[0, len(table)], x=table["dproj"] * 1.0235, y=np.zeros(len(table)),
        velocity=table["vlos"], redshift=[0.0235], cosmology=Cosmology(h=0.7, omega_m=0.3), max_radius=[10.0],
        max_velocity=[3950.0])  # fmt: skip
    found = cm.make_estimator("jeans", max_radius=2.3).predict(coma)
    assert 0.53e15 < 10 ** found.log10_mass[0] < 1.88e15
    assert 0.02 < found.upper[0] - found.lower[0] < 0.2
    assert not found.flagged().any()
