"""Row E2: velocity dispersions of many clusters of 10 to 764 galaxies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import clustermass as cm

from . import cases, floor
from .arms import Arm, Row, peer

FEW = 1000  # clusters of the peers that go one by one


def _velocities():
    offsets = cases.cluster_offsets()
    rng = np.random.default_rng(9)
    sigma = np.repeat(rng.uniform(300, 1200, cases.CLUSTERS), np.diff(offsets))
    return np.float32(rng.normal(0, sigma)), offsets


def _numpy_gapper(v):
    n, i = v.size, np.arange(1, v.size)
    return np.sqrt(np.pi) / (n * (n - 1)) * (i * (n - i) * np.diff(np.sort(v))).sum()


def _row(name, method, other, peer_of, bar):
    """`peer_of(module)` gives what the other code does with the velocities of one cluster."""
    velocity, offsets = _velocities()
    parts = [velocity[a:b].astype(float) for a, b in pairwise(offsets[: FEW + 1])]

    def run(n_threads):
        return cm.velocity_dispersions(velocity, offsets, method=method, n_threads=n_threads).sigma

    want = run(1)[:FEW]

    def same(got):
        np.testing.assert_allclose(got, want, rtol=1e-9)

    ours = [Arm("clustermass", lambda: run(1), cases.CLUSTERS),
            Arm("clustermass, 2 threads", lambda: run(2), cases.CLUSTERS)]  # fmt: skip

    def all_parts(module):
        one = peer_of(module)
        return lambda: [one(v) for v in parts]

    module = "astropy.stats" if other.startswith("astropy") else "numpy"
    others = [peer(other, module, all_parts, items=FEW, note="one cluster at a time", check=same)]
    floors = [Arm("read velocities once", lambda: floor.call("read_floats", velocity, velocity.size))]
    title = f"velocity dispersions ({method}), {cases.CLUSTERS:,} clusters, {velocity.size / 1e6:.1f} million galaxies"
    return Row(name, title, "clusters", ours, others, floors if floor.library() else [], {other: bar})


def e2():
    return _row("E2", "biweight", "astropy biweight_scale", lambda m: m.biweight_scale, 20.0)


def e2_gapper():
    return _row("E2-gapper", "gapper", "numpy", lambda m: _numpy_gapper, 3.0)


def e2_std():
    return _row("E2-std", "std", "numpy", lambda m: lambda v: m.std(v, ddof=1), 20.0)
