"""`draw_subsamples` as a torch operator. How many indices come out depends on the data, and graphs are told so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import _validate
from ...errors import DomainError
from .. import subsample as _subsample
from .._tensors import without_tensors
from ._bridge import arrays, optional, signed, tensor_of, unsigned


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
    rows, beside = (offsets.shape[0] - 1) * n_draws + 1, _beside(offsets, rest[1])
    return beside.new_empty([n], dtype=torch.int64), beside.new_empty([rows], dtype=torch.int64)


def _beside(offsets: Tensor, items: Tensor | None) -> Tensor:
    """Which of the two says where the draws are made."""
    return offsets if items is None or offsets.device.type != "cpu" else items


def _given(name: str, value: Any) -> Tensor | None:
    """Tensors stay where they are; arrays stay on the host, where the sizes of the draws are worked out."""
    return optional(name, value, value if isinstance(value, Tensor) else torch.empty(0))


def draw_subsamples(
    offsets: Any, *, fraction: Any = None, count: Any = None, n_draws: int = 1, seed: int, items: Any = None,
    n_threads: int = 1, backend: str = "auto",
) -> _subsample.Subsamples:  # fmt: skip
    if (fraction is None) == (count is None):
        raise DomainError(f"give exactly one of `fraction` and `count`, got {'neither' if count is None else 'both'}")
    given = _given("offsets", offsets)
    starts = torch.empty(0, dtype=torch.int64) if given is None else given
    share, number = _given("fraction", fraction), _given("count", count)
    keys = _given("items", items) if isinstance(items, Tensor) else optional("items", items, starts)
    seed = signed(_validate.seed(seed))
    indices, rows = subsample(starts, share, number, n_draws, seed, keys, n_threads, backend)
    return _subsample.Subsamples(indices, rows, n_draws)
