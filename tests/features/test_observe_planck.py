"""Planck-like maps: beam, rms and correlation of the noise, and the real cut-out that it was measured on."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import DomainError
from clustermass.features.observe_planck import PLANCK_NOISE, PLANCK_PIXEL
from clustermass.units import ARCMIN_RAD

CUTOUT = "deepplanck/PSZ2G359.07-32.12.fits"
SIZE = 96
y, x = np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)
OFF_CENTRE = np.hypot(y, x) > 20
SCALE = 1.038  # of the packaged noise over the fit


def correlation(image, lags=(3, 4)):
    """Of pixels off the centre, in steps along both axes."""
    values, found = image - image[OFF_CENTRE].mean(), []
    for lag in lags:
        pairs = []
        for a, b in ((np.s_[lag:], np.s_[:-lag]), (np.s_[:, lag:], np.s_[:, :-lag])):
            both = OFF_CENTRE[a] & OFF_CENTRE[b]
            pairs.append((values[a] * values[b])[both].mean())
        found.append(np.mean(pairs) / values[OFF_CENTRE].var())
    return np.array(found)


@pytest.fixture(scope="module")
def noise():
    blank = np.zeros((300, 1, SIZE, SIZE), np.float32)
    return cm.PlanckObservation().observe(blank, items=np.arange(300), seed=4)[:, 0].astype(float)


def test_noise_is_as_strong_as_its_spectrum_says_in_every_pixel(noise):
    assert PLANCK_NOISE.variance**0.5 == pytest.approx(1.586e-6, rel=1e-3)
    ratio = noise.var(0) / PLANCK_NOISE.variance
    assert ratio.mean() == pytest.approx(1.0, abs=0.03)
    assert abs(ratio - 1).max() < 6 * np.sqrt(2 / 300)
    for rim in (ratio[0], ratio[-1], ratio[:, 0], ratio[:, -1]):
        assert rim.mean() == pytest.approx(1.0, abs=0.1)


def test_signal_is_smoothed_and_noise_is_not_smoothed_again(noise):
    point = np.zeros((300, 1, SIZE, SIZE), np.float32)
    point[:, 0, 48, 48] = 1e-3
    seen = cm.PlanckObservation().observe(point, items=np.arange(300), seed=4)[:, 0]
    clear = cm.PlanckObservation(noise=None).observe(point, items=np.arange(300), seed=4)[:, 0]
    np.testing.assert_allclose(seen - clear, noise, atol=2e-12)
    assert clear[0].sum(dtype=float) == pytest.approx(1e-3, rel=1e-5)
    half = clear[0, 48] > 0.5 * clear[0, 48].max()
    assert abs(half.sum() - 9.66 / 1.72) < 1
    wide = cm.PlanckObservation(noise=None, beam_fwhm=10 * ARCMIN_RAD).observe(point[:1], items=[0], seed=4)
    assert wide.max() == pytest.approx(clear[0].max() * 0.966**2, rel=0.01)


def test_other_pixels_see_the_same_sky():
    """In pixels of half the side, beams of the noise are twice as many pixels wide."""
    fine = cm.PlanckObservation(pixel_angle=0.5 * PLANCK_PIXEL)
    assert fine.noise.beams[1] == pytest.approx((1.413e-6, 9.02))
    assert fine.noise.variance == pytest.approx(PLANCK_NOISE.variance)
    point = np.zeros((1, 1, SIZE, SIZE))
    point[0, 0, 48, 48] = 1.0
    coarse, sharp = (cm.PlanckObservation(pixel_angle=k * PLANCK_PIXEL, noise=None) for k in (1.0, 0.5))
    peaks = [model.observe(point, items=[0], seed=1).max() for model in (coarse, sharp)]
    assert peaks[0] / peaks[1] == pytest.approx(4.0, rel=0.01)
    given = cm.BeamSpectrum(((1e-6, 5.0),))
    assert cm.PlanckObservation(pixel_angle=0.5 * PLANCK_PIXEL, noise=given).noise == given


def test_the_packaged_noise_is_that_of_the_real_map(real_data, noise):
    from astropy.io import fits

    with fits.open(real_data(CUTOUT)) as file:
        real = np.array(file[0].data, float)
    fit = cm.fit_beam_spectrum(cm.measure_power_spectrum(real, mask_radius=16), n_beams=3)
    for (rms, fwhm), (packaged_rms, packaged_fwhm) in zip(fit.beams, PLANCK_NOISE.beams, strict=True):
        assert packaged_rms == pytest.approx(SCALE * rms, rel=5e-3)
        assert packaged_fwhm == pytest.approx(fwhm, rel=5e-3)
    assert PLANCK_NOISE.white == pytest.approx(SCALE * fit.white, rel=5e-3)

    drawn = noise[:, OFF_CENTRE].std(1)
    assert real[OFF_CENTRE].std() == pytest.approx(1.57e-6, rel=5e-3)
    assert drawn.mean() == pytest.approx(1.57e-6, rel=0.01)
    assert drawn.std() == pytest.approx(0.07e-6, abs=0.02e-6)  # maps differ by so much
    each = np.array([correlation(one) for one in noise[:60]])
    pull = (correlation(real) - each.mean(0)) / each.std(0)
    assert (abs(pull) < 2.5).all()


def test_a_measured_spectrum_serves_as_noise():
    truth = cm.BeamSpectrum(((2e-6, 5.6),), white=2e-7)
    maps = cm.CorrelatedNoise(truth).draw((64, 64), items=np.arange(100), seed=9)
    model = cm.PlanckObservation(noise=cm.measure_power_spectrum(maps))
    again = model.observe(np.zeros((100, 1, 64, 64)), items=np.arange(100), seed=1)
    assert again.std() == pytest.approx(maps.std(), rel=0.05)


@pytest.mark.parametrize("arguments", [{"pixel_angle": 0}, {"beam_fwhm": -1.0}, {"noise": 1e-6}, {"noise": "planck"}])
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(DomainError, match=f"`{next(iter(arguments))}`"):
        cm.PlanckObservation(**arguments)


def test_noise_of_no_strength_is_no_noise():
    silent = cm.PlanckObservation(noise=cm.BeamSpectrum(((0.0, 5.0),)))
    sky = np.full((1, 1, 16, 16), 1e-5)
    np.testing.assert_allclose(silent.observe(sky, items=[0], seed=1), sky, rtol=1e-12)
