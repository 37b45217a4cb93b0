"""Scaling relations: published numbers, planted laws found again, real catalogues, luminosity without cores."""

import math
import warnings

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import BadInputError, DataWarning, DomainError, MissingFieldError, NotFittedError
from clustermass.models.classical.compton_mass import ComptonMass, compton_of_mass
from clustermass.models.classical.luminosity_mass import core_excised_luminosity, profile_luminosity
from clustermass.models.classical.power_law import fit_power_law
from clustermass.nfw import convert_mass
from tests.data.catalogues import maps

H70 = Cosmology(h=0.7, omega_m=0.3)


def sample(redshift, quantities, cosmology=H70, mass=None):
    n = len(redshift)
    none = np.zeros(0)
    return cm.ClusterSample(
        names=np.arange(n).astype(str), offsets=np.zeros(n + 1, int), x=none, y=none, velocity=none,
        redshift=np.asarray(redshift, float), cosmology=cosmology, max_radius=np.zeros(n), max_velocity=np.zeros(n),
        quantities=quantities, log10_m200c=mass,
    )  # fmt: skip


def random(seed):
    return np.random.Generator(np.random.Philox(seed))


# ---- the published relation of Y


def test_planck_relation_at_its_pivot_and_its_powers():
    y = compton_of_mass([6e14, 6e15], 0.0, H70, one_minus_b=1.0)
    assert y[0] == pytest.approx(10**-0.19 * 1e-4)
    assert y[1] / y[0] == pytest.approx(10**1.79)
    expansion = float(H70.expansion(0.4))
    assert compton_of_mass(6e14, 0.4, H70, one_minus_b=1.0) / y[0] == pytest.approx(expansion ** (2 / 3))
    assert compton_of_mass(6e14, 0.0, H70, one_minus_b=0.8) / y[0] == pytest.approx(0.8**1.79)
    other = Cosmology(h=0.5, omega_m=0.3)
    assert compton_of_mass(6e14, 0.0, other, one_minus_b=1.0) / y[0] == pytest.approx((0.5 / 0.7) ** (1.79 - 2))


def test_forwards_and_backwards_are_one_relation():
    mass, z = np.array([2e14, 5e14, 1e15]), np.array([0.02, 0.3, 0.45])
    y = compton_of_mass(mass, z, H70)
    found = cm.make_estimator("y-m").predict(sample(z, {"y_500": y}))
    np.testing.assert_allclose(10**found.log10_mass, mass, rtol=1e-12)
    assert found.mass_definition == "M500c"
    np.testing.assert_allclose(found.upper - found.log10_mass, 0.075 / 1.79, rtol=1e-12)
    assert not found.flags.any()


def test_errors_of_the_quantity_widen_the_interval():
    y = compton_of_mass([5e14, 5e14], 0.1, H70)
    found = ComptonMass().predict(sample([0.1, 0.1], {"y_500": y, "y_500_error": np.array([0.3, np.nan]) * y}))
    assert found.upper[0] - found.log10_mass[0] == pytest.approx(math.hypot(0.075, 0.3 / math.log(10)) / 1.79)
    assert found.upper[1] - found.log10_mass[1] == pytest.approx(0.075 / 1.79)


def test_what_lies_outside_or_is_missing_is_flagged():
    y = compton_of_mass([5e13, 5e14, 5e15, 5e14, 5e14], [0.1, 0.1, 0.1, 0.9, 0.1], H70)
    y[4] = np.nan
    found = ComptonMass().predict(sample([0.1, 0.1, 0.1, 0.9, 0.1], {"y_500": y}))
    assert found.flagged("out_of_support").tolist() == [True, False, True, True, False]
    assert found.flagged("missing_input").tolist() == [False] * 4 + [True]
    assert np.isnan(found.log10_mass).tolist() == [False] * 4 + [True]
    negative = ComptonMass().predict(sample([0.1], {"y_500": [-1e-5]}))
    assert negative.flagged("missing_input").all()
    with pytest.raises(MissingFieldError, match="'y_500'"):
        ComptonMass().predict(sample([0.1], {"l_x": [1e44]}))
    with pytest.raises(DomainError, match="`one_minus_b`"):
        ComptonMass(one_minus_b=0.0)
    assert len(ComptonMass().predict(sample([], {"y_500": []}))) == 0


