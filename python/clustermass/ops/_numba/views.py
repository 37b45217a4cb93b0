"""Numba twin of ``cpp/include/clustermass/ops/views.hpp``: same names, same arguments. Serial, like all twins."""

from __future__ import annotations

from math import floor

import numpy as np

from ._jit import njit
from .project import MAX_SUMMED_SUPPORT, SPH, deposit

APRON = 2.0  # pixels: what a grid scheme or the broadening of a kernel can reach beyond the particle's own size


@njit()
def _cell(x, origin, size, n):
    return min(max(int(floor((x - origin) / size)), 0), n - 1)


@njit()
def _sort(positions, n_cells, origin, cell_size, box, stored, cell_start, order):
    """Wrapped positions, first particle of each cell and the particles in cell order (counting sort, stable)."""
    n = positions.shape[0]
    cell = np.empty(n, np.int64)
    for i in range(n):
        here = 0
        for a in range(3):
            stored[i, a] = positions[i, a]
            if box > 0:
                x = np.float64(positions[i, a])
                stored[i, a] = x - box * floor(x / box)
                if not (stored[i, a] >= 0 and np.float64(stored[i, a]) < box):
                    stored[i, a] = 0
            here = here * n_cells[a] + _cell(np.float64(stored[i, a]), origin[a], cell_size[a], n_cells[a])
        cell[i] = here
        cell_start[here + 1] += 1
    for k in range(cell_start.size - 1):
        cell_start[k + 1] += cell_start[k]
    place = cell_start[:-1].copy()
    for i in range(n):
        order[place[cell[i]]] = i
        place[cell[i]] += 1


def index_f64(positions, weights, smoothing_length, out, *, n_cells, origin, cell_size, is_periodic, n_threads):
    """Fill `out` with the sorted particles; False where an input is not valid, as the native kernel."""
    del n_threads
    valid = np.isfinite(positions).all() and np.isfinite(weights).all()
    if not (valid and np.isfinite(smoothing_length).all() and (smoothing_length >= 0).all()):
        return False
    stored, order = np.empty_like(positions), np.empty(len(positions), np.int64)
    out["cell_start"][...] = 0
    box = cell_size[0] * n_cells[0] if is_periodic else 0.0
    _sort(positions, n_cells, origin, cell_size, box, stored, out["cell_start"], order)
    for a, name in enumerate("xyz"):
        out[name][...] = stored[order, a]
    out["weights"][...] = weights[order]
    if smoothing_length.size:
        out["smoothing_length"][...] = smoothing_length[order]
    return True


@njit()
def _layer_ranges(layer, main, centre, rotation, half, origin, cell_size, n_cells, periodic, ranges):
    """Cells of each axis that the view's box can touch in one layer of cells; False if none.

    `half`: half widths along the first two axes of the view, and the nearest and the farthest depth.
    """
    sight = rotation[2]
    thick = np.abs(rotation[0]) * half[0] + np.abs(rotation[1]) * half[1]
    low = origin[main] + layer * cell_size[main] - centre[main]
    s0 = (low - thick[main]) / sight[main]
    s1 = (low + cell_size[main] + thick[main]) / sight[main]
    start, stop = max(min(s0, s1), half[2]), min(max(s0, s1), half[3])
    if start > stop:
        return False
    for a in range(3):
        p, q = start * sight[a], stop * sight[a]
        ranges[a, 0] = floor((centre[a] + min(p, q) - thick[a] - origin[a]) / cell_size[a] - 1e-9)
        ranges[a, 1] = floor((centre[a] + max(p, q) + thick[a] - origin[a]) / cell_size[a] + 1e-9)
        if a == main:
            ranges[a, 0] = ranges[a, 1] = layer
        if not periodic:
            ranges[a, 0], ranges[a, 1] = max(ranges[a, 0], 0), min(ranges[a, 1], n_cells[a] - 1)
    return True


@njit()
def _deposit_cell(begin, end, x, y, z, weights, h, centre, rotation, scale, half_depth, image, assignment, kernel,
                  max_summed, share, weight):  # fmt: skip
    rows, cols = image.shape[1:]
    for i in range(begin, end):
        dx, dy, dz = np.float64(x[i]) - centre[0], np.float64(y[i]) - centre[1], np.float64(z[i]) - centre[2]
        along = rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz
        if not (along >= -half_depth and along < half_depth):
            continue
        row = (rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz) * scale + 0.5 * rows
        col = (rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz) * scale + 0.5 * cols
        support = np.float64(h[i]) * scale if assignment == SPH else 0.0
        reach = APRON + support
        if row > -reach and row < rows + reach and col > -reach and col < cols + reach:
            for channel in range(weight.size):
                weight[channel] = weights[i, channel]
            deposit(row, col, support, weight, image, assignment, kernel, max_summed, share)


@njit(nogil=True)
def _view(x, y, z, weights, h, cell_start, n_cells, origin, cell_size, periodic, centre, rotation, scale, half, image,
          assignment, kernel, max_summed):  # fmt: skip
    main = np.argmax(np.abs(rotation[2]))
    extent = half[0] * abs(rotation[0, main]) + half[1] * abs(rotation[1, main]) + half[3] * abs(rotation[2, main])
    low = int(floor((centre[main] - extent - origin[main]) / cell_size[main] - 1e-9))
    high = int(floor((centre[main] + extent - origin[main]) / cell_size[main] + 1e-9))
    if not periodic:
        low, high = max(low, 0), min(high, n_cells[main] - 1)
    ranges = np.empty((3, 2), np.int64)
    share, weight, moved = np.empty((2, 3)), np.empty(weights.shape[1]), np.empty(3)
    for layer in range(low, high + 1):
        if not _layer_ranges(layer, main, centre, rotation, half, origin, cell_size, n_cells, periodic, ranges):
            continue
        for i in range(ranges[0, 0], ranges[0, 1] + 1):
            for j in range(ranges[1, 0], ranges[1, 1] + 1):
                for k in range(ranges[2, 0], ranges[2, 1] + 1):
                    a, b, c = i % n_cells[0], j % n_cells[1], k % n_cells[2]
                    moved[0] = centre[0] - (i - a) * cell_size[0]
                    moved[1] = centre[1] - (j - b) * cell_size[1]
                    moved[2] = centre[2] - (k - c) * cell_size[2]
                    cell = (a * n_cells[1] + b) * n_cells[2] + c
                    _deposit_cell(cell_start[cell], cell_start[cell + 1], x, y, z, weights, h, moved, rotation, scale,
                                  half[3], image, assignment, kernel, max_summed, share, weight)  # fmt: skip


def views_f64(arrays, *, n_cells, origin, cell_size, is_periodic, centres, rotations, per_pixel, out, assignment,
              kernel, half_depth, max_support, add, n_threads):  # fmt: skip
    """Write, or with `add` add, the images (view, channel, row, column)."""
    del n_threads
    max_summed = MAX_SUMMED_SUPPORT[arrays["x"].dtype]
    for v in range(len(centres)):
        image = np.zeros(out.shape[1:])
        margin = max_support + APRON / per_pixel[v]
        half = np.array([0.5 * n / per_pixel[v] + margin for n in out.shape[2:]] + [-half_depth, half_depth])
        _view(arrays["x"], arrays["y"], arrays["z"], arrays["weights"], arrays["smoothing_length"],
              arrays["cell_start"], n_cells, origin, cell_size, is_periodic, centres[v], rotations[v], per_pixel[v],
              half, image, assignment, kernel, max_summed)  # fmt: skip
        out[v] = out[v] + image if add else image


index_f32 = index_f64
views_f32 = views_f64
