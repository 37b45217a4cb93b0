"""How a network is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .. import _validate as check
from ..errors import DomainError

SCHEDULES = ("keras", "cosine")
PRECISIONS = ("float32", "bfloat16")
OPTIMISERS = ("adam", "rmsprop")


@dataclass(frozen=True)
class TrainingSettings:
    """Numbers of a training run; each preset has its own.

    Parameters
    ----------
    epochs : int
        Passes over the training clusters, at most.
    batch_size : int
        Clusters a step, of each member.
    learning_rate : float
        Of the optimiser, at the start.
    optimiser : {"adam", "rmsprop"}
        As in Keras: RMSprop with a memory of 0.9.
    schedule : {"keras", "cosine"}
        ``learning_rate / (1 + decay t)`` at step t; or falling to zero like a cosine over `epochs`, after a
        twentieth of them of linear rise.
    decay : float
        Of the schedule "keras".
    weight_decay : float
        Factor of the sum of squared weights (not biases) in the loss.
    max_norm : float, optional
        Bound on the norm of the weights that lead from one input (dense) or one channel (convolution) into a unit, but
        for the last layer's: the constraint of Keras, along its axis 0.
    patience : int, optional
        Epochs without a lower loss on the validation clusters until a member stops; its best state is kept, however
        long others go on. None: the state after the last epoch.
    validation_share : float
        Hosts that validate instead of training, if there is a `patience`.
    flip : bool
        Train on each cluster and on its mirror image in velocity.
    subsample : (float, float), optional
        Share of a cluster's galaxies that a step sees, uniform between the two, drawn anew each time. Needs inputs that
        are made on the fly.
    exchange : float
        dex: in training each cluster gets the interlopers of another of the same fold, whose true mass is within this.
        0: its own. For networks that see galaxies, on catalogues that know members. Hosts that validate for a
        `patience` lend theirs too.
    precision : {"float32", "bfloat16"}
        Of the network's inner products; weights and sums stay float32.
    seed : int
        Of weights, order, dropout and augmentation.

    Raises
    ------
    DomainError, DTypeError

    Examples
    --------
    >>> TrainingSettings(epochs=3).epochs
    3
    """

    epochs: int = 20
    batch_size: int = 50
    learning_rate: float = 1e-3
    optimiser: str = "adam"
    schedule: str = "keras"
    decay: float = 1e-6
    weight_decay: float = 0.0
    max_norm: float | None = None
    patience: int | None = None
    validation_share: float = 0.1
    flip: bool = True
    subsample: tuple[float, float] | None = None
    exchange: float = 0.0
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check.integer(self.epochs, "epochs", low=1)
        check.integer(self.batch_size, "batch_size", low=1)
        check.number(self.learning_rate, "learning_rate", above=0)
        check.choice(self.optimiser, "optimiser", OPTIMISERS)
        check.choice(self.schedule, "schedule", SCHEDULES)
        check.number(self.decay, "decay", low=0)
        check.number(self.weight_decay, "weight_decay", low=0)
        if self.max_norm is not None:
            check.number(self.max_norm, "max_norm", above=0)
        if self.patience is not None:
            check.integer(self.patience, "patience", low=1)
        check.number(self.validation_share, "validation_share", above=0, high=0.5)
        if self.subsample is not None:
            low, high = self.subsample
            object.__setattr__(self, "subsample", (float(low), float(high)))
            if not 0 < low <= high <= 1:
                raise DomainError(f"`subsample` must be (low, high) with 0 < low <= high <= 1, got {self.subsample}")
        check.number(self.exchange, "exchange", low=0)
        check.choice(self.precision, "precision", PRECISIONS)
        check.seed(self.seed)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; ``TrainingSettings(**values)`` gives it back."""
        return asdict(self)
