"""M200c of the mass within a sphere, and the surface term of the virial theorem."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.models.classical.aperture_mass import (
    m200c_of_aperture,
    projected_surface_factor,
    virial_surface_factor,
)
from clustermass.nfw import concentration, enclosed, radius_of_mass
from tests.models.classical.samples import MDPL2


def test_published_factors():
    np.testing.assert_allclose(virial_surface_factor([2, 4, 8]), [0.68, 0.78, 0.86], atol=0.005)


@pytest.mark.parametrize("reach", [0.5, 2.0, 5.0, 12.0])
def test_factor_by_its_definition(reach):
    """1 - 4 pi b^3 rho(b) / M(b) [s_r(b) / s(<b)]^2: s_r of the Jeans equation, s the 3-D dispersion within b."""
    quad = pytest.importorskip("scipy.integrate").quad

    def density(r):
        return 1 / (r * (1 + r) ** 2)

    def variance(r):
        return quad(lambda s: density(s) * float(enclosed(s)) / s**2, r, np.inf, epsabs=0, epsrel=1e-10)[0] / density(r)

    mass = quad(lambda r: density(r) * r * r, 0, reach)[0]
    mean = quad(lambda r: density(r) * r * r * 3 * variance(r), 1e-8, reach, epsrel=1e-7)[0] / mass
    want = 1 - reach**3 * density(reach) / mass * variance(reach) / mean
    np.testing.assert_allclose(virial_surface_factor(reach), want, rtol=1e-4)
    # 32 / pi <v^2 R> of isotropic orbits is 8 <r s_r^2>
    weighted = quad(lambda r: density(r) * r**3 * variance(r), 1e-8, reach, epsrel=1e-7)[0] / mass
    np.testing.assert_allclose(projected_surface_factor(reach), float(enclosed(reach)) / (8 * weighted), rtol=1e-4)


@pytest.mark.parametrize("factor", [None, virial_surface_factor, projected_surface_factor])
@pytest.mark.parametrize("reach", [0.4, 1.0, 3.0])
def test_planted_haloes_come_back(reach, factor):
    m200c, z = np.array([3e13, 2e14, 1.5e15, 1e14]), np.array([0.0, 0.1, 0.4, 1.0])
    r200c, c = radius_of_mass(m200c, 200.0, MDPL2, z), concentration(m200c, MDPL2, z)
    mass = m200c * enclosed(reach * c) / enclosed(c)
    if factor:
        mass = mass / factor(reach * c)
    got, settled = m200c_of_aperture(mass, reach * r200c, MDPL2, z, factor)
    np.testing.assert_allclose(got, m200c, rtol=1e-8)
    assert settled.all()


def test_what_has_no_mass():
    mass, radius = np.array([np.nan, 0.0, -1.0, 1e14, 1e14]), np.array([1.0, 1.0, 1.0, 0.0, 1.0])
    got, settled = m200c_of_aperture(mass, radius, MDPL2, np.zeros(5), virial_surface_factor)
    assert np.isnan(got).tolist() == [True, True, True, True, False]
    assert settled.tolist() == [False, False, False, False, True]
    # next to nothing, and more than a universe, within a megaparsec
    odd, _ = m200c_of_aperture(np.array([1.0, 1e22]), np.ones(2), MDPL2, np.zeros(2), virial_surface_factor)
    assert np.isnan(odd).all()


@pytest.mark.parametrize("factor", [None, virial_surface_factor, projected_surface_factor])
def test_all_densities_of_clusters_end(factor):
    radius, density = (a.ravel() for a in np.meshgrid(np.geomspace(1e-3, 30, 40), np.geomspace(0.2, 5e4, 60)))
    mass = density * 4 / 3 * np.pi * radius**3 * 1.27e11
    got, settled = m200c_of_aperture(mass, radius, MDPL2, np.full(mass.size, 0.1), factor)
    assert np.isfinite(got).all()
    assert settled.all()
