"""Noise and beam: their order, and the sky outside the field."""

import numpy as np
import pytest

from clustermass.errors import DomainError
from clustermass.features.observe import Observation, common_margin, noise_keys, observe

ITEMS = np.arange(3)


def padded(size, margin):
    return np.zeros((3, size + 2 * margin, size + 2 * margin))


def test_nothing_to_do_cuts_the_margin():
    images = np.arange(3 * 100.0).reshape(3, 10, 10)
    got = observe(images, Observation(0.0, 0.0), margin=2, items=ITEMS, seed=1)
    np.testing.assert_array_equal(got, images[:, 2:8, 2:8].astype(np.float32))


def test_input_is_left_alone():
    images = np.zeros((3, 8, 8), np.float32)
    observe(images, Observation(1.0, 0.0), margin=0, items=ITEMS, seed=1)
    assert not images.any()


def test_beam_brings_light_in_from_outside_the_field_and_keeps_the_rest():
    beam = Observation(0.0, 3.0)
    images = padded(20, beam.margin)
    images[0, beam.margin - 1, 15] = 1.0  # one pixel outside the field
    images[1, beam.margin + 10, beam.margin + 10] = 1.0
    got = observe(images, beam, margin=beam.margin, items=ITEMS, seed=1)
    assert 0.2 < got[0].sum() < 0.5
    assert got[1].sum() == pytest.approx(1.0, rel=1e-6)
    assert got[2].sum() == 0


def test_order_decides_how_strong_the_noise_is_in_the_end():
    """Smoothed noise is weaker: white noise through a Gaussian of width s has rms / (2 s sqrt(pi))."""
    beam = Observation(1.0, 8.0)
    sigma = 8.0 / np.sqrt(8 * np.log(2))
    images = padded(200, beam.margin)
    first = observe(images, beam, margin=beam.margin, items=ITEMS, seed=1, order="noise-then-beam")
    last = observe(images, beam, margin=beam.margin, items=ITEMS, seed=1, order="beam-then-noise")
    assert first.std() == pytest.approx(1 / (2 * sigma * np.sqrt(np.pi)), rel=0.05)
    assert last.std() == pytest.approx(1.0, rel=0.02)
    with pytest.raises(DomainError, match="`order`"):
        observe(images, beam, margin=beam.margin, items=ITEMS, seed=1, order="beam")


def test_a_wider_margin_than_needed_changes_nothing():
    """The margin is that of the widest beam of all channels, and no channel may notice the others."""
    beam = Observation(1.0, 3.0)
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(3, 60, 60))
    extra = 15 - beam.margin
    got = observe(wide, beam, margin=15, items=ITEMS, seed=1)
    want = observe(wide[:, extra:-extra, extra:-extra], beam, margin=beam.margin, items=ITEMS, seed=1)
    np.testing.assert_array_equal(got, want)
    with pytest.raises(DomainError, match="`margin`"):
        observe(wide, beam, margin=beam.margin - 1, items=ITEMS, seed=1)


def test_keys_are_all_different_and_bounded():
    cluster, number = np.meshgrid(np.arange(50), np.arange(8), indexing="ij")
    keys = np.concatenate([noise_keys(cluster.ravel(), number.ravel(), channel) for channel in range(6)])
    assert len(np.unique(keys)) == 50 * 8 * 6
    with pytest.raises(DomainError, match="cluster_id"):
        noise_keys(np.array([2**42]), np.array([0]), 0)
    with pytest.raises(DomainError, match="number"):
        noise_keys(np.array([1]), np.array([2**17]), 0)


def test_margin_of_all_is_that_of_the_widest():
    assert common_margin([]) == 0
    assert common_margin([Observation(0.0, 0.0), Observation(0.0, 8.4)]) == 14


@pytest.mark.parametrize("arguments", [(-1.0, 0.0), (np.nan, 0.0), (0.0, -1.0), (0.0, np.inf)])
def test_impossible_noise_and_beams_are_refused(arguments):
    with pytest.raises(DomainError):
        Observation(*arguments)
