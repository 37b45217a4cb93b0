"""`clustermass preview`: a file of maps in, a picture of some of its clusters out."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("maps", help="file of maps (from `clustermass maps`)")
    parser.add_argument("--out", required=True, metavar="FILE", help="picture to make (.png, .pdf or .svg)")
    parser.add_argument("--n", type=int, default=6, help="number of rows (6)")


def execute(args: argparse.Namespace) -> int:
    """Draw, and say where the picture and its numbers are."""
    from ..data.maps_file import read_maps
    from ..features.preview import draw_maps

    picture, table = draw_maps(read_maps(args.maps), args.out, n=args.n)
    print(f"{picture}: picture; {table}: its peak and total values")
    return 0