# ---- luminosities


def test_luminosity_relation_gives_the_catalogues_pair_for_coma():
    # MCXC J1259.7+2756: z 0.0231, L500 3.455719e44 erg/s, M500 4.2846e14 Msun
    found = cm.make_estimator("l-x-m").predict(sample([0.0231], {"l_x": [3.455719e44]}))
    assert 10 ** found.log10_mass[0] == pytest.approx(4.2846e14, rel=2e-4)
    assert found.upper[0] - found.log10_mass[0] == pytest.approx(0.4 / math.log(10) / 1.64)
    assert found.mass_definition == "M500c"
    poor = cm.make_estimator("l-x-m").predict(sample([0.02, 0.5], {"l_x": [1e42, 3e44]}))
    assert poor.flagged("out_of_support").all()


def test_luminosity_without_the_core():
    rng = random(1)
    sizes = np.array([3000, 0, 5000])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    radius, light = rng.uniform(0, 2, 8000), rng.uniform(0, 1e40, 8000)
    r500 = np.array([1.1, 0.7, 0.6])
    found = core_excised_luminosity(radius, light, offsets, r500)
    for k in range(3):
        r, w = (values[offsets[k] : offsets[k + 1]] for values in (radius, light))
        assert found[k] == pytest.approx(w[(r >= 0.15 * r500[k]) & (r < r500[k])].sum())
    assert found[1] == 0
    whole = core_excised_luminosity(radius, light, offsets, r500, inner=0.0)
    assert (whole[[0, 2]] > found[[0, 2]]).all()
    with pytest.raises(BadInputError, match="`luminosity`"):
        core_excised_luminosity([1.0], [np.nan], [0, 1], [1.0])
    with pytest.raises(DomainError, match="`outer`"):
        core_excised_luminosity([1.0], [1.0], [0, 1], [1.0], inner=1.0, outer=1.0)


def test_luminosity_of_a_profile():
    radius = np.geomspace(0.01, 3, 4000)
    emissivity = (1 + (radius / 0.1) ** 2) ** -2.0  # beta model, beta 2/3: its integral is closed

    def shell(r):
        u = r / 0.1
        return 4 * np.pi * 0.1**3 * 0.5 * (np.arctan(u) - u / (1 + u * u))

    expected = shell(0.9) - shell(0.135)
    assert profile_luminosity(radius, emissivity, 0.9) == pytest.approx(expected, rel=1e-6)
    power = profile_luminosity([0.1, 1.0, 2.0], np.array([0.1, 1.0, 2.0]) ** -3.0, 1.0)  # equal light per ln r
    assert power == pytest.approx(4 * np.pi * math.log(1 / 0.15))
    with pytest.raises(BadInputError, match="must reach"):
        profile_luminosity([0.5, 1.0], [1.0, 1.0], 1.0)
    with pytest.raises(BadInputError, match="must rise"):
        profile_luminosity([0.1, 0.1, 2.0], [1.0, 1.0, 1.0], 1.0)


# ---- fits


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_a_planted_law_is_found_again(error):
    rng = random(2)
    n, slope, intercept, scatter = 4000, 1.7, -4.2, 0.08
    mass = rng.uniform(14, 15, n)
    errors = rng.uniform(0.5, 1.5, n) * error
    y = intercept + slope * (mass - 14.5) + rng.normal(0, scatter, n) + rng.normal(0, 1, n) * errors
    law = fit_power_law(mass, y, errors, pivot=14.5)
    (aa, _), (_, bb) = law.covariance
    assert abs(law.intercept - intercept) < 4 * math.sqrt(aa)
    assert abs(law.slope - slope) < 4 * math.sqrt(bb)
    assert abs(law.scatter - scatter) < 4 * math.hypot(scatter, error) ** 2 / scatter / math.sqrt(2 * n)
    if error == 0:
        fitted = np.polyfit(mass - 14.5, y, 1)
        np.testing.assert_allclose([law.slope, law.intercept], fitted, rtol=1e-9)
        assert law.scatter == pytest.approx(np.std(y - np.polyval(fitted, mass - 14.5)), rel=1e-6)


