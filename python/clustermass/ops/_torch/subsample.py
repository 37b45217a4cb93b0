"""`draw_subsamples` as a torch operator. How many indices come out depends on the data, and graphs are told so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import _validate
from ...errors import DomainError
from .. import subsample as _subsample
from .._tensors import without_tensors
from ._bridge import arrays, optional, signed, tensor_of, tensors, unsigned


@torch.library.custom_op(
    "clustermass::subsample",
    mutates_args=(),
    schema="(Tensor offsets, Tensor? fraction, Tensor? count, int n_draws, int seed, Tensor? items, int n_threads, "
    "str backend) -> (Tensor, Tensor)",
)
def subsample(
    offsets: Tensor, fraction: Tensor | None, count: Tensor | None, n_draws: int, seed: int, items: Tensor | None,
    n_threads: int, backend: str,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    starts, share, number, keys = arrays(offsets, fraction, count, items)
    found: Any = backend
    draws = without_tensors(_subsample.draw_subsamples)(
        starts, fraction=share, count=number, n_draws=n_draws, seed=unsigned(seed), items=keys, n_threads=n_threads,
        backend=found,
    )  # fmt: skip
    return tensor_of(draws.indices), tensor_of(draws.offsets)


@subsample.register_fake
def _(offsets: Tensor, fraction: Tensor | None, count: Tensor | None, n_draws: int, *rest: Any) -> Any:
    n = torch.library.get_ctx().new_dynamic_size()
    rows = (offsets.shape[0] - 1) * n_draws + 1
    return offsets.new_empty([n], dtype=torch.int64), offsets.new_empty([rows], dtype=torch.int64)


def draw_subsamples(
    offsets: Any, *, fraction: Any = None, count: Any = None, n_draws: int = 1, seed: int, items: Any = None,
    n_threads: int = 1, backend: str = "auto",
) -> _subsample.Subsamples:  # fmt: skip
    if (fraction is None) == (count is None):
        raise DomainError(f"give exactly one of `fraction` and `count`, got {'neither' if count is None else 'both'}")
    beside = next(a for a in (offsets, fraction, count, items) if isinstance(a, Tensor))
    _, starts = tensors(beside=beside, offsets=offsets)
    share, number = optional("fraction", fraction, beside), optional("count", count, beside)
    keys = optional("items", items, beside)
    seed = signed(_validate.seed(seed))
    indices, rows = subsample(starts, share, number, n_draws, seed, keys, n_threads, backend)
    return _subsample.Subsamples(indices, rows, n_draws)
