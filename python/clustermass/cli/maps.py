"""`clustermass maps`: a snapshot and its clusters in, a file of observed maps out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from ..errors import DataWarning, DomainError
from . import _options as options
from ._progress import ProgressLine, duration
from ._signals import TerminatedError, terminable

EXIT_OK, EXIT_PARTIAL = 0, 4

DEFAULT_MIN_MASS = 1e13  #: Msun: where the sample of Yan et al. 2020 begins


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; the defaults are those of Yan et al. 2020 (section 2.2 and table 1)."""
    parser.add_argument("snapshot", help="snapshot file (any file of a set), or its folder")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--groups", metavar="CATALOGUE", help="group catalogue with centres and masses")
    which.add_argument("--centres", metavar="FILE", help="text with x y z [M200c] in comoving Mpc and Msun (no h)")
    parser.add_argument("--out", required=True, metavar="FILE", help="the HDF5 file to make")
    parser.add_argument("--channels", metavar="NAMES", help="stars, xray_soft, xray_bolometric, compton_y (default: "
                        "those of the four that the snapshot allows), gas_mass, dark_matter")  # fmt: skip
    parser.add_argument("--pixels", type=int, default=120, help="rows and columns of an image (120)")
    parser.add_argument("--field", default="20", metavar="ARCMIN", help="side of an image in arcmin (20)")
    parser.add_argument("--redshift", default="0.03-0.07", metavar="Z", help="0.05, or a range (0.03-0.07)")
    parser.add_argument("--views", nargs="+", default=["x,y,z,diagonal"], metavar="VIEW",
                        help="lines of sight: x y z diagonal, axes, the300, random:N, vectors as 1,1,0 "
                        "(x,y,z,diagonal)")  # fmt: skip
    parser.add_argument("--depth", default="50", metavar="MPC", help="comoving Mpc before and behind the cluster (50)")
    parser.add_argument("--min-mass", metavar="MSUN", help=f"smallest M200c in Msun ({DEFAULT_MIN_MASS:g})")
    parser.add_argument("--noise", default="", metavar="NAME=RMS,..", help="noise rms per pixel in the unit of the "
                        "channel, or none (table 1: stars 2.14e11, X-ray 9e-16, Compton y 1e-8)")  # fmt: skip
    parser.add_argument("--beams", default="", metavar="NAME=ARCMIN,..", help="beam FWHM in arcmin, or none (table 1: "
                        "X-ray 4 arcsec = 0.0667, Compton y 1.4)")  # fmt: skip
    parser.add_argument("--order", default="noise-then-beam", help="noise-then-beam (default) or beam-then-noise")
    parser.add_argument("--assignment", default="auto", help="auto (sph for gas with smoothing lengths, else cic), "
                        "ngp, cic, tsc, sph")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument("--threads", type=int, default=None, help="threads (all cores)")
    parser.add_argument("--byte-budget", default="1G", metavar="SIZE", help="memory for particles and images (1G)")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, its size and time, and stop")


def execute(args: argparse.Namespace) -> int:
    """Plan, and unless it is a dry run make the maps."""
    from ..data.maps_writer import check_free
    from ..data.provenance import hash_files
    from ..data.readers import open_snapshot
    from ..features.make import write_maps
    from ..features.maps import plan_maps

    settings = _settings(args)
    out = Path(args.out)
    if not args.dry_run:
        check_free(out, overwrite=args.overwrite)
    threads = args.threads if args.threads is not None else len(os.sched_getaffinity(0))
    snapshot = open_snapshot(args.snapshot)
    targets, extra = _targets(args, snapshot)
    job = plan_maps(snapshot, targets, settings, n_threads=threads)
    print(_describe(job, threads), file=sys.stdout if args.dry_run else sys.stderr)
    if args.dry_run:
        return EXIT_OK
    inputs = hash_files([*snapshot.paths, *extra])
    start = time.monotonic()
    line = ProgressLine("maps", len(job.batches) * job.source.n_particles)
    try:
        with terminable():
            write_maps(
                job, out, inputs=inputs, n_threads=threads, overwrite=args.overwrite, command=_command(args),
                tell=lambda text: print(f"clustermass: {text}", file=sys.stderr), progress=line.advance,
            )  # fmt: skip
    except BaseException as exc:
        line.close()
        if out.with_name(out.name + ".partial").exists():
            print("clustermass: what is done is kept; the same command goes on from there", file=sys.stderr)
        if isinstance(exc, TerminatedError):
            return EXIT_PARTIAL
        raise
    line.close()
    print(f"{out}: {len(job.views)} views of {len(targets)} clusters in {duration(time.monotonic() - start)}")
    return EXIT_OK


