"""Quantities of catalogues under one name and in one unit each, and the units that files use for them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import DomainError


@dataclass(frozen=True)
class Quantity:
    """A quantity that a catalogue can hold: dimension (a key of `PACKAGE_UNITS`), components, whether whole numbers."""

    dimension: str
    width: int = 1
    is_integer: bool = False


#: Dimension -> unit inside the package.
PACKAGE_UNITS = {
    "": "", "length": "Mpc (comoving)", "mass": "Msun", "velocity": "km/s (peculiar)", "angle": "rad",
    "rate": "Msun/yr", "temperature": "K", "magnitude": "mag",
}  # fmt: skip

#: Names that mean the same in every format. A column map may add others, with units of their own.
QUANTITIES: dict[str, Quantity] = {
    "ids": Quantity("", is_integer=True),
    "positions": Quantity("length", 3),
    "velocities": Quantity("velocity", 3),
    "mvir": Quantity("mass"),
    "m200c": Quantity("mass"),
    "m200m": Quantity("mass"),
    "m500c": Quantity("mass"),
    "m2500c": Quantity("mass"),
    "masses": Quantity("mass"),
    "rvir": Quantity("length"),
    "r200c": Quantity("length"),
    "r200m": Quantity("length"),
    "r500c": Quantity("length"),
    "vmax": Quantity("velocity"),
    "velocity_dispersion": Quantity("velocity"),
    "scale_radius": Quantity("length"),
    "half_mass_radius": Quantity("length"),
    "parent_ids": Quantity("", is_integer=True),
    "host_ids": Quantity("", is_integer=True),
    "descendant_ids": Quantity("", is_integer=True),
    "tree_ids": Quantity("", is_integer=True),
    "flags": Quantity("", is_integer=True),
    "n_particles": Quantity("", is_integer=True),
    "stellar_mass": Quantity("mass"),
    "gas_mass": Quantity("mass"),
    "star_formation_rate": Quantity("rate"),
    "redshift": Quantity(""),
    "ra": Quantity("angle"),
    "dec": Quantity("angle"),
    "velocity": Quantity("velocity"),
    "projected_radius": Quantity("length"),
    "temperature": Quantity("temperature"),
}

#: Masses by which haloes are ordered, the first that is there.
MASS_NAMES = ("m200c", "mvir", "m200m", "m500c", "masses")

# name -> (dimension, size in the package's unit)
_NAMED = {
    "": ("", 1.0), "1": ("", 1.0),
    "Mpc": ("length", 1.0), "kpc": ("length", 1e-3), "pc": ("length", 1e-6),
    "Msun": ("mass", 1.0), "Msol": ("mass", 1.0), "km/s": ("velocity", 1.0), "m/s": ("velocity", 1e-3),
    "rad": ("angle", 1.0), "deg": ("angle", math.pi / 180), "arcmin": ("angle", math.pi / 10800),
    "arcsec": ("angle", math.pi / 648000), "hourangle": ("angle", math.pi / 12),
    "Msun/yr": ("rate", 1.0), "K": ("temperature", 1.0), "mag": ("magnitude", 1.0),
    "hh:mm:ss": ("angle", math.pi / 12), "dd:mm:ss": ("angle", math.pi / 180),
}  # fmt: skip


@dataclass(frozen=True)
class ColumnUnit:
    """Value in the package = size x h^h_power x (stored, or 10^stored) [x (1 + z) for a physical length]."""

    dimension: str
    size: float
    h_power: float = 0.0
    is_log: bool = False
    is_physical: bool = False
    is_sexagesimal: bool = False


def parse_column_unit(text: str) -> ColumnUnit:
    """The unit of a column, as a column map names it.

    Parameters
    ----------
    text : str
        ``[log10] [physical] [number] name[/h]``, such as "Mpc/h", "1e10 Msun/h", "log10 Msun", "physical kpc", "deg",
        "arcmin", "hh:mm:ss", "km/s", "Msun/yr", "K", "mag", or "" for a pure number. Lengths are comoving unless
        "physical" is said.

    Raises
    ------
    DomainError
        If the text is none of these.

    Examples
    --------
    >>> parse_column_unit("log10 1e10 Msun/h")
    ColumnUnit(dimension='mass', size=10000000000.0, h_power=-1.0, is_log=True, is_physical=False, is_sexagesimal=False)
    """
    words = str(text).split()
    is_log = bool(words) and words[0] == "log10"
    words = words[is_log:]
    is_physical = bool(words) and words[0] == "physical"
    words = words[is_physical:]
    number, h_power = 1.0, 0.0
    if len(words) == 2 or (len(words) == 1 and re.fullmatch(r"[0-9.eE+-]+", words[0])):
        try:
            number = float(words[0])
        except ValueError:
            number = math.nan
        words = words[1:]
    name = words[0] if len(words) == 1 else "" if not words else "?"
    if name.endswith("/h"):
        name, h_power = name[:-2], -1.0
    elif name.endswith("/h^2"):
        name, h_power = name[:-4], -2.0
    if name not in _NAMED or not (number > 0 and math.isfinite(number)):
        known = ", ".join(name for name in _NAMED if len(name) > 1)
        raise DomainError(
            f"`unit` must be a unit such as 'Mpc/h', '1e10 Msun/h' or 'log10 Msun' (known: {known}), got {text!r}"
        )
    dimension, size = _NAMED[name]
    if is_physical and dimension != "length":
        raise DomainError(f"`unit`: only a length can be physical, got {text!r}")
    return ColumnUnit(dimension, number * size, h_power, is_log, is_physical, ":" in name)


@dataclass(frozen=True)
class CatalogueColumn:
    """Where a quantity is found in a file, and in which unit: one entry of a column map.

    Parameters
    ----------
    source : str, int, or sequence of 3 of them
        Column of the file by name or by number from 1; three for positions and velocities.
    unit : str, optional
        Unit in the file (`parse_column_unit`). Left out: the unit of the package.
    missing : sequence of float, optional
        Values that mark a missing entry, such as 99.0 or -1; they become NaN.

    Examples
    --------
    >>> columns = {"redshift": CatalogueColumn("REDSHIFT", missing=[-1]), "m500c": CatalogueColumn("MSZ", "1e14 Msun")}
    """

    source: Any
    unit: str | None = None
    missing: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        sources = tuple(self.source) if isinstance(self.source, tuple | list) else (self.source,)
        if not sources or not all(isinstance(item, str | int) and not isinstance(item, bool) for item in sources):
            raise DomainError(f"`source` must be a column name or number, or three of them, got {self.source!r}")
        marks = self.missing if isinstance(self.missing, tuple | list) else (self.missing,)
        object.__setattr__(self, "source", sources)
        object.__setattr__(self, "missing", tuple(float(mark) for mark in marks))
        if self.unit is not None:
            parse_column_unit(self.unit)


def column_map(columns: Any) -> dict[str, CatalogueColumn]:
    """The argument `columns`: name -> CatalogueColumn, or short forms of one: "MSZ", 5, ("MSZ", "1e14 Msun")."""
    made: dict[str, CatalogueColumn] = {}
    for name, entry in dict(columns or {}).items():
        if not (isinstance(name, str) and name.isidentifier()):
            raise DomainError(f"`columns` must have names of quantities as keys, got {name!r}")
        if isinstance(entry, tuple) and len(entry) in (2, 3) and not (len(entry) == 3 and isinstance(entry[2], str)):
            entry = CatalogueColumn(*entry)
        elif not isinstance(entry, CatalogueColumn):
            entry = CatalogueColumn(entry)
        check_fits(name, entry)
        made[name] = entry
    return made


def unit_of(name: str, column: CatalogueColumn) -> ColumnUnit:
    """The unit of a column in its file; the package's own where the map says nothing."""
    if column.unit is not None:
        return parse_column_unit(column.unit)
    quantity = QUANTITIES.get(name)
    return ColumnUnit(quantity.dimension if quantity else "", 1.0)


