"""What location and scale of velocities and the shifting gapper mean, written to be read: one cluster at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

MAX_ITERATIONS = 5


def std(v):
    return v.mean(), v.std(ddof=1)


def gapper(v):
    """Wainer & Thissen 1976, as in Beers et al. 1990."""
    n, gaps = v.size, np.diff(np.sort(v))
    i = np.arange(1, n)
    return np.median(v), np.sqrt(np.pi) / (n * (n - 1)) * (i * (n - i) * gaps).sum()


def biweight(v):
    """Location with tuning constant 6 and scale with 9 (Beers et al. 1990), as astropy.stats has them."""
    median = np.median(v)
    d = v - median
    mad = np.median(np.abs(d))
    if mad == 0:
        return median, 0.0
    u = d / (6 * mad)
    weight = np.where(np.abs(u) < 1, (1 - u**2) ** 2, 0)
    u = d / (9 * mad)
    near = np.abs(u) < 1
    squares = (d**2 * (1 - u**2) ** 4)[near].sum()
    slopes = ((1 - u**2) * (1 - 5 * u**2))[near].sum()
    return median + (weight * d).sum() / weight.sum(), np.sqrt(v.size * squares) / abs(slopes)


METHODS = {"std": std, "gapper": gapper, "biweight": biweight}


def one_cluster(v, method, clip, error):
    """sigma, location, number used."""
    v, used = np.asarray(v, float), np.ones(len(v), bool)
    if v.size < 2:
        return np.nan, np.nan, v.size
    location, sigma = METHODS[method](v)
    for _ in range(MAX_ITERATIONS if clip else 0):
        stay = used & (np.abs(v - location) <= clip * sigma)
        if stay.sum() == used.sum():
            break
        used = stay
        if used.sum() < 2:
            return np.nan, np.nan, used.sum()
        location, sigma = METHODS[method](v[used])
    if error is not None:
        sigma = np.sqrt(max(sigma**2 - (np.asarray(error, float)[used] ** 2).mean(), 0.0))
    return sigma, location, used.sum()


def velocity_dispersions(velocity, offsets, method="std", clip=None, error=None):
    """(sigma, location, n_used), each of shape (clusters,)."""
    rows = [
        one_cluster(velocity[a:b], method, clip, None if error is None else error[a:b]) for a, b in pairwise(offsets)
    ]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def without_gaps(v, min_members, min_gap):
    """Which of the galaxies of a bin stay."""
    kept = np.ones(v.size, bool)
    while v.size > min_members:
        now = np.sort(v[kept])
        quarter = int(np.ceil(now.size / 4))
        gap = (now[now.size - quarter] - now[quarter]) / 1.349
        if gap < min_gap:
            break
        below, above = now[now <= 0][::-1], now[now > 0]  # outwards from the velocity of the cluster
        low = next((b for a, b in pairwise(below) if a - b >= gap), -np.inf)
        high = next((b for a, b in pairwise(above) if b - a >= gap), np.inf)
        before = kept.sum()
        kept &= (v > low) & (v < high)
        if kept.sum() in (before, *range(min_members)):
            break
    return kept


def shifting_gapper(radius, velocity, offsets, per_bin=25, min_members=5, min_gap=500.0):
    keep = np.ones(len(velocity), bool)
    for first, last in pairwise(offsets):
        order = first + np.argsort(radius[first:last], kind="stable")
        for start in range(0, order.size, per_bin):
            rows = order[start : start + per_bin]
            keep[rows] = without_gaps(np.asarray(velocity[rows], float), min_members, min_gap)
    return keep
