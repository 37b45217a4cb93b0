"""Networks on photon counts of eROSITA: the eFEDS report (document 004) and Krippendorf et al. 2024."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..features.erosita import BAND_NAMES
from .map_preset import ARCMIN, MapPreset
from .preset import MakeNetwork, Stage
from .search import TRAINING, Choice, SearchSpace, combinations
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

_REPORT = "Dawar, Mostaan & Kulkarni, lab report on eFEDS simulations"
# 64 % train, 16 % validate, 20 % test; batches and rate are Keras' own, which the report does not change
_REPORT_SETTINGS = TrainingSettings(
    epochs=300, batch_size=32, learning_rate=1e-3, decay=0.0, patience=30, validation_share=0.2, flip=False, seed=42
)
_PUBLISHED = TrainingSettings(epochs=500, batch_size=100, learning_rate=1e-4, decay=0.0, flip=False)
#: Keras' RandomRotation(0.1): a tenth of a full turn to either side; the report says a tenth of 180 degrees
MAX_TURN = 0.1 * 2.0 * math.pi


def _efeds(pixel_angle: float) -> Any:
    from ..features.photons import PhotonObservation

    return PhotonObservation(pixel_angle)


def _preset(name: str, **changes: Any) -> MapPreset:
    given: dict[str, Any] = {
        "source": _REPORT, "inputs": "maps", "settings": _REPORT_SETTINGS, "network": "erosita",
        "options": {"head": "point"}, "channels": BAND_NAMES, "pixels": 50, "pixel_angle": 0.4 * ARCMIN,
        "telescope": _efeds, "fresh_noise": False, "redshift": True, "augment": "turn", "max_turn": MAX_TURN,
        "mass_definition": "M500c",
    }  # fmt: skip
    return MapPreset(name, **(given | changes))


_CNN = _preset("erosita-cnn")

PRESETS = (
    # the report does not describe its first network; this is the smallest of its grid
    _preset("erosita-naive", options={"head": "point", "blocks": 1, "redshift": False}, redshift=False, augment="none"),
    _CNN,
    replace(_CNN, name="erosita-outliers", stages=(Stage("outliers", 60, 1e-4),)),
    replace(_CNN, name="erosita-gaussian", options={"head": "gaussian"}, stages=(Stage("head", 100, 1e-3),)),
    _preset("krippendorf-2024", source="Krippendorf et al. 2024, A&A 682, A132", settings=_PUBLISHED,
            network="krippendorf", options={"head": "gaussian", "transform": "asinh"}, augment="square"),
)  # fmt: skip


def _make_erosita(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.erosita import ErositaCNN

    return _scaled(ErositaCNN, outputs, cells, options)


def _make_krippendorf(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.erosita import KrippendorfCNN

    return _scaled(KrippendorfCNN, outputs, cells, options)


def _scaled(make: Any, outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    """Neither source says how counts are scaled."""
    from ..models.networks.scaled import ScaledImages

    own = {name: value for name, value in options.items() if name != "transform"}
    network = make(channels=cells[0], pixels=cells[1], outputs=outputs, **own)
    return ScaledImages(network, cells[0], options.get("transform", "standard"))


NETWORKS: dict[str, MakeNetwork] = {"erosita": _make_erosita, "krippendorf": _make_krippendorf}

# the grid of the report: all of it, see `architectures`
_GRID = {"filters": (10, 20, 30), "kernel": (3, 5, 7), "blocks": (1, 2, 3), "dense_layers": (1, 2, 3)}
_START = {"filters": 10, "kernel": 3, "blocks": 3, "dense_layers": 1}
SPACES: dict[str, SearchSpace] = {
    "erosita": SearchSpace(
        TRAINING | {name: Choice(values, start=_START[name]) for name, values in _GRID.items()}, combinations(_GRID)
    )
}
