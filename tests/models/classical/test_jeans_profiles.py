"""The Jeans equation and its projection against quadrature and closed kernels."""

import numpy as np
import pytest
from scipy import integrate, special

from clustermass.errors import DomainError
from clustermass.models.classical.jeans import FIELD
from clustermass.models.classical.jeans_profiles import JeansModel, infall_density, phase_density
from tests.tolerances import JEANS

MODELS = [("constant", 0.0), ("constant", 0.4), ("constant", -0.5), ("mamon-lokas", 0.3), ("mamon-lokas", 1.7),
          ("osipkov-merritt", 0.6), ("tiret", 0.5), ("tiret", -0.6)]  # fmt: skip


def isotropic(u, ua):
    return np.sqrt(1 - u**-2.0)


def mamon_lokas(u, ua):
    if ua == 1:
        return (1 + 1 / u) * np.arccosh(u) - (8 / u + 7) / 6 * np.sqrt((u - 1) / (u + 1))
    bend = np.arccosh if ua > 1 else np.arccos
    last = np.sign(ua - 1) * ua * (ua**2 - 0.5) / abs(ua**2 - 1) ** 1.5 * (1 + ua / u)
    return (isotropic(u, ua) / (2 * (ua**2 - 1)) + (1 + ua / u) * np.arccosh(u)
            - last * bend((ua * u + 1) / (u + ua)))  # fmt: skip


def osipkov_merritt(u, ua):
    first = (ua**2 + 0.5) / (ua**2 + 1) ** 1.5 * (u**2 + ua**2) / u
    return first * np.arctan(np.sqrt((u**2 - 1) / (ua**2 + 1))) - isotropic(u, ua) / (2 * (ua**2 + 1))


def constant(u, b):
    whole = (1.5 - b) * np.sqrt(np.pi) * special.gamma(b - 0.5) / special.gamma(b)
    part = lambda a: special.betainc(a, 0.5, u**-2.0) * special.beta(a, 0.5)  # noqa: E731
    return 0.5 * u ** (2 * b - 1) * (whole + b * part(b + 0.5) - part(b - 0.5))


CLOSED = [("constant", 0.0, isotropic), ("constant", 0.7, constant), ("mamon-lokas", 0.3, mamon_lokas),
          ("mamon-lokas", 1.7, mamon_lokas), ("osipkov-merritt", 0.6, osipkov_merritt)]  # fmt: skip


def log_quad(f, low, high):
    return integrate.quad(lambda y: f(np.exp(y)) * np.exp(y), np.log(low), np.log(high), epsrel=1e-10, limit=400)[0]


@pytest.mark.parametrize(("name", "value", "kernel"), CLOSED)
@pytest.mark.parametrize("at", [0.03, 0.3, 1.0, 3.0])
def test_line_of_sight_dispersion_is_that_of_the_closed_kernels(name, value, kernel, at):
    model = JeansModel(4.0, 2.5, name, value)
    scaled = value if name == "constant" else value / at
    top = log_quad(lambda r: kernel(r / at, scaled) * model.tracers(r) * model.mass(r) / r, at * (1 + 1e-12), 1e7)
    surface = integrate.quad(
        lambda u: model.tracers(at * np.cosh(u)) * at * np.cosh(u), 0, np.arccosh(1e7 / at), epsrel=1e-10, limit=400
    )[0]
    got = model.sigma_los2(np.array([at]), outer=1e5)
    np.testing.assert_allclose(got, top / surface, rtol=JEANS)


@pytest.mark.parametrize(("name", "value"), MODELS)
def test_radial_dispersion_solves_the_jeans_equation(name, value):
    model = JeansModel(5.0, 3.0, name, value)
    for at in (0.01, 0.2, 1.0, 4.0):
        growth = lambda s: integrate.quad(lambda t: 2 * model.beta(np.array(t)) / t, at, s, epsrel=1e-11)[0]  # noqa: E731, B023
        inside = lambda s: np.exp(growth(s)) * model.tracers(s) * model.mass(s) / s**2  # noqa: E731, B023
        want = log_quad(inside, at, 1e6 * at) / model.tracers(at)
        np.testing.assert_allclose(model.sigma_r2(np.array(at)), want, rtol=JEANS)


def test_isotropic_is_the_same_in_every_form():
    r = np.geomspace(0.01, 5, 20)
    plain = JeansModel(4, 4).sigma_r2(r)
    np.testing.assert_allclose(JeansModel(4, 4, "tiret", 0.0).sigma_r2(r), plain, rtol=1e-13)
    np.testing.assert_allclose(JeansModel(4, 4, "mamon-lokas", 1e9).sigma_r2(r), plain, rtol=1e-6)
    np.testing.assert_allclose(JeansModel(4, 4, "osipkov-merritt", 1e9).sigma_r2(r), plain, rtol=1e-6)


@pytest.mark.parametrize(("name", "value"), MODELS)
def test_phase_space_adds_up_to_the_surface_density_and_the_dispersion(name, value):
    model = JeansModel(4.0, 2.0, name, value)
    at, speed = np.array([0.05, 0.5, 2.0]), np.linspace(0, 8, 4001)
    density = phase_density(model, at, speed)
    surface = [integrate.quad(lambda u, x=x: 2 * model.tracers(x * np.cosh(u)) * x * np.cosh(u), 0, np.arccosh(16 / x),
                              epsrel=1e-10)[0] for x in at]  # fmt: skip
    np.testing.assert_allclose(2 * np.trapezoid(density, speed, axis=1), surface, rtol=JEANS)
    second = 2 * np.trapezoid(density * speed**2, speed, axis=1)
    np.testing.assert_allclose(second / surface, model.sigma_los2(at), rtol=JEANS)


def test_there_is_one_tracer_within_r200():
    model = JeansModel(6.0, 3.5)
    assert log_quad(lambda r: 4 * np.pi * r**2 * model.tracers(r), 1e-9, 1.0) == pytest.approx(1, rel=1e-6)
    assert float(model.mass(np.array(1.0))) == 1


def test_interlopers_are_the_published_share():
    """23 % of what is within R200c in projection, after a cut at 2.7 sigma (abstract of Mamon et al. 2010)."""
    x, w = np.linspace(1e-4, 1, 2001), np.linspace(0, 1.7, 1001)
    per_radius = 2 * np.trapezoid(infall_density(x, w) + 0.00375, w, axis=1)
    n = np.trapezoid(2 * np.pi * x * per_radius, x)
    assert n / (1 + n) == pytest.approx(0.23, abs=0.03)


def test_field_is_about_that_of_the_mean_density():
    """Omega_m rho_c / H per area and velocity, in units of M200c / (R200c^2 V200): 3 Omega_m / (80 pi)."""
    assert pytest.approx(3 * 0.3 / (80 * np.pi), rel=0.1) == FIELD


@pytest.mark.parametrize(
    ("settings", "name"),
    [((0.0, 3.0), "concentration"), ((3.0, -1.0), "tracer_concentration"), ((3.0, 3.0, "none"), "anisotropy"),
     ((3.0, 3.0, "constant", 1.0), "value"), ((3.0, 3.0, "tiret", np.nan), "value"),
     ((3.0, 3.0, "mamon-lokas", 0.0), "value")],
)  # fmt: skip
def test_models_that_cannot_be_are_refused(settings, name):
    with pytest.raises(DomainError, match=name):
        JeansModel(*settings)
