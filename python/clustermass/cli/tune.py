"""`clustermass tune`: observations of clusters of known mass in; better settings of a network out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from . import _options as options
from ._observations import add_maps, read_observations
from ._progress import duration
from ._signals import TerminatedError, terminable

EXIT_OK, EXIT_PARTIAL = 0, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to search, how long, and where to keep it."""
    parser.epilog = "Example: clustermass tune cnn-2d clusters.hdf5 --out search --trials 20"
    parser.add_argument("preset", help=f"what to search settings for: {options.preset_names()}")
    parser.add_argument("clusters", help="file of cluster observations, from `clustermass catalog`; of maps, from "
                        "`clustermass maps`, for networks on maps")  # fmt: skip
    add_maps(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the search; a stopped search goes on "
                        "from there, several processes may share it")  # fmt: skip
    parser.add_argument("--trials", type=int, default=50, metavar="N", help="settings to try in all (50)")
    parser.add_argument(
        "--grid",
        action="store_true",
        help="try every combination of the few values that the network's "
        "family has for this (docs/networks.md), instead of sampling",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data of a trial (the preset's)")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="networks from other starting weights per "
                        "trial, of which the mean counts (1)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed of what is tried (0)")
    options.add_training_options(parser)


def execute(args: argparse.Namespace) -> int:
    """Search; write the table, the best settings and the figure after every trial."""
    from ..data.provenance import hash_files
    from ..training.presets import PRESETS
    from ..training.tune import tune_preset

    preset = options.nearest(args.preset, tuple(PRESETS), "the preset")
    clusters = read_observations(args, PRESETS[preset])
    folder = Path(args.out)
    about = {
        "command": shlex.join(["clustermass", *args.words]),
        "train": shlex.join(["clustermass", "train", preset, args.clusters, "--tuned", str(folder / "best.json"),
                             "--out", "trained"]),
        "data": hash_files([path for path in (args.clusters, args.maps) if path]), "kind": args.kind, "seed": args.seed,
    }  # fmt: skip

    def keep(found: Any) -> None:
        _write(folder, about, found)
        row = max((row for row in found.trials if row["seconds"] is not None), key=lambda row: row["trial"])
        loss = "" if row["loss"] is None else f" loss {row['loss']:.5g},"
        lowest = "" if found.best is None else f"; lowest {found.best['loss']:.5g} (trial {found.best['trial']})"
        _tell(f"trial {row['trial']}: {row['state']},{loss} {duration(row['seconds'])}{lowest}")

    try:
        with terminable():
            found = tune_preset(
                preset, clusters, folder, trials=args.trials, grid=args.grid, seed=args.seed, repeats=args.repeats,
                settings={} if args.epochs is None else {"epochs": args.epochs}, device=args.device,
                n_threads=args.threads, on_trial=keep,
            )  # fmt: skip
    except TerminatedError:
        _tell(f"stopped; the same command goes on from {folder}")
        return EXIT_PARTIAL
    _write(folder, about, found)
    if found.best is None:
        _tell("no trial came to its end")
        return EXIT_PARTIAL
    print(f"{preset}: lowest held-out loss {found.best['loss']:.5g} in trial {found.best['trial']} of "
          f"{len(found.trials)}; the preset as it is: {_own(found)}")  # fmt: skip
    print("  ".join(f"{name} {value}" for name, value in found.best["values"].items()))
    print(about["train"])
    return EXIT_OK


def _own(found: Any) -> str:
    losses = [row["loss"] for row in found.trials if row["preset"] and row["state"] == "complete"]
    return f"{losses[0]:.5g}" if losses else "not tried"


def _write(folder: Path, about: dict[str, Any], found: Any) -> None:
    from ..report.folder import write_json
    from ..report.tables import write_csv
    from ..report.tuning import draw_trials

    write_csv(folder / "trials.csv", found.trials)
    if found.best is not None:
        write_json(folder / "best.json", {"preset": found.preset, **found.best, **about})
    names = [name for name in found.trials[0] if name not in _FIXED]
    states = [row["state"] for row in found.trials]
    title = f"{found.preset}: {states.count('complete')} trials, {states.count('pruned')} ended early"
    draw_trials(folder / "trials.png", title, found.trials, names, found.logarithmic)


_FIXED = ("trial", "state", "loss", "epochs", "seconds", "preset", "error")


def _tell(text: str) -> None:
    print(f"clustermass: {text}", file=sys.stderr, flush=True)
