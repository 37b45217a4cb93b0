"""Caustic technique, phase space: density, threshold, amplitude and mass profile of many clusters at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ops.kde import estimate_density
from .caustic_members import FloatArray, Galaxies, IntArray

N_THRESHOLDS = 200
THRESHOLD_DECADES = 4.0  #: that the thresholds span below the densest cell
STEEPEST = 2.0  #: largest d ln A / d ln r of a caustic amplitude (Serra et al. 2011, MNRAS 412, 800)


@dataclass(frozen=True)
class Mesh:
    """Nodes of the phase space: radius ``0, step, ...`` [comoving Mpc], velocity ``0, step, ...`` [km/s].

    Attributes
    ----------
    n_radii, n_velocities : int
    radius_step : float, comoving Mpc
    velocity_step : (n,) float64, km/s
        Of each cluster.
    """

    n_radii: int
    n_velocities: int
    radius_step: float
    velocity_step: FloatArray

    @property
    def radius(self) -> FloatArray:
        return np.asarray(np.arange(self.n_radii) * self.radius_step, np.float64)


def density_on_mesh(galaxies: Galaxies, mesh: Mesh, width: FloatArray) -> FloatArray:
    """Density of each cluster, shape (n, n_radii, n_velocities), of any norm, with round kernels of `width` (n,) cells.

    Mirrored in velocity, and reflected at the centre, so that the kernels lose nothing there.
    """
    across = galaxies.radius / mesh.radius_step
    speed = np.abs(galaxies.velocity) / mesh.velocity_step[galaxies.owner]
    images = np.empty((galaxies.owner.size, 4, 2))
    images[:, :, 0] = across[:, None] * [1.0, 1.0, -1.0, -1.0]
    images[:, :, 1] = speed[:, None] * [1.0, -1.0, 1.0, -1.0]
    kernel = np.where(width > 0, width, 1.0)[:, None, None] ** 2 * np.eye(2)
    axes = [(0.0, size - 1.0, size) for size in (mesh.n_radii, mesh.n_velocities)]
    return np.asarray(
        estimate_density(
            images.reshape(-1, 2), 4 * galaxies.offsets(), axes=axes, at="nodes", normalise="none", covariance=kernel
        )
    )


def choose_thresholds(density: FloatArray, n_inside: IntArray, wanted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Threshold of each cluster, and the mean squared escape velocity [cells^2] that it gives; shapes (n,).

    `density` is (n, n_radii, n_velocities), `n_inside` (n,) counts the radii within r200, `wanted` (n,) is 4 <v^2>
    [cells^2]. Of 200 thresholds, evenly spaced in the logarithm over 4 decades below the densest cell, the one whose
    <v_esc^2> = sum A^2 phi / sum phi is nearest to `wanted`; phi is the density integrated over |v| < A, and sums
    go over the first `n_inside` radii (Diaferio 1999, MNRAS 309, 610, eqs. 17 and 18).
    """
    n_rows = int(n_inside.max(initial=1))
    f = density[:, :n_rows]
    peak = density.max(axis=(1, 2))
    with np.errstate(divide="ignore", over="ignore"):  # cells without density are infinitely deep
        depth = np.log10(peak[:, None, None] / f) * ((N_THRESHOLDS - 1) / THRESHOLD_DECADES)
    level = np.where(depth < N_THRESHOLDS, np.ceil(depth), N_THRESHOLDS).astype(np.int64)  # first that lies below f
    np.maximum.accumulate(level, axis=2, out=level)  # and below all of f further in
    row = np.arange(level.size // level.shape[2]).reshape(level.shape[:2] + (1,)) * (N_THRESHOLDS + 1)
    counted = np.bincount((row + level).reshape(-1), minlength=row.size * (N_THRESHOLDS + 1))
    nodes = np.cumsum(counted.reshape(*level.shape[:2], N_THRESHOLDS + 1)[:, :, :-1], axis=2)  # above each threshold
    thresholds = peak[:, None] * 10.0 ** (-np.arange(N_THRESHOLDS) * (THRESHOLD_DECADES / (N_THRESHOLDS - 1)))
    amplitude, phi = _crossing(f, nodes, thresholds[:, None, :])
    phi *= (np.arange(n_rows) < n_inside[:, None])[:, :, None]
    weight = phi.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_square = (amplitude**2 * phi).sum(axis=1) / weight
        miss = np.where(weight > 0, (mean_square - wanted[:, None]) ** 2, np.inf)
    best = np.argmin(miss, axis=1)
    at = np.arange(len(best))
    return thresholds[at, best], mean_square[at, best]


def _crossing(f: FloatArray, nodes: IntArray, threshold: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Speed [cells] at which the density falls to thresholds for the first time, and its integral up to there.

    `f` is (n, r, v); `nodes` (n, r, k) counts the nodes from zero outwards before the first one below. The density is
    linear between nodes; 0 where it is below at zero speed already, the end of the axis where it is never below.
    """
    size = f.shape[2]
    start = np.arange(f.shape[0] * f.shape[1]).reshape(*f.shape[:2], 1) * size
    inner = start + np.maximum(nodes - 1, 0)
    outer = start + np.minimum(nodes, size - 1)
    total = np.zeros(f.shape)
    np.cumsum(0.5 * (f[:, :, 1:] + f[:, :, :-1]), axis=2, out=total[:, :, 1:])
    inside, outside = f.reshape(-1)[inner], f.reshape(-1)[outer]
    crosses = (nodes > 0) & (nodes < size)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(crosses, (inside - threshold) / (inside - outside), 0.0)
    amplitude = np.maximum(nodes - 1, 0) + share
    integral = np.where(nodes > 0, total.reshape(-1)[inner] + share * 0.5 * (inside + threshold), 0.0)
    return amplitude, integral


def amplitude_at(density: FloatArray, threshold: FloatArray) -> FloatArray:
    """Speed [cells] of the first fall to the threshold of each cluster, at all radii: shape (n, n_radii)."""
    above = density >= threshold[:, None, None]
    nodes = np.where(above.all(axis=2), density.shape[2], np.argmin(above, axis=2))
    return _crossing(density, nodes[:, :, None], threshold[:, None, None])[0][:, :, 0]


def limit_slope(amplitude: FloatArray, radius: FloatArray) -> FloatArray:
    """Amplitudes (n, k) that rise outwards no faster than as r^2, but where they rise from zero."""
    out = amplitude.copy()
    for i in range(2, radius.size):
        highest = np.where(out[:, i - 1] > 0, out[:, i - 1] * (radius[i] / radius[i - 1]) ** STEEPEST, np.inf)
        np.minimum(out[:, i], highest, out=out[:, i])
    return out
