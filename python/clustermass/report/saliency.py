"""The folder of an explained network on galaxies: a figure by mass bin, and the numbers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interpretation.galaxies import GalaxySaliency
from .canvas import blank, note, save
from .folder import write_json
from .tables import write_csv

_COLOURS = "RdBu_r"  #: red: raises the mass


def write_saliency(
    folder: Path, found: GalaxySaliency, *, bins: int = 3, is_member: NDArray[Any] | None = None,
    record: dict[str, Any] | None = None,
) -> list[str]:  # fmt: skip
    """Write `saliency.png`, `galaxies.csv`, `saliency_bins.csv` and `saliency.json`; returns what they say in words.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    found : GalaxySaliency
        What to draw.
    bins : int
        Of estimated mass, with equal numbers of clusters.
    is_member : array of bool, optional
        Of all galaxies of the sample that was explained: draws interlopers as squares.
    record : dict, optional
        Provenance.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = found.bin_rows(bins, is_member)
    said = _sentences(found, rows)
    write_csv(folder / "galaxies.csv", found.galaxy_rows(is_member))
    write_csv(folder / "saliency_bins.csv", rows)
    write_json(folder / "saliency.json", {"sentences": said, "record": record or {}})
    draw_saliency(folder / "saliency.png", found, bins, is_member)
    return said


def draw_saliency(path: Path, found: GalaxySaliency, bins: int, is_member: NDArray[Any] | None = None) -> None:
    """Draw a line for each mass bin: a cluster's galaxies, its map, the mean map of the bin, influence by speed."""
    own = found.bins(bins)
    lines = list(np.unique(own)) if len(found) else []
    figure = blank((12.6, 0.9 + 2.9 * max(len(lines), 1)))
    axes = figure.subplots(max(len(lines), 1), 4, squeeze=False, width_ratios=(1.15, 1, 1, 0.85))
    for line, number in zip(axes, lines, strict=False):
        rows = np.flatnonzero(own == number)
        example = int(rows[np.argsort(found.log10_mass[rows], kind="stable")[rows.size // 2]])
        _draw_galaxies(line[0], found, example, is_member)
        one = _draw_map(line[1], found, found.maps[example])
        mean = _draw_map(line[2], found, found.maps[rows].mean(axis=0))
        line[1].set_title("this cluster", fontsize=8)
        line[2].set_title(f"mean of {rows.size} clusters", fontsize=8)
        for place, image in ((line[1], one), (line[2], mean)):
            bar = figure.colorbar(image, ax=place, shrink=0.85)
            bar.ax.tick_params(labelsize=6)
            bar.ax.set_title("mdex", fontsize=6)
        _draw_speeds(line[3], found, rows, is_member)
    for place in axes.ravel():
        place.tick_params(labelsize=7)
    if lines:
        for place, label in zip(axes[-1], ("projected radius [Mpc]",) * 3 + ("|velocity| [km/s]",), strict=True):
            place.set_xlabel(label, fontsize=8)
    figure.suptitle(
        f"{found.estimator}: change of log10 {found.mass_definition} by each galaxy (left, right: it is left out) and "
        "by one galaxy more in a hundred at a place (middle)", fontsize=9, x=0.01, ha="left",
    )  # fmt: skip
    save(figure, path)


def _draw_galaxies(axes: Any, found: GalaxySaliency, row: int, is_member: NDArray[Any] | None) -> None:
    part = slice(found.offsets[row], found.offsets[row + 1])
    influence = 1000.0 * found.influence[part]
    limit = float(np.abs(influence).max()) or 1.0
    member = np.ones(influence.size, bool) if is_member is None else np.asarray(is_member, bool)[found.galaxy[part]]
    image = None
    for kind, mark in ((member, "o"), (~member, "s")):
        image = axes.scatter(
            found.radius[part][kind], found.velocity[part][kind], c=influence[kind], s=22, marker=mark, cmap=_COLOURS,
            vmin=-limit, vmax=limit, edgecolor="0.35", linewidth=0.5,
        )  # fmt: skip
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.ax.tick_params(labelsize=6)
    bar.ax.set_title("mdex", fontsize=6)
    span = float(np.abs(found.velocities).max())
    axes.set(xlim=(0, float(found.radii.max()) * 1.03), ylim=(-1.03 * span, 1.03 * span))
    axes.set_ylabel("velocity [km/s]", fontsize=8)
    axes.set_title(f"{found.names[row]}: {found.log10_mass[row]:.2f} dex Msun, {influence.size} galaxies", fontsize=8)
    if not member.all():
        note(axes, "squares: interlopers", at=(0.03, 0.03))


def _draw_map(axes: Any, found: GalaxySaliency, values: NDArray[Any]) -> Any:
    limit = 1000.0 * float(np.quantile(np.abs(values), 0.995)) or 1.0
    image = axes.pcolormesh(
        found.radii, found.velocities, 1000.0 * values, cmap=_COLOURS, vmin=-limit, vmax=limit, shading="nearest"
    )
    axes.set_yticklabels([])
    return image


def _draw_speeds(axes: Any, found: GalaxySaliency, rows: NDArray[Any], is_member: NDArray[Any] | None) -> None:
    """Influence of single galaxies of a bin by their speed, with running medians."""
    here = np.isin(found.cluster, rows)
    speed, influence = np.abs(found.velocity[here]), 1000.0 * found.influence[here]
    member = np.ones(speed.size, bool) if is_member is None else np.asarray(is_member, bool)[found.galaxy[here]]
    edges = np.linspace(0, float(np.abs(found.velocities).max()), 9)
    for kind, mark, colour, label in ((member, "o", "#3b6fb6", "members"), (~member, "s", "#c8553d", "interlopers")):
        if not kind.any():
            continue
        axes.plot(speed[kind], influence[kind], mark, ms=2, alpha=0.35, color=colour, mew=0)
        cell = np.digitize(speed[kind], edges) - 1
        middle = [np.median(influence[kind][cell == k]) if (cell == k).sum() > 2 else np.nan for k in range(8)]
        name = label if not member.all() else "galaxies"
        axes.plot(0.5 * (edges[1:] + edges[:-1]), middle, "-", color=colour, lw=1.6, label=f"{name}, median")
    axes.axhline(0, color="0.6", lw=0.7)
    limit = float(np.quantile(np.abs(influence), 0.99)) or 1.0
    axes.set_ylim(-1.1 * limit, 1.1 * limit)
    axes.set_ylabel("influence [mdex]", fontsize=8)
    axes.legend(fontsize=6, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _sentences(found: GalaxySaliency, rows: list[dict[str, Any]]) -> list[str]:
    said = []
    for row in rows:
        whole = row["speed_low_km_s"] == 0 and not np.isfinite(row["speed_high_km_s"])
        if row["galaxies"] == "all" and whole:
            fast = [r for r in rows if r["galaxies"] == "all" and r["mass_low"] == row["mass_low"]
                    and r["speed_low_km_s"] >= 1300 and np.isfinite(r["mean_influence_dex"])]  # fmt: skip
            more = "".join(
                f", {1000 * r['mean_influence_dex']:+.1f} above {r['speed_low_km_s']:.0f} km/s" for r in fast[-1:]
            )
            mean, sigma = 1000 * row["mean_influence_dex"], 1000 * row["sigma_influence_dex"]
            said.append(
                f"{found.estimator}, {row['mass_low']:.2f} to {row['mass_high']:.2f} dex Msun: a galaxy changes the "
                f"mass by {mean:+.1f} +- {sigma:.1f} mdex{more}"
            )
    return said
