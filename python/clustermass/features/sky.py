"""Places on the sky relative to cluster centres, given or found, in comoving Mpc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import BadInputError, DomainError, MissingFieldError
from . import by_group

FloatArray = NDArray[np.float64]
UNIVERSAL_Y_RATIO = 1.796  #: Y(5 R500) / Y(R500) of the pressure profile of Arnaud et al. 2010 (I(5) / I(1))
_SHRINK, _TURNS, _FEWEST = 0.9, 40, 8  #: of the circles that find the peak


def unit_vectors(ra: FloatArray, dec: FloatArray) -> FloatArray:
    """Directions, shape (k, 3), of right ascensions and declinations in radians."""
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def tangent_offsets(ra: FloatArray, dec: FloatArray, centre_ra: FloatArray, centre_dec: FloatArray) -> FloatArray:
    """Angles east and north of the centres [rad], shape (2, k): the great-circle distance, split by its direction.

    Exact at any distance and across 0h and the poles.

    Examples
    --------
    >>> np.degrees(tangent_offsets(*np.radians([[359.9], [0.0]]), *np.radians([[0.1], [0.0]]))).round(6).tolist()
    [[-0.2], [0.0]]
    """
    away = ra - centre_ra
    east = np.cos(dec) * np.sin(away)
    north = np.sin(dec) * np.cos(centre_dec) - np.cos(dec) * np.sin(centre_dec) * np.cos(away)
    along = np.sin(dec) * np.sin(centre_dec) + np.cos(dec) * np.cos(centre_dec) * np.cos(away)
    across = np.hypot(east, north)
    angle = np.arctan2(across, along)
    scale = np.where(across > 0, angle / np.where(across > 0, across, 1.0), 0.0)
    return np.stack([east * scale, north * scale])


def mean_direction(ra: FloatArray, dec: FloatArray, group: NDArray[np.int64], n: int) -> tuple[FloatArray, FloatArray]:
    """Right ascension and declination [rad] of the mean of each group's directions; NaN for an empty group."""
    vectors = unit_vectors(ra, dec)
    mean = np.stack([by_group.group_mean(vectors[:, k], group, n) for k in range(3)])
    return np.arctan2(mean[1], mean[0]) % (2 * math.pi), np.arctan2(mean[2], np.hypot(mean[0], mean[1]))


def peak_direction(ra: FloatArray, dec: FloatArray, group: NDArray[np.int64], n: int) -> tuple[FloatArray, FloatArray]:
    """Right ascension and declination [rad] of the densest part of each group.

    From the mean of all galaxies, circles shrink by a tenth at a time about the mean of what is in them, until they
    hold fewer than a fifth of the galaxies (or fewer than eight).
    """
    centre_ra, centre_dec = mean_direction(ra, dec, group, n)
    east, north = tangent_offsets(ra, dec, centre_ra[group], centre_dec[group])
    at_east, at_north = np.zeros(n), np.zeros(n)
    reach = np.zeros(n)
    np.maximum.at(reach, group, np.hypot(east, north))
    fewest = np.maximum(_FEWEST, np.bincount(group, minlength=n) / 5.0)
    going = np.ones(n, bool)
    for _ in range(_TURNS):
        inside = np.hypot(east - at_east[group], north - at_north[group]) <= reach[group]
        count = np.bincount(group[inside], minlength=n)
        going &= count >= fewest
        if not going.any():
            break
        for at, values in ((at_east, east), (at_north, north)):
            mean = by_group.group_mean(values[inside], group[inside], n)
            at[going] = mean[going]
        reach[going] *= _SHRINK
    return _moved(centre_ra, centre_dec, at_east, at_north)


