"""Mass by the virial theorem, from velocities and separations of galaxies on the sky."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...constants import NEWTON
from .aperture_mass import virial_surface_factor
from .dynamical import DynamicalMass, jackknife
from .galaxy_pairs import inverse_separations

FloatArray = NDArray[np.float64]


def virial_masses(x: FloatArray, y: FloatArray, velocity: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Masses of clusters of equal richness by the virial theorem without its surface term.

    :math:`M = \frac{3 \pi}{2} \sigma^2 R_{PV} / G` with :math:`R_{PV} = n (n - 1) / \sum_{i<j} R_{ij}^{-1}` and sigma
    the sample standard deviation of the velocities, which is :math:`\frac{3 \pi n}{2 G} \sum v^2 / \sum_{i<j}
    R_{ij}^{-1}` about their mean.

    Parameters
    ----------
    x, y : ndarray of float64, shape (clusters, n)
        Place on the sky [proper Mpc]. Where all y of a cluster are 0 only radii are known: x is then taken for the
        radius and 1 / R_ij for its mean over all angles.
    velocity : ndarray of float64, shape (clusters, n)
        km/s.

    Returns
    -------
    mass : ndarray of float64, shape (clusters,)
        Msun; NaN where all separations or all velocities are the same.
    error : ndarray of float64, shape (clusters,)
        Standard error of its natural logarithm, by the jackknife over galaxies.

    References
    ----------
    .. [1] Heisler, Tremaine & Bahcall 1985, ApJ 298, 8, equation 4.
    """
    n = x.shape[1]
    from_mean = velocity - velocity.mean(axis=1, keepdims=True)
    inverse = inverse_separations(x, y)
    squares, pairs = (from_mean**2).sum(axis=1), 0.5 * inverse.sum(axis=1)
    without = squares[:, None] - n / (n - 1) * from_mean**2, pairs[:, None] - inverse
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = 1.5 * np.pi / NEWTON * n * squares / pairs
        error = jackknife(np.log(without[0] / without[1]))
    mass[~((squares > 0) & (pairs > 0))] = np.nan
    return mass, error


class VirialMass(DynamicalMass):
    """Mass by the virial theorem, with the surface-pressure term.

    `virial_masses` gives the mass of an isolated system. The galaxies of a cluster end where their sample does, at b,
    the radius of the outermost; what lies beyond presses on it, and the theorem without the surface term gives too much
    mass: `virial_surface_factor` puts that right for tracers that follow an NFW halo with isotropic orbits. The result
    is the mass within b, brought to M200c by the NFW halo of mean concentration (`m200c_of_aperture`).

    Parameters
    ----------
    surface_term : bool
        Without it the mass of the theorem is taken to be that within b.
    clip : float, optional
        Galaxies further than this many standard deviations from the mean velocity leave, as in `velocity_dispersions`.
    interlopers : {"keep", "shifting_gapper"}
        Whether `shifting_gapper` takes out interlopers first.

    Notes
    -----
    Interlopers near the edge raise the mass. Pairs of galaxies at one place are left out of the sum of inverse
    separations. Intervals and flags: see `DynamicalMass`. Cost: n^2 per cluster of n galaxies; 10,000 clusters of 100
    take 0.7 s on one core.

    References
    ----------
    .. [1] Heisler, Tremaine & Bahcall 1985, ApJ 298, 8.
    .. [2] The & White 1986, AJ 92, 1248; Girardi et al. 1998, ApJ 505, 74.

    Examples
    --------
    >>> from clustermass.models.registry import make_estimator
    >>> make_estimator("virial").surface_term, make_estimator("virial", surface_term=False).surface_term
    (True, False)
    """

    name = "virial"
    inputs = ("velocities", "sky_positions", "redshift")
    source = "Heisler, Tremaine & Bahcall 1985, ApJ 298, 8; surface term: The & White 1986, AJ 92, 1248"

    def __init__(self, *, surface_term: bool = True, clip: float | None = None, interlopers: str = "keep") -> None:
        super().__init__(clip, interlopers)
        self.surface_term = bool(surface_term)
        self.surface_factor = virial_surface_factor if surface_term else None

    def _masses(self, x: FloatArray, y: FloatArray, velocity: FloatArray) -> tuple[FloatArray, FloatArray]:
        return virial_masses(x, y, velocity)

    def _settings(self) -> dict[str, Any]:
        return {"surface_term": self.surface_term}
