"""Likelihoods of scale-free models of projected phase space, for many clusters and all masses of a grid at once.

In virial units a galaxy is at x = R / R200c and w = |v| / V200, and both fall as the cube root of the mass. On a
lattice in s = ln x and q = ln(w / x), whose step in s is that of the mass grid, a galaxy keeps its q, and its place
between two nodes, and moves by one node from one mass to the next. So one sparse matrix, clusters by nodes, holds the
galaxies for all masses, and the log-likelihoods of all models are its products with shifted tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._extras import import_extra
from ...cosmology import Cosmology
from ...nfw import radius_of_mass

FloatArray = NDArray[np.float64]
#: log10 of M200c [Msun]
LOG10_MASS = 12.6 + 0.03 * np.arange(121)
_STEP = 0.03 * np.log(10.0) / 3.0  # of ln(R / R200c) between two masses
_S = np.log(0.005) + _STEP * np.arange(362)  # x from 0.005 to 20
_LN_W = -3.6 + _STEP * np.arange(250)  # below 0.027 nothing changes with v, above 8.4 nothing belongs to the halo
_LEFT = 348  # a multiple of the step, so that s + q falls on nodes of ln w
_Q = _LN_W[0] - _S[0] + _STEP * (2 * np.arange(290) - _LEFT)  # v / (10 H R) from 0.002 to 1100
_MASSES = LOG10_MASS.size
_FLOOR = 1e-300
_FINER = 5  # points of a posterior for one of the grid
_TYPICAL = 0.25  # (line-of-sight dispersion / V200)^2


#: at radii (n,) and speeds (m,), the density per area and velocity of either sign, (n, m)
PhaseDensity = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class HaloTable:
    """One model of galaxies that belong to a halo, at all nodes, per galaxy within R200c.

    Attributes
    ----------
    density : (nodes,) float64
        Galaxies per R200c^2 and V200, for velocities of either sign.
    curvature : (nodes,) float32
        Its second derivative by velocity, over itself.
    log_number : (nodes,) float32
        Logarithm of the galaxies within x and below |v| = w.
    """

    density: FloatArray
    curvature: NDArray[np.float32]
    log_number: NDArray[np.float32]


def tabulate(phase_density: PhaseDensity) -> HaloTable:
    """A model on the lattice; nodes run along s, then along q."""
    w = np.exp(_LN_W)
    density = phase_density(np.exp(_S), w)
    surface = _running(2.0 * density * w, 2.0 * density[:, 0] * w[0])  # tracers per area up to each speed
    rings = (2.0 * np.pi * np.exp(2.0 * _S)[:, None] * surface).T  # per ln x
    number = _running(rings, 0.5 * rings[:, 0]).T  # the innermost 0.005 with the surface density of its edge
    # g''/g of an even function of w, from the slopes of its logarithm by ln w, which are smooth
    logs = np.log(np.maximum(density, _FLOOR))
    slope = np.gradient(logs, _STEP, axis=1) / w
    # at most what takes the density back to that at rest, when `log_likelihood` lets it grow to the typical variance
    curvature = np.minimum(np.gradient(slope, _STEP, axis=1) / w + slope**2, 2.0 * (logs[:, :1] - logs) / _TYPICAL)
    rows = np.arange(_S.size)
    column = np.clip(rows + 2 * np.arange(_Q.size)[:, None] - _LEFT, 0, _LN_W.size - 1)
    return HaloTable(
        density[rows, column].ravel(),
        curvature[rows, np.maximum(column, 2)].ravel().astype(np.float32),
        np.log(number[rows, column] + _FLOOR).ravel().astype(np.float32),
    )


def _running(values: FloatArray, start: FloatArray) -> FloatArray:
    """Integral along the last axis up to each point of the lattice."""
    steps = 0.5 * _STEP * (values[:, 1:] + values[:, :-1])
    return np.cumsum(np.concatenate([start[:, None], steps], axis=1), axis=1)


@dataclass(frozen=True)
class Likelihood:
    """Some models with some backgrounds, ready for `log_likelihood`; models lie side by side at each node."""

    logs: FloatArray
    bends: FloatArray | None
    log_numbers: FloatArray
    backgrounds: FloatArray


def prepare(tables: list[HaloTable], backgrounds: FloatArray, with_errors: bool) -> Likelihood:
    """Every halo model with every background of interlopers [per R200c^2, V200 and galaxy within R200c]."""
    density = np.stack([table.density for table in tables], axis=-1)
    total = np.maximum(density[:, :, None] + backgrounds, _FLOOR).reshape(len(density), -1)
    bends = None
    if with_errors:
        curvature = np.stack([table.curvature for table in tables], axis=-1)
        bends = 0.5 * np.repeat(curvature * density, backgrounds.size, axis=1) / total
    numbers = np.stack([table.log_number for table in tables], axis=-1).astype(np.float64)
    return Likelihood(np.log(total), bends, numbers, backgrounds)


@dataclass(frozen=True)
class Placed:
    """Galaxies of clusters on the lattice at the lowest mass, and the apertures that they were seen in.

    `nodes` and `error_nodes` are sparse matrices, clusters by nodes, of weights of bilinear interpolation, the latter
    times the squared velocity error in units of V200 of the lowest mass; `error2` is its mean in a cluster. `inner` and
    `outer` are nodes and weights of the ends of the aperture; `area` is in units of R200c^2 V200 of the lowest mass.
    """

    nodes: Any
    error_nodes: Any
    error2: FloatArray
    counts: NDArray[np.int64]
    inner: tuple[NDArray[np.int64], FloatArray]
    outer: tuple[NDArray[np.int64], FloatArray]
    area: FloatArray
    has_inner: bool


def scales(redshift: FloatArray, cosmology: Cosmology) -> tuple[FloatArray, FloatArray]:
    """R200c [comoving Mpc] and V200 [km/s] of the lowest mass of the grid; V200 = 10 H R200c / (1 + z)."""
    radius = radius_of_mass(10.0 ** LOG10_MASS[0], 200.0, cosmology, redshift)
    hubble = 100.0 * cosmology.h * cosmology.expansion(redshift)
    return radius, np.asarray(10.0 * hubble * radius / (1.0 + redshift))


def _corners(x: FloatArray, w: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Nodes (n, 4) around points at the lowest mass, shifted down by all masses, and bilinear weights."""
    with np.errstate(divide="ignore"):
        s = np.clip((np.log(x) - _S[0]) / _STEP, _MASSES, _S.size - 1.000001)
        q = (np.log(w) - np.log(x) - _Q[0]) / (2 * _STEP)
    q = np.clip(q, 0.0, _Q.size - 1.000001)
    i, j = s.astype(np.int64), q.astype(np.int64)
    a, b = s - i, q - j
    first = j * _S.size + i - _MASSES
    nodes = np.stack([first, first + 1, first + _S.size, first + _S.size + 1], axis=-1)
    return nodes, np.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b], axis=-1)


