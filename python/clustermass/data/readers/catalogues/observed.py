"""Tables of observations, whose meaning is in a column map: CSV and white-space text, ECSV, FITS, folders of .npy."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import ClusterMassError, FileFormatError, TruncatedFileError
from .table import Array, Source, Table, table_of
from .text import MAX_COLUMNS, NUMBER, Head, Layout, Parse, read_head, skip_first, split_line

MAX_NPY_COLUMNS = 1000
_DELIMITERS = (",", ";", "\t")
# spellings of units in files -> those of a column map
_SPELLINGS = {
    "degrees": "deg", "degree": "deg", "none": "", "null": "", "---": "", "-": "", "unitless": "",
    "solmass": "Msun", "msol": "Msun", "m_sun": "Msun", "msun": "Msun", "km s-1": "km/s", "km / s": "km/s",
    "mpc": "Mpc", "kpc": "kpc", "k": "K", "h": "hourangle", "hour": "hourangle",
}  # fmt: skip


def stated_unit(text: Any) -> str | None:
    """The unit that a file writes beside a column, as a column map spells it; None where it writes nothing."""
    if text is None:
        return None
    words = str(text).strip().replace("10^", "1e").replace("10**", "1e").replace("*", " ").split()
    number = words.pop(0) if len(words) > 1 and NUMBER.fullmatch(words[0]) else ""
    name = " ".join(words)
    return f"{number} {_SPELLINGS.get(name.lower(), name)}".strip()


def identify(path: str) -> str | None:
    """The format of a table of observations, or None."""
    if os.path.isdir(path):
        return "npy_columns" if any(name.endswith(".npy") for name in os.listdir(path)) else None
    with open(path, "rb") as file:
        start = file.read(80)
    if start.startswith(b"SIMPLE  ="):
        return "fits_table"
    if start.startswith(b"# %ECSV"):
        return "ecsv_table"
    return "text_table" if _layout(path, read_head(path)) is not None else None


def _layout(path: str, head: Head) -> Layout | None:
    """Names and delimiter of a text table; None if lines have no common number of at least two entries."""
    if not head.first or (not head.first.isprintable() and "\t" not in head.first):
        return None
    delimiter = next((d for d in _DELIMITERS if d in head.first), None)
    lines = _some_lines(path, head)
    counts = {len(split_line(line, delimiter)) for line in lines}
    n = len(split_line(head.first, delimiter))
    # a last line that is cut is an error of this format, not another format
    if not 2 <= n <= MAX_COLUMNS or (len(lines) > 2 and n not in counts) or len(counts) > 2:
        return None
    layout = Layout(tuple(f"col{k + 1}" for k in range(n)), delimiter, head.start, head.first_line, allow_text=True)
    first = split_line(head.first, delimiter)
    if not any(NUMBER.fullmatch(entry) for entry in first) and len(lines) > 1:
        return skip_first(Layout(tuple(first), delimiter, allow_text=True), head)
    for comment in reversed(head.comments):
        names = split_line(comment.lstrip("#").strip(), delimiter)
        if len(names) == n and len(set(names)) == n and not any(NUMBER.fullmatch(name) for name in names):
            return Layout(tuple(names), delimiter, head.start, head.first_line, allow_text=True)
    return layout


def _some_lines(path: str, head: Head) -> list[str]:
    with open(path, "rb") as file:
        file.seek(head.start)
        data = file.read(2**16).split(b"\n")
    lines = [line.decode("utf-8", "replace").strip() for line in data[: 20 if len(data) > 20 else None]]
    return [line for line in lines if line and not line.startswith("#")]


def open_text(path: str, parse: Parse) -> Source:
    """A table of text: numbers where all entries are numbers, else text."""
    head = read_head(path)
    layout = _layout(path, head)
    assert layout is not None  # `formats` has asked
    parsed = parse(path, layout)
    return Source(path, (path,), "text_table", parsed.table, {}, finite=False, where=parsed.where)


def open_ecsv(path: str) -> Source:
    """A table with a header of names, types and units; masked entries become NaN."""
    from astropy.table import Table as AstropyTable

    with _translated(path):
        table = AstropyTable.read(path, format="ascii.ecsv")
        columns = {str(name): _plain(path, name, np.ma.asarray(table[name])) for name in table.colnames}
        units = {str(name): unit for name in table.colnames if (unit := stated_unit(table[name].unit)) is not None}
    source = Source(path, (path,), "ecsv_table", _checked(path, columns), {}, finite=False)
    source.units = units
    return source


def open_fits(path: str) -> Source:
    """The first table of a FITS file."""
    from astropy.io import fits

    with _translated(path):
        size = os.path.getsize(path)
        with fits.open(path, memmap=True, lazy_load_hdus=True) as file:
            hdu = next((hdu for hdu in file if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))), None)
            if hdu is None:
                raise FileFormatError(f"{path}: FITS without a table")
            info = hdu.fileinfo()
            wanted = info["datLoc"] + int(hdu.header["NAXIS1"]) * int(hdu.header["NAXIS2"])
            if wanted > size:
                raise TruncatedFileError(f"{path}: its table ends at byte {wanted}, the file has {size}")
            columns, units = {}, {}
            for column in hdu.columns[:MAX_COLUMNS]:
                if "P" in str(column.format) or "Q" in str(column.format):
                    continue  # rows of different lengths are no column
                values = np.ma.asarray(hdu.data[column.name])
                if column.null is not None and values.dtype.kind in "iu":
                    values = np.ma.masked_equal(values, column.null)
                columns[str(column.name)] = _plain(path, column.name, values)
                if (unit := stated_unit(column.unit)) is not None:
                    units[str(column.name)] = unit
    source = Source(path, (path,), "fits_table", _checked(path, columns), {}, finite=False)
    source.units = units
    return source


def _plain(path: str, name: Any, values: Any) -> Array:
    """A column without mask, in native byte order, text as str."""
    if values.dtype.kind in "SU":
        return np.array([str(v).strip() for v in np.char.decode(values.data, "latin-1")] if values.dtype.kind == "S"
                        else values.filled("").tolist(), np.str_)  # fmt: skip
    if values.dtype.kind == "O":
        return np.array([str(v) for v in values.tolist()], np.str_)
    if values.dtype.kind not in "iufb":
        raise FileFormatError(f"{path}: column {name} must hold numbers or text, got {values.dtype}")
    if np.ma.is_masked(values):
        return np.asarray(values.astype(np.float64).filled(np.nan))
    data = np.asarray(values.data)
    return np.array(data, data.dtype.newbyteorder("="))


def _checked(path: str, columns: dict[str, Array]) -> Table:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise FileFormatError(f"{path}: must have columns of one length, got lengths {sorted(lengths)}")
    return table_of(columns, lengths.pop())


class _translated:
    """Whatever astropy or numpy raise on damaged input becomes a FileFormatError; their warnings are its business."""

    def __init__(self, path: str) -> None:
        self._path, self._quiet = path, warnings.catch_warnings()

    def __enter__(self) -> None:
        self._quiet.__enter__()
        warnings.simplefilter("ignore")  # units that are no FITS standard, missing padding

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._quiet.__exit__(kind, error, trace)
        # damage shows as any exception that there is: TokenError, VerifyError, SyntaxError...
        if isinstance(error, Exception) and not isinstance(error, (ClusterMassError, FileNotFoundError)):
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise FileFormatError(f"{self._path}: cannot read the table: {reason}") from error


def open_npy_columns(folder: str) -> Source:
    """Files ``NAME.npy`` of one length in a folder: the column NAME."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".npy"))
    if len(names) > MAX_NPY_COLUMNS:
        raise FileFormatError(f"{folder}: has {len(names)} files .npy, expected at most {MAX_NPY_COLUMNS}")
    paths = {Path(name).stem: os.path.join(folder, name) for name in names}
    found = {name: _open_npy(path) for name, path in paths.items()}
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) != 1:
        raise FileFormatError(f"{folder}: must have columns of one length, got {lengths}")
    dtypes = {name: values.dtype.newbyteorder("=") for name, values in found.items()}

    def load(name: str) -> Array:
        return np.array(_open_npy(paths[name]), dtypes[name])

    table = Table(dtypes, next(iter(lengths.values())), load)
    return Source(folder, tuple(paths.values()), "npy_columns", table, {}, finite=False)


def _open_npy(path: str) -> Array:
    with _translated(path):
        # mapped, so that a header cannot ask for more memory than the file has bytes
        if os.path.getsize(path) < 16:
            raise TruncatedFileError(f"{path}: has {os.path.getsize(path)} bytes, no header of .npy fits")
        values: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray) or values.ndim not in (1, 2) or values.dtype.kind not in "iufb":
        raise FileFormatError(f"{path}: must hold numbers in one or two axes")
    return values
