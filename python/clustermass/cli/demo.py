"""`clustermass demo`: the main job from end to end on data that come with the package."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--out", default="demo", metavar="DIR", help="folder for the files (demo)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (1)")


def execute(args: argparse.Namespace) -> int:
    """Make and draw maps of a generated snapshot and of the packaged simulation, then phase space of a mock."""
    from .. import datasets
    from ..data.mocks.demo import write_demo_snapshot

    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    files = write_demo_snapshot(folder / "demo_snapshot.hdf5", seed=args.seed)
    print(f"{files.snapshot}: generated demonstration snapshot, with its catalogue {files.groups.name}")
    jobs = [("demo", files.snapshot, files.groups), ("sample", datasets.sample_snapshot(), datasets.sample_groups())]
    for name, snapshot, groups in jobs:
        maps, picture = folder / f"{name}_maps.h5", folder / f"{name}_maps.png"
        # a tenth of the usual noise would still drown the galaxies of so few star particles
        choices = ["--seed", str(args.seed), "--noise", "stars=1e9", "--overwrite"]
        code = _run(
            ["maps", str(snapshot), "--groups", str(groups), *choices, "--out", str(maps)],
            ["preview", str(maps), "--out", str(picture)],
        )
        if code:
            return code
    universe, clusters, grids = (str(folder / f"{name}.hdf5") for name in ("universe", "clusters", "grids"))
    seed = ["--seed", str(args.seed), "--overwrite"]
    return _run(
        ["mock", "universe", universe, "--box-size", "125", *seed],
        ["catalog", universe, clusters, *seed],
        ["preview", clusters, "--out", str(folder / "clusters.png")],
        ["grids", clusters, grids, "--overwrite"],
    )


def _run(*commands: list[str]) -> int:
    """Run commands as the user would, and show them; the first that fails is the last."""
    from .main import run

    for words in commands:
        print(f"$ {shlex.join(['clustermass', *words])}", flush=True)
        if code := run(words):
            return code
    return 0
