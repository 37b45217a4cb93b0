"""`clustermass preview`: a file of maps or of cluster observations in, a picture of some clusters out."""

from __future__ import annotations

import argparse

from ..errors import DomainError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("file", help="file of maps (from `clustermass maps`) or of clusters (`clustermass catalog`)")
    parser.add_argument("--out", required=True, metavar="FILE", help="picture to make (.png, .pdf or .svg)")
    parser.add_argument("--n", type=int, default=6, help="number of clusters (6)")
    parser.add_argument("--kind", default=None, help="of clusters: contaminated (default) or pure observations")


def execute(args: argparse.Namespace) -> int:
    """Draw, and say where the picture and its numbers are."""
    from ..data.clusters_file import FORMAT, KINDS, read_clusters
    from ..data.hdf5_tables import format_of
    from . import _options as options

    if format_of(args.file) == FORMAT:
        from ..features.preview_clusters import draw_clusters

        kind = options.nearest(args.kind or "contaminated", KINDS, "--kind")
        picture = draw_clusters(read_clusters(args.file, kind), args.out, n=args.n)
        print(f"{picture}: picture of {kind} observations")
        return 0
    if args.kind is not None:
        raise DomainError("--kind goes with a file of clusters")
    from ..data.maps_file import read_maps
    from ..features.preview import draw_maps

    picture, table = draw_maps(read_maps(args.file), args.out, n=args.n)
    print(f"{picture}: picture; {table}: its peak and total values")
    return 0
