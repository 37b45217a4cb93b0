"""The rows of the goals: our arms, the peers, the floor and the bar of each."""

from __future__ import annotations

import numpy as np

import clustermass as cm

from . import (
    cases,
    caustics,
    dispersions,
    floor,
    jeans,
    kde,
    lightcones,
    map_sets,
    observations,
    peers,
    support,
    training,
)
from .arms import Arm, Row, close

FIELD = {"shape": cases.SHAPE, "pixel_size": 1.0}


def _threads(run, items, check=None):
    """The same call with one thread and with two."""
    return [Arm("clustermass", lambda: run(1), items, check=check),
            Arm("clustermass, 2 threads", lambda: run(2), items, check=check)]  # fmt: skip


def _floors(**named):
    """Floor arms, where there is a compiler to build them."""
    return [Arm(name.replace("_", " "), run) for name, run in named.items()] if floor.library() else []


def _read(*arrays):
    flat = [a.reshape(-1).view(np.float32) for a in arrays]
    return lambda: [floor.call("read_floats", a, a.size) for a in flat]


def _projection(name, scheme, bars):
    n = cases.PARTICLES
    positions, weights = cases.nfw_positions(n), cases.weights(n)

    def run(n_threads):
        return cm.project_particles(positions, weights, assignment=scheme, n_threads=n_threads, **FIELD)

    def whole(image):
        assert np.allclose(image.sum((1, 2), dtype=float), weights.sum(0, dtype=float), rtol=1e-6)

    want = run(1)
    others = peers.ngp(positions, weights, want) if scheme == "ngp" else peers.cloud(positions, weights, want, scheme)
    title = f"{scheme.upper()}, {cases.CHANNELS} channels, 1e7 NFW particles, 120x120"
    return Row(name, title, "particles", _threads(run, n, whole), others,
               _floors(read_particles_once=_read(positions, weights)), bars)  # fmt: skip


def p1():
    bars = {"swiftsimio histogram": 4.0, "fast-histogram": 4.5, "fused numba": 1.3}
    return _projection("P1", "ngp", bars)


def p2():
    return _projection("P2", "cic", {"Pylians": 10.0, "fused numba": 2.5})


def p3():
    return _projection("P3", "tsc", {"Pylians": 16.0})


def p4():
    n, n_views = cases.VIEW_PARTICLES, cases.VIEWS
    positions, weights, rotations = cases.nfw_positions(n), cases.weights(n), cases.rotations(n_views)
    centres = np.full((n_views, 3), 60.0)
    index = cm.build_particle_index(positions, weights)
    turned = [((positions - 60.0) @ r.T + 60.0).astype(np.float32) for r in rotations]

    def run(n_threads, prepared=index):
        return cm.project_views(prepared, centres, rotations, depth=60.0, n_threads=n_threads, **FIELD)

    want = run(1)
    ours = _threads(run, n * n_views)
    ours[0].check = close(want, 1e-12)
    ours += [
        Arm("index + views", lambda: run(1, cm.build_particle_index(positions, weights)), n * n_views,
            check=close(want, 1e-12)),
        Arm("deposit alone", lambda: [cm.project_particles(p, weights, **FIELD) for p in turned], n * n_views,
            "positions rotated before; the goal is 1.3 times its time", check=close(want, 1e-4)),
    ]  # fmt: skip
    reads = _read(positions, weights)
    return Row("P4", "rotate + CIC, 1e6 NFW particles x 16 lines of sight", "particles", ours,
               peers.views(positions, weights, rotations, want),
               _floors(read_particles_per_view=lambda: [reads() for _ in range(n_views)]),
               {"numpy + Pylians": 14.0, "fused numba": 2.5})  # fmt: skip


def p5():
    n = cases.SPH_PARTICLES
    positions, weights, support = cases.nfw_positions(n), cases.weights(n), cases.smoothing_lengths(n)

    def run(n_threads, kernel="cubic_spline"):
        return cm.project_particles(positions, weights, assignment="sph", kernel=kernel, smoothing_length=support,
                                    n_threads=n_threads, **FIELD)  # fmt: skip

    def whole(image):
        assert np.allclose(image.sum((1, 2), dtype=float), weights.sum(0, dtype=float), rtol=1e-5)

    want = {kernel: run(1, kernel) for kernel in ("cubic_spline", "wendland_c2")}
    ours = _threads(run, n, whole)
    ours.append(Arm("clustermass, Wendland C2", lambda: run(1, "wendland_c2"), n, check=whole))
    pairs = np.maximum(np.pi * support**2 / 2, 1).astype(np.int64)  # of pixels under the kernel
    first = np.repeat(np.cumsum(pairs) - pairs, pairs)
    touched = np.repeat(floor.nfw_pixels(n), pairs) + 2 * (np.arange(first.size, dtype=np.int64) - first)
    touched, image = touched.astype(np.int32), np.zeros(4 * (int(touched.max()) + 2))
    return Row("P5", "SPH, 1e6 NFW particles, support 0.9/2.6/5 pixels, 4 channels", "particles", ours,
               peers.sph(positions, weights, support, want),
               _floors(add_to_every_pixel=lambda: floor.call("scatter_64", touched, image, touched.size)),
               {"meshoid": 4.0, "swiftsimio fast": 14.0, "swiftsimio subsampled": 300.0})  # fmt: skip


