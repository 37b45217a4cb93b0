"""Samples of clusters with planted masses, for tests of the classical estimators."""

from __future__ import annotations

import numpy as np

from clustermass.cosmology import Cosmology
from clustermass.data.cluster_sample import ClusterSample

MDPL2 = Cosmology(h=0.6777, omega_m=0.307115)


def sample(velocity, sizes, *, x=None, y=None, cosmology=MDPL2, redshift=0.117, **more):
    """Clusters of these sizes from flat velocities; all else is what a test does not care about."""
    n, total = len(sizes), int(np.sum(sizes))
    return ClusterSample(
        names=np.arange(n).astype(str), offsets=np.cumsum([0, *sizes]), x=np.zeros(total) if x is None else x,
        y=np.zeros(total) if y is None else y, velocity=velocity, redshift=np.broadcast_to(redshift, (n,)),
        cosmology=cosmology, max_radius=np.full(n, 2.3), max_velocity=np.full(n, 2200.0), **more,
    )  # fmt: skip


def on_a_relation(rng, n, members, coef, intercept, scatter, low=13.7, high=15.2):
    """Clusters of flat log10 M200c [Msun] on log10 sigma = intercept + coef log10(M / 1e15 Msun/h), with scatter."""
    mass = rng.uniform(low, high, n)
    sigma = intercept + coef * (mass + np.log10(MDPL2.h) - 15) + rng.normal(0, scatter, n)
    sizes = np.broadcast_to(members, (n,))
    velocity = rng.normal(0, 1, sizes.sum()) * np.repeat(10**sigma, sizes)
    return sample(velocity, sizes, log10_m200c=mass)
