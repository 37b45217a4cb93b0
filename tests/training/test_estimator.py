"""Networks as estimators: every preset learns at toy size, and comes back from its file with the same bits."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.data.cluster_sample import ClusterSample  # noqa: E402
from clustermass.errors import DomainError, FileFormatError, NotFittedError  # noqa: E402
from clustermass.models.registry import ESTIMATORS, make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.presets import PRESETS as ALL  # noqa: E402
from tests.evaluation.toys import toy_clusters  # noqa: E402
from tests.universes import COSMOLOGY  # noqa: E402

PRESETS = {name: preset for name, preset in ALL.items() if preset.inputs not in ("maps", "joint")}
FLOWS = {name for name, preset in PRESETS.items() if preset.options["head"] in ("maf", "nsf")}


class Toy(ClusterSample):
    """Clusters of known mass and host, for training."""

    @property
    def host_id(self):
        return np.arange(len(self))


def clusters(n=120, seed=3, **changes):
    """Gaussian velocities whose dispersion tells the mass, galaxies spread as wide as the cluster."""
    rng = np.random.default_rng(seed)
    log_mass = rng.uniform(13.6, 15.2, n)
    sizes = rng.integers(15, 60, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    each = np.repeat(log_mass, sizes)
    radius, angle = 1.5 * 10 ** ((each - 15) / 3) * rng.uniform(0, 1, each.size), rng.uniform(0, 2 * np.pi, each.size)
    columns = dict(
        names=np.arange(n).astype(str), offsets=offsets, x=radius * np.cos(angle), y=radius * np.sin(angle),
        velocity=np.clip(rng.normal(0, 1000 * 10 ** ((each - 15) / 3)), -2190, 2190), redshift=np.full(n, 0.1),
        cosmology=COSMOLOGY, max_radius=np.full(n, 3.0), max_velocity=np.full(n, 2200.0), log10_m200c=log_mass,
    )  # fmt: skip
    return Toy(**columns | changes)


def toy(name):
    if name in FLOWS:
        pytest.importorskip("zuko", reason="zuko is not installed")
    epochs, size = (7, 10) if name == "cnn-3d" else (25, 20)
    return make_estimator(name, settings=dict(epochs=epochs, batch_size=size, learning_rate=3e-3), device="cpu")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_learns_and_reloads_bit_for_bit(name, tmp_path):
    seen = clusters(50 if name == "cnn-3d" else 120)
    unseen = clusters(12 if name == "cnn-3d" else 40, seed=4)
    estimator = toy(name).fit(seen)
    got = estimator.predict(unseen)
    y = 2 * (seen.log10_m200c - seen.log10_m200c.min()) / np.ptp(seen.log10_m200c) - 1
    if PRESETS[name].options["head"] == "point":
        assert estimator.history.train[-1][0] < 0.6 * y.var(), "the loss of a constant is the variance"
    for data in (seen, unseen) if name != "cnn-3d" else ():  # too few steps for its predictions to settle
        error = estimator.predict(data).log10_mass - data.log10_m200c
        assert error.std() < 0.75 * data.log10_m200c.std(), "a constant would have the scatter of the masses"
    assert (got.upper > got.lower).all()
    assert (got.density is None) == (PRESETS[name].options["head"] == "point")
    path = tmp_path / "model.safetensors"
    save_estimator(path, estimator)
    again = load_estimator(path).predict(unseen)
    for field in ("log10_mass", "lower", "upper", "flags"):
        np.testing.assert_array_equal(getattr(again, field), getattr(got, field))
    assert name in ESTIMATORS


@pytest.mark.parametrize(("name", "options", "error"), [("cnn-1d", {}, 1e-9), ("bayesian-cnn", {"dropout": 0.4}, 3e-3)])
def test_what_dropout_shifts_is_taken_back(name, options, error):
    """Points, and the means of densities, are right on the average over the clusters of training."""
    seen = clusters()
    settings = dict(epochs=4 if name == "cnn-1d" else 15, batch_size=20)
    estimator = make_estimator(name, settings=settings, options=options, device="cpu").fit(seen)
    assert abs(estimator._offset) > 3.0 * error, "else this shows nothing"
    found = estimator.predict(seen)
    mean = found.log10_mass
    if found.density is not None:
        weight = found.density / found.density.sum(axis=1, keepdims=True)
        mean = weight @ found.grid
    assert abs(np.mean(mean - seen.log10_m200c)) < error


def test_folds_train_together_and_see_only_their_rows():
    data = clusters()
    rows = [np.arange(0, 60), np.arange(60, 120)]
    poisoned = data.log10_m200c.copy()
    poisoned[60:] = 10.0  # the first fold must not notice
    options = dict(settings=dict(epochs=3), device="cpu")
    first, _ = make_estimator("cnn-1d", **options).fit_folds(data, rows)
    other, _ = make_estimator("cnn-1d", **options).fit_folds(clusters(log10_m200c=poisoned), rows)
    probe = clusters(20, seed=5)
    np.testing.assert_array_equal(first.predict(probe).log10_mass, other.predict(probe).log10_mass)


def test_a_checkpoint_of_another_catalogue_or_network_is_refused(tmp_path):
    """One velocity of one galaxy is another catalogue; the paper's final version is another network."""
    options = dict(settings=dict(epochs=1), device="cpu", checkpoint=tmp_path / "run.checkpoint")
    data = clusters(30)
    make_estimator("cnn-2d", **options).fit(data)
    make_estimator("cnn-2d", **options).fit(data)
    moved = data.velocity.copy()
    moved[7] += 1.0
    with pytest.raises(FileFormatError, match="clusters"):
        make_estimator("cnn-2d", **options).fit(clusters(30, velocity=moved))
    with pytest.raises(FileFormatError, match="network"):
        make_estimator("cnn-2d-final", **options).fit(data)


