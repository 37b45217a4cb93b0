"""Figures of estimators that read maps, as figures 5 to 7 of Yan et al. 2020."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import blank, note, save_all
from .folder import Evaluated
from .map_tables import MAP_RANGE, map_bin_rows, quoted, statistics

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "0.4")
_AXIS = r"true $\log_{10} M\ [M_\odot]$"


def draw_map_figures(items: Sequence[Evaluated], folder: Path) -> list[tuple[Path, str]]:
    """Draw all; returns the files with a caption each.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    return save_all(FIGURES, items, folder)


def draw_map_masses(items: Sequence[Evaluated]) -> Any:
    """Predicted against true mass, a panel each."""
    columns = min(len(items), 4)
    lines = -(-len(items) // columns)
    figure = blank((0.6 + 3.0 * columns, 0.6 + 2.9 * lines))
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    every = np.concatenate([item.predictions.log10_true[item.predictions.is_test] for item in items])
    low, high = float(every.min()) - 0.1, float(every.max()) + 0.1
    for k, place in enumerate(axes.ravel()):
        if k >= len(items):
            place.set_axis_off()
            continue
        table = items[k].predictions
        good = table.is_test & np.isfinite(table.log10_mass)
        place.axvspan(*MAP_RANGE, color="0.93", lw=0)
        place.plot([low, high], [low, high], color="0.2", lw=1.0)
        place.plot(table.log10_true[good], table.log10_mass[good], ".", ms=3.5, mew=0, alpha=0.5, color=_COLOURS[0])
        here = quoted(table)
        if here.any():
            s = statistics(table, here)
            note(place, f"{here.sum():,} maps in grey range\nbias {s['bias_percent']:+.1f} %\n"
                        f"rms {s['rms_percent']:.1f} %")  # fmt: skip
        place.set_title(f"{table.estimator}  ({table.mass_definition})", fontsize=9, loc="left", fontweight="bold")
        place.set(xlim=(low, high), ylim=(low, high))
        place.tick_params(labelsize=8)
        place.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(_AXIS, fontsize=9)
    figure.supylabel(r"predicted $\log_{10} M\ [M_\odot]$", fontsize=9)
    return figure


def draw_map_bias(items: Sequence[Evaluated]) -> Any:
    """Bias in bins of true mass; bars are the scatter of single maps."""
    figure = blank((7.5, 4.0))
    axes = figure.subplots()
    axes.axvspan(*MAP_RANGE, color="0.93", lw=0)
    axes.axhline(0.0, color="0.2", lw=0.8)
    rows = map_bin_rows(items)
    for k, item in enumerate(items):
        own = [r for r in rows if r["estimator"] == item.predictions.estimator and r["n_maps"] >= 3]
        if not own:
            continue
        shift = 0.018 * (k - 0.5 * (len(items) - 1))
        at = [0.5 * (r["log10_mass_low"] + r["log10_mass_high"]) + shift for r in own]
        axes.errorbar(at, [r["bias_percent"] for r in own], [r["rms_percent"] for r in own], fmt="o-", ms=4, lw=1.3,
                      elinewidth=0.9, capsize=2, color=_COLOURS[k % len(_COLOURS)],
                      label=item.predictions.estimator)  # fmt: skip
    axes.set_xlabel(_AXIS, fontsize=9)
    axes.set_ylabel(r"$M_\mathrm{pred}/M_\mathrm{true} - 1$  [%]", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=3)
    return figure


#: name of the file -> (drawing, caption)
FIGURES: dict[str, tuple[Callable[[Sequence[Evaluated]], Any], str]] = {
    "map_masses": (
        draw_map_masses,
        "Masses from maps against true masses, one point a map of the test selection, predicted by a network that "
        "never saw the cluster; black: equality. Grey: the range in which bias and rms are quoted.",
    ),
    "map_bias": (
        draw_map_bias,
        "Mean of M_pred / M_true - 1 in bins of true mass, bars: its standard deviation over maps. Estimates of the "
        "lightest lie high and of the heaviest low wherever a network knows the range of its training.",
    ),
}
