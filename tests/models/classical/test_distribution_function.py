"""f(E, L): the density that it was made for, its anisotropy, its projection, and masses of haloes drawn from it."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import BadInputError, DomainError
from clustermass.models.classical.distribution_function import phase_density
from clustermass.models.classical.distribution_function_profiles import SeparableModel, projected_density
from clustermass.models.classical.jeans_profiles import JeansModel
from clustermass.models.store import load_estimator, save_estimator
from clustermass.nfw import enclosed
from tests.jeans_halos import draw_clusters
from tests.tolerances import DF_DENSITY, DF_PROJECTED, DF_TABLE

PAIRS = [(0.0, 0.0), (0.0, 0.6), (0.2, 0.5), (-0.3, 0.3), (0.3, 0.3), (0.0, -0.5)]


@pytest.mark.parametrize(("beta0", "beta_inf"), PAIRS)
def test_density_comes_back(beta0, beta_inf):
    r = np.geomspace(2e-4, 60, 83)
    for c, tracers in ((4.0, 4.0), (8.0, 3.0)):
        model = SeparableModel(c, tracers, beta0, beta_inf)
        np.testing.assert_allclose(model.density(r), model.tracers(r), rtol=DF_DENSITY)


def test_isotropic_energies_are_those_of_eddington():
    """f_E = 1 / (sqrt 8 pi^2) int_0^E d2nu/dPsi2 dPsi / sqrt(E - Psi), with nu and Psi by r, differences of 1e-4."""
    model = SeparableModel(4.0, 4.0)
    log_r = np.arange(np.log(1e-6), np.log(1e7), 1e-3)
    r = np.exp(log_r)
    psi, nu = model.potential(r), model.tracers(r)
    second = np.gradient(np.gradient(nu, log_r) / np.gradient(psi, log_r), log_r) / np.gradient(psi, log_r)
    for at in (0.05, 0.3, 2.0):
        energy = float(model.potential(np.array(at)))
        y = np.linspace(0, np.sqrt(energy), 40_001)[:-1]  # Psi = E - y^2
        inside = 2 * np.interp(np.log(energy - y**2), np.log(psi[::-1]), second[::-1])
        want = np.trapezoid(inside, y) / (np.sqrt(8) * np.pi**2)
        assert float(model.energy_part(np.array([energy]))[0]) == pytest.approx(want, rel=2e-3)


@pytest.mark.parametrize(("beta0", "beta_inf"), PAIRS)
def test_anisotropy_goes_from_the_one_to_the_other(beta0, beta_inf):
    found = SeparableModel(4.0, 4.0, beta0, beta_inf).anisotropy(np.geomspace(1e-3, 15, 12))
    assert abs(found[0] - beta0) < 0.01
    assert abs(found[-1] - beta_inf) < 0.02
    steps = np.diff(found) * np.sign(beta_inf - beta0)
    assert (steps >= -1e-6).all()


def test_the_turn_is_where_it_was_put():
    """d ln f / d ln L is -2 beta0 for small L, -2 beta_inf for large, and half way at L = sqrt 2 L0."""
    c, beta0, beta_inf, l0 = 5.0, 0.1, 0.5, 0.3
    model = SeparableModel(c, 3.0, beta0, beta_inf, l0)
    scale, circular = 1 / c, np.sqrt(enclosed(1.0) / enclosed(c) * c)  # r_s and V_circ(r_s)
    turn = 2 * (l0 * scale * circular) ** 2
    ratio = model._momentum_part(np.array([turn * 1.001, turn / 1.001]))
    assert np.log(ratio[0] / ratio[1]) / np.log(1.001) == pytest.approx(-2 * beta0 + (beta0 - beta_inf), abs=1e-4)


def moments(model, at):
    shares = np.linspace(0, 1, 101)
    density = projected_density(model, at, shares)
    v = shares * np.sqrt(2 * model.potential(at))[:, None]
    surface = 2 * np.trapezoid(density, v, axis=1)
    return surface, 2 * np.trapezoid(density * v**2, v, axis=1) / surface


@pytest.mark.parametrize("beta", [0.0, 0.3, -0.4])
def test_constant_anisotropy_has_the_dispersion_of_the_jeans_equation(beta):
    at = np.array([0.03, 0.3, 1.0, 2.0])
    surface, sigma2 = moments(SeparableModel(4.0, 2.5, beta, beta), at)
    jeans = JeansModel(4.0, 2.5, "constant", beta)
    np.testing.assert_allclose(surface, jeans.sight(at)[0].sum(axis=1), rtol=DF_PROJECTED)
    np.testing.assert_allclose(sigma2, jeans.sigma_los2(at), rtol=DF_PROJECTED)


@pytest.mark.parametrize(("beta0", "beta_inf"), PAIRS)
def test_projection_has_the_tracers_of_the_halo(beta0, beta_inf):
    at = np.array([0.03, 0.3, 1.0])
    surface, _ = moments(SeparableModel(4.0, 2.5, beta0, beta_inf), at)
    np.testing.assert_allclose(surface, JeansModel(4.0, 2.5).sight(at)[0].sum(axis=1), rtol=DF_TABLE)


def test_interpolated_phase_space_is_the_integral():
    model = SeparableModel(5.6, 3.0, 0.0, 0.5)
    at, shares = np.array([0.021, 0.31, 1.7]), np.array([0.013, 0.37, 0.71, 0.93])
    want = projected_density(model, at, shares)
    got = [phase_density(model, at[k : k + 1], shares * np.sqrt(2 * model.potential(at[k])))[0] for k in range(3)]
    np.testing.assert_allclose(got, want, rtol=DF_TABLE)
    assert (phase_density(model, at, np.array([6.0])) == 0).all()


def draw_isotropic(model, n, rng, outer=16.0):
    """As `draw_sphere`, but of the isotropic f(E): velocities are not Gaussian."""
    halo = SeparableModel(model.concentration, model.tracer_concentration)
    grid, shares = np.geomspace(1e-4, outer, 120), np.linspace(0, 1, 200)
    psi = halo.potential(grid)[:, None]
    chance = halo.energy_part(np.maximum(psi * (1 - shares**2), 1e-9)) * shares**2
    total = np.cumsum(chance, axis=1)
    total /= total[:, -1:]
    c = model.tracer_concentration
    r = np.exp(np.interp(rng.uniform(0, enclosed(c * outer), n), enclosed(c * grid), np.log(grid)))
    row = np.clip(np.searchsorted(grid, r), 0, grid.size - 1)
    share = (total[row] < rng.uniform(size=(n, 1))).sum(axis=1) / 199 - rng.uniform(0, 1, n) / 199
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return r, (np.maximum(share, 0) * np.sqrt(2 * halo.potential(r)))[:, None] * direction


@pytest.mark.parametrize("name", ["distribution-function", "jeans"])
def test_masses_of_haloes_in_equilibrium_are_found(name):
    """Mamon et al. 2013: bias of R200c below 2 % with 500 tracers; here velocities are those of an exact f(E)."""
    rng = np.random.default_rng(1)
    mass = rng.uniform(14.2, 14.9, 30)
    sample = draw_clusters(mass, [JeansModel(4.0, 4.0)] * 30, 500, rng, max_radius=1.6, max_velocity=3500.0,
                           sphere=draw_isotropic)  # fmt: skip
    own = {"anisotropies": [(0.0, 0.0)]} if name == "distribution-function" else {"anisotropy_values": [0.0]}
    made = cm.make_estimator(name, concentrations=[2.8, 4.0, 5.6], tracer_ratios=[1.0], field=[0.0], **own)
    found = made.predict(sample)
    assert abs(np.mean(10 ** ((found.log10_mass - mass) / 3)) - 1) < 0.02
    pull = (found.log10_mass - mass) / (0.5 * (found.upper - found.lower))
    assert 0.6 < pull.std() < 1.5


def test_state_comes_back(tmp_path):
    pytest.importorskip("safetensors")
    made = cm.make_estimator("distribution-function", anisotropies=[(0.1, 0.4)], l0=0.3, concentrations=[4.0])
    save_estimator(tmp_path / "a.safetensors", made)
    assert load_estimator(tmp_path / "a.safetensors").state() == made.state()


@pytest.mark.parametrize(
    ("settings", "error", "name"),
    [({"anisotropies": [0.1, 0.2]}, BadInputError, "anisotropies"),
     ({"anisotropies": []}, BadInputError, "anisotropies"),
     ({"anisotropies": [(0.6, 0.6)]}, DomainError, "beta0"), ({"anisotropies": [(0, 1)]}, DomainError, "beta_inf"),
     ({"l0": 0.0}, DomainError, "l0")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(settings, error, name):
    with pytest.raises(error, match=name):
        cm.make_estimator("distribution-function", **settings)


def test_coma(real_data):
    table = np.genfromtxt(real_data("coma-sdss-dr20/coma_sample.txt"), names=True)
    coma = cm.ClusterSample(
        names=["A1656"], offsets=[0, len(table)], x=table["dproj"] * 1.0235, y=np.zeros(len(table)),
        velocity=table["vlos"], redshift=[0.0235], cosmology=Cosmology(h=0.7, omega_m=0.3), max_radius=[10.0],
        max_velocity=[3950.0])  # fmt: skip
    found = cm.make_estimator(
        "distribution-function", max_radius=2.3, concentrations=[5.6], tracer_ratios=[0.5]
    ).predict(coma)
    assert 0.53e15 < 10 ** found.log10_mass[0] < 1.88e15
    assert not found.flagged().any()
