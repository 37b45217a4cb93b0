"""Projection of particles on one image (rows P1 to P3 and P5)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases


@pytest.mark.benchmark(group="project", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("assignment", ["ngp", "cic", "tsc", "sph"])
@pytest.mark.parametrize("n", [10_000, cases.SPH_PARTICLES], ids="n={}".format)
def bench_project(benchmark, n, assignment, backend, n_threads):
    if backend == "numba":
        n = min(n, 100_000)
    positions, weights = cases.nfw_positions(n), cases.weights(n)
    support = cases.smoothing_lengths(n) if assignment == "sph" else None
    image = benchmark(
        cm.project_particles, positions, weights, shape=cases.SHAPE, pixel_size=1.0, assignment=assignment,
        smoothing_length=support, n_threads=n_threads, backend=backend,
    )  # fmt: skip

    # the cloud ends 5 pixels from the edge; a few kernels reach beyond it
    total = weights.sum(axis=0, dtype=float)
    np.testing.assert_allclose(image.sum(axis=(1, 2), dtype=float), total, rtol=1e-5 if support is None else 1e-3)
    benchmark.extra_info |= {"n": n, "particles_per_s": n / benchmark.stats["median"]}
