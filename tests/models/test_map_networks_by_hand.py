"""Networks on maps layer by layer, as their sources list them: a number of parameters does not tell what joins them."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.nn import functional as f  # noqa: E402

from clustermass.models.networks import scaled, yan2020  # noqa: E402
from clustermass.models.networks.erosita import ErositaCNN  # noqa: E402
from clustermass.models.networks.joint import JointNetwork  # noqa: E402
from clustermass.models.networks.resnet import MapResNet  # noqa: E402


def dense(values, weights):
    """ReLU behind each layer but the last; `weights` in pairs of kernel and bias, used up."""
    pairs = list(zip(weights[::2], weights[1::2], strict=True))
    for kernel, bias in pairs[:-1]:
        values = f.relu(f.linear(values, kernel, bias))
    return f.linear(values, *pairs[-1])


def yan(images, weights, padding):
    for k in range(0, 6, 2):
        images = f.avg_pool2d(f.relu(f.conv2d(images, weights[k], weights[k + 1], padding=padding)), 2)
    return images.flatten(1)


@pytest.fixture
def stirred():
    """Networks whose biases are not zero, as they are after training."""
    torch.manual_seed(5)

    def of(network):
        for weight in network.parameters():
            torch.nn.init.normal_(weight, 0.02, 0.2)
        return network.eval()

    return of


@pytest.mark.parametrize(("padding", "width"), [("same", 1), ("valid", 0)])
def test_yan_et_al(stirred, padding, width):
    network, images = stirred(yan2020.YanCNN(2, 3, 22, padding)), torch.randn(2, 3, 22, 22)
    weights = list(network.parameters())
    torch.testing.assert_close(network(images), dense(yan(images, weights[:6], width), weights[6:]))


def test_yan_et_al_with_several_channels(stirred):
    network, images = stirred(yan2020.YanMultichannelCNN(1, 2, 16)), torch.randn(3, 2, 16, 16)
    weights = list(network.parameters())
    seen = [yan(images[:, k : k + 1], weights[6 * k : 6 * k + 6], 1) for k in range(2)]
    torch.testing.assert_close(network(images), dense(torch.cat(seen, 1), weights[12:]))


def test_the_efeds_report(stirred):
    network, z = stirred(ErositaCNN(blocks=2, channels=4, pixels=22, dense_layers=2)), torch.tensor([0.1, 0.7])
    images, weights = torch.randn(2, 4, 22, 22), list(network.parameters())
    values = images
    for k in (0, 2):
        values = f.max_pool2d(f.relu(f.conv2d(values, weights[k], weights[k + 1])), 2)
    wanted = dense(torch.cat([values.flatten(1), z[:, None]], 1), weights[4:])
    torch.testing.assert_close(network(images, z), wanted)


def test_the_residual_network(stirred):
    network = stirred(MapResNet(2, 3, widths=(4, 6), redshift=True))
    images, z = torch.randn(2, 3, 24, 24), torch.tensor([0.1, 0.7])
    values, seen = network.patches(images), []
    for stage in network.stages:
        *link, block = stage
        for part in link:
            values = part(values)
        spread = f.conv2d(values, block.spread.weight, block.spread.bias, padding=2, groups=values.shape[1])
        inner = block.narrow(f.gelu(block.widen(block.norm(spread.movedim(1, -1)))))
        values = values + inner.movedim(-1, 1)
        seen.append(values)
    features = torch.cat([seen[0].mean((2, 3)), seen[1].mean((2, 3)), seen[1].flatten(2).max(2).values], 1)
    features = torch.cat([f.layer_norm(features, (16,), *network.decode.parameters()), z[:, None]], 1)
    torch.testing.assert_close(network(images, z), network.output(network.last(features)))


def test_galaxies_and_maps_together(stirred):
    class Half(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.layer = torch.nn.Linear(n, 5)

        def forward(self, x, other=None):
            return self.layer(x) if other is None else self.layer(x) * other[:, None]

    network = stirred(JointNetwork(Half(3), Half(4), features=5, outputs=2, hidden=7))
    galaxies, maps, z = torch.randn(2, 3), torch.randn(2, 4), torch.tensor([0.5, 2.0])
    seen = torch.cat([network.galaxies(galaxies), network.maps(maps, z)], 1)
    wanted = network.output(f.gelu(network.decode[0](seen))) + network.straight(seen)
    torch.testing.assert_close(network(galaxies, maps, z), wanted)


def test_the_softening_is_the_noise_and_at_least_a_thousandth_of_the_spread():
    torch.manual_seed(1)
    noise, network = 2e-6 * torch.randn(4, 2, 60, 60), scaled.ScaledImages(torch.nn.Identity(), 2, "asinh")
    noise[:, 0, :3, :3] = 1e-3  # few bright pixels do not make noise
    noise[:, 1] = 0.0
    noise[0, 1, 0, 0] = 1.0
    network.fit_scale(noise)
    assert float(network.softening[0]) == pytest.approx(2e-6, rel=0.03)
    assert float(network.softening[1]) == pytest.approx(1e-3 * float(noise[:, 1].std(unbiased=False)), rel=1e-4)
