"""Raw columns of a catalogue, as its files store them: what every format reader hands to `Catalogue`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...schema import MissingField
from .columns import CatalogueColumn

Array = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Columns of one length; `load(name)` gives one of them, in native byte order."""

    dtypes: Mapping[str, np.dtype[Any]]
    n: int
    load: Callable[[str], Array]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.dtypes)


def table_of(columns: Mapping[str, Array], n: int) -> Table:
    """A table of arrays in memory."""
    for values in columns.values():
        values.flags.writeable = False
    return Table({name: values.dtype for name, values in columns.items()}, n, lambda name: columns[name])


@dataclass
class Stated:
    """What a file says about its box and its universe; None where it says nothing. Lengths with their unit."""

    scale_factor: float | None = None
    redshift: float | None = None
    h: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    box_size: float | None = None
    box_unit: str = "Mpc/h"
    particle_mass: float | None = None
    particle_unit: str = "Msun/h"
    is_periodic: bool | None = None


@dataclass
class Source:
    """An opened catalogue before units are applied.

    `rules` say where quantities are found; `finite` whether NaN in them is a fault of the file (simulations) or a
    missing value (observations); `where(column, row)` finds a row in the file for messages.
    """

    path: str
    paths: tuple[str, ...]
    format: str
    table: Table
    rules: dict[str, CatalogueColumn]
    stated: Stated = field(default_factory=Stated)
    notes: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)  # that the file writes beside its columns
    missing: list[MissingField] = field(default_factory=list)
    finite: bool = True
    names_epoch: bool = False  # the file's name may hold the scale factor or the redshift
    links_to_itself: bool = False  # a host that is the halo itself means "none"
    no_parent: tuple[int, ...] = (-1,)  # values of parent and host columns that mean "none"
    where: Callable[[int], str] = lambda row: f"row {row}"
