"""Gadget-type HDF5 snapshots: Gadget-2/3/4, GIZMO, AREPO, IllustrisTNG, EAGLE, CAMELS, and cut-outs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np

from ...errors import FileFormatError, TruncatedFileError
from ..schema import FIELDS, N_TYPES
from . import hdf5
from .code_units import INTERNAL_CGS, SCALING_ATTRIBUTES, CodeUnit, Scaling, nominal, scaling_of
from .header import Overrides, RawHeader, check_counts, resolve, six
from .parts import Array, Column, Part, Read, all_files
from .snapshot import Snapshot

#: What each field is called, the preferred name first.
NAMES: dict[str, tuple[str, ...]] = {
    "positions": ("Coordinates",),
    "velocities": ("Velocities", "Velocity"),
    "masses": ("Masses", "Mass"),
    "ids": ("ParticleIDs",),
    "internal_energy": ("InternalEnergy",),
    "density": ("Density",),
    "electron_abundance": ("ElectronAbundance",),
    "smoothing_length": ("SmoothingLength", "SubfindHsml"),
    "metallicity": ("GFM_Metallicity", "Metallicity", "SmoothedMetallicity"),
    "star_formation_rate": ("StarFormationRate",),
    "temperature": ("Temperature",),
    "formation_scale_factor": ("GFM_StellarFormationTime", "StellarFormationTime"),
}
#: Fields that mean something for some types only.
TYPES_OF = {
    **dict.fromkeys(("internal_energy", "density", "electron_abundance", "star_formation_rate", "temperature"), (0,)),
    "smoothing_length": (0,),
    "metallicity": (0, 4),
    "formation_scale_factor": (4,),
}

_UNIT_NAMES = {
    "length": ("UnitLength_in_cm", "UnitLength_In_CGS"),
    "mass": ("UnitMass_in_g", "UnitMass_In_CGS"),
    "velocity": ("UnitVelocity_in_cm_per_s", "UnitVelocity_In_CGS"),
}


@dataclass(frozen=True)
class Hdf5Part(Part):
    """One HDF5 file."""

    @contextmanager
    def open(self) -> Iterator[Read]:
        with hdf5.opened(self.path) as file:
            found: dict[str, h5py.Dataset] = {}

            def read(column: Column, start: int, stop: int) -> Array:
                with hdf5.translated(self.path, column.label):
                    if column.key not in found:
                        found[column.key] = file[column.key]
                    data = found[column.key]
                    out = np.empty((stop - start, *data.shape[1:]), column.dtype)
                    data.read_direct(out, np.s_[start:stop])
                    return out

            yield read


def groups_of(file: h5py.File, path: str, names: tuple[str, ...] = ("Header", "Parameters")) -> list[h5py.Group]:
    """Those of the named groups that are there."""
    found = [hdf5.member(file, name, path) for name in names]
    return [group for group in found if isinstance(group, h5py.Group)]


def first_number(groups: list[h5py.Group], names: str | tuple[str, ...], path: str) -> float | None:
    """The first attribute of these names, looked for group after group."""
    values = (hdf5.number(group, names, path) for group in groups)
    return next((value for value in values if value is not None), None)


def first_positive(groups: list[h5py.Group], names: str | tuple[str, ...], path: str) -> float | None:
    """As `first_number`, passing over the zeros of careless headers."""
    values = (hdf5.number(group, names, path) for group in groups)
    return next((value for value in values if value is not None and value > 0), None)


def cosmology_of(groups: list[h5py.Group], path: str) -> dict[str, Any]:
    """Entries of `RawHeader` that snapshots and group catalogues share."""
    comoving = first_number(groups, "ComovingIntegrationOn", path)
    periodic = first_number(groups, "PeriodicBoundariesOn", path)
    return {
        "time": first_number(groups[:1], "Time", path),
        "redshift": first_number(groups[:1], "Redshift", path),
        "scale_factor": first_number(groups[:1], "ExpansionFactor", path),
        "box_size": first_positive(groups, "BoxSize", path),
        "omega_m": first_positive(groups, ("Omega0", "Omega_Matter", "OmegaMatter"), path),
        "omega_lambda": first_number(groups, ("OmegaLambda", "Omega_Lambda"), path),
        "h": first_positive(groups, "HubbleParam", path),
        "is_comoving": None if comoving is None else bool(comoving),
        "is_periodic": None if periodic is None else bool(periodic),
    }


def stored_units(file: h5py.File, path: str) -> dict[str, CodeUnit]:
    """Units that the Header, Units or Parameters group states; those of the Gadget family go with 1/h."""
    found: dict[str, CodeUnit] = {}
    for name in ("Header", "Units", "Parameters"):
        group = hdf5.member(file, name, path)
        for kind, names in _UNIT_NAMES.items():
            size = hdf5.number(group, names, path) if isinstance(group, h5py.Group) else None
            if kind not in found and size is not None and size > 0:
                check_unit(size, f"{name} group, unit of {kind}", path)
                h_power = 0.0 if kind == "velocity" else -1.0
                found[kind] = CodeUnit(nominal(size / INTERNAL_CGS[kind]), h_power, f"{name} group")
    return found


def check_unit(size: float, what: str, path: str) -> None:
    """Refuse units whose powers would overflow: damage, or a lie."""
    if not 1e-60 < size < 1e80:
        raise FileFormatError(f"{path}: {what} must be 1e-60 to 1e+80 in cgs, got {size:g}")


def scaling_at(data: h5py.Dataset, path: str) -> Scaling | None:
    """What a dataset's attributes say about its unit."""
    values = {name: hdf5.number(data, name, path) for name in SCALING_ATTRIBUTES}
    scaling = scaling_of({name: value for name, value in values.items() if value is not None})
    if scaling is not None:
        check_unit(scaling.to_cgs, f"{data.name}, unit", path)
        if max(abs(scaling.a_power), abs(scaling.h_power)) > 10:
            raise FileFormatError(f"{path}: {data.name} scales with a^{scaling.a_power:g} h^{scaling.h_power:g}")
    return scaling


