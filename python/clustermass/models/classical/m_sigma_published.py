"""Published relations between velocity dispersion and mass, inverted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...cosmology import Cosmology
from ..base import Estimator, per_cluster
from ..posterior import FLAGS, MassPosterior
from .dispersions import Dispersions

FloatArray = NDArray[np.float64]

#: Standard deviation of ln M at fixed line-of-sight dispersion of many galaxies: haloes are not spheres. Saro et al.
#: 2013 (abstract) give 30 to 40 %, against 12 % for dispersions in three dimensions.
PROJECTION_SCATTER = 0.35


@dataclass(frozen=True)
class Calibration:
    """sigma = sigma_pivot [h(z)^hubble_power M200c / pivot]^slope, with h(z) = H(z) / (`hubble` km/s/Mpc)."""

    source: str
    tracer: str
    redshifts: tuple[float, ...]  #: of the fits; one, or rising: in between both numbers are interpolated
    sigma_pivot: tuple[float, ...]  #: km/s, one a redshift
    slope: tuple[float, ...]  #: one a redshift
    pivot: float  #: Msun
    hubble: float  #: km/s/Mpc
    hubble_power: float
    mass_range: tuple[float, float]  #: Msun, of the haloes, rounded outwards
    redshift_range: tuple[float, float]


_MUNARI = "Munari et al. 2013, MNRAS 430, 2638, table 1 (simulation with AGN feedback)"

#: name -> relation
CALIBRATIONS: Mapping[str, Calibration] = {
    "evrard2008": Calibration(
        "Evrard et al. 2008, ApJ 672, 122, abstract", "dark matter", (0.0,), (1082.9,), (0.3361,), 1e15, 100.0, 1.0,
        (1e14, 4e15), (0.0, 2.0),
    ),
    "munari2013-galaxies": Calibration(
        _MUNARI, "galaxies", (0.0,), (1177.0,), (0.364,), 1e15, 100.0, 1.0, (1e13, 4e15), (0.0, 2.0)
    ),
    "munari2013-subhaloes": Calibration(
        _MUNARI, "sub-haloes", (0.0,), (1199.0,), (0.365,), 1e15, 100.0, 1.0, (1e13, 4e15), (0.0, 2.0)
    ),
    "munari2013-dm": Calibration(
        _MUNARI, "dark matter", (0.0,), (1095.0,), (0.336,), 1e15, 100.0, 1.0, (1e13, 4e15), (0.0, 2.0)
    ),
    "lau2010": Calibration(
        "Lau, Nagai & Kravtsov 2010, ApJ 708, 1419 (cooling and star formation)", "dark matter", (0.0, 0.6, 1.0),
        (692.0, 674.0, 671.0), (0.2724, 0.2903, 0.3232), 2e14, 100.0, 1.0, (3e13, 2e15), (0.0, 1.0),
    ),
    "saro2013": Calibration(
        "Saro et al. 2013, ApJ 772, 47: M200c = 1e15 Msun [sigma / (939 h70(z)^0.33)]^2.91", "semi-analytic galaxies",
        (0.0,), (939.0,), (1 / 2.91,), 1e15, 70.0, 0.33 * 2.91, (1e14, 4e15), (0.0, 1.2),
    ),
}  # fmt: skip


class PublishedMSigma(Estimator):
    """Mass from the velocity dispersion, by a published relation between M200c and the dispersion of members.

    ``sigma = sigma_pivot [h(z) M200c / pivot]^slope`` with h(z) = H(z) / (100 km/s/Mpc), not H(z) / H0, and M200c in
    Msun: equal to E(z) times the mass in Msun/h. Saro et al. 2013 use H(z) / (70 km/s/Mpc) and its power 0.33. Lau et
    al. 2010 is interpolated in redshift between 0, 0.6 and 1, and held beyond.

    The relations hold for members within the sphere of R200c and the standard deviation; interlopers raise the
    dispersion, an aperture much smaller or larger than R200c changes it by up to a tenth.

    Intervals are log-normal: the scatter of line-of-sight dispersions at fixed mass (0.35 in ln M, Saro et al. 2013)
    and the sampling error of the dispersion, 1 / sqrt(2 (n - 1)) in its logarithm, divided by the slope, in quadrature.
    Interlopers and the uncertainty of the velocity bias are not in it.

    Parameters
    ----------
    calibration : str
        One of `CALIBRATIONS`: "evrard2008", "munari2013-galaxies", "munari2013-subhaloes", "munari2013-dm", "lau2010",
        "saro2013".
    method, clip, interlopers
        As in `MSigma`.
    velocity_bias : float
        Dispersion of the observed galaxies over that of the tracer of the relation, > 0; dispersions are divided by it.

    Notes
    -----
    Flags: ``too_few_galaxies`` below two galaxies (NaN), and below five, where the interval is not log-normal any more;
    ``out_of_support`` outside the masses and redshifts of the haloes of the calibration, and NaN for a dispersion of
    zero.

    References
    ----------
    Each `Calibration` names its own.

    Examples
    --------
    >>> from clustermass.cosmology import Cosmology
    >>> import numpy as np
    >>> relation = PublishedMSigma("evrard2008")
    >>> mass = relation.masses(np.array([1082.9]), np.array([0.0]), Cosmology(h=0.7, omega_m=0.3))
    >>> (mass * 0.7 / 1e15).round(6)  # 1e15 Msun/h
    array([1.])
    """

    inputs = ("velocities", "redshift")

    def __init__(self, calibration: str = "evrard2008", *, method: str = "std", clip: float | None = None,
                 interlopers: str = "keep", velocity_bias: float = 1.0) -> None:  # fmt: skip
        self.calibration = check.choice(calibration, "calibration", tuple(CALIBRATIONS))
        self.relation = CALIBRATIONS[self.calibration]
        self.name = f"m-sigma-{self.calibration}"
        self.source = self.relation.source
        self.dispersions = Dispersions(method, clip, interlopers)
        self.velocity_bias = check.number(velocity_bias, "velocity_bias", above=0)

    def masses(self, sigma: FloatArray, redshift: FloatArray, cosmology: Cosmology) -> FloatArray:
        """M200c [Msun] of clusters of these dispersions [km/s] and redshifts, both of shape (n,)."""
        relation = self.relation
        pivot = np.interp(redshift, relation.redshifts, relation.sigma_pivot)
        hubble = 100.0 * cosmology.h * cosmology.expansion(redshift) / relation.hubble
        ratio = sigma / self.velocity_bias / pivot
        return np.asarray(relation.pivot * ratio ** (1 / self._slope(redshift)) / hubble**relation.hubble_power)

    def _slope(self, redshift: FloatArray) -> FloatArray:
        return np.asarray(np.interp(redshift, self.relation.redshifts, self.relation.slope))

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses with log-normal intervals.

        Parameters
        ----------
        clusters : ClusterSample or ClusterSet
            Their velocities, redshifts and cosmology, and radii for the shifting gapper.

        Returns
        -------
        MassPosterior
            M200c.
        """
        found = self.dispersions(clusters)
        redshift = per_cluster(clusters.redshift, "redshift", len(clusters))
        with np.errstate(divide="ignore"):
            mass = np.log10(self.masses(found.sigma, redshift, clusters.cosmology))
        mass[np.isinf(mass)] = np.nan
        sampling = 1.0 / (np.sqrt(2.0 * np.maximum(found.n_used - 1, 1)) * self._slope(redshift))
        width = np.hypot(PROJECTION_SCATTER, sampling) / np.log(10.0)
        flags = np.where(found.n_used < 5, np.uint32(FLAGS["too_few_galaxies"]), np.uint32(0))
        (low, high), (near, far) = np.log10(self.relation.mass_range), self.relation.redshift_range
        inside = (mass >= low) & (mass <= high) & (redshift >= near) & (redshift <= far)
        flags |= np.where(~inside & (found.n_used >= 2), np.uint32(FLAGS["out_of_support"]), np.uint32(0))
        return MassPosterior.from_gaussian(mass, width, "M200c", flags=flags)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings; there is nothing else."""
        config = {"calibration": self.calibration, "velocity_bias": self.velocity_bias}
        return config | self.dispersions.settings, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        return cls(**config)
