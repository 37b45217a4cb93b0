"""Public ops take torch tensors too, and torch is not loaded for it: whoever has a tensor has loaded it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_OF_INDEX = ("x", "records")  # attributes by which an index of tensors is known


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor, or an index (`ParticleIndex`, `GalaxyIndex`) made of them."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if tensor is None:
        return False
    return isinstance(value, tensor) or any(isinstance(getattr(value, name, None), tensor) for name in _OF_INDEX)


def accepts_tensors(function: Callable[P, R]) -> Callable[P, R]:
    """Hand a call with a tensor among its arguments to the function of the same name in `ops._torch`."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(is_tensor(value) for value in (*args, *kwargs.values())):
            from . import _torch

            result: R = getattr(_torch, function.__name__)(*args, **kwargs)
            return result
        return function(*args, **kwargs)

    return run


def without_tensors(function: Callable[P, R]) -> Callable[P, R]:
    """The function that `accepts_tensors` wraps."""
    inner: Callable[P, R] = getattr(function, "__wrapped__")  # noqa: B009 (mypy knows no such attribute)
    return inner
