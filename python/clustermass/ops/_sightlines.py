"""Geometry and velocities of the queries of `select_lightcone`, as numbers that every backend shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate, units
from ..cosmology import Cosmology
from ..errors import ArrayError, BadInputError, DomainError
from .views import view_rotations

FloatArray = NDArray[np.float64]
MAX_REDSHIFT = 10.0
_NEWTON_STEPS = 8  # 7 reach the last bits at z = 10
_STEP = 4.0  # comoving Mpc between nodes of z(d): the error is below 1e-6 km/s for z <= 3 (tests/ops/test_lightcone.py)
_SLACK = 1e-3  # comoving Mpc that the range of depths is wider than it must be


@dataclass(frozen=True, eq=False)
class Sightlines:
    """The queries of a call. `numbers` has aperture, near, far, distance, velocity and Hubble flow of each: see
    ``Sightline`` in ``math/lightcone.hpp``."""

    centres: FloatArray
    rotations: FloatArray
    numbers: FloatArray
    table: FloatArray
    table_start: float
    table_per_step: float
    max_velocity: float
    is_cone: bool
    is_relativistic: bool

    def __len__(self) -> int:
        return len(self.centres)


def recession_velocity(redshift: FloatArray) -> FloatArray:
    """c ((1+z)^2 - 1) / ((1+z)^2 + 1) [km/s]."""
    squared = (1.0 + redshift) ** 2
    return np.asarray(units.SPEED_OF_LIGHT * (squared - 1.0) / (squared + 1.0))


def recession_table(cosmology: Cosmology, low: float, high: float) -> tuple[FloatArray, float, float]:
    """Cubic Hermite polynomials of the recession velocity by comoving distance, from d_c(low) to beyond d_c(high).

    Returns the coefficients (4, n), lowest power first, of the place in an interval from 0 to 1; the start of the first
    interval [Mpc] and the intervals per Mpc. The nodes are multiples of the step, each solved on its own, so that a
    velocity has the same bits whichever other queries share its call.
    """
    near, stop = (float(d) for d in cosmology.comoving_distance(np.array([low, high])))
    start = _STEP * np.floor(near / _STEP)
    nodes = start + _STEP * np.arange(int(np.ceil((stop - start) / _STEP)) + 2)
    per_mpc = 100.0 * cosmology.h / units.SPEED_OF_LIGHT  # H0 / c
    z = nodes * per_mpc  # Hubble's law is low: Newton's steps rise to the solution
    for _ in range(_NEWTON_STEPS):  # dd/dz = c / H
        z = np.maximum(z + (nodes - cosmology.comoving_distance(z)) * per_mpc * cosmology.expansion(z), 0.0)
    value, growth = recession_velocity(z), 1.0 + z
    slope = units.SPEED_OF_LIGHT * 4.0 * growth / (growth**2 + 1.0) ** 2 * per_mpc * cosmology.expansion(z) * _STEP
    rise = np.diff(value)
    first, second = slope[:-1], slope[1:]
    table = np.stack([value[:-1], first, 3 * rise - 2 * first - second, first + second - 2 * rise])
    return np.ascontiguousarray(table), start, 1.0 / _STEP


def _depth_limits(cosmology: Cosmology, z: FloatArray) -> FloatArray:
    """Comoving distances that may be off by _SLACK / 2: interpolated where that takes fewer integrals."""
    low, high = float(z.min(initial=MAX_REDSHIFT)), float(z.max(initial=0.0))
    n = 3 + int(2000.0 * max(high - low, 0.0))
    if n < z.size:
        nodes = np.linspace(low, high, n)
        distances = cosmology.comoving_distance(nodes)
        if np.abs(np.diff(distances, 2)).max() / 8.0 < 0.5 * _SLACK:  # the error of a straight line between nodes
            return np.interp(z, nodes, distances)
    return cosmology.comoving_distance(z)


def _per_query(value: ArrayLike, name: str, n: int) -> FloatArray:
    array = _validate.float_array(np.atleast_1d(np.asarray(value)), name, (None,), dtype=np.float64)
    _validate.check_finite(array, name)
    if array.size not in (1, n):
        raise ArrayError(f"`{name}` must be a number or have shape ({n},), got {array.shape}")
    return np.ascontiguousarray(np.broadcast_to(array, (n,)))


def _vectors(value: ArrayLike, name: str, n: int | None, unit: str | None) -> FloatArray:
    array = _validate.float_array(value, name, (n, 3), unit=unit, dtype=np.float64)
    _validate.check_finite(array, name)
    return np.asarray(array, np.float64)


def _same_or_each(function: Callable[[FloatArray], FloatArray], z: FloatArray) -> FloatArray:
    """A function of z, called once where all z are equal."""
    return np.full(z.size, function(z[:1])[0]) if z.size and (z == z[0]).all() else function(z)


def _frames(value: ArrayLike, n: int) -> FloatArray:
    """Rotation of each line of sight: rows are x, y and the line itself."""
    sight = _vectors(value, "lines_of_sight", n, None)
    zero = (sight == 0).all(axis=1)
    if zero.any():
        raise BadInputError(f"`lines_of_sight` must not be zero, first at index {int(np.argmax(zero))}")
    return np.ascontiguousarray(view_rotations(sight)) if n else np.empty((0, 3, 3))


def _redshifts(value: ArrayLike, n: int, needs_distance: bool) -> FloatArray:
    z = _per_query(value, "redshift", n)
    low_ok = (z > 0) if needs_distance else (z >= 0)
    if not (low_ok & (z <= MAX_REDSHIFT)).all():
        bound = "> 0" if needs_distance else ">= 0"
        worst = z[~(low_ok & (z <= MAX_REDSHIFT))][0]
        raise DomainError(f"`redshift` must be {bound} and <= {MAX_REDSHIFT:g}, got {worst:g}")
    return z


def _check_speed(fastest: float) -> None:
    if fastest >= units.SPEED_OF_LIGHT:
        raise DomainError(f"`max_velocity` and all velocities must be below that of light, got {fastest:g} km/s")


def _check_reach(reach: float, box: float, name: str) -> None:
    """The nearest image across the line of sight must be the only one."""
    if 2 * reach > box * (1 + 1e-9):
        raise DomainError(f"`{name}` must reach at most half the box of {box:g} Mpc, got {reach:g} Mpc at the far end")


def _rapidity(velocity: Any) -> Any:
    return np.arctanh(velocity / units.SPEED_OF_LIGHT)


def make_sightlines(
    centres: ArrayLike,
    velocities: ArrayLike,
    lines_of_sight: ArrayLike,
    *,
    redshift: float | ArrayLike,
    cosmology: Cosmology,
    max_velocity: float,
    aperture: float | None,
    angle: float | None,
    is_relativistic: bool,
    box: float | None,
    max_speed: float,
) -> Sightlines:
    """Check the queries and work out what depends on the query alone."""
    c = _vectors(centres, "centres", None, units.LENGTH)
    n = len(c)
    u = _vectors(velocities, "velocities", n, units.VELOCITY)
    if (aperture is None) == (angle is None):
        raise DomainError(f"give either `aperture` or `angle`, got {aperture!r} and {angle!r}")
    window = _validate.number(max_velocity, "max_velocity", above=0, unit=units.VELOCITY)
    z = _redshifts(redshift, n, is_relativistic or angle is not None)
    rotations = _frames(lines_of_sight, n)
    along = np.einsum("qa,qa->q", rotations[:, 2], u)
    if is_relativistic:
        _check_speed(max(window, max_speed, float(np.abs(along).max(initial=0.0))))
    distance = _same_or_each(cosmology.comoving_distance, z)
    hubble = 100.0 * cosmology.h * cosmology.expansion(z) / (1.0 + z)
    table, start, per_step = np.zeros((4, 0)), 0.0, 1.0
    if is_relativistic:
        # The recession velocity of redshift z has the rapidity ln(1 + z), and rapidities add up.
        middle, width = np.log1p(z) + _rapidity(along), _rapidity(window) + _rapidity(max_speed)
        z_near, z_far = np.expm1(np.maximum(middle - width, 0.0)), np.expm1(np.maximum(middle + width, 0.0))
        near, far = _depth_limits(cosmology, z_near) - distance, _depth_limits(cosmology, z_far) - distance
        if n:
            table, start, per_step = recession_table(cosmology, float(z_near.min()), float(z_far.max()))
        own = recession_velocity(z)
        velocity = (own + along) / (1.0 + own * along / units.SPEED_OF_LIGHT**2)
    else:
        near, far = (along - window - max_speed) / hubble, (along + window + max_speed) / hubble
        velocity = along
    if angle is not None:
        tangent = np.tan(_validate.number(angle, "angle", above=0, high=1.57, unit=units.ANGLE))
        near = np.maximum(near, -distance)
        reach, radius = tangent * (distance + far), tangent * distance
    else:
        reach = radius = np.full(n, _validate.number(aperture, "aperture", above=0, unit=units.LENGTH))
    if box is not None:
        _check_reach(float(reach.max(initial=0.0)), box, "aperture" if angle is None else "angle")
        c = c - box * np.floor(c / box)
    numbers = np.stack([radius, near - _SLACK, far + _SLACK, distance, velocity, hubble], axis=1)
    return Sightlines(
        np.ascontiguousarray(c), rotations, np.ascontiguousarray(numbers), table, start, per_step,
        window, angle is not None, is_relativistic,
    )  # fmt: skip


def axis_directions() -> NDArray[np.float64]:
    """Return the lines of sight along the axes of the box: x, y and z.

    Returns
    -------
    ndarray of float64, shape (3, 3)
        One unit vector a row.

    Raises
    ------
    Nothing.

    Examples
    --------
    >>> axis_directions().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return np.eye(3)