def units_from_datasets(file: h5py.File, path: str) -> dict[str, CodeUnit]:
    """Units that the attributes of the datasets state, for the box and the mass table of files without others."""
    found: dict[str, CodeUnit] = {}
    for kind, field in (("length", "positions"), ("mass", "masses"), ("velocity", "velocities")):
        for t in range(N_TYPES):
            for name in NAMES[field]:
                data = hdf5.member(file, f"PartType{t}/{name}", path)
                scaling = scaling_at(data, path) if isinstance(data, h5py.Dataset) else None
                if scaling is not None and kind not in found:
                    size = nominal(scaling.to_cgs / INTERNAL_CGS[kind])
                    found[kind] = CodeUnit(size, scaling.h_power, f"attributes of {field}")
    return found


def count_particles(file: h5py.File, path: str) -> tuple[int, ...]:
    """Particles of each type in this file; from the datasets where the header does not say."""
    header = hdf5.member(file, "Header", path)
    stated = hdf5.integers(header, "NumPart_ThisFile", path)
    if stated is not None:
        counts: tuple[int, ...] = six(stated, path, "NumPart_ThisFile")
    else:
        counts = tuple(_rows_of_type(file, t, path) for t in range(N_TYPES))
    check_counts(counts, path)
    return counts


def _rows_of_type(file: h5py.File, t: int, path: str) -> int:
    for names in NAMES.values():
        for name in names:
            data = hdf5.dataset(file, f"PartType{t}/{name}", path)
            if data is not None:
                return int(data.shape[0])
    return 0


def total_of(header: h5py.Group | None, path: str) -> tuple[int, ...] | None:
    """NumPart_Total with its high words (absent in Gadget-4, whose totals have 64 bits)."""
    low = hdf5.integers(header, "NumPart_Total", path)
    if low is None:
        return None
    high = hdf5.integers(header, "NumPart_Total_HighWord", path) or (0,) * len(low)
    if any(high) and any(n >= 2**32 for n in low):
        high = (0,) * len(low)
    low6, high6 = six(low, path, "NumPart_Total"), six(high, path, "NumPart_Total_HighWord")
    # some codes keep the low words in signed integers
    return tuple((n % 2**32 if n < 0 else n) + (h << 32) for n, h in zip(low6, high6, strict=True))


def column_for(
    file: h5py.File, path: str, t: int, field: str, names: tuple[str, ...], rows: int
) -> tuple[Column, Scaling | None] | None:
    """The column of a field and what its attributes say; None when no dataset of these names is there."""
    for name in names:
        label = f"PartType{t}/{name}"
        data = hdf5.dataset(file, label, path)
        if data is None:
            continue
        with hdf5.translated(path, label):
            column = _column(data, label, field, rows, path)
        return column, scaling_at(data, path)
    return None


