"""`clustermass grids`: observations of clusters in, a file of phase-space grids out."""

from __future__ import annotations

import argparse
import os
import shlex
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInputError, DataWarning
from . import _options as options
from ._progress import ProgressLine, duration

EXIT_OK = 0
CLOSE = 1e-6  #: relative difference of two cylinders that are the same


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("clusters", help="file of cluster observations, from `clustermass catalog`")
    parser.add_argument("out", help="the HDF5 file to make")
    parser.add_argument("--preset", default="ho2019-2d", metavar="NAME", help="ho2019-1d, ho2019-2d (default), "
                        "kodi-ramanah-2020, kodi-ramanah-2021, ho2023")  # fmt: skip
    parser.add_argument("--kind", default="contaminated", metavar="KIND", help="contaminated (default): galaxies of "
                        "the preset's cylinder; pure: all members")  # fmt: skip
    parser.add_argument("--threads", type=int, default=None, help="threads (all cores)")
    parser.add_argument("--backend", default="auto", help="auto, native or numba")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def execute(args: argparse.Namespace) -> int:
    """Make the grids, and say how fast."""
    from ..data.clusters_file import KINDS, read_clusters
    from ..data.grids_file import write_grids
    from ..data.maps_writer import check_free
    from ..data.provenance import hash_files, versions
    from ..features.phase_space import GRID_PRESETS, find_preset

    preset = find_preset(options.nearest(args.preset, GRID_PRESETS, "--preset"))
    kind = options.nearest(args.kind, KINDS, "--kind")
    out = Path(args.out)
    check_free(out, overwrite=args.overwrite)
    frame = read_clusters(args.clusters, kind, slice(0, 0))
    n, h = _n_rows(args.clusters, kind), frame.cosmology.h
    if n == 0:
        raise BadInputError(f"{args.clusters} has no {kind} observations")
    _warn_of_cylinder(frame, preset, kind)
    record = {
        "preset": preset.name, "source": preset.source, "kind": kind, "bandwidth": preset.bandwidth, "at": preset.at,
        "total": preset.total, "h": h, "command": shlex.join(["clustermass", *args.words]),
        "inputs": hash_files([args.clusters]), "versions": versions(), "catalogue": frame.record,
    }  # fmt: skip
    start, line = time.monotonic(), ProgressLine("grids", n)
    try:
        blocks = _blocks(args, kind, preset, h, line)
        write_grids(out, blocks, columns=preset.columns, axes=preset.axes(h), record=record)
    finally:
        line.close()
    seconds = time.monotonic() - start
    print(
        f"{out}: {n} grids of {'x'.join(map(str, preset.cells))} in {duration(seconds)}, {n / seconds:.3g} clusters/s"
    )
    return EXIT_OK


def _n_rows(path: str, kind: str) -> int:
    from ..data import hdf5_tables as tables
    from ..data.clusters_file import FORMAT, FORMAT_VERSION

    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        return len(tables.require_column(file, f"{kind}/offsets", path)) - 1


def _blocks(args: Any, kind: str, preset: Any, h: float, line: ProgressLine) -> Iterator[Any]:
    """Grids and labels of the file in order."""
    from ..data.clusters_file import iter_clusters
    from ..data.grids_file import LABELS
    from ..features.phase_space import iter_phase_space_grids

    threads = args.threads if args.threads is not None else len(os.sched_getaffinity(0))
    for part in iter_clusters(args.clusters, kind):
        first = 0
        for grids in iter_phase_space_grids(
            part.x, part.y, part.velocity, part.offsets, preset=preset, h=h, cut=kind == "contaminated",
            n_threads=threads, backend=args.backend,
        ):  # fmt: skip
            rows = slice(first, first + len(grids))
            yield grids, {name: getattr(part, name)[rows] for name in LABELS}
            first = rows.stop
            line.advance(len(grids))


def _warn_of_cylinder(frame: Any, preset: Any, kind: str) -> None:
    """The preset expects galaxies that the catalogue left out."""
    h = frame.cosmology.h
    narrow = frame.max_radius < preset.max_radius / h * (1 - CLOSE)
    if kind == "contaminated" and (narrow or frame.max_velocity < preset.max_velocity * (1 - CLOSE)):
        warnings.warn(
            f"the catalogue holds galaxies within {frame.max_radius * h:.4g} Mpc/h and {frame.max_velocity:.5g} km/s, "
            f"preset {preset.name} expects {preset.max_radius:g} Mpc/h and {preset.max_velocity:g} km/s",
            DataWarning,
            stacklevel=2,
        )
