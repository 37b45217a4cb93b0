"""What was drawn beside what was asked for: mass function, bias, clustering and infall of haloes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ....errors import DomainError
from ...universe import Universe
from . import linear
from .check_tables import CheckTable
from .field import growth_rates, make_field
from .flow import deposit_matter
from .mesh import Mesh, Modes
from .settings import UniverseSettings

FloatArray = NDArray[np.float64]
Bins = tuple[tuple[float, float], ...]
Filled = tuple[float, float, NDArray[np.int64], float, float]

MASS_FUNCTION_WITHIN, BIAS_WITHIN = 0.10, 0.20
CLUSTERING_WITHIN, INFALL_WITHIN = 0.30, 0.30
_MASS_EDGES = np.arange(13.5, 15.01, 0.25)  # log10 Msun/h
_BIAS_BINS = ((12.0, 12.5), (12.5, 13.0), (13.0, 13.5), (13.5, 14.0), (14.0, 14.5), (14.5, 15.5))
_PAIR_BINS = ((12.5, 13.0), (13.0, 13.5), (13.5, 14.5))
_PAIR_EDGES = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0])  # Mpc/h
_INFALL_EDGES = np.array([2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0])
_LARGE_SCALES = 0.1  # h/Mpc: bias is measured at smaller wave numbers
_SIGMAS = 3.0  # of the noise of counting, within which a difference may be chance


def check_haloes(universe: Universe, settings: UniverseSettings) -> list[CheckTable]:
    """Compare the haloes of a generated universe with the relations that they were drawn from.

    Parameters
    ----------
    universe : Universe
        Periodic.
    settings : UniverseSettings
        That made it; the matter of the box is made again from them for the bias.

    Returns
    -------
    list of CheckTable
        Mass function, bias, two-point function, pairwise velocity.

    Raises
    ------
    DomainError
        If the box is not periodic or not that of the settings, or it holds no halo.
    """
    if not universe.is_periodic or not np.isclose(universe.box_size, settings.box_size, rtol=1e-9):
        raise DomainError(
            f"`universe` must be the periodic box of {settings.box_size:g} Mpc of its settings, got one of "
            f"{universe.box_size:g} Mpc"
        )
    if universe.haloes.n == 0:
        raise DomainError("`universe` must hold haloes, got none")
    return [
        check_mass_function(universe, settings),
        check_bias(universe, settings),
        check_two_point(universe, settings),
        check_infall(universe, settings),
    ]


def _log_mass(universe: Universe) -> FloatArray:
    """log10 M200c [Msun/h]."""
    return np.asarray(np.log10(universe.haloes.m200c * universe.cosmology.h))


def _expected(settings: UniverseSettings, low: float, high: float) -> tuple[float, float]:
    """(number in the box, mean bias by number) between two log10 M200c [Msun/h]; 0 and NaN outside the range drawn."""
    h = settings.cosmology.h
    least, most = max(10**low / h, settings.min_mass), min(10**high / h, settings.max_mass)
    if not most > least:
        return 0.0, float("nan")
    mass = np.geomspace(least, most, 200)
    number = linear.mass_function(settings, mass) * settings.box_size**3
    bias = np.average(linear.halo_bias(settings, mass), weights=number)
    return float(np.trapezoid(number, np.log(mass))), float(bias)


def _filled(universe: Universe, settings: UniverseSettings, bins: Bins, least: int) -> Iterator[Filled]:
    """(low, high, rows, expected number, expected bias) of the bins that lie in the range drawn and hold enough."""
    log_mass, h = _log_mass(universe), settings.cosmology.h
    for low, high in bins:
        if low < np.log10(settings.min_mass * h) - 1e-9:
            continue
        rows = np.flatnonzero((log_mass >= low) & (log_mass < high))
        number, bias = _expected(settings, low, high)
        if rows.size >= least and number > 0:
            yield low, high, rows, number, bias


def check_mass_function(universe: Universe, settings: UniverseSettings) -> CheckTable:
    """Counts in bins of mass against Tinker et al. 2008."""
    bins = tuple((float(low), float(high)) for low, high in pairwise(_MASS_EDGES))
    rows, met = [], True
    for low, high, found, number, _ in _filled(universe, settings, bins, least=0):
        allowed = max(MASS_FUNCTION_WITHIN * number, _SIGMAS * number**0.5)
        met &= abs(found.size - number) <= allowed
        rows.append((low, high, found.size, number, found.size / number, number**-0.5))
    return CheckTable(
        title="Halo mass function",
        source="Tinker et al. 2008, M200c",
        columns=("log10 M from [Msun/h]", "to", "haloes", "expected", "ratio", "Poisson error"),
        rows=tuple(rows),
        is_met=bool(met) if rows else None,
    )


def halo_modes(positions: FloatArray, mesh: Mesh) -> Modes:
    """Modes of the overdensity of points (m, 3) on a mesh."""
    total = np.zeros(mesh.n**3)
    mesh.nodes_of(positions).add_to([total], [1.0])
    return mesh.to_modes((total / total.mean() - 1.0).astype(np.float32).reshape((mesh.n,) * 3))


def check_bias(universe: Universe, settings: UniverseSettings) -> CheckTable:
    """Cross power of haloes and matter over that of matter, k < 0.1 h/Mpc, against Tinker et al. 2010.

    Matter is the displaced mesh of the same seed, so the chance of one realisation cancels.
    """
    field = make_field(settings)
    mesh = Mesh(max(8, field.mesh.n // 4 * 2), field.mesh.box_size)  # large scales do not need the finer one
    mass, _ = deposit_matter(field, mesh)
    matter = mesh.to_modes(mass - np.float32(1.0))
    axis, half = mesh.integers(), np.arange(mesh.n // 2 + 1)
    square = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half**2
    large = (square > 0) & (mesh.lowest * np.sqrt(square) < _LARGE_SCALES * settings.cosmology.h) & (half > 0)
    power = float((np.abs(matter[large]) ** 2).sum())
    rows, met = [], True
    bins = _BIAS_BINS if power > 0 else ()  # a box below 65 Mpc/h has no wave that long
    for low, high, found, _, bias in _filled(universe, settings, bins, least=20):
        haloes = halo_modes(universe.haloes.positions[found], mesh)
        measured = float((haloes[large] * matter[large].conj()).real.sum()) / power
        error = mesh.n**3 * (0.5 / found.size / power) ** 0.5  # of counting
        met &= abs(measured - bias) <= max(BIAS_WITHIN * bias, _SIGMAS * error)
        rows.append((low, high, found.size, measured, bias, measured / bias, error / bias))
    return CheckTable(
        title="Halo bias",
        source="Tinker et al. 2010; haloes with matter at k < 0.1 h/Mpc",
        columns=("log10 M from [Msun/h]", "to", "haloes", "bias", "expected", "ratio", "counting error"),
        rows=tuple(rows),
        is_met=bool(met) if rows else None,
    )


def close_pairs(universe: Universe, rows: NDArray[np.int64], reach: float) -> tuple[FloatArray, FloatArray]:
    """(distance [comoving Mpc], radial relative velocity [km/s]) of all pairs of some haloes within a reach [Mpc]."""
    from scipy.spatial import cKDTree

    box = universe.box_size
    positions, velocities = universe.haloes.positions[rows] % box, universe.haloes.velocities[rows]
    positions[positions >= box] = 0.0
    pairs = cKDTree(positions, boxsize=box).query_pairs(reach, output_type="ndarray")
    away = positions[pairs[:, 0]] - positions[pairs[:, 1]]
    away -= box * np.round(away / box)
    distance = np.linalg.norm(away, axis=1)
    velocity = velocities[pairs[:, 0]] - velocities[pairs[:, 1]]
    return distance, (velocity * away).sum(axis=1) / np.maximum(distance, 1e-12)


def _linear_correlation(settings: UniverseSettings, radius: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Linear two-point function of matter at radii [Mpc], and its mean inside them."""
    h = settings.cosmology.h
    fine = np.geomspace(0.05, 60.0, 400)  # Mpc/h
    with linear.colossus_cosmology(settings) as cosmo:
        growth = cosmo.growthFactor(settings.redshift)
        xi = growth**2 * cosmo.correlationFunction(fine, ps_args={"model": linear.POWER})
    inside = np.concatenate(
        [[xi[0] * fine[0] ** 3 / 3], 0.5 * np.diff(fine) * (xi[1:] * fine[1:] ** 2 + xi[:-1] * fine[:-1] ** 2)]
    )
    mean = 3.0 * np.cumsum(inside) / fine**3
    at = np.asarray(radius) * h
    return np.interp(at, fine, xi), np.interp(at, fine, mean)