def place(
    offsets: NDArray[np.int64],
    radius: FloatArray,
    velocity: FloatArray,
    error: FloatArray | None,
    ends: tuple[FloatArray, FloatArray, FloatArray],
    units: tuple[FloatArray, FloatArray],
) -> Placed:
    """Put galaxies that lie within their apertures on the lattice.

    Parameters
    ----------
    offsets : (n + 1,) int64
        Where the galaxies of each cluster begin.
    radius, velocity, error : (n_galaxies,) float64, or None for no errors
        Comoving Mpc and km/s.
    ends : three of (n,) float64
        Inner and outer radius, and largest velocity, of the apertures.
    units : two of (n,) float64
        `scales` of the clusters.
    """
    sparse = import_extra("scipy.sparse", extra="baselines", what="likelihoods of projected phase space need")
    r200, v200 = units
    counts = np.diff(offsets)
    nodes, weights = _corners(radius / np.repeat(r200, counts), np.abs(velocity) / np.repeat(v200, counts))
    shape = (counts.size, _S.size * _Q.size - _MASSES)

    def matrix(values: FloatArray) -> Any:
        return sparse.csr_matrix((values.ravel(), nodes.ravel(), 4 * offsets), shape=shape)

    squared = np.zeros(radius.size) if error is None else (error / np.repeat(v200, counts)) ** 2
    total = np.concatenate([[0.0], np.cumsum(squared)])[offsets]
    inner, outer, speed = ends[0] / r200, ends[1] / r200, ends[2] / v200
    return Placed(
        matrix(weights),
        None if error is None else matrix(weights * squared[:, None]),
        np.diff(total) / np.maximum(counts, 1),
        counts,
        _corners(np.maximum(inner, 1e-9), speed),
        _corners(outer, speed),
        2.0 * np.pi * speed * (outer**2 - inner**2),
        bool((inner > 0).any()),
    )


