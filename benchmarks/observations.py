"""Row M2: Planck-like maps, the beam and correlated noise on ideal maps of Compton y."""

from __future__ import annotations

import numpy as np

import clustermass as cm
from clustermass.features.observe_planck import PLANCK_BEAM, PLANCK_NOISE, PLANCK_PIXEL
from clustermass.features.spectra import torus_frequencies

from . import floor
from .arms import Arm, Row, peer

MAPS, FEW, SIDE, TORUS = 2048, 256, 96, 120
SIGMA = PLANCK_BEAM / PLANCK_PIXEL / np.sqrt(8 * np.log(2))
LAG = 4


def ideal(n=MAPS):
    """Round clusters of different size in the middle of the map, float32 (n, 1, row, column)."""
    y, x = np.indices((SIDE, SIDE)) - 0.5 * (SIDE - 1)
    core = np.linspace(1.0, 4.0, n)[:, None, None]
    return (5e-5 / (1.0 + (x**2 + y**2) / core**2))[:, None].astype(np.float32)


def right(images):
    """Check that maps are the smoothed clusters with noise of the rms and correlation of the spectrum.

    The scatter of both figures is that of the maps: 0.05 of the rms a map, and one in 20 as much for the correlation.
    """
    clear = cm.PlanckObservation(noise=None).observe(images, items=np.arange(len(images)), seed=1)

    def check(seen):
        seen = np.asarray(seen, np.float32)[: len(images)].reshape(-1, SIDE, SIDE)
        noise = (seen - clear[: len(seen), 0]).astype(float)
        scatter = 0.3 / np.sqrt(len(seen))
        assert abs(noise.var() / PLANCK_NOISE.variance - 1) < 2 * scatter
        measured = (noise[:, LAG:] * noise[:, :-LAG]).mean() / PLANCK_NOISE.variance
        assert abs(measured - PLANCK_NOISE.correlation(float(LAG))) < scatter
        assert abs(noise.mean(0)).max() < 8 * np.sqrt(PLANCK_NOISE.variance / len(seen))

    return check


def amplitudes():
    """Square root of the power of each mode of the peers' torus."""
    return np.sqrt(PLANCK_NOISE.power(torus_frequencies(TORUS, TORUS))[:, : TORUS // 2 + 1])


def map_by_map(images, filters):
    """As one would write it: numpy's normal numbers and transforms, scipy's filter."""
    root = amplitudes()

    def run():
        rng = np.random.default_rng(1)
        seen = np.empty_like(images[:, 0])
        for image, out in zip(images[:, 0], seen, strict=True):
            smooth = filters.gaussian_filter(image, SIGMA, mode="nearest")
            white = rng.standard_normal((TORUS, TORUS))
            out[:] = smooth + np.fft.irfft2(np.fft.rfft2(white) * root)[:SIDE, :SIDE]
        return seen

    return run


def whole_batch(images, filters, transforms):
    """All maps of a batch at once, in float32."""
    root = amplitudes().astype(np.float32)

    def run():
        rng = np.random.default_rng(1)
        seen = filters.gaussian_filter(images[:, 0], (0, SIGMA, SIGMA), mode="nearest")
        for first in range(0, len(images), 16):
            white = rng.standard_normal((16, TORUS, TORUS), np.float32)
            fields = transforms.irfft2(transforms.rfft2(white) * root, overwrite_x=True)
            seen[first : first + 16] += fields[:, :SIDE, :SIDE]
        return seen

    return run


def m2():
    images, items = ideal(), np.arange(MAPS)
    model, few = cm.PlanckObservation(), images[:: MAPS // FEW]
    words, copied = np.empty(images.size, np.uint32), np.empty_like(images)

    def run(n_threads):
        return model.observe(images, items=items, seed=1, n_threads=n_threads)

    def batched(ndimage):
        import scipy.fft

        return whole_batch(few, ndimage, scipy.fft)

    def least():
        floor.call("philox", words, words.size)
        floor.call("copy_floats", copied, images, images.size)

    check = right(few)
    ours = [Arm("clustermass", lambda: run(1), MAPS, check=right(images)),
            Arm("clustermass, 2 threads", lambda: run(2), MAPS)]  # fmt: skip
    others = [
        peer("numpy and scipy, batched", "scipy.ndimage", batched, items=FEW, check=check,
             note=f"{FEW} maps; numbers of one generator: no map can be drawn again by itself"),
        peer("numpy and scipy, map by map", "scipy.ndimage", lambda module: map_by_map(few, module), items=FEW,
             check=check, note=f"{FEW} maps; the same; float64 noise"),
    ]  # fmt: skip
    floors = [Arm("random words and a copy", least)] if floor.library() else []
    return Row("M2", f"Planck-like maps with correlated noise, {SIDE}x{SIDE}", "maps", ours, others, floors,
               {"numpy and scipy, batched": 2.5, "numpy and scipy, map by map": 4.0})  # fmt: skip
