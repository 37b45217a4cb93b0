"""Networks on maps as estimators: every preset learns at toy size, and comes back from its file with the same bits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

import clustermass as cm  # noqa: E402
from clustermass.errors import ArrayError, DomainError, MissingFieldError, NotFittedError  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.map_estimator import MapEstimator  # noqa: E402
from clustermass.training.map_inputs import MapInputs, turned  # noqa: E402
from clustermass.training.map_preset import MapPreset  # noqa: E402
from clustermass.training.presets_maps import PRESETS  # noqa: E402
from clustermass.training.redshift_bins import worst_bias  # noqa: E402
from clustermass.training.settings import TrainingSettings  # noqa: E402
from tests.universes import COSMOLOGY  # noqa: E402

BY_NAME = {preset.name: preset for preset in PRESETS if preset.inputs == "maps"}
LEVEL = {"stars": 1e10, "xray_soft": 2e-15, "xray_bolometric": 5e-15, "compton_y": 3e-4}
EIGHT = [np.rot90(np.arange(9.0).reshape(3, 3)[::step], k) for step in (1, -1) for k in range(4)]


def maps(n=120, seed=3, pixels=16, views=1, **changes):
    """Round clusters whose brightness and size tell the mass."""
    rng = np.random.default_rng(seed)
    host = np.arange(n) // views + 1000 * seed
    log_mass = np.repeat(rng.uniform(13.5, 15.0, -(-n // views)), views)[:n]
    at = np.arange(pixels) - 0.5 * (pixels - 1)
    radius = np.hypot(at, at[:, None])
    size = 3.0 * 10 ** ((log_mass - 14.5) / 3)
    shape = np.exp(-0.5 * (radius / size[:, None, None]) ** 2) * 10 ** (0.9 * (log_mass - 14.5))[:, None, None]
    images = np.stack([level * shape for level in LEVEL.values()], axis=1)
    given = dict(
        images=images, channels=tuple(LEVEL), pixel_angle=10 / 206265, redshift=rng.uniform(0.03, 0.07, n),
        cosmology=COSMOLOGY, host_id=host, view=np.arange(n) % views, log10_m200c=log_mass, log10_m500c=log_mass - 0.15,
    )  # fmt: skip
    return cm.MapSample(**given | changes)


def toy(name, **options):
    if BY_NAME[name].options["head"] == "nsf":
        pytest.importorskip("zuko", reason="zuko is not installed")
    settings = dict(epochs=8, batch_size=12, learning_rate=1e-3, patience=None, optimiser="adam")
    return make_estimator(name, settings=settings | options.pop("settings", {}), device="cpu", **options)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_preset_learns_and_reloads_bit_for_bit(name, tmp_path):
    # a beam of Planck fills images of 24 of its pixels: these are wider
    wide = dict(pixel_angle=BY_NAME[name].pixel_angle * 4, pixels=24) if "planck" in name else {}
    seen, unseen = maps(**wide), maps(60, seed=4, **wide)
    estimator = toy(name).fit(seen)
    got = estimator.predict(unseen)
    definition = BY_NAME[name].mass_definition
    truth = {"M200c": unseen.log10_m200c, "M500c": unseen.log10_m500c}[definition]
    assert got.mass_definition == definition
    assert (got.log10_mass - truth).std() < 0.6 * truth.std(), "a constant would have the scatter of the masses"
    if BY_NAME[name].options["head"] == "point":
        assert estimator.history.train[-1][0] < 0.6 * (4 / 12), "the loss of a constant is the variance"
    assert (got.upper > got.lower).all()
    path = tmp_path / "model.safetensors"
    save_estimator(path, estimator)
    again = load_estimator(path).predict(unseen)
    for field in ("log10_mass", "lower", "upper", "flags"):
        np.testing.assert_array_equal(getattr(again, field), getattr(got, field))


@pytest.mark.parametrize(
    ("name", "head"),
    [("yan-multichannel", "spline"), ("deepplanck", "nsf"), ("map-resnet", "maf")],
)
def test_any_network_on_maps_takes_any_flow(name, head, tmp_path):
    """In one bin of redshift or several, with masses of their own."""
    pytest.importorskip("zuko", reason="zuko is not installed")
    deep = name == "deepplanck"
    wide = dict(pixel_angle=BY_NAME[name].pixel_angle * 4, pixels=24) if deep else {}
    redshift = np.where(np.arange(60) % 2, 0.05, 0.15) if deep else np.full(60, 0.05)
    data = maps(60, redshift=redshift, **wide)
    estimator = toy(name, settings=dict(epochs=3), options=dict(head=head)).fit(data)
    got = estimator.predict(data)
    assert got.density.shape == (60, got.grid.size)
    assert (got.upper > got.lower).all()
    np.testing.assert_allclose(np.trapezoid(got.density, got.grid, axis=1), 1, rtol=1e-6)
    if deep:
        for (low, high), part in estimator.parts.items():
            rows = np.flatnonzero((redshift > low) & (redshift <= high))
            alone = part.predict(data.only(rows))
            np.testing.assert_allclose(got.log10_mass[rows], alone.log10_mass, atol=2e-3)
            np.testing.assert_allclose((got.upper - got.lower)[rows], alone.upper - alone.lower, atol=4e-3)
    save_estimator(tmp_path / "model.safetensors", estimator)
    np.testing.assert_array_equal(load_estimator(tmp_path / "model.safetensors").predict(data).density, got.density)


def test_scale_is_of_the_rows_that_train_each_fold():
    data = maps(60)
    bright = data.images.copy()
    bright[30:] *= 100
    changed = maps(60, images=bright)
    rows = [np.arange(30), np.arange(30, 60)]
    settings = dict(epochs=1)
    first, second = toy("yan-compton-y", settings=settings).fit_folds(data, rows)
    other, third = toy("yan-compton-y", settings=settings).fit_folds(changed, rows)
    for name, values in first.state()[1].items():
        np.testing.assert_array_equal(other.state()[1][name], values)
    assert not np.array_equal(second.state()[1]["trunk.softening"], third.state()[1]["trunk.softening"])


def test_maps_unlike_those_of_training_are_flagged_or_refused():
    estimator = toy("yan-stars", settings=dict(epochs=1)).fit(maps(40))
    assert not estimator.predict(maps(20, seed=5)).flagged("out_of_support").all()
    for changes in (dict(redshift=np.full(20, 0.5)), dict(pixel_angle=1e-4)):
        assert estimator.predict(maps(20, seed=5, **changes)).flagged("out_of_support").all(), changes
    with pytest.raises(ArrayError, match="16, 16"):
        estimator.predict(maps(5, pixels=24))
    with pytest.raises(MissingFieldError, match="stars"):
        estimator.predict(maps(5).select(["compton_y"]))
    with pytest.raises(NotFittedError):
        toy("yan-stars").predict(maps(5))
    assert len(estimator.predict(maps(5).only([]))) == 0
    with pytest.raises(DomainError, match="maps"):
        MapEstimator("cnn-1d")


def test_ideal_maps_are_observed_and_observed_ones_left_alone():
    data = maps(30)
    estimator = toy("yan-compton-y", settings=dict(epochs=1)).fit(data)
    seen = estimator.observed(data)
    assert not seen.is_ideal
    assert np.abs(seen.images - data.images[:, 3:]).max() > 1e-7
    np.testing.assert_array_equal(estimator.observed(seen).images, seen.images)
    np.testing.assert_array_equal(estimator.predict(data).log10_mass, estimator.predict(seen).log10_mass)
    back = np.random.default_rng(1).permutation(30)
    np.testing.assert_array_equal(estimator.observed(data.only(back)).images, seen.images[back])
    function = estimator.mass_function()
    images = torch.as_tensor(seen.images[:5]).requires_grad_()
    mass = function(images, torch.as_tensor(seen.redshift[:5]))
    np.testing.assert_allclose(mass.detach(), estimator.predict(seen.only(slice(5))).log10_mass, atol=1e-5)
    mass.sum().backward()
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()


def inputs(augment, n=200, **changes):
    images = np.broadcast_to(np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3), (n, 1, 3, 3))
    data = maps(n, images=images, channels=("stars",), **changes)
    preset = MapPreset("toy", "", "maps", TrainingSettings(), "yan", {}, channels=("stars",), augment=augment)
    return MapInputs(data, preset, seed=1, device="cpu")


@pytest.mark.parametrize(("augment", "kinds"), [("none", 1), ("flips", 4), ("square", 8)])
def test_augmentation_draws_the_symmetries_of_a_square(augment, kinds):
    source, rows, flip = inputs(augment), np.arange(200), np.zeros(200, bool)
    got = source.batch(rows, flip, key=3)[0].numpy()[:, 0]
    seen = {tuple(image.ravel()) for image in got}
    assert seen <= {tuple(image.ravel()) for image in EIGHT}
    assert len(seen) == kinds
    np.testing.assert_array_equal(source.batch(rows, flip, key=3)[0].numpy()[:, 0], got)
    if kinds > 1:
        assert (source.batch(rows, flip, key=4)[0].numpy()[:, 0] != got).any()
    np.testing.assert_array_equal(source.batch(rows, flip)[0].numpy()[0, 0], source.images[0, 0])
    np.testing.assert_array_equal(source.batch(rows, ~flip)[0].numpy()[0, 0], source.images[0, 0][:, ::-1])


def test_images_turn_by_any_angle():
    image = np.random.default_rng(2).normal(size=(4, 2, 7, 7)).astype(np.float32)
    got = turned(image, np.array([0.0, 0.5, 1.0, -0.5]) * np.pi)
    for k, quarter in enumerate((0, 1, 2, -1)):
        np.testing.assert_allclose(got[k], np.rot90(image[k], quarter, axes=(1, 2)), atol=1e-5)
    at = np.arange(41) - 20.0
    y, x = np.meshgrid(at, at, indexing="ij")
    blob = np.exp(-0.5 * ((x - 8) ** 2 + y**2) / 9)[None, None].astype(np.float32)
    there = turned(blob, np.array([np.pi / 6]))[0, 0]
    centre = (there * x).sum() / there.sum(), (there * y).sum() / there.sum()
    np.testing.assert_allclose(centre, (8 * np.cos(np.pi / 6), -8 * np.sin(np.pi / 6)), atol=0.05)


def test_noise_changes_with_the_epoch_and_not_with_the_batch():
    source = MapInputs(maps(20), BY_NAME["yan-compton-y"], seed=1, device="cpu")
    rows, flip = np.arange(20), np.zeros(20, bool)
    first, later = source.batch(rows, flip, key=1)[0], source.batch(rows, flip, key=2)[0]
    assert not torch.equal(first, later)
    torch.testing.assert_close(source.batch(rows[5:9], flip[5:9], key=1)[0], first[5:9], rtol=0, atol=0)


def test_each_bin_of_redshift_has_a_network_of_its_own(tmp_path):
    redshift = np.tile([0.05, 0.15, 0.3], 40)
    data = maps(120, redshift=redshift, pixel_angle=2e-3, pixels=24)
    estimator = toy("deepplanck", runs=2, settings=dict(epochs=2, patience=2)).fit(data)
    assert list(estimator.parts) == [(0.0, 0.1), (0.1, 0.2), (0.2, 0.4)]
    probe = maps(8, seed=5, redshift=[0.1, 0.1001, 0.2, 0.39, 0.41, 0.9, 1.5, 0.05], pixel_angle=2e-3, pixels=24)
    got = estimator.predict(probe)
    assert np.isnan(got.log10_mass).tolist() == [False] * 4 + [True] * 3 + [False]
    assert got.flagged("out_of_support")[4:7].all()
    for row, part in ((0, (0.0, 0.1)), (1, (0.1, 0.2)), (2, (0.1, 0.2)), (3, (0.2, 0.4))):
        own = estimator.parts[part].predict(probe.only([row]))
        assert own.log10_mass[0] == pytest.approx(got.log10_mass[row], abs=1e-5)
    save_estimator(tmp_path / "model.safetensors", estimator)
    again = load_estimator(tmp_path / "model.safetensors").predict(probe)
    np.testing.assert_array_equal(again.log10_mass, got.log10_mass)
    with pytest.raises(DomainError, match="bin of redshift"):
        toy("deepplanck").fit(maps(6))


def test_the_run_with_the_least_bias_on_hosts_that_did_not_train_is_kept(monkeypatch):
    data = maps(120, redshift=np.full(120, 0.15), pixel_angle=2e-3, pixels=24)
    estimator = toy("deepplanck", runs=3, settings=dict(epochs=1, patience=1))
    judged = []

    def bias(pred, true):
        judged.append(true.size)
        return [0.3, 0.1, 0.2][len(judged) - 1]

    monkeypatch.setattr("clustermass.training.redshift_bins.worst_bias", bias)
    kept = []
    choose = type(estimator)._least_biased
    monkeypatch.setattr(
        type(estimator), "_least_biased", lambda s, runs, *a: kept.append(list(runs)) or choose(s, runs, *a)
    )
    estimator.fit(data)
    assert judged == [12, 12, 12], "a tenth of the hosts"
    (part,) = estimator.parts.values()
    assert part is kept[0][1]


def test_worst_bias_is_that_of_the_worst_bin_of_predicted_mass():
    pred = np.concatenate([np.full(20, 14.05), np.full(20, 14.55), np.full(3, 15.05)])
    true = pred + np.log10(np.repeat([1.1, 0.95, 0.2], [20, 20, 3]))
    assert worst_bias(pred, true) == pytest.approx(0.1)
    assert worst_bias(pred[-3:], true[-3:]) == pytest.approx(0.8)
