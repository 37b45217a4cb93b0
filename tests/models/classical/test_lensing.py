"""Shear of NFW haloes against quadrature and colossus, and masses planted in noise."""

import numpy as np
import pytest
from scipy import integrate, stats

import clustermass as cm
from clustermass.cosmology import PLANCK_2018, Cosmology
from clustermass.errors import BadInputError, DomainError
from clustermass.models.classical.jeans import CONCENTRATION_SCATTER
from clustermass.models.classical.shear_profiles import (
    critical_surface_density,
    mean_shape,
    nfw_surface,
    surface_shape,
)
from clustermass.models.store import load_estimator, save_estimator
from clustermass.nfw import concentration
from tests.tolerances import LENSING

X = [1e-4, 3e-3, 0.05, 0.39, 0.41, 0.7, 0.86, 0.999, 1.0, 1.0 + 1e-9, 1.2, 1.4, 3.0, 30.0, 1e3]


def quad(f, low, high):
    return integrate.quad(f, low, high, epsabs=0, epsrel=1e-13, limit=500)[0]


@pytest.mark.parametrize("x", X)
def test_shapes_are_the_integrals(x):
    # along the line of sight, z = x sinh t: int dz / (r (1 + r)^2) = int dt / (1 + x cosh t)^2
    want = quad(lambda t: 1 / (1 + x * np.cosh(t)) ** 2, 0, np.arccosh(1e9 / x))
    np.testing.assert_allclose(surface_shape(x), want, rtol=LENSING)
    # mean within x: 2 / x^2 int_0^x y f(y) dy, half of it in `mean_shape`, from y = x exp(-s)
    inside = quad(lambda s: np.exp(-2 * s) * float(surface_shape(x * np.exp(-s))), 0, 1)
    inside += quad(lambda s: np.exp(-2 * s) * float(surface_shape(x * np.exp(-s))), 1, 5)
    inside += quad(lambda s: np.exp(-2 * s) * float(surface_shape(x * np.exp(-s))), 5, 40)
    np.testing.assert_allclose(mean_shape(x), inside, rtol=LENSING)


def test_excess_is_that_of_colossus():
    profile_nfw = pytest.importorskip("colossus.halo.profile_nfw")
    from colossus.cosmology import cosmology

    cosmology.setCosmology("test", params={"flat": True, "H0": 70.0, "Om0": 0.3, "Ob0": 0.05, "sigma8": 0.8, "ns": 0.96,
                                           "relspecies": False})  # fmt: skip
    ours, z, c, h = Cosmology(h=0.7, omega_m=0.3), 0.4, 4.5, 0.7
    theirs = profile_nfw.NFWProfile(M=6e14 * h, c=c, z=z, mdef="200c")
    r = np.geomspace(0.1, 4, 9)  # comoving Mpc
    proper_kpc_h = r / (1 + z) * 1e3 * h
    unit = h * 1e6 / (1 + z) ** 2  # Msun h / kpc^2 to Msun per comoving Mpc^2
    sigma, excess = nfw_surface(r, np.full(9, 6e14), c, ours, z)
    np.testing.assert_allclose(sigma, theirs.surfaceDensity(proper_kpc_h) * unit, rtol=2e-4)
    np.testing.assert_allclose(excess, theirs.deltaSigma(proper_kpc_h) * unit, rtol=2e-4)


@pytest.mark.parametrize("omega_lambda", [0.7, 0.0, 1.1])
def test_critical_density_is_that_of_astropy(omega_lambda):
    from astropy import constants, units
    from astropy.cosmology import LambdaCDM

    theirs = LambdaCDM(H0=70, Om0=0.3, Ode0=omega_lambda, Tcmb0=0)
    near, far = theirs.angular_diameter_distance(0.3), theirs.angular_diameter_distance(1.2)
    between = theirs.angular_diameter_distance(0.3, 1.2)
    want = (constants.c**2 / (4 * np.pi * constants.G) * far / (near * between)).to(units.Msun / units.Mpc**2).value
    got = critical_surface_density(Cosmology(h=0.7, omega_m=0.3, omega_lambda=omega_lambda), 0.3, 1.2)
    np.testing.assert_allclose(got * 1.3**2, want, rtol=3e-5)  # astropy's G is the CODATA value


