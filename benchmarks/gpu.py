"""GPU figures (rows G1-G5): time on the device, shares of its measured limits, and torch expressions of the same work.

Usage: python -m benchmarks.gpu FILE. Needs a CUDA device and torch; everything is resident. Each row checks its answer
against the host before it is timed. Peers do easier work where it says so. Times are medians of CUDA events.
"""

from __future__ import annotations

import json
import statistics
import sys

import numpy as np
import torch

import clustermass as cm
from clustermass import _backend

from . import cases

ROUNDS = 9


def seconds(work, rounds=ROUNDS):
    """Median time of one call on the device."""
    times = []
    for i in range(rounds + 2):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        if i >= 2:
            times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def limits():
    """What the device does at best: copying memory, and multiplying matrices without reduced precision."""
    torch.backends.cuda.matmul.allow_tf32 = False
    a = torch.empty(2**28, device="cuda")
    b = torch.empty_like(a)
    found = {"copy [GB/s]": 2 * a.nbytes / seconds(lambda: b.copy_(a)) / 1e9}
    for name, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        m = torch.ones((4096, 4096), device="cuda", dtype=dtype)
        found[f"matmul {name} [GFLOP/s]"] = 2 * 4096**3 / seconds(lambda m=m: m @ m) / 1e9
    return found


def agree(found, expected, tolerance):
    error = float(np.abs(found.cpu().numpy() - expected).max() / np.abs(expected).max())
    assert error <= tolerance, f"off by {error}"


def row(name, work, n, unit, time, bytes_moved=None, flops=None, peers=None, limit=None):
    figure = {"row": name, "work": work, "seconds": time, f"{unit}/s": n / time}
    if bytes_moved:
        figure["share of copy bandwidth"] = bytes_moved / time / 1e9 / limit["copy [GB/s]"]
    if flops:
        figure["share of f64 matmul"] = flops / time / 1e9 / limit["matmul f64 [GFLOP/s]"]
    for peer, t in (peers or {}).items():
        figure[f"times faster than {peer}"] = t / time
    print(json.dumps(figure), flush=True)
    return figure


def cic_by_index_add(positions, weights, shape, pixel_size):
    """CIC with torch alone: four index_add_ of all channels, in float32."""
    u = positions[:, :2] / pixel_size - 0.5
    corner, image = torch.floor(u), torch.zeros((shape[0] * shape[1], weights.shape[1]), device="cuda")
    share = u - corner
    for j in (0, 1):
        for k in (0, 1):
            r, c = corner[:, 0].long() + j, corner[:, 1].long() + k
            s = (share[:, 0] if j else 1 - share[:, 0]) * (share[:, 1] if k else 1 - share[:, 1])
            inside = (r >= 0) & (r < shape[0]) & (c >= 0) & (c < shape[1])
            at = torch.where(inside, r * shape[1] + c, 0)
            image.index_add_(0, at, weights * (s * inside)[:, None])
    return image.T.reshape(-1, *shape)


def project_form(positions, weights, shape, form):
    """One form of the accumulation (ProjectPlan), for comparing them; each call allocates as the public one does."""
    extension = _backend.cuda()
    n, channels = weights.shape
    stream = torch.cuda.current_stream().cuda_stream
    size = extension.project_scratch(n, channels, *shape, form=form, device=0)
    scratch = torch.empty(size, dtype=torch.float64, device="cuda")
    image = torch.empty((channels, *shape), device="cuda")
    extension.project_f32(
        positions.data_ptr(), n, 3, weights.data_ptr(), channels, 0, image.data_ptr(), *shape, scratch.data_ptr(), size,
        assignment=1, kernel=0, origin_row=0.0, origin_col=0.0, per_pixel=1.0, form=form, device=0, stream=stream,
    )  # fmt: skip
    return image


