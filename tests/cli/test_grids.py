from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.cli.main import run
from tests.clusters import block, write_clusters


@pytest.fixture
def catalogue(tmp_path, rng):
    path = tmp_path / "clusters.hdf5"
    write_clusters(path, [block(rng, [12, 30, 0, 15, 8, 40])])
    return path


@pytest.mark.parametrize("kind", ["contaminated", "pure"])
@pytest.mark.parametrize("preset", ["ho2019-1d", "ho2019-2d", "kodi-ramanah-2021"])
@pytest.mark.filterwarnings("ignore:the catalogue holds")
def test_grids_of_a_catalogue(tmp_path, capsys, catalogue, preset, kind):
    out = tmp_path / "grids.hdf5"
    assert run(["grids", str(catalogue), str(out), "--preset", preset, "--kind", kind, "--threads", "2"]) == 0
    assert "6 grids of 48" in (said := capsys.readouterr().out) or "6 grids of 50x50x50" in said
    assert "clusters/s" in said
    found, clusters = cm.read_grids(out), cm.read_clusters(catalogue, kind)
    want = cm.phase_space_grids(
        clusters.x, clusters.y, clusters.velocity, clusters.offsets, preset=preset, h=clusters.cosmology.h,
        cut=kind == "contaminated",
    )  # fmt: skip
    np.testing.assert_array_equal(found.grids, want)
    assert found.axes == cm.GRID_PRESETS[preset].axes(clusters.cosmology.h)
    for name in ("log10_m200c", "fold", "host_id", "view", "is_flat"):
        np.testing.assert_array_equal(found.labels[name], getattr(clusters, name))
    np.testing.assert_array_equal(found.labels["n_galaxies"], np.diff(clusters.offsets))
    assert found.record["kind"] == kind
    assert found.record["inputs"][0]["name"] == "clusters.hdf5"
    assert found.record["catalogue"]["settings"] == {"seed": 1}


def test_existing_output_is_kept(tmp_path, capsys, catalogue):
    out = tmp_path / "grids.hdf5"
    out.write_bytes(b"mine")
    assert run(["grids", str(catalogue), str(out)]) == 2
    assert "exists" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert run(["grids", str(catalogue), str(out), "--overwrite"]) == 0
    assert len(cm.read_grids(out)) == 6


@pytest.mark.filterwarnings("default::clustermass.errors.DataWarning")
def test_a_narrow_catalogue_is_said(tmp_path, capsys, catalogue):
    assert run(["grids", str(catalogue), str(tmp_path / "g.hdf5"), "--preset", "kodi-ramanah-2021"]) == 0
    assert "warning: the catalogue holds galaxies within" in capsys.readouterr().err
    assert run(["grids", str(catalogue), str(tmp_path / "h.hdf5"), "--preset", "ho2019-2d", "--kind", "pure"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_wrong_words_name_the_nearest(tmp_path, capsys, catalogue):
    out = str(tmp_path / "grids.hdf5")
    assert run(["grids", str(catalogue), out, "--preset", "ho2019"]) == 2
    assert "did you mean 'ho2019-" in capsys.readouterr().err
    assert run(["grids", str(catalogue), out, "--kind", "impure"]) == 2
    assert "did you mean 'pure'" in capsys.readouterr().err
    assert run(["grids", "nowhere.hdf5", out]) == 2
    assert run(["grids", str(catalogue), str(tmp_path / "no" / "grids.hdf5")]) == 2


def test_no_observations(tmp_path, capsys, rng):
    path = tmp_path / "none.hdf5"
    write_clusters(path, [block(rng, [])])
    assert run(["grids", str(path), str(tmp_path / "grids.hdf5")]) == 3
    assert "has no contaminated observations" in capsys.readouterr().err
    assert not (tmp_path / "grids.hdf5").exists()
