"""`clustermass evaluate`: observations of clusters of known mass in; predictions, statistics, figures, a page out."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ClusterMassError, DomainError
from . import _options as options
from ._progress import ProgressLine, duration
from ._signals import TerminatedError, terminable

EXIT_OK, EXIT_PARTIAL = 0, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command; the protocol is that of Ho et al. 2019."""
    parser.add_argument("clusters", help="file of cluster observations, from `clustermass catalog`")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for predictions, tables and figures; what "
                        "is finished there is not done again")  # fmt: skip
    parser.add_argument("--estimators", default="classical", metavar="NAMES", help="with commas; classical "
                        "(default): all of these that read galaxies only; all: the trained ones too")  # fmt: skip
    parser.add_argument("--kind", default="contaminated", metavar="KINDS", help="contaminated (default), pure, or both "
                        "with a comma")  # fmt: skip
    parser.add_argument("--subsample-share", default="0.1", metavar="F", help="share of the test observations that are "
                        "sub-sampled and given velocity errors (0.1)")  # fmt: skip
    parser.add_argument("--draws", type=int, default=10, metavar="N", help="sub-samples at each rate (10)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for errors (1000)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument("--overwrite", action="store_true", help="do finished estimators again")


def execute(args: argparse.Namespace) -> int:
    """Evaluate each estimator on each kind; say what came out and what did not."""
    from ..data.clusters_file import KINDS
    from ..evaluation.robustness import RobustnessPlan
    from ..evaluation.runs import galaxy_estimators
    from ..report.canvas import blank

    blank((1.0, 1.0))  # a missing matplotlib is said before the work, not after
    known = galaxy_estimators()
    groups = {"classical": galaxy_estimators("classical."), "all": known}
    words = groups.get(args.estimators.strip()) or options.word_list(args.estimators, known, "--estimators")
    kinds = options.word_list(args.kind, KINDS, "--kind")
    plan = RobustnessPlan(
        share=options.to_float(args.subsample_share, "--subsample-share"), n_draws=args.draws, seed=args.seed
    )
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    try:
        with terminable():
            for kind in kinds:
                failed += _evaluate_kind(args, kind, words, plan, folder)
    except TerminatedError:
        _tell(f"stopped; finished estimators are in {folder} and are not done again")
        return EXIT_PARTIAL
    return _finish(args, folder, failed)


def _evaluate_kind(args: argparse.Namespace, kind: str, names: tuple[str, ...], plan: Any, folder: Path) -> list[str]:
    """Run the estimators on one kind of observations; returns those that failed."""
    from ..data.clusters_file import read_clusters
    from ..data.provenance import hash_files
    from ..evaluation.runs import code_hash, frame_of, is_done, run_estimator, run_record
    from ..report.folder import predictions_path

    inputs, code = hash_files([args.clusters]), code_hash()
    clusters, failed, about = None, [], {}
    for name in names:
        path = predictions_path(folder, name, kind)
        record = run_record(
            name, kind, plan, inputs, code, command=shlex.join(["clustermass", *args.words]), commit=commit()
        )
        if not args.overwrite and is_done(path, record):
            _tell(f"{name} ({kind}): finished before")
            continue
        if clusters is None:
            clusters = read_clusters(args.clusters, kind)
            about = {"catalogue": {k: clusters.record.get(k) for k in ("command", "universe", "settings")},
                     "frame": frame_of(clusters)}  # fmt: skip
        line = ProgressLine(f"{name} ({kind})", max(int(clusters.fold.max(initial=0)) + 1, 1))
        start = time.monotonic()
        try:
            run_estimator(path, clusters, name, plan, record | about,
                          partial(_advance, line))  # fmt: skip
        except ClusterMassError as exc:
            line.close()
            _tell(f"{name} ({kind}): failed: {exc}")
            failed.append(f"{name} ({kind})")
            continue
        line.close()
        _tell(f"{name} ({kind}): done in {duration(time.monotonic() - start)}")
    return failed


def _advance(line: ProgressLine, fold: int) -> None:
    line.advance(1)


def _finish(args: argparse.Namespace, folder: Path, failed: list[str]) -> int:
    """Tables and figures of everything in the folder."""
    from ..report.make import write_report
    from ..report.tables import read_csv

    if not any((folder / "predictions").glob("*.hdf5")):
        raise DomainError(f"no estimator could be evaluated: {', '.join(failed)}")
    write_report(folder, n_bootstrap=args.bootstrap, seed=args.seed)
    print("epsilon = log10(M_pred / M_true) [dex], 14 < log10 M200c [Msun/h] < 15")
    print(f"{'estimator':36s} {'clusters':>9s} {'bias':>8s} {'scatter':>8s} {'published':>10s}")
    for row in read_csv(folder / "dynamical.csv"):
        published = row["published_sigma_dex"]
        print(
            f"{row['estimator']:36s} {row['n_clusters']:9,d} {row['bias_dex']:+8.3f} {row['sigma_dex']:8.3f} "
            f"{'-' if published != published else format(published, '.3f'):>10s}"
        )
    print(f"{folder}: dynamical.csv, figures and report.html")
    if failed:
        _tell(f"without {', '.join(failed)}")
    return EXIT_PARTIAL if failed else EXIT_OK


def commit() -> str:
    """Commit of the checkout that this package runs from, with ``+`` after it where files differ; "" if it is none."""
    folder = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()


def _tell(text: str) -> None:
    print(f"clustermass: {text}", file=sys.stderr)