def p6():
    images = cases.images(cases.BEAM_IMAGES)
    out = np.empty_like(images)

    def run(n_threads):
        return cm.convolve_beam(images, cases.BEAM_FWHM, out=out, n_threads=n_threads)

    want = run(1).copy()
    ours = _threads(run, len(images), close(want, 0.0))
    inside = images.copy()
    ours.append(Arm("clustermass in place", lambda: cm.convolve_beam(inside, cases.BEAM_FWHM, out=inside),
                    len(images)))  # fmt: skip
    taps = 2 * int(4 * cases.BEAM_SIGMA + 0.5) + 1
    fmas = images.size * taps * 2 // (12 * 16)
    return Row("P6", f"beam, {len(images)} images of 120x120, sigma 2.5 pixels", "images", ours,
               peers.beam(images, cases.BEAM_SIGMA, want),
               _floors(copy_images=lambda: floor.call("copy_floats", out, images, images.size),
                       multiply_adds=lambda: floor.call("fma_f32", fmas)),
               {"numpy banded GEMM": 3.0, "scipy gaussian_filter": 6.0})  # fmt: skip


def p6_noise():
    images = cases.images(cases.BEAM_IMAGES).copy()
    words = np.empty(images.size, np.uint32)

    def run(n_threads):
        return cm.add_noise(images, 0.5, seed=1, out=images, n_threads=n_threads)

    title = f"Gaussian noise added in place, {images.size / 1e6:.1f} million pixels"
    return Row("P6-noise", title, "pixels",
               _threads(run, images.size), peers.noise(images),
               _floors(random_words=lambda: floor.call("philox", words, words.size)),
               {"torch normal_": 4.0})  # fmt: skip


def s1():
    offsets, fractions = cases.cluster_offsets(), cases.draw_fractions()
    members, n_draws = np.diff(offsets), fractions.shape[1]
    counts = np.floor(fractions * members[:, None] + 0.5).astype(np.int64)
    n = int(counts.sum())

    def run(n_threads):
        return cm.draw_subsamples(offsets, fraction=fractions, n_draws=n_draws, seed=1, n_threads=n_threads)

    def distinct(draws):
        assert draws.indices.size == n
        for row in np.random.default_rng(0).integers(0, counts.size, 200):
            drawn, item = draws.indices[draws.offsets[row] : draws.offsets[row + 1]], row // n_draws
            assert len(set(drawn.tolist())) == drawn.size == counts.flat[row]
            assert drawn.size == 0 or (drawn.min() >= offsets[item] and drawn.max() < offsets[item + 1])

    words, memory = np.empty(n, np.uint32), np.empty(n, np.int64)

    def floor_run():
        floor.call("philox", words, words.size)
        memory.fill(1)

    return Row("S1", f"sub-sampling, {n / 1e6:.0f} million indices", "indices", _threads(run, n, distinct),
               peers.subsample(offsets, fractions, n), _floors(random_words_and_result=floor_run),
               {"Generator.choice": 30.0, "numba Fisher-Yates": 2.5})  # fmt: skip


ROWS = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P5": p5,
    "P6": p6,
    "P6-noise": p6_noise,
    "S1": s1,
    "K1": kde.k1,
    "K2": kde.k2,
    "K3": kde.k3,
    "K4": kde.k4,
    "L1": lightcones.l1,
    "L2": lightcones.l2,
    "L3": lightcones.l3,
    "E2": dispersions.e2,
    "E2-gapper": dispersions.e2_gapper,
    "E2-std": dispersions.e2_std,
    "E1": support.e1,
    "E3-caustic": caustics.e3_caustic,
    "E3-jeans": jeans.e3_jeans,
    "M1": map_sets.m1,
    "M2": observations.m2,
    "T2": training.t2,
    "T3": training.t3,
}
