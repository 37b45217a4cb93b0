"""What a search for better settings may change, for each family of networks: names, ranges, finite grids."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..errors import DomainError
from .preset import Preset
from .settings import TrainingSettings

_SETTINGS = {field.name for field in fields(TrainingSettings)}


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, whole ones if both ends are.

    Parameters
    ----------
    low, high : float
        Both included.
    log : bool
        Even in the logarithm.
    start : float, optional
        Value of the network where a preset does not name it.

    Raises
    ------
    DomainError

    Examples
    --------
    >>> Range(1e-4, 1e-2, log=True).holds(1e-3)
    True
    """

    low: float
    high: float
    log: bool = False
    start: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise DomainError(f"a range needs low < high, above 0 if log, got {self.low} to {self.high}")

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def suggest(self, trial: Any, name: str) -> Any:
        """A value that the search wants to see tried."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def label(self, value: Any) -> Any:
        """The value as it is kept in the journal."""
        return value


@dataclass(frozen=True)
class Choice:
    """One of some values: numbers, words, or tuples of them.

    Parameters
    ----------
    values : tuple
    start : optional
        Value of the network where a preset does not name it.

    Examples
    --------
    >>> Choice(((24, 10), (48, 24))).label((24, 10))
    '24,10'
    """

    values: tuple[Any, ...]
    start: Any = None

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return self.plain(value) in self.values

    def suggest(self, trial: Any, name: str) -> Any:
        """A value that the search wants to see tried."""
        known = {self.label(value): value for value in self.values}
        return known[trial.suggest_categorical(name, list(known))]

    def label(self, value: Any) -> Any:
        """The value as it is kept in the journal, where tuples are text."""
        value = self.plain(value)
        return ",".join(map(str, value)) if isinstance(value, tuple) else value

    @staticmethod
    def plain(value: Any) -> Any:
        """Lists, as a file of JSON has them, as tuples."""
        return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class SearchSpace:
    """What may change, and a finite grid of it.

    Parameters
    ----------
    parameters : mapping of str to Range or Choice
        Names of `TrainingSettings`, or of options of the network.
    grid : sequence of mappings
        Combinations that a full search tries, each a value for some of the names; see `combinations`. Without one, a
        full search is refused.

    Raises
    ------
    DomainError
        If the grid has a name or a value that `parameters` does not.
    """

    parameters: Mapping[str, Range | Choice]
    grid: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        for values in self.grid:
            for name, value in values.items():
                if name not in self.parameters or not self.parameters[name].holds(value):
                    raise DomainError(f"the grid has {name} = {value!r}, which is not in the search space")

    def as_dict(self) -> dict[str, Any]:
        """For JSON, to tell one search from another."""
        return {name: repr(space) for name, space in self.parameters.items()}

    def of_preset(self, preset: Preset, settings: TrainingSettings) -> dict[str, Any]:
        """The values that a preset has, of those names that are searched; a value outside the space is left out."""
        found = {}
        for name, space in self.parameters.items():
            value = getattr(settings, name) if name in _SETTINGS else preset.options.get(name, space.start)
            if value is not None and space.holds(value):
                found[name] = value
        return found


def combinations(
    values: Mapping[str, Sequence[Any]], allowed: Callable[[dict[str, Any]], bool] | None = None
) -> tuple[dict[str, Any], ...]:
    """All combinations of values, but those that are not allowed.

    Examples
    --------
    >>> len(combinations({"kernel": (3, 5, 7), "blocks": (1, 2, 3)}, lambda c: c["kernel"] * c["blocks"] < 15))
    7
    """
    found = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    return tuple(one for one in found if allowed is None or allowed(one))


def divided(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Training settings and network options of one combination."""
    plain = {name: Choice.plain(value) for name, value in values.items()}
    return (
        {name: value for name, value in plain.items() if name in _SETTINGS},
        {name: value for name, value in plain.items() if name not in _SETTINGS},
    )


#: what any preset can be searched by
TRAINING: dict[str, Range | Choice] = {
    "learning_rate": Range(1e-5, 3e-2, log=True),
    "weight_decay": Choice((0.0, 1e-6, 1e-5, 1e-4, 1e-3)),
    "batch_size": Range(16, 256, log=True),
}
