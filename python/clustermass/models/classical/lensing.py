"""Masses from the shear of galaxies behind clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInputError
from ...nfw import concentration
from ..base import Estimator
from ..posterior import FLAGS, MassPosterior
from .jeans import CONCENTRATIONS, concentration_prior, grid_of
from .phase_space_lattice import LOG10_MASS, posterior_density
from .shear_profiles import ShearProfiles, nfw_surface

FloatArray = NDArray[np.float64]
_RINGS = 2000  # at a time


class ShearFit(Estimator):
    """M200c of an NFW halo from the reduced tangential shear around it.

    Gaussian likelihood of g = gamma / (1 - kappa) with gamma = Delta Sigma / Sigma_cr and kappa = Sigma / Sigma_cr at
    the radius of each ring. Prior: log10 M200c flat from 12.6 to 16.2; concentration log-normal about
    `nfw.concentration`, 0.15 dex, and marginalised.

    Parameters
    ----------
    concentrations : sequence of float, optional
        R200c / r_s on the grid; one value fixes it. ``None`` ties it to the mass by `nfw.concentration`.

    Notes
    -----
    `predict` takes `ShearProfiles`. No allowance for miscentring, for correlated structure, for the spread of source
    redshifts or for members among the sources; NFW fits to simulated clusters come out about 5 to 10 % low. Where a
    model has kappa >= 0.9 in a ring it is ruled out: there is no weak shear there. Cost: about 10 ms a cluster of ten
    rings.

    References
    ----------
    .. [1] Wright & Brainerd 2000, ApJ 534, 34.

    Examples
    --------
    >>> from clustermass import make_estimator
    >>> from clustermass.cosmology import PLANCK_2018
    >>> radius = np.geomspace(0.3, 3.0, 8)
    >>> sigma, excess = nfw_surface(radius, np.full(8, 5e14), 4.0, PLANCK_2018, 0.3)
    >>> profiles = ShearProfiles(
    ...     names=["a"], offsets=[0, 8], radius=radius, shear=excess / 2e15 / (1 - sigma / 2e15),
    ...     error=np.full(8, 0.005), redshift=[0.3], cosmology=PLANCK_2018, sigma_critical=[2e15])
    >>> found = make_estimator("lensing").predict(profiles)
    >>> bool(abs(found.log10_mass[0] - np.log10(5e14)) < 0.03)
    True
    """

    name = "lensing"
    inputs = ("shear", "redshift")
    source = "Wright & Brainerd 2000, ApJ 534, 34, equations 11-14"

    def __init__(self, *, concentrations: Sequence[float] | None = CONCENTRATIONS) -> None:
        self.concentrations = None if concentrations is None else grid_of(concentrations, "concentrations", 0.0)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {"concentrations": self.concentrations}, {}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        return cls(**config)

    def predict(self, clusters: Any) -> MassPosterior:
        if not isinstance(clusters, ShearProfiles):
            raise BadInputError(f"`clusters` must be ShearProfiles, got {type(clusters).__name__}")
        n = len(clusters)
        counts = np.diff(clusters.offsets)
        if self.concentrations is None:
            tied = concentration(10.0**LOG10_MASS, clusters.cosmology, clusters.redshift[:, None])
            logs = self._log_likelihood(clusters, tied)
        else:
            logs = np.full((n, LOG10_MASS.size), -np.inf)
            priors = concentration_prior(self.concentrations, clusters.redshift, clusters.cosmology)
            for c, prior in zip(self.concentrations, priors, strict=True):
                logs = np.logaddexp(logs, self._log_likelihood(clusters, np.full(logs.shape, c)) + prior)
        flags = np.zeros(n, np.uint32)
        flags[counts == 0] |= np.uint32(FLAGS["missing_input"])
        grid, density = posterior_density(logs)
        density[counts == 0] = np.nan
        return MassPosterior.from_density(grid, density, self.mass_definition, flags=flags)

    def _log_likelihood(self, clusters: ShearProfiles, c: FloatArray) -> FloatArray:
        """Shape (n, masses), for concentrations of that shape."""
        out = np.zeros((len(clusters), LOG10_MASS.size))
        owner = np.repeat(np.arange(len(clusters)), np.diff(clusters.offsets))
        critical = clusters.critical()
        masses = np.asarray(10.0**LOG10_MASS, np.float64)
        for start in range(0, owner.size, _RINGS):
            rings = slice(start, start + _RINGS)
            row = owner[rings]
            sigma, excess = nfw_surface(
                clusters.radius[rings, None], masses, c[row], clusters.cosmology, clusters.redshift[row, None]
            )
            kappa = sigma / critical[row, None]
            model = excess / critical[row, None] / (1.0 - np.minimum(kappa, 0.9))
            away = (clusters.shear[rings, None] - model) / clusters.error[rings, None]
            np.add.at(out, row, np.where(kappa < 0.9, -0.5 * away**2, -1e6))
        return out