def check_two_point(universe: Universe, settings: UniverseSettings) -> CheckTable:
    """Two-point function of haloes against b^2 times that of linear matter; a verdict on 5 to 10 Mpc/h."""
    h, rows, met, judged = settings.cosmology.h, [], True, False
    edges = _PAIR_EDGES / h
    middle = (0.5 * (edges[1:] ** 3 + edges[:-1] ** 3)) ** (1 / 3)
    xi, _ = _linear_correlation(settings, middle)
    for low, high, found, _, bias in _filled(universe, settings, _PAIR_BINS, least=200):
        distance, _ = close_pairs(universe, found, edges[-1])
        count = np.histogram(distance, edges)[0]
        chance = 0.5 * found.size**2 * 4 / 3 * np.pi * np.diff(edges**3) / settings.box_size**3
        for k, radius in enumerate(middle):
            measured, expected = count[k] / chance[k] - 1.0, bias**2 * xi[k]
            error = max(count[k], 1) ** 0.5 / chance[k]
            if edges[k] * h >= 4.99:
                judged = True
                met &= abs(measured - expected) <= max(CLUSTERING_WITHIN * expected, _SIGMAS * error)
            rows.append((low, high, radius * h, measured, expected, measured / expected, error / expected))
    return CheckTable(
        title="Halo two-point function",
        source="linear theory, Eisenstein & Hu 1998, with Tinker et al. 2010; verdict on 5 to 10 Mpc/h",
        columns=("log10 M from [Msun/h]", "to", "r [Mpc/h]", "xi", "b^2 xi linear", "ratio", "counting error"),
        rows=tuple(rows),
        is_met=bool(met) if judged else None,
    )


