"""Which clusters are seen from where: the list of views that a set of maps is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import DomainError
from ..ops.views import view_rotations

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: lines of sight by name; "diagonal" is the fourth one of Yan et al. 2020
NAMED_DIRECTIONS: dict[str, tuple[float, float, float]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
    "diagonal": (0.5**0.5, -(0.5**0.5), 0.0),
}
DEFAULT_DIRECTIONS = tuple(NAMED_DIRECTIONS.values())


def _spread(n: int) -> tuple[tuple[float, float, float], ...]:
    """n directions even over a half sphere, in a golden-angle spiral: no line of sight is another one reversed."""
    k = np.arange(n) + 0.5
    height, angle = k / n, np.pi * (3.0 - 5.0**0.5) * k
    wide = np.sqrt(1.0 - height**2)
    vectors = np.stack([wide * np.cos(angle), wide * np.sin(angle), height], axis=1).tolist()
    return tuple((x, y, z) for x, y, z in vectors)


#: sets of lines of sight by name. "the300": as many as the maps of The Three Hundred for Planck-like networks have (de
#: Andres et al. 2022); which ones they are is not published, so these are even over a half sphere
DIRECTION_SETS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "axes": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "the300": _spread(27),
}
DIRECTION_NAMES = (*NAMED_DIRECTIONS, *DIRECTION_SETS)


def find_directions(directions: Sequence[str | Sequence[float]]) -> list[Sequence[float]]:
    """Vectors of the lines of sight of these names; a set stands for all of its own, a vector for itself.

    >>> len(find_directions(["diagonal", "the300", (1.0, 1.0, 0.0)]))
    29
    """
    found: list[Sequence[float]] = []
    for direction in directions:
        if not isinstance(direction, str):
            found.append(direction)
            continue
        check.choice(direction, "directions", DIRECTION_NAMES)
        found += DIRECTION_SETS.get(direction) or [NAMED_DIRECTIONS[direction]]
    return found


@dataclass(frozen=True)
class ViewPlan:
    """The geometry of n views, cluster after cluster; every field has one entry per view.

    The clusters keep the physical size that they have in the snapshot and are put at `redshift`: a pixel of angle
    `pixel_angle` spans the proper length ``pixel_angle * d_A(redshift)`` there, which is `pixel_size` in the comoving
    coordinates of the snapshot, ``pixel_angle * d_A(redshift) / scale_factor``.
    """

    target: IntArray  #: row of the list of clusters
    cluster_id: IntArray
    number: IntArray  #: 0, 1, 2 ... within a cluster
    centre: FloatArray  #: (n, 3) comoving Mpc
    direction: FloatArray  #: (n, 3) unit vector along the line of sight
    azimuth: FloatArray  #: turn about the line of sight [rad]
    rotation: FloatArray  #: (n, 3, 3): rows are the directions of image rows, image columns and line of sight
    redshift: FloatArray
    angular_diameter_distance: FloatArray  #: proper Mpc
    luminosity_distance: FloatArray  #: proper Mpc
    pixel_size: FloatArray  #: comoving Mpc per pixel at the scale factor of the snapshot

    def __len__(self) -> int:
        return len(self.target)

    def part(self, first: int, last: int) -> ViewPlan:
        """The views first .. last - 1."""
        return ViewPlan(*(getattr(self, f.name)[first:last] for f in fields(self)))


def _unit_vectors(directions: Any) -> FloatArray:
    vectors = check.float_array(directions, "directions", (None, 3), dtype=np.float64)
    check.check_finite(vectors, "directions")
    lengths = np.linalg.norm(vectors, axis=1)
    if not (lengths > 0).all():
        raise DomainError(f"`directions` must not have length zero, got {vectors[int(np.argmin(lengths))]}")
    return np.asarray(vectors / lengths[:, None])


def _uniforms(seed: int, cluster_id: int, number: int) -> FloatArray:
    """Four numbers in [0, 1) that depend on (seed, cluster, view) alone."""
    key = np.array([seed, cluster_id], np.uint64)
    bits = np.random.Philox(key=key, counter=np.array([0, 0, 0, number], np.uint64))
    return np.random.Generator(bits).random(4)


def plan_views(
    centres: Any,
    ids: Any,
    *,
    pixel_angle: float,
    scale_factor: float,
    cosmology: Cosmology,
    directions: Any = DEFAULT_DIRECTIONS,
    n_random: int = 0,
    redshift: float | Sequence[float] = (0.03, 0.07),
    seed: int,
) -> ViewPlan:
    """Lay out every view of every cluster: direction, azimuth, redshift and pixel size.

    Each cluster is seen along each of `directions` and along `n_random` directions drawn evenly over the sphere, with
    a random turn about the line of sight each time (document: Yan et al. 2020, section 2.2).

    Parameters
    ----------
    centres : array_like of float, shape (n, 3)
        Cluster centres [comoving Mpc].
    ids : array_like of int, shape (n,)
        Cluster numbers, all different: they key the random numbers.
    pixel_angle : float
        Angle of a pixel [rad], > 0.
    scale_factor : float
        Scale factor of the snapshot that the centres belong to, > 0.
    cosmology : Cosmology
        For the distances.
    directions : array_like of float, shape (k, 3)
        Lines of sight, of any length but zero.
    n_random : int
        Random lines of sight per cluster, >= 0.
    redshift : float or (low, high)
        Where the clusters are put: fixed, or drawn evenly for each view; > 0.
    seed : int
        Any integer from 0 to 2^64 - 1.

    Returns
    -------
    ViewPlan
        n * (k + n_random) views, cluster after cluster.

    Raises
    ------
    BadInputError, DomainError, ArrayError

    Notes
    -----
    Determinism: a view depends on (seed, cluster id, number of the view) alone, so leaving clusters out or adding
    views changes no other view.

    Examples
    --------
    >>> from clustermass.cosmology import PLANCK_2018
    >>> plan = plan_views([[1, 2, 3]], [7], pixel_angle=4.8e-5, scale_factor=1.0, cosmology=PLANCK_2018, seed=1)
    >>> len(plan), plan.direction[3].round(3).tolist()
    (4, [0.707, -0.707, 0.0])
    """
    centres = check.float_array(centres, "centres", (None, 3), unit="Mpc", dtype=np.float64)
    check.check_finite(centres, "centres")
    ids = np.asarray(ids)
    if ids.shape != (len(centres),) or ids.dtype.kind not in "iu":
        raise DomainError(f"`ids` must be {len(centres)} integers, got shape {ids.shape} of {ids.dtype}")
    ids = ids.astype(np.int64)
    check.check_not_negative(ids, "ids")
    if len(np.unique(ids)) != len(ids):
        raise DomainError("`ids` must all be different: two clusters with one number would share random numbers")
    fixed = _unit_vectors(directions) if len(directions) else np.empty((0, 3))
    n_random = check.integer(n_random, "n_random", low=0)
    if len(fixed) + n_random == 0:
        raise DomainError("`directions` is empty and `n_random` is 0: there is nothing to see")
    n_each = len(fixed) + n_random
    target = np.repeat(np.arange(len(ids)), n_each)
    number = np.tile(np.arange(n_each), len(ids))
    draws = _draws(check.seed(seed), ids[target], number)
    return _laid_out(
        centres, ids, target, number, _directions(fixed, number, draws), draws, pixel_angle=pixel_angle,
        scale_factor=scale_factor, cosmology=cosmology, redshift=redshift,
    )  # fmt: skip


def plan_sightlines(
    centres: FloatArray,
    ids: IntArray,
    target: IntArray,
    number: IntArray,
    directions: FloatArray,
    *,
    pixel_angle: float,
    scale_factor: float,
    cosmology: Cosmology,
    redshift: float | Sequence[float],
    seed: int,
) -> ViewPlan:
    """Views that are listed one by one: view `number` (m,) of cluster `target` (m,), along `directions` (m, 3).

    Everything else as in `plan_views`; turn and redshift of a view are the same there and here.
    """
    draws = _draws(check.seed(seed), ids[target], number)
    return _laid_out(
        centres, ids, target, number, _unit_vectors(directions), draws, pixel_angle=pixel_angle,
        scale_factor=scale_factor, cosmology=cosmology, redshift=redshift,
    )  # fmt: skip


def _draws(seed: int, ids: IntArray, number: IntArray) -> FloatArray:
    return np.array([_uniforms(seed, int(i), int(v)) for i, v in zip(ids, number, strict=True)]).reshape(-1, 4)


def _laid_out(
    centres: FloatArray, ids: IntArray, target: IntArray, number: IntArray, direction: FloatArray, draws: FloatArray, *,
    pixel_angle: float, scale_factor: float, cosmology: Cosmology, redshift: float | Sequence[float],
) -> ViewPlan:  # fmt: skip
    pixel_angle = check.number(pixel_angle, "pixel_angle", above=0, high=0.1, unit="rad")
    scale_factor = check.number(scale_factor, "scale_factor", above=0)
    low, high = _redshift_range(redshift)
    azimuth = 2.0 * np.pi * draws[:, 0]
    z = low + (high - low) * draws[:, 1]
    d_a = cosmology.angular_diameter_distance(z)
    return ViewPlan(
        target=target,
        cluster_id=ids[target],
        number=number,
        centre=centres[target],
        direction=direction,
        azimuth=azimuth,
        rotation=np.asarray(view_rotations(direction, azimuth=azimuth), np.float64),
        redshift=z,
        angular_diameter_distance=d_a,
        luminosity_distance=cosmology.luminosity_distance(z),
        pixel_size=pixel_angle * d_a / scale_factor,
    )


def _redshift_range(redshift: float | Sequence[float]) -> tuple[float, float]:
    low, high = (redshift, redshift) if np.ndim(redshift) == 0 else redshift  # type: ignore[misc]
    low, high = check.number(low, "redshift", above=0), check.number(high, "redshift", above=0)
    if low > high:
        raise DomainError(f"`redshift` must be a range from low to high, got {low:g} to {high:g}")
    return low, high


def _directions(fixed: FloatArray, number: IntArray, draws: FloatArray) -> FloatArray:
    """The fixed direction of a view, or one drawn evenly over the sphere for the numbers beyond them."""
    cos_polar, angle = 2.0 * draws[:, 2] - 1.0, 2.0 * np.pi * draws[:, 3]
    sin_polar = np.sqrt(1.0 - cos_polar**2)
    drawn = np.stack([sin_polar * np.cos(angle), sin_polar * np.sin(angle), cos_polar], axis=1)
    is_fixed = number < len(fixed)
    drawn[is_fixed] = fixed[number[is_fixed]]
    return drawn
