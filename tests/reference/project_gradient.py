"""What the gradient of a projection means, written to be read: float64, dense shares of one particle at a time.

Positions are in pixels, as in tests/reference/project.py. `gradient` is G (channel, row, column); the number that is
differentiated is sum(G * image).
"""

import numpy as np

from tests.reference.project import KERNELS, axis_shares, sph_shares


def axis_slopes(x, n, assignment):
    """Derivative by x of the share of each of the n pixels of one axis: of 1 - |d| and of the parabolas of TSC."""
    d = x - (np.arange(n) + 0.5)
    if assignment == "ngp":
        return np.zeros(n)
    if assignment == "cic":
        return np.where((d >= -1) & (d < 0), 1.0, np.where((d >= 0) & (d < 1), -1.0, 0.0))
    return np.where(np.abs(d) <= 0.5, -2 * d, np.where(np.abs(d) < 1.5, -np.sign(d) * (1.5 - np.abs(d)), 0.0))


def kernel_slope(kernel, u):
    """Derivative of `kernel_value` by the squared distance u."""
    t = np.maximum(1 - np.asarray(u, float), 0)
    q = np.polynomial.Polynomial(KERNELS[kernel][0])
    return -(4 * t**3 * q(2 * t - 1) + t**4 * 2 * q.deriv()(2 * t - 1))


def sph_slopes(row, col, support, shape, kernel):
    """Derivatives of what `sph_shares` gives by row and column, (2, rows, columns): quotient rule on the samples."""
    slopes = np.zeros((2, *shape))
    if support < 1 / 16:  # a point
        return slopes
    split = 1 if support >= 1 else int(np.ceil(1 / support))
    broad = np.sqrt((support * split) ** 2 + 1 / (12 * KERNELS[kernel][1]))

    def parts(x):
        return np.arange(np.ceil(x * split - broad - 0.5), np.floor(x * split + broad - 0.5) + 1)

    rows, cols = parts(row), parts(col)
    y, x = np.meshgrid(rows + 0.5 - row * split, cols + 0.5 - col * split, indexing="ij")
    u = (y**2 + x**2) / broad**2
    t = np.maximum(1 - u, 0)
    value = t**4 * np.polynomial.polynomial.polyval(2 * t - 1, KERNELS[kernel][0])
    total = value.sum()
    j, k = (a.astype(int) for a in np.meshgrid(np.floor(rows / split), np.floor(cols / split), indexing="ij"))
    inside = (j >= 0) & (j < shape[0]) & (k >= 0) & (k < shape[1])
    for axis, offset in enumerate((y, x)):
        slope = kernel_slope(kernel, u) * (-2 * offset * split / broad**2)  # d u / d row = -2 y split / broad^2
        share = slope / total - value * slope.sum() / total**2
        np.add.at(slopes[axis], (j[inside], k[inside]), share[inside])
    return slopes


def project_gradient(gradient, positions, weights, *, assignment, kernel="cubic_spline", smoothing_length=None):
    """(by positions (n, dims), by weights (n, channels)) of sum(gradient * project(...)), positions in pixels."""
    gradient, positions, weights = (np.asarray(a, float) for a in (gradient, positions, weights))
    shape = gradient.shape[1:]
    by_positions, by_weights = np.zeros(positions.shape), np.zeros(weights.shape)
    for i, (row, col) in enumerate(positions[:, :2]):
        if assignment == "sph":
            support = float(smoothing_length[i])
            shares = sph_shares(row, col, support, shape, kernel)
            slopes = sph_slopes(row, col, support, shape, kernel)
        else:
            in_rows, in_cols = (axis_shares(x, n, assignment)[3:-3] for x, n in ((row, shape[0]), (col, shape[1])))
            d_rows, d_cols = (axis_slopes(x, n, assignment) for x, n in ((row, shape[0]), (col, shape[1])))
            shares, slopes = np.outer(in_rows, in_cols), [np.outer(d_rows, in_cols), np.outer(in_rows, d_cols)]
        by_weights[i] = (gradient * shares).sum(axis=(1, 2))
        for axis in range(2):
            by_positions[i, axis] = weights[i] @ (gradient * slopes[axis]).sum(axis=(1, 2))
    return by_positions, by_weights
