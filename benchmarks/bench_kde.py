"""Density estimates of ragged batches on regular grids (rows K1 to K4)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

import clustermass as cm
from benchmarks import cases


@pytest.mark.benchmark(group="kde", min_rounds=3, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("size", ["small", "large"])
def bench_kde(benchmark, size, dims, dtype, backend, n_threads):
    n = {"small": 20, "large": cases.KDE_CUBES if dims == 3 else cases.KDE_CLUSTERS}[size]
    if backend == "numba":
        n = min(n, 2 if dims == 3 else 20)
    points, offsets = cases.kde_points(dims, n, dtype)
    axes = cases.KDE_AXES[dims]
    grids = benchmark(
        cm.estimate_density, points, offsets, axes=axes, bandwidth="scott", normalise="density", n_threads=n_threads,
        backend=backend,
    )  # fmt: skip

    kernel = gaussian_kde(np.float64(points[: offsets[1]]).T, "scott")
    middles = [low + (np.arange(m) + 0.5) * (high - low) / m for low, high, m in axes]
    want = kernel(np.stack([x.ravel() for x in np.meshgrid(*middles, indexing="ij")]))
    assert np.abs(grids[0].ravel() - want).max() < (2e-6 if dtype == np.float32 else 1e-12) * want.max()
    benchmark.extra_info |= {"n": n, "clusters_per_s": n / benchmark.stats["median"]}
