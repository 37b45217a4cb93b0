"""`clustermass train`: observations of clusters of known mass in; a network and how well it does out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from . import _options as options
from ._progress import duration
from ._signals import TerminatedError, terminable
from .evaluate import commit

EXIT_OK, EXIT_PARTIAL = 0, 4
_CHANGES = ("epochs", "batch_size", "learning_rate", "patience", "precision", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; the cross-validation is that of `clustermass evaluate`."""
    parser.add_argument("preset", help="what to train: cnn-1d, cnn-2d, bayesian-cnn, neural-flow, cnn-3d, "
                        "set-posterior and others")  # fmt: skip
    parser.add_argument("clusters", help="file of cluster observations, from `clustermass catalog`")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the model, its evaluation and its "
                        "checkpoint; a stopped run goes on from there")  # fmt: skip
    parser.add_argument("--kind", default="contaminated", choices=("contaminated", "pure"), help="observations to "
                        "train on (contaminated)")  # fmt: skip
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data (the preset's)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="clusters a step (the preset's)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="of Adam (the preset's)")
    parser.add_argument("--patience", type=int, metavar="N", help="epochs without gain until a member stops (the "
                        "preset's)")  # fmt: skip
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="of inner products (float32)")
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=cores, metavar="N", help="that make grids (all cores)")
    parser.add_argument("--allow-uncalibrated", action="store_true", help="write the model even if its intervals were "
                        "not found right on 2,000 held-out clusters; the file says so")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Train, evaluate, write; say what came out."""
    from ..data.clusters_file import read_clusters
    from ..training.presets import PRESETS

    preset = options.nearest(args.preset, tuple(PRESETS), "the preset")
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    changes = {name: getattr(args, name) for name in _CHANGES if getattr(args, name) is not None}
    clusters = read_clusters(args.clusters, args.kind)
    log = _Log(folder, preset)
    try:
        with terminable():
            from ..training.run import train_model

            found = train_model(
                preset, clusters, settings=changes, device=args.device, n_threads=args.threads,
                checkpoint=folder / f"{preset}.checkpoint", on_epoch=log.epoch,
            )  # fmt: skip
    except TerminatedError:
        _tell(f"stopped; the same command goes on from {folder}")
        return EXIT_PARTIAL
    return _write(args, folder, preset, clusters, found)


class _Log:
    """Losses of each epoch in a file and on the screen."""

    def __init__(self, folder: Path, preset: str) -> None:
        self.path, self.preset = folder / f"{preset}_log.csv", preset

    def epoch(self, number: int, history: Any) -> None:
        from ..report.tables import write_csv

        members = range(len(history.train[0]))
        rows = [
            {"epoch": k + 1, "seconds": history.seconds[k]}
            | {f"train_{m}": history.train[k][m] for m in members}
            | {f"held_out_{m}": history.validate[k][m] for m in members}
            for k in range(number)
        ]
        write_csv(self.path, rows)
        loss = sum(history.train[-1]) / len(members)
        if number <= 3 or number % 5 == 0:
            _tell(f"epoch {number}: mean loss {loss:.4g}, {duration(history.seconds[-1])} an epoch")


def _write(args: argparse.Namespace, folder: Path, preset: str, clusters: Any, found: Any) -> int:
    """Predictions, report and model."""
    from dataclasses import replace

    from ..data.provenance import hash_files
    from ..evaluation.predictions import write_predictions
    from ..evaluation.robustness import RobustnessPlan
    from ..evaluation.runs import code_hash, frame_of, run_record
    from ..models.store import save_estimator
    from ..report.folder import predictions_path
    from ..report.learning import draw_learning_curves
    from ..report.make import write_report
    from ..report.tables import read_csv

    inputs = hash_files([args.clusters])
    record = run_record(
        preset, args.kind, RobustnessPlan(), inputs, code_hash(), command=shlex.join(["clustermass", *args.words]),
        commit=commit(), training=found.model.settings.as_dict(),
        catalogue={k: clusters.record.get(k) for k in ("command", "universe", "settings")}, frame=frame_of(clusters),
    )  # fmt: skip
    path = predictions_path(folder, preset, args.kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = {
        "subsamples": found.evaluation.subsamples.columns(),
        "velocity_errors": found.evaluation.velocity_errors.columns(),
    }
    write_predictions(path, replace(found.evaluation.predictions, estimator=preset, record=record), extra=extra)
    history = found.model.history
    title = f"{preset}: {len(history.train[0])} networks"
    draw_learning_curves(folder / f"{preset}_learning.png", title, history.train, history.validate)
    write_report(folder)
    (row,) = [r for r in read_csv(folder / "dynamical.csv") if r["estimator"].startswith(preset)][:1]
    print("epsilon = log10(M_pred / M_true) [dex], 14 < log10 M200c [Msun/h] < 15, held-out clusters")
    print(f"{preset}: {row['n_clusters']:,d} observations, bias {row['bias_dex']:+.3f}, scatter {row['sigma_dex']:.3f}")
    report = found.calibration
    words = "none" if report is None else f"{report.verdict} ({report.n:,d} clusters) {'; '.join(report.failures)}"
    print(f"intervals: {words}")
    if not found.is_calibrated and not args.allow_uncalibrated:
        _tell(f"the model is not written: its intervals are not calibrated (--allow-uncalibrated writes it marked); "
              f"{folder} has its evaluation")  # fmt: skip
        return EXIT_PARTIAL
    model = folder / f"{preset}.safetensors"
    save_estimator(model, found.model, record={"data": inputs, "command": record["command"], **found.record()})
    print(f"{model}: the model{'' if found.is_calibrated else ', marked as not calibrated'}; {folder}/report.html")
    return EXIT_OK


def _tell(text: str) -> None:
    print(f"clustermass: {text}", file=sys.stderr, flush=True)
