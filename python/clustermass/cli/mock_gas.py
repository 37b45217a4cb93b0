"""`clustermass mock gas`: gas and stars on the haloes of a generated universe, and maps of its clusters."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DomainError
from . import _options as options
from ._progress import ProgressLine, duration
from ._signals import TerminatedError, terminable

EXIT_OK, EXIT_PARTIAL = 0, 4
ROWS = ("used", "all")
_BELOW = 0.5  # dex: haloes this much smaller than the smallest cluster are painted too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the action; what the maps are like is that of Yan et al. 2020, without noise and beams."""
    parser.add_argument("universe", help="file from `clustermass mock universe`")
    parser.add_argument("out", help="file of maps to make (HDF5)")
    parser.add_argument("--clusters", metavar="FILE", help="file from `clustermass catalog` of the same universe: maps "
                        "of its hosts along its lines of sight, one for each observation with interlopers")  # fmt: skip
    parser.add_argument("--rows", default="used", help="with --clusters: used (those that train or test) or all")
    parser.add_argument("--max-views", type=int, metavar="N", help="with --clusters: only the first N views of a host; "
                        "3 are the axes")  # fmt: skip
    parser.add_argument("--min-mass", default="13.5", metavar="LOG10", help="log10 of the lowest M200c of clusters in "
                        "Msun/h (13.5)")  # fmt: skip
    parser.add_argument("--per-bin", type=int, metavar="N", help="without --clusters: most clusters in 0.25 dex of "
                        "M200c, drawn at random (all; 200 in Yan et al. 2020)")  # fmt: skip
    parser.add_argument("--painted-mass", metavar="LOG10", help="log10 of the lowest M200c that has gas, in Msun/h "
                        f"(--min-mass less {_BELOW:g}, at most 13)")  # fmt: skip
    parser.add_argument("--particles", type=int, default=8000, help="gas particles of a cluster (8000)")
    parser.add_argument("--channels", metavar="NAMES", default="stars,xray_soft,xray_bolometric,compton_y",
                        help="stars, xray_soft, xray_bolometric, compton_y (all four)")  # fmt: skip
    parser.add_argument("--pixels", type=int, default=120, help="rows and columns of an image (120)")
    parser.add_argument("--field", default="20", metavar="ARCMIN", help="side of an image in arcmin (20)")
    parser.add_argument("--redshift", default="0.03-0.07", metavar="Z", help="0.05, or a range (0.03-0.07)")
    parser.add_argument("--views", nargs="+", default=["axes"], metavar="VIEW", help="without --clusters: x y z "
                        "diagonal, axes, the300, random:N, vectors as 1,1,0 (axes)")  # fmt: skip
    parser.add_argument("--depth", default="50", metavar="MPC", help="comoving Mpc before and behind the cluster (50)")
    parser.add_argument("--observed", action="store_true", help="with the noise and beams of `clustermass maps`")
    parser.add_argument("--noise", metavar="NAME=RMS,..", help="noise rms per pixel in the unit of the channel (none)")
    parser.add_argument("--beams", metavar="NAME=ARCMIN,..", help="beam FWHM in arcmin (none)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of turns, redshifts and noise (0)")
    parser.add_argument("--threads", type=int, default=None, help="threads (all cores)")
    parser.add_argument("--byte-budget", default="1G", metavar="SIZE", help="memory for images and particles (1G)")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def execute(args: argparse.Namespace) -> int:
    """Paint and map."""
    from ..data.maps_writer import check_free
    from ..data.mocks.gas import GasPainter
    from ..data.universe_file import read_universe
    from ..features.make import write_maps
    from ..features.painted_maps import painted_inputs, plan_painted_maps

    out = Path(args.out)
    check_free(out, overwrite=args.overwrite)
    settings = _settings(args)
    lowest = options.to_float(args.min_mass, "--min-mass")
    painted = min(lowest - _BELOW, 13.0)
    if args.painted_mass is not None:
        painted = options.to_float(args.painted_mass, "--painted-mass")
    if painted > lowest:
        raise DomainError(f"--painted-mass must not be above --min-mass {lowest:g}, got {painted:g}")
    if args.per_bin is not None and args.clusters is not None:
        raise DomainError("--per-bin chooses clusters where there is no file of them, got --clusters too")
    start = time.monotonic()
    threads = args.threads if args.threads is not None else len(os.sched_getaffinity(0))
    universe = read_universe(args.universe)
    h = universe.cosmology.h
    clusters = None if args.clusters is None else _clusters(args, lowest)
    painter = GasPainter(args.universe, universe=universe, min_mass=10**painted / h, n_particles=args.particles)
    job = plan_painted_maps(
        painter, settings, min_mass=10**lowest / h, per_bin=args.per_bin, clusters=clusters, n_threads=threads
    )
    line = ProgressLine("maps", len(job.batches) * job.source.n_particles)
    try:
        with terminable():
            maps = write_maps(
                job, out, inputs=painted_inputs(painter), n_threads=threads, overwrite=args.overwrite,
                command=shlex.join(["clustermass", *getattr(args, "words", [])]),
                tell=lambda text: print(f"clustermass: {text}", file=sys.stderr), progress=line.advance,
            )  # fmt: skip
    except TerminatedError:
        print("clustermass: what is done is kept; the same command goes on from there", file=sys.stderr)
        return EXIT_PARTIAL
    finally:
        line.close()
    n_hosts = len(set(maps.labels["cluster_id"].tolist()))
    took = duration(time.monotonic() - start)
    print(f"{out}: {len(maps)} maps of {n_hosts} clusters, {', '.join(maps.channel_names)}, in {took}")
    return EXIT_OK


def _clusters(args: argparse.Namespace, lowest: float) -> Any:
    """The rows of the cluster observations to map."""
    from ..data.clusters_file import read_clusters

    clusters = read_clusters(args.clusters, "contaminated")
    keep = clusters.log10_m200c_h >= lowest
    if options.nearest(args.rows, ROWS, "--rows") == "used":
        keep &= clusters.is_flat | clusters.is_test
    if args.max_views is not None:
        keep &= clusters.view < args.max_views
    if not keep.any():
        raise DomainError(f"{args.clusters} has no row with log10 M200c >= {lowest:g} Msun/h that was asked for")
    return clusters.only(keep)


def _settings(args: argparse.Namespace) -> Any:
    from ..features.channels import CHANNELS
    from ..features.maps import MapSettings
    from ..features.views import DIRECTION_NAMES
    from ..units import ARCMIN_RAD

    directions, n_random = options.view_list(args.views, DIRECTION_NAMES)
    settings = MapSettings(
        channels=options.word_list(args.channels, CHANNELS, "--channels"),
        pixels=args.pixels,
        field=options.to_float(args.field, "--field") * ARCMIN_RAD,
        redshift=options.number_range(args.redshift, "--redshift"),
        directions=directions,
        n_random=n_random,
        depth=options.to_float(args.depth, "--depth"),
        seed=args.seed,
        byte_budget=options.byte_size(args.byte_budget, "--byte-budget"),
    )
    if not args.observed:
        settings = settings.ideal()
    beams = options.value_pairs(args.beams or "", CHANNELS, "--beams")
    return replace(
        settings,
        noise={**settings.noise, **options.value_pairs(args.noise or "", CHANNELS, "--noise")},
        beams={**settings.beams, **{name: value * ARCMIN_RAD for name, value in beams.items()}},
    )