def projection(limit):
    n, shape = 10_000_000, (120, 120)
    random = np.random.default_rng(1).uniform(0, 120, (n, 3)).astype(np.float32)
    clouds = {"random": random, "NFW": cases.nfw_positions(n).astype(np.float32)}
    weights = torch.rand((n, 4), device="cuda")
    figures = []
    for cloud, host in clouds.items():
        positions = torch.tensor(host, device="cuda")
        want = cm.project_particles(host, weights.cpu().numpy(), shape=shape, pixel_size=1.0, n_threads=8)
        agree(cm.project_particles(positions, weights, shape=shape, pixel_size=1.0), want, 2e-6)
        agree(cic_by_index_add(positions, weights, shape, 1.0), want, 1e-3)
        peers = {
            "torch index_add_ (float32 sums)": seconds(lambda p=positions: cic_by_index_add(p, weights, shape, 1.0))
        }
        time = seconds(lambda p=positions: cm.project_particles(p, weights, shape=shape, pixel_size=1.0))
        figures.append(row("G1", f"CIC, 4 channels, 1e7 {cloud} particles, 120x120", n, "particles", time, 28 * n,
                           peers=peers, limit=limit))  # fmt: skip
        for form, name in ((0, "copies"), (1, "tiles")):
            time = seconds(lambda p=positions, f=form: project_form(p, weights, shape, f))
            figures.append(row("G1", f"the same, {cloud}, form {name}", n, "particles", time, 28 * n, limit=limit))
    index = cm.build_particle_index(positions, weights, box_size=120.0)
    time = seconds(lambda: cm.build_particle_index(positions, weights, box_size=120.0))
    figures.append(row("index", "1e7 NFW particles, 4 channels", n, "particles", time, 56 * n, limit=limit))
    rotations = torch.tensor(cm.view_rotations(np.random.default_rng(2).normal(size=(64, 3))), device="cuda")
    centres = torch.full((64, 3), 60.0, device="cuda", dtype=torch.float64)
    sizes = torch.full((64,), 1.0, device="cuda", dtype=torch.float64)
    time = seconds(lambda: cm.project_views(index, centres, rotations, pixel_size=sizes, shape=shape, depth=50.0))
    figures.append(row("views", "64 views of 1e7 NFW particles", 64 * n, "particle-views", time, limit=limit))
    return figures


def densities(limit):
    figures = []
    rng = np.random.default_rng(3)
    for name, dims, cells, clusters in (("G2", 2, 48, 20_000), ("G3", 3, 50, 1_000)):
        sizes = rng.integers(50, 151, clusters)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        host = rng.normal(size=(offsets[-1], dims)).astype(np.float32)
        points, starts = torch.tensor(host, device="cuda"), torch.tensor(offsets, device="cuda")
        axes = [(-3.0, 3.0, cells)] * dims
        few = int(offsets[50])
        agree(cm.estimate_density(points, starts, axes=axes)[:50],
              cm.estimate_density(host[:few], offsets[:51], axes=axes), 2e-6)  # fmt: skip
        time = seconds(lambda p=points, s=starts, a=axes: cm.estimate_density(p, s, axes=a))
        flops = 2.0 * cells**dims * offsets[-1]
        peers = {}
        if dims == 2:  # points padded to the richest cluster, no cross terms: a batched matrix product
            rows = torch.rand((clusters, cells, 150), device="cuda")
            cols = torch.rand((clusters, 150, cells), device="cuda")
            peers["torch bmm of ready tables (diagonal, float32)"] = seconds(lambda r=rows, c=cols: torch.bmm(r, c))
        work = f"KDE {cells}^{dims}, about 100 points, full covariance, {clusters} clusters"
        figures.append(row(name, work, clusters, "clusters", time, flops=flops, peers=peers, limit=limit))
        slopes = torch.rand((clusters, *[cells] * dims), device="cuda")
        by = cm.differentiate_density(slopes, points, starts, axes=axes)
        agree(by.points[:few], cm.differentiate_density(slopes[:50].cpu().numpy(), host[:few], offsets[:51],
                                                        axes=axes).points, 1e-4)  # fmt: skip
        time = seconds(lambda s=slopes, p=points, o=starts, a=axes: cm.differentiate_density(s, p, o, axes=a), 3)
        figures.append(row(f"{name} gradient", "of the same", clusters, "clusters", time, limit=limit))
    return figures


