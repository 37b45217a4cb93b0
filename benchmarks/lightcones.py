"""Rows L1 to L3: light cones along random lines of sight, and the index with lines along z."""

from __future__ import annotations

import numba
import numpy as np

import clustermass as cm

from . import cases, floor
from .arms import Arm, Row, peer

WINDOW, RADIUS = cases.LIGHTCONE["max_velocity"], cases.LIGHTCONE["aperture"]
TREE_QUERIES, AXIS_QUERIES = 100, 1000


def flow():
    """H(z) / (1 + z) [km/s/Mpc], and the depth that a line must be looked along [Mpc]."""
    cosmology, z = cases.LIGHTCONE["cosmology"], cases.LIGHTCONE["redshift"]
    rate = float(100 * cosmology.h * cosmology.expansion(z) / (1 + z))
    return rate, (WINDOW + cases.FASTEST) / rate


def _nearest(d):
    return d - cases.GALAXY_BOX * np.round(d / cases.GALAXY_BOX)


def tree_chain(tree, positions, velocities, queries, spacing):
    """A chain of spheres along each line, then the cylinder and the window. Velocities are classical."""
    rate, depth = flow()
    along = np.arange(-depth, depth + spacing, spacing)
    reach = np.hypot(RADIUS, spacing / 2)
    seen = 0
    for centre, motion, line in zip(*queries, strict=True):
        line = line / np.linalg.norm(line)
        spheres = tree.query_ball_point((centre + along[:, None] * line) % cases.GALAXY_BOX, reach)
        found = np.unique(np.concatenate(spheres).astype(np.int64))
        d = _nearest(positions[found] - centre)
        s = d @ line
        v = rate * s + (velocities[found] - motion) @ line
        radius = np.sqrt(np.maximum((d * d).sum(axis=1) - s * s, 0))
        seen += np.count_nonzero((radius <= RADIUS) & (np.abs(v) < WINDOW))
    return seen


@numba.njit
def _mesh_build(positions, velocities, n, box):
    """Counting sort of positions and velocities into n^3 cells."""
    cell, start = np.empty(len(positions), np.int32), np.zeros(n**3 + 1, np.int64)
    for g in range(len(positions)):
        i, j, k = (min(int(positions[g, 0] * n / box), n - 1), min(int(positions[g, 1] * n / box), n - 1),
                   min(int(positions[g, 2] * n / box), n - 1))  # fmt: skip
        cell[g] = (i * n + j) * n + k
        start[cell[g] + 1] += 1
    start = np.cumsum(start)
    place, rows = start[:-1].copy(), np.empty(len(positions), np.int64)
    x, v = np.empty((3, len(positions)), np.float32), np.empty((3, len(positions)), np.float32)
    for g in range(len(positions)):
        to = place[cell[g]]
        place[cell[g]] += 1
        rows[to] = g
        for a in range(3):
            x[a, to], v[a, to] = positions[g, a], velocities[g, a]
    return start, rows, x, v


@numba.njit
def _mesh_query(start, rows, x, v, n, box, centres, motions, lines, rate, depth, radius, window, out):
    """Walk along each line layer by layer; index, radius and classical velocity of what is seen. Returns how many."""
    at, size = 0, box / n
    for q in range(len(centres)):
        c, u, s = centres[q], motions[q], lines[q]
        main = np.argmax(np.abs(s))
        b1, b2 = (main + 1) % 3, (main + 2) % 3
        reach = depth * abs(s[main]) + radius
        cell = np.empty(3, np.int64)
        for layer in range(int(np.floor((c[main] - reach) / size)), int(np.floor((c[main] + reach) / size)) + 1):
            t0, t1 = (layer * size - radius - c[main]) / s[main], ((layer + 1) * size + radius - c[main]) / s[main]
            lo, hi = max(min(t0, t1), -depth), min(max(t0, t1), depth)
            p1, q1, p2, q2 = lo * s[b1], hi * s[b1], lo * s[b2], hi * s[b2]
            for i in range(int(np.floor((c[b1] + min(p1, q1) - radius) / size)),
                           int(np.floor((c[b1] + max(p1, q1) + radius) / size)) + 1):  # fmt: skip
                for j in range(int(np.floor((c[b2] + min(p2, q2) - radius) / size)),
                               int(np.floor((c[b2] + max(p2, q2) + radius) / size)) + 1):  # fmt: skip
                    cell[main], cell[b1], cell[b2] = layer, i, j
                    w0, w1, w2 = cell[0] % n, cell[1] % n, cell[2] % n
                    m0, m1, m2 = (c[0] - (cell[0] - w0) * size, c[1] - (cell[1] - w1) * size,
                                  c[2] - (cell[2] - w2) * size)  # fmt: skip
                    flat = (w0 * n + w1) * n + w2
                    for g in range(start[flat], start[flat + 1]):
                        dx, dy, dz = x[0, g] - m0, x[1, g] - m1, x[2, g] - m2
                        t = s[0] * dx + s[1] * dy + s[2] * dz
                        across = dx * dx + dy * dy + dz * dz - t * t
                        if across <= radius * radius:
                            speed = rate * t + (s[0] * (v[0, g] - u[0]) + s[1] * (v[1, g] - u[1])
                                                + s[2] * (v[2, g] - u[2]))  # fmt: skip
                            if abs(speed) < window:
                                out[0, at], out[1, at], out[2, at] = rows[g], np.sqrt(max(across, 0.0)), speed
                                at += 1
    return at


