"""ErositaCNN and KrippendorfCNN: parameters, the grid, layers by hand, what they refuse, learning."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from clustermass.errors import DomainError  # noqa: E402
from clustermass.models.networks.erosita import (  # noqa: E402
    BLOCKS,
    DENSE_LAYERS,
    FILTERS,
    KERNELS,
    Architecture,
    ErositaCNN,
    KrippendorfCNN,
    architectures,
    sides,
)
from clustermass.models.networks.layers import count_parameters  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_parameters():
    assert count_parameters(KrippendorfCNN()) == 299_732
    assert count_parameters(ErositaCNN()) == 910 + 1820 + 5430 + 481 * 64 + 64 + 65
    assert count_parameters(ErositaCNN(redshift=False)) == count_parameters(ErositaCNN()) - 64
    assert count_parameters(ErositaCNN(outputs=2)) == count_parameters(ErositaCNN()) + 65


def test_recommended_network_layer_by_layer():
    """3 blocks of 10, 20, 30 filters of 3 x 3: 50 -> 48 -> 24 -> 22 -> 11 -> 9 -> 4, 480 numbers and the redshift."""
    network = ErositaCNN()
    filters = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert filters == [10, 20, 30]
    assert sides(3, 3) == [50, 24, 11, 4]
    assert network.dense[0].in_features == 30 * 4 * 4 + 1


def test_grid_of_the_report():
    points = list(architectures())
    assert len(points) == len(set(points)) == len(FILTERS) * len(KERNELS) * len(BLOCKS) * len(DENSE_LAYERS) == 81
    assert Architecture(10, 3, 3, 1) in points
    for pixels in range(2, 60):
        for pool in (2, 3, 4):
            assert len(list(architectures(pixels, pool))) % 9 == 0  # so never the 53 of the report
    assert Architecture(10, 3, 3, 1) not in list(architectures(pool=3))


@pytest.mark.parametrize("point", list(architectures())[::7], ids=str)
def test_every_architecture_that_is_listed_can_be_made(point):
    outputs = ErositaCNN(**point._asdict(), outputs=3)(torch.zeros(2, 10, 50, 50), torch.zeros(2))
    assert outputs.shape == (2, 3)


def test_published_network_by_hand():
    """The layers of Krippendorf et al. written out, with the padding of an even filter that Keras uses."""
    torch.manual_seed(1)
    network = KrippendorfCNN()
    images, z = torch.randn(2, 10, 50, 50), torch.tensor([0.2, 0.9])
    wide = torch.zeros(2, 10, 51, 51)
    wide[:, :, :50, :50] = images
    a = functional.conv2d(wide, network.first.weight, network.first.bias).relu()
    a = a.reshape(2, 10, 25, 2, 25, 2).mean(dim=(3, 5))
    wide = torch.zeros(2, 10, 26, 26)
    wide[:, :, :25, :25] = a
    b = functional.conv2d(wide, network.second.weight, network.second.bias).relu()
    b = b[:, :, :24, :24].reshape(2, 20, 12, 2, 12, 2).amax(dim=(3, 5))
    c = network.dense(torch.cat([b.reshape(2, -1), z[:, None]], 1))
    torch.testing.assert_close(network(images, z), network.output(c))


@pytest.mark.parametrize("make", [ErositaCNN, KrippendorfCNN])
def test_redshift_counts_and_is_demanded(make):
    torch.manual_seed(2)
    network, images = make(), torch.rand(2, 10, 50, 50)
    near, far = network(images, torch.full((2,), 0.1)), network(images, torch.full((2,), 0.9))
    assert (near != far).all()
    with pytest.raises(DomainError, match="redshift"):
        network(images)


def test_what_cannot_be_made():
    with pytest.raises(DomainError, match="blocks"):
        ErositaCNN(kernel=7, pixels=20)
    with pytest.raises(DomainError, match="dense_layers"):
        ErositaCNN(dense_layers=4)
    with pytest.raises(DomainError, match="pixels"):
        KrippendorfCNN(pixels=3)


@pytest.mark.parametrize(
    "make", [lambda: ErositaCNN(channels=1, pixels=22), lambda: KrippendorfCNN(channels=1, pixels=8, outputs=1)]
)
def test_learns_brightness_at_a_distance(make):
    """Brightness times the square of the redshift, which neither images nor redshift tell alone."""
    torch.manual_seed(3)
    network = make()
    side = 22 if isinstance(network, ErositaCNN) else 8
    size, z = torch.rand(64) * 2 - 1, torch.rand(64) * 0.8 + 0.2
    images = (0.3 * (size - 2 * torch.log(z)))[:, None, None, None].expand(-1, 1, side, side).contiguous()
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(150):
        loss = functional.mse_loss(network(images, z)[:, 0], size)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert float(loss.detach()) < 0.03 * float(size.var())
