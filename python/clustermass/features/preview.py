"""Draw a file of maps: clusters of different mass down, channels across."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from .. import units
from .._extras import new_figure
from ..data.atomic import atomic_path
from ..data.maps_file import MapSet
from ..errors import DomainError
from .channels import CHANNELS
from .views import NAMED_DIRECTIONS

_COLOURS = {"stars": "cividis", "xray_soft": "magma", "xray_bolometric": "inferno", "compton_y": "viridis"}
_PANEL = 2.35  #: inch
_BARS = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)  #: lengths of a scale bar [arcmin]
_COLUMNS = ("view", "cluster_id", "m200c_msun", "redshift", "direction", "channel", "unit", "peak", "total")


def choose_views(maps: MapSet, n: int) -> NDArray[np.int64]:
    """Rows of at most `n` views to show: clusters spread evenly over log mass, heaviest first, one view of each.

    With fewer clusters than `n`, further views of the same clusters follow.
    """
    n = check.integer(n, "n", low=1)
    if len(maps) == 0:
        raise DomainError(f"{maps.path} holds no views")
    return rows_over_mass(maps.labels["cluster_id"], maps.labels["m200c"], n)


def rows_over_mass(ids: NDArray[np.int64], masses: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """At most `n` of the rows: one of each cluster, spread evenly over log mass, heaviest first; then further ones."""
    unique, first = np.unique(ids, return_index=True)
    mass = np.nan_to_num(masses[first], nan=0.0)
    by_mass = first[np.lexsort((first, -mass))]
    if len(unique) >= n:
        log_mass = np.log10(np.maximum(masses[by_mass], 1.0))
        wanted = np.linspace(log_mass[0], log_mass[-1], n)
        return np.asarray(by_mass[_nearest_unused(log_mass, wanted)])
    rest = np.setdiff1d(np.arange(len(ids)), by_mass)
    return np.asarray(np.concatenate([by_mass, rest[: n - len(by_mass)]]))


def _nearest_unused(falling: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[int]:
    """For each wanted value the index of the nearest entry of a falling list, each used once, in order."""
    chosen: list[int] = []
    for k, value in enumerate(wanted):
        low, high = (chosen[-1] + 1 if chosen else 0), len(falling) - (len(wanted) - k) + 1
        chosen.append(low + int(np.argmin(np.abs(np.nan_to_num(falling[low:high]) - np.nan_to_num(value)))))
    return chosen


def draw_maps(maps: MapSet, out: str | Path, *, n: int = 6) -> tuple[Path, Path]:
    """Draw some clusters of a file of maps, and write their peak and total values beside the picture.

    The colours of a channel mean the same in every row. The stretch is asinh: linear around the noise, logarithmic
    above it. The dashed circle is R200c.

    Parameters
    ----------
    maps : MapSet
        From `read_maps`.
    out : str or Path
        The picture; its suffix (png, pdf, svg) says of what kind. The numbers go to the same name with ``.csv``.
    n : int
        Rows, >= 1.

    Returns
    -------
    (Path, Path)
        Picture and table.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    DomainError
        If the file holds no views.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> snapshot, targets = cm.open_snapshot(cm.datasets.sample_snapshot()), cm.Targets([[76.9, 11.9, 25.3]], [7])
    >>> settings = cm.MapSettings(channels=["gas_mass"], pixels=16, directions=["x"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps = cm.make_maps(snapshot, targets, f"{folder}/maps.h5", settings)
    ...     picture, table = draw_maps(maps, f"{folder}/maps.png", n=1)
    ...     picture.name, table.name
    ('maps.png', 'maps.csv')
    """
    out = Path(out)
    rows = choose_views(maps, n)
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise DomainError(f"`out` must end in .png, .pdf or .svg, got {out.name!r}")
    images = maps.read_images(rows)
    figure = _draw(maps, rows, images)
    with atomic_path(out) as part:
        figure.savefig(part)
    return out, _write_table(out.with_suffix(".csv"), maps, rows, images)


def _draw(maps: MapSet, rows: NDArray[np.int64], images: NDArray[np.float32]) -> Any:
    """The figure: one row of panels a view, one column a channel, its colour bar below."""
    n_rows, n_cols = images.shape[:2]
    left, bottom, top = 1.5, 0.75, 0.4
    size = (left + _PANEL * n_cols + 0.1, bottom + _PANEL * n_rows + top)
    figure = new_figure(size, 130, layout=None)
    for k in range(n_cols):
        norm = _stretch(images[:, k], maps.channels[k].noise_rms)
        for i in range(n_rows):
            box = (left + _PANEL * k, bottom + _PANEL * (n_rows - 1 - i), _PANEL, _PANEL)
            axes = figure.add_axes(_fraction(box, size, gap=0.03))
            name = maps.channels[k].name
            shown = axes.imshow(images[i, k], origin="lower", norm=norm, cmap=_COLOURS.get(name, "gray"))
            _decorate(axes, maps, int(rows[i]), with_scale=k == 0)
            if i == 0:
                label = CHANNELS[name].label if name in CHANNELS else name
                axes.set_title(label.replace(", ", "\n", 1) if len(label) > 26 else label, fontsize=10)
            if k == 0:
                x, y, _, height = _fraction(box, size, gap=0.0)
                text = _describe(maps, int(rows[i]))
                figure.text(
                    x - 0.08 / size[0], y + height / 2, text, fontsize=9, ha="right", va="center", linespacing=1.6
                )
        bar_box = (left + _PANEL * k, bottom - 0.22, _PANEL, 0.12)
        bar = figure.colorbar(shown, cax=figure.add_axes(_fraction(bar_box, size, gap=0.1)), orientation="horizontal")
        _label_bar(bar, norm, maps.channels[k].unit)
    return figure


def _fraction(box: Sequence[float], size: Sequence[float], gap: float) -> tuple[float, float, float, float]:
    """A box in inches (left, bottom, width, height), narrower by a gap, as fractions of the figure."""
    x, y, width, height = box
    inset = gap if height > 2 * gap else 0.0
    return (x + gap) / size[0], (y + inset) / size[1], (width - 2 * gap) / size[0], (height - 2 * inset) / size[1]


def _stretch(images: NDArray[np.float32], noise: float) -> Any:
    """Colour scale of one channel: linear up to the scatter from pixel to pixel, logarithmic above."""
    from matplotlib.colors import AsinhNorm

    high = float(images.max())
    steps = np.abs(np.diff(images, axis=2))
    scatter = 1.05 * float(np.median(steps, axis=(1, 2)).min())  # rms of white noise from the median step
    width = max(2.0 * scatter, 1e-3 * high, 1e-300)
    low = -width if noise > 0 and images.min() < 0 else 0.0
    if not high > low:
        low, high = low - width, low + width
    return AsinhNorm(linear_width=width, vmin=low, vmax=high)


def _label_bar(bar: Any, norm: Any, unit: str) -> None:
    """A few round ticks well apart (those of an asinh scale come too many), and the unit."""
    from matplotlib.ticker import NullLocator

    top = int(np.floor(np.log10(max(norm.vmax, 1e-300))))
    decades = 10.0 ** np.arange(top, top - 4, -1)
    ticks: list[float] = []
    for tick in (0.0, *decades, *(5 * decades), *(2 * decades)):
        place = float(norm(tick))
        if 0.0 <= place <= 0.93 and all(abs(place - float(norm(other))) > 0.22 for other in ticks):
            ticks.append(tick)
    bar.set_ticks(ticks, labels=[_round_number(tick) for tick in ticks])
    bar.ax.xaxis.set_minor_locator(NullLocator())
    bar.ax.tick_params(labelsize=8, length=2)
    shown = {"solMass": r"$M_\odot$ per pixel", "erg / (s cm2)": r"erg s$^{-1}$ cm$^{-2}$ per pixel", "": "no unit"}
    bar.set_label(shown.get(unit, f"{unit} per pixel"), fontsize=8)


def _round_number(value: float) -> str:
    """1, 2 or 5 times a power of ten, for a tick."""
    if value == 0:
        return "0"
    power = int(np.floor(np.log10(value) + 1e-9))
    factor = round(value / 10.0**power)
    return rf"$10^{{{power}}}$" if factor == 1 else rf"${factor}\times 10^{{{power}}}$"


def direction_name(direction: NDArray[np.float64]) -> str:
    """``x``, ``diagonal`` ... or the vector, rounded."""
    for name, vector in NAMED_DIRECTIONS.items():
        if np.allclose(direction, vector, atol=1e-9):
            return name
    return "(" + ", ".join(f"{v:.2f}" for v in direction) + ")"


def _describe(maps: MapSet, row: int) -> str:
    """The words beside a row of panels."""
    mass = float(maps.labels["m200c"][row])
    lines = [f"$\\log_{{10}} M_{{200c}} = {np.log10(mass):.2f}$" if mass > 0 else "mass unknown"]
    radius = _radius_pixels(maps, row) * maps.pixel_angle / units.ARCMIN_RAD
    if radius > 0:
        lines.append(f"$R_{{200c}} = {radius:.1f}$′")
    lines.append(f"$z = {float(maps.views['redshift'][row]):.3f}$")
    name = direction_name(maps.views["direction"][row])
    lines.append(f"along\n{name}" if name.startswith("(") else f"along {name}")  # a vector has a line of its own
    return "\n".join(lines)


def _radius_pixels(maps: MapSet, row: int) -> float:
    """R200c in pixels; 0 where unknown."""
    radius = float(maps.labels["r200c"][row]) / float(maps.views["pixel_size"][row])
    return radius if np.isfinite(radius) and radius > 0 else 0.0


def _decorate(axes: Any, maps: MapSet, row: int, *, with_scale: bool) -> None:
    """R200c, and in the first column a scale bar."""
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    n_rows, n_cols = maps.shape[2:]
    axes.set_xticks([])
    axes.set_yticks([])
    radius = _radius_pixels(maps, row)
    if radius > 0:
        axes.add_patch(
            Circle(((n_cols - 1) / 2, (n_rows - 1) / 2), radius, fill=False, ls=(0, (4, 3)), lw=0.8, color="white")
        )
    axes.set_xlim(-0.5, n_cols - 0.5)
    axes.set_ylim(-0.5, n_rows - 0.5)
    if not with_scale:
        return
    field = n_cols * maps.pixel_angle / units.ARCMIN_RAD
    length = max([s for s in _BARS if s <= 0.35 * field], default=_BARS[0])
    pixels = length * units.ARCMIN_RAD / maps.pixel_angle
    x, y = 0.06 * n_cols, 0.07 * n_rows
    edge = [withStroke(linewidth=2.5, foreground="black")]
    axes.plot([x, x + pixels], [y, y], color="white", lw=1.6, solid_capstyle="butt", path_effects=edge)
    proper = length * units.ARCMIN_RAD * float(maps.views["angular_diameter_distance"][row])
    size = f"{proper:.2g} Mpc" if proper >= 1 else f"{1000 * proper:.0f} kpc"
    axes.text(x, y + 0.025 * n_rows, f"{length:g}′ = {size}", color="white", fontsize=7, path_effects=edge)


def _write_table(path: Path, maps: MapSet, rows: NDArray[np.int64], images: NDArray[np.float32]) -> Path:
    """Peak and total of every panel."""
    with atomic_path(path) as part, Path(part).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for row, panels in zip(rows, images, strict=True):
            view = [
                int(row),
                int(maps.labels["cluster_id"][row]),
                f"{maps.labels['m200c'][row]:.6g}",
                f"{maps.views['redshift'][row]:.6f}",
                direction_name(maps.views["direction"][row]),
            ]
            for channel, image in zip(maps.channels, panels, strict=True):
                total = f"{image.sum(dtype=np.float64):.6g}"
                table.writerow([*view, channel.name, channel.unit, f"{image.max():.6g}", total])
    return path