def _mesh(positions, velocities, queries, n, seen):
    rate, depth = flow()
    built = _mesh_build(positions, velocities, n, cases.GALAXY_BOX)
    centres, motions, lines = queries
    lines = lines / np.linalg.norm(lines, axis=1, keepdims=True)

    def run():
        out = np.empty((3, int(1.2 * seen)))
        return _mesh_query(*built, n, cases.GALAXY_BOX, centres, motions, lines, rate, depth, RADIUS, WINDOW, out)

    return run


def _close(seen):
    """Peers have classical velocities, and so a few other galaxies at the edges of the window."""

    def check(found):
        assert abs(found - seen) <= 0.01 * seen, (found, seen)

    return check


def _random_lines(name, n, bars):
    positions, velocities = cases.galaxies(n)[:2]
    queries = cases.lines_of_sight(n)
    index = cm.build_galaxy_index(positions, velocities, box_size=cases.GALAXY_BOX)
    few = [q[:TREE_QUERIES] for q in queries]

    def run(n_threads, which=queries):
        return cm.select_lightcone(index, *which, **cases.LIGHTCONE, n_threads=n_threads)

    seen, seen_by_few = run(1).indices.size, run(1, few).indices.size

    def tree(module, spacing):
        built = module.cKDTree(positions, boxsize=cases.GALAXY_BOX, balanced_tree=False, compact_nodes=False)
        return lambda: tree_chain(built, positions, velocities, few, spacing)

    ours = [Arm("clustermass", lambda: run(1), len(queries[0])),
            Arm("clustermass, 2 threads", lambda: run(2), len(queries[0]))]  # fmt: skip
    note = "classical velocities; spheres 5 radii apart, the best of 1.5 to 5"
    others = [
        peer("cKDTree", "scipy.spatial", lambda m: tree(m, 5 * RADIUS), items=TREE_QUERIES, note=note,
             check=_close(seen_by_few)),
        Arm("numba mesh", _mesh(positions, velocities, queries, 40 if n <= 1_000_000 else 64, seen), len(queries[0]),
            "classical velocities; no x, y, distance, member", _close(seen)),
    ]  # fmt: skip
    title = f"light cones, {n:.0e} galaxies, random lines of sight, {seen / len(queries[0]):.0f} galaxies seen"
    return Row(name, title, "lines", ours, others, [], bars)


def l1():
    return _random_lines("L1", cases.GALAXIES[0], {"cKDTree": 80.0})


def l2():
    return _random_lines("L2", cases.GALAXIES[1], {"cKDTree": 40.0, "numba mesh": 2.0})


def _halotools(module, positions, centres):
    def run():
        _, depth = flow()
        counts, pairs = module.counts_in_cylinders(centres, positions, RADIUS, depth, period=cases.GALAXY_BOX,
                                                   return_indexes=True)  # fmt: skip
        assert counts.sum() == len(pairs)
        return len(pairs)

    return run


def l3():
    n = cases.GALAXIES[1]
    positions, velocities, centres, motions = cases.galaxies(n)
    line = np.broadcast_to([0.0, 0.0, 1.0], (AXIS_QUERIES, 3))

    def build(n_threads=1):
        return cm.build_galaxy_index(positions, velocities, box_size=cases.GALAXY_BOX, n_threads=n_threads)

    def run(n_threads):
        return cm.select_lightcone(build(n_threads), centres, motions, line, **cases.LIGHTCONE, n_threads=n_threads)

    ours = [Arm("clustermass", lambda: run(1), n), Arm("clustermass, 2 threads", lambda: run(2), n),
            Arm("index alone", build, n, "the goal is 25 ns")]  # fmt: skip
    doubles = positions.astype(float)
    others = [
        peer("halotools with indexes", "halotools.mock_observables", lambda m: _halotools(m, doubles, centres), items=n,
             note="no velocities; every galaxy of the cylinder, its whole depth"),
    ]  # fmt: skip
    flat = [positions.reshape(-1), velocities.reshape(-1)]
    copies = [np.empty_like(a) for a in flat]
    floors = [Arm("copy galaxies", lambda: [floor.call("copy_floats", b, a, a.size)
                                            for a, b in zip(flat, copies, strict=True)])]  # fmt: skip
    return Row("L3", f"index and {AXIS_QUERIES} lines along z, 1e7 galaxies", "galaxies", ours, others,
               floors if floor.library() else [], {"halotools with indexes": 3.0})  # fmt: skip
