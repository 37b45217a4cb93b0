"""Divergences of all pairs of clusters (row E1)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases, support


@pytest.mark.benchmark(group="divergence", min_rounds=3, warmup=True)
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
def bench_divergence(benchmark, backend, n_threads, dims):
    n = 1000 if backend == "native" else 100
    points, offsets = cases.samples(n, dims)
    got = benchmark(cm.knn_divergences, points, offsets, n_threads=n_threads, backend=backend)
    few = support.KEPT
    want = support.trees("scipy", points[: offsets[few]], offsets[: few + 1])
    np.testing.assert_allclose(got[:few, :few], want, atol=1e-5)
    benchmark.extra_info |= {"n": n * n, "pairs_per_s": n * n / benchmark.stats["median"]}
