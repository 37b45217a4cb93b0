"""The training loop: all members at once, every epoch a function of the seed and the state before it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..errors import DomainError, TrainingError
from ..features.keys import mixed_seed
from .checkpoint import fingerprint_of, read_checkpoint, write_checkpoint
from .members import Members, State, bound_weights, keep_better
from .processes import Processes
from .settings import TrainingSettings

Rows = NDArray[np.int64]
ALONE = Processes()
_ORDER, _FLIP = 1, 2  # what random numbers are for
_EVALUATE = 1024  #: clusters of each member in one pass without gradients


class Inputs(Protocol):
    """Where batches come from; see `training.inputs`."""

    def batch(self, rows: Rows, flip: NDArray[np.bool_], key: int | None = None) -> tuple[torch.Tensor, ...]:
        """Tensors (*rows.shape, ...), as the network takes them; with a `key` for training, augmented by it."""

    def digest(self) -> str:
        """SHA-256 of what batches are made of, so that a checkpoint of other data is not gone on from."""


@dataclass(frozen=True)
class Fold:
    """What one member trains on: rows, and rows that decide when it stops. No host may be in both."""

    train: Rows
    validate: Rows


@dataclass
class History:
    """Losses of each epoch: mean over the clusters of each member."""

    train: list[list[float]] = field(default_factory=list)
    validate: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """What training gives: the state of each member, the epoch it is of, and the losses."""

    states: list[State]
    epochs: list[int]
    history: History


def train_members(
    make: Callable[[], nn.Module],
    inputs: Inputs,
    y: NDArray[np.float32],
    folds: Sequence[Fold],
    settings: TrainingSettings,
    *,
    device: torch.device,
    prepare: Callable[[nn.Module, int], None] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[int, History], None] | None = None,
    processes: Processes = ALONE,
) -> Trained:
    """Train one network for each fold, all in one pass.

    Parameters
    ----------
    make : callable
        Gives a new `MassNetwork`.
    inputs : Inputs
        Where batches come from.
    y : (folds, clusters) float32
        Scaled log masses as each fold sees them.
    folds : sequence of Fold
        One a member.
    settings : TrainingSettings
        The same for all.
    device : torch.device
        That trains.
    prepare : callable, optional
        Called with each new network and the number of its fold, to set what does not train.
    checkpoint : Path, optional
        File that the state is kept in after each epoch. If there is one of the same run, training goes on from it and
        ends with the same bits (on the CPU, with the same number of torch's threads).
    on_epoch : callable, optional
        Called after each epoch with its number and the history.
    processes : Processes
        That share the work, each called with the same arguments. The first writes the checkpoint and calls `on_epoch`;
        all read the checkpoint. The weights are those of one process to rounding, but for the noise of dropout, which
        each process draws for its share.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If a loss is not finite, or another process ends; the checkpoint of the last good epoch stays.
    FileFormatError
        If the checkpoint is of another run.
    """
    if settings.batch_size < processes.size:
        raise DomainError(f"`batch_size` must be at least the number of processes, {processes.size}")
    seeds = [mixed_seed(settings.seed, member) for member in range(len(folds))]
    run = _Run(Members(make, seeds, device, prepare), inputs, y, folds, settings, processes)
    mark = "" if checkpoint is None else _mark(run, y)
    if checkpoint is not None and (found := read_checkpoint(checkpoint, mark)) is not None:
        run.restore(*found)
    _check_together(run)
    while run.epoch < settings.epochs and not run.all_stopped:
        run.one_epoch()
        if checkpoint is not None and processes.leads:
            write_checkpoint(checkpoint, *run.snapshot(), mark)
        if on_epoch is not None and processes.leads:
            on_epoch(run.epoch, run.history)
    return run.result()


def _check_together(run: _Run) -> None:
    """All processes must start from the same epoch, or they would wait for each other for ever."""
    seen = torch.zeros(run.processes.size, dtype=torch.float64, device=run.members.device)
    seen[run.processes.rank] = run.epoch
    run.processes.add_up([seen])
    if (seen != run.epoch).any():
        raise TrainingError(
            f"the processes start from different epochs ({', '.join(str(int(v)) for v in seen)}): "
            "the checkpoint must lie where all of them see it"
        )


def _mark(run: _Run, y: NDArray[np.float32]) -> str:
    """What makes a run what it is: settings, network, clusters, and which of them train and validate."""
    network = {name: list(value.shape) for name, value in run.members.copy_state().items()}
    rows = [(fold.train.tolist(), fold.validate.tolist()) for fold in run.folds]
    return fingerprint_of(
        run.settings.as_dict(), run.members.description, network, y, rows, run.inputs.digest(), torch.__version__
    )


class _Run:
    """Members, optimiser and bookkeeping of a run."""

    def __init__(
        self,
        members: Members,
        inputs: Inputs,
        y: NDArray[np.float32],
        folds: Sequence[Fold],
        settings: TrainingSettings,
        processes: Processes,
    ) -> None:
        self.members, self.inputs, self.folds, self.settings = members, inputs, folds, settings
        self.processes = processes
        self.y = torch.as_tensor(y).to(members.device)
        names = members.parameters
        # weights decay, biases do not
        groups = [
            {"params": [v for v in names.values() if v.ndim > 2], "weight_decay": 2.0 * settings.weight_decay},
            {"params": [v for v in names.values() if v.ndim <= 2], "weight_decay": 0.0},
        ]
        self.optimiser = _optimiser([g for g in groups if g["params"]], settings)
        self.copies = 2 if settings.flip else 1
        longest = max(fold.train.size for fold in folds) * self.copies
        self.steps = max(1, -(-longest // settings.batch_size))
        self.epoch, self.history = 0, History()
        self.best = members.copy_state()
        self.best_loss = np.full(members.n, np.inf)
        self.best_epoch = np.zeros(members.n, np.int64)

    @property
    def all_stopped(self) -> bool:
        patience = self.settings.patience
        return patience is not None and bool((self.epoch - self.best_epoch >= patience).all())

    def one_epoch(self) -> None:
        start = time.perf_counter()
        rows, flips, weights = self._order()
        losses, count = (
            torch.zeros(self.members.n, dtype=torch.float64, device=self.members.device),
            weights.sum(axis=1),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mixed_seed(self.settings.seed, self.epoch, self.processes.rank))
            size = self.settings.batch_size
            for step in range(self.steps):
                part = slice(step * size, (step + 1) * size)
                losses += self._step(step, rows[:, part], flips[:, part], weights[:, part])
        self.processes.add_up([losses])
        total = losses.cpu().numpy()
        self._check(total)
        self.epoch += 1
        self.history.train.append([float(v) for v in total / count])
        held_out = self._validate()
        self.history.validate.append([float(v) for v in held_out])
        better = np.ones(self.members.n, bool)
        if self.settings.patience is not None:  # a member that has stopped stays as it is while others go on
            better = (held_out < self.best_loss) & (self.epoch - 1 - self.best_epoch < self.settings.patience)
        keep_better(self.best, self.members.copy_state(), torch.as_tensor(better))
        self.best_loss = np.where(better, held_out, self.best_loss)
        self.best_epoch[better] = self.epoch
        self.history.seconds.append(time.perf_counter() - start)

    def _step(self, step: int, rows: Rows, flips: NDArray[np.bool_], weights: NDArray[np.float32]) -> torch.Tensor:
        """One step; the sum of the losses of each member over this process's share of the batch."""
        done = self.epoch * self.steps + step
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(done)
        whole = torch.as_tensor(weights.sum(axis=1).clip(min=1.0)).to(self.members.device)  # of all processes
        own = self.processes.share(rows.shape[1])
        rows, flips, weights = rows[:, own], flips[:, own], weights[:, own]
        batch = self.inputs.batch(rows, flips, key=done)
        weight = torch.as_tensor(weights).to(self.members.device)
        target = torch.gather(self.y, 1, torch.as_tensor(rows).to(self.members.device))
        sums = self.members.descend(target, weight, whole, *batch, precision=self._precision)
        self.processes.add_up([v.grad for v in self.members.parameters.values() if v.grad is not None])
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.settings.max_norm is not None:
            bound_weights(self.members.parameters, self.settings.max_norm)
        return sums  # stays on the device: nothing waits for it

    def _rate(self, done: int) -> float:
        settings, whole = self.settings, self.settings.epochs * self.steps
        if settings.schedule == "keras":
            return settings.learning_rate / (1.0 + settings.decay * done)
        rise = max(1, whole // 20)
        return settings.learning_rate * min((done + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * done / whole))

    def _order(self) -> tuple[Rows, NDArray[np.bool_], NDArray[np.float32]]:
        """Rows, mirrors and weights of all steps, (members, steps * batch): padding has weight 0."""
        length = self.steps * self.settings.batch_size
        shape = (self.members.n, length)
        rows, flips, weights = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, np.float32)
        for member, fold in enumerate(self.folds):
            key = [self.settings.seed, mixed_seed(_ORDER, member, self.epoch)]
            order = np.random.Generator(np.random.Philox(key=key)).permutation(fold.train.size * self.copies)
            row, copy = order % fold.train.size, order // fold.train.size
            # members with fewer clusters spread them over all steps
            place = np.arange(order.size) * length // order.size if order.size < length else np.arange(length)
            rows[member] = fold.train[0]
            rows[member, place], flips[member, place], weights[member, place] = fold.train[row], copy == 1, 1.0
        return rows, flips, weights

    def _validate(self) -> NDArray[np.float64]:
        """Mean loss of each member on its validation rows; NaN without any."""
        longest = max(fold.validate.size for fold in self.folds)
        count = np.array([fold.validate.size for fold in self.folds])
        total = torch.zeros(self.members.n, dtype=torch.float64, device=self.members.device)
        most = getattr(self.inputs, "at_once", _EVALUATE)
        for low in range(0, longest, most):
            width = min(most, longest - low)
            rows = np.zeros((self.members.n, width), np.int64)
            weights = np.zeros(rows.shape, np.float32)
            for member, fold in enumerate(self.folds):
                part = fold.validate[low : low + width]
                rows[member, : part.size], weights[member, : part.size] = part, 1.0
            own = self.processes.share(width)
            rows, weights = rows[:, own], weights[:, own]
            if not rows.size:
                continue
            target = torch.gather(self.y, 1, torch.as_tensor(rows).to(self.members.device))
            with torch.no_grad(), self._precision():
                batch = self.inputs.batch(rows, np.zeros(rows.shape, bool))
                losses = self.members.losses(target, *batch, training=False).double()
            total += torch.where(torch.as_tensor(weights).to(self.members.device) > 0, losses, 0.0).sum(1)
        self.processes.add_up([total])
        with np.errstate(invalid="ignore"):
            return np.asarray(total.cpu().numpy() / np.where(count > 0, count, np.nan))

    def _precision(self) -> AbstractContextManager[Any]:
        if self.settings.precision == "float32":
            return nullcontext()
        half: AbstractContextManager[Any] = torch.autocast(self.members.device.type, dtype=torch.bfloat16)
        return half

    def _check(self, total: NDArray[np.float64]) -> None:
        if not np.isfinite(total).all():
            member = int(np.argmax(~np.isfinite(total)))
            raise TrainingError(
                f"the loss of member {member} is {total[member]} in epoch {self.epoch + 1}; "
                "a lower learning rate may help. The checkpoint of the epoch before is kept"
            )

    def snapshot(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and plain values that `restore` goes on from."""
        arrays = {f"now/{k}": v for k, v in self.members.copy_state().items()}
        arrays |= {f"best/{k}": v for k, v in self.best.items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            arrays |= {f"adam/{number}/{k}": v for k, v in state.items()}
        plain = {name: value.cpu().numpy() for name, value in arrays.items()}
        plain |= {"best_loss": self.best_loss, "best_epoch": self.best_epoch}
        history = {"train": self.history.train, "seconds": self.history.seconds}
        validate = [[v if np.isfinite(v) else None for v in row] for row in self.history.validate]
        return plain, {"epoch": self.epoch, **history, "validate": validate}

    def restore(self, arrays: dict[str, NDArray[Any]], progress: dict[str, Any]) -> None:
        parts: dict[str, dict[str, torch.Tensor]] = {"now": {}, "best": {}, "adam": {}}
        for name, value in arrays.items():
            kind, _, rest = name.partition("/")
            if kind in parts:
                parts[kind][rest] = torch.as_tensor(np.array(value)).to(self.members.device)
        self.members.put_state(parts["now"])
        self.best = parts["best"]
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in parts["adam"].items():
            number, _, key = name.partition("/")
            states.setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict({"state": states, "param_groups": self.optimiser.state_dict()["param_groups"]})
        self.best_loss, self.best_epoch = np.array(arrays["best_loss"]), np.array(arrays["best_epoch"])
        self.epoch = int(progress["epoch"])
        validate = [[np.nan if v is None else v for v in row] for row in progress["validate"]]
        self.history = History(progress["train"], validate, progress["seconds"])

    def result(self) -> Trained:
        states = [self.members.of_member(self.best, member) for member in range(self.members.n)]
        return Trained(states, [int(v) for v in self.best_epoch], self.history)


def _optimiser(groups: list[dict[str, Any]], settings: TrainingSettings) -> torch.optim.Optimizer:
    """With the constants of Keras."""
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=settings.learning_rate, alpha=0.9, eps=1e-7)
    return torch.optim.Adam(groups, lr=settings.learning_rate, eps=1e-7, fused=True)
