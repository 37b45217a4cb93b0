"""Kernels of divergences: Gaussian, symmetric, and made positive semi-definite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInputError

FloatArray = NDArray[np.float64]


def gaussian_kernel(forth: FloatArray, back: FloatArray, sigma: float) -> FloatArray:
    """exp(-D^2 / (2 sigma^2)) of divergences of rows from columns (n, m) and back (m, n), their mean."""
    kernel = np.exp(-0.5 * (forth / sigma) ** 2)
    kernel += np.exp(-0.5 * (back / sigma) ** 2).T
    kernel *= 0.5
    return kernel


def project(kernel: FloatArray) -> FloatArray:
    """The nearest positive semi-definite matrix: negative eigenvalues are set to 0. Cost: O(n^3)."""
    values, vectors = np.linalg.eigh(kernel)
    if values[0] >= 0:
        return kernel
    few = vectors[:, values < 0]
    return np.asarray(kernel - (few * values[values < 0]) @ few.T)


def fold_projection(kernel: FloatArray, weights: FloatArray) -> FloatArray:
    """Weights that give, with rows of a kernel as it is, what `weights` give with rows that were projected too.

    A new row k is replaced by k P, P the projector on eigenvectors of eigenvalues above zero (Chen et al. 2009, JMLR
    10, 747): training rows then become those of `project`. So k P w = k (P w).
    """
    values, vectors = np.linalg.eigh(kernel)
    few = vectors[:, values < 0]
    return np.asarray(weights - few @ (few.T @ weights))


def typical(divergences: FloatArray) -> float:
    """Median of the divergences above zero: the unit of sigma."""
    positive = divergences[divergences > 0]
    if positive.size == 0:
        raise BadInputError("clusters to fit must differ, got no divergence above zero")
    return float(np.median(positive))
