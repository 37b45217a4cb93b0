"""Our own networks on galaxies: neural posteriors on grids and on sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import presets_published
from .galaxy_inputs import GalaxyInputs
from .preset import MakeNetwork, Preset
from .search import TRAINING, Choice, SearchSpace, combinations
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

PRESETS = (
    Preset(
        "neural-posterior", "clustermass", "ho2019-2d",
        TrainingSettings(epochs=40, schedule="cosine", patience=10), "cnn-2d-summary",
        {"head": "nsf", "summary": True, "version": "final", "dropout": 0.0},
    ),
    Preset(
        "set-posterior", "clustermass", "galaxies",
        TrainingSettings(epochs=28, batch_size=64, learning_rate=2e-3, schedule="cosine", weight_decay=1e-5, flip=False,
                         subsample=(0.8, 1.0), exchange=0.04),
        "set", {"head": "spline", "networks": 3},
    ),
)  # fmt: skip
_FEATURES = 16  #: numbers of a grid that are decoded together with the summary


def _set(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.sets import SetNetwork

    return SetNetwork(columns=cells[0], summaries=cells[1], outputs=outputs, **options)


def _cnn2d_summary(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.ho2019 import CNN2D
    from ..models.networks.sets import Summarised

    trunk = CNN2D(outputs=_FEATURES, **{key: value for key, value in options.items() if key != "summary"})
    return Summarised(trunk, _FEATURES, GalaxyInputs.summaries, outputs)


NETWORKS: dict[str, MakeNetwork] = {"set": _set, "cnn-2d-summary": _cnn2d_summary}
SPACES = {
    "set": SearchSpace(
        TRAINING | {"width": Choice((16, 32, 64), start=32), "gates": Choice((16, 32, 64), start=32)},
        combinations({"width": (16, 32, 64), "gates": (16, 32, 64)}),
    ),
    "cnn-2d-summary": presets_published.SPACES["cnn-2d"],
}
