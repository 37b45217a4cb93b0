"""What a density estimate means, written to be read: float64, every term, no speed."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np


def positions(low, high, n, at):
    """Where along an axis the density is wanted."""
    if at == "nodes":
        return np.linspace(low, high, n)
    return low + (np.arange(n) + 0.5) * (high - low) / n


def steps(axes, at):
    return np.array([(high - low) / (n if at == "centres" else max(n - 1, 1)) for low, high, n in axes])


def data_covariance(points, weights):
    """Unbiased; 0 where a single point has all the weight."""
    share = weights / weights.sum()
    freedom = 1.0 - (share**2).sum()
    away = points - points[weights > 0][0]  # of identical points exactly 0
    away = away - share @ away
    if freedom < 1e-14:
        return np.zeros((points.shape[1],) * 2)
    return (share[:, None] * away).T @ away / freedom


def factor(bandwidth, effective_n, d):
    if bandwidth == "scott":
        return effective_n ** (-1 / (d + 4))
    if bandwidth == "silverman":
        return (effective_n * (d + 2) / 4) ** (-1 / (d + 4))
    return bandwidth


def broadened(covariance, step):
    """The covariance of the kernel; half a cell more along every axis where it has no width in some direction."""
    in_cells = covariance / np.outer(step, step)
    sigma = np.sqrt(np.diagonal(in_cells))
    degenerate = (sigma < 1e-6).any()
    if not degenerate:
        correlation = in_cells / np.outer(sigma, sigma)
        left = [np.linalg.det(correlation[:k, :k]) for k in range(len(step) + 1)]  # ratios are the pivots
        degenerate = any(b < 1e-12 * a for a, b in pairwise(left))
    return covariance + np.diag((0.5 * step) ** 2) if degenerate else covariance


def density(points, weights, axes, bandwidth, at, normalise, covariance=None):
    """Grid of one cluster."""
    points, weights = np.asarray(points, float), np.asarray(weights, float)
    d, shape = points.shape[1], tuple(n for _, _, n in axes)
    if not weights.any():
        return np.zeros(shape)
    if covariance is None:
        h = factor(bandwidth, weights.sum() ** 2 / (weights**2).sum(), d)
        covariance = broadened(data_covariance(points, weights) * h**2, steps(axes, at))
    sigma = np.sqrt(np.diagonal(covariance))  # so that units of any size can be inverted
    correlation = covariance / np.outer(sigma, sigma)
    inverse = np.linalg.inv(correlation)
    mesh = np.stack(np.meshgrid(*(positions(*axis, at) for axis in axes), indexing="ij"), axis=-1)
    grid = np.zeros(shape)
    for x, w in zip(points, weights, strict=True):
        away = (mesh - x) / sigma
        grid += w * np.exp(-0.5 * np.einsum("...a,ab,...b", away, inverse, away))
    if normalise == "density":
        width = sqrt(np.linalg.det(2 * np.pi * correlation)) * sigma.prod()
        return grid / (weights.sum() * width)
    if normalise == "sum":
        return grid / grid.sum() if grid.sum() > 0 else grid
    return grid


def estimate_density(points, offsets, axes, bandwidth=0.25, at="centres", normalise="sum", weights=None,
                     covariance=None):  # fmt: skip
    """Grids of all clusters."""
    weights = np.ones(len(points)) if weights is None else weights
    grids = []
    for i, (first, last) in enumerate(pairwise(offsets)):
        kernel = covariance if covariance is None or np.ndim(covariance) == 2 else covariance[i]
        grids.append(density(points[first:last], weights[first:last], axes, bandwidth, at, normalise, kernel))
    return np.stack(grids)