def test_precise_values_weigh_more():
    mass, y = np.array([14.0, 14.5, 15.0, 14.5]), np.array([0.0, 1.0, 2.0, 9.0])
    law = fit_power_law(mass, y, [0.01, 0.01, 0.01, 50.0])
    assert law.quantity(14.5, 1.0) == pytest.approx(1.0, abs=0.01)
    assert law.slope == pytest.approx(2.0, abs=0.01)


def test_intervals_of_a_fitted_relation_cover(tmp_path):
    rng = random(3)
    mass, z = rng.uniform(14, 15, 3000), rng.uniform(0, 0.5, 3000)
    expansion = H70.expansion(z)
    value = 10 ** (-4 + 1.7 * (mass - 14.7) + 2 * np.log10(expansion) + rng.normal(0, 0.1, 3000))
    clusters = sample(z, {"t": value}, mass=mass)
    model = cm.make_estimator("scaling-relation", quantity="t", evolution=2.0).fit(clusters.only(slice(0, 1500)))
    found = model.predict(clusters.only(slice(1500, None)))
    true = mass[1500:]
    covered = ((found.lower < true) & (true < found.upper)).mean()
    assert abs(covered - 0.683) < 4 * math.sqrt(0.683 * 0.317 / 1500)
    assert abs((found.log10_mass - true).mean()) < 4 * 0.1 / 1.7 / math.sqrt(750)
    far = model.predict(sample([0.1], {"t": [1e3]}))
    assert far.flagged("out_of_support").all()
    pytest.importorskip("safetensors")
    cm.save_estimator(tmp_path / "t.safetensors", model)
    again = cm.load_estimator(tmp_path / "t.safetensors").predict(clusters)
    np.testing.assert_array_equal(again.upper, model.predict(clusters).upper)
    assert again.flags.tolist() == model.predict(clusters).flags.tolist()


def test_masses_of_another_definition():
    z, m500 = np.full(5, 0.1), np.array([1e14, 2e14, 4e14, 8e14, 1.6e15])
    clusters = sample(z, {"m500c": m500, "q": m500**2})
    model = cm.make_estimator("scaling-relation", quantity="q", evolution=0.0, mass_definition="M500c").fit(clusters)
    found = model.predict(clusters)
    assert found.mass_definition == "M500c"
    np.testing.assert_allclose(10**found.log10_mass, m500, rtol=1e-6)
    converted = np.log10(convert_mass(m500, 500, 200, H70, 0.1))
    by_200 = sample(z, {"q": m500**2}, mass=converted)
    again = cm.make_estimator("scaling-relation", quantity="q", evolution=0.0, mass_definition="M500c").fit(by_200)
    np.testing.assert_allclose(again.predict(by_200).log10_mass, np.log10(m500), atol=1e-4)


def test_what_cannot_be_fitted_is_refused():
    model = cm.make_estimator("scaling-relation", quantity="q")
    with pytest.raises(NotFittedError, match="must be fitted"):
        model.predict(sample([0.1], {"q": [1.0]}))
    with pytest.raises(MissingFieldError, match="log10_m200c"):
        model.fit(sample([0.1] * 3, {"q": [1.0, 2.0, 3.0]}))
    with pytest.raises(BadInputError, match="at least three"):
        model.fit(sample([0.1] * 3, {"q": [1.0, np.nan, 3.0]}, mass=np.array([14.0, 14.5, 15.0])))
    with pytest.raises(BadInputError, match="`error`"):
        fit_power_law([14, 15, 16], [1, 2, 3], [-1, 0, 0])


