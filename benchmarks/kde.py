"""Rows K1 to K4: density estimates, and other people's code on the same clusters."""

from __future__ import annotations

from math import prod

import numba
import numpy as np

import clustermass as cm

from . import cases, floor
from .arms import Arm, Row, peer

SCIPY_CLUSTERS = {1: 60, 2: 30, 3: 2}
DIRECT_CLUSTERS = {1: 2000, 2: 300, 3: 2}
BUCKET = 64  # clusters of about equal richness that torch works on together


def _positions(dims):
    return [low + (np.arange(n) + 0.5) * (high - low) / n for low, high, n in cases.KDE_AXES[dims]]


def _few(offsets, n):
    """First of `n` neighbouring clusters whose mean richness is nearest to that of all."""
    sizes = (offsets[n:] - offsets[:-n]) / n
    return int(np.argmin(np.abs(sizes - offsets[-1] / (offsets.size - 1))))


def _near(want, tolerance):
    """Check against our grids, in parts of the largest value of each."""

    def check(got):
        for a, b in zip(got, want, strict=True):
            error = np.abs(np.asarray(a, float).reshape(b.shape) - b).max() / b.max()
            assert error <= tolerance, f"differs by {error:.2g} of the peak, allowed {tolerance:.2g}"

    return check


def _scipy(stats, points, offsets, dims):
    mesh = np.stack([x.ravel() for x in np.meshgrid(*_positions(dims), indexing="ij")])
    clusters = [np.float64(points[a:b]).T for a, b in zip(offsets[:-1], offsets[1:], strict=True)]  # noqa: RUF007
    return lambda: [stats.gaussian_kde(own)(mesh) for own in clusters]


@numba.njit(cache=True)
def _direct_line(points, offsets, p, norms, first, step, out):
    """The loops one would write oneself: full covariance, float32 throughout, one exponential per point and cell."""
    half = np.float32(-0.5)
    for c in range(out.shape[0]):
        for i in range(out.shape[1]):
            x, total = first[0] + step[0] * np.float32(i), np.float32(0)
            for n in range(offsets[c], offsets[c + 1]):
                d = x - points[n, 0]
                total += np.exp(half * p[c, 0, 0] * d * d)
            out[c, i] = total * norms[c]


@numba.njit(cache=True)
def _direct_plane(points, offsets, p, norms, first, step, out):
    half = np.float32(-0.5)
    for c in range(out.shape[0]):
        pxx, pxy, pyy = half * p[c, 0, 0], -p[c, 0, 1], half * p[c, 1, 1]
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                x, y = first[0] + step[0] * np.float32(i), first[1] + step[1] * np.float32(j)
                total = np.float32(0)
                for n in range(offsets[c], offsets[c + 1]):
                    dx, dy = x - points[n, 0], y - points[n, 1]
                    total += np.exp(pxx * dx * dx + pxy * dx * dy + pyy * dy * dy)
                out[c, i, j] = total * norms[c]


@numba.njit(cache=True)
def _direct_cube(points, offsets, p, norms, first, step, out):
    half = np.float32(-0.5)
    for c in range(out.shape[0]):
        q = p[c]
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                for k in range(out.shape[3]):
                    x, y = first[0] + step[0] * np.float32(i), first[1] + step[1] * np.float32(j)
                    z, total = first[2] + step[2] * np.float32(k), np.float32(0)
                    for n in range(offsets[c], offsets[c + 1]):
                        dx, dy, dz = x - points[n, 0], y - points[n, 1], z - points[n, 2]
                        own = half * (q[0, 0] * dx * dx + q[1, 1] * dy * dy + q[2, 2] * dz * dz)
                        total += np.exp(own - q[0, 1] * dx * dy - q[0, 2] * dx * dz - q[1, 2] * dy * dz)
                    out[c, i, j, k] = total * norms[c]


def _factors(points, offsets, dims):
    """Scott's covariance of each cluster: (precisions, norms) in float32."""
    precisions, norms = [], []
    for a, b in zip(offsets[:-1], offsets[1:], strict=True):  # noqa: RUF007
        n = b - a
        covariance = np.atleast_2d(np.cov(np.float64(points[a:b]).T)) * float(n) ** (-2 / (dims + 4))
        precisions.append(np.linalg.inv(covariance))
        norms.append(1 / (n * np.sqrt(np.linalg.det(2 * np.pi * covariance))))
    return np.array(precisions, np.float32), np.array(norms, np.float32)


def _numba(points, offsets, dims):
    axes = cases.KDE_AXES[dims]
    precisions, norms = _factors(points, offsets, dims)
    first = np.array([x[0] for x in _positions(dims)], np.float32)
    step = np.array([(high - low) / n for low, high, n in axes], np.float32)
    out = np.empty((offsets.size - 1, *(n for _, _, n in axes)), np.float32)
    loop = {1: _direct_line, 2: _direct_plane, 3: _direct_cube}[dims]

    def run():
        loop(points, offsets, precisions, norms, first, step, out)
        return out

    return run


