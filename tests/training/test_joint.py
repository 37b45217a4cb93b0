"""Galaxies and maps together: the joint posterior uses both, and is narrower than either half."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.errors import ArrayError, BadInputError  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.models.store import load_estimator, save_estimator  # noqa: E402
from clustermass.training.joint import JointInputs, JointSample, join_samples  # noqa: E402
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


def test_redshifts_are_those_of_the_maps_and_the_rest_that_of_the_galaxies():
    galaxies, images = clusters(4, 3), maps(4, 3, log10_m500c=np.full(4, 13.9))
    sample = JointSample(galaxies, images)
    np.testing.assert_array_equal(sample.redshift, images.redshift)
    np.testing.assert_array_equal(sample.log10_m500c, images.log10_m500c)
    np.testing.assert_array_equal(sample.log10_m200c, galaxies.log10_m200c)
    np.testing.assert_array_equal(sample.only([2, 0]).redshift, images.redshift[[2, 0]])


def test_batches_of_both_have_the_same_rows_and_step():
    class Half:
        at_once = 3

        def batch(self, rows, flip, key=None):
            self.asked = rows, flip, key
            return (self,)

    galaxies, images = Half(), Half()
    rows, flip = np.array([[3, 1]]), np.array([[True, False]])
    assert JointInputs(galaxies, images).batch(rows, flip, 7) == (galaxies, images)
    for half, mirrored in ((galaxies, [[False, False]]), (images, [[True, False]])):
        asked, seen, key = half.asked
        assert asked.tolist() == [[3, 1]]
        assert seen.tolist() == mirrored
        assert key == 7


def test_other_images_are_refused_and_pixels_of_nearly_the_same_angle_are_not_flagged():
    estimator = make_estimator("joint-posterior", device="cpu")
    estimator._shape = (4, 16, 16)
    with pytest.raises(ArrayError, match="24, 24"):
        estimator._inputs(JointSample(clusters(3, 3), maps(3, 3, pixels=24)), "cpu")
    sample = JointSample(clusters(3, 3), maps(3, 3, pixel_angle=1e-4))
    described = estimator._described(sample)
    estimator._support = {k: list(estimator._range(k, v.min(), v.max())) for k, v in described.items()}
    for factor, flagged in ((1.0, False), (1.01, False), (1.05, True)):
        other = JointSample(sample.clusters, maps(3, 3, pixel_angle=factor * 1e-4))
        assert (estimator._flags(other) > 0).tolist() == [flagged] * 3, factor
