"""Point sources of PhotonObservation one by one: how many, how bright, where, and from which random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clustermass.cosmology import PLANCK_2018
from clustermass.features import erosita
from clustermass.features.photons import BRIGHTEST, FAINTEST, PhotonObservation, _spread, source_density
from clustermass.features.poisson import keyed_generator
from clustermass.units import ARCMIN_RAD, MPC_CM
from tests.tolerances import FALSE_ALARM

PIXEL = 0.4 * ARCMIN_RAD
EMPTY = np.zeros((1, 10, 40, 60))
DARK = {"background": np.zeros(10), "exposure": 1.0}


def sources(shape=(40, 60), n=60, z=0.3, **settings):
    """Rows, columns and fluxes of the sources of n images."""
    model = PhotonObservation(PIXEL, **DARK | settings)
    near, far = PLANCK_2018.angular_diameter_distance(z), PLANCK_2018.luminosity_distance(z) * MPC_CM
    drawn = [model._sources(keyed_generator(5, k), shape, float(near), float(far)) for k in range(n)]
    return [np.concatenate(column) for column in zip(*drawn, strict=True)]


def test_the_sky_is_even_to_its_border_and_as_bright_as_published():
    border = 3 * 0.5 / 0.4  # half-energy widths of 30 arcsec
    y, x, flux = sources(cluster_agn=0.0)
    assert flux.min() >= FAINTEST
    assert flux.max() <= BRIGHTEST
    area = 60 * (40 + 2 * border) * (60 + 2 * border) * (0.4 / 60) ** 2
    want = area * float(source_density(FAINTEST) - source_density(BRIGHTEST))
    assert abs(flux.size - want) < stats.norm.isf(FALSE_ALARM / 2) * np.sqrt(want)
    for place, side in ((y, 40), (x, 60)):
        low, wide = -0.5 - border, side + 2 * border
        assert stats.kstest((place - low) / wide, "uniform").pvalue > FALSE_ALARM
    ends = source_density(FAINTEST), source_density(BRIGHTEST)
    share = (ends[0] - source_density(flux)) / (ends[0] - ends[1])
    assert stats.kstest(share, "uniform").pvalue > FALSE_ALARM


def test_galaxies_of_the_cluster_lie_in_it_and_have_its_distance():
    """900 a cluster: half a proper Mpc along each axis, as many in a factor of luminosity less by that factor."""
    y, x, flux = sources(cluster_agn=900.0, point_sources=False)
    n, z = flux.size, 0.3
    assert abs(n - 60 * 900) < 6 * np.sqrt(60 * 900)
    spread = 0.5 / PLANCK_2018.angular_diameter_distance(z) / PIXEL
    for place, middle in ((y, 19.5), (x, 29.5)):
        assert abs(place.mean() - middle) < 6 * spread / np.sqrt(n)
        assert place.std() == pytest.approx(spread, rel=6 / np.sqrt(2 * n))
    luminosity = flux * 4 * np.pi * (PLANCK_2018.luminosity_distance(z) * MPC_CM) ** 2
    share = (1 - 3e42 / luminosity) / (1 - 3e42 / 1e45)
    assert stats.kstest(share, "uniform").pvalue > FALSE_ALARM


def test_sources_change_with_the_draw_and_with_the_seed():
    """Counts change anyway; what they are drawn from must too."""
    model, key = PhotonObservation(PIXEL, **DARK), {"redshift": [0.3], "items": [4], "seed": 1, "draw": 2}
    one = model.expected(EMPTY, **key)
    np.testing.assert_array_equal(model.expected(EMPTY, **key), one)
    for other in ({"seed": 2}, {"draw": 3}, {"items": [5]}):
        assert (model.expected(EMPTY, **key | other) != one).mean() > 0.5, other


def test_a_source_is_where_it_was_put_and_keeps_its_flux():
    image = _spread(np.array([2.3, 5.0]), np.array([7.0, 4.0]), np.array([1.0, 3.0]), (9, 12), 1.5)
    assert image.shape == (9, 12)
    assert image.sum() == pytest.approx(4.0, rel=1e-3)
    rows, columns = np.indices((9, 12))
    assert (image * rows).sum() / 4 == pytest.approx((2.3 + 15) / 4, abs=0.01)
    assert (image * columns).sum() / 4 == pytest.approx((7 + 12) / 4, abs=0.01)
    one = _spread(np.array([20.0]), np.array([20.0]), np.array([1.0]), (41, 41), 9.0)
    away = np.hypot(*(np.indices((41, 41)) - 20.0))
    assert one[away <= 4.5].sum() == pytest.approx(0.5, abs=0.03)  # half of the light within the width
    assert _spread(np.array([3.0]), np.array([4.0]), np.array([2.0]), (9, 12), 0.0)[3, 4] == pytest.approx(2.0)


def test_response_to_a_power_law_is_an_integral():
    """Photons of E^-slope in a band, for the energy that they carry between 0.5 and 2 keV before absorption."""
    for slope in (1.45, 1.9):
        energy = np.linspace(0.5, 2.0, 200_001)
        carried = np.trapezoid(energy ** (1 - slope), energy) * 1.602176634e-9
        band = np.linspace(0.866, 1.069, 20_001)
        seen = band**-slope * erosita.effective_area(band) * erosita.transmission(band)
        want = np.trapezoid(seen, band) / carried
        assert erosita.power_law_response((0.866, 1.069), slope) == pytest.approx(want, rel=1e-4)
