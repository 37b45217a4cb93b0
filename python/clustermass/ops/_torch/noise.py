"""`add_noise` as a torch operator: the noise does not depend on the images, so gradients pass unchanged."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import _validate
from ...errors import ArrayError, DomainError
from .. import noise as _noise
from .._tensors import without_tensors
from ._bridge import arrays, float_type, numbers, optional, signed, tensor_of, tensors, unsigned


@torch.library.custom_op(
    "clustermass::noise",
    mutates_args=(),
    schema="(Tensor images, float[] sigma, int seed, Tensor? items, int n_threads, str backend) -> Tensor",
)
def noise(images: Tensor, sigma: list[float], seed: int, items: Tensor | None, n_threads: int, backend: str) -> Tensor:
    stack, keys = arrays(images, items)
    found: Any = backend
    run = without_tensors(_noise.add_noise)
    level = sigma[0] if len(sigma) == 1 else sigma
    return tensor_of(run(stack, level, seed=unsigned(seed), items=keys, n_threads=n_threads, backend=found))


@noise.register_fake
def _(images: Tensor, *options: Any) -> Tensor:
    return images.new_empty(images.shape, dtype=float_type(images))


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.dtype = inputs[0].dtype


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    return gradient.to(ctx.dtype), None, None, None, None, None


noise.register_autograd(_backward, setup_context=_setup)


def add_noise(
    images: Any, sigma: Any, *, seed: int, items: Any = None, out: Any = None, n_threads: int = 1, backend: str = "auto"
) -> Tensor:
    if out is not None:
        raise DomainError("`out` must be left out with tensors: the result is a new one")
    [stack] = tensors(images=images)
    if stack.ndim not in (3, 4):
        raise ArrayError(f"`images` must have 3 or 4 axes, got shape {tuple(stack.shape)}")
    keys = optional("items", items, stack)
    noisy: Tensor = noise(stack, numbers(sigma), signed(_validate.seed(seed)), keys, n_threads, backend)
    return noisy
