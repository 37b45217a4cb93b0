"""Published networks on galaxies: Ho et al. 2019 and 2021, Kodi Ramanah et al. 2020 and 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .preset import MakeNetwork, Preset
from .search import TRAINING, Choice, Range, SearchSpace, combinations
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

_HO2019 = TrainingSettings(max_norm=3.0)
_HO2021 = TrainingSettings(weight_decay=1e-4, decay=0.0)

PRESETS = (
    Preset("cnn-1d", "Ho et al. 2019, ApJ 887, 25 (arXiv v1)", "ho2019-1d", _HO2019, "cnn-1d", {"head": "point"}),
    Preset("cnn-2d", "Ho et al. 2019, ApJ 887, 25 (arXiv v1)", "ho2019-2d", _HO2019, "cnn-2d", {"head": "point"}),
    Preset(
        "cnn-1d-final", "Ho et al. 2019, ApJ 887, 25", "ho2019-1d", _HO2019, "cnn-1d",
        {"head": "point", "version": "final"},
    ),
    Preset(
        "cnn-2d-final", "Ho et al. 2019, ApJ 887, 25", "ho2019-2d", _HO2019, "cnn-2d",
        {"head": "point", "version": "final"},
    ),
    Preset(
        "bayesian-cnn", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
        {"head": "gaussian", "version": "final", "dropout": 0.0},
    ),
    Preset(
        "bayesian-cnn-binned", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
        {"head": "binned", "version": "final", "dropout": 0.0},
    ),
    Preset(
        "bayesian-cnn-dropout", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
        {"head": "gaussian", "version": "final", "dropout": 0.1, "passes": 50},
    ),
    Preset(
        "neural-flow", "Kodi Ramanah et al. 2020, MNRAS 499, 1985", "ho2019-2d",
        TrainingSettings(epochs=30, schedule="cosine", patience=10), "cnn-2d", {"head": "maf", "dropout": 0.25},
    ),
    Preset(
        "cnn-3d", "Kodi Ramanah et al. 2021, MNRAS 501, 4080", "kodi-ramanah-2021",
        TrainingSettings(epochs=100, batch_size=100, learning_rate=5e-5, decay=0.0, patience=10, flip=False),
        "cnn-3d", {"head": "point"},
    ),
)  # fmt: skip


def _cnn_1d(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.ho2019 import CNN1D

    return CNN1D(outputs=outputs, **options)


def _cnn_2d(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.ho2019 import CNN2D

    return CNN2D(outputs=outputs, **options)


def _cnn_3d(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.cnn3d import CNN3D

    return CNN3D(outputs=outputs, **options)


NETWORKS: dict[str, MakeNetwork] = {"cnn-1d": _cnn_1d, "cnn-2d": _cnn_2d, "cnn-3d": _cnn_3d}

_HO: dict[str, Range | Choice] = TRAINING | {
    "dropout": Range(0.0, 0.5, start=0.25),
    "units": Choice(((64, 32), (128, 64), (256, 128)), start=(128, 64)),
}
_HO_GRID: dict[str, tuple[Any, ...]] = {"units": ((64, 32), (128, 64), (256, 128)), "dropout": (0.0, 0.25)}
_FILTERS_1D, _FILTERS_2D = ((5, 3), (10, 5), (24, 10)), ((12, 5), (24, 10), (48, 20))
SPACES = {
    "cnn-1d": SearchSpace(
        _HO | {"filters": Choice(_FILTERS_1D, start=(10, 5))}, combinations(_HO_GRID | {"filters": _FILTERS_1D})
    ),
    "cnn-2d": SearchSpace(
        _HO | {"filters": Choice(_FILTERS_2D, start=(24, 10))}, combinations(_HO_GRID | {"filters": _FILTERS_2D})
    ),
}