def planted(n, rng, noise=0.01, low=14.2, high=15.0, rings=10):
    mass = rng.uniform(low, high, n)
    z = rng.uniform(0.1, 0.5, n)
    c = concentration(10**mass, PLANCK_2018, z) * 10 ** (CONCENTRATION_SCATTER * rng.normal(size=n))
    radius = np.geomspace(0.3, 3.0, rings)
    critical = critical_surface_density(PLANCK_2018, z, 1.0)[:, None]
    sigma, excess = nfw_surface(radius, 10.0 ** mass[:, None], c[:, None], PLANCK_2018, z[:, None])
    shear = excess / critical / (1 - sigma / critical)
    profiles = cm.ShearProfiles(
        names=[f"c{k}" for k in range(n)], offsets=np.arange(n + 1) * rings, radius=np.tile(radius, n),
        shear=(shear + rng.normal(0, noise, shear.shape)).ravel(), error=np.full(n * rings, noise), redshift=z,
        cosmology=PLANCK_2018, source_redshift=np.full(n, 1.0))  # fmt: skip
    return mass, profiles


def test_planted_masses_come_back_with_honest_errors():
    mass, profiles = planted(300, np.random.default_rng(1))
    found = cm.make_estimator("lensing").predict(profiles)
    pit = found.cdf(mass)
    assert stats.kstest(pit, "uniform").pvalue > 1e-3
    assert stats.binomtest(int((np.abs(pit - 0.5) < 0.34135).sum()), 300, 0.6827).pvalue > 1e-3
    pull = (found.log10_mass - mass) / (0.5 * (found.upper - found.lower))
    assert abs(pull.mean()) < 0.2
    assert 0.03 < np.median(found.upper - found.lower) / 2 < 0.15


def test_without_noise_the_mass_is_exact():
    mass, _ = planted(20, np.random.default_rng(2))
    z, radius = np.full(20, 0.3), np.geomspace(0.3, 3, 8)
    sigma, excess = nfw_surface(
        radius, 10.0 ** mass[:, None], concentration(10.0**mass, PLANCK_2018, z)[:, None], PLANCK_2018, 0.3
    )
    shear = (excess / 2e15 / (1 - sigma / 2e15)).ravel()
    profiles = cm.ShearProfiles(
        names=np.arange(20).astype(str), offsets=np.arange(21) * 8, radius=np.tile(radius, 20), shear=shear,
        error=0.02 * shear, redshift=z, cosmology=PLANCK_2018, sigma_critical=np.full(20, 2e15))  # fmt: skip
    found = cm.make_estimator("lensing", concentrations=None).predict(profiles)
    np.testing.assert_allclose(found.log10_mass, mass, atol=2e-3)
    part = cm.make_estimator("lensing", concentrations=None).predict(profiles.only([7, 3]))
    np.testing.assert_allclose(part.density, found.density[[7, 3]], rtol=1e-9)


def test_a_shear_of_nothing_is_at_the_edge_and_no_ring_is_nan():
    _, profiles = planted(3, np.random.default_rng(3), noise=0.03)
    zero = np.concatenate([profiles.shear[:10], np.full(10, -0.2)])
    few = cm.ShearProfiles(
        names=["a", "b", "c"], offsets=[0, 10, 20, 20], radius=profiles.radius[:20], shear=zero,
        error=profiles.error[:20], redshift=profiles.redshift, cosmology=PLANCK_2018, source_redshift=[1, 1, 1],
    )  # fmt: skip
    found = cm.make_estimator("lensing").predict(few)
    assert found.flagged("at_prior_edge").tolist() == [False, True, False]
    assert np.isnan(found.log10_mass).tolist() == [False, False, True]
    assert found.flagged("missing_input").tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [({"radius": [0.0]}, DomainError, "radius"), ({"error": [0.0]}, DomainError, "error"),
     ({"shear": [np.nan]}, BadInputError, "shear"), ({"source_redshift": [0.2]}, DomainError, "source_redshift"),
     ({"source_redshift": None}, BadInputError, "sigma_critical"), ({"names": ["a", "b"]}, BadInputError, "names"),
     ({"sigma_critical": [1e15]}, BadInputError, "either")],
)  # fmt: skip
def test_profiles_that_cannot_be_are_refused(changes, error, name):
    good = {"names": ["a"], "offsets": [0, 1], "radius": [1.0], "shear": [0.1], "error": [0.1], "redshift": [0.3],
            "cosmology": PLANCK_2018, "source_redshift": [1.0]}  # fmt: skip
    assert len(cm.ShearProfiles(**good)) == 1
    with pytest.raises(error, match=name):
        cm.ShearProfiles(**(good | changes))


def test_galaxies_are_no_shear_and_the_state_comes_back(tmp_path):
    made = cm.make_estimator("lensing", concentrations=[3.0, 5.0])
    with pytest.raises(BadInputError, match="ShearProfiles"):
        made.predict(object())
    pytest.importorskip("safetensors")
    save_estimator(tmp_path / "a.safetensors", made)
    assert load_estimator(tmp_path / "a.safetensors").state() == made.state()
