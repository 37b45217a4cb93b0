"""What the operation means, written to be read: every image of every galaxy, float64, z(d) solved and not tabulated."""

from __future__ import annotations

import itertools

import numpy as np

C = 299792.458  # km/s


def redshift_at(distance, cosmology):
    """z of a comoving distance, by Newton's method."""
    z = np.asarray(distance) * 100 * cosmology.h / C
    for _ in range(8):
        z = np.maximum(
            z - (cosmology.comoving_distance(z) - distance) * 100 * cosmology.h * cosmology.expansion(z) / C, 0
        )
    return z


def recession(z):
    return C * ((1 + z) ** 2 - 1) / ((1 + z) ** 2 + 1)


def relativistic_sum(a, b):
    return (a + b) / (1 + a * b / C**2)


def velocity(depth, galaxy, centre, redshift, cosmology, relativistic):
    """Velocity relative to the centre of galaxies `depth` behind it, from both peculiar velocities along the line."""
    if not relativistic:
        return 100 * cosmology.h * cosmology.expansion(redshift) / (1 + redshift) * depth + galaxy - centre
    distance = cosmology.comoving_distance(redshift) + depth
    seen = relativistic_sum(recession(redshift_at(distance, cosmology)), galaxy)
    return relativistic_sum(seen, -relativistic_sum(recession(redshift), centre))


def images(positions, centre, box, n_boxes):
    """Positions relative to the centre: the nearest image of each galaxy and those up to n_boxes further."""
    d = positions - centre
    if box is None:
        return d, np.arange(len(d))
    d = d - box * np.round(d / box)
    shifts = np.array(list(itertools.product(range(-n_boxes, n_boxes + 1), repeat=3))) * box
    return (d[:, None] + shifts).reshape(-1, 3), np.repeat(np.arange(len(d)), len(shifts))


def select(positions, velocities, centre, centre_velocity, axes, *, redshift, cosmology, max_velocity, aperture=None,
           angle=None, relativistic=True, box=None, n_boxes=1):  # fmt: skip
    """Rows, x, y, velocity and distance of what one query selects. `axes`: x, y and line of sight as rows."""
    d, rows = images(np.float64(positions), np.float64(centre), box, n_boxes)
    x, y, depth = axes @ d.T
    observer = float(cosmology.comoving_distance(redshift))
    visible = np.full(len(d), True) if aperture is not None and not relativistic else observer + depth > 0
    if angle is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = x * observer / (observer + depth), y * observer / (observer + depth)
        aperture = observer * np.tan(angle)
    near = np.flatnonzero(visible & (np.hypot(x, y) <= aperture))
    along = np.float64(velocities)[rows[near]] @ axes[2]
    v = velocity(depth[near], along, axes[2] @ np.float64(centre_velocity), redshift, cosmology, relativistic)
    kept = near[np.abs(v) < max_velocity]
    return rows[kept], x[kept], y[kept], v[np.abs(v) < max_velocity], np.linalg.norm(d[kept], axis=1)