def test_clusters_unlike_those_of_training_are_flagged():
    estimator = make_estimator("cnn-1d", settings=dict(epochs=2), device="cpu").fit(clusters())
    assert not estimator.predict(clusters(40, seed=6)).flagged("out_of_support").all()
    few = clusters(5, seed=7, offsets=[0, 0, 1, 2, 40, 60], **{k: getattr(clusters(5, seed=7), k)[:60] for k in
                   ("x", "y", "velocity")})  # fmt: skip
    got = estimator.predict(few)
    assert got.flagged("too_few_galaxies").tolist() == [True, True, True, False, False]
    assert np.isnan(got.log10_mass[:3]).all()
    for changes in (
        dict(redshift=np.full(30, 0.9)),
        dict(max_radius=np.full(30, 0.5)),
        dict(max_velocity=[900.0] * 30),
    ):
        assert estimator.predict(clusters(30, seed=8, **changes)).flagged("out_of_support").all(), changes
    nothing = estimator.predict(clusters(4, seed=9).only([]))
    assert len(nothing) == 0


def test_galaxies_outside_the_cylinder_do_not_count():
    """A table that reaches further is no richer cluster: neither another mass nor another flag."""
    estimator = make_estimator("cnn-1d", settings=dict(epochs=2), device="cpu").fit(clusters())
    plain, far = clusters(10, seed=6), 300  # galaxies at 8 Mpc, more than any cluster of training has
    sizes = plain.n_galaxies + far
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    where = np.repeat(plain.offsets[1:], far)
    wide = clusters(
        10, seed=6, offsets=offsets, x=np.insert(plain.x, where, 8.0), y=np.insert(plain.y, where, 0.0),
        velocity=np.insert(plain.velocity, where, 100.0), max_radius=np.full(10, 10.0),
    )  # fmt: skip
    got, expected = estimator.predict(wide), estimator.predict(plain)
    np.testing.assert_array_equal(got.log10_mass, expected.log10_mass)
    np.testing.assert_array_equal(got.flags, expected.flags)
    empty = clusters(10, seed=6, x=np.full(plain.x.size, 8.0), max_radius=np.full(10, 10.0))
    assert estimator.predict(empty).flagged("too_few_galaxies").all()


def test_grids_of_training_are_made_of_sub_samples_where_asked():
    data, rows = clusters(30), np.array([[3, 4, 3], [7, 4, 29]])
    flip = np.zeros(rows.shape, bool)
    inputs = make_estimator("cnn-2d", settings=dict(subsample=(0.3, 0.6)), device="cpu")._inputs(data, "cpu")
    whole = make_estimator("cnn-2d", device="cpu")._inputs(data, "cpu")
    (grids,), (again,) = inputs.batch(rows, flip, key=5), inputs.batch(rows, flip, key=5)
    (other,) = inputs.batch(rows, flip, key=6)
    (alone,) = inputs.batch(rows[1:, 1:2], flip[1:, 1:2], key=5)
    assert torch.equal(grids, again)
    assert torch.equal(alone[0, 0], grids[0, 1]), "a draw belongs to the cluster, not to its batch"
    assert not torch.isclose(grids, other).flatten(2).all(2).any()
    torch.testing.assert_close(grids.sum((2, 3)), torch.ones(2, 3))
    assert torch.equal(inputs.batch(rows, flip)[0], whole.batch(rows, flip)[0]), "predictions see all galaxies"


