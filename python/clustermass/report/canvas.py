"""Canvases of figures: one panel an estimator, the same axes in all, so that panels can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._extras import new_figure
from ..data.atomic import atomic_path
from .tables import Summary

_PANEL = (2.75, 2.45)  #: inch
_COLUMNS = 4
_DPI = 130


def blank(size: tuple[float, float]) -> Any:
    """An empty figure of a size in inches."""
    return new_figure(size, _DPI)


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, without the date and versions that would change its bytes."""
    with atomic_path(path) as part:
        figure.savefig(part, format="png", metadata={"Software": "clustermass"})


def save_all(
    figures: Mapping[str, tuple[Callable[[Any], Any], str]], items: Sequence[Any], folder: Path
) -> list[tuple[Path, str]]:
    """Draw figures (name -> what draws the items, and a caption) into a folder; returns the files with the captions."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (draw, caption) in figures.items():
        save(draw(items), folder / f"{name}.png")
        made.append((folder / f"{name}.png", caption))
    return made


def panels(
    summaries: Sequence[Summary], x_label: str, y_label: str, draw: Callable[[Any, Summary], None], **shared: Any
) -> Any:
    """A figure with one panel for each estimator, `draw` called on each."""
    columns = min(_COLUMNS, max(len(summaries), 1))
    lines = -(-len(summaries) // columns)
    size = (0.75 + columns * _PANEL[0], 0.75 + lines * _PANEL[1])
    figure = blank(size)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for k, place in enumerate(axes.ravel()):
        if k >= len(summaries):
            place.set_axis_off()
            continue
        draw(place, summaries[k])
        place.set_title(summaries[k].name, fontsize=9, loc="left", fontweight="bold")
        place.tick_params(labelsize=8, labelbottom=k + columns >= len(summaries))
        place.set(**shared)
        place.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(x_label, fontsize=9)
    figure.supylabel(y_label, fontsize=9)
    return figure


def note(axes: Any, text: str, *, at: tuple[float, float] = (0.03, 0.97)) -> None:
    axes.text(*at, text, transform=axes.transAxes, fontsize=7.5, va="top" if at[1] > 0.5 else "bottom",
              bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0})  # fmt: skip


def legend(figure: Any) -> None:
    """One legend above all panels, with each label once."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if found:
        figure.legend(found.values(), found.keys(), loc="outside upper left", ncols=4, fontsize=8, frameon=False)
