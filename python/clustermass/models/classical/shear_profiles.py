"""Profiles of gravitational shear around clusters, and what an NFW halo does to the images behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...constants import NEWTON
from ...cosmology import Cosmology
from ...errors import BadInputError, DomainError
from ...nfw import critical_density, enclosed, radius_of_mass
from ...ragged import take_rows
from ...units import SPEED_OF_LIGHT

FloatArray = NDArray[np.float64]
_TERMS = np.arange(24)
# (2n)! / (4^n n!^2) / (2n) for n = 1 to 24: arccosh(1/x) = ln(2/x) - sum of these times x^2n
_ARCCOSH = np.cumprod((2 * _TERMS + 1.0) / (2 * _TERMS + 2.0)) / (2 * _TERMS + 2.0)


@dataclass(frozen=True)
class ShearProfiles:
    """Tangential reduced shear in rings around n clusters.

    The rings of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of the flat columns.

    Parameters
    ----------
    names : (n,) array of str
    offsets : (n + 1,) int64
    radius : (n_rings,) float64, comoving Mpc
        Where the shear of a ring counts, above zero. Proper distances times 1 + z.
    shear : (n_rings,) float64
        Reduced tangential shear g = gamma / (1 - kappa), positive around a mass.
    error : (n_rings,) float64
        Standard deviation, above zero, of noise that is independent from ring to ring.
    redshift : (n,) float64
        Of the clusters.
    cosmology : Cosmology
    source_redshift : (n,) float64, optional
        One plane of sources behind each cluster. Either this or `sigma_critical`.
    sigma_critical : (n,) float64, Msun per comoving Mpc^2, optional
        Critical surface density; the proper one over (1 + z)^2.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError
        If lengths do not agree, a value is not finite, a radius or an error is not above zero, sources are not behind
        the cluster, or both or none of `source_redshift` and `sigma_critical` are given.
    """

    names: NDArray[Any]
    offsets: NDArray[np.int64]
    radius: FloatArray
    shear: FloatArray
    error: FloatArray
    redshift: FloatArray
    cosmology: Cosmology
    source_redshift: FloatArray | None = None
    sigma_critical: FloatArray | None = None

    def __post_init__(self) -> None:
        names = np.asarray(self.names, dtype=np.str_)
        values: dict[str, Any] = {"names": names}
        total = np.size(self.radius)
        values["offsets"] = check.offsets(self.offsets, total=total)
        for name in ("radius", "shear", "error"):
            values[name] = check.float64_array(getattr(self, name), name, (total,))
        n = values["offsets"].size - 1
        if names.shape != (n,):
            raise BadInputError(f"`names` must have shape ({n},) like `offsets` less one, got {names.shape}")
        if (self.source_redshift is None) == (self.sigma_critical is None):
            raise BadInputError("give either `source_redshift` or `sigma_critical`")
        rows = ("redshift", "source_redshift" if self.sigma_critical is None else "sigma_critical")
        for name in rows:
            values[name] = check.float64_array(getattr(self, name), name, (n,))
        for name, value in values.items():
            if name != "names":
                check.check_finite(value, name)
            object.__setattr__(self, name, value)
        for name in ("radius", "error") + (() if self.sigma_critical is None else ("sigma_critical",)):
            if not (values[name] > 0).all():
                raise DomainError(f"`{name}` must be above zero, got {values[name].min()}")
        if not (self.redshift >= 0).all():
            raise DomainError(f"`redshift` must not be negative, got {self.redshift.min()}")
        if self.source_redshift is not None and not (self.source_redshift > self.redshift).all():
            raise DomainError("`source_redshift` must lie behind the clusters")
        if self.source_redshift is not None and not (self.redshift > 0).all():
            raise DomainError("`redshift` must be above zero where there are sources behind, got 0")

    def __len__(self) -> int:
        return self.offsets.size - 1

    def critical(self) -> FloatArray:
        """Critical surface density of each cluster [Msun per comoving Mpc^2]."""
        if self.sigma_critical is not None:
            return self.sigma_critical
        return critical_surface_density(self.cosmology, self.redshift, self.source_redshift)

    def only(self, rows: Any) -> ShearProfiles:
        """Some clusters (slice, index array or mask), with their rings."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        offsets, where = take_rows(self.offsets, chosen)
        flat: dict[str, Any] = {name: getattr(self, name)[where] for name in ("radius", "shear", "error")}
        columns = ("names", "redshift", "source_redshift", "sigma_critical")
        own = {name: getattr(self, name)[chosen] for name in columns if getattr(self, name) is not None}
        return replace(self, offsets=offsets, **flat, **own)


