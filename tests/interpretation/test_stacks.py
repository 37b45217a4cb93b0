"""Tables of attributions: planted numbers come out, with their places, errors and correlations."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from clustermass.interpretation import stacks
from clustermass.interpretation.maps import explain_maps, masses_of, radius_pixels
from clustermass.nfw import convert_mass

from .test_maps import COSMOLOGY, SIZE, Model, sample


@pytest.fixture(scope="module")
def found():
    return explain_maps(Model(slice(10, 14)), sample(12), bins=2, per_bin=3, sigma=2.0)


def planted(found, name, values):
    """The explanation with one method replaced by numbers, one a cluster or one a pixel."""
    shape = found.maps[name].shape
    return replace(found, maps=found.maps | {name: np.broadcast_to(values, shape).astype(np.float32)})


def test_distances_are_from_the_middle_of_the_image(found):
    away = stacks.distances(found)
    np.testing.assert_allclose(away, away[:, ::-1])
    np.testing.assert_allclose(away, away.transpose(0, 2, 1))
    np.testing.assert_allclose(away.min(axis=(1, 2)), np.sqrt(0.5) / found.radius)


def test_errors_of_profiles_are_those_of_the_mean(found):
    each = np.array([1.0, 2.0, 6.0, 10.0, 20.0, 60.0])
    rows = stacks.profile_rows(planted(found, "integrated", each[:, None, None, None]))
    rows = [r for r in rows if r["method"] == "integrated" and r["r_low"] == 0.3]
    assert len(rows) == 2 * len(found.channels)
    for row in rows:
        own = each[found.bin == row["bin"]]
        assert row["n"] == own.size == 3
        assert row["mean"] == pytest.approx(own.mean())
        assert row["error"] == pytest.approx(own.std(ddof=1) / np.sqrt(3))


def test_rows_of_clusters_say_what_the_masks_did(found):
    image = np.arange(float(SIZE * SIZE)).reshape(SIZE, SIZE)
    rows = stacks.cluster_rows(planted(found, "occlusion", image))
    middle = (SIZE // 2) * SIZE + SIZE // 2
    assert {(r["lowest_masked_percent"], r["centre_masked_percent"], r["highest_masked_percent"]) for r in rows} == {
        (0.0, middle, SIZE * SIZE - 1.0)
    }
    assert [r["is_example"] for r in rows] == np.isin(np.arange(len(found)), found.example).astype(int).tolist()


def test_correlations_of_a_power_law_are_perfect_in_logarithms():
    maps = sample(20, ("xray_soft",))
    away = np.hypot(*(np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)))
    radius = radius_pixels(maps, maps.log10_m200c, "M200c")
    core = away < 0.15 * radius[:, None, None]
    share = np.where(core, 0.0, 1.0) * (away < radius[:, None, None])
    flux = 1e-14 * 10 ** (3 * (maps.log10_m200c - 14))
    images = flux[:, None, None] * share / share.sum(axis=(1, 2), keepdims=True)
    rows = stacks.correlation_rows(replace(maps, images=images[:, None].astype(np.float32)))
    by = {r["region"]: r for r in rows}
    assert by["ring"]["correlation_of_logs"] == pytest.approx(1.0, abs=1e-6)
    assert 0.5 < by["ring"]["correlation"] < 0.99
    assert np.isnan(by["core"]["correlation"])


def test_masses_are_converted_where_the_own_definition_lacks():
    m200 = np.linspace(13.8, 15.0, 6)
    m500 = np.log10(convert_mass(10**m200, 200, 500, COSMOLOGY, 0.3))
    both = sample(6, log10_m200c=m200, log10_m500c=np.where(np.arange(6) < 3, 13.0, np.nan))
    np.testing.assert_allclose(masses_of(both, "M500c"), np.where(np.arange(6) < 3, 13.0, m500))
    np.testing.assert_allclose(masses_of(sample(6, log10_m200c=m200), "M500c"), m500)
    np.testing.assert_allclose(masses_of(sample(6, log10_m200c=None, log10_m500c=m500), "M200c"), m200)
    assert np.isnan(masses_of(sample(6, log10_m200c=None), "M500c")).all()
