"""Index of galaxies, and light cones along random lines of sight (rows L1 to L3)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases

BACKENDS = [("native", 1), ("native", 2), ("numba", 1)]


def build(n, backend, n_threads=1):
    positions, velocities = cases.galaxies(n)
    return cm.build_galaxy_index(positions, velocities, box_size=cases.GALAXY_BOX, n_threads=n_threads, backend=backend)


@pytest.mark.benchmark(group="galaxy index", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), BACKENDS)
@pytest.mark.parametrize("n", cases.GALAXIES[:1], ids="n={}".format)
def bench_index(benchmark, n, backend, n_threads):
    index = benchmark(build, n, backend, n_threads)

    assert index.cell_start[-1] == n
    assert (np.bincount(index.rows, minlength=n) == 1).all()
    benchmark.extra_info |= {"n": n, "galaxies_per_s": n / benchmark.stats["median"]}


@pytest.mark.benchmark(group="light cone", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), BACKENDS)
@pytest.mark.parametrize("n", cases.GALAXIES[:1], ids="n={}".format)
def bench_lightcone(benchmark, n, backend, n_threads):
    index = build(n, "native")
    centres, velocities, lines = cases.lines_of_sight(n)
    selection = benchmark(cm.select_lightcone, index, centres, velocities, lines, **cases.LIGHTCONE,
                          n_threads=n_threads, backend=backend)  # fmt: skip

    assert selection.radius.max() <= cases.LIGHTCONE["aperture"]
    assert np.abs(selection.velocity).max() < cases.LIGHTCONE["max_velocity"]
    assert selection.indices.size / len(centres) == pytest.approx(cases.SEEN_PER_LINE[n], rel=1e-3)
    benchmark.extra_info |= {"lines": len(centres), "lines_per_s": len(centres) / benchmark.stats["median"]}
