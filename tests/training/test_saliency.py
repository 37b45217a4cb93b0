"""Influence of single galaxies: what leaving them out and moving them does, against gradients through the grid."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.data.cluster_sample import ClusterSample  # noqa: E402
from clustermass.errors import BadInputError, DomainError, NotFittedError  # noqa: E402
from clustermass.models.registry import make_estimator  # noqa: E402
from clustermass.ops.kde import estimate_density  # noqa: E402
from clustermass.training import saliency  # noqa: E402
from clustermass.training.saliency import galaxy_saliency  # noqa: E402
from tests.training.test_estimator import clusters  # noqa: E402


def untrained(name, gain=40.0):
    """A network as it starts, its first layer strong enough for the estimate to depend on the galaxies."""
    model = make_estimator(name, device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        state = model._network().state_dict()
    weights = [k for k, v in state.items() if v.ndim > 1]
    state[weights[0]] = gain * state[weights[0]]
    model._state = {k: v.numpy() for k, v in state.items()}
    model._scale = (13.5, 15.3)
    return model


def without(sample, row, galaxy):
    """One cluster of a sample without one of its galaxies (an index into all columns)."""
    part = np.arange(sample.offsets[row], sample.offsets[row + 1])
    keep = part[part != galaxy]
    return clusters_of(sample, keep, sample.velocity[keep])


def clusters_of(sample, keep, velocity):
    return ClusterSample(
        names=["one"], offsets=[0, keep.size], x=sample.x[keep], y=sample.y[keep], velocity=velocity,
        redshift=sample.redshift[:1], cosmology=sample.cosmology, max_radius=sample.max_radius[:1],
        max_velocity=sample.max_velocity[:1],
    )  # fmt: skip


def mean_of(model, sample):
    """The mean, which for a flow is not the median that `predict` gives."""
    network = model._load()
    return model._means(network, model._inputs(sample, model._device()), np.arange(len(sample)))[0]


def mean_with_weights(model, sample, weights):
    """The mean where each galaxy counts as much as its weight."""
    preset = model._grid_preset()
    columns = {"x": sample.x, "y": sample.y, "velocity": sample.velocity, "radius": sample.radius}
    grid = estimate_density(
        np.stack([columns[name] for name in preset.columns], 1), sample.offsets, axes=preset.axes(sample.cosmology.h),
        bandwidth=preset.bandwidth, at=preset.at, normalise="sum", weights=weights,
    )  # fmt: skip
    network = model._load()
    with torch.no_grad():
        y = network.head.mean(network.trunk(torch.as_tensor(preset.total * grid).float()))
    return model._unscaled(y.numpy())[0]


@pytest.mark.parametrize("name", ["cnn-1d", "cnn-2d", "neural-flow", "neural-posterior", "set-posterior"])
def test_influence_is_what_leaving_a_galaxy_out_does(name, monkeypatch):
    if name not in ("cnn-1d", "cnn-2d"):
        pytest.importorskip("zuko", reason="zuko is not installed")
    monkeypatch.setattr(saliency, "PLACES", (4, 3))
    model, sample = untrained(name), clusters(3, seed=12)
    found = galaxy_saliency(model, sample)
    assert found.offsets.tolist() == sample.offsets.tolist(), "all galaxies of these clusters are in the cylinder"
    assert len(found) == 3
    for row, place in ((0, 2), (2, 5)):
        galaxy = found.galaxy[found.offsets[row] + place]
        want = mean_of(model, sample.only([row])) - mean_of(model, without(sample, row, galaxy))
        assert found.influence[found.offsets[row] + place] == pytest.approx(want, abs=2e-5)
        assert found.log10_mass[row] == pytest.approx(mean_of(model, sample.only([row])), abs=1e-5)
    assert np.ptp(found.influence) > 1e-4, "else this shows nothing"


@pytest.mark.parametrize("name", ["cnn-1d", "cnn-2d", "cnn-3d"])
def test_gradients_through_the_density_grid_agree_with_changes(name, monkeypatch):
    monkeypatch.setattr(saliency, "PLACES", (2, 2))
    model, sample = untrained(name), clusters(1, seed=13)
    found = galaxy_saliency(model, sample)
    part = np.arange(found.galaxy.size)
    if name != "cnn-3d":  # there a galaxy's kernel stands alone: maxima of pools change hands when it goes
        assert np.corrcoef(found.by_weight, found.influence)[0, 1] > 0.9
        assert 0.7 < np.polyfit(found.by_weight, found.influence, 1)[0] < 1.4, "leaving out is a step of one weight"
    for galaxy in np.argsort(-np.abs(found.by_weight))[:3]:
        there, back = (mean_with_weights(model, sample, 1.0 + s * 0.02 * (part == galaxy)) for s in (1, -1))
        assert found.by_weight[galaxy] == pytest.approx((there - back) / 0.04, rel=0.1)
    step = 5.0
    for galaxy in np.argsort(-np.abs(found.by_velocity))[:3]:
        shift = step * (part == galaxy)
        there, back = (mean_of(model, clusters_of(sample, part, sample.velocity + s * shift)) for s in (1, -1))
        assert found.by_velocity[galaxy] == pytest.approx((there - back) / (2 * step), rel=0.1)
    if name == "cnn-1d":
        assert not found.by_radius.any(), "it sees no radii"
    else:
        assert found.by_radius.any()


def test_the_map_of_a_grid_has_no_mean_over_the_galaxies():
    from clustermass.features.phase_space import phase_space_grids

    model, sample = untrained("cnn-2d"), clusters(2, seed=14)
    found = galaxy_saliency(model, sample)
    grids = phase_space_grids(sample.x, sample.y, sample.velocity, sample.offsets, preset="ho2019-2d",
                              h=sample.cosmology.h)  # fmt: skip
    assert found.maps.shape == grids.shape
    assert np.abs((found.maps * grids).sum(axis=(1, 2))).max() < 1e-3 * np.abs(found.maps).max()
    reach = 1.6 / sample.cosmology.h
    np.testing.assert_allclose([found.radii[0], found.radii[-1]], [reach / 96, reach * 95 / 96])


def test_sets_move_galaxies_to_find_derivatives(monkeypatch):
    pytest.importorskip("zuko", reason="zuko is not installed")
    monkeypatch.setattr(saliency, "PLACES", (5, 4))
    model, sample = untrained("set-posterior"), clusters(1, seed=15)
    found = galaxy_saliency(model, sample)
    assert found.by_weight is None
    assert found.maps.shape == (1, 5, 4)
    galaxy = int(np.argmax(np.abs(found.by_velocity)))
    part = np.arange(found.galaxy.size)
    moved = [np.clip(sample.velocity + s * 50.0 * (part == galaxy), -2199.99, 2199.99) for s in (1, -1)]
    there, back = (mean_of(model, clusters_of(sample, part, v)) for v in moved)
    want = (there - back) / (moved[0] - moved[1])[galaxy]
    assert found.by_velocity[galaxy] == pytest.approx(want, rel=1e-2, abs=1e-8)
    k = int(np.argmax(np.abs(found.maps[0]).ravel()))
    v, r = found.velocities[k // 4], found.radii[k % 4]
    more = ClusterSample(**vars(sample) | dict(
        offsets=[0, part.size + 1], x=np.append(sample.x, r), y=np.append(sample.y, 0.0),
        velocity=np.append(sample.velocity, v),
    ))  # fmt: skip
    want = 0.01 * part.size * (mean_of(model, more) - found.log10_mass[0])
    assert found.maps[0].ravel()[k] == pytest.approx(want, rel=1e-2, abs=1e-7)


def test_galaxies_outside_the_cylinder_are_not_there_and_bad_requests_are_named():
    model, sample = untrained("cnn-2d"), clusters(1, seed=16)
    velocity = np.array(sample.velocity)
    velocity[3] = 2500.0
    found = galaxy_saliency(model, clusters_of(sample, np.arange(velocity.size), velocity))
    assert 3 not in found.galaxy
    assert found.galaxy.size == velocity.size - 1
    with pytest.raises(BadInputError, match="row 0 has 3"):
        galaxy_saliency(model, clusters_of(sample, np.arange(3), velocity[:3] * 0))
    with pytest.raises(NotFittedError, match="cnn-2d"):
        galaxy_saliency(make_estimator("cnn-2d", device="cpu"), sample)
    with pytest.raises(DomainError, match="network on galaxies"):
        galaxy_saliency(make_estimator("virial"), sample)
