"""`clustermass explain` of a network on galaxies: which clusters, and what is written of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def explain_galaxies(
    model: Any, clusters: Any, folder: Path, *, bins: int = 3, per_bin: int = 8, n_threads: int = 1,
    record: dict[str, Any] | None = None,
) -> list[str]:  # fmt: skip
    """Write what galaxies do to the mass of some clusters, spread over the estimates; returns that in words.

    Parameters
    ----------
    model : DynamicalEstimator
        A trained network on galaxies.
    clusters : ClusterSet or ClusterSample
        Of which clusters are chosen: equal numbers in bins of estimated mass, evenly by rank.
    folder : Path
        For figures and tables.
    bins, per_bin : int
        Bins of mass and clusters in each.
    n_threads : int
        That make density grids.
    record : dict, optional
        Provenance.

    Raises
    ------
    BadInputError
        If no cluster can be explained.
    """
    from ..errors import BadInputError
    from ..report.saliency import write_saliency
    from ..training.saliency import MIN_GALAXIES, galaxy_saliency

    rows = chosen(model, clusters, bins * per_bin, MIN_GALAXIES)
    if not rows.size:
        raise BadInputError(f"no cluster has a mass and {MIN_GALAXIES} galaxies that {model.name} sees")
    part = clusters.only(rows)
    found = galaxy_saliency(model, part, n_threads=n_threads)
    return write_saliency(folder, found, bins=bins, is_member=getattr(part, "is_member", None), record=record)


def chosen(model: Any, clusters: Any, n: int, least: int) -> NDArray[np.int64]:
    """Rows spread evenly over the ranks of the estimates, among clusters with enough galaxies."""
    mass = model.predict(clusters).log10_mass
    usable = np.flatnonzero(np.isfinite(mass) & (model._richness(clusters) >= least))
    order = usable[np.argsort(mass[usable], kind="stable")]
    if order.size <= n:
        return np.sort(order)
    return np.sort(order[np.floor((np.arange(n) + 0.5) / n * order.size).astype(np.int64)])
