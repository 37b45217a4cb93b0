"""How the galaxies of a box are put together: what is counted around clusters, and what the field carries."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.data.mocks.universe import populate as room
from clustermass.data.mocks.universe.haloes import make_haloes
from clustermass.data.mocks.universe.outskirts import Infalling
from clustermass.data.mocks.universe.settings import UniverseSettings

SETTINGS = dict(box_size=120.0, min_mass=3e11, seed=4)


@pytest.fixture(scope="module")
def field():
    return make_haloes(UniverseSettings(**SETTINGS))


@pytest.fixture
def seen(monkeypatch):
    """Adds three haloes like the hundredth at known places, carried by the field, and keeps what was asked."""
    kept = {}

    def draw(around, flow, table, epoch, rng):
        kept["around"] = around
        places = np.array([[10.0, 20.0, 30.0], [60.0, 70.0, 80.0], [100.0, 5.0, 50.0]])
        kept["places"] = places
        return Infalling(np.full(3, 100), places, np.zeros((3, 3)), np.array([1.0, 1.0, 0.5]))

    monkeypatch.setattr(room, "draw_infalling", draw)
    return kept


@pytest.mark.parametrize("occupation", ["observed", "universemachine"])
def test_weights_are_the_galaxies_that_haloes_bring(field, seen, occupation):
    galaxies = room.populate(field, UniverseSettings(occupation=occupation, **SETTINGS))
    around = seen["around"]
    with_host = galaxies.host >= 0
    total = around.weights.sum()
    assert abs(with_host.sum() - total) < 5 * np.sqrt(total) + 0.03 * total  # 1 to 2 % of members are flung out
    centrals = around.brought.sum() - total
    assert centrals == pytest.approx(0, abs=0.02 * total) if occupation == "observed" else centrals > 0.3 * total
    large = field.haloes.m200c * 0.6777 > 1e13
    np.testing.assert_array_equal(around.rows, np.flatnonzero(large))
    np.testing.assert_array_equal(around.hosts.m200c, field.haloes.m200c[large])
    assert around.members[0] > around.members[-1]
    assert around.bias[0] > 2 > around.bias[-1] > 0.5
    assert around.peak_height[0] > around.peak_height[-1] > 1


def test_added_galaxies_move_with_the_field(field, seen):
    galaxies = room.populate(field, UniverseSettings(occupation="universemachine", **SETTINGS))
    flow = field.velocity_at(seen["places"]) * np.array([1.0, 1.0, 0.5])[:, None]
    assert np.linalg.norm(flow, axis=1).min() > 30
    for place, velocity in zip(seen["places"], flow, strict=True):
        at = np.flatnonzero((galaxies.positions == place).all(axis=1))  # the central of the added halo
        assert at.size == 1
        assert galaxies.host[at[0]] == -1
        np.testing.assert_allclose(galaxies.velocities[at[0]], velocity, rtol=1e-9)


def test_small_haloes_are_not_turned_to_the_tides(field):
    h = 0.6777
    axes = room.tidal_axes(field, np.arange(field.haloes.n), h)
    large = field.haloes.m200c * h > room.ALIGNED
    assert large.any()
    assert not large.all()
    assert not axes[~large].any()
    np.testing.assert_allclose(np.linalg.norm(axes[large], axis=2), 1.0, rtol=1e-6)
