"""Interloping clusters against brute force over all pairs and images, and planted ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clustermass.constants import NEWTON
from clustermass.data.universe import Haloes
from clustermass.errors import BadInputError
from clustermass.evaluation import find_interloping_clusters
from tests import tolerances
from tests.universes import COSMOLOGY, make_universe

Z, C = 0.1, 299792.458
LIMITS = {"redshift": Z, "cosmology": COSMOLOGY, "max_radius": 6.0, "max_velocity": 4000.0}


def brute_force(haloes, hosts, lines, box):
    """Nearest more massive halo of each observation: mass ratio, distance, count; images one box around."""
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * box
    distances = np.linspace(300, 550, 20_001)
    redshifts = np.interp(distances, COSMOLOGY.comoving_distance(np.linspace(0, 0.2, 2001)), np.linspace(0, 0.2, 2001))

    def hubble(z):
        return C * ((1 + z) ** 2 - 1) / ((1 + z) ** 2 + 1)

    found = []
    for host, line in zip(hosts, lines, strict=True):
        here = int(np.flatnonzero(haloes.ids == host)[0])
        best = []
        for k in np.flatnonzero(haloes.m200c > haloes.m200c[here]):
            away = haloes.positions[k] - haloes.positions[here] + shifts
            depth = away @ line
            across = np.linalg.norm(away - depth[:, None] * line, axis=1)
            there = np.interp(COSMOLOGY.comoving_distance(Z) + depth, distances, redshifts)
            v, w = hubble(there), haloes.velocities[k] @ line
            other = (v + w) / (1 + v * w / C**2)
            own = hubble(Z), haloes.velocities[here] @ line
            mine = (own[0] + own[1]) / (1 + own[0] * own[1] / C**2)
            speed = (other - mine) / (1 - other * mine / C**2)
            r200 = haloes.r200c[[here, k]]
            v200 = np.sqrt(NEWTON * haloes.m200c[[here, k]] * (1 + Z) / r200)
            inside = (across <= 6.0) & (np.abs(speed) < 4000.0)
            best += [
                (np.hypot(speed[i] / v200.mean(), across[i] / r200.mean()), haloes.m200c[k] / haloes.m200c[here])
                for i in np.flatnonzero(inside)
            ]
        distance, ratio = min(best, default=(np.inf, 0.0))
        found.append((ratio, distance, len(best)))
    return np.array(found).T


def test_against_all_pairs():
    haloes = make_universe(n_haloes=200, per_halo=0, n_field=0, box_size=100.0).haloes
    hosts, lines = np.repeat(haloes.ids[:60], 3), np.tile(np.eye(3), (60, 1))
    got = find_interloping_clusters(hosts, lines, haloes, box_size=100.0, **LIMITS)
    ratio, distance, count = brute_force(haloes, hosts, lines, 100.0)
    assert got.count.tolist() == count.tolist()
    assert 20 < (count > 0).sum() < 160
    assert (count > 1).any()
    assert got.mass_ratio == pytest.approx(ratio)
    hit = count > 0
    assert np.abs(got.distance[hit] / distance[hit] - 1).max() < tolerances.INTERPOLATED_FLOW
    assert np.isinf(got.distance[~hit]).all()


def two_haloes(**changes):
    return replace(
        Haloes(
            ids=np.array([7, 3]),
            positions=np.array([[50.0, 50, 50], [52.0, 50, 50]]),
            velocities=np.array([[0.0, 0, 0], [0, 0, 900]]),
            m200c=np.array([1e14, 8e14]),
            r200c=np.array([1.0, 2.0]),
        ),
        **changes,
    )


def find(hosts, haloes, lines=(0, 0, 1), **changes):
    rows = np.tile(np.asarray(lines, float), (len(hosts), 1))
    return find_interloping_clusters(hosts, rows, haloes, **(LIMITS | {"box_size": None, "redshift": 1e-4} | changes))


def test_a_planted_neighbour():
    got = find([7, 3, 7], two_haloes())
    v200 = np.mean([np.sqrt(NEWTON * 1e14 / 1.0), np.sqrt(NEWTON * 8e14 / 2.0)])
    assert got.mass_ratio.tolist() == [8.0, 0.0, 8.0]
    assert got.distance[0] == pytest.approx(np.hypot(900 / v200, 2.0 / 1.5), rel=1e-3)
    assert got.count.tolist() == [1, 0, 1]
    assert find([7], two_haloes(), max_radius=1.9).count.tolist() == [0]
    assert find([7], two_haloes(), max_velocity=800.0).count.tolist() == [0]


def test_equal_masses_are_no_interlopers():
    assert find([7, 3], two_haloes(m200c=np.array([2e14, 2e14]))).count.tolist() == [0, 0]


def test_nothing_to_look_for():
    assert find([], two_haloes()).mass_ratio.size == 0


def test_bad_input_is_named():
    with pytest.raises(BadInputError, match="`host_id` must be in `haloes`, got 5, which is not"):
        find([7, 5], two_haloes())
    with pytest.raises(BadInputError, match="`haloes` must have unique ids, got 7 twice"):
        find([7], two_haloes(ids=np.array([7, 7])))
