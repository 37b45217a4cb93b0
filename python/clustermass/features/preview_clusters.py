"""Draw cluster observations: phase-space diagrams with members and interlopers, and the density beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from .._extras import new_figure
from ..data.atomic import atomic_path
from ..data.clusters_file import ClusterSet
from ..errors import DomainError
from ..ops.kde import estimate_density
from .preview import rows_over_mass

MEMBER, INTERLOPER = "#0072B2", "#D55E00"  #: blue and vermilion of Okabe & Ito, told apart by all eyes
CELLS, BANDWIDTH = 48, 0.25  #: of the density: Ho et al. 2019
_PANEL = (2.5, 2.1)  #: inch


def draw_clusters(clusters: ClusterSet, out: str | Path, *, n: int = 6) -> Path:
    """Draw some observations, spread over mass, heaviest first: velocity against radius, and the density beside it.

    Dots are members, crosses interlopers; dashed is R200c. The density is the kernel estimate of Ho et al. 2019, on
    48 x 48 cells with a bandwidth factor of 0.25.

    Parameters
    ----------
    clusters : ClusterSet
        From `read_clusters`.
    out : str or Path
        The picture; its suffix (png, pdf, svg) says of what kind.
    n : int
        Number of observations, >= 1; two in a row.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    DomainError
        If there are no observations.

    Examples
    --------
    >>> import tempfile
    >>> import clustermass as cm
    >>> universe, _ = cm.open_universe(cm.datasets.sample_groups(), snapshot=cm.datasets.sample_snapshot())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clusters = cm.make_cluster_catalogue(universe, f"{folder}/clusters.hdf5")
    ...     draw_clusters(clusters, f"{folder}/clusters.png", n=2).name
    'clusters.png'
    """
    out = Path(out)
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise DomainError(f"`out` must end in .png, .pdf or .svg, got {out.name!r}")
    n = check.integer(n, "n", low=1)
    if len(clusters) == 0:
        raise DomainError(f"there are no {clusters.kind} observations to draw")
    rows = rows_over_mass(clusters.host_id, 10.0**clusters.log10_m200c, n)
    figure = _draw(clusters.only(rows))
    with atomic_path(out) as part:
        figure.savefig(part)
    return out


def _draw(shown: ClusterSet) -> Any:
    """Two observations in a row, each a diagram and its density."""
    density = densities(shown)
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    left, bottom, gap, head = 0.75, 0.5, 0.45, 0.78
    block = (2 * _PANEL[0] + 0.95, _PANEL[1] + gap)
    size = (left + columns * block[0] - 0.75, bottom + lines * block[1] + head - gap - 0.25)
    figure = new_figure(size, 130, layout=None)
    for k in range(len(shown)):
        line, column = divmod(k, columns)
        x, y = left + column * block[0], bottom + (lines - 1 - line) * block[1]
        for side in (0, 1):
            box = (x + side * (_PANEL[0] + 0.08), y, *_PANEL)
            axes = figure.add_axes((box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]))
            if side == 0:
                _diagram(axes, shown, k)
                axes.set_title(_title(shown, k), fontsize=9, loc="left")
                axes.set_ylabel("velocity [km/s]", fontsize=8)
            else:
                _density(axes, shown, density[k], k)
                axes.set_yticklabels([])
            axes.tick_params(labelsize=7)
            if line == lines - 1 or k + columns >= len(shown):
                axes.set_xlabel("radius on the sky [comoving Mpc]", fontsize=8)
    _legend(figure, shown, size)
    return figure


def densities(clusters: ClusterSet) -> NDArray[np.float64]:
    """Density on the grid of Ho et al. 2019 of each observation, shape (n, velocity, radius); each sums to 1."""
    points = np.stack([clusters.velocity, clusters.radius], axis=1)
    high = clusters.max_velocity
    axes = [(-high, high, CELLS), (0.0, clusters.max_radius, CELLS)]
    return np.asarray(estimate_density(points, clusters.offsets, axes=axes, bandwidth=BANDWIDTH), np.float64)


def _title(clusters: ClusterSet, k: int) -> str:
    sigma = clusters.sigma_v[k]
    spread = f"$\\sigma_v = {sigma:.0f}$ km/s" if np.isfinite(sigma) else "$\\sigma_v$ unknown"
    mass = f"$\\log_{{10}} M_{{200c}} = {clusters.log10_m200c[k]:.2f}\\ [M_\\odot]$"
    return f"{mass},  $N = {clusters.n_galaxies[k]}$ ({clusters.n_members[k]} members),  {spread}"


def _diagram(axes: Any, clusters: ClusterSet, k: int) -> None:
    part = slice(int(clusters.offsets[k]), int(clusters.offsets[k + 1]))
    member = clusters.is_member[part]
    radius, velocity = clusters.radius[part], clusters.velocity[part]
    axes.plot(radius[~member], velocity[~member], "x", color=INTERLOPER, ms=3.2, mew=0.8)
    axes.plot(radius[member], velocity[member], "o", color=MEMBER, ms=2.6, mew=0, alpha=0.8)
    _frame(axes, clusters, k, "0.35")


def _density(axes: Any, clusters: ClusterSet, density: NDArray[np.float64], k: int) -> None:
    high = clusters.max_velocity
    axes.imshow(
        density, origin="lower", aspect="auto", cmap="magma", vmin=0.0, extent=(0.0, clusters.max_radius, -high, high)
    )
    _frame(axes, clusters, k, "white")


def _frame(axes: Any, clusters: ClusterSet, k: int, colour: str) -> None:
    """The cylinder as limits, and R200c."""
    axes.axvline(clusters.r200c[k], color=colour, lw=0.8, ls=(0, (4, 3)))
    axes.set_xlim(0.0, clusters.max_radius)
    axes.set_ylim(-clusters.max_velocity, clusters.max_velocity)


def _legend(figure: Any, clusters: ClusterSet, size: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=MEMBER, marker="o", ls="", ms=4, label="member")]
    if clusters.kind == "contaminated":
        marks.append(Line2D([], [], color=INTERLOPER, marker="x", ls="", ms=4.5, label="interloper"))
    marks.append(Line2D([], [], color="0.35", lw=0.9, ls=(0, (4, 3)), label="$R_{200c}$"))
    figure.legend(
        handles=marks, loc="upper left", ncols=3, fontsize=8, frameon=False, borderaxespad=0.2,
        bbox_to_anchor=(0.6 / size[0], 1.0), columnspacing=1.5, handletextpad=0.4,
    )  # fmt: skip
