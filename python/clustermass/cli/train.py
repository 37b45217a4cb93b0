"""`clustermass train`: observations of clusters of known mass in; a network and how well it does out."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DomainError, FileFormatError
from . import _options as options
from ._observations import add_maps, read_observations
from ._signals import TerminatedError, terminable
from ._training_log import TrainingLog
from .evaluate import commit

EXIT_OK, EXIT_PARTIAL = 0, 4
_CHANGES = ("epochs", "batch_size", "learning_rate", "patience", "precision", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; the cross-validation is that of `clustermass evaluate`."""
    parser.epilog = "Example: clustermass train cnn-2d clusters.hdf5 --out trained --allow-uncalibrated"
    parser.add_argument("preset", help=f"what to train: {options.preset_names()}")
    parser.add_argument("clusters", help="file of cluster observations, from `clustermass catalog`; or of maps, from "
                        "`clustermass maps`, for networks on maps")  # fmt: skip
    add_maps(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the model, its evaluation and its "
                        "checkpoint; a stopped run goes on from there")  # fmt: skip
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the data (the preset's)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="clusters a step (the preset's)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="of the optimiser (the preset's)")
    parser.add_argument("--patience", type=int, metavar="N", help="stop a network after so many epochs without gain on "
                        "clusters held back, and keep its best epoch (the preset's)")  # fmt: skip
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="of matrix products (float32)")
    parser.add_argument("--tuned", metavar="FILE", help="best.json of `clustermass tune`: settings and network options "
                        "to take in place of the preset's; the options above come over them")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="S", help="random seed (0)")
    parser.add_argument("--folds", type=int, metavar="N", help="only the first N folds of the cross-validation, at "
                        "least 2, for networks that take long (all)")  # fmt: skip
    options.add_training_options(parser)
    parser.add_argument("--allow-uncalibrated", action="store_true", help="write the model even if its intervals were "
                        "not found right on 2,000 held-out clusters; the file says so")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Train, evaluate, write; say what came out."""
    from ..training.presets import PRESETS, changed

    preset = options.nearest(args.preset, tuple(PRESETS), "the preset")
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    changes = {name: getattr(args, name) for name in _CHANGES if getattr(args, name) is not None}
    tuned = {} if args.tuned is None else _tuned(Path(args.tuned), preset)
    changes = tuned.get("settings", {}) | changes
    clusters = read_observations(args, PRESETS[preset])
    if PRESETS[preset].inputs in ("maps", "joint"):
        args.kind = "maps"
    stem = preset if args.kind in ("contaminated", "maps") else f"{preset}-{args.kind}"
    log = TrainingLog(folder, stem, changed(PRESETS[preset].settings, changes).epochs)
    try:
        with terminable():
            from ..training.processes import is_leading
            from ..training.run import train_model

            found = train_model(
                preset, clusters, folds=args.folds, settings=changes, options=tuned.get("options"), device=args.device,
                n_threads=args.threads, checkpoint=folder / f"{stem}.checkpoint", on_epoch=log.epoch,
            )  # fmt: skip
    except TerminatedError:
        _tell(f"stopped; the same command goes on from {folder}")
        return EXIT_PARTIAL
    finally:
        log.close()
    if not is_leading():
        return EXIT_OK  # one of several processes (torchrun): the first writes
    return _write(args, folder, (preset, stem), changes, clusters, found)


def _tuned(path: Path, preset: str) -> dict[str, Any]:
    """Settings and options that a search has found for this preset."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        name, kept = found["preset"], {key: dict(found[key]) for key in ("settings", "options")}
    except (ValueError, KeyError, TypeError) as exc:
        raise FileFormatError(f"{path}: not a best.json of `clustermass tune`: {exc!r}") from exc
    if name != preset:
        raise DomainError(f"--tuned {path} is of {name}, not of {preset}")
    return kept


