"""Row E1: divergences of all pairs of clusters, by distances to their fourth neighbours."""

from __future__ import annotations

import importlib

import numba
import numpy as np

import clustermass as cm

from . import cases, floor
from .arms import Arm, Row, peer

K = 4
KEPT = 20  # clusters that an answer is checked on
PEER_CLUSTERS = 100  # trees are built and searched one pair at a time


@numba.njit
def _brute_force(points, offsets, out):
    """Two loops over the points of a pair, the four smallest squares kept by insertion."""
    n, best = offsets.size - 1, np.empty(K + 1)
    rho = np.empty(len(points))
    for row in range(n):
        for i in range(offsets[row], offsets[row + 1]):
            best[:] = np.inf
            for j in range(offsets[row], offsets[row + 1]):
                if i != j:
                    _insert(points, i, j, best)
            rho[i] = np.log(best[K - 1])
    for row in range(n):
        size = offsets[row + 1] - offsets[row]
        for column in range(n):
            total = 0.0
            for i in range(offsets[row], offsets[row + 1]):
                best[:] = np.inf
                for j in range(offsets[column], offsets[column + 1]):
                    _insert(points, i, j, best)
                total += np.log(best[K - 1]) - rho[i]
            d = 0.5 * points.shape[1] * total / size + np.log((offsets[column + 1] - offsets[column]) / (size - 1))
            out[row, column] = max(d, 0.0) if row != column else 0.0


@numba.njit(inline="always")
def _insert(points, i, j, best):
    square = 0.0
    for axis in range(points.shape[1]):
        step = points[i, axis] - points[j, axis]
        square += step * step
    if square < best[K - 1]:
        at = K - 1
        while at > 0 and best[at - 1] > square:
            best[at] = best[at - 1]
            at -= 1
        best[at] = square


def brute_force(points, offsets):
    out = np.empty((offsets.size - 1, offsets.size - 1))
    _brute_force(points, offsets, out)
    return out


def trees(library, points, offsets):
    """A tree per cluster, and each cluster's points looked up in each tree."""
    parts = np.split(points, offsets[1:-1])
    if library == "scipy":
        build = importlib.import_module("scipy.spatial").cKDTree
        found = [build(part) for part in parts]
        look = lambda tree, part, k: tree.query(part, k=[k])[0][:, 0]  # noqa: E731
    else:
        build = importlib.import_module("sklearn.neighbors").KDTree
        found = [build(part, leaf_size=30) for part in parts]
        look = lambda tree, part, k: tree.query(part, k=k)[0][:, -1]  # noqa: E731
    out = np.zeros((len(parts), len(parts)))
    for row, part in enumerate(parts):
        rho = np.log(look(found[row], part, K + 1)).mean()
        for column, tree in enumerate(found):
            if row != column:
                nu = np.log(look(tree, part, K)).mean()
                out[row, column] = points.shape[1] * (nu - rho) + np.log(len(parts[column]) / (len(part) - 1))
    return np.maximum(out, 0)


def e1():
    n = cases.SAMPLES
    points, offsets = cases.samples(n, 2)
    flat, doubles = cases.samples(n, 1)[0], points.astype(float)
    few_points, few = points[: offsets[PEER_CLUSTERS]], offsets[: PEER_CLUSTERS + 1]
    want = brute_force(points[: offsets[KEPT]], offsets[: KEPT + 1])

    def right(got):
        np.testing.assert_allclose(got[:KEPT, :KEPT], want, atol=1e-5)

    def run(n_threads, which=points):
        return cm.knn_divergences(which, offsets, n_threads=n_threads)

    ours = [
        Arm("clustermass", lambda: run(1), n * n, check=right),
        Arm("clustermass, 2 threads", lambda: run(2), n * n, "the goal is 60 s", check=right),
        Arm("clustermass, float64", lambda: run(1, doubles), n * n, check=right),
        Arm("clustermass, one dimension", lambda: run(1, flat), n * n),
    ]
    others = [
        Arm("numba brute force", lambda: brute_force(few_points, few), PEER_CLUSTERS**2, check=right),
        peer("scikit-learn trees", "sklearn.neighbors", lambda m: lambda: trees("sklearn", few_points, few),
             items=PEER_CLUSTERS**2, check=right),
        peer("scipy trees", "scipy.spatial", lambda m: lambda: trees("scipy", few_points, few),
             items=PEER_CLUSTERS**2, check=right),
    ]  # fmt: skip
    distances = int(offsets[-1]) ** 2
    floors = [Arm("one multiply-add per distance and axis", lambda: floor.call("fma_f32", 2 * distances // (12 * 16)))]
    return Row("E1", f"KL divergences of all pairs of {n} clusters of 50 galaxies in 2D, k = 4", "pairs", ours, others,
               floors if floor.library() else [], {"numba brute force": 20.0, "scikit-learn trees": 20.0})  # fmt: skip
