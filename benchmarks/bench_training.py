"""Networks trained as one (row T2) and posteriors from galaxies (row T3)."""

from __future__ import annotations

import pytest

from benchmarks import training

pytest.importorskip("torch", reason="torch is not installed")


@pytest.mark.benchmark(group="training", min_rounds=3, warmup=True)
@pytest.mark.parametrize("way", ["stacked", "grouped", "one after another"])
@pytest.mark.parametrize("preset", ["cnn-1d", "cnn-2d"])
@pytest.mark.parametrize("n_threads", [1, 2])
def bench_epoch(benchmark, n_threads, preset, way):
    run, items = training.epoch(
        preset, stacked=way != "one after another", grouped=way == "grouped", n_threads=n_threads
    )
    training.learned(benchmark(run))
    benchmark.extra_info |= {"n": items, "grids_per_s": items / benchmark.stats["median"]}


@pytest.mark.benchmark(group="prediction", min_rounds=3, warmup=True)
@pytest.mark.parametrize("preset", ["cnn-2d", "bayesian-cnn", "neural-flow", "set-posterior"])
@pytest.mark.parametrize("n_threads", [1, 2])
def bench_prediction(benchmark, n_threads, preset):
    training.posteriors(benchmark(training.prediction(preset, n_threads)))
    benchmark.extra_info |= {"n": training.PREDICTED, "clusters_per_s": training.PREDICTED / benchmark.stats["median"]}
