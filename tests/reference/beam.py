"""What smoothing with a beam means, written to be read: float64, one dense matrix per axis, no speed."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np


def filter_matrix(n, sigma, truncate=4.0, margin=0):
    """Matrix that smooths n pixels (nothing outside them) and keeps those that are not in the margin."""
    reach = int(truncate * sigma + 0.5)
    weight = {k: exp(-0.5 * (k / sigma) ** 2) if k else 1.0 for k in range(-reach, reach + 1)}
    norm = sum(weight.values())
    matrix = np.zeros((n, n))
    for to in range(n):
        for k, w in weight.items():
            if 0 <= to + k < n:
                matrix[to, to + k] = w / norm
    return matrix[margin : n - margin]


def convolve_beam(images, fwhm, *, pixel_size=1.0, margin=0, truncate=4.0):
    """Images (n, rows, cols); margin > 0 cuts that border off."""
    sigma = fwhm / pixel_size / (2 * sqrt(2 * log(2)))
    down = filter_matrix(images.shape[1], sigma, truncate, margin)
    across = filter_matrix(images.shape[2], sigma, truncate, margin)
    return np.array([down @ image.astype(float) @ across.T for image in images]).reshape(
        len(images), len(down), len(across)
    )