# ---- real catalogues


def test_slopes_of_millennium_tng(real_data):
    clusters = cm.read_cluster_table(
        real_data("mtng-clusters-z0"), maps.MTNG, redshift=0.0, cosmology=Cosmology(h=0.6774, omega_m=0.3089),
        true_mass="m200c",
    )  # fmt: skip
    heaviest = clusters.only(np.argsort(-clusters.log10_m200c)[:5000])
    for quantity, slope in (("compton_y", 1.675), ("temperature", 0.567)):
        model = cm.make_estimator("scaling-relation", quantity=quantity, evolution=0.0).fit(heaviest)
        assert model.fitted.slope == pytest.approx(slope, abs=5e-4)
    # above 1e14 Msun/h: slopes 1.65 and 0.60, scatter 11.3 % and 6 % (relations of this box)
    large = clusters.only(10**clusters.log10_m200c * 0.6774 > 1e14)
    assert len(large) == 2333
    for quantity, slope, scatter in (("compton_y", 1.65, 0.113), ("temperature", 0.60, 0.06)):
        law = cm.make_estimator("scaling-relation", quantity=quantity, evolution=0.0).fit(large).fitted
        assert law.slope == pytest.approx(slope, abs=0.006)
        assert law.scatter * math.log(10) == pytest.approx(scatter, abs=0.006)
    odd, even = large.only(slice(0, None, 2)), large.only(slice(1, None, 2))
    found = cm.make_estimator("scaling-relation", quantity="compton_y", evolution=0.0).fit(odd).predict(even)
    residual = found.log10_mass - even.log10_m200c
    assert abs(residual.mean()) < 0.005
    assert residual.std() == pytest.approx(0.113 / math.log(10) / 1.65, rel=0.1)


def test_planck_masses_from_planck_fluxes(real_data):
    columns = maps.PSZ2 | {"y_5r500_arcmin2": ("Y5R500", "1e-3")}
    with pytest.warns(DataWarning):
        clusters = cm.read_cluster_table(real_data("planck-psz2/HFI_PCCS_SZ-union_R2.08.fits"), columns, cosmology=H70)
    # MSZ are hydrostatic masses, from Y at the size that the relation wants. Y5R500 is averaged over all sizes that the
    # map allows, and sizes and fluxes rise together: it is high, and scatters most where the cluster is faint.
    found = ComptonMass(one_minus_b=1.0).predict(clusters)
    residual = found.log10_mass - np.log10(clusters.quantities["m500c"])
    assert residual.size == 1093
    assert residual.mean() == pytest.approx(0.083, abs=2e-3)
    assert residual.std() == pytest.approx(0.120, abs=2e-3)
    bright = clusters.quantities["signal_to_noise"] > 20
    assert np.median(residual[bright]) == pytest.approx(0.067, abs=2e-3)
    assert residual[bright].std() < 0.6 * residual.std()


def test_deepplanck_statistics(real_data):
    clusters = cm.read_cluster_table(
        real_data("deepplanck/DeepPlanck.csv"),
        {"names": "cluster", "planck": ("Planck_mass", "log10 Msun"), "cnn": ("CNN_mass", "log10 Msun"), "y": "Y_500"},
    )
    planck, cnn = clusters.quantities["planck"], clusters.quantities["cnn"]
    difference = 1 - planck / cnn
    for low, high, n, mean, spread in ((0, 0.1, 228, 0.029, 0.288), (0.1, 0.2, 245, 0.149, 0.140),
                                       (0.2, 0.4, 443, 0.127, 0.133), (0.4, 1, 178, 0.142, 0.121)):  # fmt: skip
        rows = (clusters.redshift > low) & (clusters.redshift <= high)
        assert (rows.sum(), difference[rows].mean(), difference[rows].std()) == (
            n, pytest.approx(mean, abs=6e-4), pytest.approx(spread, abs=6e-4)
        )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        law = fit_power_law(np.log10(cnn), np.log10(clusters.quantities["y"]))
    assert law.slope > 1
