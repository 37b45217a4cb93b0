"""Numba twin of ``cpp/include/clustermass/ops/lightcone.hpp`` and ``math/lightcone.hpp``: same operations in the same
order, same bits. Serial, like all twins; decides on every galaxy of the cells without looking at coarse positions."""

from __future__ import annotations

from math import floor, sqrt

import numpy as np

from ._jit import njit
from .views import _layer_ranges

_SPEED_OF_LIGHT = 299792.458
_PER_C2 = 1.0 / (_SPEED_OF_LIGHT * _SPEED_OF_LIGHT)
_STEPS = 65536
_NOT_FINITE, _NOT_REPRESENTABLE = 1, 2
_APERTURE, _NEAR, _FAR, _DISTANCE, _VELOCITY, _HUBBLE = range(6)
_MARGIN = 1e-3  # Mpc that the cells reach further than the aperture


@njit()
def _wrapped(x, box):
    inside = x - box * floor(x / box)
    return inside if inside >= 0 and inside < box else 0.0


@njit()
def _store(positions, box, stored):
    """Positions wrapped into the box; False where the type cannot hold one."""
    exact = True
    for i in range(len(positions)):
        for a in range(3):
            x = np.float64(positions[i, a])
            stored[i, a] = positions[i, a]
            if box > 0 and not (x >= 0 and x < box):
                inside = _wrapped(x, box)
                stored[i, a] = inside
                exact = exact and np.float64(stored[i, a]) == inside
    return exact


@njit()
def _cell(x, origin, per_cell, n):
    """Cell along an axis, and the place in it in steps."""
    place = (x - origin) * per_cell
    cell = int(min(max(place, 0.0), np.float64(n - 1)))
    return cell, int(min(max((place - np.float64(cell)) * _STEPS, 0.0), _STEPS - 1.0))


@njit()
def _sort(stored, n_cells, origin, per_cell, cell_start, order, coarse):
    """First galaxy of each cell, galaxies in cell order (stable) and coarse positions."""
    n = len(stored)
    cell, steps = np.empty(n, np.int64), np.empty((n, 3), np.uint16)
    for i in range(n):
        here = 0
        for a in range(3):
            c, steps[i, a] = _cell(np.float64(stored[i, a]), origin[a], per_cell[a], n_cells[a])
            here = here * n_cells[a] + c
        cell[i] = here
        cell_start[here + 1] += 1
    for k in range(cell_start.size - 1):
        cell_start[k + 1] += cell_start[k]
    place = cell_start[:-1].copy()
    for i in range(n):
        begin, to = cell_start[cell[i]], place[cell[i]]
        size = cell_start[cell[i] + 1] - begin
        for a in range(3):
            coarse[3 * begin + a * size + to - begin] = steps[i, a]
        order[to] = i
        place[cell[i]] += 1


@njit()
def _largest_speed(velocities):
    largest = 0.0
    for i in range(len(velocities)):
        a, b, c = np.float64(velocities[i, 0]), np.float64(velocities[i, 1]), np.float64(velocities[i, 2])
        largest = max(largest, a * a + b * b + c * c)
    return sqrt(largest)


def galaxy_index_f64(positions, velocities, hosts, out, max_speed, *, n_cells, origin, cell_size, box, n_threads):
    """Fill `out` with the sorted galaxies; 0, or what is wrong with them, as the native kernel."""
    del n_threads
    if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
        return _NOT_FINITE
    stored, order = np.empty_like(positions), np.empty(len(positions), np.int64)
    if not _store(positions, box, stored):
        return _NOT_REPRESENTABLE
    out["cell_start"][...] = 0
    out["coarse"][3 * len(positions) :] = 0
    per_cell = tuple(1.0 / size for size in cell_size)
    _sort(stored, n_cells, origin, per_cell, out["cell_start"], order, out["coarse"])
    max_speed[0] = _largest_speed(velocities)
    out["rows"][...] = order
    out["records"][:, :3] = stored[order]
    out["records"][:, 3:] = velocities[order]
    if hosts.size:
        out["hosts"][...] = hosts[order]
    return 0


@njit()
def _recession(table, start, per_step, distance):
    s = (distance - start) * per_step
    k = int(min(abs(s), np.float64(table.shape[1] - 1)))
    t = s - np.float64(k)
    return table[0, k] + t * (table[1, k] + t * (table[2, k] + t * table[3, k]))


@njit()
def _observe(dx, dy, dz, wx, wy, wz, a, q, table, start, per_step, is_cone, is_relativistic, max_velocity):
    """x, y, velocity, distance and whether the galaxy is selected."""
    x = a[0, 0] * dx + a[0, 1] * dy + a[0, 2] * dz
    y = a[1, 0] * dx + a[1, 1] * dy + a[1, 2] * dz
    depth = a[2, 0] * dx + a[2, 1] * dy + a[2, 2] * dz
    along = a[2, 0] * wx + a[2, 1] * wy + a[2, 2] * wz
    from_observer = q[_DISTANCE] + depth
    if (is_cone or is_relativistic) and not from_observer > 0:
        return 0.0, 0.0, 0.0, 0.0, False
    if is_cone:
        scale = q[_DISTANCE] / from_observer
        x *= scale
        y *= scale
    inside = x * x + y * y <= q[_APERTURE] * q[_APERTURE] and depth >= q[_NEAR] and depth <= q[_FAR]
    if is_relativistic:
        flow = _recession(table, start, per_step, from_observer)
        galaxy = (flow + along) / (1.0 + flow * along * _PER_C2)
        velocity = (galaxy - q[_VELOCITY]) / (1.0 - galaxy * q[_VELOCITY] * _PER_C2)
    else:
        velocity = q[_HUBBLE] * depth + (along - q[_VELOCITY])
    distance = sqrt(dx * dx + dy * dy + dz * dz)
    return x, y, velocity, distance, inside and abs(velocity) < max_velocity


