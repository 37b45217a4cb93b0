"""`Catalogue`: the columns of a halo, galaxy or cluster catalogue under fixed names, in the units of the package."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....cosmology import Cosmology
from ....errors import DomainError, FileFormatError, MissingFieldError
from ...schema import FieldInfo, MissingField
from ..header import CRITICAL_DENSITY, Overrides
from . import identity
from .columns import (
    PACKAGE_UNITS,
    QUANTITIES,
    CatalogueColumn,
    ColumnUnit,
    check_fits,
    column_map,
    parse_column_unit,
    to_package,
    unit_of,
)
from .frame import CatalogueHeader, epoch_from_name, resolve_frame
from .table import Source

_ORIGIN = "derived from "


class Catalogue:
    """Columns of a catalogue, read when asked for. Made by `open_catalogue`.

    Attributes
    ----------
    path : str
    paths : tuple of str
        All files.
    format : str
        Such as "rockstar_list"; docs/catalogues.md has them all.
    header : CatalogueHeader
    n : int
        Rows.
    columns : tuple of FieldInfo
        Quantities that can be read: name and unit in the package, source and dtype in the file.
    raw_names : tuple of str
        Columns as the file calls them.
    raw_units : dict
        Units that the file writes beside columns (FITS, ECSV).
    missing : tuple of MissingField
        What the file lacks, and what cannot be done without.
    assumptions : tuple of str
        What was assumed because the file does not say.

    Examples
    --------
    >>> import clustermass as cm
    >>> groups = cm.open_catalogue(cm.datasets.sample_groups())
    >>> groups.format, groups.n, groups["positions"].shape
    ('subfind', 5, (5, 3))
    """

    def __init__(self, source: Source, over: Overrides, columns: dict[str, CatalogueColumn]) -> None:
        self._source, self._over = source, over
        rules = _found(source, columns)
        units = {name: unit_of(name, rule) for name, rule in rules.items()}
        notes, stated = list(source.notes), source.stated
        if source.names_epoch and over.redshift is None:
            stated = epoch_from_name(source.path, stated, notes)
        self.header: CatalogueHeader = resolve_frame(stated, over, [*units.values()], source.path, notes)
        self._rules, self._units = rules, units
        self.path, self.paths, self.format, self.n = source.path, source.paths, source.format, source.table.n
        self.raw_names, self.raw_units = source.table.names, dict(source.units)
        notes += identity.rounded_ids(source, rules)
        self._derived = _derivable(rules, self.header)
        self.columns: tuple[FieldInfo, ...] = (*map(self._info, rules), *map(self._info, self._derived))
        self.missing: tuple[MissingField, ...] = (
            *(item for item in source.missing if item.field not in rules and item.field not in self._derived),
            *_underivable(rules, self._derived),
        )
        self.assumptions: tuple[str, ...] = tuple(notes)

    def with_columns(self, columns: Any) -> Catalogue:
        """The same file, read and parsed once, under another column map."""
        return Catalogue(self._source, self._over, column_map(columns))

    def __repr__(self) -> str:
        return f"<Catalogue {self.path!r}: {self.format}, {self.n} rows, {len(self.columns)} quantities>"

    def __len__(self) -> int:
        return self.n

    def __contains__(self, name: object) -> bool:
        return name in self._rules or name in self._derived

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.read(name)

    def read(self, name: str) -> NDArray[Any]:
        """A quantity in the units of the package.

        Parameters
        ----------
        name : str
            One of `columns`.

        Returns
        -------
        (n,) or (n, 3) ndarray
            float64, int64 for identifiers and counts, text where the file has text. A new array at each call.

        Raises
        ------
        MissingFieldError
            If the catalogue has no such quantity; says why.
        FileFormatError
            If a simulation's catalogue holds NaN there, or an identifier that is no whole number.
        """
        if name in self._derived:
            return self._derive(name)
        if name not in self._rules:
            raise MissingFieldError(self._why_not(name))
        rule, unit, quantity = self._rules[name], self._units[name], QUANTITIES.get(name)
        parts = [self._column(name, source, rule, unit) for source in rule.source]
        values = parts[0] if len(parts) == 1 else np.stack(parts, axis=1)
        if quantity is not None and values.shape != ((self.n, 3) if quantity.width == 3 else (self.n,)):
            raise FileFormatError(f"{self.path}: column {rule.source[0]} has shape {values.shape}, not that of {name}")
        if quantity is not None and quantity.is_integer:
            own = name in identity.LINKS and self._source.links_to_itself and "ids" in self._rules
            return identity.without_marks(values, name, self._source, self.read("ids") if own else None)
        return values

    def raw(self, name: str) -> NDArray[Any]:
        """A column as the file holds it: its own name, units and type.

        Raises
        ------
        MissingFieldError
        """
        if name not in self._source.table.dtypes:
            raise MissingFieldError(
                f"{self.path}: has no column {name!r}; its columns are {', '.join(self.raw_names[:60])}"
            )
        return np.array(self._source.table.load(name))

    def _column(self, name: str, source: str, rule: CatalogueColumn, unit: ColumnUnit) -> NDArray[Any]:
        stored = self._source.table.load(source)
        quantity = QUANTITIES.get(name)
        if quantity is not None and quantity.is_integer:
            return identity.whole_numbers(stored, source, self._source)
        if unit.is_sexagesimal:
            stored = identity.sexagesimal(stored, source, self._source)
        if stored.dtype.kind not in "iufb":
            if quantity is None and unit == ColumnUnit("", 1.0):
                return np.array(stored)
            raise FileFormatError(f"{self.path}: column {source} must hold numbers for {name}, it holds text")
        stretch = self._stretch() if unit.is_physical else 1.0
        if rule.missing:
            stored = np.array(stored, np.float64)
            stored[np.isin(stored, rule.missing)] = math.nan
        values = to_package(stored, unit, self.header.h or 1.0, stretch)
        if self._source.finite and name in QUANTITIES and not rule.missing:
            bad = ~np.isfinite(values)
            if bad.any():
                row = int(np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))[0])
                raise FileFormatError(
                    f"{self.path}, {self._source.where(row)}: column {source} holds {stored[row]}, "
                    f"expected finite numbers ({int(bad.sum())} are not; a column map with missing=[nan] allows them)"
                )
        return values

    def _stretch(self) -> Any:
        """Comoving over physical lengths, 1 + z: of the box, or row by row."""
        if self.header.redshift is not None:
            return 1 + self.header.redshift
        for name in ("cluster_redshift", "redshift"):
            if name in self._rules:
                return 1 + self.read(name)
        raise MissingFieldError(
            f"{self.path}: a physical length needs a redshift: give a column for `redshift`, or the argument redshift"
        )

    def _derive(self, name: str) -> NDArray[Any]:
        if name == "host_ids":
            return identity.top_of_chain(self.read("ids"), self.read("parent_ids"), self.path)
        head = self.header
        # h, omega_m: _derivable has looked that they are there where they matter
        cosmology = Cosmology(head.h or 1.0, head.omega_m or 0.3, head.omega_lambda)
        density = CRITICAL_DENSITY * (cosmology.h * float(cosmology.expansion(head.redshift or 0.0))) ** 2
        return np.cbrt(self.read("m200c") / (800 * math.pi / 3 * density)) * (1 + (head.redshift or 0.0))

    def _why_not(self, name: str) -> str:
        for item in self.missing:
            if item.field == name:
                return f"{self.path}: {item}"
        held = ", ".join(info.name for info in self.columns) or "none without a column map (argument columns)"
        return f"{self.path}: has no {name!r}; its quantities are {held}"

    def _info(self, name: str) -> FieldInfo:
        quantity = QUANTITIES.get(name)
        if name in self._derived:
            unit = PACKAGE_UNITS[quantity.dimension if quantity else ""]
            return FieldInfo(name, unit, _ORIGIN + self._derived[name], "int64" if name == "host_ids" else "float64")
        rule = self._rules[name]
        unit = PACKAGE_UNITS[quantity.dimension if quantity else self._units[name].dimension]
        if name == "projected_radius" and self._units[name].dimension == "angle":
            unit = PACKAGE_UNITS["angle"]
        dtypes = {str(self._source.table.dtypes[source]) for source in rule.source}
        return FieldInfo(name, unit, ", ".join(rule.source), "/".join(sorted(dtypes)))


def _found(source: Source, columns: dict[str, CatalogueColumn]) -> dict[str, CatalogueColumn]:
    """The rules of the format with those of the caller over them; sources as names of the table."""
    names = source.table.names
    rules = dict(source.rules)
    for name, entry in columns.items():
        sources = []
        for item in entry.source:
            if isinstance(item, int):
                if not 1 <= item <= len(names):
                    raise DomainError(
                        f"`columns`: {name} must be column 1 to {len(names)} of {source.path}, got {item}"
                    )
                item = names[item - 1]
            if item not in names:
                raise MissingFieldError(
                    f"{source.path}: has no column {item!r} for {name}; its columns are {', '.join(names[:60])}"
                )
            sources.append(item)
        unit = entry.unit
        if unit is None and name in rules:  # another column of the same kind
            unit = rules[name].unit
        if unit is None and sources[0] in source.units:
            unit = _file_unit(source, name, sources[0])
        quantity = QUANTITIES.get(name)
        if unit is None and quantity is not None and quantity.dimension:
            raise DomainError(f"`columns`: {name} needs a unit, such as CatalogueColumn({sources[0]!r}, 'Mpc/h')")
        rules[name] = CatalogueColumn(tuple(sources), unit, entry.missing)
        check_fits(name, rules[name])
    return rules


def _file_unit(source: Source, name: str, column: str) -> str | None:
    try:
        parse_column_unit(source.units[column])
    except DomainError:
        if name not in QUANTITIES or not QUANTITIES[name].dimension:
            return None
        raise DomainError(
            f"`columns`: {source.path} gives column {column} the unit {source.units[column]!r}, which is not known: "
            f"say the unit of {name}"
        ) from None
    return source.units[column]


def _derivable(rules: dict[str, CatalogueColumn], head: CatalogueHeader) -> dict[str, str]:
    derived = {}
    if "host_ids" not in rules and {"ids", "parent_ids"} <= set(rules):
        derived["host_ids"] = "parent_ids, followed to the top"
    at_zero = head.redshift is not None and abs(head.redshift) < 1e-12
    known = head.h is not None and head.redshift is not None and (head.omega_m is not None or at_zero)
    if "r200c" not in rules and "m200c" in rules and known:
        derived["r200c"] = "m200c"
    return derived


def _underivable(rules: dict[str, CatalogueColumn], derived: dict[str, str]) -> list[MissingField]:
    if "m200c" in rules and "r200c" not in rules and "r200c" not in derived:
        reason = "no column, and to derive it from m200c takes one redshift, h and omega_m (arguments)"
        return [MissingField("", "r200c", reason, "apertures in units of R200c")]
    return []
