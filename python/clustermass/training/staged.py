"""Training in stages: a network first, then its worst masses again, or a new head on its frozen trunk.

Document 004 trains for a point, tries to train again where predictions are worst, and gives the finished network a
Gaussian head of which only the last layers learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import DomainError
from .loop import Fold, History, Inputs, Trained, train_members
from .members import State
from .preset import Stage
from .settings import TrainingSettings

Rows = NDArray[np.int64]
MASS_BINS = 10  #: regions of mass among which the bad ones are looked for
_AT_ONCE = 512

#: makes a network with a head of this kind
MakeWithHead = Callable[[str], nn.Module]


def train_stages(
    make: MakeWithHead,
    head: str,
    stages: Sequence[Stage],
    inputs: Inputs,
    y: NDArray[np.float32],
    folds: Sequence[Fold],
    settings: TrainingSettings,
    *,
    checkpoint: Path | None = None,
    **run: Any,
) -> Trained:
    """Train as `train_members`, then stage after stage from what the one before has found.

    Parameters
    ----------
    make : callable
        Gives a new network with a head of a kind ("point", "gaussian" ...).
    head : str
        Of the finished network. With a stage "head" the first training is that of a point.
    stages : sequence of Stage
        "outliers": every weight, on the training clusters of mass bins whose rms residual is above that of all; the
        result is kept where it lowers the validation loss. "head": a new output layer for the head, trained with the
        last hidden layer, everything before frozen.
    inputs, y, folds, settings
        As for `train_members`; a stage has its own learning rate and epochs, at most those of `settings`.
    checkpoint : Path, optional
        Each stage keeps a file of its own: ``checkpoint`` and ``checkpoint.stage1`` ...
    **run
        For `train_members`.

    Returns
    -------
    Trained
        Its history is that of all stages, one after another.

    Raises
    ------
    DomainError
        For a stage "outliers" without validation clusters.
    TrainingError, FileFormatError
    """
    kind = "point" if any(stage.kind == "head" for stage in stages) else head
    found = train_members(partial(make, kind), inputs, y, folds, settings, checkpoint=checkpoint, **run)
    run.pop("prepare", None)  # weights and scales come from the stage before
    for number, stage in enumerate(stages, 1):
        file = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.stage{number}")
        own = replace(settings, epochs=min(stage.epochs, settings.epochs), learning_rate=stage.learning_rate)
        if stage.kind == "outliers":
            if not all(fold.validate.size for fold in folds):
                raise DomainError("a stage 'outliers' needs a `patience`, so that there are validation clusters")
            again = _worst(make(kind), found.states, inputs, y, folds)
            later = train_members(
                _next_of(partial(make, kind), found.states), inputs, y, again, own, checkpoint=file, **run
            )
            found = _better(found, later)
        else:
            kind = head
            later = train_members(
                _next_of(partial(make, kind), found.states, new_output=True), inputs, y, folds, own,
                checkpoint=file, **run,
            )  # fmt: skip
            found = _joined(found, later, later.states, [e + len(found.history.train) for e in later.epochs])
    return found


def freeze(network: nn.Module, names: Sequence[str]) -> None:
    """Make parameters into buffers, so that training leaves them and saving keeps them.

    Parameters
    ----------
    network : Module
        Changed in place.
    names : sequence of str
        Of parameters, as ``named_parameters`` has them.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> freeze(layer, ["weight"])
    >>> [name for name, _ in layer.named_parameters()], sorted(layer.state_dict())
    (['bias'], ['bias', 'weight'])
    """
    for name in names:
        path, _, last = name.rpartition(".")
        part = network.get_submodule(path)
        value = part._parameters.pop(last)  # torch has no public way to turn one into a buffer
        assert value is not None  # a name of named_parameters
        part.register_buffer(last, value.detach())


def bad_masses(y: NDArray[np.floating[Any]], residual: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which clusters lie in bins of mass whose rms residual is above that of all; never none.

    Parameters
    ----------
    y, residual : (n,) array of float
        Scaled log mass, and predicted minus true.

    Examples
    --------
    >>> bad_masses(np.array([-1.0, -0.9, 0.9, 1.0]), np.array([0.1, 0.1, 0.5, 0.3])).tolist()
    [False, False, True, True]
    """
    edges = np.linspace(y.min(), y.max(), MASS_BINS + 1)
    which = np.clip(np.searchsorted(edges, y, side="right") - 1, 0, MASS_BINS - 1)
    count = np.bincount(which, minlength=MASS_BINS)
    mean = np.bincount(which, residual.astype(np.float64) ** 2, MASS_BINS) / np.maximum(count, 1)
    worse = mean > np.mean(residual.astype(np.float64) ** 2)
    if not worse.any():
        worse = mean == mean.max()
    return np.asarray(worse[which])


def _next_of(make: Callable[[], nn.Module], states: Sequence[State], new_output: bool = False) -> Any:
    """Makes the network of each member in turn, with the weights that it has reached."""
    remaining = iter(states)

    def made() -> nn.Module:
        network, state = make(), next(remaining)
        fresh = [name for name in state if new_output and ".output." in f".{name}"]
        network.load_state_dict({k: v for k, v in state.items() if k not in fresh}, strict=not fresh)
        if new_output:
            names = [name for name, _ in network.named_parameters() if name.startswith("trunk.")]
            last = list(dict.fromkeys(name.rpartition(".")[0] for name in names))[-2:]  # last hidden layer, output
            freeze(network, [name for name in names if name.rpartition(".")[0] not in last])
        return network

    return made


def _worst(
    network: nn.Module, states: Sequence[State], inputs: Inputs, y: NDArray[np.float32], folds: Sequence[Fold]
) -> list[Fold]:
    """Folds of the training clusters in bad regions of mass."""
    found = []
    for state, fold, target in zip(states, folds, y, strict=True):
        network.load_state_dict(state)
        network.eval()
        mean = []
        for low in range(0, fold.train.size, _AT_ONCE):
            rows = fold.train[None, low : low + _AT_ONCE]
            with torch.no_grad():
                batch = [part[0].cpu() for part in inputs.batch(rows, np.zeros(rows.shape, bool))]
                mean.append(network.head.mean(network.trunk(*batch)).double().numpy())  # type: ignore[operator]
        chosen = bad_masses(target[fold.train], np.concatenate(mean) - target[fold.train])
        found.append(Fold(fold.train[chosen], fold.validate))
    return found


def _better(before: Trained, after: Trained) -> Trained:
    """The state of each member from that of two trainings which has the lower validation loss."""
    states, epochs = [], []
    for member, (old, new) in enumerate(zip(before.epochs, after.epochs, strict=True)):
        better = after.history.validate[new - 1][member] < before.history.validate[old - 1][member]
        states.append((after if better else before).states[member])
        epochs.append(new + len(before.history.train) if better else old)
    return _joined(before, after, states, epochs)


def _joined(before: Trained, after: Trained, states: list[State], epochs: list[int]) -> Trained:
    a, b = before.history, after.history
    return Trained(states, epochs, History(a.train + b.train, a.validate + b.validate, a.seconds + b.seconds))
