"""All checks of a universe into one folder: tables as text and CSV, pictures with the numbers beside them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from ....errors import DomainError
from ...atomic import atomic_path
from ...universe_file import read_universe
from .check_galaxies import check_galaxies
from .check_haloes import check_haloes
from .check_tables import CheckTable
from .record import settings_of


def check_universe(path: str | Path, out: str | Path, *, pictures: bool = True) -> list[CheckTable]:
    """Compare a generated universe with published relations, and write what was found.

    Parameters
    ----------
    path : str or Path
        File of a universe from `clustermass mock universe`.
    out : str or Path
        Folder for ``haloes.png``, ``galaxies.png`` and one CSV file a table; made if it is not there.
    pictures : bool
        Draw; needs matplotlib.

    Returns
    -------
    list of CheckTable

    Raises
    ------
    DomainError
        If the universe was not generated here: the relations to compare with are not known then.
    FileFormatError
        If the file is no universe.
    MissingDependencyError
        Without colossus or scipy (extra ``mock``), or without matplotlib (extra ``plot``).
    """
    settings = settings_of(path)
    if settings is None:
        raise DomainError(f"`path` must be a universe from `clustermass mock universe`, got {path}, made otherwise")
    universe, folder = read_universe(path), Path(out)
    haloes = check_haloes(universe, settings)
    galaxies = check_galaxies(universe)
    folder.mkdir(parents=True, exist_ok=True)
    for table in (*haloes, *galaxies):
        write_table(folder / f"{file_name(table)}.csv", table)
    if pictures:
        from .check_figures import draw_galaxy_checks
        from .check_halo_figures import draw_halo_checks

        for name, figure in (("haloes", draw_halo_checks(haloes)), ("galaxies", draw_galaxy_checks(universe))):
            with atomic_path(folder / f"{name}.png") as part:
                figure.savefig(part, format="png")
    return [*haloes, *galaxies]


def file_name(table: CheckTable) -> str:
    """``halo_mass_function`` of a title ``Halo mass function``."""
    return re.sub(r"[^a-z0-9]+", "_", re.split("[(,]", table.title)[0].lower()).strip("_")


def write_table(path: Path, table: CheckTable) -> None:
    """A table as CSV, its title, source and verdict in comment lines above."""
    verdict = {True: "met", False: "not met", None: "for information"}[table.is_met]
    rows: Sequence[Sequence[object]] = [table.columns, *table.rows]
    with atomic_path(path) as part, part.open("w", newline="") as file:
        file.write(f"# {table.title}\n# {table.source}\n# {verdict}\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
