"""Masses of one definition in another: against quadrature, colossus, and there and back."""

import numpy as np
import pytest
from scipy.integrate import quad

from clustermass import nfw
from clustermass.cosmology import PLANCK_2018
from clustermass.errors import DomainError


def test_enclosed_is_the_integral_of_the_density():
    for x in (1e-6, 9.9e-4, 1.01e-3, 0.3, 1.0, 5.0, 40.0):
        assert nfw.enclosed(x) == pytest.approx(quad(lambda r: r / (1 + r) ** 2, 0, x, epsabs=0)[0], rel=1e-10)


def test_mass_and_radius_are_each_other_inverse():
    mass, z = np.geomspace(1e13, 2e15, 7), np.linspace(0, 1.2, 7)
    radius = nfw.radius_of_mass(mass, 500.0, PLANCK_2018, z)
    np.testing.assert_allclose(nfw.mass_of_radius(radius, 500.0, PLANCK_2018, z), mass, rtol=1e-13)
    proper = radius / (1 + z)
    hubble = 100 * PLANCK_2018.h * PLANCK_2018.expansion(z)
    np.testing.assert_allclose(mass, 500 * hubble**2 * proper**3 / (2 * 4.30091e-9), rtol=1e-5)


@pytest.mark.parametrize("z", [0.0, 0.4, 1.0])
def test_concentration_and_conversion_agree_with_colossus(z):
    cosmology = pytest.importorskip("colossus.cosmology.cosmology")
    from colossus.halo import concentration, mass_defs

    params = dict(flat=True, H0=100 * PLANCK_2018.h, Om0=PLANCK_2018.omega_m, Ob0=0.049, sigma8=0.81, ns=0.965)
    cosmology.setCosmology("here", persistence="", relspecies=False, **params)
    mass = np.geomspace(2e13, 1e15, 5)
    c = concentration.concentration(mass * PLANCK_2018.h, "200c", z, model="dutton14")
    np.testing.assert_allclose(nfw.concentration(mass, PLANCK_2018, z), c, rtol=1e-6)
    want = mass_defs.changeMassDefinition(mass * PLANCK_2018.h, c, z, "200c", "500c")[0] / PLANCK_2018.h
    np.testing.assert_allclose(nfw.convert_mass(mass, 200, 500, PLANCK_2018, z), want, rtol=1e-4)


def test_conversion_there_and_back():
    mass, z = np.geomspace(1e13, 2e15, 50), np.linspace(0, 1, 50)
    for c in (None, 4.0):
        there = nfw.convert_mass(mass, 200, 500, PLANCK_2018, z, c)
        assert ((there < 0.8 * mass) & (there > 0.6 * mass)).all()
        np.testing.assert_allclose(nfw.convert_mass(there, 500, 200, PLANCK_2018, z, c), mass, rtol=1e-10)


def test_edges_of_conversion():
    got = nfw.convert_mass([np.nan, 0.0, 1e14], 500, 200, PLANCK_2018, 0.1)
    assert np.isnan(got[0])
    assert got[1] == 0
    assert nfw.convert_mass([1e14], 500, 500, PLANCK_2018, 0.1) == 1e14
    with pytest.raises(DomainError, match="to_overdensity"):
        nfw.convert_mass([1e14], 500, 0, PLANCK_2018, 0.1)
