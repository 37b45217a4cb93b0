"""Tables of what single galaxies do: bins by mass, speeds, members and interlopers, of planted influences."""

import numpy as np
import pytest

from clustermass.interpretation.galaxies import SPEEDS, GalaxySaliency

MASS = np.array([14.9, 13.8, 14.2, 14.6])
VELOCITY = np.array([-350.0, 100.0, 950.0, -2000.0, 200.0, -100.0, 310.0])
GALAXY = np.array([6, 5, 4, 3, 2, 1, 0])  # columns of the sample, in another order
OFFSETS = np.array([0, 2, 4, 6, 7])
INFLUENCE = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
MEMBER = np.array([True, False, True, True, False, True, True])  # of the sample


@pytest.fixture
def found():
    none = np.zeros(7)
    return GalaxySaliency(
        "toy", "M200c", np.array(list("abcd")), MASS, OFFSETS, GALAXY, VELOCITY, none + 0.5, INFLUENCE, none + 2.0,
        none + 3.0, none + 4.0, np.zeros(2), np.zeros(3), np.zeros((4, 2, 3)),
    )  # fmt: skip


def test_bins_are_equal_numbers_by_rising_mass(found):
    assert found.bins(2).tolist() == [1, 0, 0, 1]
    assert found.bins(4).tolist() == [3, 0, 1, 2]
    assert found.bins(9).tolist() == [3, 0, 1, 2]
    assert found.cluster.tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_means_by_bin_speed_and_kind(found):
    rows = found.bin_rows(2, MEMBER)
    by = {(r["mass_low"], r["galaxies"], r["speed_low_km_s"], r["speed_high_km_s"]): r for r in rows}
    light, heavy = 13.8, 14.6
    assert {r["n_clusters"] for r in rows} == {2}
    assert by[heavy, "all", 300.0, 600.0]["mean_influence_dex"] == pytest.approx((1 + 64) / 2)  # -350 and 310 km/s
    assert by[heavy, "all", 300.0, 600.0]["sigma_influence_dex"] == pytest.approx(63 / 2)
    assert by[heavy, "all", 0.0, 300.0]["n"] == 1
    assert by[light, "all", SPEEDS[-2], np.inf]["mean_influence_dex"] == 8.0
    everything = SPEEDS[0], SPEEDS[-1]
    assert by[light, "all", *everything]["n"] == 4
    # members of the light ones: columns 3 (8 dex) and 2 and 1: 4, 3 -> True at 3 and 2, False at 4 and 1
    assert by[light, "members", *everything]["mean_influence_dex"] == pytest.approx((8 + 16) / 2)
    assert by[light, "interlopers", *everything]["mean_influence_dex"] == pytest.approx((4 + 32) / 2)
    assert {r["galaxies"] for r in found.bin_rows(2)} == {"all"}


def test_a_row_for_each_galaxy(found):
    rows = found.galaxy_rows(MEMBER)
    assert [r["cluster"] for r in rows] == list("aabbccd")
    assert [r["is_member"] for r in rows] == MEMBER[GALAXY].astype(int).tolist()
    assert rows[3] == {
        "cluster": "b", "velocity_km_s": -2000.0, "radius_mpc": 0.5, "influence_dex": 8.0, "dex_per_km_s": 2.0,
        "dex_per_mpc": 3.0, "dex_per_weight": 4.0, "is_member": 1,
    }  # fmt: skip
