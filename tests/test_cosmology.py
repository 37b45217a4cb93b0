"""Distances against astropy, an independent code."""

import astropy.cosmology
import numpy as np
import pytest

from clustermass.cosmology import PLANCK_2018, Cosmology
from clustermass.errors import DomainError

REDSHIFTS = np.array([1e-3, 0.03, 0.07, 0.5, 1.0, 3.0, 10.0])


@pytest.mark.parametrize(
    ("h", "omega_m", "omega_lambda"), [(0.6766, 0.30966, 0.69034), (0.7, 0.3, 0.8), (0.7, 0.3, 0.0), (1.0, 1.0, 0.0)]
)
def test_distances_agree_with_astropy(h, omega_m, omega_lambda):
    ours = Cosmology(h, omega_m, omega_lambda)
    theirs = astropy.cosmology.LambdaCDM(100 * h, omega_m, omega_lambda)
    for name in ("comoving_distance", "angular_diameter_distance", "luminosity_distance"):
        got, want = getattr(ours, name)(REDSHIFTS), getattr(theirs, name)(REDSHIFTS).to_value("Mpc")
        np.testing.assert_allclose(got, want, rtol=1e-10)


def test_default_is_flat_and_shape_is_kept():
    flat = Cosmology(0.7, 0.3)
    assert flat.omega_lambda == pytest.approx(0.7)
    assert flat.comoving_distance(0.0) == 0
    assert PLANCK_2018.luminosity_distance(np.full((2, 3), 0.1)).shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0.0, 0.3), "h"), ((0.7, 0.0), "omega_m"), ((0.7, np.nan), "omega_m"), ((0.7, 0.3, np.inf), "omega_lambda")],
)
def test_impossible_universes_are_named(arguments, name):
    with pytest.raises(DomainError, match=f"`{name}`"):
        Cosmology(*arguments)


@pytest.mark.parametrize("z", [-0.1, np.nan, np.inf])
def test_impossible_redshifts_are_named(z):
    with pytest.raises(DomainError, match="`redshift`"):
        PLANCK_2018.comoving_distance(z)
