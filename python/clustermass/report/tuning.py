"""The figure of a search for settings: the loss of every trial in their order, and against each value tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import blank, save

_MARKS = {"complete": ("o", "#3b6fb6", "complete"), "pruned": ("x", "0.6", "ended early")}


def draw_trials(
    path: Path, title: str, trials: Sequence[Mapping[str, Any]], names: Sequence[str], logarithmic: Collection[str] = ()
) -> None:
    """Draw the trials of a search.

    Parameters
    ----------
    path : Path
        A PNG, replaced whole.
    title : str
        Above the panels.
    trials : sequence of mappings
        Each with ``trial``, ``state`` ("complete", "pruned" or other), ``loss``, ``preset`` and the values tried.
    names : sequence of str
        Of the values, a panel each.
    logarithmic : collection of str
        Names whose axis is logarithmic.
    """
    seen = [row for row in trials if row["state"] in _MARKS and row["loss"] is not None]
    columns = min(4, 1 + len(names))
    lines = -(-(1 + len(names)) // columns)
    figure = blank((0.4 + 2.7 * columns, 0.7 + 2.4 * lines))
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    order = {row["trial"]: number for number, row in enumerate(trials)}
    _scatter(axes[0], seen, [order[row["trial"]] for row in seen])
    done = [(order[row["trial"]], row["loss"]) for row in seen if row["state"] == "complete"]
    if done:
        at, losses = np.array(done).T
        axes[0].step(at, np.minimum.accumulate(losses), where="post", color="#c8553d", lw=1.2, label="lowest so far")
        low, high = losses.min(), np.quantile(losses, 0.9)
        axes[0].set_ylim(low - 0.08 * (high - low + 1e-9), high + 0.4 * (high - low + 1e-9))
    axes[0].set_xlabel("trial, in their order", fontsize=8)
    for place, name in zip(axes[1:], names, strict=False):
        _against(place, seen, name)
        if name in logarithmic:
            place.set_xscale("log")
    for place in axes[1 + len(names) :]:
        place.set_axis_off()
    for place in axes:
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4, fontsize=8, frameon=False)
    figure.supylabel("loss on held-out hosts", fontsize=9)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    save(figure, path)


def _scatter(axes: Any, rows: Sequence[Mapping[str, Any]], places: Sequence[float]) -> None:
    for state, (mark, colour, label) in _MARKS.items():
        part = [(x, row["loss"]) for x, row in zip(places, rows, strict=True) if row["state"] == state]
        if part:
            axes.plot(*np.array(part).T, mark, color=colour, ms=4, alpha=0.8, label=label)
    own = [(x, row["loss"]) for x, row in zip(places, rows, strict=True) if row["preset"]]
    if own:
        axes.plot(*np.array(own).T, "D", mfc="none", mec="#c8553d", ms=8, label="the preset as it is")


def _against(axes: Any, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    """Losses against one value: numbers over decades on a logarithm, words and tuples side by side."""
    rows = [row for row in rows if row[name] is not None]
    values = [row[name] for row in rows]
    axes.set_xlabel(name, fontsize=8)
    kinds = sorted(set(values), key=lambda v: (isinstance(v, str), [float(w) for w in str(v).split(",")]
                   if all(_is_number(w) for w in str(v).split(",")) else [0.0], str(v)))  # fmt: skip
    if any(isinstance(v, str) for v in values) or len(kinds) < min(6, len(rows)):
        spread = 0.12 * np.sin(2.4 * np.arange(len(rows)))  # side by side, so that points do not hide each other
        _scatter(axes, rows, [kinds.index(v) + s for v, s in zip(values, spread, strict=True)])
        axes.set_xticks(range(len(kinds)), [str(v) for v in kinds])
        means = [np.mean([r["loss"] for r in rows if r[name] == v and r["state"] == "complete"] or [np.nan])
                 for v in kinds]  # fmt: skip
        axes.plot(range(len(kinds)), means, "_", color="k", ms=14, mew=1.5)
        return
    _scatter(axes, rows, values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
