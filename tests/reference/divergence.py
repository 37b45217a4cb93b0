"""What a divergence of two samples means, written to be read: one pair at a time."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln


def distances(p, q):
    """Distance of every point of p from every point of q, not below a floor."""
    return np.maximum(np.linalg.norm(p[:, None, :] - q[None, :, :], axis=2), min(1e-2, 1e-100 ** (1 / p.shape[1])))


def neighbour_distances(p, q, k):
    """rho and nu: distances of the points of p to their k-th neighbour in p, themselves left out, and in q."""
    n = len(p)
    within = distances(p, p)[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    return np.sort(within, axis=1)[:, k - 1], np.sort(distances(p, q), axis=1)[:, k - 1]


def kullback_leibler(p, q, k):
    """Wang, Kulkarni & Verdu 2009, eq. 5, not below 0."""
    (n, d), m = p.shape, len(q)
    rho, nu = neighbour_distances(p, q, k)
    return max(0.0, d * np.mean(np.log(nu) - np.log(rho)) + np.log(m / (n - 1)))


def renyi(p, q, k, alpha):
    """Divergence of order alpha, not below 0 (Poczos, Xiong & Schneider 2011)."""
    (n, d), m = p.shape, len(q)
    rho, nu = neighbour_distances(p, q, k)
    bias = np.exp(2 * gammaln(k) - gammaln(k + 1 - alpha) - gammaln(k - 1 + alpha))
    mean = np.mean((rho / nu) ** (d * (1 - alpha))) * ((n - 1) / m) ** (1 - alpha) * bias
    return max(0.0, np.log(mean) / (alpha - 1))


def divergences(rows, columns, k, alpha=None):
    """All pairs of two lists of samples."""
    one = kullback_leibler if alpha is None else renyi
    more = () if alpha is None else (alpha,)
    return np.array([[one(np.asarray(p, float), np.asarray(q, float), k, *more) for q in columns] for p in rows])
