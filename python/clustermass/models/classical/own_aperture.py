"""Masses from the galaxies within R200c of the estimate itself, as dispersions of observed clusters are measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...data.cluster_sample import ClusterSample
from ...errors import ArrayError
from ...nfw import convert_mass, radius_of_mass
from ..base import Estimator
from ..posterior import FLAGS, MassPosterior

_START = 1.5  #: comoving Mpc, R200c of 4e14 Msun
_TURNS, _SETTLED = 20, 0.01


def predict_within_r200(estimator: Estimator, clusters: ClusterSample) -> tuple[MassPosterior, NDArray[np.float64]]:
    """Masses from the galaxies within R200c of the estimate, found by repeating it.

    The first aperture is 1.5 comoving Mpc, or that of the sample where it is smaller. Each next one is the geometric
    mean of the last and of R200c of the mass found in it, until all change by less than 1 %.

    Parameters
    ----------
    estimator : Estimator
        One that reads galaxies and is calibrated for those within R200c, such as ``m-sigma-evrard2008``.
    clusters : ClusterSample
        Observed far enough out.

    Returns
    -------
    MassPosterior, ndarray of float64 of shape (n,)
        The masses, and the radius [comoving Mpc] within which galaxies were used. Flags: ``not_converged`` where the
        radius does not settle in 20 turns, ``out_of_support`` where R200c lies beyond the aperture of the sample.

    Raises
    ------
    ArrayError
        If `clusters` is no `ClusterSample`.

    Notes
    -----
    Cost: a prediction a turn, of all clusters at once; usually 5 to 8.
    """
    if not isinstance(clusters, ClusterSample):
        raise ArrayError(f"`clusters` must be a ClusterSample, got {type(clusters).__name__}")
    n = len(clusters)
    cluster = np.repeat(np.arange(n), clusters.n_galaxies)
    reach = np.minimum(_START, clusters.max_radius)
    moving = np.ones(n, bool)
    for _ in range(_TURNS):
        inside = clusters.radius <= reach[cluster]
        found = estimator.predict(replace(clusters.keep_galaxies(inside), max_radius=reach))
        own = _r200c(found, clusters)
        wanted = np.minimum(np.where(np.isfinite(own), np.sqrt(own * reach), reach), clusters.max_radius)
        moving = np.abs(wanted - reach) > _SETTLED * reach
        if not moving.any():
            break
        reach = np.where(moving, wanted, reach)
    flags = found.flags.copy()
    flags[moving] |= np.uint32(FLAGS["not_converged"])
    flags[own > clusters.max_radius * (1 + 4 * _SETTLED)] |= np.uint32(FLAGS["out_of_support"])
    return replace(found, flags=flags), reach


def _r200c(found: MassPosterior, clusters: ClusterSample) -> NDArray[np.float64]:
    """R200c of the estimates [comoving Mpc]; NaN where there is none."""
    mass = 10.0**found.log10_mass
    if found.mass_definition == "M500c":
        mass = convert_mass(mass, 500.0, 200.0, clusters.cosmology, clusters.redshift)
    return radius_of_mass(mass, 200.0, clusters.cosmology, clusters.redshift)
