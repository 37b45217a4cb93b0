"""One picture of the halo checks: mass function, bias, clustering, infall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...._extras import new_figure
from .check_haloes import BIAS_WITHIN, CLUSTERING_WITHIN, INFALL_WITHIN, MASS_FUNCTION_WITHIN
from .check_tables import CheckTable


def draw_halo_checks(tables: Sequence[CheckTable]) -> Any:
    """Draw the tables of `check_haloes`: a matplotlib figure of four panels, not yet saved.

    Grey: within what the documentation promises. Bars: noise of counting, one sigma.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    figure = new_figure((11, 8), 110)
    panels = figure.subplots(2, 2).ravel()
    number, bias, clustering, infall = tables
    _ratios(panels[0], number, MASS_FUNCTION_WITHIN, "haloes over Tinker et al. 2008")
    _ratios(panels[1], bias, BIAS_WITHIN, "bias over Tinker et al. 2010")
    _by_distance(panels[2], clustering)
    _ratio_band(panels[2], CLUSTERING_WITHIN)
    panels[2].set_ylabel("two-point function over b² × linear")
    _velocities(panels[3], infall)
    for axes, table in zip(panels, tables, strict=True):
        verdict = {True: "met", False: "NOT met", None: "for information"}[table.is_met]
        axes.set_title(f"{table.title}: {verdict}", fontsize=10)
    return figure


def _columns(table: CheckTable) -> np.ndarray[Any, Any]:
    """Numbers of a table, one row a column of it."""
    return np.array(table.rows, float).reshape(len(table.rows), len(table.columns)).T


def _ratio_band(axes: Any, within: float) -> None:
    axes.axhspan(1 - within, 1 + within, color="0.9", zorder=0)
    axes.axhline(1, color="k", lw=0.8)
    axes.set_ylim(0, 2)


def _ratios(axes: Any, table: CheckTable, within: float, label: str) -> None:
    """Ratio against mass, with its error: columns low, high, number, ..., ratio, error."""
    low, high, number, *_, ratio, error = _columns(table)
    middle = 0.5 * (low + high)
    axes.errorbar(middle, ratio, error, 0.5 * (high - low), fmt="o", ms=4)
    for x, y, n in zip(middle, ratio, number, strict=True):
        axes.annotate(f"{n:.0f}", (x, y), textcoords="offset points", xytext=(4, 6), fontsize=8)
    _ratio_band(axes, within)
    axes.set_xlabel("log10 M200c [Msun/h]; numbers of haloes beside the points")
    axes.set_ylabel(label)


def _by_distance(axes: Any, table: CheckTable) -> None:
    low, high, radius, *_, ratio, error = _columns(table)
    for start in np.unique(low):
        part = low == start
        label = f"{start:.1f} to {high[part][0]:.1f}"
        axes.errorbar(radius[part], ratio[part], error[part], fmt="o-", ms=4, lw=0.8, label=label)
    axes.set_xlabel("r [Mpc/h]")
    if low.size:
        axes.legend(fontsize=8, frameon=False, title="log10 M200c [Msun/h]", title_fontsize=8)


def _velocities(axes: Any, table: CheckTable) -> None:
    _, _, radius, velocity, expected, _, error = _columns(table)
    axes.errorbar(radius, velocity, error, fmt="o", ms=4, label="pairs of haloes")
    axes.plot(radius, expected, "k-", label="linear theory")
    axes.fill_between(radius, (1 - INFALL_WITHIN) * expected, (1 + INFALL_WITHIN) * expected, color="0.9", zorder=0)
    axes.set_xlabel("r [Mpc/h]")
    axes.set_ylabel("mean radial velocity of pairs [km/s]")
    if radius.size:
        axes.legend(fontsize=8, frameon=False)