def log_likelihood(placed: Placed, models: Likelihood) -> FloatArray:
    """Log-likelihood of the galaxies of each cluster under each model, (n, masses, tables, backgrounds).

    p(R, v) = [g(R, v) + B] / int (g + B) over the aperture, per area and velocity; constants that no model changes are
    left out. A velocity error of variance e^2 adds e^2/2 d^2g/dv^2 in first order; further orders as for a Gaussian of
    variance V200^2 / 4, typical of clusters.
    """
    n, backgrounds = placed.counts.size, models.backgrounds
    out = np.empty((n, _MASSES, models.log_numbers.shape[1], backgrounds.size))
    width = placed.nodes.shape[1]
    members = _at(models.log_numbers, placed.outer)
    if placed.has_inner:
        members = np.maximum(members - _at(models.log_numbers, placed.inner), _FLOOR)
    for k in range(_MASSES):
        shift = slice(_MASSES - k, _MASSES - k + width)
        values = placed.nodes @ models.logs[shift]
        growth = 10.0 ** (LOG10_MASS[k] - LOG10_MASS[0])  # of R200c^2 V200
        if placed.error_nodes is not None and models.bends is not None:
            share = placed.error2 * growth ** (-2.0 / 3.0) / _TYPICAL
            values += (growth ** (-2.0 / 3.0) / (1 + share))[:, None] * (placed.error_nodes @ models.bends[shift])
            values -= (0.5 * placed.counts * (np.log1p(share) - share / (1 + share)))[:, None]
        seen = members[:, k, :, None] + placed.area[:, None, None] / growth * backgrounds
        norm = np.log(seen) + np.log(growth)
        out[:, k] = values.reshape(norm.shape) - placed.counts[:, None, None] * norm
    return out


def _at(numbers: FloatArray, corners: tuple[NDArray[np.int64], FloatArray]) -> FloatArray:
    """Numbers of galaxies within points, for each mass: (n, masses, models)."""
    nodes, weights = corners
    shifted = nodes[:, None, :] + (_MASSES - np.arange(_MASSES))[:, None]
    out = np.zeros((len(nodes), _MASSES, numbers.shape[1]))
    for corner in range(4):
        out += weights[:, None, corner, None] * numbers[shifted[:, :, corner]]
    return np.exp(out)


def posterior_density(logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Grid of log10 M200c, five times finer, and densities from log-posteriors at `LOG10_MASS`, of any norm.

    Logarithms are interpolated by the cubic through four neighbours, so that posteriors narrower than a step keep their
    place and width; what is e^-50 of the largest, or less, is cut off there.
    """
    near = np.maximum(logs - logs.max(axis=1, keepdims=True, initial=-np.inf), -50.0)
    node, part = np.divmod(np.arange(_FINER * (_MASSES - 1) + 1), _FINER)
    first = np.clip(node - 1, 0, _MASSES - 4)
    t = node + part / _FINER - first
    fine = np.zeros((len(logs), t.size))
    for k in range(4):
        others = [j for j in range(4) if j != k]
        weight = np.prod([(t - j) / (k - j) for j in others], axis=0)
        fine += weight * near[:, first + k]
    return LOG10_MASS[0] + 0.03 / _FINER * np.arange(t.size), np.exp(fine)
