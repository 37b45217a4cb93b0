"""Galaxies and maps together: the joint posterior uses both, and is narrower than either half."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.errors import BadInputError  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.joint import JointSample, join_samples  # noqa: E402
from tests.training.test_estimator import clusters  # noqa: E402
from tests.training.test_map_estimator import maps  # noqa: E402


def joint(n=150, seed=3):
    """Both halves know the mass, each with errors of its own."""
    rng = np.random.default_rng(seed + 50)
    truth = rng.uniform(13.6, 15.0, n)
    seen = [truth + 0.25 * rng.standard_normal(n) for _ in range(2)]
    galaxies = clusters(n, seed, log10_m200c=seen[0])
    images = maps(n, seed, log10_m200c=truth)
    bright = images.images * 10 ** (0.9 * (seen[1] - images_mass(n, seed)))[:, None, None, None]
    own = clusters(n, seed)  # their galaxies tell own.log10_m200c: move them to what is seen
    factor = np.repeat(10 ** ((seen[0] - own.log10_m200c) / 3), own.n_galaxies)
    galaxies = clusters(n, seed, velocity=np.clip(own.velocity * factor, -2190, 2190), log10_m200c=truth)
    return truth, galaxies, maps(n, seed, images=bright, log10_m200c=truth, host_id=np.arange(n))


def images_mass(n, seed):
    return maps(n, seed).log10_m200c


def test_the_joint_posterior_uses_both_and_reloads_bit_for_bit(tmp_path):
    _, galaxies, images = joint()
    sample = JointSample(galaxies, images)
    settings = dict(epochs=12, batch_size=15, learning_rate=3e-3)
    estimator = make_estimator("joint-posterior", settings=settings, device="cpu").fit(sample)
    probe_truth, *parts = joint(60, seed=4)
    probe = JointSample(*parts)
    got = estimator.predict(probe)
    error = np.std(got.log10_mass - probe_truth)
    assert error < 0.75 * probe_truth.std(), "a constant would have the scatter of the masses"
    back = np.arange(60)[::-1]
    for mixed in (JointSample(parts[0].only(back), parts[1]), JointSample(parts[0], parts[1].only(back))):
        worse = np.std(estimator.predict(mixed).log10_mass - probe_truth)
        assert worse > 1.15 * error, "the galaxies or maps of other clusters do harm: both are used"
    save_estimator(tmp_path / "model.safetensors", estimator)
    again = load_estimator(tmp_path / "model.safetensors").predict(probe)
    np.testing.assert_array_equal(again.log10_mass, got.log10_mass)
    assert (got.upper > got.lower).all()


class Views:
    """Rows of host and view, as both samples have them."""

    log10_m200c = line_of_sight = None

    def __init__(self, host, view, **more):
        self.host_id, self.view = np.asarray(host), np.asarray(view)
        self.__dict__.update(more)

    def __len__(self):
        return self.host_id.size

    def only(self, rows):
        more = {k: v[rows] for k, v in self.__dict__.items() if k not in ("host_id", "view")}
        return Views(self.host_id[rows], self.view[rows], **more)


def test_samples_are_joined_by_host_and_view():
    got = join_samples(Views([5, 5, 7, 8], [0, 1, 0, 0]), Views([7, 5, 9, 5], [0, 1, 0, 2]))
    assert got.clusters.host_id.tolist() == got.maps.host_id.tolist() == [5, 7]
    assert got.clusters.view.tolist() == got.maps.view.tolist() == [1, 0]
    with pytest.raises(BadInputError, match="share no view"):
        join_samples(Views([1], [0]), Views([1], [1]))
    with pytest.raises(BadInputError, match="twice"):
        join_samples(Views([1, 1], [0, 0]), Views([1], [0]))
    mass = [np.array([14.0, 14.1]), np.array([14.0, 14.2])]
    with pytest.raises(BadInputError, match="host 2 has"):
        join_samples(*(Views([1, 2], [0, 0], log10_m200c=m) for m in mass))
    sight = [np.eye(3)[:2], np.eye(3)[[0, 2]]]
    with pytest.raises(BadInputError, match="directions"):
        join_samples(*(Views([1, 2], [0, 0], line_of_sight=s) for s in sight))
