"""Keys and telescopes of MapInputs, masses and redshifts of networks on maps; telescopes that tell what they get."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

import clustermass as cm  # noqa: E402
from clustermass.errors import BadInputError, MissingFieldError  # noqa: E402
from clustermass.models.posterior import FLAGS, MassPosterior  # noqa: E402
from clustermass.nfw import convert_mass  # noqa: E402
from clustermass.training import redshift_bins  # noqa: E402
from clustermass.training.map_estimator import MapEstimator, true_map_masses  # noqa: E402
from clustermass.training.map_inputs import MapInputs, turned  # noqa: E402
from clustermass.training.map_preset import MapPreset  # noqa: E402
from clustermass.training.redshift_bins import RedshiftBins  # noqa: E402
from clustermass.training.settings import TrainingSettings  # noqa: E402
from tests.universes import COSMOLOGY  # noqa: E402


class Recorder:
    """A telescope that keeps what it was asked, and adds the redshift."""

    def __init__(self):
        self.calls = []

    def observe(self, images, *, redshift, items, seed, draw=0, n_threads=1):
        self.calls.append((np.array(items), seed, draw))
        return images + np.asarray(redshift, np.float32)[:, None, None, None]


def maps(n=6, **changes):
    given = dict(
        images=np.zeros((n, 1, 4, 6)), channels=("compton_y",), pixel_angle=1e-4, redshift=np.linspace(0.1, 0.6, n),
        cosmology=COSMOLOGY, host_id=np.arange(n) // 2 + 70, view=np.arange(n) % 2,
        log10_m200c=np.linspace(14.0, 14.5, n),
    )  # fmt: skip
    return cm.MapSample(**given | changes)


def source(telescope=None, **changes):
    make = None if telescope is None else lambda angle: telescope
    settings = dict(channels=("compton_y",), telescope=make) | changes
    preset = MapPreset("toy", "", "maps", TrainingSettings(), "yan", {}, **settings)
    return MapInputs(maps(), preset, seed=9, device="cpu")


def test_every_view_of_every_host_has_a_key_and_every_step_a_draw():
    telescope = Recorder()
    inputs, rows, still = source(telescope), np.array([4, 1, 0, 5]), np.zeros(4, bool)
    for key in (None, 0, 1, None):
        (images,) = inputs.batch(rows, still, key)
        np.testing.assert_allclose(images[:, 0, 0, 0], [0.5, 0.2, 0.1, 0.6], rtol=1e-6)
    items, seeds, draws = zip(*telescope.calls, strict=True)
    assert np.unique(inputs.items).size == 6
    for one in items:
        np.testing.assert_array_equal(one, inputs.items[rows])
    assert set(seeds) == {9}
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3, "no step of a training draws what prediction draws"


def test_noise_that_is_not_drawn_anew_is_drawn_once():
    telescope = Recorder()
    inputs = source(telescope, fresh_noise=False, redshift=True)
    assert len(telescope.calls) == 1
    images, redshift = inputs.batch(np.array([[3], [2]]), np.zeros((2, 1), bool), 5)
    assert len(telescope.calls) == 1
    np.testing.assert_allclose(images[:, 0, 0, 0, 0], [0.4, 0.3], rtol=1e-6)
    np.testing.assert_allclose(redshift, [[0.4], [0.3]], rtol=1e-6)
    assert source().batch(np.array([1]), np.zeros(1, bool), 5)[0].abs().sum() == 0


def test_turns_are_even_over_both_sides_and_change_with_the_step():
    x = np.zeros((2000, 1, 9, 9), np.float32)
    x[:, 0, 4, 8] = 1.0
    data = maps(2000, images=x)
    preset = MapPreset("toy", "", "maps", TrainingSettings(), "yan", {}, channels=("compton_y",), augment="turn",
                       max_turn=0.5)  # fmt: skip
    inputs, rows, still = MapInputs(data, preset, seed=1, device="cpu"), np.arange(2000), np.zeros(2000, bool)
    at = np.arange(9) - 4.0
    first, other = (inputs.batch(rows, still, key)[0][:, 0].numpy() for key in (1, 2))
    angle = np.arctan2((first * at[:, None]).sum((1, 2)), np.abs((first * at).sum((1, 2))))
    assert abs(angle.mean()) < 0.05
    assert angle.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.1)
    assert (np.abs(first - other).max((1, 2)) > 0).mean() > 0.99


def test_oblong_images_keep_their_shapes_when_they_turn():
    image = np.zeros((1, 1, 21, 41), np.float32)
    image[0, 0, 10, 26] = 1.0  # six to the right of the middle
    got = turned(image, np.array([0.5 * np.pi]))[0, 0]
    assert np.unravel_index(got.argmax(), got.shape) == (4, 20)
    assert got.max() == pytest.approx(1.0, abs=1e-3)


def test_masses_of_maps_are_converted_where_they_lack():
    m200 = np.array([14.0, 14.5, 15.0])
    z = np.array([0.1, 0.2, 0.3])
    own = maps(3, log10_m200c=m200, redshift=z)
    want = np.log10(convert_mass(10**m200, 200, 500, COSMOLOGY, z))
    assert (want < m200 - 0.1).all()
    np.testing.assert_allclose(true_map_masses(own, "M500c"), want)
    np.testing.assert_array_equal(true_map_masses(own, "M200c"), m200)
    some = maps(3, log10_m200c=m200, redshift=z, log10_m500c=[13.5, np.nan, 14.7])
    np.testing.assert_allclose(true_map_masses(some, "M500c"), [13.5, want[1], 14.7])
    with pytest.raises(BadInputError, match="1 of 3"):
        true_map_masses(maps(3, log10_m200c=None, log10_m500c=[13.5, np.nan, 14.7]), "M500c")
    with pytest.raises(BadInputError, match="2 of 3"):
        true_map_masses(maps(3, log10_m200c=[np.nan, np.nan, 14.0]), "M500c")
    with pytest.raises(MissingFieldError, match="neither"):
        true_map_masses(maps(3, log10_m200c=None), "M500c")


def test_the_mass_function_hears_of_redshift_and_observations_of_their_draw():
    estimator = MapEstimator("map-resnet", device="cpu")
    estimator._shape = (4, 16, 16)
    network = estimator._network()
    estimator._state = {name: values.numpy() for name, values in network.state_dict().items()}
    estimator._scale = (13.5, 15.5)
    mass_of, images = estimator.mass_function(), torch.zeros(2, 4, 16, 16)
    near, far = mass_of(images, torch.tensor([0.1, 0.9])).tolist()
    assert near != far
    four = ("stars", "xray_soft", "xray_bolometric", "compton_y")
    ideal = maps(3, images=np.zeros((3, 4, 16, 16)), channels=four, redshift=[0.03, 0.05, 0.06])
    zero, again, one = (estimator.observed(ideal, draw=draw).images for draw in (0, 0, 1))
    np.testing.assert_array_equal(zero, again)
    assert (zero != one).mean() > 0.9


class FakeEstimator(MapEstimator):
    """Keeps the rows that each network is made of; predicts its number, with a known interval."""

    def fit_folds(self, clusters, training_rows):
        found = []
        for number, rows in enumerate(training_rows):
            one = FakeEstimator(self.preset.name, device="cpu")
            one.rows, one.number = rows, number
            found.append(one)
        return found

    def predict(self, clusters):
        n = len(clusters)
        flags = np.full(n, FLAGS["no_interval"] if self.number else 0, np.uint32)
        return MassPosterior.from_gaussian(np.full(n, 14.0), np.full(n, 0.1), "M500c", flags=flags)


def test_bins_give_each_fold_the_best_of_its_own_runs(monkeypatch):
    monkeypatch.setattr(redshift_bins, "MapEstimator", FakeEstimator)
    monkeypatch.setattr(RedshiftBins, "_least_biased", lambda self, runs, clusters, rows: runs[-1])
    n = 90
    data = maps(n, images=np.zeros((n, 1, 4, 4)), redshift=np.tile([0.05, 0.15, 0.3], 30), host_id=np.arange(n))
    folds = [np.arange(0, 60), np.arange(30, 90)]
    estimators = RedshiftBins("deepplanck", runs=3, device="cpu").fit_folds(data, folds)
    for fold, one in zip(folds, estimators, strict=True):
        for number, part in one._parts.items():
            np.testing.assert_array_equal(part.rows, fold[fold % 3 == number])
        assert [part.number for part in one._parts.values()] == [3 * (fold[0] > 0) + 2] * 3
        got = one.predict(data)
        np.testing.assert_allclose(got.upper - got.log10_mass, 0.1, rtol=1e-6)
        assert not got.flagged("no_interval").any()
