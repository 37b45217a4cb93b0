"""What a preset is: a learned estimator that can be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

#: makes a network without its head: (numbers that come out, shape of what it sees of a cluster, its options)
MakeNetwork = Callable[[int, tuple[int, ...], dict[str, Any]], "nn.Module"]


@dataclass(frozen=True)
class Stage:
    """A training that follows the first one; see `staged.train_stages`.

    Attributes
    ----------
    kind : {"outliers", "head"}
    epochs : int
    learning_rate : float
    """

    kind: str
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Preset:
    """A learned estimator that can be named; a family with more to say derives from it.

    Attributes
    ----------
    name : str
    source : str
    inputs : str
        Name of a `GridPreset`, ``"galaxies"``, or what the estimator of another family knows.
    settings : TrainingSettings
        As published, where it was.
    network : str
        See `build_network`.
    options : dict
        Of the network: plain values, for JSON.
    stages : tuple of Stage
        What follows the first training.
    """

    name: str
    source: str
    inputs: str
    settings: TrainingSettings
    network: str
    options: dict[str, Any]
    stages: tuple[Stage, ...] = ()
