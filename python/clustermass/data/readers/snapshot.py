"""A snapshot of any format: which fields it has, and how they are streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _validate
from ...errors import DomainError, MissingFieldError
from ..schema import FIELDS, PARTICLE_TYPES, FieldInfo, MissingField, Region, SnapshotHeader
from . import stream
from .code_units import CodeUnits
from .parts import Part, check_total

_GAS = ("internal_energy", "density", "electron_abundance", "smoothing_length", "star_formation_rate")
_ALL = ("positions", "velocities", "masses", "ids")
_EXPECTED: dict[str, tuple[str, ...]] = dict.fromkeys(PARTICLE_TYPES, _ALL) | {
    "gas": _ALL + _GAS,
    "stars": (*_ALL, "formation_scale_factor"),
}
_NEEDS = {"smoothing_length": ("masses", "density")}

_PREVENTS = {
    "positions": "maps and every selection in space",
    "velocities": "line-of-sight velocities",
    "masses": "mass maps",
    "ids": "following particles between snapshots",
    "internal_energy": "gas temperature: no Compton y, no X-ray",
    "density": "X-ray luminosity, and a smoothing length where none is stored",
    "electron_abundance": "the measured ionisation: electrons are counted as in fully ionised gas",
    "smoothing_length": "SPH maps (CIC and TSC still work)",
    "star_formation_rate": "leaving star-forming gas, whose temperature is not real, out of hot-gas maps",
    "formation_scale_factor": "stellar ages, and telling stars from wind particles",
}


class Snapshot:
    """A simulation snapshot, open for streaming; made by `open_snapshot`.

    Only headers are held in memory: every read opens the files, takes what is asked for and closes them again.
    Values come in the units of the package (comoving Mpc without h, km/s peculiar, Msun), in the precision stored.

    Attributes
    ----------
    format : str
        "gadget1", "gadget2", "gadget_hdf5" or "swift".
    path : str
        The file (the first of a set).
    paths : tuple of str
        Every file of the snapshot.
    header : SnapshotHeader
    units : CodeUnits
        Units of the file in those of the package.
    assumptions : tuple of str
        What was assumed because the file does not say.
    """

    def __init__(self, format: str, header: SnapshotHeader, units: CodeUnits, parts: Sequence[Part],
                 total: tuple[int, ...] | None = None, assumptions: Sequence[str] = ()) -> None:  # fmt: skip
        """`total`: the counts that the header declares for all files together, checked against them."""
        counts = tuple(sum(column) for column in zip(*(part.counts for part in parts), strict=True))
        check_total(parts[0].path, counts, total, len(parts))
        self.format = format
        self.header = replace(header, counts=counts)
        self.units = units
        self.assumptions = tuple(assumptions)
        self._parts = tuple(parts)
        self._unusable: dict[tuple[int, str], str | None] = {}

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {t}" for t, n in zip(PARTICLE_TYPES, self.header.counts, strict=True) if n)
        return f"<Snapshot {self.path} ({self.format}): {counts or 'no particles'}>"

    @property
    def path(self) -> str:
        return self._parts[0].path

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(part.path for part in self._parts)

    @property
    def others(self) -> tuple[str, ...]:
        """Names of what the first file holds beside the fields."""
        return self._parts[0].others

    def count(self, ptype: str) -> int:
        """Number of particles of a type in the whole snapshot.

        Raises
        ------
        DomainError
            If `ptype` is not one of "gas", "dark_matter", "disk", "bulge", "stars", "black_holes".
        """
        return self.header.counts[_type_index(ptype)]

    def fields(self, ptype: str) -> tuple[str, ...]:
        """Fields that can be read for a type, stored or derived; empty for a type without particles."""
        return tuple(info.name for info in self.describe(ptype))

    def describe(self, ptype: str) -> tuple[FieldInfo, ...]:
        """Fields that can be read for a type, with their source and stored type."""
        t = _type_index(ptype)
        if not self.header.counts[t]:
            return ()
        found = ((name, self._source(t, name)) for name in FIELDS)
        return tuple(FieldInfo(name, FIELDS[name].unit, *source) for name, source in found if source is not None)

    @cached_property
    def missing(self) -> tuple[MissingField, ...]:
        """What the snapshot lacks or holds without use, and what that prevents."""
        found = []
        for t, ptype in enumerate(PARTICLE_TYPES):
            if self.header.counts[t]:
                lacking = (name for name in FIELDS if self._source(t, name) is None)
                found += [
                    MissingField(ptype, name, self._reason(t, name), _PREVENTS.get(name, ""))
                    for name in lacking
                    if name in _EXPECTED[ptype] or self._is_held(t, name)
                ]
        if not self.header.counts[0]:
            found.append(MissingField("", "gas", "no gas particles", "Compton y and X-ray maps"))
        if not self.header.counts[4]:
            found.append(MissingField("", "stars", "no star particles", "stellar mass maps"))
        if self.header.box_size is None:
            found.append(MissingField("", "box size", "not in the file", "wrapping round the edges of the box"))
        return tuple(found)

    def read(self, ptype: str, fields: str | Sequence[str], *, region: Region | None = None) -> dict[str, NDArray[Any]]:
        """Read whole fields of one particle type.

        Parameters
        ----------
        ptype : str
            "gas", "dark_matter", "disk", "bulge", "stars" or "black_holes".
        fields : str or sequence of str
            Names from `clustermass.data.schema.FIELDS`.
        region : Region, optional
            Keep the particles inside only.

        Returns
        -------
        dict of str to ndarray
            For each field an array of length n, or (n, 3) for positions and velocities; in file order. Float arrays
            have the precision stored; ids are uint64. Empty arrays for a type without particles.

        Raises
        ------
        DomainError, MissingFieldError, FileFormatError

        Notes
        -----
        Memory is the result and 64 MiB. Use `iter_chunks` for what does not fit.
        """
        t, names = self._check_request(ptype, fields, region)
        total = self.header.counts[t]
        if region is None:
            arrays = {name: stream.empty(self._parts, t, name, total) for name in names}
            row = 0
            for chunk in self._stream(t, names, 2**26, None):
                n = len(next(iter(chunk.values())))
                for name, values in chunk.items():
                    arrays[name][row : row + n] = values
                row += n
            return arrays
        pieces = list(self._stream(t, names, 2**26, region))
        if not pieces:
            return {name: stream.empty(self._parts, t, name, 0) for name in names}
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}

    def iter_chunks(
        self, ptype: str, fields: str | Sequence[str], *, byte_budget: int = 256 * 2**20, region: Region | None = None
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Stream fields of one particle type in pieces of bounded size.

        Parameters
        ----------
        ptype, fields, region
            As for `read`.
        byte_budget : int
            Bytes that the arrays of this call may take together, the chunk handed out before included; at least
            1 MiB. An HDF5 chunk larger than this is unpacked whole all the same.

        Yields
        ------
        dict of str to ndarray
            As `read` returns; never empty. Chunks follow each other in file order.

        Raises
        ------
        DomainError, MissingFieldError
            At the call, before anything is read.
        FileFormatError
            While reading: the file is damaged, or a field holds NaN or infinite values.
        """
        t, names = self._check_request(ptype, fields, region)
        budget = _validate.integer(byte_budget, "byte_budget", low=2**20)
        return self._stream(t, names, budget, region)

    def _stream(
        self, t: int, names: tuple[str, ...], budget: int, region: Region | None
    ) -> Iterator[dict[str, NDArray[Any]]]:
        needed = dict.fromkeys((*names, "positions") if region is not None else names)
        for name in names:
            if self._absence(t, name) is not None:
                needed.update(dict.fromkeys(_NEEDS.get(name, ())))
        stored = tuple(name for name in needed if self._absence(t, name) is None)
        plan = stream.Plan(t, names, stored, self.header.mass_table[t], budget, region, self.header.periodic_box)
        for part in self._parts:
            if part.counts[t]:
                yield from stream.iter_part(part, plan)

    def _check_request(
        self, ptype: str, fields: str | Sequence[str], region: Region | None
    ) -> tuple[int, tuple[str, ...]]:
        t = _type_index(ptype)
        names = (fields,) if isinstance(fields, str) else tuple(fields)
        if not names or len(set(names)) != len(names):
            raise DomainError(f"`fields` must name one or more different fields, got {names}")
        for name in (*names, "positions") if region is not None else names:
            _validate.choice(name, "fields", tuple(FIELDS))
            if self.header.counts[t] and self._source(t, name) is None:
                prevents = f"; prevents {_PREVENTS[name]}" if name in _PREVENTS else ""
                raise MissingFieldError(f"{self.path}: {ptype} {name}: {self._reason(t, name)}{prevents}")
        return t, names

    def _source(self, t: int, name: str) -> tuple[str, str] | None:
        """(where a field comes from, stored type); None when it cannot be had."""
        if self._absence(t, name) is None:
            part = next(part for part in self._parts if part.counts[t])
            column = part.columns[t, name]
            return column.label, column.dtype.name
        if name == "masses" and self.header.mass_table[t] > 0:
            return f"header mass table, {self.header.mass_table[t]:.6g} Msun each", "constant"
        if name in _NEEDS and t == 0 and all(self._source(t, need) for need in _NEEDS[name]):
            return f"derived: radius of {stream.N_NEIGHBOURS} particles' mass at the density stored", "derived"
        return None

    def _is_held(self, t: int, name: str) -> bool:
        """Whether the file has something under this name that cannot be used: that is worth telling."""
        return not self._reason(t, name).startswith(("no ", "not in the file", "group "))

    def _reason(self, t: int, name: str) -> str:
        return self._absence(t, name) or "not in the file"

    def _absence(self, t: int, name: str) -> str | None:
        """Why the column cannot be used; None when it can. Looks into the data once, until a usable value turns up."""
        if (t, name) not in self._unusable:
            self._unusable[t, name] = self._find_absence(t, name)
        return self._unusable[t, name]

    def _find_absence(self, t: int, name: str) -> str | None:
        holders = [part for part in self._parts if part.counts[t]]
        if not holders:
            return "no particles of this type"
        lacking = [part for part in holders if (t, name) not in part.columns]
        if lacking:
            reason = lacking[0].reasons.get((t, name), "not in the file")
            return reason if len(lacking) == len(holders) else f"{reason} {lacking[0].path}"
        if name == "formation_scale_factor" and not self.header.is_cosmological:
            return "the run has no expansion: births are times, not scale factors"
        return stream.find_useless(holders, t, name)


def _type_index(ptype: str) -> int:
    return PARTICLE_TYPES.index(_validate.choice(ptype, "ptype", PARTICLE_TYPES))
