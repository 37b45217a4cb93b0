"""Networks on images: published numbers of parameters and sizes, symmetries, and the scaling in front of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.errors import DomainError  # noqa: E402
from clustermass.models.networks import deepplanck, resnet, scaled, yan2020  # noqa: E402
from clustermass.models.networks.layers import count_parameters  # noqa: E402


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (yan2020.YanCNN, 2_935_737),
        (lambda: yan2020.YanCNN(padding="valid"), 2_218_937),
        (lambda: yan2020.YanCNN(layers=(200, 100, 20)), 2_935_737 - 101 * 100),
        (yan2020.YanMultichannelCNN, 3 * (23_296 + 14_400 * 200) + 2_935_737),
        (deepplanck.DeepPlanck, 58_437),
    ],
    ids=["yan-same", "yan-valid", "yan-figure-3", "yan-multichannel", "deepplanck"],
)
def test_published_numbers_of_parameters(network, parameters):
    assert count_parameters(network()) == parameters


def test_deepplanck_layers_shrink_as_published():
    network, sizes = deepplanck.DeepPlanck(), []
    for part in network.convolutions:
        part.register_forward_hook(lambda _, __, out: sizes.append(out.shape[-1]))
    network(torch.zeros(1, 1, 96, 96))
    assert sizes == [94, 47, 47, 45, 22, 22, 20, 10, 10]


def test_channels_of_the_multichannel_network_meet_only_after_the_convolutions():
    torch.manual_seed(0)
    network = yan2020.YanMultichannelCNN(pixels=16).eval()
    assert network(torch.zeros(1, 4, 16, 16)).shape == (1, 1)
    seen = []
    network.dense.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    images = torch.randn(1, 4, 16, 16)
    network(images)
    images[:, 2] += 1.0
    network(images)
    changed = (seen[0] != seen[1]).reshape(4, -1).any(1)
    assert changed.tolist() == [False, False, True, False]


def test_dropout_lies_between_the_dense_layers_and_not_before_the_output():
    parts = [type(part).__name__ for part in yan2020.YanCNN(dropout=0.2).dense.modules()]
    assert [p for p in parts if p in ("Linear", "Dropout")] == ["Linear", "Dropout"] * 3 + ["Linear"]


def test_the_residual_network_sees_redshift_and_any_size():
    torch.manual_seed(0)
    network = resnet.MapResNet(outputs=2, channels=3, redshift=True).eval()
    images = torch.randn(2, 3, 50, 50)
    near, far = network(images, torch.tensor([0.1, 0.1])), network(images, torch.tensor([0.1, 0.9]))
    torch.testing.assert_close(near[0], far[0])
    assert not torch.allclose(near[1], far[1])


@pytest.mark.parametrize("transform", scaled.TRANSFORMS)
def test_scaled_images_have_mean_zero_and_spread_one_in_each_channel(transform):
    rng = np.random.default_rng(1)
    images = torch.as_tensor(np.stack([rng.lognormal(-16, 2, (40, 9, 9)), rng.normal(5, 3, (40, 9, 9))], 1)).float()
    network = scaled.ScaledImages(torch.nn.Identity(), channels=2, transform=transform)
    network.fit_scale(images)
    got = network(images)
    torch.testing.assert_close(got.mean((0, 2, 3)), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(got.std((0, 2, 3), unbiased=False), torch.ones(2), atol=1e-4, rtol=0)
    again = scaled.ScaledImages(torch.nn.Identity(), channels=2, transform=transform)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again(images), got, rtol=0, atol=0)


def test_asinh_is_linear_in_the_noise_and_logarithmic_above():
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 100, 100) * 1e-6
    network = scaled.ScaledImages(torch.nn.Identity(), channels=1, transform="asinh")
    network.fit_scale(noise)
    x = torch.tensor([1e-8, 2e-8, 1e-3, 1e-2, 1e-1]).reshape(1, 1, 1, 5)
    values = (network(x) * network.spread + network.mean).flatten()
    assert float(values[1] / values[0]) == pytest.approx(2, rel=1e-2)
    assert float(values[4] - values[3]) == pytest.approx(np.log(10), rel=1e-3)
    assert float(values[3] - values[2]) == pytest.approx(np.log(10), rel=1e-3)


def test_images_without_contrast_do_not_become_nan():
    network = scaled.ScaledImages(torch.nn.Identity(), channels=1, transform="asinh")
    network.fit_scale(torch.zeros(3, 1, 4, 4))
    assert torch.isfinite(network(torch.zeros(1, 1, 4, 4))).all()


def test_unknown_words_are_refused():
    with pytest.raises(DomainError, match="padding"):
        yan2020.YanCNN(padding="mirror")
    with pytest.raises(DomainError, match="pixels"):
        yan2020.YanCNN(pixels=7)
    with pytest.raises(DomainError, match="transform"):
        scaled.ScaledImages(torch.nn.Identity(), 1, "cube")
