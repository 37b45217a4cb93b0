"""What all observation models promise: keys of random numbers, batches, threads, tensors, refusals."""

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from clustermass.features.observe_models import ObservationModel, checked_keys

from .observation_maps import ITEMS, MODELS, REDSHIFTS, clusters, observe

NAMES = sorted(MODELS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_shape_and_type_and_the_input_is_left_alone(name, dtype):
    images = clusters(name, dtype=dtype)
    before = images.copy()
    seen = observe(name, images)
    assert seen.shape == images.shape
    assert seen.dtype == dtype
    assert np.isfinite(seen).all()
    np.testing.assert_array_equal(images, before)
    assert isinstance(MODELS[name], ObservationModel)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_depends_on_its_own_keys_alone(name):
    images = clusters(name)
    seen = observe(name, images)
    for i in range(len(images)):
        alone = observe(name, images[i : i + 1], items=ITEMS[i : i + 1], redshift=REDSHIFTS[i : i + 1])
        np.testing.assert_array_equal(alone[0], seen[i])
    turned = observe(name, images[::-1].copy(), items=ITEMS[::-1], redshift=REDSHIFTS[::-1], n_threads=3)
    np.testing.assert_array_equal(turned[::-1], seen)


@pytest.mark.parametrize("name", NAMES)
def test_seed_draw_and_item_each_change_the_noise(name):
    images = clusters(name)[[0, 0, 0, 0]]
    options = dict(redshift=REDSHIFTS[[0, 0, 0, 0]])
    seen = observe(name, images, **options)
    for other in (observe(name, images, seed=6, **options), observe(name, images, draw=1, **options)):
        assert (other != seen).mean() > 0.5
    assert (seen[1] != seen[0]).mean() > 0.5
    np.testing.assert_array_equal(observe(name, images, draw=0, **options), seen)


def test_noise_of_different_draws_items_and_seeds_is_independent():
    blank = np.zeros((400, 1, 32, 32))
    model = cm.PlanckObservation()
    fields = [
        model.observe(blank, items=np.arange(400) + first, seed=seed, draw=draw)[:, 0]
        for first, seed, draw in ((0, 1, 0), (0, 1, 1), (0, 2, 0), (400, 1, 0))
    ]
    for other in fields[1:]:
        r = (fields[0] * other).mean() / model.noise.variance
        assert abs(r) < 6 / np.sqrt(400 * 32**2 / 100)  # about 100 pixels vary together


@pytest.mark.parametrize("name", NAMES)
def test_no_images_give_no_images(name):
    empty = clusters(name)[:0]
    assert observe(name, empty).shape == empty.shape


@pytest.mark.parametrize("name", NAMES)
def test_bad_images_and_keys_are_refused(name):
    images = clusters(name)
    with pytest.raises(ArrayError, match="`images`"):
        observe(name, images[0])
    with pytest.raises(ArrayError, match="`images`"):
        observe(name, np.repeat(images, 2, axis=1))
    with pytest.raises(DTypeError, match="`images`"):
        observe(name, images.astype(complex))
    for bad in (np.nan, np.inf):
        broken = images.copy()
        broken[1, 0, 3, 4] = bad
        with pytest.raises(BadInputError, match="`images`"):
            observe(name, broken)
    with pytest.raises(ArrayError, match="`items`"):
        observe(name, images, items=[1, 2])
    with pytest.raises(DTypeError, match="`items`"):
        observe(name, images, items=ITEMS + 0.5)
    with pytest.raises(DomainError, match="`seed`"):
        observe(name, images, seed=-1)
    with pytest.raises(DomainError, match="`draw`"):
        observe(name, images, draw=-1)
    with pytest.raises(DomainError, match="`n_threads`"):
        observe(name, images, n_threads=0)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_give_the_same_numbers(name):
    torch = pytest.importorskip("torch")
    images = clusters(name)
    seen = observe(name, torch.from_numpy(images), items=torch.from_numpy(ITEMS), redshift=torch.from_numpy(REDSHIFTS))
    assert isinstance(seen, torch.Tensor)
    np.testing.assert_array_equal(seen.numpy(), observe(name, images))


@pytest.mark.parametrize("name", ["yan", "planck", "sequence"])
def test_gradients_are_those_of_a_linear_map(name):
    """Noise is added, and all else is linear: the gradient along a direction is the noiseless image of it."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    scale = clusters(name, 24, np.float64)
    images = torch.tensor(scale, requires_grad=True)
    step, weight = scale * rng.normal(size=scale.shape), rng.normal(size=scale.shape)
    (observe(name, images) * torch.from_numpy(weight)).sum().backward()
    moved = ((observe(name, scale + step) - observe(name, scale)) * weight).sum()
    assert float((images.grad * torch.from_numpy(step)).sum()) == pytest.approx(moved, rel=1e-9)


def test_a_sequence_draws_each_part_anew():
    noisy = cm.PlanckObservation(beam_fwhm=0.0)
    blank = np.zeros((30, 1, 48, 48))
    options = dict(redshift=0.1, items=np.arange(30), seed=3)
    once = noisy.observe(blank, **options)
    twice = cm.ObservationSequence([noisy, noisy]).observe(blank, **options)
    assert twice.var() / once.var() == pytest.approx(2.0, rel=0.15)  # not 4: the same noise twice
    nested = cm.ObservationSequence([cm.ObservationSequence([noisy]), noisy]).observe(blank, **options)
    assert nested.var() / once.var() == pytest.approx(2.0, rel=0.15)
    np.testing.assert_array_equal(cm.ObservationSequence([]).observe(blank, **options), blank)
    with pytest.raises(DomainError, match="`models`"):
        cm.ObservationSequence([noisy, "planck"])


def test_telescopes_of_one_seed_draw_apart():
    _, one = checked_keys([1, 2], 2, 7, 0, 0x59414E)
    seeds = {one, *(checked_keys([1, 2], 2, *key)[1] for key in ((7, 0, 0x504C4B), (7, 1, 0x59414E), (8, 0, 0x59414E)))}
    assert len(seeds) == 4
