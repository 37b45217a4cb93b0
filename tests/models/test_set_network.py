"""The network on galaxies has no order and no padding; one spline is a distribution, several are averaged."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.models.networks import sets, spline  # noqa: E402
from clustermass.models.networks.layers import count_parameters  # noqa: E402
from clustermass.training.presets import build_network, find_preset  # noqa: E402

OWNER = torch.tensor([0] * 9 + [1] * 4 + [2] * 6)


def network(seed=1):
    torch.manual_seed(seed)
    return sets.SetNetwork(columns=4, summaries=5, outputs=3).eval()


def batch(seed=2):
    torch.manual_seed(seed)
    return torch.randn(OWNER.numel(), 4), torch.ones(OWNER.numel()), OWNER, torch.randn(3, 5)


def test_the_number_of_parameters():
    galaxy = (4 * 32 + 32) + (32 * 32 + 32) + 2 * (32 * 32 + 32)
    cluster = ((64 + 5) * 64 + 64) + (64 * 64 + 64) + (64 * 3 + 3) + (5 * 3 + 3)
    assert count_parameters(network()) == galaxy + cluster == 12_181


def test_the_number_of_parameters_of_the_preset():
    pytest.importorskip("zuko", reason="zuko is not installed")
    preset = find_preset("set-posterior")
    assert count_parameters(build_network(preset.network, preset.options, (4, 21))) == 3 * 15_167


def test_the_order_of_galaxies_does_not_matter():
    galaxies, weight, owner, summary = batch()
    order = torch.randperm(owner.numel())
    out = network()(galaxies, weight, owner, summary)
    torch.testing.assert_close(network()(galaxies[order], weight[order], owner[order], summary), out)
    other = owner.clone()
    other[0] = 1
    assert not torch.allclose(network()(galaxies, weight, other, summary), out), "whose a galaxy is does matter"


def test_galaxies_without_weight_are_not_there():
    galaxies, weight, owner, summary = batch()
    out = network()(galaxies, weight, owner, summary)
    more = torch.cat([galaxies, 1e3 * torch.randn(5, 4)])
    owners = torch.cat([owner, torch.tensor([0, 0, 1, 2, 2])])
    torch.testing.assert_close(network()(more, torch.cat([weight, torch.zeros(5)]), owners, summary), out)
    counted = network()(more, torch.ones(owners.numel()), owners, summary)
    assert not torch.allclose(counted, out), "with weight they count"


def test_a_galaxy_of_weight_two_counts_as_two():
    galaxies, weight, owner, summary = batch()
    twice = network()(torch.cat([galaxies, galaxies[:1]]), torch.ones(20), torch.cat([owner, owner[:1]]), summary)
    weight[0] = 2.0
    torch.testing.assert_close(network()(galaxies, weight, owner, summary), twice)


def test_windows_are_counted_in_logarithms():
    """By hand, one cluster at a time: ln(1 + number seen) and the mean value seen."""
    galaxies, weight, owner, summary = batch()
    net = network()
    out = net(galaxies, weight, owner, summary)
    for row in range(3):
        encoded = net.encode(galaxies[owner == row])
        seen, value = 1 / (1 + torch.exp(-net.gate(encoded))), net.value(encoded)
        number = seen.sum(0)
        pooled = torch.cat([torch.log(1 + number) - 2.5, (seen * value).sum(0) / (1 + number), summary[row]])
        expected = net.output(net.decode(pooled)) + net.straight(summary[row])
        torch.testing.assert_close(out[row], expected)


def test_clusters_do_not_see_each_other_and_may_be_empty():
    galaxies, weight, owner, summary = batch()
    out = network()(galaxies, weight, owner, summary)
    alone = network()(galaxies[9:13], weight[9:13], owner[9:13] - 1, summary[1:2])
    torch.testing.assert_close(alone, out[1:2])
    empty = network()(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, dtype=torch.int64), summary)
    assert torch.isfinite(empty).all()


@pytest.fixture(scope="module")
def outputs():
    pytest.importorskip("zuko", reason="zuko is not installed")
    torch.manual_seed(3)
    return 1.5 * torch.randn(4, spline.SplineHead(bins=6).outputs)


Y = np.linspace(-12, 12, 48_001)


def test_a_spline_is_a_distribution_and_its_loss_the_negative_logarithm(outputs):
    head, y = spline.SplineHead(bins=6), torch.as_tensor(Y)
    outputs = outputs.double()
    density = head.log_density(outputs, y).exp().numpy()
    np.testing.assert_allclose(np.trapezoid(density, Y, axis=1), 1, atol=2e-3)
    expected = np.trapezoid(density * Y, Y, axis=1)
    width = np.sqrt(np.trapezoid(density * (Y - expected[:, None]) ** 2, Y, axis=1))
    assert (np.abs(head.mean(outputs).numpy() - expected) < 0.02 * width).all()
    at = torch.tensor([-0.5, 0.0, 0.3, 0.9], dtype=torch.float64)
    torch.testing.assert_close(head(outputs, at), -torch.diagonal(head.log_density(outputs, at)))
    assert np.unique(np.argmax(density, axis=1)).size == 4, "other outputs are another distribution"


def test_zero_outputs_are_a_gaussian():
    pytest.importorskip("zuko", reason="zuko is not installed")
    head = spline.SplineHead(bins=4)
    at, width = torch.tensor([-0.4, 0.0, 0.25]), math.exp(-1.5)
    expected = torch.distributions.Normal(0.0, width).log_prob(at)
    torch.testing.assert_close(head.log_density(torch.zeros(1, head.outputs), at)[0], expected)


def test_a_mixture_averages_densities_and_trains_each_for_itself(outputs):
    one = spline.SplineHead(bins=6)
    both, at = spline.MixtureHead(one, 2), torch.tensor([0.1, -0.3])
    side_by_side = torch.cat([outputs[:2], outputs[2:]], 1)
    mean = 0.5 * (one.log_density(outputs[:2], at).exp() + one.log_density(outputs[2:], at).exp())
    torch.testing.assert_close(both.log_density(side_by_side, at).exp(), mean)
    torch.testing.assert_close(both(side_by_side, at), 0.5 * (one(outputs[:2], at) + one(outputs[2:], at)))
    torch.testing.assert_close(both.mean(side_by_side), 0.5 * (one.mean(outputs[:2]) + one.mean(outputs[2:])))


def test_a_summary_reaches_the_outputs_of_a_grid_network():
    torch.manual_seed(4)
    trunk = sets.Summarised(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 8)), 8, 5, 3)
    grid, summary = torch.randn(2, 2, 3), torch.randn(2, 5)
    out = trunk(grid, summary)
    assert not torch.allclose(trunk(grid, summary + 1), out)
    assert not torch.allclose(trunk(grid + 1, summary), out)
