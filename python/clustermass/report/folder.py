"""The folder of an evaluation: one file of predictions for each estimator and kind, and what they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.atomic import atomic_path
from ..errors import FileFormatError
from ..evaluation.predictions import Predictions, read_predictions
from ..evaluation.robustness import SubsampleTable, VelocityErrorTable

PREDICTIONS = "predictions"
MAPS, JOINT = "maps", "joint"  #: kinds of predictions that were made from images, and from galaxies and images


@dataclass(frozen=True)
class Evaluated:
    """What one file of predictions holds."""

    path: Path
    predictions: Predictions
    subsamples: SubsampleTable
    velocity_errors: VelocityErrorTable


def predictions_path(folder: Path, estimator: str, kind: str) -> Path:
    """Where the predictions of an estimator lie."""
    return folder / PREDICTIONS / f"{estimator}-{kind}.hdf5"


def read_evaluated(path: Path) -> Evaluated:
    """One file of predictions, with its tables of robustness; those that saw maps have none."""
    predictions, extra = read_predictions(path)
    if predictions.kind in (MAPS, JOINT):
        return Evaluated(path, predictions, SubsampleTable.empty(), VelocityErrorTable.empty())
    try:
        return Evaluated(
            path,
            predictions,
            SubsampleTable(**extra["subsamples"]),
            VelocityErrorTable(**extra["velocity_errors"]),
        )
    except (KeyError, TypeError) as exc:
        raise FileFormatError(f"{path}: lacks the tables of robustness: {exc}") from exc


def read_folder(folder: Path) -> list[Evaluated]:
    """All predictions in a folder: pure observations first, maps last, then by name.

    Raises
    ------
    FileNotFoundError
        If there is no folder, or no predictions in it.
    FileFormatError
        If a file is damaged, or two of galaxies, or two of maps, were made from different data.
    """
    paths = sorted((folder / PREDICTIONS).glob("*.hdf5"))
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise FileNotFoundError(f"there are no predictions in {folder / PREDICTIONS}: run `clustermass evaluate` first")
    found = [read_evaluated(path) for path in paths]
    first: dict[str, Evaluated] = {}
    for item in found:
        kind = item.predictions.kind
        other = first.setdefault("maps" if kind in (MAPS, JOINT) else "galaxies", item)
        if input_hash(item) != input_hash(other):
            raise FileFormatError(
                f"{item.path} and {other.path} were made from different catalogues: evaluate one of them again, or "
                "use another folder"
            )
    kinds = {"pure": 0, "contaminated": 1, MAPS: 2, JOINT: 3}
    return sorted(found, key=lambda item: (kinds.get(item.predictions.kind, 4), item.predictions.estimator))


def input_hash(item: Evaluated) -> str:
    """SHA-256 of the catalogue that predictions were made from; of the maps where there are galaxies and maps."""
    inputs = item.predictions.record.get("inputs") or [{}]
    return str(inputs[-1 if item.predictions.kind == JOINT else 0].get("sha256", ""))


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """A JSON file, whole or not at all; NaN becomes null."""
    text = json.dumps(_plain(value), indent=1, sort_keys=False, allow_nan=False)
    with atomic_path(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