def _write(
    args: argparse.Namespace,
    folder: Path,
    names: tuple[str, str],
    changes: dict[str, Any],
    clusters: Any,
    found: Any,
) -> int:
    """Predictions, report and model; `names`: of the preset, and of its files."""
    from ..data.provenance import hash_files
    from ..evaluation.predictions import write_predictions
    from ..evaluation.robustness import RobustnessPlan
    from ..evaluation.runs import code_hash, frame_of, run_record
    from ..models.store import save_estimator
    from ..report.folder import predictions_path
    from ..report.learning import draw_learning_curves
    from ..report.make import write_report

    (preset, stem), inputs = names, hash_files([path for path in (args.clusters, args.maps) if path])
    other = changes | ({} if args.folds is None else {"folds": args.folds})
    record = run_record(
        preset, args.kind, RobustnessPlan(), inputs, code_hash(), changes=other, commit=commit(),
        command=shlex.join(["clustermass", *args.words]), training=found.model.settings.as_dict(),
        catalogue={k: getattr(clusters, "record", {}).get(k) for k in ("command", "universe", "settings")},
        frame=None if args.kind == "maps" else frame_of(clusters),
    )  # fmt: skip
    path = predictions_path(folder, preset, args.kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = (
        {
            "subsamples": found.evaluation.subsamples.columns(),
            "velocity_errors": found.evaluation.velocity_errors.columns(),
        }
        if args.kind != "maps"
        else {}
    )
    write_predictions(path, replace(found.evaluation.predictions, estimator=preset, record=record), extra=extra)
    history = found.model.history
    title = f"{preset}: {len(history.train[0])} networks"
    draw_learning_curves(folder / f"{stem}_learning.png", title, history.train, history.validate)
    write_report(folder)
    if args.kind == "maps":
        _say_maps(preset, found.evaluation.predictions)
    else:
        _say(args, folder, preset, clusters, found.evaluation.predictions)
    report = found.calibration
    words = "none" if report is None else f"{report.verdict} ({report.n:,d} clusters) {'; '.join(report.failures)}"
    print(f"intervals: {words}")
    if not found.is_calibrated and not args.allow_uncalibrated:
        _tell(f"the model is not written: its intervals are not calibrated (--allow-uncalibrated writes it marked); "
              f"{folder} has its evaluation")  # fmt: skip
        return EXIT_PARTIAL
    model = folder / f"{stem}.safetensors"
    save_estimator(model, found.model, record={"data": inputs, "command": record["command"], **found.record()})
    print(f"{model}: the model{'' if found.is_calibrated else ', marked as not calibrated'}; {folder}/report.html")
    return EXIT_OK


def _say_maps(preset: str, table: Any) -> None:
    """What came out on maps, in the terms of Yan et al. 2020."""
    import numpy as np

    from ..evaluation.linear import linear_summary

    mass = table.log10_m200c
    rows = table.is_test & np.isfinite(table.log10_mass) & (mass > 13.25) & (mass < 14.5)
    own = linear_summary(table.log10_mass[rows], table.log10_true[rows], n_bootstrap=0, groups=table.host_id[rows])
    print("M_pred / M_true - 1, 13.25 < log10 M200c [Msun] < 14.5, held-out clusters")
    print(f"{preset}: {own.n:,d} maps of {np.unique(table.host_id[rows]).size:,d} hosts in "
          f"{np.unique(table.fold).size} folds, bias {100 * own.bias:+.1f} %, "
          f"rms about it {100 * np.sqrt(own.rms**2 - own.bias**2):.1f} %")  # fmt: skip


def _say(args: argparse.Namespace, folder: Path, preset: str, clusters: Any, table: Any) -> None:
    """What came out on galaxies, in the terms of Ho et al. 2019."""
    from ..evaluation.predictions import label_of
    from ..report.tables import read_csv

    (row,) = [r for r in read_csv(folder / "dynamical.csv") if r["estimator"] == label_of(preset, args.kind)]
    print("epsilon = log10(M_pred / M_true) [dex], 14 < log10 M200c [Msun/h] < 15, held-out clusters")
    hosts, of = len(set(table.host_id[table.is_quoted].tolist())), int(clusters.fold.max()) + 1
    print(f"{preset}: {row['n_clusters']:,d} observations of {hosts:,d} hosts in {len(set(table.fold.tolist()))} of "
          f"{of} folds, bias {row['bias_dex']:+.3f}, scatter {row['sigma_dex']:.3f}")  # fmt: skip


def _tell(text: str) -> None:
    print(f"clustermass: {text}", file=sys.stderr, flush=True)
