"""`clustermass mock`: a generated universe of haloes and galaxies, maps of its clusters, and what it is worth."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import mock_gas
from ._options import nearest, to_float, value_pairs
from ._progress import StageLine, duration

if TYPE_CHECKING:
    from ..data.mocks.universe.settings import UniverseSettings

EXIT_OK, EXIT_NOT_MET = 0, 1
_HIGHEST = 15.7  # log10 Msun/h: no halo of the observable universe is more massive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    make = actions.add_parser(
        "universe", help="make a universe", description="Make a periodic box of haloes and galaxies."
    )
    make.add_argument("out", help="file to make (HDF5)")
    make.add_argument("--box-size", default="250", metavar="MPC_H", help="side of the box in comoving Mpc/h (250)")
    make.add_argument("--redshift", default="0.117", help="redshift (0.117)")
    make.add_argument("--seed", type=int, default=1, help="random seed (1)")
    make.add_argument(
        "--occupation",
        default="universemachine",
        metavar="NAME",
        help="galaxies: universemachine (as in the mocks of MDPL2; default) or observed",
    )
    make.add_argument(
        "--min-mass", default="11", metavar="LOG10", help="log10 of the lowest M200c of haloes in Msun/h (11)"
    )
    make.add_argument("--cell-size", metavar="MPC_H", help="cell of the mesh in comoving Mpc/h (2 to 4 by box)")
    make.add_argument(
        "--cosmology",
        metavar="NAME=VALUE,...",
        default="",
        help="h, omega_m, omega_b, sigma8, n_s; those left out are of MDPL2",
    )
    make.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    mock_gas.add_arguments(
        actions.add_parser(
            "gas",
            help="maps of the clusters of a universe",
            description="Paint gas and stars on the haloes of a generated universe, and make maps of its clusters.",
        )
    )
    verify = actions.add_parser(
        "check",
        help="compare a universe with published relations",
        description="Compare a generated universe with published relations.",
    )
    verify.add_argument("universe", help="file from `clustermass mock universe`")
    verify.add_argument("--out", required=True, metavar="DIR", help="folder for tables (CSV) and pictures (PNG)")
    verify.add_argument("--no-pictures", action="store_true", help="tables only")


def execute(args: argparse.Namespace) -> int:
    """Make, paint, or check; 1 if a check is not met."""
    actions = {"universe": _make, "gas": mock_gas.execute, "check": _check}
    return actions[args.action](args)


def _make(args: argparse.Namespace) -> int:
    from ..data.maps_writer import check_free
    from ..data.mocks.universe.make import make_universe
    from ..data.mocks.universe.record import settings_record
    from ..data.provenance import versions
    from ..data.universe_file import write_universe

    settings, out = _settings(args), Path(args.out)
    check_free(out, overwrite=args.overwrite)
    start = time.monotonic()
    command = shlex.join(["clustermass", *getattr(args, "words", [])])
    record = {**settings_record(settings), "versions": versions(), "command": command}
    line = StageLine("universe")
    try:
        universe = make_universe(settings, progress=line.enter)
        line.enter("writing")
        write_universe(out, universe, record)
    finally:
        line.close()
    took = duration(time.monotonic() - start)
    print(f"{out}: {universe.haloes.n:,} haloes and {universe.galaxies.n:,} galaxies in {took}")
    return EXIT_OK


def _settings(args: argparse.Namespace) -> UniverseSettings:
    from ..cosmology import Cosmology
    from ..data.mocks.universe.occupation import OCCUPATIONS
    from ..data.mocks.universe.settings import MDPL2, UniverseSettings

    usual = UniverseSettings()
    numbers = {
        "h": MDPL2.h,
        "omega_m": MDPL2.omega_m,
        "omega_b": usual.omega_b,
        "sigma8": usual.sigma8,
        "n_s": usual.spectral_index,
    }
    numbers |= value_pairs(args.cosmology, tuple(numbers), "--cosmology")
    cosmology = Cosmology(h=numbers["h"], omega_m=numbers["omega_m"])
    return UniverseSettings(
        box_size=to_float(args.box_size, "--box-size") / cosmology.h,
        redshift=to_float(args.redshift, "--redshift"),
        seed=args.seed,
        occupation=nearest(args.occupation, OCCUPATIONS, "--occupation"),
        cosmology=cosmology,
        omega_b=numbers["omega_b"],
        sigma8=numbers["sigma8"],
        spectral_index=numbers["n_s"],
        min_mass=10 ** to_float(args.min_mass, "--min-mass") / cosmology.h,
        max_mass=10**_HIGHEST / cosmology.h,
        cell_size=None if args.cell_size is None else to_float(args.cell_size, "--cell-size") / cosmology.h,
    )


def _check(args: argparse.Namespace) -> int:
    from ..data.mocks.universe.checks import check_universe

    tables = check_universe(args.universe, args.out, pictures=not args.no_pictures)
    print("\n\n".join(table.text() for table in tables))
    failed = [table.title for table in tables if table.is_met is False]
    judged = sum(table.is_met is not None for table in tables)
    what = "tables" if args.no_pictures else "tables and pictures"
    print(f"\n{args.out}: {what}; {judged - len(failed)} of {judged} checks met")
    return EXIT_NOT_MET if failed else EXIT_OK
