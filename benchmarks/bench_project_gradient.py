"""Gradient of a projection by positions and weights, beside the projection itself."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases


@pytest.mark.benchmark(group="project_gradient", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("assignment", ["cic", "tsc", "sph"])
@pytest.mark.parametrize("n", [10_000, cases.SPH_PARTICLES], ids="n={}".format)
def bench_project_gradient(benchmark, n, assignment, backend, n_threads):
    if backend == "numba":
        n = min(n, 100_000)
    positions, weights = cases.nfw_positions(n), cases.weights(n)
    support = cases.smoothing_lengths(n) if assignment == "sph" else None
    options = dict(pixel_size=1.0, assignment=assignment, smoothing_length=support, backend=backend)
    gradient = np.random.default_rng(8).normal(size=(cases.CHANNELS, *cases.SHAPE)).astype(np.float32)
    by = benchmark(cm.differentiate_projection, gradient, positions, weights, n_threads=n_threads, **options)

    # linear in the weights: <image, G> = <weights, gradient by weights>
    image = cm.project_particles(positions, weights, shape=cases.SHAPE, **options)
    assert np.vdot(image.astype(float), gradient) == pytest.approx(np.vdot(by.weights.astype(float), weights), rel=1e-3)
    benchmark.extra_info |= {"n": n, "particles_per_s": n / benchmark.stats["median"]}
