"""Table of what more massive clusters in the line of sight do: needs the universe that observations were made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.clusters_file import read_clusters
from ..data.provenance import hash_files
from ..data.universe_file import read_universe
from ..errors import BadInputError, ClusterMassError, DomainError
from ..evaluation.interlopers import bias_by_interloper
from ..evaluation.interloping_clusters import InterlopingClusters, find_interloping_clusters
from .folder import Evaluated, input_hash
from .tables import Row

_SAME_MASS = 1e-6  # dex between the masses of the universe and of the observations: rounding


@dataclass(frozen=True)
class Surroundings:
    """The nearest more massive cluster of each observation of a catalogue, and the catalogue's SHA-256."""

    sha256: str
    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    found: InterlopingClusters


def look_around(universe: Path, clusters: Path, *, n_threads: int = 1) -> Surroundings:
    """Find the interloping clusters of every contaminated observation.

    Raises
    ------
    BadInputError
        If the observations are not of this universe.
    DomainError
        For observations at several distances (a survey), whose lines of sight the files do not fix.
    FileNotFoundError, FileFormatError
    """
    box, seen = read_universe(universe), read_clusters(clusters, "contaminated")
    if np.ptp(seen.observer_distance) > 0:
        raise DomainError(f"{clusters} is a survey: interloping clusters are looked for where all are at one distance")
    found = find_interloping_clusters(
        seen.host_id, seen.line_of_sight, box.haloes, box_size=box.box_size if box.is_periodic else None,
        redshift=seen.redshift, cosmology=seen.cosmology, max_radius=seen.max_radius, max_velocity=seen.max_velocity,
        n_threads=n_threads,
    )  # fmt: skip
    order = np.argsort(box.haloes.ids)
    mass = np.log10(box.haloes.m200c[order[np.searchsorted(box.haloes.ids[order], seen.host_id)]])
    if not (np.abs(mass - seen.log10_m200c) < _SAME_MASS).all():
        raise BadInputError(f"{clusters} was not made from {universe}: masses of haloes differ")
    sha256 = str(hash_files([str(clusters)])[0]["sha256"])
    return Surroundings(sha256, seen.host_id, seen.view, found)


def interloper_rows(
    items: Sequence[Evaluated], around: Surroundings, *, n_bootstrap: int = 1000, seed: int = 0
) -> list[Row]:
    """Residuals of quoted rows with and without a more massive cluster in the cylinder, of each estimator.

    Raises
    ------
    BadInputError
        If the predictions were made from another catalogue.
    """
    place = {key: k for k, key in enumerate(zip(around.host_id.tolist(), around.view.tolist(), strict=True))}
    rows = []
    for item in items:
        table = item.predictions.only(item.predictions.is_quoted)
        if table.kind != "contaminated":
            continue
        if input_hash(item) != around.sha256:
            raise BadInputError(f"{item.path} was made from another file of observations than the one given")
        where = [place[key] for key in zip(table.host_id.tolist(), table.view.tolist(), strict=True)]
        row: Row = {"estimator": table.name, "n": len(table)}
        try:
            found = bias_by_interloper(
                table.epsilon, around.found.mass_ratio[where], around.found.distance[where], groups=table.host_id,
                n_bootstrap=max(n_bootstrap, 100), seed=seed,
            )  # fmt: skip
        except ClusterMassError:  # too few such clusters
            rows.append(row | {"n_affected": int((around.found.count[where] > 0).sum())})
            continue
        row |= {"n_affected": found.affected.n, "largest_mass_ratio": float(around.found.mass_ratio[where].max())}
        for name, part in (("without", found.without), ("affected", found.affected)):
            row |= {f"{name}_bias_dex": part.median, f"{name}_sigma_dex": part.sigma}
        for name, slope in (("shift", found.shift), ("per_dex_of_mass_ratio", found.mass_ratio),
                            ("per_inverse_distance", found.nearness)):  # fmt: skip
            row |= {f"{name}_dex": slope.value, f"{name}_error": slope.error, f"{name}_p": slope.p_value}
        rows.append(row)
    return rows
