"""The table that evaluations read: what an estimator said of each observation, beside the truth; and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data import hdf5_tables as tables
from ..data.readers import hdf5
from ..errors import ArrayError, BadInputError, FileFormatError
from ..models.posterior import FLAGS, MASS_DEFINITIONS

FORMAT = "clustermass-predictions"
FORMAT_VERSION = 1
QUOTED = (14.0, 15.0)  #: log10 M200c [Msun/h] between which Ho et al. 2019 quote their statistics, both excluded

#: column -> (type, unit); one entry an observation
COLUMNS: dict[str, tuple[Any, str]] = {
    "host_id": (np.int64, ""),
    "view": (np.int64, ""),
    "fold": (np.int64, ""),
    "log10_m200c": (np.float64, "dex(solMass)"),
    "log10_true": (np.float64, "dex(solMass)"),
    "richness": (np.int64, ""),
    "redshift": (np.float64, ""),
    "purity": (np.float64, ""),
    "log10_mass": (np.float64, "dex(solMass)"),
    "lower": (np.float64, "dex(solMass)"),
    "upper": (np.float64, "dex(solMass)"),
    "pit": (np.float64, ""),
    "tarp": (np.float64, ""),
    "flags": (np.uint32, ""),
    "is_test": (np.bool_, ""),
    "is_flat": (np.bool_, ""),
}
_KNOWN = ("host_id", "view", "fold", "log10_m200c", "log10_true", "richness", "redshift")  # finite in every row


@dataclass(frozen=True)
class Predictions:
    """Predictions of one estimator, one row an observation of a cluster, each by a model that never saw its host.

    Attributes
    ----------
    estimator, kind, mass_definition : str
        Name of the estimator; kind of observations (``"pure"``, ``"contaminated"``); what `log10_mass` is.
    h : float
        Of the cosmology, to count in Msun/h where publications do.
    host_id, view, fold : (n,) int64
    log10_m200c, log10_true : (n,) float64
        True log10 M200c, and the true mass in the estimator's definition [Msun, no h]; equal for ``"M200c"``.
    richness : (n,) int64
        Galaxies of the observation.
    redshift, purity : (n,) float64
        Purity is the share of members among the galaxies; NaN without galaxies.
    log10_mass, lower, upper : (n,) float64
        Estimate and ends of its central 68.3 % interval [log10 Msun, no h]; NaN where there is none.
    pit : (n,) float64
        Probability that the posterior gives to masses below the true one.
    tarp : (n,) float64
        Probability that it gives to masses nearer than the true one to a random mass (`tarp_values`).
    flags : (n,) uint32
        `FLAGS` of `MassPosterior`.
    is_test, is_flat : (n,) bool
        Test selection, on which residuals are quoted; flat mass function, on which calibration is tested, since the
        posterior of an estimator that learnt from a flat mass function is meant for one.
    record : dict
        Settings and provenance.
    """

    estimator: str
    kind: str
    mass_definition: str
    h: float
    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    fold: NDArray[np.int64]
    log10_m200c: NDArray[np.float64]
    log10_true: NDArray[np.float64]
    richness: NDArray[np.int64]
    redshift: NDArray[np.float64]
    purity: NDArray[np.float64]
    log10_mass: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    pit: NDArray[np.float64]
    tarp: NDArray[np.float64]
    flags: NDArray[np.uint32]
    is_test: NDArray[np.bool_]
    is_flat: NDArray[np.bool_]
    record: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check.choice(self.mass_definition, "mass_definition", MASS_DEFINITIONS)
        check.number(self.h, "h", above=0)
        n = np.size(self.host_id)
        for name, (dtype, _) in COLUMNS.items():
            values = np.asarray(getattr(self, name))
            if values.shape != (n,):
                raise ArrayError(f"`{name}` must have shape ({n},), got {values.shape}")
            object.__setattr__(self, name, values.astype(dtype, copy=False))
        for name in _KNOWN:
            check.check_finite(getattr(self, name).astype(np.float64), name)
        lost = np.isnan(self.log10_mass) & ((self.flags & ~np.uint32(FLAGS["no_interval"])) == 0)
        if lost.any() or np.isinf(self.log10_mass).any():
            row = int(np.argmax(lost | np.isinf(self.log10_mass)))
            raise BadInputError(f"`log10_mass` must be finite, or NaN with a flag that says why, got row {row}")

    def __len__(self) -> int:
        return int(self.host_id.size)

    @property
    def name(self) -> str:
        """Estimator and kind, as tables and files say: ``m-sigma (pure)``."""
        return label_of(self.estimator, self.kind)

    @property
    def log10_m200c_h(self) -> NDArray[np.float64]:
        """True log10 M200c [Msun/h]."""
        return np.asarray(self.log10_m200c + np.log10(self.h))

    @property
    def is_quoted(self) -> NDArray[np.bool_]:
        """Test rows inside `QUOTED` that have an estimate: those that statistics are made of."""
        return self.is_wanted & np.isfinite(self.log10_mass)

    @property
    def is_wanted(self) -> NDArray[np.bool_]:
        """Test rows inside `QUOTED`, with an estimate or without."""
        mass = self.log10_m200c_h
        return np.asarray(self.is_test & (mass > QUOTED[0]) & (mass < QUOTED[1]))

    @property
    def epsilon(self) -> NDArray[np.float64]:
        """log10(M_pred / M_true) [dex]; NaN without an estimate."""
        return np.asarray(self.log10_mass - self.log10_true)

    def only(self, rows: Any) -> Predictions:
        """Some rows (slice, index array or mask)."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **columns)


