"""A generated universe: field, haloes and galaxies."""

from __future__ import annotations

from collections.abc import Callable

from ...universe import Universe
from .haloes import make_haloes
from .inflow import let_fall
from .populate import populate
from .settings import UniverseSettings

#: what is done one after another, as `progress` of `make_universe` names it
STAGES = ("haloes", "infall", "galaxies")


def make_universe(
    settings: UniverseSettings | None = None, *, progress: Callable[[str], None] | None = None
) -> Universe:
    """Make a periodic box of haloes and galaxies from published relations.

    A Gaussian field with the linear power spectrum moves matter by second-order perturbation theory; haloes follow the
    mass function of Tinker et al. 2008 and the field; galaxies fill them by a halo occupation model, with triaxial
    profiles, Jeans velocities, infalling clumps, and haloes that fall towards clusters. Sources, and what is left out:
    docs/mock-universe.md. Made to train and to demonstrate, not to serve as a simulation.

    Parameters
    ----------
    settings : UniverseSettings, optional
        Default: 250 Mpc/h at redshift 0.117, the occupation of the MDPL2 mocks.
    progress : callable, optional
        Gets the name of each stage when it begins: haloes, infall, galaxies.

    Returns
    -------
    Universe
        Its `notes` name the relations that a user of the galaxies should know of.

    Raises
    ------
    MissingDependencyError
        Without colossus or scipy (extra ``mock``).

    Notes
    -----
    About 10 s and 0.5 GB for 250 Mpc/h; both grow with the volume. The same settings give the same universe.

    Examples
    --------
    >>> from clustermass import UniverseSettings, make_universe
    >>> universe = make_universe(UniverseSettings(box_size=60.0, min_mass=1e12))
    >>> universe.haloes.n > 100, bool((universe.galaxies.host < universe.haloes.n).all())
    (True, True)
    """
    settings = settings or UniverseSettings()
    tell = progress or (lambda stage: None)
    tell(STAGES[0])
    field = make_haloes(settings)
    tell(STAGES[1])
    field = let_fall(field, settings)
    tell(STAGES[2])
    galaxies = populate(field, settings)
    return Universe(
        haloes=field.haloes,
        galaxies=galaxies,
        box_size=settings.box_size,
        redshift=settings.redshift,
        cosmology=settings.cosmology,
        source=f"clustermass mock universe, seed {settings.seed}, occupation {settings.occupation}",
        notes=notes(settings),
    )


def notes(settings: UniverseSettings) -> tuple[str, ...]:
    """What a user of the galaxies should know."""
    centrals = {
        "observed": "centrals and satellites above 10^9.5 Msun in stars (Zu & Mandelbaum 2015)",
        "universemachine": "satellites only, thinned to the richness of the MDPL2 mocks of Ho et al. 2019; no centrals",
    }
    return (
        centrals[settings.occupation],
        "members lie within the virial ellipsoid of their halo, those of infalling clumps within its virial radius",
        "magnitude_r is K-corrected to z = 0.1 (the band of Blanton et al. 2003)",
        "galaxies added around clusters, falling in or on orbits beyond the virial radius, have host -1",
    )
