"""Figures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.calibration import central_coverage
from ..evaluation.predictions import QUOTED
from ..evaluation.published import PUBLISHED
from ..evaluation.robustness import SUMMARY_RANGE, subsample_curve
from .canvas import blank, legend, note, panels, save_all
from .diagnostics import LEVELS, mass_function_rows, with_intervals
from .tables import MASS_EDGES, RATE_EDGES, Summary

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "0.55"  #: of Okabe & Ito, told apart by all eyes
EPSILON = r"$\epsilon = \log_{10}(M_\mathrm{pred}/M_\mathrm{true})$"
MASS_H = r"true $\log_{10} M_{200c}\ [M_\odot/h]$"


def draw_all(summaries: Sequence[Summary], folder: Path) -> list[tuple[Path, str]]:
    """Draw every figure of an evaluation; returns the files with a caption each.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    return save_all(FIGURES, summaries, folder)


def draw_overview(summaries: Sequence[Summary]) -> Any:
    """Median and 16-84 % of residuals of every estimator, one below the other, and the published ones."""
    n = len(summaries)
    figure = blank((8.0, 1.3 + 0.36 * n))
    axes = figure.subplots()
    axes.axvline(0.0, color="0.2", lw=0.8)
    for k, one in enumerate(summaries):
        s, table = one.residuals, one.item.predictions
        published = PUBLISHED.get((table.estimator, table.kind))
        up = 0.14 if published else 0.0
        _bar(axes, k - up, s.median, s.p16, s.p84, BLUE, "o", "measured: median, 16-84 %")
        text = f"{s.sigma:.3f}"
        if published:
            _bar(axes, k + up, published.bias_dex, published.p16_dex, published.p84_dex, VERMILION, "D", "published")
            text += f"  (published {published.sigma_dex:.3f})"
        axes.text(1.02, k, text, transform=axes.get_yaxis_transform(), fontsize=8, va="center")
    axes.text(1.02, -0.75, "scatter [dex]", transform=axes.get_yaxis_transform(), fontsize=8, va="center", color="0.35")
    axes.set(ylim=(n - 0.5, -0.5), yticks=range(n), yticklabels=[one.name for one in summaries])
    axes.set_xlabel(f"{EPSILON}  [dex],  {QUOTED[0]:g} < {MASS_H.removeprefix('true ')} < {QUOTED[1]:g}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    legend(figure)
    return figure


def _bar(axes: Any, y: float, middle: float, low: float, high: float, colour: str, marker: str, label: str) -> None:
    if np.isfinite(middle):
        axes.errorbar([middle], [y], xerr=[[middle - low], [high - middle]], fmt=marker, ms=4.5, lw=1.6, color=colour,
                      label=label)  # fmt: skip


def draw_predicted(summaries: Sequence[Summary]) -> Any:
    """Predicted against true mass: numbers of clusters, the line of equality, running median and 16-84 %."""

    def draw(axes: Any, one: Summary) -> None:
        table = one.item.predictions
        known = np.isfinite(table.log10_mass)
        true = table.log10_m200c_h[known]
        # M500c estimates are compared with M500c truths: shift them by that difference
        predicted = true + table.epsilon[known]
        edges = (np.linspace(13.9, 15.1, 61), np.linspace(13.2, 15.8, 79))
        counts, _, _ = np.histogram2d(true, np.clip(predicted, edges[1][0], edges[1][-1]), bins=edges)
        shown = np.ma.masked_equal(counts.T, 0)
        axes.pcolormesh(*edges, shown, cmap="Blues", norm=_log_norm(counts.max()), rasterized=True)
        axes.plot([13, 16], [13, 16], color="0.2", lw=1.0)
        at, low, middle, high = _running(true, predicted)
        axes.plot(at, middle, color=VERMILION, lw=1.6)
        axes.plot(at, low, color=VERMILION, lw=0.9, ls=(0, (4, 2)))
        axes.plot(at, high, color=VERMILION, lw=0.9, ls=(0, (4, 2)))
        note(axes, f"$N$ = {one.residuals.n:,}\nbias {one.residuals.median:+.3f} dex\n"
                    f"scatter {one.residuals.sigma:.3f} dex")  # fmt: skip

    return panels(
        summaries, MASS_H, r"predicted $\log_{10} M\ [M_\odot/h]$", draw, xlim=(13.9, 15.1), ylim=(13.2, 15.8)
    )


def _log_norm(high: float) -> Any:
    from matplotlib.colors import LogNorm

    return LogNorm(0.5, max(high, 2.0))


def _running(true: Any, values: Any) -> Any:
    """16, 50 and 84 % of values in bins of true mass with at least five of them."""
    place = np.digitize(true, MASS_EDGES) - 1
    rows = []
    for k in range(MASS_EDGES.size - 1):
        here = values[place == k]
        if here.size >= 5:
            rows.append((0.5 * (MASS_EDGES[k] + MASS_EDGES[k + 1]), *np.quantile(here, [0.16, 0.5, 0.84])))
    return np.array(rows).reshape(-1, 4).T


def draw_residuals(summaries: Sequence[Summary]) -> Any:
    """Distribution of residuals, and the normal distributions of the measured and of the published scatter."""
    grid = np.linspace(-1.5, 1.5, 301)

    def draw(axes: Any, one: Summary) -> None:
        table = one.item.predictions
        epsilon = table.epsilon[table.is_quoted]
        axes.hist(
            np.clip(epsilon, -1.5, 1.5), bins=np.linspace(-1.5, 1.5, 61), density=True, color=BLUE, alpha=0.45, lw=0
        )
        axes.plot(
            grid,
            _normal(grid, one.residuals.mean, one.residuals.sigma),
            color=BLUE,
            lw=1.4,
            label="normal, same mean and scatter",
        )
        published = PUBLISHED.get((table.estimator, table.kind))
        if published:
            axes.plot(grid, _normal(grid, published.bias_dex, published.sigma_dex), color=VERMILION, lw=1.2,
                      ls=(0, (4, 2)), label="normal of published bias and scatter")  # fmt: skip
        axes.axvline(0.0, color="0.2", lw=0.8)
        s = one.residuals
        note(axes, f"$\\sigma$ = {s.sigma:.3f} dex\n$\\gamma$ = {s.skewness:+.2f}, $\\kappa$ = {s.kurtosis:+.2f}")

    figure = panels(summaries, f"{EPSILON}  [dex]", "probability per dex", draw, xlim=(-1.5, 1.5))
    legend(figure)
    return figure


def _normal(x: Any, mean: float, sigma: float) -> Any:
    if not sigma > 0:
        return np.full_like(x, np.nan)
    return np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def draw_by_mass(summaries: Sequence[Summary]) -> Any:
    """Median and 16-84 % of residuals by true mass."""

    def draw(axes: Any, one: Summary) -> None:
        table = one.item.predictions
        known = np.isfinite(table.log10_mass)
        at, low, middle, high = _running(table.log10_m200c_h[known], table.epsilon[known])
        axes.axhline(0.0, color="0.2", lw=0.8)
        axes.fill_between(at, low, high, color=BLUE, alpha=0.22, lw=0, label="16-84 %")
        axes.plot(at, middle, color=BLUE, lw=1.6, marker="o", ms=3, label="median")

    figure = panels(summaries, MASS_H, f"{EPSILON}  [dex]", draw, xlim=QUOTED, ylim=(-1.0, 1.0))
    legend(figure)
    return figure


def draw_subsampling(summaries: Sequence[Summary]) -> Any:
    """How predictions move when only a share r of the galaxies is seen."""

    def draw(axes: Any, one: Summary) -> None:
        table = one.item.subsamples
        axes.axvspan(*SUMMARY_RANGE, color="0.92", lw=0)
        axes.axhline(0.0, color="0.2", lw=0.8)
        if len(table):
            shown = table.draws[:, 0]
            axes.plot(table.rate, shown, ".", color=GREY, ms=3, alpha=0.6, mew=0)
        curve = subsample_curve(table, RATE_EDGES)
        at = 0.5 * (curve["low"] + curve["high"])
        good = curve["n"] >= 3
        axes.fill_between(at[good], curve["p16"][good], curve["p84"][good], color=BLUE, alpha=0.22, lw=0,
                          label="16-84 % of single sub-samples")  # fmt: skip
        axes.plot(at[good], curve["median"][good], color=BLUE, lw=1.6, marker="o", ms=3, label="median")
        axes.plot(at[good], curve["mean_median"][good], color=VERMILION, lw=1.2, ls=(0, (4, 2)),
                  label="median of the mean mass of 10")  # fmt: skip
        note(axes, f"0.6-0.8: {one.subsampling.median:+.3f}, width {one.subsampling.width:.3f} dex")

    figure = panels(summaries, "share r of the galaxies that is seen", r"$\log_{10}(M^{(r)}/M^{(1)})$  [dex]", draw,
                    xlim=(0, 1), ylim=(-1.2, 1.2))  # fmt: skip
    legend(figure)
    return figure


def draw_velocity_errors(summaries: Sequence[Summary]) -> Any:
    """How predictions move with Gaussian errors on the velocities."""

    def draw(axes: Any, one: Summary) -> None:
        curve = one.item.velocity_errors.curve()
        size = np.concatenate([[0.0], curve["velocity_error"]])
        low, middle, high = (np.concatenate([[0.0], curve[name]]) for name in ("p16", "median", "p84"))
        axes.axhline(0.0, color="0.2", lw=0.8)
        axes.fill_between(size, low, high, color=BLUE, alpha=0.22, lw=0, label="16-84 %")
        axes.plot(size, middle, color=BLUE, lw=1.6, marker="o", ms=3, label="median")

    figure = panels(summaries, "error of velocities [km/s]", r"$\log_{10}(M_\mathrm{with}/M_\mathrm{without})$  [dex]",
                    draw)  # fmt: skip
    legend(figure)
    return figure


def draw_calibration(summaries: Sequence[Summary]) -> Any:
    """Coverage of central intervals at all levels, and the distribution of PIT values."""

    def draw(axes: Any, one: Summary) -> None:
        table = with_intervals(one.item.predictions)
        axes.plot([0, 1], [0, 1], color="0.2", lw=0.8)
        if len(table) == 0:
            note(axes, "gives no intervals")
            return
        heights, edges = np.histogram(table.pit, bins=np.linspace(0, 1, 21), density=True)
        axes.stairs(0.25 * heights, edges, color=GREY, fill=True, alpha=0.35, label="PIT values; a quarter is even")
        axes.axhline(0.25, color=GREY, lw=0.7, ls=(0, (4, 2)))
        coverage = central_coverage(table.pit, LEVELS)
        axes.plot(LEVELS, coverage.coverage, color=BLUE, lw=1.6, label="share of truths in the central interval")
        hosts = max(np.unique(table.host_id).size, 1)
        spread = 3 * np.sqrt(LEVELS * (1 - LEVELS) / hosts)
        axes.fill_between(LEVELS, LEVELS - spread, LEVELS + spread, color="0.85", lw=0, zorder=0,
                          label="3 standard errors, by host")  # fmt: skip
        share = float(central_coverage(table.pit, [0.6827]).coverage[0])
        note(axes, f"{len(table):,} rows, {hosts:,} hosts\n68.3 % holds {100 * share:.1f} %")

    figure = panels(summaries, "level of the central interval, or PIT value", "coverage", draw, xlim=(0, 1),
                    ylim=(0, 1))  # fmt: skip
    legend(figure)
    return figure


def draw_mass_function(summaries: Sequence[Summary]) -> Any:
    """Clusters by estimated and by true mass, beside the expected mass function."""

    def draw(axes: Any, one: Summary) -> None:
        rows = mass_function_rows([one.item])
        if not rows:
            note(axes, "volume unknown")
            return
        low, high, density, below, above, true, expected = (
            np.array([row[name] for row in rows], np.float64)
            for name in ("low", "high", "density", "poisson_below", "poisson_above", "true_density", "expected")
        )
        axes.set_yscale("log")
        axes.plot(0.5 * (low + high), expected, color=GREY, lw=1.2, ls=(0, (4, 2)), label="Tinker et al. 2008")
        axes.stairs(np.where(true > 0, true, np.nan), [*low, high[-1]], color="0.2", lw=1.0, label="by true mass")
        good = density > 0
        bars = np.minimum(below, 0.999 * density)[good], above[good]
        axes.errorbar(0.5 * (low + high)[good], density[good], bars, fmt="o", ms=3.5, lw=1.0, color=BLUE,
                      label="by estimated mass")  # fmt: skip

    figure = panels(summaries, r"$\log_{10} M_{200c}\ [M_\odot/h]$", r"clusters per $(\mathrm{Mpc}/h)^3$ and dex", draw,
                    xlim=QUOTED)  # fmt: skip
    legend(figure)
    return figure


#: name of the file -> (drawing, caption)
FIGURES: dict[str, tuple[Callable[[Sequence[Summary]], Any], str]] = {
    "dynamical": (
        draw_overview,
        "Residuals epsilon = log10(M_pred / M_true) of every estimator for 14 < log10 M200c [Msun/h] < 15: median and "
        "16-84 % (blue), published median and 16-84 % (orange), and standard deviation at the right.",
    ),
    "predicted_true": (
        draw_predicted,
        "Predicted against true mass, log10 of M200c [Msun/h]. Colour: clusters in a cell, logarithmic. Black: "
        "equality. Orange: median (solid), 16 and 84 % (dashed) in bins of true mass. Estimates beyond the axis lie on "
        "its edge.",
    ),
    "residuals": (
        draw_residuals,
        "Residuals epsilon = log10(M_pred / M_true) for 14 < log10 M200c [Msun/h] < 15, with the normal distribution "
        "of the same mean and scatter (blue), and of the published median and scatter (orange, dashed) where there is "
        "one.",
    ),
    "by_mass": (
        draw_by_mass,
        "Bias and scatter by true mass: median and 16-84 % of epsilon = log10(M_pred / M_true), M200c in Msun/h. In "
        "bins of true mass any estimator that knows its prior slopes downwards (regression to the mean).",
    ),
    "subsampling": (
        draw_subsampling,
        "Robustness against missing galaxies: log10 of the mass from a random share r of the galaxies over the mass "
        "from all, by the same model. Grey band: the range 0.6-0.8 that is summarised.",
    ),
    "velocity_errors": (
        draw_velocity_errors,
        "Robustness against errors of velocities: log10 of the mass with Gaussian errors over the mass without, by "
        "the same model.",
    ),
    "calibration": (
        draw_calibration,
        "Calibration on the flat mass function that estimators learn from: share of the truths in the central interval "
        "of each level (blue, below the diagonal where intervals are too narrow), and the distribution of PIT values "
        "(grey, even where calibrated). Three views of a host are not independent.",
    ),
    "mass_function": (
        draw_mass_function,
        "Clusters per (Mpc/h)^3 and dex by estimated M200c [Msun/h], corrected for clusters without an estimate, "
        "beside those by true mass and Tinker et al. 2008. Scatter moves more clusters up than down. The test "
        "selection begins at 10^13.9, so that the lowest bins lack what scatters up from below.",
    ),
}
