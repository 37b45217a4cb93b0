"""Beam smoothing of batches of images (row P6)."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm

from . import cases


@pytest.mark.benchmark(group="beam", min_rounds=5, warmup=True)
@pytest.mark.parametrize(
    ("n", "backend", "n_threads"),
    [(20, "native", 1), (20, "numba", 1), (cases.BEAM_IMAGES, "native", 1), (cases.BEAM_IMAGES, "native", 2)],
)
def bench_beam(benchmark, n, backend, n_threads):
    images = cases.images(n)
    smooth = benchmark(
        cm.convolve_beam, images, cases.BEAM_FWHM, n_threads=n_threads, backend=backend, out=np.empty_like(images)
    )
    inside = slice(40, 80)  # all flux of these pixels stays in the image
    point = np.zeros_like(images[:1])
    point[0, inside, inside] = images[0, inside, inside]
    kept = cm.convolve_beam(point, cases.BEAM_FWHM, backend=backend).sum(dtype=float)
    assert kept == pytest.approx(point.sum(dtype=float), rel=1e-6)
    assert np.isfinite(smooth).all()
    benchmark.extra_info |= {"n": len(images), "images_per_s": len(images) / benchmark.stats["median"]}
