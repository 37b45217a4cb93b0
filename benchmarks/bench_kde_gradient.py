"""Gradient of density estimates by points and weights, beside the estimate itself."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm

AXES = {
    2: [(-2200.0, 2200.0, 48), (0.0, 1.6, 48)],
    3: [(-4.0, 4.0, 50), (-4.0, 4.0, 50), (-2200.0, 2200.0, 50)],
}
SCALE = {2: ([600.0, 0.3], [0.0, 0.8]), 3: ([1.0, 1.0, 600.0], [0.0, 0.0, 0.0])}
MEMBERS = 100


@pytest.mark.benchmark(group="kde_gradient", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dims", [2, 3])
def bench_kde_gradient(benchmark, dims, dtype, backend, n_threads):
    clusters = {("native", 2): 2000, ("native", 3): 50, ("numba", 2): 50, ("numba", 3): 1}[backend, dims]
    rng, (scale, middle) = np.random.default_rng(1), SCALE[dims]
    points = (rng.normal(size=(clusters * MEMBERS, dims)) * scale + middle).astype(dtype)
    offsets = np.arange(0, len(points) + 1, MEMBERS)
    gradient = rng.normal(size=(clusters, *(n for _, _, n in AXES[dims]))).astype(dtype)
    options = dict(axes=AXES[dims], backend=backend, n_threads=n_threads)
    by = benchmark(cm.differentiate_density, gradient, points, offsets, **options)

    # the grid sums to 1 whatever the scale of the weights: nothing changes along them
    along = by.weights.astype(float).reshape(clusters, MEMBERS)
    assert (np.abs(along.sum(axis=1)) <= 1e-4 * np.abs(along).sum(axis=1)).all()
    benchmark.extra_info |= {"clusters": clusters, "clusters_per_s": clusters / benchmark.stats["median"]}
