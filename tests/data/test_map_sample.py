"""Maps in memory: shapes, rows, channels, folds by host, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clustermass as cm
from clustermass.cosmology import Cosmology
from clustermass.errors import ArrayError, BadInputError, DomainError, MissingFieldError

PLANCK = Cosmology(h=0.7, omega_m=0.3)


def sample(n=6, **changes):
    rng = np.random.default_rng(3)
    given = dict(
        images=rng.normal(size=(n, 2, 5, 4)), channels=("stars", "compton_y"), pixel_angle=3e-4,
        redshift=np.linspace(0.1, 0.2, n), cosmology=PLANCK, host_id=np.arange(n) // 3, view=np.arange(n) % 3,
        log10_m200c=14.0 + np.arange(n) // 3, fold=np.arange(n) // 3, is_flat=np.arange(n) % 2 == 0,
    )  # fmt: skip
    return cm.MapSample(**{**given, **changes})


def test_rows_and_channels():
    maps = sample()
    assert maps.shape == (6, 2, 5, 4)
    assert maps.images.dtype == np.float32
    assert maps.is_test.all()
    part = maps.only([4, 1])
    np.testing.assert_array_equal(part.images, maps.images[[4, 1]])
    assert part.view.tolist() == [1, 1]
    assert part.is_flat.tolist() == [True, False]
    assert part.split is None
    turned = maps.select(["compton_y", "stars"])
    np.testing.assert_array_equal(turned.images, maps.images[:, ::-1])
    assert maps.select(maps.channels) is maps
    assert maps.n_galaxies.tolist() == [0] * 6
    with pytest.raises(MissingFieldError, match="no channel xray"):
        maps.select(["xray"])


def test_folds_keep_hosts_together():
    train, test = sample().rows_of_fold(1)
    assert train.tolist() == [0, 2]
    assert test.tolist() == [3, 4, 5]
    with pytest.raises(MissingFieldError, match="`fold`"):
        sample(fold=None).rows_of_fold(0)


@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"images": np.zeros((6, 3, 5, 4))}, ArrayError, "images"),
        ({"images": np.full((6, 2, 5, 4), np.nan)}, BadInputError, "images"),
        ({"redshift": np.zeros(6)}, DomainError, "redshift"),
        ({"redshift": np.ones(5)}, ArrayError, "redshift"),
        ({"host_id": np.arange(6) + 0.5}, ArrayError, "host_id"),
        ({"is_test": np.ones(2, bool)}, ArrayError, "is_test"),
        ({"pixel_angle": 0.0}, DomainError, "pixel_angle"),
    ],
)
def test_what_cannot_be_is_refused(changes, error, word):
    with pytest.raises(error, match=f"`{word}`"):
        sample(**changes)


def test_a_file_of_maps_is_read_with_its_cosmology(tmp_path):
    snapshot = cm.open_snapshot(cm.datasets.sample_snapshot())
    groups = cm.open_groups(cm.datasets.sample_groups(), snapshot=snapshot)
    targets = cm.targets_from_groups(groups, min_mass=1e14)
    settings = cm.MapSettings(channels=["gas_mass", "compton_y"], pixels=12, directions=["x", "y"])
    made = cm.make_maps(snapshot, targets, tmp_path / "maps.h5", settings)
    maps = cm.read_map_sample(tmp_path / "maps.h5", ["compton_y"])
    np.testing.assert_array_equal(maps.images[:, 0], made.images[:, 1])
    np.testing.assert_allclose(maps.log10_m200c, np.log10(made.labels["m200c"]))
    assert maps.cosmology.h == snapshot.header.h
    assert maps.view.tolist() == [0, 1] * (len(maps) // 2)
    for host in np.unique(maps.host_id):
        rows = maps.host_id == host
        assert np.ptp(maps.fold[rows]) == 0
        assert np.ptp(maps.split[rows]) == 0
    with pytest.raises(MissingFieldError, match="no channel stars"):
        cm.read_map_sample(tmp_path / "maps.h5", ["stars"])
    assert replace(maps, source="x").source == "x"
