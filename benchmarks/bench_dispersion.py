"""Velocity dispersions of many clusters, by each estimator."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm

MEMBERS = 100


@pytest.mark.benchmark(group="dispersion", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["std", "gapper", "biweight"])
def bench_dispersion(benchmark, method, dtype, backend, n_threads):
    clusters = 20_000
    velocity = np.random.default_rng(1).normal(0, 800, clusters * MEMBERS).astype(dtype)
    offsets = np.arange(0, velocity.size + 1, MEMBERS)
    found = benchmark(
        cm.velocity_dispersions, velocity, offsets, method=method, clip=3.0, backend=backend, n_threads=n_threads
    )
    assert abs(np.mean(found.sigma) / 800 - 1) < 0.02
    benchmark.extra_info |= {"clusters": clusters, "clusters_per_s": clusters / benchmark.stats["median"]}


@pytest.mark.benchmark(group="dispersion", min_rounds=5, warmup=True)
@pytest.mark.parametrize("backend", ["native", "numba"])
def bench_shifting_gapper(benchmark, backend):
    clusters = 5000
    rng = np.random.default_rng(1)
    velocity, radius = rng.normal(0, 800, clusters * MEMBERS), rng.random(clusters * MEMBERS)
    offsets = np.arange(0, velocity.size + 1, MEMBERS)
    keep = benchmark(cm.shifting_gapper, radius, velocity, offsets, backend=backend)
    assert 0.9 < keep.mean() < 1
    benchmark.extra_info |= {"clusters": clusters, "clusters_per_s": clusters / benchmark.stats["median"]}
