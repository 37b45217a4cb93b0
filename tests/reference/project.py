"""What projecting particles on a grid means, written to be read: float64, one particle at a time, no speed.

Positions are in pixels: pixel (j, k) covers [j, j + 1) x [k, k + 1). Every scheme gives each particle's mass to pixels
with shares that sum to 1 over the whole plane; what falls outside the image is lost.
"""

import numpy as np

# Projected kernels: t^4 Q(2 t - 1), t = 1 - (b / support)^2; see cpp/include/clustermass/math/sph_kernel.hpp.
KERNELS = {
    "cubic_spline": ([0.654482451, 0.035661101, 0.0880334, 0.142398234, 1.014168011, -1.639564881, 0.704598083], 0.075),
    "wendland_c2": ([0.377452081, 0.394094525, -0.273254243, 0.280979486, 1.76396999, -3.1199491, 1.576169205], 1 / 15),
}


def kernel_value(kernel, u):
    """Unnormalised projected kernel at squared distance `u` in units of the support radius."""
    t = np.maximum(1 - np.asarray(u, float), 0)
    return t**4 * np.polynomial.polynomial.polyval(2 * t - 1, KERNELS[kernel][0])


def axis_shares(x, n, assignment):
    """Share of a particle at `x` in each of the pixels -3 .. n + 2 of one axis."""
    pixel = np.arange(-3, n + 3)
    d = np.abs(x - (pixel + 0.5))  # distance from the pixel's centre
    if assignment == "ngp":
        return (pixel == np.floor(x)).astype(float)
    if assignment == "cic":
        return np.maximum(1 - d, 0)
    return np.where(d < 0.5, 0.75 - d**2, np.where(d < 1.5, 0.5 * (1.5 - d) ** 2, 0))


def sph_shares(row, col, support, shape, kernel):
    """Shares of one particle: samples at the centres of split x split parts of each pixel, summed per pixel."""
    image = np.zeros(shape)
    if support < 1 / 16:  # a point
        j, k = int(np.floor(row)), int(np.floor(col))
        if 0 <= j < shape[0] and 0 <= k < shape[1]:
            image[j, k] = 1
        return image
    split = 1 if support >= 1 else int(np.ceil(1 / support))
    # The support whose kernel has the second moment of the kernel averaged over one part of a pixel.
    broad = np.sqrt((support * split) ** 2 + 1 / (12 * KERNELS[kernel][1]))

    def parts(x):
        return np.arange(np.ceil(x * split - broad - 0.5), np.floor(x * split + broad - 0.5) + 1)

    rows, cols = parts(row), parts(col)
    u = ((rows[:, None] + 0.5 - row * split) ** 2 + (cols[None] + 0.5 - col * split) ** 2) / broad**2
    value = kernel_value(kernel, u)
    value /= value.sum()
    j, k = np.floor(rows / split).astype(int), np.floor(cols / split).astype(int)
    inside = np.ix_((j >= 0) & (j < shape[0]), (k >= 0) & (k < shape[1]))
    np.add.at(
        image,
        (np.broadcast_to(j[:, None], value.shape)[inside], np.broadcast_to(k, value.shape)[inside]),
        value[inside],
    )
    return image


def project(positions, weights, shape, *, assignment, kernel="cubic_spline", smoothing_length=None):
    """Image (channel, row, column) of particles whose positions and smoothing lengths are in pixels."""
    positions, weights = np.asarray(positions, float), np.asarray(weights, float)
    image = np.zeros((weights.shape[1], *shape))
    for i, (row, col) in enumerate(positions[:, :2]):
        if assignment == "sph":
            shares = sph_shares(row, col, float(smoothing_length[i]), shape, kernel)
        else:
            in_rows, in_cols = (axis_shares(x, n, assignment)[3:-3] for x, n in ((row, shape[0]), (col, shape[1])))
            shares = np.outer(in_rows, in_cols)
        image += weights[i][:, None, None] * shares
    return image
