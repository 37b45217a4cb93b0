"""Members on images pass one after another: the same gradients as alone, and only their own."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch import nn  # noqa: E402

from clustermass.models.networks.heads import MassNetwork, PointHead  # noqa: E402
from clustermass.training.members import Members  # noqa: E402


def network():
    return MassNetwork(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 1)), PointHead())


@pytest.mark.parametrize("at_once", [6, 4, 1])
def test_members_with_convolutions_have_the_gradients_of_networks_alone(monkeypatch, at_once):
    monkeypatch.setattr("clustermass.training.members.CACHED_PIXELS", 25 * at_once)
    seeds, prepared = [4, 9], []
    members = Members(network, seeds, torch.device("cpu"), lambda net, number: prepared.append((net, number)))
    assert [number for _, number in prepared] == [0, 1]
    images, y = torch.randn(2, 6, 1, 5, 5), torch.randn(2, 6)
    weight = torch.tensor([[1.0] * 6, [1.0] * 4 + [0.0] * 2])
    sums = members.descend(y, weight, weight.sum(1), images)
    for k, (alone, _) in enumerate(prepared):
        alone.zero_grad()
        total = (alone(y[k], images[k]) * weight[k]).sum()
        (total / weight[k].sum()).backward()
        torch.testing.assert_close(sums[k], total.detach())
        for name, value in alone.named_parameters():
            torch.testing.assert_close(members.parameters[name].grad[k], value.grad)
    with torch.no_grad():
        both = members.losses(y, images, training=False)
        torch.testing.assert_close(both[1], prepared[1][0](y[1], images[1]))
