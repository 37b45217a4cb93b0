"""The settings of a generated universe in the record of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....cosmology import Cosmology
from ....errors import ClusterMassError, FileFormatError
from ... import hdf5_tables as tables
from ...universe_file import FORMAT, FORMAT_VERSION
from .settings import UniverseSettings

_NAME = "mock universe"


def settings_record(settings: UniverseSettings) -> dict[str, Any]:
    """The settings as JSON can hold them."""
    return {_NAME: asdict(settings)}


def settings_of(path: str | Path) -> UniverseSettings | None:
    """The settings that made the universe of a file; None if it was not generated here.

    Raises
    ------
    FileFormatError
        If the file is no universe, or its settings cannot be.
    """
    with tables.opened_tables(path, FORMAT, FORMAT_VERSION) as file:
        provenance = tables.read_record(file, str(path)).get("provenance", {})
    found = provenance.get(_NAME) if isinstance(provenance, Mapping) else None
    if found is None:
        return None
    try:
        return UniverseSettings(**{**found, "cosmology": Cosmology(**found["cosmology"])})
    except (TypeError, KeyError, ClusterMassError) as exc:
        raise FileFormatError(f"{path}: the settings of its mock universe cannot be: {exc}") from exc