def _settings(args: argparse.Namespace) -> Any:
    from ..features.channels import CHANNELS
    from ..features.maps import ASSIGNMENTS, MapSettings
    from ..features.observe import ORDERS
    from ..features.views import DIRECTION_NAMES
    from ..units import ARCMIN_RAD

    directions, n_random = options.view_list(args.views, DIRECTION_NAMES)
    beams = options.value_pairs(args.beams, CHANNELS, "--beams")
    return MapSettings(
        channels=None if args.channels is None else options.word_list(args.channels, CHANNELS, "--channels"),
        pixels=args.pixels,
        field=options.to_float(args.field, "--field") * ARCMIN_RAD,
        redshift=options.number_range(args.redshift, "--redshift"),
        directions=directions,
        n_random=n_random,
        depth=options.to_float(args.depth, "--depth"),
        assignment=options.nearest(args.assignment, ASSIGNMENTS, "--assignment"),
        order=options.nearest(args.order, ORDERS, "--order"),
        noise=options.value_pairs(args.noise, CHANNELS, "--noise"),
        beams={name: value * ARCMIN_RAD for name, value in beams.items()},
        seed=args.seed,
        byte_budget=options.byte_size(args.byte_budget, "--byte-budget"),
    )


def _targets(args: argparse.Namespace, snapshot: Any) -> tuple[Any, list[Path]]:
    """The clusters to map, and the files that say which."""
    import numpy as np

    from ..data.readers import open_groups
    from ..data.readers.centres import read_centres
    from ..features.targets import Targets, target_of_isolated, targets_from_groups

    min_mass = None if args.min_mass is None else options.to_float(args.min_mass, "--min-mass")
    if args.groups is not None:
        groups = open_groups(args.groups, snapshot=snapshot)
        if min_mass is None and (groups.m200c is None or groups.n == 0):
            text = f"{args.groups} has no M200c: mapping everything in it, without a smallest mass"
            warnings.warn(text, DataWarning, stacklevel=2)
        elif min_mass is None:
            min_mass = DEFAULT_MIN_MASS
        return targets_from_groups(groups, min_mass=min_mass), [Path(groups.path)]
    if args.centres is not None:
        centres, masses = read_centres(args.centres)
        targets = Targets(centres, np.arange(len(centres)), {"m200c": masses})
        if min_mass is not None:
            targets = targets.only(~(masses < min_mass))
            if len(targets) == 0:
                raise DomainError(f"--min-mass {min_mass:g} leaves none of {len(centres)} centres")
        return targets, [Path(args.centres)]
    if min_mass is not None:
        raise DomainError("--min-mass needs --groups or --centres")
    return target_of_isolated(snapshot), []


def _describe(job: Any, threads: int) -> str:
    """The plan in a few lines: what, how large, how long."""
    from ..features.estimate import estimate_seconds

    n_views, n_channels, rows, cols = job.shape
    n_batches, passes = len(job.batches), 1 if job.source.fits else len(job.batches)
    size = 4 * n_views * n_channels * rows * cols
    seconds = estimate_seconds(job, threads)
    kept = "kept in memory" if job.source.fits else f"streamed {passes} times"
    return "\n".join(
        [
            f"clusters  {len(job.targets)}, {n_views} views",
            f"channels  {', '.join(c.name for c in job.channels)}",
            f"images    {rows} x {cols} pixels of {job.settings.pixel_angle * 206264.806:.4g} arcsec, "
            f"{job.margin} pixels of margin for the beams",
            f"particles {job.source.n_particles:,} ({', '.join(job.source.ptypes)}), {kept}; {n_batches} batches",
            f"output    {size / 1e6:.1f} MB; time about {duration(max(seconds, 1))} on {threads} threads (rough)",
        ]
    )


def _command(args: argparse.Namespace) -> str:
    return shlex.join(["clustermass", *args.words])