def _column(data: h5py.Dataset, label: str, field: str, rows: int, path: str) -> Column:
    n, components = int(data.shape[0]), int(data.shape[1]) if data.ndim == 2 else 1
    if n < rows:
        raise TruncatedFileError(f"{path}: header declares {rows} particles, {label} holds {n}")
    if n > rows:
        raise FileFormatError(f"{path}: header declares {rows} particles, {label} holds {n}")
    width = FIELDS[field].width
    # GIZMO and SIMBA store the total metallicity first and the elements after it
    pick = 0 if data.ndim == 2 and (field == "metallicity" or (width, components) == (1, 1)) else None
    if pick is None and (components != width or (width > 1) != (data.ndim == 2)):
        raise FileFormatError(f"{path}: {label} must have {width} values a particle, got shape {data.shape}")
    kinds = "iu" if field == "ids" else "f"
    if data.dtype.kind not in kinds:
        wanted = "integers" if field == "ids" else "floats"
        raise FileFormatError(f"{path}: {label} must hold {wanted}, got {data.dtype}")
    chunk = data.chunks[0] if data.chunks else 1
    return Column(label, n, data.dtype.newbyteorder("="), chunk_rows=int(chunk), pick=pick, width=components, key=label)


#: (field, what the dataset's attributes say) -> stored to internal.
Factor = Callable[[str, Scaling | None], float]


def make_part(file: h5py.File, path: str, names: Mapping[str, tuple[str, ...]], factor: Factor) -> Hdf5Part:
    """The columns of one file."""
    counts = count_particles(file, path)
    columns: dict[tuple[int, str], Column] = {}
    reasons: dict[tuple[int, str], str] = {}
    others: list[str] = []
    for t in range(N_TYPES):
        if not counts[t]:
            _check_no_rows(file, t, path)
            continue
        present = hdf5.names_in(file, f"PartType{t}", path)
        if not present:
            reasons.update({(t, field): f"group PartType{t} is not in the file" for field in FIELDS})
        used = set()
        for field, candidates in names.items():
            if t not in TYPES_OF.get(field, range(N_TYPES)):
                continue
            found = column_for(file, path, t, field, candidates, counts[t])
            if found is None:
                reasons.setdefault((t, field), f"no dataset PartType{t}/{candidates[0]}")
                continue
            column, scaling = found
            used.add(column.label.split("/")[1])
            columns[t, field] = replace(column, factor=factor(field, scaling))
        others += [f"PartType{t}/{name}" for name in present if name not in used]
    return Hdf5Part(path, counts, columns, reasons, tuple(others))


def _check_no_rows(file: h5py.File, t: int, path: str) -> None:
    """A header that forgets particles must not make them vanish."""
    if n := _rows_of_type(file, t, path):
        raise FileFormatError(f"{path}: header declares no particles of type {t}, group PartType{t} holds {n}")


_MADE_OF = {"positions": "l", "velocities": "v", "masses": "m", "internal_energy": "v", "density": "lm",
            "smoothing_length": "l"}  # fmt: skip


def is_restated(field: str, over: Overrides) -> bool:
    """Whether the caller stated a unit that this field is made of, so that its attributes no longer hold."""
    stated = {kind[0] for kind in INTERNAL_CGS if over.unit(kind) is not None}
    return bool(stated & set(_MADE_OF.get(field, "")))


def open_gadget_hdf5(path: str, over: Overrides) -> Snapshot:
    """A snapshot of the Gadget family."""
    notes: list[str] = []
    with hdf5.opened(path) as file:
        head = groups_of(file, path, ("Header",))
        shared = cosmology_of(groups_of(file, path), path)
        n_files = int(first_number(head, "NumFilesPerSnapshot", path) or 1)
        table = hdf5.numbers(head[0] if head else None, "MassTable", path) or (0.0,)
        total = total_of(head[0] if head else None, path)
        units = units_from_datasets(file, path) | stored_units(file, path)
    paths = all_files(path, n_files)
    masses = six([float(m) for m in table], path, "MassTable")
    raw = RawHeader(mass_table=masses, particles=total or (0,) * N_TYPES, **shared)
    header, code_units = resolve(raw, over, units, path, notes)

    def factor(field: str, scaling: Scaling | None) -> float:
        if scaling is None or is_restated(field, over):
            return code_units.factor(field)
        return code_units.factor_from(field, scaling)

    parts = []
    for name in paths:
        with hdf5.opened(name) as file:
            check_same_snapshot(file, name, path, raw.time)
            parts.append(make_part(file, name, NAMES, factor))
    return Snapshot("gadget_hdf5", header, code_units, parts, total, notes)


def check_same_snapshot(file: h5py.File, name: str, first: str, time: float | None) -> None:
    own = first_number(groups_of(file, name, ("Header",)), "Time", name)
    if time is not None and own is not None and own != time:
        raise FileFormatError(f"{name}: has Time {own:g}, its set begins with {first} at Time {time:g}")
