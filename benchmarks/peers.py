"""Other people's code on our work. Each peer is optional, asserts its answer where it can, and says where it differs.

python -m benchmarks.peers    installs them one by one, as listed in the extra `bench`; one that fails is skipped.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import numpy as np

from . import cases, fused
from .arms import Arm, close, peer

ROWS, COLS = cases.SHAPE
ONE_BY_ONE = "one channel at a time"


def install():
    """Install every requirement of the extra `bench`, each on its own."""
    wanted = [r.split(";")[0].strip() for r in metadata.requires("clustermass") or [] if 'extra == "bench"' in r]
    for requirement in wanted:
        command = [sys.executable, "-m", "pip", "install", "-q", "-c", "constraints.txt", requirement]
        if subprocess.run(command, check=False).returncode:
            print(f"not installed: {requirement}")


def _channels(weights):
    return [np.ascontiguousarray(w) for w in weights.T]


def _bincount(positions, channels):
    index = positions[:, 0].astype(np.int64) * COLS + positions[:, 1].astype(np.int64)
    return [np.bincount(index, w, ROWS * COLS) for w in channels]


def _torch_index_add(torch, positions, weights):
    torch.set_num_threads(1)
    positions, channels = torch.from_numpy(positions), [torch.from_numpy(w) for w in _channels(weights)]

    def run():
        index = positions[:, 0].long() * COLS + positions[:, 1].long()
        images = [torch.zeros(ROWS * COLS, dtype=torch.float32).index_add_(0, index, w) for w in channels]
        return torch.stack(images).numpy()

    return run


def _boost(bh, x, y, channels):
    def run():
        images = []
        for w in channels:
            h = bh.Histogram(bh.axis.Regular(ROWS, 0, ROWS), bh.axis.Regular(COLS, 0, COLS))
            images.append(h.fill(x, y, weight=w).values())
        return images

    return run


def _swiftsimio(backend, x, y, h, channels):
    """Positions are fractions of the field; the result is a density per field area."""
    return lambda: np.array([backend.scatter(x, y, w, h, ROWS) for w in channels]) / (ROWS * COLS)


def ngp(positions, weights, want):
    n, channels = len(positions), _channels(weights)
    x32, y32 = (np.ascontiguousarray(positions[:, k]) for k in (0, 1))
    x64, y64 = (positions[:, k] / float(ROWS) for k in (0, 1))
    no_h, field = np.zeros(n, np.float32), [[0, ROWS], [0, COLS]]
    few = slice(0, 1_000_000)
    check = {"items": n, "check": close(want, 1e-4)}
    return [
        Arm("fused numba", lambda: fused.ngp(positions, weights, ROWS, COLS).transpose(2, 0, 1), **check),
        peer("swiftsimio histogram", "swiftsimio.visualisation.projection_backends.histogram",
             lambda m: _swiftsimio(m, x64, y64, no_h, channels), note=f"{ONE_BY_ONE}; double positions", **check),
        peer("fast-histogram", "fast_histogram",
             lambda m: lambda: [m.histogram2d(x32, y32, (ROWS, COLS), field, w) for w in channels],
             note=ONE_BY_ONE, **check),
        peer("Pylians", "MAS_library", lambda m: _pylians(m, positions, channels, "NGP"),
             note=f"{ONE_BY_ONE}; float32 sums; periodic", **check),
        peer("torch index_add_", "torch", lambda m: _torch_index_add(m, positions, weights),
             note=f"{ONE_BY_ONE}; float32 sums", items=n, check=close(want, 1e-2)),
        Arm("numpy bincount", lambda: _bincount(positions, channels), note=f"{ONE_BY_ONE}, one index", **check),
        peer("boost-histogram", "boost_histogram", lambda m: _boost(m, x32, y32, channels), note=ONE_BY_ONE, **check),
        Arm("numpy histogram2d", lambda: [np.histogram2d(x32[few], y32[few], (ROWS, COLS), field, weights=w[few])[0]
                                          for w in channels], items=1_000_000, note=f"{ONE_BY_ONE}; 1e6 particles"),
    ]  # fmt: skip


def _pylians(mas, positions, channels, scheme):
    """Its cells are centred on whole numbers."""
    shifted = np.ascontiguousarray(positions[:, :2]) - np.float32(0.5)

    def run():
        images = np.zeros((len(channels), ROWS, COLS), np.float32)
        for image, w in zip(images, channels, strict=True):
            mas.MA(shifted, image, float(ROWS), scheme, W=w, verbose=False)
        return images

    return run


def cloud(positions, weights, want, scheme):
    """Peers of CIC and TSC."""
    n, channels = len(positions), _channels(weights)
    arms = [peer("Pylians", "MAS_library", lambda m: _pylians(m, positions, channels, scheme.upper()), items=n,
                 note=f"{ONE_BY_ONE}; float32 sums; periodic", check=close(want, 1e-3))]  # fmt: skip
    if scheme == "cic":
        arms.append(Arm("fused numba", lambda: fused.cic(positions, weights, ROWS, COLS).transpose(2, 0, 1), n,
                        check=close(want, 1e-5)))  # fmt: skip
    return arms


def views(positions, weights, rotations, want):
    n, channels = len(positions), _channels(weights)
    n_views = len(rotations)

    def rotate_and_deposit(mas):
        turn = rotations[:, :2].astype(np.float32)

        def run():
            images = np.zeros((n_views, len(channels), ROWS, COLS), np.float32)
            for view, matrix in zip(images, turn, strict=True):
                seen = (positions - np.float32(60)) @ matrix.T + np.float32(59.5)
                for image, w in zip(view, channels, strict=True):
                    mas.MA(seen, image, float(ROWS), "CIC", W=w, verbose=False)
            return images

        return run

    return [
        peer("numpy + Pylians", "MAS_library", rotate_and_deposit, items=n * n_views,
             note=f"{ONE_BY_ONE}; float32 throughout; periodic; no slab", check=close(want, 1e-3)),
        Arm("fused numba", lambda: fused.rotated_cic(positions, weights, rotations, 60.0, ROWS, COLS)
            .transpose(0, 3, 1, 2), items=n * n_views, note="no slab", check=close(want, 1e-4)),
    ]  # fmt: skip


def sph(positions, weights, support, want):
    """`want` maps a kernel to our image; the first 100,000 particles are enough for the slowest peer."""
    n, channels = len(positions), _channels(weights)
    x, y = (positions[:, k] / float(ROWS) for k in (0, 1))
    h = support / np.float32(1.897367 * ROWS)  # swiftsimio gives the width of the kernel and knows its ratio to support
    few = np.random.default_rng(0).permutation(n)[:100_000]
    backends = "swiftsimio.visualisation.projection_backends"
    wide, deep = positions.astype(np.float64), support.astype(np.float64)
    return [
        peer("meshoid", "meshoid.grid_deposition", lambda m: lambda: m.GridSurfaceDensityMulti(
            weights, wide, deep, np.array([60.0, 60.0]), 119.0, ROWS, parallel=False).transpose(2, 0, 1), items=n,
            note="cubic spline sampled at pixel centres: mass is lost or doubled where it is narrow",
            check=close(want["cubic_spline"], 0.2)),
        peer("swiftsimio fast", f"{backends}.fast", lambda m: _swiftsimio(m, x, y, h, channels), items=n,
             note=f"Wendland C2 sampled at pixel centres, mass not conserved; {ONE_BY_ONE}; float32 sums",
             check=close(want["wendland_c2"], 0.2)),
        peer("swiftsimio subsampled", f"{backends}.subsampled",
             lambda m: _swiftsimio(m, x[few], y[few], h[few], [w[few] for w in channels]), items=few.size,
             note=f"Wendland C2 on sub-pixels, conserves mass; {ONE_BY_ONE}; 1e5 of the particles"),
    ]  # fmt: skip


def banded(n, sigma):
    """Matrix that smooths n pixels, float32."""
    reach = int(4 * sigma + 0.5)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    taps /= 2 * taps.sum() - taps[0]
    return np.where(distance <= reach, taps[np.minimum(distance, reach)], 0).astype(np.float32)


def beam(images, sigma, want):
    n, matrix = len(images), banded(ROWS, sigma)
    across, out = np.empty_like(images), np.empty_like(images)
    few, few_out = images[:200], np.empty_like(images[:200])

    def gemm():
        np.matmul(images.reshape(-1, COLS), matrix, out=across.reshape(-1, COLS))
        return np.matmul(matrix, across, out=out)

    def torch_gemm(torch):
        torch.set_num_threads(1)
        pixels, band = torch.from_numpy(images), torch.from_numpy(matrix)
        return lambda: torch.matmul(band, torch.matmul(pixels, band)).numpy()

    def scipy_filter(ndimage):
        def run():
            for image, smooth in zip(few, few_out, strict=True):
                ndimage.gaussian_filter(image, sigma, mode="constant", truncate=4.0, output=smooth)
            return few_out

        return run

    return [
        Arm("numpy banded GEMM", gemm, n, check=close(want, 1e-6)),
        peer("torch banded GEMM", "torch", torch_gemm, items=n, check=close(want, 1e-6)),
        peer("scipy gaussian_filter", "scipy.ndimage", scipy_filter, items=len(few), note="200 of the images",
             check=close(want[:200], 1e-6)),
    ]  # fmt: skip


def noise(images):
    n = images.size

    def torch_normal(torch):
        torch.set_num_threads(1)
        pixels = torch.empty(images.shape)
        return lambda: pixels.normal_(0.0, 0.5)

    rng, memory = np.random.default_rng(0), np.empty_like(images)
    return [
        peer("torch normal_", "torch", torch_normal, items=n, note="does not add; one stream"),
        Arm("numpy standard_normal", lambda: rng.standard_normal(out=memory, dtype=np.float32), n,
            "does not scale or add; one stream"),
    ]  # fmt: skip


def subsample(offsets, fractions, n_indices):
    members = np.diff(offsets)
    indices, rng = np.empty(n_indices, np.int64), np.random.default_rng(0)
    few = range(30)
    n_few = int(np.floor(fractions[:30] * members[:30, None] + 0.5).sum())

    def each(draw):
        return lambda: [draw(int(members[i]), int(f * members[i] + 0.5)) for i in few for f in fractions[i]]

    def full(got):
        assert got == n_indices, got

    return [
        Arm("numba Fisher-Yates", lambda: fused.fisher_yates(offsets, fractions, indices), n_indices,
            "one stream: not reproducible with threads", check=full),
        Arm("Generator.choice", each(lambda n, k: rng.choice(n, k, replace=False, shuffle=False)), n_few,
            "30 of the clusters"),
        Arm("Generator.permutation", each(lambda n, k: rng.permutation(n)[:k]), n_few, "30 of the clusters"),
        peer("torch randperm", "torch", lambda torch: each(lambda n, k: torch.randperm(n)[:k]), items=n_few,
             note="30 of the clusters"),
    ]  # fmt: skip


if __name__ == "__main__":
    install()
