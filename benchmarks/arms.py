"""What is timed: an arm is one way to do the work of a row; a row has our arms, the peers' and the floor."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Arm:
    """One way to do the work. `run` is None where the package is not installed."""

    name: str
    run: Callable[[], Any] | None
    items: int = 1  # pieces of work per call: particles, images, indices
    note: str = ""  # how its work differs from ours
    check: Callable[[Any], None] | None = None  # raises unless the answer is right


@dataclass
class Row:
    """One line of the goals. The floor is the slowest of `floors`: each is something that the work cannot avoid."""

    name: str
    title: str
    unit: str
    ours: list[Arm]
    peers: list[Arm]
    floors: list[Arm] = field(default_factory=list)
    bars: dict[str, float] = field(default_factory=dict)  # peer -> times faster that we must be


def peer(name, module, build, **details):
    """An arm of a package that may be absent: build(module) gives its `run`."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        return Arm(name, None, **details)
    return Arm(name, build(found), **details)


def close(want, tolerance):
    """Check that an image differs from `want` by less than this part of it, summed over all pixels."""

    def check(got):
        got = np.asarray(got, float).reshape(np.shape(want))
        error = np.abs(got - want).sum() / np.abs(want).sum()
        assert error <= tolerance, f"differs by {error:.2g} of the sum, allowed {tolerance:.2g}"

    return check