def fibonacci_directions(n: int, seed: int) -> NDArray[np.float64]:
    r"""Spread lines of sight evenly over the sphere: a Fibonacci sphere with a random offset, in random order.

    Point i of n has :math:`z_i = 2 (i + 1/2) / n - 1` and the azimuth :math:`\pi (3 - \sqrt 5) i + 2 \pi U`, one U in
    [0, 1) for all [1]_.

    Parameters
    ----------
    n : int
        Number of lines, at least 0.
    seed : int
        From 0 to 2^64 - 1.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        One unit vector a row. They are shuffled, so that the first few of many do not lie around one pole.

    Raises
    ------
    DTypeError, DomainError

    Notes
    -----
    The offset turns the sphere about the z axis and leaves z_i as they are. Offset and order are functions of the seed
    and n: numbers of Philox with the key (seed, n).

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25, section 2 and ``make_mocks.py`` of its code.

    Examples
    --------
    >>> lines = fibonacci_directions(100, seed=1)
    >>> bool(np.abs(lines.mean(axis=0)).max() < 0.01)
    True
    """
    n = _validate.integer(n, "n", low=0)
    numbers = np.random.Generator(np.random.Philox(key=np.array([_validate.seed(seed), n], np.uint64))).random(n + 1)
    i = np.argsort(numbers[1:], kind="stable")
    z = 2.0 * (i + 0.5) / max(n, 1) - 1.0
    azimuth = np.pi * (3.0 - np.sqrt(5.0)) * i + 2.0 * np.pi * numbers[0]
    across = np.sqrt(1.0 - z * z)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], axis=1)
