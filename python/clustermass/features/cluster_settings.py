"""What is observed of which clusters: the cylinder, the sample, the views, the errors, the survey."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .. import _validate as check
from ..errors import DomainError

#: name of a cut -> (radius of the cylinder [comoving Mpc/h], largest velocity [km/s]) as published
CUTS: dict[str, tuple[float, float]] = {
    "ho2019": (1.6, 2200.0),  # Ho et al. 2019, ApJ 887, 25: the medium cut
    "small": (1.1, 1570.0),  # the same work
    "large": (2.3, 3785.0),  # the same work; also Ho et al. 2022, Nature Astron. 6, 936
    "kodi-ramanah-2021": (4.0, 2200.0),  # Kodi Ramanah, Wojtak & Arendse 2021, MNRAS 501, 4080
}


@dataclass(frozen=True)
class Survey:
    """A flux-limited survey: each cluster at a distance of its own, faint galaxies not seen.

    The emulation of the SDSS main sample of Kodi Ramanah et al. 2021 [1]_. A cluster is put at a distance drawn evenly
    over the volume between the two limits; a galaxy is seen if its apparent magnitude is below `limit`. Its central
    galaxy is the origin of positions and velocities.

    Parameters
    ----------
    limit : float
        Apparent magnitude in SDSS r; nothing is added for K-correction or extinction.
    nearest, farthest : float
        Comoving distances [Mpc/h], up to 1500. The published farthest is 250; a nearest one is not published.

    References
    ----------
    .. [1] Kodi Ramanah, Wojtak & Arendse 2021, MNRAS 501, 4080.
    """

    limit: float = 17.77
    nearest: float = 50.0
    farthest: float = 250.0

    def __post_init__(self) -> None:
        check.number(self.limit, "limit", low=-30, high=60)
        check.number(self.nearest, "nearest", above=0)
        check.number(self.farthest, "farthest", low=self.nearest, high=1500.0)


@dataclass(frozen=True)
class ClusterSettings:
    """How `make_cluster_catalogue` observes clusters; the defaults are those of Ho et al. 2019 [1]_.

    Published numbers carry h; they are converted with the h of the universe. What is given in other units says so.

    Parameters
    ----------
    cut : {"ho2019", "small", "large", "kodi-ramanah-2021"}
        Cylinder of the contaminated observations: 1.6 Mpc/h and 2200 km/s; 1.1 and 1570; 2.3 and 3785; 4 and 2200.
    max_radius : float, optional
        Radius of the cylinder [comoving Mpc], instead of that of `cut`.
    max_velocity : float, optional
        Largest line-of-sight velocity [km/s], instead of that of `cut`; galaxies with ``|v| < max_velocity`` are in.
    min_log10_mass : float
        Smallest log10 M200c [Msun/h].
    min_richness : int
        Observations with more galaxies than this are kept (strictly more), pure and contaminated ones separately.
    target_density : float
        Clusters above `boost_above` are seen along further directions until their number density, counted with the
        views, reaches this [(Mpc/h)^-3 dex^-1].
    boost_above : float
        log10 M200c [Msun/h].
    max_views : int
        Most views of one cluster, at least 3: the axes.
    velocity_error : float
        Standard deviation of the Gaussian error of a galaxy's velocity [km/s].
    satellites_only : bool
        Leave out the galaxies at the centres of haloes, as the mocks of [1]_ do.
    min_stellar_mass : float, optional
        Leave out galaxies below this [Msun]; published 10^9.5.
    survey : Survey, optional
        A flux-limited survey instead of one complete to the same luminosity at all distances.
    redshift : float, optional
        Where clusters are put; that of the universe by default.
    relativistic : bool
        Whether velocities are added as in special relativity.
    fractions : three floats
        Shares of the hosts that train, validate and test.
    seed : int
        From 0 to 2^64 - 1: directions, errors, distances, splits.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25, and the code ``halo_cnn`` that belongs to it.

    Examples
    --------
    >>> ClusterSettings(cut="large", velocity_error=50.0).cylinder(h=0.7)
    (3.2857142857142856, 3785.0)
    """

    cut: str = "ho2019"
    max_radius: float | None = None
    max_velocity: float | None = None
    min_log10_mass: float = 13.5
    min_richness: int = 10
    target_density: float = 1e-5
    boost_above: float = 14.0
    max_views: int = 500
    velocity_error: float = 0.0
    satellites_only: bool = False
    min_stellar_mass: float | None = None
    survey: Survey | None = None
    redshift: float | None = None
    relativistic: bool = True
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0

    def __post_init__(self) -> None:
        check.choice(self.cut, "cut", tuple(CUTS))
        for name in ("max_radius", "max_velocity", "min_stellar_mass", "redshift"):
            if (value := getattr(self, name)) is not None:
                check.number(value, name, above=0)
        check.number(self.min_log10_mass, "min_log10_mass", low=0, high=20)
        check.integer(self.min_richness, "min_richness", low=0)
        check.number(self.target_density, "target_density", above=0)
        check.number(self.boost_above, "boost_above", low=0, high=20)
        check.integer(self.max_views, "max_views", low=3, high=100_000)
        check.number(self.velocity_error, "velocity_error", low=0, high=1e5)
        shares = np.asarray(self.fractions, float)
        if shares.shape != (3,) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
            raise DomainError(f"`fractions` must be three shares with sum 1, got {self.fractions}")
        check.seed(self.seed)

    def cylinder(self, h: float) -> tuple[float, float]:
        """Radius [comoving Mpc] and largest velocity [km/s]."""
        radius, velocity = CUTS[self.cut]
        radius = radius / h if self.max_radius is None else float(self.max_radius)
        return radius, velocity if self.max_velocity is None else float(self.max_velocity)

    def record(self) -> dict[str, Any]:
        """All settings, as JSON can hold them."""
        return asdict(self)
