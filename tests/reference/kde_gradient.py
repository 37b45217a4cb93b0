"""What the gradient of a density estimate means, written to be read: float64, dense, from one cluster's terms.

The chain of definitions is that of tests/reference/kde.py: points -> covariance S -> kernel C = h^2 S -> raw grid f ->
normalised grid F. It is gone through backwards; `by_` names the derivative of the number sum(G * F).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.reference.kde import broadened, data_covariance, factor, positions, steps


def one_cluster(gradient, points, weights, axes, bandwidth, at, normalise, covariance=None):
    """(by points (n, d), by weights (n,))."""
    points, weights, gradient = (np.asarray(a, float) for a in (points, weights, gradient))
    n, d = points.shape
    if not weights.any():
        return np.zeros((n, d)), np.zeros(n)
    total, squares = weights.sum(), (weights**2).sum()
    data = data_covariance(points, weights)
    h = None if covariance is not None else factor(bandwidth, total**2 / squares, d)
    kernel = covariance if covariance is not None else broadened(data * h**2, steps(axes, at))
    precision = np.linalg.inv(kernel)

    # e[n, X] and the raw grid; a factor common to all e does not matter where the grid is divided by its sum
    mesh = np.stack(np.meshgrid(*(positions(*axis, at) for axis in axes), indexing="ij"), axis=-1).reshape(-1, d)
    away = mesh[None] - points[:, None]
    exponent = 0.5 * np.einsum("nxa,ab,nxb->nx", away, precision, away)
    e = np.exp(-(exponent - (exponent[weights > 0].min() if normalise == "sum" else 0.0)))
    raw, g = weights @ e, gradient.ravel()

    by_total = by_volume = 0.0
    if normalise == "sum":
        by_raw = (g - g @ raw / raw.sum()) / raw.sum()
    elif normalise == "density":
        scale = 1 / (total * np.sqrt(np.linalg.det(2 * np.pi * kernel)))
        by_raw, by_volume = g * scale, g @ raw * scale  # the latter by log(volume), with a minus
        by_total = -by_volume / total
    else:
        by_raw = g

    by_weights = e @ by_raw + by_total
    by_points = weights[:, None] * np.einsum("x,nx,ab,nxb->na", by_raw, e, precision, away)
    if covariance is not None or not data.any():
        return by_points, by_weights

    by_precision = -0.5 * np.einsum("n,x,nx,nxa,nxb->ab", weights, by_raw, e, away, away)
    by_kernel = -precision @ by_precision @ precision - 0.5 * by_volume * precision
    by_data = h**2 * by_kernel
    if isinstance(bandwidth, str):  # log h = -log(total^2 / squares) / (d + 4) + constant
        by_log_h = 2 * (by_kernel * data * h**2).sum()
        by_weights += by_log_h * -1 / (d + 4) * (2 / total - 2 * weights / squares)
    freedom = total - squares / total
    from_mean = points - weights @ points / total
    by_points += 2 * weights[:, None] / freedom * from_mean @ by_data
    by_weights += np.einsum("na,ab,nb->n", from_mean, by_data, from_mean) / freedom
    by_weights -= (by_data * data).sum() / freedom * (1 - 2 * weights / total + squares / total**2)
    return by_points, by_weights


def differentiate_density(gradient, points, offsets, axes, bandwidth=0.25, at="centres", normalise="sum", weights=None,
                          covariance=None):  # fmt: skip
    """Results of all clusters."""
    weights = np.ones(len(points)) if weights is None else weights
    parts = []
    for i, (first, last) in enumerate(pairwise(offsets)):
        kernel = covariance if covariance is None or np.ndim(covariance) == 2 else covariance[i]
        parts.append(
            one_cluster(gradient[i], points[first:last], weights[first:last], axes, bandwidth, at, normalise, kernel)
        )
    return np.concatenate([p for p, _ in parts]), np.concatenate([w for _, w in parts])
