"""Masses from X-ray luminosities: the relation by which the MCXC catalogue has its masses; luminosity without cores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import _validate as check
from ...cosmology import Cosmology
from ...errors import BadInputError
from .power_law import FloatArray, PowerLaw
from .scaling_relation import QuantityEstimator

_LOG10_L, _SLOPE, _PIVOT, _EVOLUTION = 44.0 + 0.274, 1.64, math.log10(3e14), 7.0 / 3.0
_SCATTER = 0.40 / math.log(10.0)  #: 40 % in L at fixed Y_X, of which the masses are made
#: M500c [Msun] and redshift of the clusters behind it
VALID_MASS, VALID_REDSHIFT = (1e14, 1e15), (0.0, 0.2)


class LuminosityMass(QuantityEstimator):
    """M500c from ``quantities["l_x"]``, the luminosity within R500 in 0.1-2.4 keV [erg/s], cores included.

    E(z)^(-7/3) L / 1e44 erg/s = 10^0.274 (M500c / 3e14 Msun)^1.64 for h = 0.7 (equation 2 of [1]_), with L as h^-2 and
    M as h^-1. The scatter is 40 % in L, mostly from cool cores (abstract of [2]_).

    Notes
    -----
    Masses are flagged ``out_of_support`` outside 1e14 to 1e15 Msun and z < 0.2, the range of the 31 clusters of [2]_.
    Its masses are hydrostatic. Equation 2 gives the catalogue's own pair for Coma to 1e-4 (test); neither was compared
    with a copy of the paper here.

    References
    ----------
    .. [1] Piffaretti et al. 2011, A&A 534, A109 (MCXC).
    .. [2] Pratt et al. 2009, A&A 498, 361 (REXCESS).
    """

    name = "l-x-m"
    mass_definition = "M500c"
    source = "Piffaretti et al. 2011, A&A 534, A109, eq. 2; scatter: Pratt et al. 2009, A&A 498, 361"
    quantity = "l_x"

    def law(self, cosmology: Cosmology) -> PowerLaw:
        """The relation in a cosmology, for L in erg/s."""
        shift = (_SLOPE - 2.0) * math.log10(cosmology.h / 0.7)
        return PowerLaw(_LOG10_L + shift, _SLOPE, _PIVOT, _EVOLUTION, _SCATTER)

    def is_valid(self, log10_mass: FloatArray, log10_quantity: FloatArray, redshift: FloatArray) -> NDArray[np.bool_]:
        """Within the masses and redshifts of the clusters behind the relation."""
        low, high = np.log10(VALID_MASS)
        near = (redshift >= VALID_REDSHIFT[0]) & (redshift <= VALID_REDSHIFT[1])
        return np.asarray((log10_mass >= low) & (log10_mass <= high) & near)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """It has no settings."""
        return {}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        return cls()


def core_excised_luminosity(
    radius: ArrayLike, luminosity: ArrayLike, offsets: ArrayLike, r500: ArrayLike, *, inner: float = 0.15,
    outer: float = 1.0,
) -> NDArray[np.float64]:  # fmt: skip
    """Luminosity of clusters between `inner` and `outer` R500, from the luminosities of gas particles or pixels.

    Parameters
    ----------
    radius : array_like of float, shape (n_items,)
        From the centre, in space or projected, in the unit of `r500`.
    luminosity : array_like of float, shape (n_items,)
        Of each (`bremsstrahlung_luminosity`), any unit; not negative.
    offsets : array_like of int, shape (n + 1,)
        Items of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1``.
    r500 : array_like of float, shape (n,)
        R500 of each cluster.
    inner, outer : float
        In units of R500; inner <= r < outer counts. 0.15 and 1 are those of the literature; 0 leaves the core in.

    Returns
    -------
    ndarray of float64, shape (n,)
        In the unit of `luminosity`; 0 for a cluster without items there.

    Raises
    ------
    ArrayError, BadInputError, DomainError

    Examples
    --------
    >>> core_excised_luminosity([0.05, 0.5, 2.0], [100.0, 7.0, 3.0], [0, 3], [1.0])
    array([7.])
    """
    inner, outer = _limits(inner, outer)
    r = check.float64_array(radius, "radius", (None,))
    light = check.float64_array(luminosity, "luminosity", (r.size,))
    edges = check.offsets(offsets, total=r.size)
    reach = check.float64_array(r500, "r500", (edges.size - 1,))
    for values, name in ((r, "radius"), (light, "luminosity"), (reach, "r500")):
        check.check_finite(values, name)
        check.check_not_negative(values, name)
    cluster = np.repeat(np.arange(edges.size - 1), np.diff(edges))
    inside = (r >= inner * reach[cluster]) & (r < outer * reach[cluster])
    return np.bincount(cluster[inside], light[inside], minlength=edges.size - 1).astype(np.float64)


def profile_luminosity(
    radius: ArrayLike, emissivity: ArrayLike, r500: float, *, inner: float = 0.15, outer: float = 1.0
) -> float:
    """Luminosity between `inner` and `outer` R500 of a spherical profile of emission.

    Parameters
    ----------
    radius : array_like of float, shape (k,)
        Rising, above zero, from at most ``inner * r500`` to at least ``outer * r500``.
    emissivity : array_like of float, shape (k,)
        Power per volume, in units of radius cubed; above zero. A power law is taken between the points.
    r500 : float
        In the unit of `radius`.
    inner, outer : float
        In units of R500.

    Returns
    -------
    float
        4 pi times the integral of emissivity r^2 dr.

    Raises
    ------
    BadInputError
        If the profile does not reach from one limit to the other, or is not above zero.

    Examples
    --------
    >>> round(profile_luminosity([0.1, 0.5, 2.0], [1.0, 1.0, 1.0], 1.0) / (4 * np.pi / 3 * (1 - 0.15**3)), 12)
    1.0
    """
    inner, outer = _limits(inner, outer)
    r = check.float64_array(radius, "radius", (None,))
    e = check.float64_array(emissivity, "emissivity", (r.size,))
    low, high = inner * check.number(r500, "r500", above=0), outer * float(r500)
    if r.size < 2 or not (np.diff(r) > 0).all() or not r[0] > 0 or not (e > 0).all():
        raise BadInputError("`radius` must rise and be above zero, and `emissivity` must be above zero")
    if r[0] > low or r[-1] < high:
        raise BadInputError(f"`radius` must reach from {low:g} to {high:g}, it goes from {r[0]:g} to {r[-1]:g}")
    edge = np.concatenate([[low], r[(r > low) & (r < high)], [high]])
    value = np.exp(np.interp(np.log(edge), np.log(r), np.log(e)))
    power = np.diff(np.log(value * edge**3)) / np.diff(np.log(edge))  # of emissivity r^3
    start = value[:-1] * edge[:-1] ** 3
    step = np.diff(np.log(edge))
    return float(4.0 * np.pi * (start * step * _expm1_ratio(power * step)).sum())


def _expm1_ratio(x: FloatArray) -> FloatArray:
    """(e^x - 1) / x, 1 at 0."""
    safe = np.where(np.abs(x) < 1e-12, 1.0, x)
    return np.where(np.abs(x) < 1e-12, 1.0, np.expm1(safe) / safe)


def _limits(inner: Any, outer: Any) -> tuple[float, float]:
    low = check.number(inner, "inner", low=0)
    return low, check.number(outer, "outer", above=low)
