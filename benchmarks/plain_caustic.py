"""The caustic technique as one writes it for a single cluster: the other code of row E3, and the definition that tests
of `caustic_profiles` compare with."""

from __future__ import annotations

import numpy as np
from astropy.stats import biweight_scale

NEWTON = 4.300917270e-9  # Mpc (km/s)^2 / Msun


def shifting_gapper(radius, velocity):
    """Mask of what is kept in bins of 25 by radius."""
    keep = np.zeros(radius.size, bool)
    order = np.lexsort((velocity, radius))
    for first in range(0, order.size, 25):
        kept = sorted(order[first : first + 25], key=lambda i: velocity[i])
        while len(kept) > 5:
            v = velocity[kept]
            quarter = int(np.ceil(v.size / 4))
            gap = (v[v.size - quarter] - v[quarter]) / 1.349
            if gap < 500:
                break
            below, above = np.flatnonzero(v <= 0), np.flatnonzero(v > 0)
            low = max((i for i in below[1:] if v[i] - v[i - 1] >= gap), default=0)
            high = min((i for i in above[:-1] if v[i + 1] - v[i] >= gap), default=v.size - 1)
            if (low, high) == (0, v.size - 1):
                break
            kept = kept[low : high + 1]
            if len(kept) < 5:
                break
        keep[kept] = True
    return keep


def crossing(f, threshold):
    """Where densities, linear between nodes, fall to a threshold first, and their integral up to there; one row a
    radius."""
    rows, size = np.arange(len(f)), f.shape[1]
    above = f >= threshold
    nodes = np.where(above.all(axis=1), size, np.argmin(above, axis=1))
    inner, outer = np.maximum(nodes - 1, 0), np.minimum(nodes, size - 1)
    crosses = (nodes > 0) & (nodes < size)
    drop = np.where(crosses, f[rows, inner] - f[rows, outer], 1.0)
    share = np.where(crosses, (f[rows, inner] - threshold) / drop, 0.0)
    total = np.concatenate([np.zeros((len(f), 1)), np.cumsum(0.5 * (f[:, 1:] + f[:, :-1]), axis=1)], axis=1)
    phi = np.where(nodes > 0, total[rows, inner] + share * 0.5 * (f[rows, inner] + threshold), 0.0)
    return inner + share, phi


def caustic(radius, velocity, redshift, cosmology, *, max_radius=4.0, max_velocity=3500.0, q=10.0, f_beta=0.65):
    """Amplitude [km/s] and mass [Msun] at radii in steps of 0.05 Mpc, and r200c and M200c, all comoving."""
    h, a = cosmology.h, 1 / (1 + redshift)
    hubble = 100 * h * float(cosmology.expansion(redshift))
    inside = (radius < max_radius) & (np.abs(velocity) < max_velocity)
    radius, velocity = radius[inside], velocity[inside]
    kept = shifting_gapper(radius, velocity)
    radius, velocity = radius[kept], velocity[kept]
    guess = min((0.002 * biweight_scale(velocity[radius < 3 / h / a]) + 0.4) / 1.7, 3.0) / h / a
    within = radius < guess
    nodes = np.arange(int(max_radius / 0.05 + 1.5)) * 0.05
    if within.sum() < 5 or (sigma := biweight_scale(velocity[within])) == 0:
        return np.full(nodes.size, np.nan), np.full(nodes.size, np.nan), np.nan, np.nan

    cell = 0.05 * q * hubble * a
    speeds = np.arange(int(5000 / (0.05 * q * 100 * h)) + 2)
    spread = 0.5 * (np.var(radius[within] / 0.05) + (sigma / cell) ** 2)
    width = (4 / (3 * radius.size)) ** 0.2 * np.sqrt(spread)

    def kernel(at, points):
        away = (at[:, None] - points) / width, (at[:, None] + points) / width
        return np.exp(-0.5 * away[0] ** 2) + np.exp(-0.5 * away[1] ** 2)

    f = kernel(nodes / 0.05, radius / 0.05) @ kernel(speeds, np.abs(velocity) / cell).T
    thresholds = f.max() * np.logspace(0, -4, 200)
    inner = f[: max(int(guess / 0.05) + 1, 2)]
    misses = []
    for threshold in thresholds:
        amplitude, phi = crossing(inner, threshold)
        square = (amplitude**2 * phi).sum() / phi.sum() if phi.sum() > 0 else np.inf
        misses.append(abs(square - 4 * (sigma / cell) ** 2))
    amplitude = crossing(f, thresholds[np.argmin(misses)])[0] * cell
    for i in range(2, nodes.size):
        if amplitude[i - 1] > 0:
            amplitude[i] = min(amplitude[i], amplitude[i - 1] * (nodes[i] / nodes[i - 1]) ** 2)

    g = f_beta * amplitude**2 / NEWTON
    mass = np.concatenate([[0], np.cumsum(0.5 * (g[1:] + g[:-1]) * 0.05 * a)])
    sphere = 200 * 3 * hubble**2 / (8 * np.pi * NEWTON) * a**3 * 4 * np.pi / 3
    with np.errstate(divide="ignore"):
        contrast = np.log(mass[1:] / nodes[1:] ** 3 / sphere)
    for i in range(contrast.size - 1):
        if contrast[i] >= 0 > contrast[i + 1]:
            share = contrast[i] / (contrast[i] - contrast[i + 1])
            r200c = nodes[i + 1] * (nodes[i + 2] / nodes[i + 1]) ** share
            return amplitude, mass, r200c, sphere * r200c**3
    return amplitude, mass, np.nan, np.nan