def check_fits(name: str, column: CatalogueColumn) -> None:
    """A known quantity must get as many columns and the dimension that it has."""
    quantity, unit = QUANTITIES.get(name), unit_of(name, column)
    width = len(column.source)
    if quantity is None:
        if width not in (1, 3):
            raise DomainError(f"`columns`: {name} must be one column or three, got {width}")
        return
    if width not in (quantity.width, 1):
        raise DomainError(f"`columns`: {name} must be {quantity.width} column(s), got {width}")
    # a file may give the distance on the sky as an angle
    allowed = {quantity.dimension} | ({"angle"} if name == "projected_radius" else set())
    if unit.dimension not in allowed:
        wanted = PACKAGE_UNITS[quantity.dimension] or "a pure number"
        raise DomainError(f"`columns`: {name} must have a unit like {wanted}, got {column.unit!r}")


def to_package(values: NDArray[Any], unit: ColumnUnit, h: float, stretch: Any) -> NDArray[np.float64]:
    """Stored to internal; `stretch` is 1 + z, wanted for physical lengths only."""
    result = np.array(values, np.float64)
    if unit.is_log:
        np.power(10.0, result, out=result)
    factor = unit.size * h**unit.h_power
    if factor != 1:
        result *= factor
    if unit.is_physical:
        result *= stretch
    return result
