"""Every CUDA op once on small arrays, beside the native one: what compute-sanitizer watches (make gpu-check)."""

from __future__ import annotations

import numpy as np
import torch

import clustermass as cm
from clustermass.cosmology import Cosmology

RNG = np.random.default_rng(1)
BOX = 20.0


def gpu(array):
    return torch.tensor(array, device="cuda")


def same(name, found, expected, tolerance=1e-5):
    found, expected = np.asarray(found.cpu(), float), np.asarray(expected, float)
    error = np.abs(found - expected).max(initial=0.0) / max(np.abs(expected).max(initial=0.0), 1e-300)
    assert found.shape == expected.shape and error <= tolerance, f"{name}: off by {error}"  # noqa: PT018
    print(f"{name}: {error:.1e}")


def projections():
    for dtype in (np.float32, np.float64):
        positions = RNG.uniform(-1, 21, (700, 3)).astype(dtype)
        weights, support = RNG.uniform(size=(700, 3)).astype(dtype), RNG.uniform(0, 2, 700).astype(dtype)
        for assignment in ("ngp", "cic", "tsc", "sph"):
            options = dict(shape=(17, 23), pixel_size=1.0, assignment=assignment, beam_fwhm=2.0)
            image = cm.project_particles(gpu(positions), gpu(weights), smoothing_length=gpu(support), **options)
            want = cm.project_particles(positions, weights, smoothing_length=support, **options)
            same(f"project {assignment}", image, want)
            by = cm.differentiate_projection(gpu(want), gpu(positions), gpu(weights), smoothing_length=gpu(support),
                                             pixel_size=1.0, assignment=assignment)  # fmt: skip
            host = cm.differentiate_projection(want, positions, weights, smoothing_length=support, pixel_size=1.0,
                                               assignment=assignment)  # fmt: skip
            same(f"gradient {assignment}", by.weights, host.weights)
            for box in (None, BOX):
                views(positions, weights, support, assignment, box)


def views(positions, weights, support, assignment, box):
    rotations = cm.view_rotations([[0, 0, 1], [1, -1, 0.3]], azimuth=[0.2, 1.0])
    centres, options = (
        RNG.uniform(0, BOX, (2, 3)),
        dict(pixel_size=0.4, shape=(14, 9), depth=7.0, assignment=assignment),
    )
    host = cm.build_particle_index(positions, weights, smoothing_length=support, box_size=box)
    device = cm.build_particle_index(gpu(positions), gpu(weights), smoothing_length=gpu(support), box_size=box)
    for name in ("x", "weights", "cell_start"):
        same(f"index {name}", getattr(device, name), getattr(host, name), 0.0)
    same(f"views {assignment}", cm.project_views(device, centres, rotations, **options),
         cm.project_views(host, centres, rotations, **options))  # fmt: skip


def images():
    stack = RNG.normal(size=(3, 4, 31, 22)).astype(np.float32)
    for how in (dict(), dict(edge="crop")):
        same("beam", cm.convolve_beam(gpu(stack), [0.0, 1.0, 2.0, 3.0], **how),
             cm.convolve_beam(stack, [0.0, 1.0, 2.0, 3.0], **how))  # fmt: skip
    same("noise", cm.add_noise(gpu(stack), 1.0, seed=3), cm.add_noise(stack, 1.0, seed=3), 0.0)


def catalogues():
    sizes = RNG.integers(0, 60, 50)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    same("subsample", cm.draw_subsamples(gpu(offsets), fraction=0.6, n_draws=3, seed=5).indices,
         cm.draw_subsamples(offsets, fraction=0.6, n_draws=3, seed=5).indices, 0.0)  # fmt: skip
    for dims in (1, 2, 3):
        points = RNG.normal(size=(offsets[-1], dims))
        axes = [(-3, 3, 9 + 2 * k) for k in range(dims)]
        same(f"kde {dims}D", cm.estimate_density(gpu(points), gpu(offsets), axes=axes),
             cm.estimate_density(points, offsets, axes=axes), 1e-11)  # fmt: skip
        slopes = RNG.normal(size=(50, *[n for _, _, n in axes]))
        for normalise in ("sum", "density", "none"):
            how = dict(axes=axes, normalise=normalise)
            by = cm.differentiate_density(gpu(slopes), gpu(points), gpu(offsets), **how)
            want = cm.differentiate_density(slopes, points, offsets, **how)
            same(f"kde gradient {dims}D {normalise}", by.points, want.points, 1e-8)
            same(f"kde gradient {dims}D {normalise}, weights", by.weights, want.weights, 1e-8)


def lightcones():
    positions, velocities = RNG.uniform(0, BOX, (3000, 3)), RNG.normal(0, 300, (3000, 3))
    hosts, centres, lines = RNG.integers(-1, 9, 3000), RNG.uniform(0, BOX, (20, 3)), RNG.normal(size=(20, 3))
    common = dict(redshift=0.1, cosmology=Cosmology(h=0.7, omega_m=0.3), max_velocity=1500.0)
    for dtype in (np.float32, np.float64):
        p, v = positions.astype(dtype), velocities.astype(dtype)
        for box in (None, BOX):
            host = cm.build_galaxy_index(p, v, hosts=hosts, box_size=box)
            device = cm.build_galaxy_index(gpu(p), gpu(v), hosts=gpu(hosts), box_size=box)
            for name in ("records", "rows", "hosts", "coarse", "cell_start"):
                same(f"galaxy index {name}", getattr(device, name).to(torch.float64), getattr(host, name), 0.0)
            for how in (dict(aperture=2.0), dict(angle=0.004)):
                for relativistic in (True, False):
                    options = common | how | dict(relativistic=relativistic, targets=np.arange(20) % 9)
                    want = cm.select_lightcone(host, centres, 0 * centres, lines, **options)
                    found = cm.select_lightcone(device, centres, 0 * centres, lines, **options)
                    for name in ("offsets", "indices", "x", "y", "velocity", "distance", "is_member"):
                        same(f"light cone {name}", getattr(found, name), getattr(want, name), 0.0)


if __name__ == "__main__":
    lightcones()
    projections()
    images()
    catalogues()
    torch.cuda.synchronize()
    print("all small cases agree")
