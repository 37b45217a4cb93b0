"""Networks on photon counts as estimators: every preset learns at toy size; stages, grid and augmentation."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from scipy import ndimage  # noqa: E402

import clustermass as cm  # noqa: E402
from clustermass.features.erosita import BAND_NAMES  # noqa: E402
from clustermass.models.networks.erosita import architectures  # noqa: E402
from clustermass.models.networks.layers import count_parameters  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.map_inputs import turned  # noqa: E402
from clustermass.training.presets import build_network, find_preset, find_space  # noqa: E402
from clustermass.training.presets_erosita import MAX_TURN, PRESETS  # noqa: E402
from clustermass.units import ARCMIN_RAD  # noqa: E402
from tests.universes import COSMOLOGY  # noqa: E402


def maps(n=100, seed=3, pixels=24):
    """Round clusters: counts tell mass over the square of the distance, the redshift tells the distance."""
    rng = np.random.default_rng(seed)
    log_mass, z = rng.uniform(13.5, 15.0, n), rng.uniform(0.1, 0.4, n)
    at = np.arange(pixels) - 0.5 * (pixels - 1)
    shape = np.exp(-0.5 * np.hypot(at, at[:, None]) ** 2 / 6.0)
    rate = 0.02 * 10 ** (1.0 * (log_mass - 14.3)) * (0.2 / z) ** 2
    images = (rate[:, None] * np.linspace(1.5, 0.5, 10))[:, :, None, None] * shape
    return cm.MapSample(
        images=images, channels=BAND_NAMES, pixel_angle=0.4 * ARCMIN_RAD, redshift=z, cosmology=COSMOLOGY,
        host_id=np.arange(n) + 1000 * seed, view=np.zeros(n, np.int64), log10_m500c=log_mass,
    )  # fmt: skip


@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_every_preset_learns_and_reloads_bit_for_bit(name, tmp_path):
    seen, unseen = maps(), maps(40, seed=4)
    settings = dict(epochs=12, batch_size=20, learning_rate=3e-3, patience=12)
    estimator = make_estimator(name, settings=settings, device="cpu").fit(seen)
    got = estimator.predict(unseen)
    assert got.mass_definition == "M500c"
    truth = unseen.log10_m500c
    assert (got.log10_mass - truth).std() < 0.75 * truth.std(), "a constant would have the scatter of the masses"
    save_estimator(tmp_path / "model.safetensors", estimator)
    again = load_estimator(tmp_path / "model.safetensors").predict(unseen)
    np.testing.assert_array_equal(again.log10_mass, got.log10_mass)
    epochs = len(estimator.history.train)
    assert epochs > 12 if find_preset(name).stages else epochs <= 12


def test_parameters_of_the_presets():
    count = {}
    for preset in PRESETS:
        network = build_network(preset.network, preset.options, (10, 50, 50))
        count[preset.name] = count_parameters(network)
    assert count["krippendorf-2024"] == 299_732
    assert count["erosita-cnn"] == 39_073
    assert count["erosita-gaussian"] == 39_073 + 65


def test_settings_of_the_report():
    preset = find_preset("erosita-cnn")
    assert (preset.settings.epochs, preset.settings.patience, preset.settings.seed) == (300, 30, 42)
    assert preset.settings.validation_share == 0.2  # of the 80 % that are not for the test
    assert preset.max_turn == pytest.approx(math.radians(36.0))
    assert find_preset("erosita-naive").augment == "none"
    assert not find_preset("erosita-naive").redshift


def test_grid_is_that_of_the_report():
    grid = find_space(find_preset("erosita-cnn")).grid
    assert {tuple(point.values()) for point in grid} == set(map(tuple, architectures()))


def test_turn_is_that_of_keras():
    """RandomRotation: bilinear, beyond the border (d c b a | a b c d | d c b a); counts are kept but for the border."""
    rng = np.random.default_rng(1)
    image = rng.random((1, 2, 24, 24)).astype(np.float32)
    angle = 0.7 * MAX_TURN
    at = np.arange(24) - 11.5
    y, x = np.meshgrid(at, at, indexing="ij")
    sine, cosine = math.sin(angle), math.cos(angle)
    places = [sine * x + cosine * y + 11.5, cosine * x - sine * y + 11.5]
    want = [ndimage.map_coordinates(channel, places, order=1, mode="reflect") for channel in image[0]]
    got = turned(image, np.array([angle]))[0]
    np.testing.assert_allclose(got, want, atol=2e-5)
    np.testing.assert_allclose(turned(image, np.array([0.0])), image, atol=1e-5)
