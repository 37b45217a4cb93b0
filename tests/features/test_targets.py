"""Which clusters are mapped: mass cuts, order, and the centre of a halo without a catalogue."""

from types import SimpleNamespace

import numpy as np
import pytest

from clustermass.errors import ArrayError, BadInputError, DataWarning, DomainError, MissingFieldError
from clustermass.features.targets import Targets, shrinking_sphere, target_of_isolated, targets_from_groups
from tests.features.fakes import MemorySnapshot, cluster

CATALOGUE = {
    "path": "groups.hdf5",
    "n": 4,
    "subhaloes": None,
    "ids": np.arange(4),
    "positions": np.arange(12.0).reshape(4, 3),
    "m200c": np.array([1e13, 3e14, 0.0, 5e13]),
    "r200c": np.array([0.4, 1.4, 0.0, 0.8]),
    "m500c": None,
}


def catalogue(**changes):
    return SimpleNamespace(**(CATALOGUE | changes))


def test_groups_above_the_mass_heaviest_first():
    targets = targets_from_groups(catalogue(), min_mass=1e13)
    assert targets.ids.tolist() == [1, 3, 0]
    assert targets.labels["m200c"].tolist() == [3e14, 5e13, 1e13]
    np.testing.assert_array_equal(targets.centres[0], [3, 4, 5])
    assert "m500c" not in targets.labels


def test_catalogue_without_masses_keeps_all_and_refuses_a_cut():
    bare = catalogue(m200c=None, r200c=None)
    targets = targets_from_groups(bare)
    assert targets.ids.tolist() == [0, 1, 2, 3]
    assert np.isnan(targets.labels["m200c"]).all()
    with pytest.raises(MissingFieldError, match=r"groups\.hdf5 has no M200c"):
        targets_from_groups(bare, min_mass=1e13)


def test_subhaloes_stand_in_for_absent_groups():
    subhaloes = SimpleNamespace(n=2, positions=np.ones((2, 3)), masses=np.array([1.0, 2.0]))
    targets = targets_from_groups(catalogue(n=0, positions=None, subhaloes=subhaloes))
    assert len(targets) == 2
    assert targets.labels["masses"].tolist() == [1.0, 2.0]
    with pytest.raises(MissingFieldError, match="no positions"):
        targets_from_groups(catalogue(n=0, positions=None))


def test_a_cut_above_the_heaviest_says_how_heavy_it_is():
    with pytest.raises(DomainError, match="3e\\+14"):
        targets_from_groups(catalogue(), min_mass=1e16)


def test_targets_check_their_columns():
    with pytest.raises(ArrayError, match="`m200c`"):
        Targets(np.zeros((2, 3)), np.arange(2), {"m200c": np.ones(3)})
    with pytest.raises(BadInputError, match="`centres`"):
        Targets(np.full((1, 3), np.nan), np.arange(1))


@pytest.mark.parametrize("box_size", [None, 10.0])
@pytest.mark.parametrize("centre", [(5.0, 5.0, 5.0), (0.05, 9.9, 5.0)])
def test_shrinking_sphere_finds_the_dense_halo_among_a_background(rng, box_size, centre):
    halo = rng.normal(centre, 0.3, (3000, 3))
    if box_size:
        halo %= box_size
    positions = np.concatenate([halo, rng.uniform(0, 10, (6000, 3))])
    found = shrinking_sphere(positions, np.ones(len(positions)), box_size=box_size)
    offset = found - centre
    if box_size:
        offset -= box_size * np.round(offset / box_size)
    assert np.linalg.norm(offset) < 0.06


def test_shrinking_sphere_of_few_or_massless_particles():
    np.testing.assert_allclose(shrinking_sphere(np.array([[1.0, 2, 3]]), np.ones(1)), [1, 2, 3])
    same = shrinking_sphere(np.full((200, 3), 4.0), np.ones(200))
    np.testing.assert_allclose(same, 4.0)
    with pytest.raises(DomainError, match="`masses`"):
        shrinking_sphere(np.ones((3, 3)), np.zeros(3))


def test_isolated_halo_is_found_with_a_small_budget_too(rng):
    snapshot = MemorySnapshot(cluster(rng, n=60_000, centre=(2.0, 3.0, 4.0)), is_cosmological=False, omega_m=0.0)
    for budget in (2**30, 2**22):
        with pytest.warns(DataWarning, match="no group catalogue"):
            target = target_of_isolated(snapshot, byte_budget=budget)
        np.testing.assert_allclose(target.centres, [[2, 3, 4]], atol=0.1)
        assert np.isnan(target.labels["m200c"]).all()


def test_snapshot_without_mass_has_no_centre():
    with pytest.raises(MissingFieldError, match="no centre"):
        target_of_isolated(MemorySnapshot({"gas": {"positions": np.ones((5, 3))}}))
