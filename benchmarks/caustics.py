"""Row E3-caustic: masses from caustics, and the same technique written for one cluster at a time."""

from __future__ import annotations

import numpy as np

import clustermass as cm
from clustermass.cosmology import PLANCK_2018

from .arms import Arm, Row
from .plain_caustic import caustic

CLUSTERS, GALAXIES, PLAIN = 400, 100, 20
REDSHIFT = 0.1


def trumpets(n, n_galaxies=GALAXIES):
    """A sample of clusters whose velocities fall outwards, with a tenth of unrelated galaxies."""
    rng = np.random.default_rng(8)
    size = n * n_galaxies
    scale = np.repeat(rng.uniform(0.5, 1.2, n), n_galaxies)
    radius = rng.exponential(0.7, size) * scale
    velocity = rng.normal(0, 900, size) * scale / np.sqrt(1 + radius)
    field = rng.random(size) < 0.1
    radius = np.where(field, 4 * np.sqrt(rng.random(size)), radius)
    velocity = np.where(field, rng.uniform(-3500, 3500, size), velocity)
    return cm.ClusterSample(
        names=np.arange(n).astype(str), offsets=np.arange(n + 1) * n_galaxies, x=radius, y=np.zeros(size),
        velocity=velocity, redshift=np.full(n, REDSHIFT), cosmology=PLANCK_2018, max_radius=np.full(n, 6.0),
        max_velocity=np.full(n, 4000.0),
    )  # fmt: skip


def e3_caustic():
    sample, estimator = trumpets(CLUSTERS), cm.make_estimator("caustic")
    want = estimator.predict(sample).log10_mass

    def plain():
        return [
            caustic(sample.radius[a:b], sample.velocity[a:b], REDSHIFT, PLANCK_2018)[3]
            for a, b in zip(sample.offsets[:PLAIN], sample.offsets[1 : PLAIN + 1], strict=True)
        ]

    def same(masses):
        np.testing.assert_allclose(np.log10(masses), want[:PLAIN], atol=1e-9)

    def alike(found):
        np.testing.assert_array_equal(found.log10_mass, want)

    ours = [Arm("clustermass", lambda: estimator.predict(sample), CLUSTERS, check=alike)]
    peers = [Arm("NumPy, one cluster at a time", plain, PLAIN, check=same)]
    return Row("E3-caustic", f"caustic masses, {GALAXIES} galaxies a cluster", "clusters", ours, peers,
               bars={"NumPy, one cluster at a time": 10.0})  # fmt: skip