def _moved(ra: FloatArray, dec: FloatArray, east: FloatArray, north: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The direction at angles east and north of another."""
    angle = np.hypot(east, north)
    share = np.sinc(angle / math.pi)  # sin(angle) / angle
    e, n, c = east * share, north * share, np.cos(angle)
    up = c * np.sin(dec) + n * np.cos(dec)
    out = c * np.cos(dec) - n * np.sin(dec)
    return (ra + np.arctan2(e, out)) % (2 * math.pi), np.arctan2(up, np.hypot(e, out))


def offsets_of(
    table: Any, about: Any, galaxies: Any, redshift: FloatArray, centre: Any, near: NDArray[np.bool_],
    cosmology: Cosmology,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """x (to the east) and y (to the north) of galaxies [comoving Mpc]; x = R and y = 0 where only R is known.

    Parameters
    ----------
    table, about : Catalogue, Catalogue or None
        Of the galaxies, of the clusters.
    galaxies
        Rows, groups and columns of the galaxies (`galaxy_tables`), which of them are angles or physical lengths.
    redshift : (n,) float64
        Of the clusters.
    centre : {"given", "peak", "mean"}, (ra, dec) in degrees, or None
        As for `read_galaxy_table`.
    near : (k,) bool
        Galaxies that may say where the centre is.
    cosmology : Cosmology
        Of distances.
    """
    columns, group = galaxies.columns, galaxies.group
    if "x" in columns and galaxies.place == ("x", "y"):
        x, y = (_lengths(table, galaxies, name, redshift[group], cosmology) for name in ("x", "y"))
        return x, y
    has_radius = "projected_radius" in columns
    if galaxies.place == ("ra", "dec"):
        if (np.abs(columns["dec"]) > math.pi / 2 + 1e-12).any():
            worst = math.degrees(np.abs(columns["dec"]).max())
            raise BadInputError(f"{table.path}: `dec` must lie between -90 and 90 degrees, got {worst:g}")
        found = _centres(table, about, galaxies, centre, near, keep_radius=has_radius)
        if found is not None:
            angles = tangent_offsets(columns["ra"], columns["dec"], found[0][group], found[1][group])
            scale = _distance(redshift[group], cosmology)
            return angles[0] * scale, angles[1] * scale
    elif centre is not None and centre != "given":
        raise MissingFieldError(f"{table.path}: `centre` needs columns ra and dec")
    radius = _lengths(table, galaxies, "projected_radius", redshift[group], cosmology)
    if (radius < 0).any():
        raise BadInputError(f"{table.path}: `projected_radius` must not be negative, got {radius.min():g}")
    return radius, np.zeros_like(radius)


def _lengths(table: Any, galaxies: Any, name: str, z: FloatArray, cosmology: Cosmology) -> FloatArray:
    """A column of lengths or angles as comoving Mpc."""
    values: FloatArray = galaxies.columns[name]
    if name in galaxies.angles:
        return values * _distance(z, cosmology)
    return values * (1.0 + z) if name in galaxies.physical else values


def _distance(z: FloatArray, cosmology: Cosmology) -> FloatArray:
    if z.size and not (z > 0).all():
        raise BadInputError("`redshift` of clusters must be above zero where places are angles, got 0")
    unique, inverse = np.unique(z, return_inverse=True)
    return np.asarray(cosmology.transverse_distance(unique)[inverse.ravel()])


def _centres(
    table: Any, about: Any, galaxies: Any, centre: Any, near: NDArray[np.bool_], keep_radius: bool
) -> tuple[FloatArray, FloatArray] | None:
    """Centres as asked for; None: there are none, but radii."""
    group, n, columns = galaxies.group, galaxies.n, galaxies.columns
    if not (centre is None or isinstance(centre, str)):
        ra, dec = (check.number(value, "centre") for value in centre)
        if not -90 <= dec <= 90:
            raise DomainError(f"`centre` must be (ra, dec) in degrees, got {centre!r}")
        return np.full(n, math.radians(ra)), np.full(n, math.radians(dec))
    if centre is not None:
        check.choice(centre, "centre", ("given", "peak", "mean"))
    if centre in (None, "given"):
        if about is not None and "ra" in about and "dec" in about:
            return np.asarray(about["ra"], np.float64), np.asarray(about["dec"], np.float64)
        if "cluster_ra" in table and "cluster_dec" in table:
            rows = galaxies.rows
            pair = (np.asarray(table[name], np.float64)[rows] for name in ("cluster_ra", "cluster_dec"))
            medians = [by_group.group_median(values, group, n) for values in pair]
            return medians[0], medians[1]
        if keep_radius:
            return None
        if centre == "given":
            raise MissingFieldError(f"{table.path}: no column has the centres (cluster_ra, cluster_dec, or a table of "
                                    f"clusters with ra and dec)")  # fmt: skip
    find = mean_direction if centre == "mean" else peak_direction
    return find(columns["ra"][near], columns["dec"][near], group[near], n)


def compton_area(y_5r500_arcmin2: FloatArray, redshift: FloatArray, cosmology: Cosmology) -> FloatArray:
    """Intrinsic Y500 = D_A^2 Y [Mpc^2] of the apparent Y within 5 R500 [arcmin^2], by the universal profile."""
    arcmin = math.pi / 10800
    distance = cosmology.angular_diameter_distance(redshift)
    return np.asarray(y_5r500_arcmin2 / UNIVERSAL_Y_RATIO * (arcmin * distance) ** 2)