def _torch_batches(torch, points, offsets):
    """Plane: clusters sorted by richness, padded per bucket; one factor per axis, joined by a batched product."""
    torch.set_num_threads(1)
    x, y = (torch.from_numpy(np.float32(v)) for v in _positions(2))
    sizes = np.diff(offsets)
    order = np.argsort(sizes, kind="stable")
    buckets = [order[i : i + BUCKET] for i in range(0, order.size, BUCKET)]

    def padded(rows):
        where = offsets[rows][:, None] + np.arange(sizes[rows].max())
        inside = where < offsets[rows + 1][:, None]
        return torch.from_numpy(points[np.where(inside, where, 0)]), torch.from_numpy(np.float32(inside))

    def run():
        out = torch.empty((sizes.size, x.numel(), y.numel()))
        for rows in buckets:
            values, inside = padded(rows)
            n = inside.sum(1)
            mean = (values * inside[..., None]).sum(1) / n[:, None]
            variance = (((values - mean[:, None]) ** 2) * inside[..., None]).sum(1) / (n[:, None] - 1)
            sigma = torch.sqrt(variance) * n[:, None] ** (-1 / 6)
            a = torch.exp(-0.5 * ((x - values[..., :1]) / sigma[:, None, :1]) ** 2) * inside[..., None]
            b = torch.exp(-0.5 * ((y - values[..., 1:]) / sigma[:, None, 1:]) ** 2)
            out[torch.from_numpy(rows)] = (
                torch.bmm(a.transpose(1, 2), b) / (2 * np.pi * n * sigma.prod(1))[:, None, None]
            )
        return out.numpy()

    return run


def _torch_cubes(torch, points, offsets):
    torch.set_num_threads(1)
    axes = [torch.from_numpy(np.float32(v)) for v in _positions(3)]

    def cluster(own):
        values = torch.from_numpy(own)
        sigma = values.std(0) * len(own) ** (-1 / 7)
        a, b, c = (torch.exp(-0.5 * ((x - values[:, k : k + 1]) / sigma[k]) ** 2) for k, x in enumerate(axes))
        sums = a.T @ (b[:, :, None] * c[:, None, :]).reshape(len(own), -1)
        return sums / (len(own) * (2 * np.pi) ** 1.5 * sigma.prod())

    clusters = [points[a:b] for a, b in zip(offsets[:-1], offsets[1:], strict=True)]  # noqa: RUF007
    return lambda: [cluster(own).numpy() for own in clusters]


def _peers(points, offsets, dims, want):
    def some(n):
        first = _few(offsets, n)
        rows = slice(first, first + n)
        own = offsets[first : first + n + 1]
        return points[own[0] : own[-1]], own - own[0], want[rows]

    few, direct = SCIPY_CLUSTERS[dims], DIRECT_CLUSTERS[dims]
    tolerance = 2e-6 if points.dtype == np.float32 else 1e-12
    own_points, own_offsets, own_want = some(few)
    run = {"items": few, "check": _near(own_want, tolerance)}
    arms = [peer("scipy gaussian_kde", "scipy.stats", lambda m: _scipy(m, own_points, own_offsets, dims),
                 note=f"float64; {few} clusters of the same mean richness", **run)]  # fmt: skip
    if points.dtype == np.float64:
        return arms
    own_points, own_offsets, own_want = some(direct)
    arms.append(Arm("numba direct", _numba(own_points, own_offsets, dims), direct, f"float32 sums; covariances ready; "
                    f"{direct} clusters", _near(own_want, 1e-3)))  # fmt: skip
    diagonal = "diagonal covariance only, which is up to 0.5 of the peak wrong here"
    if dims == 2:
        arms.append(peer("torch bmm", "torch", lambda m: _torch_batches(m, points, offsets), items=offsets.size - 1,
                         note=diagonal, check=_near(want, 0.6)))  # fmt: skip
    if dims == 3:
        arms.append(peer("torch GEMM", "torch", lambda m: _torch_cubes(m, points, offsets), items=offsets.size - 1,
                         note=diagonal, check=_near(want, 0.6)))  # fmt: skip
    return arms


def _floor(points, offsets, dims):
    """Exponentials of the factors and multiply-adds of the product: no way around either with this method."""
    cells = [n for _, _, n in cases.KDE_AXES[dims]]
    n_clusters, bits, lanes = offsets.size - 1, 8 * points.itemsize, 64 // points.itemsize
    products = len(points) * prod(cells) if dims > 1 else 0
    exponentials = len(points) * sum(cells) + n_clusters * (cells[0] * cells[-1] if dims > 1 else 0)
    x = np.linspace(-50, 50, 512 * lanes).astype(points.dtype)

    def run():
        floor.call(f"exp_f{bits}", x, x.size // 2, max(1, exponentials // (x.size // 2)))
        floor.call(f"fma_f{bits}", products // (12 * lanes))

    return [Arm("exponentials and multiply-adds", run)] if floor.library() else []


def _row(name, dims, dtype, bars):
    n = cases.KDE_CUBES if dims == 3 else cases.KDE_CLUSTERS
    points, offsets = cases.kde_points(dims, n, dtype)

    def run(n_threads):
        return cm.estimate_density(points, offsets, axes=cases.KDE_AXES[dims], bandwidth="scott", normalise="density",
                                   n_threads=n_threads)  # fmt: skip

    want = run(1)
    ours = [Arm("clustermass", lambda: run(1), n, check=_near(want, 0.0)),
            Arm("clustermass, 2 threads", lambda: run(2), n, check=_near(want, 0.0))]  # fmt: skip
    cells = "x".join(str(axis[2]) for axis in cases.KDE_AXES[dims])
    title = f"KDE {dims}D on {cells}, full covariance, {np.dtype(dtype).name}, {n} clusters"
    return Row(name, title, "clusters", ours, _peers(points, offsets, dims, want), _floor(points, offsets, dims), bars)


def k1():
    return _row("K1", 1, np.float32, {"scipy gaussian_kde": 300.0, "numba direct": 12.0})


def k2():
    return _row("K2", 2, np.float32, {"scipy gaussian_kde": 450.0, "numba direct": 75.0, "torch bmm": 5.0})


def k3():
    return _row("K3", 2, np.float64, {"scipy gaussian_kde": 150.0})


def k4():
    return _row("K4", 3, np.float32, {"scipy gaussian_kde": 700.0, "torch GEMM": 2.5})
