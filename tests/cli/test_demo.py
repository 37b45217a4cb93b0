"""`clustermass demo`: the main job from end to end, as `make demo` runs it."""

import numpy as np
import pytest

from clustermass.cli import main
from clustermass.data.clusters_file import read_clusters
from clustermass.data.grids_file import read_grids
from clustermass.data.maps_file import read_maps

pytest.importorskip("matplotlib")


def test_demo_leaves_maps_pictures_and_says_where(tmp_path, capsys):
    folder = tmp_path / "demo"
    assert main.run(["demo", "--out", str(folder)]) == 0
    shown = capsys.readouterr().out
    made = ["demo_maps.csv", "demo_maps.h5", "demo_maps.png", "demo_snapshot.hdf5", "demo_snapshot_groups.hdf5",
            "sample_maps.csv", "sample_maps.h5", "sample_maps.png", "clusters.hdf5", "clusters.png", "grids.hdf5",
            "universe.hdf5"]  # fmt: skip
    assert sorted(p.name for p in folder.iterdir()) == sorted(made)
    for name in made:
        if "groups" not in name:
            assert str(folder / name) in shown
    for name, n_views in (("demo", 32), ("sample", 20)):
        maps = read_maps(folder / f"{name}_maps.h5")
        assert maps.shape == (n_views, 4, 120, 120)
        y, mass = maps.read_images(channel="compton_y").sum(axis=(1, 2)), maps.labels["m200c"]
        heavy, light = mass > 3e14, mass < 2e14
        assert np.median(y[heavy]) > 2 * np.median(y[light])
        assert np.corrcoef(np.log(y), np.log(mass))[0, 1] > 0.8
    grids, clusters = read_grids(folder / "grids.hdf5"), read_clusters(folder / "clusters.hdf5")
    assert grids.grids.shape == (len(clusters), 48, 48)
    np.testing.assert_allclose(grids.grids.sum(axis=(1, 2)), 1, rtol=1e-4)
    members = read_clusters(folder / "clusters.hdf5", "pure")
    rich = members.n_galaxies > 20
    assert np.corrcoef(np.log10(members.sigma_v[rich]), members.log10_m200c[rich])[0, 1] > 0.5


def test_demo_stops_at_the_first_failure(tmp_path, capsys):
    (tmp_path / "demo" / "demo_maps.h5").mkdir(parents=True)
    assert main.run(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "is a folder" in capsys.readouterr().err
