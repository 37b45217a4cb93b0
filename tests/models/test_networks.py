"""Networks: published numbers of parameters, symmetries, and heads against the distributions they stand for."""

import math

import numpy as np
import pytest
from scipy import stats

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.errors import DomainError  # noqa: E402
from clustermass.models.networks import cnn3d, heads, ho2019  # noqa: E402
from clustermass.models.networks.layers import count_parameters  # noqa: E402


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: ho2019.CNN1D("arxiv-v1"), 24_024),
        (lambda: ho2019.CNN2D("arxiv-v1"), 30_323),
        (lambda: ho2019.CNN1D("final"), 39_384),
        (lambda: ho2019.CNN2D("final"), 76_403),
        (cnn3d.CNN3D, 123_189),
    ],
    ids=["1d-v1", "2d-v1", "1d-final", "2d-final", "3d"],
)
def test_published_numbers_of_parameters(network, parameters):
    assert count_parameters(network()) == parameters


def test_cnn2d_convolves_along_velocity_with_radii_as_channels():
    """A shift in velocity shifts what the convolutions give; radii are mixed by weights of their own."""
    torch.manual_seed(0)
    network = ho2019.CNN2D("final").eval()
    grid = torch.zeros(1, 48, 48)
    grid[0, 20, 7] = 1.0
    here = network.convolutions(grid.transpose(1, 2))
    there = network.convolutions(torch.roll(grid, 4, 1).transpose(1, 2))
    torch.testing.assert_close(torch.roll(here, 4, 2), there)
    other = network.convolutions(torch.roll(grid, 1, 2).transpose(1, 2))
    assert not torch.allclose(here, other)


def test_cnn3d_layers_shrink_as_published():
    network, sizes = cnn3d.CNN3D(), []
    for part in (network.first, network.second, network.third):
        part.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    network(torch.zeros(1, 50, 50, 50))
    assert sizes == [(12, 46, 46, 46), (8, 21, 21, 21), (4, 11, 11, 11)]
    linear = [part for part in network.dense if isinstance(part, torch.nn.Linear)]
    assert len(linear) == len(network.dense), "the dense layers have no activation"


Y = np.linspace(-12, 12, 12_001)
HEADS = {
    "gaussian": (heads.GaussianHead, -0.5 * math.log(2 * math.pi)),
    "binned": (lambda: heads.BinnedHead(16), math.log(8)),
    "flow": (lambda: heads.FlowHead(context=5, transforms=2, hidden=(8,)), 0.0),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_is_a_distribution_and_its_loss_the_negative_logarithm(kind):
    """But for a constant: the Gaussian's norm, the width of a bin."""
    if kind == "flow":
        pytest.importorskip("zuko", reason="zuko is not installed")
    torch.manual_seed(2)
    make, constant = HEADS[kind]
    head = make()
    outputs = torch.randn(3, head.outputs)
    y, at = torch.as_tensor(Y, dtype=torch.float32), torch.tensor([-0.51, 0.02, 0.77])
    with torch.no_grad():
        density = head.log_density(outputs, y).double().exp().numpy()
        own = torch.diagonal(head.log_density(outputs, at))
        loss = head(outputs, at)
    np.testing.assert_allclose(np.trapezoid(density, Y, axis=1), 1, atol=2e-3)
    np.testing.assert_allclose(loss, -own + constant, rtol=1e-4, atol=1e-5)
    if kind != "flow":
        np.testing.assert_allclose(np.trapezoid(density * Y, Y, axis=1), head.mean(outputs), atol=2e-3)


def test_gaussian_head_is_the_normal_distribution():
    head = heads.GaussianHead()
    outputs = torch.tensor([[0.3, math.log(0.04)]])
    got = head.log_density(outputs, torch.tensor([0.1, 0.3, 1.0]))[0]
    np.testing.assert_allclose(got, stats.norm.logpdf([0.1, 0.3, 1.0], 0.3, 0.2), rtol=1e-5)


def test_the_mean_loss_of_a_gaussian_is_least_at_the_truth():
    """Against the published form: half of (y - mu)^2 exp(-s) + s."""
    y = 0.2 + 0.5 * torch.randn(20_000, generator=torch.Generator().manual_seed(3))

    def loss(mean, sigma):
        return float(heads.GaussianHead()(torch.tensor([[mean, 2 * math.log(sigma)]]).expand(y.numel(), 2), y).mean())

    best = loss(float(y.mean()), float(y.std()))
    assert all(loss(m, s) > best for m, s in ((0.1, 0.5), (0.3, 0.5), (0.2, 0.4), (0.2, 0.6)))


def test_unknown_words_are_refused():
    with pytest.raises(DomainError, match="version"):
        ho2019.CNN1D("v2")
    with pytest.raises(DomainError, match="bins"):
        heads.BinnedHead(1)
