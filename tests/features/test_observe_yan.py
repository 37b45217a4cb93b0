"""The noise and beams of Yan et al. 2020, table 1."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import PLANCK_2018, Cosmology
from clustermass.errors import ArrayError, DomainError
from clustermass.features.observe import Observation, observe
from clustermass.units import ARCMIN_RAD

CHANNELS = ("stars", "xray_soft", "xray_bolometric", "compton_y")
RMS = np.array([2.14e11, 9e-16, 9e-16, 1e-8])  # table 1
BEAMS = np.array([0.0, 4.0 / 60.0, 4.0 / 60.0, 1.4])  # arcmin
BLANK = np.zeros((30, 4, 120, 120), np.float32)


def seen(model, images=BLANK, **changes):
    return model.observe(images, **(dict(redshift=0.05, items=np.arange(len(images)), seed=2) | changes))


def test_table_1():
    model = cm.YanObservation(CHANNELS)
    assert model.noise_rms == tuple(RMS)
    np.testing.assert_allclose(np.array(model.beam_fwhm) / ARCMIN_RAD, BEAMS, rtol=1e-12)
    assert model.pixel_angle / ARCMIN_RAD * 60 == pytest.approx(10.0)


def test_beam_then_noise_has_the_rms_of_the_table_and_is_white():
    noise = seen(cm.YanObservation(CHANNELS, order="beam-then-noise", stars_noise="pixel"))
    error = 1 / np.sqrt(2 * noise[:, 0].size)
    np.testing.assert_allclose(noise.std((0, 2, 3), dtype=float), RMS, rtol=6 * error)
    beside = (noise[..., 1:] * noise[..., :-1].astype(float)).mean((0, 2, 3)) / RMS**2
    assert (abs(beside) < 6 / np.sqrt(noise[:, 0].size)).all()


def test_noise_then_beam_is_weaker_and_correlated_up_to_the_edge():
    """White noise through a Gaussian of width s: rms / (2 s sqrt(pi)), neighbours exp(-1 / 4 s^2)."""
    noise = seen(cm.YanObservation(CHANNELS, stars_noise="pixel")).astype(float)
    s = 1.4 * 6 / np.sqrt(8 * np.log(2))  # six pixels an arcminute
    y = noise[:, 3] / RMS[3]
    assert y.std() == pytest.approx(1 / (2 * s * np.sqrt(np.pi)), rel=0.02)
    assert (y[..., 1:] * y[..., :-1]).mean() / y.var() == pytest.approx(np.exp(-1 / (4 * s**2)), rel=0.01)
    rim = np.concatenate([y[:, 0], y[:, -1], y[:, :, 0], y[:, :, -1]])
    assert rim.std() == pytest.approx(y.std(), rel=0.1)  # 0.7 of it where the beam sees nothing outside
    assert noise[:, 0].std() == pytest.approx(RMS[0], rel=0.01)  # no beam


def test_stars_have_noise_per_area():
    """2.14e11 Msun/Mpc^2 times the area of a pixel, which grows with the redshift; the other reading is per pixel."""
    z = np.linspace(0.03, 0.07, len(BLANK))
    model = cm.YanObservation(["stars"])
    noise = seen(model, BLANK[:, :1], redshift=z)[:, 0].std((1, 2), dtype=float)
    area = (PLANCK_2018.angular_diameter_distance(z) * model.pixel_angle) ** 2
    np.testing.assert_allclose(noise, RMS[0] * area, rtol=6 / np.sqrt(2 * 120**2))
    with pytest.raises(DomainError, match="`redshift`"):
        seen(model, BLANK[:, :1], redshift=0.0)
    with pytest.raises(ArrayError, match="`redshift`"):
        seen(model, BLANK[:, :1], redshift=[0.05, 0.05])


def test_flux_inside_is_kept_and_a_constant_sky_stays_constant():
    images = np.zeros((1, 4, 120, 120))
    images[:, :, 60, 50] = 1.0
    clear = cm.YanObservation(CHANNELS, noise_rms=[0, 0, 0, 0])
    got = seen(clear, images)
    np.testing.assert_allclose(got.sum((2, 3)), 1.0, rtol=1e-12)
    assert got[0, 0, 60, 50] == pytest.approx(1.0)
    assert got[0, 3, 60, 50] < 0.02
    np.testing.assert_allclose(seen(clear, images * 0 + 3.0), 3.0, rtol=1e-12)


def test_same_noise_as_the_map_pipeline_adds_around_a_margin(rng):
    """A field with a border of its own edge pixels, through `features.observe.observe`, channel by channel."""
    ideal = rng.random((3, 1, 40, 40))
    fwhm = 1.4 * 6
    spec = Observation(noise=0.0, beam_fwhm=fwhm)
    padded = np.pad(ideal[:, 0], [(0, 0), (spec.margin,) * 2, (spec.margin,) * 2], mode="edge")
    want = observe(padded, spec, margin=spec.margin, items=np.arange(3), seed=1)
    got = seen(cm.YanObservation(["compton_y"], noise_rms=[0.0]), ideal)
    np.testing.assert_allclose(got[:, 0], want, rtol=1e-6)


def test_their_planck_like_case():
    model = cm.YanObservation(["compton_y"], noise_rms=[1e-6], beam_fwhm=[9.66 * ARCMIN_RAD])
    s = 9.66 * 6 / np.sqrt(8 * np.log(2))
    noise = seen(model, np.zeros((40, 1, 120, 120), np.float32))
    assert noise.std() == pytest.approx(1e-6 / (2 * s * np.sqrt(np.pi)), rel=0.15)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (dict(channels="stars"), "channels"),
        (dict(channels=[]), "channels"),
        (dict(channels=["light"]), "channels"),
        (dict(channels=["stars"], pixel_angle=0.0), "pixel_angle"),
        (dict(channels=["stars"], order="beam"), "order"),
        (dict(channels=["stars"], stars_noise="none"), "stars_noise"),
        (dict(channels=["stars"], noise_rms=[-1.0]), "noise_rms"),
        (dict(channels=["stars"], noise_rms=[1.0, 2.0]), "noise_rms"),
        (dict(channels=["stars"], beam_fwhm=[np.nan]), "beam_fwhm"),
    ],
)
def test_impossible_settings_are_refused(arguments, name):
    with pytest.raises((ArrayError, DomainError), match=f"`{name}`"):
        cm.YanObservation(**arguments)


def test_beams_are_angles_and_areas_those_of_the_cosmology():
    """A quarter of the pixel: as many more pixels a beam, less of a peak. Other distances: another noise of stars."""
    point = np.zeros((1, 1, 121, 121))
    point[0, 0, 60, 60] = 1.0
    peaks = []
    for pixel in (20.0, 5.0):
        clear = cm.YanObservation(["compton_y"], pixel_angle=pixel / 60 * ARCMIN_RAD, noise_rms=[0.0])
        peaks.append(seen(clear, point).max())
    assert peaks[0] / peaks[1] == pytest.approx(16.0, rel=0.01)
    small, flat = BLANK[:1, :1], Cosmology(h=0.35, omega_m=0.3)
    noise = [seen(cm.YanObservation(["stars"], cosmology=c), small) for c in (PLANCK_2018, flat)]
    ratio = (flat.angular_diameter_distance(0.05) / PLANCK_2018.angular_diameter_distance(0.05)) ** 2
    np.testing.assert_allclose(noise[1], ratio * noise[0], rtol=1e-5)
