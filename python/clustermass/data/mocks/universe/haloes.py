"""Haloes of a generated universe: how many, where, how fast, how concentrated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...universe import Haloes
from . import linear
from .exclusion import Spheres, keep_outside
from .field import LinearField, make_field, top_hat
from .flow import Flow, make_flow
from .mesh import Field, Mesh
from .settings import UniverseSettings
from .streams import stream

FloatArray = NDArray[np.float64]
CONCENTRATION_SCATTER = 0.145  #: dex, log-normal (Bhattacharya et al. 2013, ApJ 766, 32: a third, full sample)
BIN_WIDTH = 0.1  #: dex of mass that share one bias and one smoothing
_FINE = 64  # points a bin at which the mass function is tabulated
_SPARE = 0.3  # of the haloes of a bin: candidates that replace those within larger haloes
_COMPARABLE = (
    0.5  # dex: of haloes above peak height 1 and no further apart in mass, none begins in a larger one's patch
)
_PATCH_TO_GAUSSIAN = 5.0**-0.5  # a Gaussian of this radius has the second moment of a sphere of radius 1


@dataclass(frozen=True)
class HaloField:
    """Haloes of a box and the flow that they are part of.

    Attributes
    ----------
    haloes : Haloes
        Rows by falling mass, ids 0, 1, ...
    concentration : (n,) float64
        c200c with its scatter.
    flow : Flow
        Velocity and tides of matter at any place.
    n_lost : int
        Haloes for which no place outside larger ones was found.
    """

    haloes: Haloes
    concentration: FloatArray
    flow: Flow
    n_lost: int = 0

    def velocity_at(self, positions: FloatArray) -> FloatArray:
        """Peculiar velocity of the large-scale flow [km/s] at places (m, 3) [comoving Mpc]; (m, 3)."""
        return self.flow.velocity_at(positions)

    def tidal_axes_at(self, positions: FloatArray) -> FloatArray:
        """Principal axes of the tides, slowest collapse first, at places (m, 3) [comoving Mpc]; (m, 3, 3)."""
        return self.flow.tidal_axes_at(positions)


@dataclass(frozen=True)
class _Bin:
    """Haloes of nearly one mass: how many, and how their numbers follow the linear field."""

    index: int
    masses: FloatArray  # [Msun], edges of the fine table
    cumulative: FloatArray  # number of haloes in the box below each
    bias: float  # Lagrangian
    radius: float  # of the Lagrangian patch, comoving Mpc

    @property
    def expected(self) -> float:
        return float(self.cumulative[-1])


def make_haloes(settings: UniverseSettings) -> HaloField:
    """Draw the haloes of a universe.

    Numbers are Poisson draws from the mass function of Tinker et al. (2008) for M200c. Haloes of a bin of mass are
    placed in Lagrangian cells with probabilities in proportion to exp(b_L delta - b_L^2 sigma^2 / 2), b_L = b - 1 with
    the bias of Tinker et al. (2010), delta the linear overdensity averaged over the larger of the halo's Lagrangian
    patch and a cell (Mo & White 1996, MNRAS 282, 347, for the peak-background split; the exponential keeps it positive
    and, for a Gaussian field, the mean). Second-order displacements averaged over the patch move them, velocities come
    from the same field. A halo within R200c of a larger one is drawn again elsewhere, so the mass function stays; so is
    one above peak height 1 that begins inside the Lagrangian patch of a larger one of comparable mass (up to 0.5 dex;
    Bond & Myers 1996, ApJS 103, 1, for the exclusion of peaks), since exp(b_L delta) alone crowds massive haloes.

    Parameters
    ----------
    settings : UniverseSettings
        Box, epoch, seed, range of masses.

    Returns
    -------
    HaloField
        Haloes by falling mass, their concentrations and the flow around them.

    Raises
    ------
    MissingDependencyError
        Without colossus or scipy (extra ``mock``).
    """
    field = make_field(settings)
    bins = make_bins(settings)
    drawn = [
        draw_bin(settings, field.mesh, one, smooth) for one, smooth in zip(bins, _smoothed(field, bins), strict=True)
    ]
    mass = np.concatenate([masses for masses, _, _ in drawn])
    row = np.repeat(np.arange(len(bins)), [len(masses) for masses, _, _ in drawn])
    wanted = np.array([n for _, _, n in drawn])
    places = np.concatenate([places for _, places, _ in drawn])
    positions, velocities = move(settings, field, mass, places)
    radius = (3.0 * mass / (800.0 * np.pi * settings.epoch.critical_density)) ** (1.0 / 3.0)
    peak_mass = linear.nonlinear_mass(settings)
    n_peaks = sum(len(masses) for (masses, _, _), one in zip(drawn, bins, strict=True) if one.masses[0] > peak_mass)
    spaces = [
        Spheres(positions, radius, reach=len(bins)),
        Spheres(
            _wrap(places[:n_peaks], settings.box_size),
            linear.lagrangian_radius(settings, mass[:n_peaks]),
            reach=round(_COMPARABLE / BIN_WIDTH),
        ),
    ]
    kept = keep_outside(spaces, row, wanted, settings.box_size)
    order = kept[np.argsort(-mass[kept], kind="stable")]
    haloes = Haloes(
        ids=np.arange(order.size),
        positions=positions[order],
        velocities=velocities[order],
        m200c=mass[order],
        r200c=radius[order],
    )
    return HaloField(
        haloes=haloes,
        concentration=draw_concentrations(settings, haloes.m200c),
        flow=make_flow(field, settings.cosmology.h),
        n_lost=int(wanted.sum()) - order.size,
    )


def make_bins(settings: UniverseSettings) -> list[_Bin]:
    """Bins of mass, most massive first."""
    n_bins = max(1, round(np.log10(settings.max_mass / settings.min_mass) / BIN_WIDTH))
    fine = np.geomspace(settings.min_mass, settings.max_mass, n_bins * _FINE + 1)
    number = linear.mass_function(settings, fine) * settings.box_size**3
    step = np.log(fine[1] / fine[0])
    bins = []
    for k in range(n_bins):
        part = slice(k * _FINE, (k + 1) * _FINE + 1)
        counts = 0.5 * step * (number[part][1:] + number[part][:-1])
        middle = float(np.exp(np.average(np.log(fine[part]), weights=number[part])))
        bins.append((fine[part], np.concatenate([[0.0], np.cumsum(counts)]), middle))
    middles = np.array([middle for _, _, middle in bins])
    lagrangian = linear.halo_bias(settings, middles) - 1.0
    radii = linear.lagrangian_radius(settings, middles)
    rows = [_Bin(k, bins[k][0], bins[k][1], float(lagrangian[k]), float(radii[k])) for k in range(n_bins)]
    return rows[::-1]


def _smoothed(field: LinearField, bins: list[_Bin]) -> Iterator[Field]:
    """For each bin the linear overdensity averaged over the larger of its patch and a cell; do not change it."""
    mesh, last, smooth = field.mesh, -1.0, np.zeros((0, 0, 0), np.float32)
    for one in bins:
        radius = max(one.radius, mesh.cell)
        if radius != last:
            last, smooth = radius, mesh.to_space(mesh.filtered(field.density, top_hat(mesh, radius)))
        yield smooth


def draw_bin(settings: UniverseSettings, mesh: Mesh, one: _Bin, smooth: Field) -> tuple[FloatArray, FloatArray, int]:
    """(masses, Lagrangian places, how many are wanted): candidates in order of preference, spare ones at the end.

    `smooth` is the linear overdensity that decides on the places.
    """
    counts = stream(settings.seed, "halo counts", one.index)
    wanted = int(counts.poisson(one.expected))
    n = wanted + (int(_SPARE * wanted) + 20 if wanted else 0)
    share = stream(settings.seed, "halo masses", one.index).random(n) * one.expected
    masses = np.exp(np.interp(share, one.cumulative, np.log(one.masses)))
    if n == 0:
        return masses, np.zeros((0, 3)), 0
    weights = np.float32(one.bias) * smooth
    weights -= weights.max()  # only ratios count
    np.exp(weights, out=weights)
    rng = stream(settings.seed, "halo places", one.index)
    cells = np.stack(np.unravel_index(_draw_cells(weights, rng.random(n)), weights.shape), axis=1)
    return masses, (cells + rng.random((n, 3)) - 0.5) * mesh.cell, wanted


def _draw_cells(weights: Field, numbers: FloatArray) -> NDArray[np.int64]:
    """Cells with probabilities in proportion to their weights, one for each number from 0 to 1; plane by plane."""
    planes = np.concatenate([[0.0], np.cumsum(weights.sum(axis=(1, 2), dtype=float))])
    target = numbers * planes[-1]
    plane = np.minimum(np.searchsorted(planes, target, side="right") - 1, len(weights) - 1)
    cells = np.empty(numbers.size, np.int64)
    order = np.argsort(plane, kind="stable")
    edges = np.searchsorted(plane[order], np.arange(len(weights) + 1))
    for k, (low, high) in enumerate(pairwise(edges)):
        if high > low:
            rows = order[low:high]
            inner = np.cumsum(weights[k].reshape(-1), dtype=float)
            found = np.searchsorted(inner, target[rows] - planes[k], side="right")
            cells[rows] = k * inner.size + np.minimum(found, inner.size - 1)
    return cells


def _patches(field: LinearField, radius: FloatArray) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """(Gaussian radius, rows) of haloes that share the smoothing of their displacements: steps of a factor 1.4."""
    steps = np.maximum(np.round(np.log(radius * _PATCH_TO_GAUSSIAN / field.cut) / np.log(1.4)), 0.0)
    for step in np.unique(steps):
        yield field.cut * 1.4**step, np.flatnonzero(steps == step)


def move(
    settings: UniverseSettings, field: LinearField, mass: FloatArray, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Positions [comoving Mpc] and velocities [km/s] of haloes from their Lagrangian places, (m, 3) each."""
    positions, velocities = places.copy(), np.zeros_like(places)
    for radius, rows in _patches(field, linear.lagrangian_radius(settings, mass)):
        nodes = field.mesh.nodes_of(places[rows])
        for axis, part in field.displacements(radius):
            positions[rows, axis] += nodes.values(part)
        for axis, part in field.velocities(radius):
            velocities[rows, axis] = nodes.values(part)
    return _wrap(positions, settings.box_size), velocities


def _wrap(positions: FloatArray, box_size: float) -> FloatArray:
    """Into [0, box_size); the remainder of a tiny negative number rounds up to the box size itself."""
    inside = positions % box_size
    inside[inside >= box_size] = 0.0
    return inside


def draw_concentrations(settings: UniverseSettings, m200c: FloatArray) -> FloatArray:
    """c200c: the median of Diemer & Joyce (2019) with a log-normal scatter of 0.145 dex (Bhattacharya et al. 2013)."""
    if m200c.size == 0:
        return np.zeros(0)
    grid = np.geomspace(0.99 * m200c.min(), 1.01 * m200c.max(), 200)
    median = np.interp(np.log(m200c), np.log(grid), np.log(linear.median_concentration(settings, grid)))
    scatter = stream(settings.seed, "concentrations").standard_normal(m200c.size)
    return np.asarray(np.exp(median) * 10.0 ** (CONCENTRATION_SCATTER * scatter))
