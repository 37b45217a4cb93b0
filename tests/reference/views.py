"""What a view means: every periodic image of every particle, one view at a time."""

import itertools

import numpy as np

from tests.reference import project as reference


def project_views(positions, weights, centres, rotations, *, pixel_size, shape, depth, box_size=None,
                  assignment="ngp", kernel="cubic_spline", smoothing_length=None, n_images=2):  # fmt: skip
    """Images (view, channel, row, column)."""
    positions, weights = np.asarray(positions, float), np.asarray(weights, float)
    shifts = [(0, 0, 0)]
    if box_size is not None:
        positions = positions % box_size
        shifts = list(itertools.product(range(-n_images, n_images + 1), repeat=3))
    result = []
    for centre, rotation, size in zip(centres, rotations, np.broadcast_to(pixel_size, len(centres)), strict=True):
        image = np.zeros((weights.shape[1], *shape))
        for shift in shifts:
            moved = positions - centre + (0 if box_size is None else box_size * np.array(shift))
            p = moved @ np.asarray(rotation).T
            inside = (p[:, 2] >= -depth) & (p[:, 2] < depth)
            pixels = p[inside, :2] / size + 0.5 * np.array(shape)
            h = None if smoothing_length is None else np.asarray(smoothing_length, float)[inside] / size
            image += reference.project(pixels, weights[inside], shape, assignment=assignment, kernel=kernel,
                                       smoothing_length=h)  # fmt: skip
        result.append(image)
    return np.array(result)
