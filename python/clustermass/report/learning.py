"""Learning curves: losses against epochs, every member a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .canvas import blank, save


def draw_learning_curves(
    path: Path, title: str, train: Sequence[Sequence[float]], validate: Sequence[Sequence[float]]
) -> None:
    """Draw the mean loss of each epoch.

    Parameters
    ----------
    path : Path
        A PNG, replaced whole.
    title : str
        Above the curves.
    train, validate : (epochs, members)
        Mean losses. Members that hold nothing out have NaN in `validate`.
    """
    figure = blank((6.0, 3.8))
    axes = figure.subplots()
    seen, held = np.asarray(train, float), np.asarray(validate, float)
    epochs = np.arange(1, len(seen) + 1)
    for values, colour, label in ((seen, "#3b6fb6", "training"), (held, "#c8553d", "held out")):
        if np.isfinite(values).any():
            axes.plot(epochs, values, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(epochs, np.nanmean(values, axis=1), color=colour, linewidth=2, label=f"{label}, mean")
            axes.annotate(f"{np.nanmean(values[-1]):.4g}", (epochs[-1], np.nanmean(values[-1])), fontsize=8,
                          xytext=(4, 0), textcoords="offset points", color=colour, va="center")  # fmt: skip
    axes.set(xlabel="epoch", ylabel="mean loss of a cluster", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save(figure, path)
