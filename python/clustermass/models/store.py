"""Files of estimators: their state, what they are, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..data.provenance import versions
from ..errors import DomainError, FileFormatError
from .arrays_file import read_arrays, write_arrays
from .base import Estimator
from .registry import ESTIMATORS, estimator_class

FORMAT = "clustermass-model"
FORMAT_VERSION = 1


def save_estimator(path: str | Path, estimator: Estimator, *, record: Mapping[str, Any] | None = None) -> None:
    """Write an estimator, fitted or not, so that `load_estimator` gives one with the same predictions, bit for bit.

    Parameters
    ----------
    path : str or Path
        The file, replaced whole or not at all; by custom ``.safetensors``.
    estimator : Estimator
        One that `make_estimator` knows by its name.
    record : mapping, optional
        What else to keep, for JSON: hash of the training data, seeds, calibration.

    Raises
    ------
    DomainError
        If the estimator has no registered name, or its state or record is not for JSON.
    MissingDependencyError
        Without safetensors (extra ``ml`` or ``baselines``).

    Examples
    --------
    What it wrote is read by `load_estimator`:

    >>> read_estimator_record("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    if estimator.name not in ESTIMATORS:
        raise DomainError(f"`estimator` must have a registered name, got {estimator.name!r}")
    config, arrays = estimator.state()
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "estimator": estimator.name,
        "config": config,
        "mass_definition": estimator.mass_definition,
        "mass_unit": "log10 Msun, no h",
        "inputs": list(estimator.inputs),
        "source": estimator.source,
        "versions": versions(),
        "record": dict(record or {}),
    }
    write_arrays(path, arrays, about)


def load_estimator(path: str | Path) -> Estimator:
    """Read an estimator that `save_estimator` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Estimator
        With the same predictions, bit for bit.

    Raises
    ------
    FileNotFoundError
    FileFormatError
        If the file is something else, was changed by as little as one bit, is of another version, or holds an
        estimator that this version does not know.
    MissingDependencyError
        Without safetensors (extra ``ml`` or ``baselines``).

    Examples
    --------
    >>> load_estimator("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    about, arrays = _read(path)
    cls, _ = estimator_class(about["estimator"])
    try:
        return cls.from_state(about["config"], arrays)
    except (KeyError, TypeError, ValueError) as exc:
        raise FileFormatError(f"{path}: not the state of {about['estimator']!r}: {exc}") from exc


def read_estimator_record(path: str | Path) -> dict[str, Any]:
    """What a file of an estimator says of itself.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict
        Name and settings of the estimator, units, source, versions, and the `record` given to `save_estimator`.

    Raises
    ------
    FileNotFoundError, FileFormatError, MissingDependencyError
        As `load_estimator`.

    Examples
    --------
    >>> read_estimator_record("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.safetensors
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    about, arrays = read_arrays(path)
    if about.get("format") != FORMAT:
        raise FileFormatError(f"{path}: not a file of an estimator")
    if about.get("format_version") != FORMAT_VERSION:
        raise FileFormatError(f"{path}: version {about.get('format_version')!r} is not {FORMAT_VERSION}")
    if about.get("estimator") not in ESTIMATORS or not isinstance(about.get("config"), dict):
        raise FileFormatError(f"{path}: holds the unknown estimator {about.get('estimator')!r}")
    return about, arrays
