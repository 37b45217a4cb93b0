"""How long a planned job will take, to a factor of a few, from a look at a small part of the snapshot."""

from __future__ import annotations

import numpy as np

from .levels import kernel_levels
from .maps import MapJob

# measured on one common core; the estimate is printed as rough
_PER_PARTICLE = 7e-7  #: s to read a particle, compute its weights and index it
_PER_UPDATE = 4e-9  #: s to add a particle to the channels of one pixel
_PER_PIXEL = 4e-8  #: s for noise, beam and writing of one pixel of one channel

_CROWDING = 10.0  #: matter on the line of sight to a cluster against the mean of the box
_SAMPLE_BYTES = 16 * 2**20


def estimate_seconds(job: MapJob, n_threads: int = 1) -> float:
    """Rough time for all images of a job [s].

    Counts the pixels that particles touch: a particle of support h lies within reach of a view with the chance that a
    column of the image's width plus 2 h takes of the box. Reads smoothing lengths of at most 16 MiB.

    Parameters
    ----------
    job : MapJob
        From `plan_maps`.
    n_threads : int
        Threads of the projection.
    """
    source = job.source
    passes = 1 if source.fits else len(job.batches)
    updates = sum(_updates_per_view(job, ptype) for ptype in source.ptypes) * len(job.views)
    pixels = float(np.prod(job.shape))
    work = updates * _PER_UPDATE + pixels * _PER_PIXEL
    return source.n_particles * passes * _PER_PARTICLE + work / n_threads


def _updates_per_view(job: MapJob, ptype: str) -> float:
    """Expected number of (particle, pixel) pairs of one view."""
    snapshot, projection = job.source.snapshot, job.projection
    pixel = float(job.views.pixel_size.mean())
    width = projection.shape[0] * pixel
    support = np.full(1, pixel)
    if projection.assignment[ptype] == "sph":
        support = np.asarray(
            next(snapshot.iter_chunks(ptype, ["smoothing_length"], byte_budget=_SAMPLE_BYTES))["smoothing_length"]
        )
    level = kernel_levels(support, job.source.widest_pixel, job.source.n_levels)
    images = np.array(projection.sides, float)[level] ** 2
    covered = np.clip(np.pi * (support / (pixel * 2.0**level)) ** 2, 4.0, images)
    box = snapshot.header.periodic_box
    chance = np.ones(1)
    if box:
        volume = (width + 2.0 * support) ** 2 * (2.0 * projection.depth + 2.0 * support)
        chance = np.minimum(1.0, np.where(support > width, 1.0, _CROWDING) * volume / float(box) ** 3)
    return float((covered * chance).mean()) * float(snapshot.count(ptype))
