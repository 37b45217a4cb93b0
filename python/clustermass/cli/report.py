"""`clustermass report`: the folder of an evaluation in; tables, figures and one self-contained HTML page out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import DomainError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("folder", help="folder that `clustermass evaluate --out` made")
    parser.add_argument("--notes", metavar="FILE", help="explanations for the page: Markdown with a heading `## NAME` "
                        "above those of an estimator, or a JSON object")  # fmt: skip
    parser.add_argument("--universe", metavar="FILE", help="universe of the observations, for the table of interloping "
                        "clusters; needs --clusters")  # fmt: skip
    parser.add_argument("--clusters", metavar="FILE", help="file of observations that was evaluated")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="replicates for errors (1000)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the errors (0)")


def execute(args: argparse.Namespace) -> int:
    """Write the report, and say where it is."""
    from ..report.interlopers import look_around
    from ..report.make import write_report
    from ..report.notes import read_notes

    if (args.universe is None) != (args.clusters is None):
        raise DomainError("--universe and --clusters belong together: give both or none")
    around = look_around(Path(args.universe), Path(args.clusters)) if args.universe else None
    notes = read_notes(Path(args.notes)) if args.notes else {}
    page, figures = write_report(Path(args.folder), notes, around=around, n_bootstrap=args.bootstrap, seed=args.seed)
    print(f"{page}: everything on one page")
    print(f"{len(figures)} figures in {page.parent / 'figures'}; the tables lie beside the page as CSV and JSON")
    return 0
