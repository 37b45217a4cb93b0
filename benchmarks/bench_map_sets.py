"""Maps of clusters from a snapshot, the whole way (row M1)."""

from __future__ import annotations

import pytest

import clustermass as cm
from benchmarks import map_sets


@pytest.mark.benchmark(group="map sets", min_rounds=3, warmup=True)
@pytest.mark.parametrize("n_threads", [1, 2])
def bench_map_sets(benchmark, n_threads, tmp_path):
    data, targets = map_sets.snapshot()
    settings = cm.MapSettings(map_sets.CHANNEL_NAMES, redshift=0.05, depth=20.0, seed=2).ideal()
    maps = benchmark(
        cm.make_maps, data, targets, tmp_path / "maps.h5", settings, n_threads=n_threads, overwrite=True
    )  # fmt: skip

    images = maps.images
    assert (images.sum(axis=(2, 3)) > 0).all()
    n_maps = images.shape[0] * images.shape[1]
    benchmark.extra_info |= {"maps_per_s": n_maps / benchmark.stats["median"]}
