"""Chandra-like images: counts of an exposure, and what smoothing does to them."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import BadInputError, DomainError

FLAT = np.full((4, 1, 64, 64), 2e-15)


def seen(model, images=FLAT):
    return model.observe(images, redshift=0.05, items=np.arange(len(images)), seed=3)


def test_counts_are_poisson_numbers_of_flux_and_background():
    model = cm.ChandraObservation(smoothing_fwhm=0.0, psf_fwhm=0.0)
    assert model.counts_per_flux == pytest.approx(1e5 * 400 / 1.602177e-9, rel=1e-6)
    assert model.background_counts == pytest.approx(150 / 36)  # 36 pixels an arcmin^2
    expected = 2e-15 * model.counts_per_flux + model.background_counts
    counts = seen(model) * model.counts_per_flux + model.background_counts
    np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
    assert counts.mean() == pytest.approx(expected, abs=6 * np.sqrt(expected / FLAT.size))
    assert counts.var() / expected == pytest.approx(1.0, abs=6 * np.sqrt(2 / FLAT.size))


def test_longer_exposures_converge_on_the_smoothed_sky():
    images = np.zeros((1, 1, 64, 64))
    images[0, 0, 30:34, 30:34] = 1e-14
    errors = []
    limit = None
    for exposure in (1e13, 1e4, 1e6):
        got = seen(cm.ChandraObservation(exposure=exposure), images)
        limit = got if limit is None else limit
        errors.append(np.abs(got - limit).mean())
    assert limit.sum() == pytest.approx(images.sum(), rel=1e-3)
    assert limit.max() < 1e-14
    assert errors[1] / errors[2] == pytest.approx(10.0, rel=0.2)


def test_smoothing_makes_neighbours_alike_and_noise_weaker():
    whole, smooth = (seen(cm.ChandraObservation(smoothing_fwhm=f))[:, 0] for f in (0.0, 1e-4))
    s = 1e-4 / cm.ChandraObservation().pixel_angle / np.sqrt(8 * np.log(2))
    # the blur before makes no difference here: the sky is flat and photons arrive one by one
    assert smooth.std() / whole.std() == pytest.approx(1 / (2 * s * np.sqrt(np.pi)), rel=0.05)
    assert smooth.mean() == pytest.approx(2e-15, rel=0.01)


def test_negative_fluxes_are_refused():
    with pytest.raises(BadInputError):
        seen(cm.ChandraObservation(), -FLAT)


@pytest.mark.parametrize(
    ("name", "value"),
    [("pixel_angle", 0), ("exposure", 0), ("effective_area", -1), ("photon_energy", 0), ("background", -1),
     ("psf_fwhm", np.nan), ("smoothing_fwhm", -1)],
)  # fmt: skip
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(DomainError, match=f"`{name}`"):
        cm.ChandraObservation(**{name: value})


def test_the_blur_of_the_telescope_comes_before_the_photons():
    """Without smoothing: whole counts, of a point spread over three pixels full width."""
    point = np.zeros((1, 1, 33, 33))
    point[0, 0, 16, 16] = 1e-4
    pixel = cm.ChandraObservation().pixel_angle
    got = seen(cm.ChandraObservation(psf_fwhm=3 * pixel, smoothing_fwhm=0.0, exposure=1e6), point)[0, 0]
    assert got.sum() == pytest.approx(1e-4, rel=1e-3)
    away = np.hypot(*(np.indices((33, 33)) - 16.0))
    width = np.sqrt((got * away**2).sum() / got.sum() / 2)
    assert width == pytest.approx(3 / np.sqrt(8 * np.log(2)), rel=0.02)
