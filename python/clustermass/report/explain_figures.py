"""Figures of what a network looks at in maps, as figures 8 to 11 of Yan et al. 2020."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..interpretation.maps import CORE, EDGE, MapExplanation
from ..interpretation.stacks import PROFILE_EDGES, REACH, Row, stack
from .canvas import blank

_PANEL = 1.95  #: inch
_COLOURS = {"stars": "cividis", "xray_soft": "magma", "xray_bolometric": "inferno", "compton_y": "viridis"}
_TITLES = {
    "image": "image",
    "saliency": "saliency\n[dex per $\\sigma$ of the pixels]",
    "deep_dream": "Deep Dream\n[change / rms of the image]",
    "integrated": "integrated gradients\n[$10^{-3}$ dex]",
    "occlusion": "mask centred here\n[% of the mass]",
}
_TIMES = {"integrated": 1e3}
LINES = ("#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9")


def draw_examples(found: MapExplanation, channel: int) -> Any:
    """One cluster a row, by mass; its image and every method in columns; circles at 0.15 R200c and R200c."""
    rows = [int(k) for k in found.example if k >= 0]

    def values(name: str, k: int) -> Any:
        return (found.images if name == "image" else found.maps[name])[k, channel]

    def words(k: int) -> str:
        mass = found.log10_true[k] if np.isfinite(found.log10_true[k]) else found.log10_pred[k]
        known = "" if np.isfinite(found.log10_true[k]) else " (est.)"
        text = f"$\\log_{{10}} {_symbol(found)} = {mass:.2f}$" + known
        if not known:
            text += f"\nestimate {found.log10_pred[k]:.2f}"
        return f"{text}\nz = {found.redshift[k]:.3f}"

    half = 0.5 * np.array(found.images.shape[:1:-1])  # columns, rows
    return _grid(found, channel, rows, values, words, lambda k: (float(found.radius[k]), half))


def draw_stacks(found: MapExplanation, channel: int) -> Any:
    """Means of the clusters of each mass bin, each scaled to its R200c."""
    bins = [k for k in range(found.edges.size - 1) if (found.bin == k).any()]
    reach = stack_reach(found)

    def values(name: str, k: int) -> Any:
        here = found.bin == k
        images = (found.images if name == "image" else found.maps[name])[here, channel]
        return stack(images, found.radius[here], reach=reach)

    def words(k: int) -> str:
        low, high = found.edges[k : k + 2]
        n = int((found.bin == k).sum())
        return f"${low:.2f}$ to ${high:.2f}$\n$\\log_{{10}} {_symbol(found)}$\n{n} cluster{'s' if n > 1 else ''}"

    return _grid(found, channel, bins, values, words, lambda k: (1.0, np.array([reach, reach])))


def stack_reach(found: MapExplanation) -> float:
    """Half the side of stacks in R200c: as far as half of the images reach, `REACH` at most."""
    half = 0.5 * min(found.images.shape[2:])
    return float(min(REACH, max(np.median(half / found.radius), 0.2)))


def _symbol(found: MapExplanation) -> str:
    return {"M200c": "M_{200c}", "M500c": "M_{500c}"}[found.mass_definition]


def _grid(
    found: MapExplanation,
    channel: int,
    rows: list[int],
    values: Callable[[str, int], Any],
    words: Callable[[int], str],
    scale: Callable[[int], tuple[float, Any]],
) -> Any:
    """Rows of clusters or bins, a column for the image and for each method; each column but the first has its own zero
    in the middle of its colours, each panel its own range."""
    left, top, between = 1.35, 0.62, 0.3
    size = (left + len(_TITLES) * _PANEL + 0.1, top + len(rows) * (_PANEL + between))
    figure = blank(size)
    figure.set_layout_engine("none")
    for i, k in enumerate(rows):
        bottom = size[1] - top - (i + 1) * (_PANEL + between) + between
        figure.text((left - 0.1) / size[0], (bottom + _PANEL / 2) / size[1], words(k), fontsize=8.5, ha="right",
                    va="center", linespacing=1.6)  # fmt: skip
        for j, (name, title) in enumerate(_TITLES.items()):
            axes = figure.add_axes((
                (left + j * _PANEL + 0.03) / size[0], bottom / size[1], (_PANEL - 0.06) / size[0], _PANEL / size[1]
            ))  # fmt: skip
            shown = np.asarray(values(name, k), np.float64) * _TIMES.get(name, 1.0)
            radius, half = scale(k)
            drawn = _show(axes, shown, name, found.channels[channel], half)
            _circles(axes, radius, half, dark=name != "image")
            if i == 0:
                axes.set_title(title, fontsize=8.5)
            bar = figure.add_axes((
                (left + (j + 0.12) * _PANEL) / size[0], (bottom - 0.07) / size[1], 0.76 * _PANEL / size[0],
                0.045 / size[1],
            ))  # fmt: skip
            _bar(figure, drawn, bar)
    return figure


def _show(axes: Any, shown: Any, name: str, channel: str, half: Any) -> Any:
    """One panel; the centre of the map at (0, 0)."""
    from matplotlib.colors import AsinhNorm, Normalize

    known = shown[np.isfinite(shown)]
    extent = (-half[0], half[0], -half[1], half[1])
    norm: Any
    if name == "image":
        width = max(float(np.quantile(np.abs(known), 0.5)), 1e-3 * float(np.abs(known).max()), 1e-300)
        norm, colours = (
            AsinhNorm(linear_width=width, vmin=float(known.min()), vmax=float(known.max()) + 1e-300),
            _COLOURS,
        )
        cmap = colours.get(channel, "viridis")
    else:
        high = max(float(np.quantile(np.abs(known), 0.998)), 1e-300)
        norm, cmap = Normalize(-high, high), "RdBu_r"
    drawn = axes.imshow(shown, origin="lower", extent=extent, norm=norm, cmap=cmap, interpolation="nearest")
    axes.set_facecolor("0.88")
    axes.set(xticks=[], yticks=[])
    return drawn


def _circles(axes: Any, radius: float, half: Any, *, dark: bool) -> None:
    from matplotlib.patches import Circle

    for share, style in ((CORE, "-"), (EDGE, (0, (4, 2)))):
        axes.add_patch(Circle((0, 0), share * radius, fill=False, lw=0.9, ls=style, color="k" if dark else "w"))
    axes.set(xlim=(-half[0], half[0]), ylim=(-half[1], half[1]))


def _bar(figure: Any, drawn: Any, axes: Any) -> None:
    """Ends and middle of the colours below a panel."""
    bar = figure.colorbar(drawn, cax=axes, orientation="horizontal")
    low, high = drawn.norm.vmin, drawn.norm.vmax
    ticks = [-high, 0.0, high] if low == -high else [low, high]
    bar.set_ticks(ticks, labels=[_short(tick) for tick in ticks])
    bar.ax.xaxis.set_minor_locator(_none())
    bar.ax.tick_params(labelsize=6.5, length=1.5, pad=1)
    bar.outline.set_linewidth(0.4)


def _short(value: float) -> str:
    """Two digits; without an exponent from 0.01 to 9999."""
    if value == 0:
        return "0"
    return f"{value:.0f}" if 10 <= abs(value) < 1e4 else f"{value:.2g}"


def _none() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def draw_profiles(found: MapExplanation, profiles: list[Row]) -> Any:
    """Means of the methods in rings by distance from the centre, a line for each mass bin."""
    names = [name for name in _TITLES if name != "image"]
    lines = len(found.channels)
    figure = blank((0.4 + 2.9 * len(names), 0.7 + 2.3 * lines))
    axes = figure.subplots(lines, len(names), squeeze=False, sharex=True)
    middle = 0.5 * (PROFILE_EDGES[:-1] + PROFILE_EDGES[1:])
    for i, channel in enumerate(found.channels):
        for j, name in enumerate(names):
            place = axes[i, j]
            place.axhline(0.0, color="0.2", lw=0.8)
            for share in (CORE, EDGE):
                place.axvline(share, color="0.6", lw=0.8, ls=(0, (4, 2)))
            for k in range(found.edges.size - 1):
                own = [r for r in profiles if (r["bin"], r["method"], r["channel"]) == (k, name, channel)]
                times = _TIMES.get(name, 1.0)
                mean, error = (times * np.array([r[key] for r in own], np.float64) for key in ("mean", "error"))
                low, high = found.edges[k : k + 2]
                there = np.isfinite(mean)  # wide pixels leave rings without one
                place.errorbar(
                    middle[there], mean[there], np.nan_to_num(error[there]), color=LINES[k % len(LINES)], lw=1.4,
                    marker="o", ms=2.5, elinewidth=0.8, label=f"{low:.2f} to {high:.2f}",
                )  # fmt: skip
            if i == 0:
                place.set_title(_TITLES[name], fontsize=8.5)
            if j == 0:
                place.set_ylabel(channel.replace("_", " "), fontsize=9)
            place.tick_params(labelsize=7.5)
            place.yaxis.get_offset_text().set_fontsize(6.5)
            place.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("distance from the centre [$R_{200c}$]; dashed: 0.15 and 1", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=6, fontsize=8, frameon=False,
                  title=f"$\\log_{{10}} {_symbol(found)}\\ [M_\\odot]$", title_fontsize=8)  # fmt: skip
    return figure
