"""`project_particles` as a torch operator: its backward is `differentiate_projection`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import _validate, units
from ...errors import ArrayError
from .. import project as _project
from .. import project_gradient as _gradient
from .._tensors import without_tensors
from ._bridge import arrays, float_type, number, numbers, optional, tensor_of, tensors

_OPTIONS = "float pixel_size, float[] origin, str assignment, str kernel, float[] beam_fwhm, int n_threads, str backend"
_PARTICLES = "Tensor positions, Tensor weights, Tensor? smoothing_length"


def _named(
    smoothing_length: Any, pixel_size: float, origin: list[float], assignment: str, kernel: str,
    beam_fwhm: list[float], n_threads: int, backend: str,
) -> dict[str, Any]:  # fmt: skip
    return dict(smoothing_length=smoothing_length, pixel_size=pixel_size, origin=tuple(origin), assignment=assignment,
                kernel=kernel, beam_fwhm=beam_fwhm, n_threads=n_threads, backend=backend)  # fmt: skip


@torch.library.custom_op(
    "clustermass::project", mutates_args=(), schema=f"({_PARTICLES}, SymInt[] shape, {_OPTIONS}) -> Tensor"
)
def project(
    positions: Tensor, weights: Tensor, smoothing_length: Tensor | None, shape: list[int], *options: Any
) -> Tensor:
    pos, w, h = arrays(positions, weights, smoothing_length)
    run = without_tensors(_project.project_particles)
    return tensor_of(run(pos, w, shape=(shape[0], shape[1]), **_named(h, *options)))


@project.register_fake
def _(positions: Tensor, weights: Tensor, smoothing_length: Tensor | None, shape: list[int], *options: Any) -> Tensor:
    channels = [] if weights.ndim == 1 else [weights.shape[1]]
    return weights.new_empty([*channels, *shape], dtype=float_type(positions, weights, smoothing_length))


@torch.library.custom_op(
    "clustermass::project_gradient",
    mutates_args=(),
    schema=f"(Tensor gradient, {_PARTICLES}, {_OPTIONS}) -> (Tensor, Tensor)",
)
def project_gradient(
    gradient: Tensor, positions: Tensor, weights: Tensor, smoothing_length: Tensor | None, *options: Any
) -> tuple[Tensor, Tensor]:
    image, pos, w, h = arrays(gradient, positions, weights, smoothing_length)
    run = without_tensors(_gradient.differentiate_projection)
    by = run(image, pos, w, **_named(h, *options))
    return tensor_of(by.positions), tensor_of(by.weights)


@project_gradient.register_fake
def _(
    gradient: Tensor, positions: Tensor, weights: Tensor, smoothing_length: Tensor | None, *options: Any
) -> tuple[Tensor, Tensor]:
    dtype = float_type(gradient, positions, weights, smoothing_length)
    return positions.new_empty(positions.shape, dtype=dtype), weights.new_empty(weights.shape, dtype=dtype)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    positions, weights, smoothing_length, _, *ctx.options = inputs
    ctx.save_for_backward(positions, weights, smoothing_length)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    positions, weights, smoothing_length = ctx.saved_tensors
    by_positions, by_weights = project_gradient(gradient, positions, weights, smoothing_length, *ctx.options)
    wanted = ctx.needs_input_grad
    return (
        by_positions.to(positions.dtype) if wanted[0] else None,
        by_weights.to(weights.dtype) if wanted[1] else None,
        *[None] * (2 + len(ctx.options)),
    )


project.register_autograd(_backward, setup_context=_setup)


def _plain(
    pixel_size: Any, origin: Any, assignment: str, kernel: str, beam_fwhm: Any, n_threads: int, backend: str
) -> tuple[Any, ...]:
    size, corner = number(pixel_size, "pixel_size", units.LENGTH), [number(x, "origin", units.LENGTH) for x in origin]
    fwhm = numbers(units.strip_unit(beam_fwhm, units.LENGTH, "beam_fwhm"))
    return size, corner, assignment, kernel, fwhm, n_threads, backend


def project_particles(
    positions: Any, weights: Any, *, shape: Any, pixel_size: Any, origin: Any = (0.0, 0.0), assignment: str = "cic",
    kernel: str = "cubic_spline", smoothing_length: Any = None, beam_fwhm: Any = 0.0, n_threads: int = 1,
    backend: str = "auto",
) -> Tensor:  # fmt: skip
    pos, w = tensors(positions=positions, weights=weights)
    h = optional("smoothing_length", smoothing_length, pos)
    if pos.ndim != 2 or w.ndim not in (1, 2):
        raise ArrayError(f"`positions` and `weights` must be tables, got shapes {tuple(pos.shape)}, {tuple(w.shape)}")
    options = _plain(pixel_size, origin, assignment, kernel, beam_fwhm, n_threads, backend)
    image: Tensor = project(pos, w, h, list(_validate.image_shape(shape)), *options)
    return image


def differentiate_projection(
    gradient: Any, positions: Any, weights: Any, *, pixel_size: Any, origin: Any = (0.0, 0.0), assignment: str = "cic",
    kernel: str = "cubic_spline", smoothing_length: Any = None, beam_fwhm: Any = 0.0, n_threads: int = 1,
    backend: str = "auto",
) -> _gradient.ParticleGradients:  # fmt: skip
    image, pos, w = tensors(gradient=gradient, positions=positions, weights=weights)
    h = optional("smoothing_length", smoothing_length, pos)
    options = _plain(pixel_size, origin, assignment, kernel, beam_fwhm, n_threads, backend)
    by: Any = project_gradient(image, pos, w, h, *options)
    return _gradient.ParticleGradients(*by)
