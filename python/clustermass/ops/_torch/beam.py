"""`convolve_beam` as a torch operator: smoothing is linear, so its backward is its transpose, and the reverse."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import units
from ...errors import ArrayError, DomainError
from .. import beam as _beam
from .._tensors import without_tensors
from ._bridge import arrays, float_type, number, numbers, tensor_of, tensors

_SCHEMA = (
    "(Tensor images, float[] fwhm, float pixel_size, str edge, int? margin, float truncate, int n_threads, "
    "str backend) -> Tensor"
)


def _border(fwhm: list[float], pixel_size: float, edge: str, margin: int | None, truncate: float) -> int:
    if edge != "crop":
        return 0
    return margin if margin is not None else _beam.beam_margin(fwhm, pixel_size=pixel_size, truncate=truncate)


def _run(function: Any, images: Tensor, options: tuple[Any, ...]) -> Tensor:
    names = ("fwhm", "pixel_size", "edge", "margin", "truncate", "n_threads", "backend")
    named = dict(zip(names, options, strict=True))
    if len(named["fwhm"]) == 1:
        named["fwhm"] = named["fwhm"][0]
    return tensor_of(without_tensors(function)(*arrays(images), **named))


@torch.library.custom_op("clustermass::beam", mutates_args=(), schema=_SCHEMA)
def beam(images: Tensor, *options: Any) -> Tensor:
    return _run(_beam.convolve_beam, images, options)


@torch.library.custom_op("clustermass::beam_adjoint", mutates_args=(), schema=_SCHEMA)
def adjoint(images: Tensor, *options: Any) -> Tensor:
    return _run(_beam.beam_adjoint, images, options)


def _fake(images: Tensor, border: int) -> Tensor:
    *stack, rows, cols = images.shape
    return images.new_empty([*stack, rows + 2 * border, cols + 2 * border], dtype=float_type(images))


@beam.register_fake
def _(images: Tensor, *options: Any) -> Tensor:
    return _fake(images, -_border(*options[:5]))


@adjoint.register_fake
def _(images: Tensor, *options: Any) -> Tensor:
    return _fake(images, _border(*options[:5]))


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    images, *ctx.options = inputs
    ctx.dtype = images.dtype


def _with(transpose: Any) -> Any:
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        return transpose(gradient, *ctx.options).to(ctx.dtype), *[None] * len(ctx.options)

    return backward


beam.register_autograd(_with(adjoint), setup_context=_setup)
adjoint.register_autograd(_with(beam), setup_context=_setup)


def _plain(
    images: Any,
    fwhm: Any,
    pixel_size: Any,
    edge: str,
    margin: int | None,
    truncate: float,
    n_threads: int,
    backend: str,
) -> tuple[Any, ...]:
    [stack] = tensors(images=images)
    if stack.ndim not in (3, 4):
        raise ArrayError(f"`images` must have 3 or 4 axes, got shape {tuple(stack.shape)}")
    if hasattr(fwhm, "unit") and hasattr(pixel_size, "unit"):
        fwhm = units.strip_unit(fwhm, units.ANGLE, "fwhm")
        pixel_size = number(pixel_size, "pixel_size", units.ANGLE)
    return stack, numbers(fwhm), float(pixel_size), edge, margin, float(truncate), n_threads, backend


def convolve_beam(
    images: Any, fwhm: Any, *, pixel_size: Any = 1.0, edge: str = "zero", margin: int | None = None,
    truncate: float = 4.0, out: Any = None, n_threads: int = 1, backend: str = "auto",
) -> Tensor:  # fmt: skip
    if out is not None:
        raise DomainError("`out` must be left out with tensors: the result is a new one")
    smoothed: Tensor = beam(*_plain(images, fwhm, pixel_size, edge, margin, truncate, n_threads, backend))
    return smoothed


def beam_adjoint(
    images: Any, fwhm: Any, *, pixel_size: Any = 1.0, edge: str = "zero", margin: int | None = None,
    truncate: float = 4.0, n_threads: int = 1, backend: str = "auto",
) -> Tensor:  # fmt: skip
    back: Tensor = adjoint(*_plain(images, fwhm, pixel_size, edge, margin, truncate, n_threads, backend))
    return back
