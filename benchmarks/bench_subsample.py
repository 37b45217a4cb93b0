"""Sub-sampling of ragged batches (row S1)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases


@pytest.mark.benchmark(group="subsample", min_rounds=3, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("n_clusters", [100, cases.CLUSTERS], ids="clusters={}".format)
def bench_subsample(benchmark, n_clusters, backend, n_threads):
    n_clusters = n_clusters if backend == "native" else min(n_clusters, 1000)
    offsets, fractions = cases.cluster_offsets()[: n_clusters + 1], cases.draw_fractions()[:n_clusters]
    n_draws = fractions.shape[1]
    draws = benchmark(
        cm.draw_subsamples, offsets, fraction=fractions, n_draws=n_draws, seed=1, n_threads=n_threads, backend=backend
    )
    counts = np.floor(fractions * np.diff(offsets)[:, None] + 0.5).astype(int)
    assert np.diff(draws.offsets).tolist() == counts.ravel().tolist()
    drawn = np.bincount(draws.indices, minlength=offsets[-1])  # how often each member was drawn
    row = np.random.default_rng(0).integers(0, counts.size, 200)
    for first, last in zip(draws.offsets[row], draws.offsets[row + 1], strict=True):
        assert np.unique(draws.indices[first:last]).size == last - first
    members, shares = np.diff(offsets), fractions[0]
    variance = (shares * (1 - shares)).sum()
    excess = ((drawn - np.repeat(counts.sum(axis=1) / members, members)) ** 2).mean() / variance
    assert abs(excess - 1) < 6 * np.sqrt(2 / offsets[-1]) + 2 / members.min()  # as uneven as chance makes it
    benchmark.extra_info |= {"n": draws.indices.size, "indices_per_s": draws.indices.size / benchmark.stats["median"]}