def check_infall(universe: Universe, settings: UniverseSettings) -> CheckTable:
    """Mean radial velocity of pairs of haloes against stable pair conservation in linear theory; negative is infall.

    v = -(2/3) a H f r b xi_mean / (1 + b^2 xi): Sheth et al. 2001, MNRAS 325, 1288, with the mean correlation of linear
    matter inside r. Verdict: infall everywhere beyond 5 Mpc/h, and its size on 10 to 20 Mpc/h.
    """
    h, epoch, rows, met, judged = settings.cosmology.h, settings.epoch, [], True, False
    edges = _INFALL_EDGES / h
    middle = (0.5 * (edges[1:] ** 3 + edges[:-1] ** 3)) ** (1 / 3)
    xi, mean = _linear_correlation(settings, middle)
    speed = 100.0 * epoch.h * epoch.expansion * epoch.scale_factor * growth_rates(settings)[1]
    for low, high, found, _, bias in _filled(universe, settings, _PAIR_BINS[1:2], least=200):
        distance, velocity = close_pairs(universe, found, edges[-1])
        for k, radius in enumerate(middle):
            inside = (distance >= edges[k]) & (distance < edges[k + 1])
            if inside.sum() < 2:
                continue
            expected = -(2.0 / 3.0) * speed * radius * bias * mean[k] / (1.0 + bias**2 * xi[k])
            measured, error = velocity[inside].mean(), velocity[inside].std() / inside.sum() ** 0.5
            if edges[k] * h >= 4.99:
                judged = True
                met &= measured < _SIGMAS * error
            if edges[k] * h >= 9.99:
                met &= abs(measured - expected) <= max(INFALL_WITHIN * abs(expected), _SIGMAS * error)
            rows.append(
                (low, high, radius * h, float(measured), float(expected), float(measured / expected), float(error))
            )
    return CheckTable(
        title="Pairwise velocity of haloes",
        source="linear theory, Sheth et al. 2001; verdict: infall beyond 5 Mpc/h, size beyond 10 Mpc/h",
        columns=("log10 M from [Msun/h]", "to", "r [Mpc/h]", "v [km/s]", "linear [km/s]", "ratio", "error [km/s]"),
        rows=tuple(rows),
        is_met=bool(met) if judged else None,
    )
