"""What networks train on and predict from: observations of galaxies, maps, or both of the same views."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import DomainError


def add_maps(parser: argparse.ArgumentParser) -> None:
    """The file that goes with a file of galaxies."""
    parser.add_argument("--maps", metavar="FILE", help="maps of the same views of the same hosts (`clustermass mock "
                        "gas --clusters`), for networks on galaxies and maps together")  # fmt: skip


def read_observations(args: argparse.Namespace, preset: Any) -> Any:
    """What a preset sees, of ``args.clusters``, ``args.maps`` and ``args.kind``.

    Raises
    ------
    DomainError
        For maps where the preset does not see both, and for none where it does.
    """
    from ..data.clusters_file import read_clusters
    from ..data.map_sample import read_map_sample

    if (args.maps is None) == (preset.inputs == "joint"):
        wrong = "needs maps too, got none" if args.maps is None else f"does not see galaxies and maps, got {args.maps}"
        raise DomainError(f"--maps: {preset.name} {wrong}")
    if preset.inputs == "maps":
        return read_map_sample(args.clusters, preset.channels)
    clusters = read_clusters(args.clusters, args.kind)
    if preset.inputs != "joint":
        return clusters
    from ..training.joint import join_samples

    return join_samples(clusters, read_map_sample(args.maps, preset.channels))
