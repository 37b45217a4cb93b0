"""Planck-like maps: beam and correlated noise (row M2)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm

from . import observations


@pytest.mark.benchmark(group="planck maps", min_rounds=5, warmup=True)
@pytest.mark.parametrize(("n", "n_threads"), [(20, 1), (observations.MAPS, 1), (observations.MAPS, 2)])
def bench_planck_maps(benchmark, n, n_threads):
    images = observations.ideal(n)
    seen = benchmark(
        cm.PlanckObservation().observe, images, items=np.arange(n), seed=1, n_threads=n_threads
    )  # fmt: skip
    observations.right(images)(seen)
    seconds = benchmark.stats["median"]
    benchmark.extra_info |= {"n": n, "maps_per_s": n / seconds, "minutes_for_191862": 191_862 / n * seconds / 60}