@njit()
def _seen_in_cell(begin, end, records, rows, hosts, centre, rotation, q, target, queries, at, out, room):
    """Write what is seen of a cell from `at` on, as far as there is room; returns where the next entry goes."""
    table, start, per_step, is_cone, is_relativistic, max_velocity = queries
    indices, xs, ys, velocities, distances, is_member = out
    for i in range(begin, end):
        x, y, velocity, distance, selected = _observe(
            np.float64(records[i, 0]) - centre[0], np.float64(records[i, 1]) - centre[1],
            np.float64(records[i, 2]) - centre[2], np.float64(records[i, 3]), np.float64(records[i, 4]),
            np.float64(records[i, 5]), rotation, q, table, start, per_step, is_cone, is_relativistic, max_velocity,
        )  # fmt: skip
        if selected:
            if at < room:
                indices[at], xs[at], ys[at], velocities[at], distances[at] = rows[i], x, y, velocity, distance
                is_member[at] = target >= 0 and hosts.size > 0 and hosts[i] == target
            at += 1
    return at


@njit(nogil=True)
def _query(records, rows, hosts, cell_start, n_cells, origin, cell_size, box, centre, rotation, q, target, queries, at,
           out, room):  # fmt: skip
    is_cone = queries[3]
    reach = q[_APERTURE] + _MARGIN
    if is_cone:
        reach += q[_APERTURE] / q[_DISTANCE] * max(q[_FAR], 0.0)
    main = np.argmax(np.abs(rotation[2]))
    half = np.array([reach, reach, q[_NEAR] - _MARGIN, q[_FAR] + _MARGIN])
    thick = half[0] * abs(rotation[0, main]) + half[1] * abs(rotation[1, main])
    ends = half[2] * rotation[2, main], half[3] * rotation[2, main]
    low = int(floor((centre[main] + min(ends) - thick - origin[main]) / cell_size[main] - 1e-9))
    high = int(floor((centre[main] + max(ends) + thick - origin[main]) / cell_size[main] + 1e-9))
    if not box > 0:
        low, high = max(low, 0), min(high, n_cells[main] - 1)
    ranges = np.empty((3, 2), np.int64)
    moved = np.empty(3)
    for layer in range(low, high + 1):
        if not _layer_ranges(layer, main, centre, rotation, half, origin, cell_size, n_cells, box > 0, ranges):
            continue
        for i in range(ranges[0, 0], ranges[0, 1] + 1):
            for j in range(ranges[1, 0], ranges[1, 1] + 1):
                for k in range(ranges[2, 0], ranges[2, 1] + 1):
                    a, b, c = i % n_cells[0], j % n_cells[1], k % n_cells[2]
                    moved[0] = centre[0] - np.float64((i - a) // n_cells[0]) * box
                    moved[1] = centre[1] - np.float64((j - b) // n_cells[1]) * box
                    moved[2] = centre[2] - np.float64((k - c) // n_cells[2]) * box
                    cell = (a * n_cells[1] + b) * n_cells[2] + c
                    at = _seen_in_cell(cell_start[cell], cell_start[cell + 1], records, rows, hosts, moved, rotation,
                                       q, target, queries, at, out, room)  # fmt: skip
    return at


def lightcone_f64(arrays, queries, out, *, first, n_cells, origin, cell_size, box, table_start, table_per_step,
                  max_velocity, is_cone, is_relativistic, n_threads):  # fmt: skip
    """Do queries from `first` on until one does not fit; the first that was not done, as the native kernel."""
    del n_threads
    centres, rotations, numbers, targets = (queries[k] for k in ("centres", "rotations", "numbers", "targets"))
    common = (queries["table"], table_start, table_per_step, is_cone, is_relativistic, max_velocity)
    columns = tuple(out[k] for k in ("indices", "x", "y", "velocity", "distance", "is_member"))
    room, offsets = out["indices"].size, out["offsets"]
    for query in range(first, len(centres)):
        target = targets[query] if targets.size else np.int64(-1)
        end = _query(arrays["records"], arrays["rows"], arrays["hosts"], arrays["cell_start"], n_cells, origin,
                     cell_size, box, centres[query], rotations[query], numbers[query], target, common, offsets[query],
                     columns, room)  # fmt: skip
        if end > room:
            return query
        offsets[query + 1] = end
    return len(centres)


galaxy_index_f32 = galaxy_index_f64
lightcone_f32 = lightcone_f64
