"""Row M1: maps of clusters from a snapshot, four views and four channels each."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import clustermass as cm
from clustermass.data.mocks.gas import PaintedSnapshot
from clustermass.data.schema import PARTICLE_TYPES, SnapshotHeader
from clustermass.features.channels import channel_weights
from clustermass.features.maps import plan_maps

from .arms import Arm, Row, peer

CLUSTERS, GAS, STARS, BOX = 8, 25_000, 5_000, 120.0
FEW = 4  # views of the slowest peer
CHANNEL_NAMES = ("stars", "xray_soft", "xray_bolometric", "compton_y")
SUPPORT = 0.4  # of a kernel, over the distance from the centre


def snapshot():
    """Clusters with gas even in ln r and kernels that grow with r, as a cosmological run or a painted one has."""
    rng = np.random.default_rng(4)
    centres = rng.uniform(0, BOX, (CLUSTERS, 3))

    def ball(n):
        radius = np.exp(rng.uniform(np.log(0.01), np.log(4.0), (CLUSTERS, n)))
        direction = rng.normal(size=(CLUSTERS, n, 3))
        direction *= (radius / np.linalg.norm(direction, axis=2))[..., None]
        return (centres[:, None] + direction).reshape(-1, 3) % BOX, radius.reshape(-1)

    places, radius = ball(GAS)
    density = 1e13 * (1 + (radius / 0.15) ** 2) ** -1.0
    gas = {
        "positions": places,
        "masses": 4 * np.pi * radius**3 * density * np.log(400.0) / GAS,
        "density": density,
        "temperature": 5e7 * (1 + radius) ** -1.0,
        "electron_abundance": np.full(radius.size, 1.158),
        "smoothing_length": SUPPORT * radius,
    }
    stars = {"positions": ball(STARS)[0], "masses": np.full(CLUSTERS * STARS, 1e9)}
    header = SnapshotHeader(
        counts=(0,) * len(PARTICLE_TYPES), mass_table=(0.0,) * len(PARTICLE_TYPES), scale_factor=0.95, redshift=0.05,
        box_size=BOX, omega_m=0.307, omega_lambda=0.693, h=0.68, is_cosmological=True, is_periodic=True,
    )  # fmt: skip
    return PaintedSnapshot(header, {"gas": gas, "stars": stars}), cm.Targets(centres, np.arange(CLUSTERS))


def _peer(module, data, views, settings):
    """One cluster, view and channel after the other; weights are made before."""
    gas, stars = data.particles["gas"], data.particles["stars"]
    parts = [
        (stars["positions"], np.zeros(len(stars["masses"])), stars["masses"][:, None]),
        (gas["positions"], gas["smoothing_length"], channel_weights(gas, CHANNEL_NAMES[1:], data.header)),
    ]

    def run():
        images = []
        for centre, rotation, pixel in zip(views.centre, views.rotation, views.pixel_size, strict=True):
            side = settings.pixels * pixel
            for places, support, weights in parts:
                away = places - centre
                away -= BOX * np.round(away / BOX)
                turned = away @ rotation.T
                reach = 0.5 * side + support
                near = (np.abs(turned[:, :2]) < reach[:, None]).all(axis=1) & (np.abs(turned[:, 2]) < settings.depth)
                x, y = (turned[near, k] / side + 0.5 for k in (0, 1))
                h = np.float32(support[near] / (1.897367 * side))
                images += [
                    module.scatter(x, y, np.float32(w), h, settings.pixels) / settings.pixels**2
                    for w in (weights[near] / np.abs(weights).max(axis=0)).T
                ]
        return np.array(images).reshape(len(views), len(CHANNEL_NAMES), settings.pixels, settings.pixels)

    return run


def m1():
    """The whole way for us, from the fields of the snapshot to the file; the loop of the peer starts at weights."""
    data, targets = snapshot()
    settings = cm.MapSettings(CHANNEL_NAMES, redshift=0.05, depth=20.0, seed=2).ideal()
    job = plan_maps(data, targets, settings)
    out = Path(mkdtemp()) / "maps.h5"
    n_maps = len(job.views) * len(CHANNEL_NAMES)

    def run(n_threads):
        return cm.make_maps(data, targets, out, settings, n_threads=n_threads, overwrite=True).images

    want = run(1)
    sums = want.sum(axis=(2, 3), dtype=float)

    def like_ours(images):
        """Channel by channel in proportion to our maps, apart from the kernel."""
        got, ours = images.sum(axis=(2, 3)), sums[: len(images)]
        np.testing.assert_allclose(got[:, 1:] / got[0, 1:], ours[:, 1:] / ours[0, 1:], rtol=0.1)

    def same(images):
        np.testing.assert_array_equal(images, want)

    ours = [Arm("clustermass", lambda: run(1), n_maps, check=same),
            Arm("clustermass, 2 threads", lambda: run(2), n_maps, check=same)]  # fmt: skip
    few = job.views.part(0, FEW)
    others = [
        peer(
            f"swiftsimio {name}", f"swiftsimio.visualisation.projection_backends.{name}",
            lambda m, some=some: _peer(m, data, some, settings), items=len(some) * len(CHANNEL_NAMES), check=like_ours,
            note=f"Wendland C2, {kind}; one channel at a time, weights made before, no file",
        )
        for name, some, kind in (("fast", job.views, "mass not conserved"), ("subsampled", few, f"{FEW} of the views"))
    ]  # fmt: skip
    title = f"{CLUSTERS} clusters x {len(job.views) // CLUSTERS} views x {len(CHANNEL_NAMES)} channels, " \
            f"{CLUSTERS * (GAS + STARS):,} particles, 120 x 120, SPH"  # fmt: skip
    return Row("M1", title, "maps", ours, others, [], {"swiftsimio fast": 10.0, "swiftsimio subsampled": 10.0})
