"""Read a table of cluster centres: text with the columns x y z [M200c]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError

MAX_LINE = 65_536  #: characters; a longer line is no table of numbers


def read_centres(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and masses from text: one cluster a line, ``x y z`` or ``x y z mass``, by spaces, tabs or commas.

    Lines that are empty or start with ``#`` are skipped, and so is one line of column names before the first numbers.

    Parameters
    ----------
    path : str or Path
        Lengths in comoving Mpc (no h), masses M200c in Msun.

    Returns
    -------
    centres : ndarray, shape (n, 3)
        [comoving Mpc]
    masses : ndarray, shape (n,)
        [Msun]; NaN where the file has no fourth column.

    Raises
    ------
    FileFormatError
        Names the file and the line.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "centres.txt"
    >>> _ = table.write_text("# x y z mass\\n1 2 3 1e14\\n4, 5, 6, 2e14\\n")
    >>> read_centres(table)[1].tolist()
    [100000000000000.0, 200000000000000.0]
    """
    path = Path(path)
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if len(line) > MAX_LINE:
                    raise FileFormatError(f"{path}, line {number}: longer than {MAX_LINE} characters")
                words = line.split("#", 1)[0].replace(",", " ").split()
                if words:
                    _parse(words, rows, f"{path}, line {number}")
    except UnicodeDecodeError as exc:
        raise FileFormatError(f"{path} is not text: {exc}") from exc
    if not rows or not rows[0]:
        raise FileFormatError(f"{path} holds no centres; expected lines of x y z [mass]")
    table = np.array(rows)
    masses = table[:, 3] if table.shape[1] == 4 else np.full(len(table), np.nan)
    return table[:, :3], masses


def _parse(words: list[str], rows: list[list[float]], where: str) -> None:
    """Append the numbers of one line; the first line may be column names."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        if not rows and all(not _is_number(word) for word in words):
            rows.append([])  # remembered as the one line of names, dropped at the first numbers
            return
        raise FileFormatError(f"{where}: expected numbers x y z [mass], got {' '.join(words)[:80]!r}") from None
    if rows and not rows[0]:
        rows.clear()
    if len(values) not in (3, 4):
        raise FileFormatError(f"{where}: expected 3 or 4 numbers, got {len(values)}")
    if rows and len(values) != len(rows[0]):
        raise FileFormatError(f"{where}: has {len(values)} numbers, the lines before have {len(rows[0])}")
    if not np.isfinite(values).all() or (len(values) == 4 and values[3] < 0):
        raise FileFormatError(f"{where}: numbers must be finite and the mass not negative, got {' '.join(words)[:80]}")
    rows.append(values)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
