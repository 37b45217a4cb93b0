"""`estimate_density` as a torch operator: its backward is `differentiate_density`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import ArrayError, DomainError
from .. import kde as _kde
from .. import kde_gradient as _gradient
from .._tensors import without_tensors
from ._bridge import arrays, float_type, optional, tensor_of, tensors

_INPUTS = "Tensor points, Tensor offsets, Tensor? weights, Tensor? covariance"
_OPTIONS = (
    "float[] low, float[] high, SymInt[] n, float factor, str rule, str at, str normalise, int n_threads, str backend"
)


def _named(
    weights: Any, covariance: Any, low: list[float], high: list[float], n: list[int], factor: float, rule: str,
    at: str, normalise: str, n_threads: int, backend: str,
) -> dict[str, Any]:  # fmt: skip
    return dict(axes=list(zip(low, high, n, strict=True)), bandwidth=rule or factor, at=at, normalise=normalise,
                weights=weights, covariance=covariance, n_threads=n_threads, backend=backend)  # fmt: skip


@torch.library.custom_op("clustermass::kde", mutates_args=(), schema=f"({_INPUTS}, {_OPTIONS}) -> Tensor")
def kde(points: Tensor, offsets: Tensor, weights: Tensor | None, covariance: Tensor | None, *options: Any) -> Tensor:
    values, starts, mass, kernel = arrays(points, offsets, weights, covariance)
    run = without_tensors(_kde.estimate_density)
    return tensor_of(run(values, starts, **_named(mass, kernel, *options)))


@kde.register_fake
def _(points: Tensor, offsets: Tensor, weights: Tensor | None, covariance: Tensor | None, *options: Any) -> Tensor:
    return points.new_empty([offsets.shape[0] - 1, *options[2]], dtype=float_type(points))


@torch.library.custom_op(
    "clustermass::kde_gradient",
    mutates_args=(),
    schema=f"(Tensor gradient, {_INPUTS}, {_OPTIONS}) -> (Tensor, Tensor)",
)
def kde_gradient(
    gradient: Tensor, points: Tensor, offsets: Tensor, weights: Tensor | None, covariance: Tensor | None, *options: Any
) -> tuple[Tensor, Tensor]:
    grids, values, starts, mass, kernel = arrays(gradient, points, offsets, weights, covariance)
    run = without_tensors(_gradient.differentiate_density)
    by = run(grids, values, starts, **_named(mass, kernel, *options))
    return tensor_of(by.points), tensor_of(by.weights)


@kde_gradient.register_fake
def _(gradient: Tensor, points: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    dtype = float_type(gradient, points)
    return points.new_empty(points.shape, dtype=dtype), points.new_empty([points.shape[0]], dtype=dtype)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    points, offsets, weights, covariance, *ctx.options = inputs
    ctx.save_for_backward(points, offsets, weights, covariance)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    points, offsets, weights, covariance = ctx.saved_tensors
    by_points, by_weights = kde_gradient(gradient, points, offsets, weights, covariance, *ctx.options)
    wanted = ctx.needs_input_grad
    return (
        by_points.to(points.dtype) if wanted[0] else None,
        None,
        by_weights.to(weights.dtype) if wanted[2] else None,
        *[None] * (1 + len(ctx.options)),
    )


kde.register_autograd(_backward, setup_context=_setup)


def _plain(
    points: Any, offsets: Any, weights: Any, covariance: Any, axes: Any, bandwidth: Any, at: str, normalise: str,
    n_threads: int, backend: str,
) -> tuple[Any, ...]:  # fmt: skip
    device = next(a for a in (points, offsets, weights, covariance) if isinstance(a, Tensor))
    _, values, starts = tensors(device=device, points=points, offsets=offsets)
    mass = None if weights is None else tensors(points=values, weights=weights)[1]
    kernel = optional("covariance", covariance, values)
    if values.ndim != 2 or len(axes) != values.shape[1]:
        raise ArrayError(
            f"`points` must be a table with a column per axis, got shape {tuple(values.shape)} and {len(axes)} axes"
        )
    if starts.ndim != 1 or starts.shape[0] < 1:
        raise ArrayError(f"`offsets` must have shape (n + 1,), got {tuple(starts.shape)}")
    if any(len(axis) != 3 for axis in axes):
        raise ArrayError(f"`axes` must be (low, high, n) each, got {axes!r}")
    cells = [int(n) for _, _, n in axes]
    if min(cells) < 1:
        raise DomainError(f"`axes` must have cells, got {cells}")
    rule, factor = (bandwidth, 0.0) if isinstance(bandwidth, str) else ("", float(bandwidth))
    low, high = [float(a) for a, _, _ in axes], [float(b) for _, b, _ in axes]
    return values, starts, mass, kernel, low, high, cells, factor, rule, at, normalise, n_threads, backend


def estimate_density(
    points: Any, offsets: Any, *, axes: Any, bandwidth: Any = 0.25, at: str = "centres", normalise: str = "sum",
    weights: Any = None, covariance: Any = None, n_threads: int = 1, backend: str = "auto",
) -> Tensor:  # fmt: skip
    grids: Tensor = kde(
        *_plain(points, offsets, weights, covariance, axes, bandwidth, at, normalise, n_threads, backend)
    )
    return grids


def differentiate_density(
    gradient: Any, points: Any, offsets: Any, *, axes: Any, bandwidth: Any = 0.25, at: str = "centres",
    normalise: str = "sum", weights: Any = None, covariance: Any = None, n_threads: int = 1, backend: str = "auto",
) -> _gradient.DensityGradients:  # fmt: skip
    beside = next(a for a in (gradient, points, offsets, weights, covariance) if isinstance(a, Tensor))
    _, grids, values = tensors(beside=beside, gradient=gradient, points=points)
    options = _plain(values, offsets, weights, covariance, axes, bandwidth, at, normalise, n_threads, backend)
    by: Any = kde_gradient(grids, *options)
    return _gradient.DensityGradients(*by)