@pytest.mark.parametrize("room", [2**31, 30 * 48 * 48 * 4, 0])  # for grids and mirror images, for grids, for none
def test_mirror_images_are_those_of_mirrored_velocities(room, monkeypatch):
    monkeypatch.setattr("clustermass.training.inputs.MAX_CACHE", room)
    data, rows = clusters(30), np.array([[3, 4, 3], [7, 4, 29]])
    flip = np.array([[True, False, False], [True, True, False]])
    inputs = make_estimator("cnn-2d", device="cpu")._inputs(data, "cpu")
    mirrored = make_estimator("cnn-2d", device="cpu")._inputs(clusters(30, velocity=-data.velocity), "cpu")
    none = np.zeros(rows.shape, bool)
    expected = torch.where(
        torch.as_tensor(flip)[..., None, None], mirrored.batch(rows, none)[0], inputs.batch(rows, none)[0]
    )
    torch.testing.assert_close(inputs.batch(rows, flip)[0], expected, rtol=1e-4, atol=1e-8)
    again = inputs.batch(rows, none)[0]
    torch.testing.assert_close(again[0, 0], again[0, 2], rtol=0, atol=0)


def test_a_set_network_gives_mirrored_clusters_the_same_masses():
    pytest.importorskip("zuko", reason="zuko is not installed")
    estimator = make_estimator("set-posterior", settings=dict(epochs=2, batch_size=20), device="cpu").fit(clusters())
    probe = clusters(50, seed=10)
    back = estimator.predict(clusters(50, seed=10, velocity=-probe.velocity)).log10_mass
    np.testing.assert_array_equal(estimator.predict(probe).log10_mass, back)


def test_hosts_validate_with_all_their_views():
    rows, host = np.arange(0, 300, 2), np.arange(300) // 6
    train, validate = make_estimator("cnn-1d", settings=dict(patience=3))._held_out(rows, host)
    assert sorted([*train, *validate]) == rows.tolist()
    assert not set(host[train]) & set(host[validate])
    assert len(set(host[validate])) == 5, "a tenth of 50 hosts"
    everything, nothing = make_estimator("cnn-1d")._held_out(rows, host)
    assert (everything.size, nothing.size) == (150, 0)


def test_settings_of_sets_reach_their_batches(tmp_path):
    pytest.importorskip("zuko", reason="zuko is not installed")
    data = toy_clusters(tmp_path, n_hosts=12)
    plain = dict(exchange=0.0, subsample=None)
    whole, drawn, mixed = (
        make_estimator("set-posterior", settings=plain | changes)._inputs(data, torch.device("cpu"))
        for changes in ({}, dict(subsample=(0.3, 0.5)), dict(exchange=2.0))
    )
    rows, flip = np.arange(len(data))[None], np.zeros((1, len(data)), bool)
    once, fewer, other = (source.batch(rows, flip, 3) for source in (whole, drawn, mixed))
    assert (fewer[1] > 0).sum() < 0.6 * (once[1] > 0).sum()
    members = np.add.reduceat(np.append(data.is_member, False).astype(int), data.offsets[:-1])
    assert (members < data.n_galaxies).any(), "else there is nothing to exchange"
    assert not torch.equal(other[3], once[3]), "other interlopers, other counts"
    preset = ALL["set-posterior"].settings
    assert (preset.subsample, preset.exchange) == ((0.8, 1.0), 0.04)


def test_interlopers_are_not_exchanged_on_grids():
    with pytest.raises(DomainError, match="exchange"):
        make_estimator("cnn-1d", settings=dict(exchange=0.1), device="cpu").fit(clusters())


def test_bad_requests_are_named():
    with pytest.raises(NotFittedError, match="cnn-1d"):
        make_estimator("cnn-1d").predict(clusters(3))
    with pytest.raises(DomainError, match="learning_rat"):
        make_estimator("cnn-1d", settings=dict(learning_rat=1))
    with pytest.raises(DomainError, match="fold 0"):
        make_estimator("cnn-1d", device="cpu").fit(clusters(1))
    for device in ("abacus", "cuda:99"):
        with pytest.raises(DomainError, match="device"):
            make_estimator("cnn-1d", device=device).fit(clusters(20))


@pytest.mark.parametrize(("name", "head"), [("cnn-1d", "nsf"), ("cnn-2d", "spline"), ("set-posterior", "maf")])
def test_any_embedding_takes_any_flow(name, head, tmp_path):
    pytest.importorskip("zuko", reason="zuko is not installed")
    data = clusters(40)
    estimator = make_estimator(name, settings=dict(epochs=2, batch_size=20), options=dict(head=head), device="cpu")
    got = estimator.fit(data).predict(data)
    assert got.density is not None
    assert (got.upper > got.lower).all()
    save_estimator(tmp_path / "model.safetensors", estimator)
    again = load_estimator(tmp_path / "model.safetensors").predict(data)
    np.testing.assert_array_equal(again.density, got.density)