def cylinders_one_by_one(positions, velocities, queries, box, rate):
    """Torch alone, no index: every galaxy against each line of sight (periodic, classical velocities). Counts."""
    seen, (radius, window) = 0, (cases.LIGHTCONE["aperture"], cases.LIGHTCONE["max_velocity"])
    for centre, motion, line in zip(*queries, strict=True):
        line = line / torch.linalg.norm(line)
        d = torch.remainder(positions - centre + box / 2, box) - box / 2
        depth = d @ line
        inside = (d * d).sum(dim=1) - depth**2 <= radius**2
        seen += (inside & (torch.abs(rate * depth + (velocities - motion) @ line) < window)).sum()
    return seen


def lightcones(limit):
    n, few = cases.GALAXIES[-1], 20
    host, (centres, motions, lines) = cases.galaxies(n)[:2], cases.lines_of_sight(n)
    positions, velocities = (torch.tensor(array, device="cuda") for array in host)
    index = cm.build_galaxy_index(positions, velocities, box_size=cases.GALAXY_BOX)
    options = cases.LIGHTCONE
    want = cm.select_lightcone(cm.build_galaxy_index(*host, box_size=cases.GALAXY_BOX), centres, motions, lines,
                               **options)  # fmt: skip
    found = cm.select_lightcone(index, centres, motions, lines, **options)
    for name in ("offsets", "indices", "velocity"):
        assert (getattr(found, name).cpu().numpy() == getattr(want, name)).all(), name
    time = seconds(lambda: cm.build_galaxy_index(positions, velocities, box_size=cases.GALAXY_BOX))
    figures = [row("G4 index", f"{n} galaxies", n, "galaxies", time, 100 * n, limit=limit)]
    rate = 100 * options["cosmology"].h * float(options["cosmology"].expansion(options["redshift"]))
    rate /= 1 + options["redshift"]
    queries = [torch.tensor(array[:few], device="cuda", dtype=torch.float32) for array in (centres, motions, lines)]
    slow = seconds(lambda: cylinders_one_by_one(positions, velocities, queries, cases.GALAXY_BOX, rate), 3)
    peers = {"torch, every galaxy for each line (no index)": slow / few * len(centres)}
    time = seconds(lambda: cm.select_lightcone(index, centres, motions, lines, **options))
    work = f"{len(centres)} lines of sight through {n} galaxies, queries prepared on the host"
    figures.append(row("G4", work, len(centres), "lines of sight", time, peers=peers, limit=limit))
    return figures


def draws(limit):
    sizes = np.random.default_rng(4).integers(20, 181, 100_000)
    offsets = torch.tensor(np.concatenate([[0], np.cumsum(sizes)]), device="cuda")
    options = dict(fraction=0.5, n_draws=10, seed=1)
    found = cm.draw_subsamples(offsets, **options)
    assert (found.indices.cpu().numpy() == cm.draw_subsamples(offsets.cpu().numpy(), **options).indices).all()
    n = found.indices.numel()
    time = seconds(lambda: cm.draw_subsamples(offsets, **options))
    keys = torch.empty((10, int(sizes.sum())), device="cuda")
    peers = {"torch argsort of random keys (whole rows)": seconds(lambda: keys.uniform_().argsort(dim=1))}
    work = "1e5 clusters, half of about 100 galaxies, 10 draws, offsets read back"
    return [row("G5", work, n, "indices", time, 8 * n, peers=peers, limit=limit)]


def images(limit):
    stack = torch.rand((2000, 4, 120, 120), device="cuda")
    n = len(stack) * 4
    time = seconds(lambda: cm.convolve_beam(stack, 2.5 * 2.3548))
    figures = [row("beam", "8000 images of 120x120, sigma 2.5", n, "images", time, 2 * stack.nbytes, limit=limit)]
    time = seconds(lambda: cm.add_noise(stack, 1.0, seed=1))
    peers = {"torch randn_like and add (two passes)": seconds(lambda: stack + torch.randn_like(stack))}
    figures.append(row("noise", "the same images", n, "images", time, 2 * stack.nbytes, peers=peers, limit=limit))
    return figures


def main(target):
    limit = limits()
    print(json.dumps(limit), flush=True)
    rows = [figure for part in (projection, densities, lightcones, draws, images) for figure in part(limit)]
    with open(target, "w") as file:
        json.dump({"device": torch.cuda.get_device_name(), "limits": limit, "rows": rows}, file)


if __name__ == "__main__":
    main(sys.argv[1])
