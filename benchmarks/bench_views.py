"""Index, and views of many lines of sight (row P4)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases

BACKENDS = [("native", 1), ("native", 2), ("numba", 1)]


def build(n, backend, n_threads=1):
    return cm.build_particle_index(cases.nfw_positions(n), cases.weights(n), n_threads=n_threads, backend=backend)


@pytest.mark.benchmark(group="index", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), BACKENDS)
@pytest.mark.parametrize("n", [10_000, cases.VIEW_PARTICLES], ids="n={}".format)
def bench_index(benchmark, n, backend, n_threads):
    index = benchmark(build, n, backend, n_threads)

    assert index.cell_start[-1] == n
    assert index.weights.sum(dtype=float) == pytest.approx(cases.weights(n).sum(dtype=float), rel=1e-9)
    benchmark.extra_info |= {"n": n, "particles_per_s": n / benchmark.stats["median"]}


@pytest.mark.benchmark(group="views", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), BACKENDS)
@pytest.mark.parametrize("n", [10_000, cases.VIEW_PARTICLES], ids="n={}".format)
def bench_views(benchmark, n, backend, n_threads):
    if backend == "numba":
        n = min(n, 100_000)
    index = build(n, "native")
    centres = np.full((cases.VIEWS, 3), 60.0)
    images = benchmark(
        cm.project_views, index, centres, cases.rotations(cases.VIEWS), pixel_size=1.0, shape=cases.SHAPE, depth=60.0,
        n_threads=n_threads, backend=backend,
    )  # fmt: skip

    total = cases.weights(n).sum(axis=0, dtype=float)  # a sphere that fits into the image from everywhere
    np.testing.assert_allclose(images.sum(axis=(2, 3), dtype=float), np.tile(total, (cases.VIEWS, 1)), rtol=1e-5)
    benchmark.extra_info |= {"n": n, "particle_views_per_s": n * cases.VIEWS / benchmark.stats["median"]}