def critical_surface_density(cosmology: Cosmology, redshift: Any, source_redshift: Any) -> FloatArray:
    """Sigma_cr = c^2 D_s / (4 pi G D_l D_ls) [Msun per comoving Mpc^2]: the proper one over (1 + z)^2.

    Examples
    --------
    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> print(f"{float(critical_surface_density(planck, 0.3, 1.0)):.3e}")
    1.628e+15
    """
    near, far = np.asarray(redshift, np.float64), np.asarray(source_redshift, np.float64)
    lens, source = cosmology.transverse_distance(near), cosmology.transverse_distance(far)
    bend = _curvature(cosmology)
    between = source * np.sqrt(1.0 + bend * lens**2) - lens * np.sqrt(1.0 + bend * source**2)
    # angular distances are the comoving ones over 1 + z of their far end
    proper = SPEED_OF_LIGHT**2 / (4.0 * np.pi * NEWTON) * source * (1.0 + near) / (lens * between)
    return np.asarray(proper / (1.0 + near) ** 2)


def _curvature(cosmology: Cosmology) -> float:
    """Omega_k over the Hubble distance squared [Mpc^-2]."""
    assert cosmology.omega_lambda is not None  # filled by Cosmology
    omega_k = 1.0 - cosmology.omega_m - cosmology.omega_lambda
    return omega_k * (100.0 * cosmology.h / SPEED_OF_LIGHT) ** 2


def surface_shape(x: Any) -> FloatArray:
    """f(x) of an NFW halo: Sigma = 2 r_s rho_s f(R / r_s) (Wright & Brainerd 2000, ApJ 534, 34, equation 11).

    With q = (x - 1) / (x + 1) and A = arctan(sqrt q) / sqrt q, f = [1 + 2 (1 - A) / (q (x + 1))] / (1 + x)^2, which
    loses no digits at x = 1.
    """
    at = np.asarray(x, np.float64)
    q = (at - 1.0) / (at + 1.0)
    return np.asarray((1.0 + 2.0 * _missing(q) / (at + 1.0)) / (1.0 + at) ** 2)


def mean_shape(x: Any) -> FloatArray:
    """[ln(x / 2) + h(x)] / x^2: the mean of Sigma within R is 4 r_s rho_s times this (same source, equation 13)."""
    at = np.asarray(x, np.float64)
    q = (at - 1.0) / (at + 1.0)
    plain = np.log(0.5 * at) + 2.0 / (1.0 + at) * (1.0 - q * _missing(q))
    small = np.minimum(at, 0.4)  # below, the logarithm cancels
    root = np.expm1(-0.5 * np.log1p(-(small**2)))  # 1 / sqrt(1 - x^2) - 1
    tail = (_ARCCOSH * small[..., None] ** (2 * _TERMS + 2)).sum(axis=-1)
    series = np.log(2.0 / small) * root - tail * (1.0 + root)
    return np.asarray(np.where(at < 0.4, series, plain) / at**2)


def _missing(q: FloatArray) -> FloatArray:
    """(1 - A) / q with A = arctan(sqrt q) / sqrt q, or artanh(sqrt -q) / sqrt -q where q is negative."""
    root = np.sqrt(np.maximum(np.abs(q), 1e-3))
    bent = np.where(q < 0, np.arctanh(np.minimum(root, 1 - 1e-16)), np.arctan(root)) / root
    near = np.where(np.abs(q) < 0.15, q, 0.0)
    series = np.polynomial.polynomial.polyval(-near, 1.0 / (2 * _TERMS + 3.0))
    safe = np.where(np.abs(q) < 1e-3, 1.0, q)
    return np.asarray(np.where(np.abs(q) < 0.15, series, (1.0 - bent) / safe))


def nfw_surface(
    radius: FloatArray, mass: FloatArray, c: Any, cosmology: Cosmology, redshift: Any
) -> tuple[FloatArray, FloatArray]:
    """Sigma, and Delta Sigma = mean within R less Sigma, of NFW haloes [Msun per comoving Mpc^2].

    Parameters
    ----------
    radius : (...) float64, comoving Mpc
        Projected.
    mass : (...) float64, Msun
        M200c. (CLMM's default is 200 times the mean density of matter.)
    c : (...) float64
        R200c / r_s.
    cosmology : Cosmology
        Of the critical density.
    redshift : (...) float64
        All of these are broadcast.

    Examples
    --------
    >>> planck = Cosmology(h=0.6766, omega_m=0.30966)
    >>> sigma, excess = nfw_surface(np.array([1.0]), np.array([1e15]), 4.0, planck, 0.3)
    >>> print(f"{sigma[0]:.3e} {excess[0]:.3e}")
    9.197e+13 1.045e+14
    """
    scale = radius_of_mass(mass, 200.0, cosmology, redshift) / c
    density = 200.0 / 3.0 * critical_density(cosmology, redshift) * np.asarray(c) ** 3 / enclosed(c)
    x = radius / scale
    height = 2.0 * scale * density
    local = surface_shape(x)
    return np.asarray(height * local), np.asarray(height * (2.0 * mean_shape(x) - local))
