"""`clustermass explain`: a trained network and what it reads in; figures of what it looks at, with numbers, out."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from .. import _validate as check
from ..errors import DomainError
from . import _options as options
from ._progress import ProgressLine, duration

EXIT_OK = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model's kind decides what is made."""
    parser.epilog = "Example: clustermass explain trained/cnn-2d.safetensors clusters.hdf5 --out why"
    parser.add_argument("model", help="file of a trained network, from `clustermass train`")
    parser.add_argument("maps", metavar="clusters", help="what it reads: a file of `clustermass maps`, or for networks "
                        "on galaxies of `clustermass catalog`")  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for figures (PNG) and numbers (CSV)")
    parser.add_argument("--bins", type=int, default=4, metavar="N", help="bins of log mass that are told apart (4)")
    parser.add_argument("--clusters", type=int, default=8, metavar="N", help="clusters of each bin (8); one with a map "
                        "of 120 x 120 pixels costs 14,400 evaluations of the network, one with n galaxies n on a grid, "
                        "5 n + 384 otherwise")  # fmt: skip
    parser.add_argument("--mask-sigma", default="5", metavar="PIXELS", help="of maps: width of the Gaussian that hides "
                        "one place after another (5)")  # fmt: skip
    parser.add_argument("--iterations", type=int, default=2, metavar="N", help="of maps: steps of Deep Dream (2)")
    parser.add_argument("--kind", default="contaminated", choices=("contaminated", "pure"), help="of galaxies: all "
                        "that a survey sees, with interlopers (contaminated), or members alone (pure)")  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda")


def execute(args: argparse.Namespace) -> int:
    """Explain, draw, write; say in words what came out."""
    from ..models.store import load_estimator
    from ..report.canvas import blank

    blank((1.0, 1.0))  # a missing matplotlib is said before the work, not after
    for name in ("bins", "clusters", "iterations"):
        check.integer(getattr(args, name), f"--{name}", low=1)
    estimator: Any = load_estimator(args.model)
    if hasattr(estimator, "mass_function"):
        return _explain_maps(args, estimator)
    if hasattr(estimator, "_grid_preset"):
        return _explain_galaxies(args, estimator)
    raise DomainError(
        f"clustermass explain knows networks that read maps or galaxies, not both; {estimator.name} reads "
        f"{', '.join(estimator.inputs)}"
    )


def _explain_galaxies(args: argparse.Namespace, estimator: Any) -> int:
    from ..data.clusters_file import read_clusters
    from ..data.provenance import hash_files, versions
    from ._explain_galaxies import explain_galaxies

    clusters = read_clusters(args.maps, args.kind)
    estimator.device = args.device
    command = shlex.join(["clustermass", *args.words])
    record = {"command": command, "versions": versions(), "inputs": hash_files([args.model, args.maps])}
    said = explain_galaxies(
        estimator, clusters, Path(args.out), bins=args.bins, per_bin=args.clusters, record=record
    )  # fmt: skip
    print("\n".join(said))
    print(f"{args.out}: saliency.png, galaxies.csv, saliency_bins.csv")
    return EXIT_OK


def _explain_maps(args: argparse.Namespace, estimator: Any) -> int:
    from ..data.map_sample import read_map_sample
    from ..data.provenance import hash_files, versions
    from ..interpretation.maps import explain_maps
    from ..report.explanations import write_explanation

    sample = estimator.observed(read_map_sample(args.maps, estimator.preset.channels))
    line = ProgressLine("clusters", 1.0)
    start = time.monotonic()
    try:
        found = explain_maps(
            estimator, sample, bins=args.bins, per_bin=args.clusters,
            sigma=options.to_float(args.mask_sigma, "--mask-sigma"), iterations=args.iterations, device=args.device,
            on_cluster=lambda done, total: line.advance(1.0 / total),
        )  # fmt: skip
    finally:
        line.close()
    command = shlex.join(["clustermass", *args.words])
    record = {"command": command, "versions": versions(), "inputs": hash_files([args.model, args.maps])}
    said = write_explanation(Path(args.out), found, sample, record)
    print("\n".join(said.sentences))
    took = duration(time.monotonic() - start)
    print(f"{args.out}: {len(said.figures)} figures of {len(found)} clusters with their numbers (CSV)")
    print(
        f"clustermass: took {took}; integrated gradients add up to {said.completeness_error:.1g} dex", file=sys.stderr
    )
    return EXIT_OK
