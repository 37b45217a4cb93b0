"""Gaussian noise on batches of images (row P6-noise)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from benchmarks import cases

SIGMA = 0.5


@pytest.mark.benchmark(group="noise", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("backend", "n_threads"), [("native", 1), ("native", 2), ("numba", 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [20, cases.BEAM_IMAGES], ids="n={}".format)
def bench_noise(benchmark, n, dtype, backend, n_threads):
    images = np.zeros((n if backend == "native" else min(n, 100), *cases.SHAPE), dtype)
    benchmark(cm.add_noise, images, SIGMA, seed=1, out=images, n_threads=n_threads, backend=backend)

    once = cm.add_noise(np.zeros_like(images), SIGMA, seed=1, backend=backend)  # every round added the same numbers
    assert once.std(dtype=float) == pytest.approx(SIGMA, abs=6 * SIGMA / np.sqrt(2 * images.size))
    rounds = np.round(images.flat[0] / once.flat[0])
    np.testing.assert_allclose(images, rounds * once, rtol=1e-2)  # thousands of rounds, each rounded to the dtype
    benchmark.extra_info |= {"n": images.size, "pixels_per_s": images.size / benchmark.stats["median"]}
