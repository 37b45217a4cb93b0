"""Maps of painted haloes: the same clusters and lines of sight as the galaxies, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.data.mocks.universe.record import settings_record
from clustermass.errors import DomainError
from clustermass.features import painted_maps
from clustermass.features.views import DIRECTION_SETS, find_directions, plan_sightlines, plan_views

SETTINGS = cm.UniverseSettings(box_size=90.0, min_mass=1e12, occupation="observed", seed=4)
LOOK = cm.MapSettings(directions=["axes"], pixels=24, depth=30.0, seed=3).ideal()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    path = tmp_path_factory.mktemp("painted") / "box.hdf5"
    cm.write_universe(path, cm.make_universe(SETTINGS), settings_record(SETTINGS))
    return path


@pytest.fixture(scope="module")
def painter(box):
    return cm.GasPainter(box, min_mass=2e13, n_particles=500)


@pytest.fixture(scope="module")
def clusters(box, tmp_path_factory):
    out = tmp_path_factory.mktemp("painted") / "clusters.hdf5"
    look = cm.ClusterSettings(min_log10_mass=13.6, min_richness=1, redshift=0.117)
    cm.make_cluster_catalogue(cm.read_universe(box), out, look)
    return cm.read_clusters(out, "pure")


def test_maps_have_the_rows_of_the_clusters(painter, clusters, tmp_path):
    maps = cm.make_painted_maps(painter, tmp_path / "m.h5", LOOK, clusters=clusters)
    sample = cm.read_map_sample(tmp_path / "m.h5")
    assert len(maps) == len(clusters) > 5
    np.testing.assert_array_equal(sample.host_id, clusters.host_id)
    np.testing.assert_array_equal(sample.view, clusters.view)
    np.testing.assert_allclose(sample.line_of_sight, clusters.line_of_sight)
    np.testing.assert_allclose(sample.log10_m200c, clusters.log10_m200c)
    for name in ("fold", "split", "is_test", "is_flat"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(clusters, name))
    assert (sample.log10_m500c < sample.log10_m200c).all()
    assert (sample.images.max(axis=(2, 3)) > 0).all()
    assert maps.shape == (len(clusters), 4, 24, 24)


def test_masses_are_spread_evenly(painter, tmp_path):
    n, log_mass = painter.m500c.size, np.log10(painter.universe.haloes.m200c)
    bins = np.floor(log_mass[:n] / 0.25)
    chosen = []
    for seed in (3, 4):
        look = cm.MapSettings(directions=["z"], channels=["compton_y"], pixels=8, depth=20.0, seed=seed).ideal()
        maps = cm.make_painted_maps(painter, tmp_path / f"{seed}.h5", look, per_bin=5)
        got, count = np.unique(np.floor(np.log10(maps.labels["m200c"]) / 0.25), return_counts=True)
        known, all_of_it = np.unique(bins, return_counts=True)
        np.testing.assert_array_equal(got, known)
        np.testing.assert_array_equal(count, np.minimum(all_of_it, 5))
        assert all_of_it.max() > 10  # something was left out
        chosen.append(set(maps.labels["cluster_id"].tolist()))
    assert chosen[0] != chosen[1]
    with pytest.raises(DomainError, match="per_bin"):
        cm.make_painted_maps(painter, tmp_path / "none.h5", LOOK, per_bin=0)


def test_maps_do_not_depend_on_their_batch(painter, tmp_path, monkeypatch):
    whole = cm.make_painted_maps(painter, tmp_path / "a.h5", LOOK, min_mass=8e13).images
    monkeypatch.setattr(painted_maps, "_BATCH", 2)
    parts = cm.make_painted_maps(painter, tmp_path / "b.h5", LOOK, min_mass=8e13).images
    np.testing.assert_allclose(parts, whole, rtol=1e-6, atol=1e-9 * whole.max())


def test_maps_have_the_right_sum(painter, tmp_path):
    """All stars of a wide field: the pixels hold the galaxies and centrals of the slab."""
    look = cm.MapSettings(
        ["stars"], directions=["z"], pixels=32, field=0.02, redshift=0.1, depth=20.0
    ).ideal()  # fmt: skip
    image = cm.make_painted_maps(painter, tmp_path / "s.h5", look, min_mass=8e13).images[0, 0]
    assert image.sum() > painter.structure.central_stars[0]
    assert np.unravel_index(image.argmax(), image.shape) in {(15, 15), (15, 16), (16, 15), (16, 16)}


def test_sightlines_are_views_one_by_one(painter):
    centres, ids = painter.universe.haloes.positions[:3], np.arange(3)
    shared = dict(pixel_angle=1e-4, scale_factor=1.0, cosmology=SETTINGS.cosmology, redshift=(0.03, 0.07), seed=5)
    whole = plan_views(centres, ids, directions=DIRECTION_SETS["axes"], **shared)
    rows = [4, 0, 8]
    single = plan_sightlines(centres, ids, whole.target[rows], whole.number[rows], whole.direction[rows], **shared)
    for name in ("azimuth", "redshift", "rotation", "pixel_size", "centre"):
        np.testing.assert_array_equal(getattr(single, name), getattr(whole, name)[rows])


def test_the_27_lines_of_sight_are_even():
    """Each has its nearest neighbour, with sign, at about the distance that an even half sphere gives."""
    vectors = np.array(find_directions(["the300"]))
    assert vectors.shape == (27, 3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    cosine = np.abs(vectors @ vectors.T) - 2 * np.eye(27)
    nearest = np.degrees(np.arccos(cosine.max(axis=1)))
    assert nearest.min() > 12.0
    assert nearest.max() < 32.0


def test_clusters_of_another_universe_are_refused(painter, clusters):
    from dataclasses import replace

    with pytest.raises(DomainError, match="not of this universe"):
        painted_maps.sightlines_of_clusters(replace(clusters, host_id=clusters.host_id + 1), painter.universe)
    with pytest.raises(DomainError, match="min_mass"):
        painted_maps.plan_painted_maps(painter, LOOK, min_mass=1e17)
