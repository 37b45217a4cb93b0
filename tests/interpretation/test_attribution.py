"""Attributions of functions whose answers are known."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.errors import DomainError  # noqa: E402
from clustermass.interpretation.attribution import (  # noqa: E402
    deep_dream,
    input_gradients,
    integrated_gradients,
    occlusion,
)
from tests import tolerances  # noqa: E402

SHAPE = (5, 2, 12, 14)


@pytest.fixture
def images():
    return torch.as_tensor(np.random.default_rng(3).normal(1.0, 0.5, SHAPE).astype(np.float32))


@pytest.fixture
def weights():
    return torch.as_tensor(np.random.default_rng(4).normal(size=SHAPE[1:]).astype(np.float32))


@pytest.fixture
def linear(weights):
    return lambda x: 14.0 + (x * weights).sum((1, 2, 3))


@pytest.fixture
def network():
    torch.manual_seed(1)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(4 * 5 * 6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1),
    )  # fmt: skip
    return lambda x: layers(x)[:, 0]


def test_the_saliency_of_a_linear_network_is_its_weights(images, weights, linear):
    found = input_gradients(linear, images, batch=2)
    np.testing.assert_array_equal(found, weights.expand(SHAPE))


def test_deep_dream_climbs_along_the_weights(images, weights, linear):
    found = deep_dream(linear, images, iterations=3, step=0.02)
    size = 3 * 0.02 * images.double().square().mean((2, 3), keepdim=True).sqrt()
    expected = size * weights.double() / weights.double().square().mean((1, 2), keepdim=True).sqrt()
    np.testing.assert_allclose(found, expected, atol=tolerances.EXPLAIN_SUMS)


def test_deep_dream_raises_the_mass_of_a_network(images, network):
    with torch.no_grad():
        before = network(images)
        once = network(images + deep_dream(network, images, iterations=1))
        twice = network(images + deep_dream(network, images, iterations=2))
    assert (once > before).all()
    assert (twice > once).all()


def test_deep_dream_leaves_a_channel_alone_that_is_not_read(images):
    found = deep_dream(lambda x: x[:, 0].sum((1, 2)), images)
    assert (found[:, 0] > 0).all()
    assert (found[:, 1] == 0).all()


def test_occlusion_of_a_linear_network_is_a_sum_over_the_mask(images, weights, linear):
    found = occlusion(linear, images, sigma=2.0, batch=50)
    row, column = np.indices(SHAPE[2:])
    for a, b in ((0, 0), (7, 3), (11, 13)):
        hidden = np.exp(-((row - a) ** 2 + (column - b) ** 2) / (2 * 2.0**2))
        expected = -(images.double() * weights.double() * torch.as_tensor(hidden)).sum((1, 2, 3))
        np.testing.assert_allclose(found[:, a, b], expected, atol=tolerances.EXPLAIN_SUMS)


def test_a_network_that_looks_at_the_centre_is_found_out(images):
    def centre(x):
        return x[:, :, 6, 7].mean(1)

    masked = occlusion(centre, images.abs() + 1.0, sigma=1.5)
    assert (masked.flatten(1).argmin(1) == 6 * 14 + 7).all()
    np.testing.assert_allclose(masked[:, 6, 7], -(images.abs() + 1.0)[:, :, 6, 7].mean(1), rtol=1e-6)
    assert (masked[:, 0, 0].abs() < 1e-4).all()
    elsewhere = torch.ones(SHAPE[2:], dtype=torch.bool)
    elsewhere[6, 7] = False
    for found in (input_gradients(centre, images), deep_dream(centre, images), integrated_gradients(centre, images)):
        assert (found[:, :, elsewhere] == 0).all()
        assert (found[:, :, 6, 7] != 0).all()


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_integrated_gradients_add_up_to_the_difference(images, network, start):
    baseline = torch.full((1, 2, 1, 1), start)
    found = integrated_gradients(network, images, baseline, steps=256, batch=40)
    with torch.no_grad():
        difference = network(images) - network(baseline.expand(SHAPE))
    assert difference.abs().max() > 0.05
    np.testing.assert_allclose(found.sum((1, 2, 3)), difference, atol=tolerances.COMPLETENESS)


def test_integrated_gradients_of_a_linear_network_are_its_terms(images, weights, linear):
    found = integrated_gradients(linear, images, steps=3)
    np.testing.assert_allclose(found, images * weights, rtol=1e-5, atol=1e-7)


def test_images_and_batches_do_not_touch_each_other(images, network):
    for method in (input_gradients, deep_dream, integrated_gradients, occlusion):
        together = method(network, images, batch=37)
        alone = torch.cat([method(network, images[k : k + 1], batch=5) for k in range(len(images))])
        np.testing.assert_allclose(together, alone, atol=tolerances.EXPLAIN_SUMS)


def test_small_values_keep_their_size(images, linear):
    """Fluxes are 1e-16: their squares are below what float32 holds."""
    tiny = deep_dream(lambda x: linear(1e16 * x), 1e-16 * images, iterations=1)
    expected = deep_dream(linear, images, iterations=1)
    np.testing.assert_allclose(1e16 * tiny, expected, atol=tolerances.EXPLAIN_SUMS)


def test_gradients_are_found_inside_no_grad(images, weights, linear):
    with torch.no_grad():
        np.testing.assert_array_equal(input_gradients(linear, images), weights.expand(SHAPE))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda f, x: input_gradients(f, x[0]), "images"),
        (lambda f, x: occlusion(f, torch.full_like(x, torch.nan)), "finite"),
        (lambda f, x: occlusion(f, x, sigma=0.0), "sigma"),
        (lambda f, x: deep_dream(f, x, iterations=0), "iterations"),
        (lambda f, x: deep_dream(f, x, step=-1.0), "step"),
        (lambda f, x: integrated_gradients(f, x, steps=0), "steps"),
    ],
)
def test_wrong_arguments_are_named(images, linear, call, word):
    with pytest.raises(DomainError, match=word):
        call(linear, images)


def test_no_images_give_none(linear):
    empty = torch.zeros(0, *SHAPE[1:])
    assert occlusion(linear, empty).shape == (0, *SHAPE[2:])
    assert input_gradients(linear, empty).shape == empty.shape