def label_of(estimator: str, kind: str) -> str:
    """Name of an estimator as tables print it; contaminated observations are the rule and not named."""
    return estimator if kind == "contaminated" else f"{estimator} ({kind})"


def join_predictions(parts: Sequence[Predictions]) -> Predictions:
    """The rows of several tables of one estimator, in order of fold, host and view."""
    if not parts:
        raise ArrayError("`parts` must hold at least one table")
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    joined = replace(parts[0], **columns)
    return joined.only(np.lexsort((joined.view, joined.host_id, joined.fold)))


def write_predictions(
    path: str | Path, predictions: Predictions, *, extra: Mapping[str, Mapping[str, NDArray[Any]]] | None = None
) -> None:
    """Write a table, and further tables of numbers by name; the file appears whole or not at all."""
    with tables.create_tables(path, FORMAT, FORMAT_VERSION) as file:
        for name in ("estimator", "kind", "mass_definition"):
            file.attrs[name] = np.bytes_(getattr(predictions, name))
        file.attrs["h"] = predictions.h
        file.attrs["convention"] = np.bytes_("epsilon = log10(M_pred / M_true); masses log10 Msun, no h")
        for name, (dtype, unit) in COLUMNS.items():
            tables.write_column(file, f"predictions/{name}", getattr(predictions, name).astype(dtype), unit)
        for table, columns in (extra or {}).items():
            for name, values in columns.items():
                tables.write_column(file, f"{table}/{name}", values)
        tables.write_record(file, predictions.record)


def read_predictions(path: str | Path) -> tuple[Predictions, dict[str, dict[str, NDArray[Any]]]]:
    """Read what `write_predictions` wrote: the table, and the further ones by name.

    Parameters
    ----------
    path : str or Path
        The HDF5 file, one of the folder ``predictions`` that ``clustermass evaluate`` makes.

    Returns
    -------
    Predictions, dict
        The table; and columns by name of further tables by name.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, damaged or not complete.

    Examples
    --------
    >>> read_predictions("nowhere.hdf5")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.hdf5
    """
    name = str(path)
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        about: dict[str, Any] = {
            key: str(hdf5.attribute(file, key, name) or "") for key in ("estimator", "kind", "mass_definition")
        }
        h = hdf5.number(file, "h", name)
        if h is None:
            raise FileFormatError(f"{name}: attribute h is missing")
        about |= {key: tables.require_column(file, f"predictions/{key}", name) for key in COLUMNS}
        found = Predictions(**about, h=float(h), record=tables.read_record(file, name))
        extra: dict[str, dict[str, NDArray[Any]]] = {}
        for group in sorted(set(file) - {"predictions", "record"}):
            link = file.get(group, getlink=True)
            if not isinstance(link, h5py.HardLink) or file.get(group, getclass=True) is not h5py.Group:
                raise FileFormatError(f"{name}: {group} must be a group of columns")
            keys = sorted(file[group])
            extra[group] = {key: tables.require_column(file, f"{group}/{key}", name) for key in keys}
    return found, extra
