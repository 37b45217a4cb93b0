"""One picture of the galaxies of a universe: dispersion, richness, profile, purity, masses, clustering."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...._extras import new_figure
from ....errors import DomainError
from ...universe import Universe
from .check_galaxies import check_profile, check_purity, check_two_point
from .dynamics import evrard_dispersion
from .measure import Views, fit_masses, members_of, view_clusters

_LOWEST = 10**13.5  # Msun/h


def draw_galaxy_checks(universe: Universe) -> Any:
    """Draw what `check_galaxies` tabulates: a matplotlib figure of six panels, not yet saved.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    DomainError
        Without haloes above 10^13.5 Msun/h.
    """
    if not (universe.haloes.m200c * universe.cosmology.h >= _LOWEST).any():
        raise DomainError("`universe` must hold haloes above 10^13.5 Msun/h to draw its galaxies, got none")
    views = view_clusters(universe, _LOWEST)
    figure = new_figure((13, 8), 110)
    panels = figure.subplots(2, 3).ravel()
    _dispersion(panels[0], universe, views)
    _richness(panels[1], views)
    _profile(panels[2], universe)
    _purity(panels[3], views)
    _masses(panels[4], views)
    _clustering(panels[5], universe)
    return figure


def _label(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)


def _dispersion(axes: Any, universe: Universe, views: Views) -> None:
    kept = views.n_pure > 10
    axes.semilogy(views.log10_mass[kept], views.sigma_pure[kept], ".", ms=2, alpha=0.3, label="members, one view each")
    mass = np.linspace(13.5, 15.5, 50)
    hubble = 100.0 * universe.cosmology.h * float(universe.cosmology.expansion(universe.redshift))
    expected = 0.97 * evrard_dispersion(10**mass / universe.cosmology.h, hubble)
    axes.semilogy(mass, expected, "k-", label="0.97 x Evrard et al. 2008")
    _label(axes, "log10 M200c [Msun/h]", "line-of-sight dispersion [km/s]")


def _richness(axes: Any, views: Views) -> None:
    n = views.log10_mass.size // 3
    axes.semilogy(views.log10_mass[:n], views.n_pure[:n], ".", ms=2, alpha=0.3, label="members")
    mass = np.array([14.0, 14.5, 15.0])
    axes.semilogy(mass, [63, 202, 641], "k--", label="Zu & Mandelbaum 2015, r_vir")
    axes.semilogy(mass, [29, 84, 260], "k-", label="mocks of Ho et al. 2019, r_vir")
    axes.set_ylim(1, None)
    _label(axes, "log10 M200c [Msun/h]", "members")


def _profile(axes: Any, universe: Universe) -> None:
    table = check_profile(universe, members_of(universe, _LOWEST / universe.cosmology.h))
    edge, measured, expected, _ = (np.array(column, float) for column in zip(*table.rows, strict=True))
    middle = 0.5 * (edge + np.concatenate([[0.0], edge[:-1]]))
    axes.loglog(middle, measured, "o", label="members above 1e14 Msun/h")
    axes.loglog(middle, expected, "k-", label="NFW, half the concentration")
    _label(axes, "R / r200c", "members per area")


def _purity(axes: Any, views: Views) -> None:
    axes.plot(views.log10_mass, views.purity, ".", ms=2, alpha=0.2, label="one view each")
    rows = [row for row in check_purity(views).rows if not isinstance(row[0], str)]
    if rows:
        centre, _, _, low, median, high, published = (np.array(column, float) for column in zip(*rows, strict=True))
        axes.errorbar(centre, median, [median - low, high - median], fmt="o", color="C1", label="median, 16-84 %")
        axes.plot(centre, published, "k-", label="Ho et al. 2019")
    _label(axes, "log10 M200c [Msun/h]", "members among galaxies in the cylinder")


def _masses(axes: Any, views: Views) -> None:
    bins = np.linspace(-1.5, 1.5, 61)
    for name, count, sigma in (
        ("members", views.n_pure, views.sigma_pure),
        ("all in the cylinder", views.n_all, views.sigma_all),
    ):
        fit = fit_masses(views.log10_mass, count, sigma)
        text = f"{name}: {fit.residual.std():.2f} dex" if fit.residual.size else name
        axes.hist(fit.residual, bins, histtype="step", density=fit.residual.size > 0, label=text)
    _label(axes, "log10 of mass from the dispersion over true, 1e14 to 1e15 Msun/h", "density")


def _clustering(axes: Any, universe: Universe) -> None:
    radius, measured, published = np.array(check_two_point(universe).rows, float).T
    axes.loglog(radius, measured, "o", label="galaxies")
    axes.loglog(radius, published, "k-", label="Zehavi et al. 2005")
    _label(axes, "r [Mpc/h]", "two-point function")
