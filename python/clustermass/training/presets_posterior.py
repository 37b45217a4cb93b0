"""Our own networks on galaxies: neural posteriors on grids and on sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .preset import MakeNetwork, Preset
from .search import TRAINING, Choice, SearchSpace, combinations
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

PRESETS = (
    Preset(
        "neural-posterior", "clustermass", "ho2019-2d",
        TrainingSettings(epochs=40, schedule="cosine", patience=10), "cnn-2d",
        {"head": "nsf", "version": "final", "dropout": 0.0},
    ),
    Preset(
        "set-posterior", "clustermass", "galaxies",
        TrainingSettings(epochs=60, batch_size=64, learning_rate=2e-3, schedule="cosine", patience=15,
                         weight_decay=1e-6, subsample=(0.5, 1.0)),
        "set", {"head": "nsf"},
    ),
)  # fmt: skip


def _set(outputs: int, cells: tuple[int, ...], options: dict[str, Any]) -> nn.Module:
    from ..models.networks.sets import SetNetwork

    return SetNetwork(columns=cells[0], outputs=outputs, **options)


NETWORKS: dict[str, MakeNetwork] = {"set": _set}
SPACES = {
    "set": SearchSpace(
        TRAINING | {"width": Choice((32, 64, 96, 128), start=64), "heads": Choice((2, 4, 8), start=4)},
        combinations({"width": (32, 64, 128), "heads": (2, 4, 8)}),
    ),
}
