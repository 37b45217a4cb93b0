"""`clustermass catalog`: a box of haloes and galaxies in, a file of pure and contaminated cluster observations out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from ..errors import DomainError
from . import _options as options
from ._progress import ProgressLine, duration
from ._signals import TerminatedError, terminable

EXIT_OK, EXIT_PARTIAL = 0, 4
TRACERS = ("auto", "subhaloes", "particles")
CUTS = ("ho2019", "small", "large", "kodi-ramanah-2021")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; the defaults are those of Ho et al. 2019."""
    parser.add_argument("input", help="universe file, SUBFIND groups, or a halo catalogue")
    parser.add_argument("out", help="the HDF5 file to make")
    parser.add_argument("--snapshot", metavar="FILE", help="snapshot of the groups, whose particles may be tracers")
    parser.add_argument("--tracers", default="auto", help="auto (subhaloes where they are enough, else particles), "
                        "subhaloes, particles")  # fmt: skip
    parser.add_argument("--fraction", metavar="F", help="share of the particles taken (49 a halo of 1e14 Msun/h)")
    parser.add_argument("--cut", default="ho2019", help="cylinder: ho2019 (1.6 Mpc/h, 2200 km/s), small (1.1, 1570), "
                        "large (2.3, 3785), kodi-ramanah-2021 (4, 2200)")  # fmt: skip
    parser.add_argument("--radius", metavar="MPC", help="radius of the cylinder in comoving Mpc (no h)")
    parser.add_argument("--velocity", metavar="KM/S", help="largest line-of-sight velocity in km/s")
    parser.add_argument("--min-mass", default="13.5", metavar="LOG10", help="smallest log10 M200c in Msun/h (13.5)")
    parser.add_argument("--min-richness", type=int, default=10, metavar="N", help="keep more than N galaxies (10)")
    parser.add_argument("--target-density", default="1e-5", metavar="D", help="clusters above 1e14 Msun/h get further "
                        "views up to this number density in (h/Mpc)^3 per dex (1e-5)")  # fmt: skip
    parser.add_argument("--max-views", type=int, default=500, metavar="N", help="most views of a cluster (500)")
    parser.add_argument("--velocity-error", default="0", metavar="KM/S", help="Gaussian error of velocities (0)")
    parser.add_argument("--satellites-only", action="store_true", help="leave out galaxies at centres of haloes")
    parser.add_argument("--min-stellar-mass", metavar="LOG10", help="smallest log10 stellar mass in Msun")
    parser.add_argument("--survey", action="store_true", help="flux-limited survey, a distance for each cluster")
    parser.add_argument("--flux-limit", default="17.77", metavar="MAG", help="of the survey, in SDSS r (17.77)")
    parser.add_argument("--distances", default="50-250", metavar="MPC/H", help="of the survey, in Mpc/h (50-250)")
    parser.add_argument("--redshift", metavar="Z", help="where clusters are put (that of the input)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument("--threads", type=int, default=None, help="threads (all cores)")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    says = parser.add_argument_group("what the input does not say, or says wrongly")
    says.add_argument("--box-size", metavar="MPC", help="side of the box in comoving Mpc (no h)")
    says.add_argument("--at", metavar="Z", help="redshift of the box")
    says.add_argument("--hubble", metavar="H", help="H0 / (100 km/s/Mpc)")
    says.add_argument("--omega-m", metavar="OM", help="matter density today")


def execute(args: argparse.Namespace) -> int:
    """Read, observe, write; say what came out."""
    from ..data.maps_writer import check_free
    from ..data.provenance import hash_files
    from ..features.clusters import write_cluster_catalogue
    from ..features.universe import open_universe

    settings = _settings(args)
    options.nearest(args.tracers, TRACERS, "--tracers")
    out = Path(args.out)
    check_free(out, overwrite=args.overwrite)
    threads = args.threads if args.threads is not None else len(os.sched_getaffinity(0))
    start = time.monotonic()
    names = {"box_size": args.box_size, "redshift": args.at, "hubble": args.hubble, "omega_m": args.omega_m}
    given = {name: _number(text, f"--{name.replace('_', '-')}") for name, text in names.items() if text is not None}
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            universe, files = open_universe(
                args.input, snapshot=args.snapshot, tracers=args.tracers, fraction=_number(args.fraction, "--fraction"),
                seed=args.seed, **given,
            )  # fmt: skip
    finally:
        told = _show(caught)
    read = time.monotonic() - start
    _tell(_describe(universe, told))
    line: ProgressLine | None = None

    def progress(done: int, total: int) -> None:
        nonlocal line
        line = line or ProgressLine("views", total)
        line.advance(done - line.done)

    try:
        with terminable():
            summary = write_cluster_catalogue(
                universe, out, settings, inputs=hash_files(files), n_threads=threads,
                command=shlex.join(["clustermass", *args.words]), progress=progress,
            )  # fmt: skip
    except TerminatedError:
        _tell("stopped; nothing was written")
        return EXIT_PARTIAL
    finally:
        if line is not None:
            line.close()
    _tell(_stages({"reading": read} | summary.seconds))
    for kind, n in summary.observations.items():
        print(f"{kind:12s} {n:,} observations of {summary.hosts[kind]:,} clusters, {summary.galaxies[kind]:,} galaxies")
    print(f"{out}: made in {duration(time.monotonic() - start)}")
    return EXIT_OK


def _number(text: str | None, option: str) -> Any:
    return None if text is None else options.to_float(text, option)


def _settings(args: argparse.Namespace) -> Any:
    from ..features.cluster_settings import ClusterSettings, Survey

    survey = None
    if args.survey:
        nearest, farthest = options.number_range(args.distances, "--distances")
        survey = Survey(options.to_float(args.flux_limit, "--flux-limit"), nearest, farthest)
    elif args.flux_limit != "17.77" or args.distances != "50-250":
        raise DomainError("--flux-limit and --distances need --survey")
    stellar = _number(args.min_stellar_mass, "--min-stellar-mass")
    return ClusterSettings(
        cut=options.nearest(args.cut, CUTS, "--cut"),
        max_radius=_number(args.radius, "--radius"),
        max_velocity=_number(args.velocity, "--velocity"),
        min_log10_mass=options.to_float(args.min_mass, "--min-mass"),
        min_richness=args.min_richness,
        target_density=options.to_float(args.target_density, "--target-density"),
        max_views=args.max_views,
        velocity_error=options.to_float(args.velocity_error, "--velocity-error"),
        satellites_only=args.satellites_only,
        min_stellar_mass=None if stellar is None else 10.0**stellar,
        survey=survey,
        redshift=_number(args.redshift, "--redshift"),
        seed=args.seed,
    )


def _show(caught: list[warnings.WarningMessage]) -> str:
    """Pass warnings on; returns their text, so that notes need not repeat it."""
    for item in caught:
        warnings.showwarning(item.message, item.category, item.filename, item.lineno)
    return "\n".join(str(item.message) for item in caught)


def _describe(universe: Any, told: str) -> str:
    """What was read, in a line or more."""
    h = universe.cosmology.h
    lines = [
        f"{universe.haloes.n:,} haloes and {universe.galaxies.n:,} galaxies in a "
        f"{'periodic ' if universe.is_periodic else ''}box of {universe.box_size * h:.4g} Mpc/h at redshift "
        f"{universe.redshift:.3g}"
    ]
    return "\n".join([*lines, *(note for note in universe.notes if note not in told)])


def _stages(seconds: dict[str, float]) -> str:
    return "seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())


def _tell(text: str) -> None:
    for line in text.splitlines():
        print(f"clustermass: {line}", file=sys.stderr)
