"""`build_particle_index` of tensors, and `project_views` as a torch operator. Gradients are not computed here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import _validate, units
from ...errors import DomainError
from .. import views as _views
from .._tensors import without_tensors
from ._bridge import arrays, number, optional, tensor_of, tensors

_ARRAYS = ("x", "y", "z", "weights", "smoothing_length", "cell_start")


def build_particle_index(
    positions: Any, weights: Any, *, smoothing_length: Any = None, box_size: Any = None, n_threads: int = 1,
    backend: str = "auto",
) -> _views.ParticleIndex:  # fmt: skip
    pos, w = tensors(positions=positions, weights=weights)
    h = optional("smoothing_length", smoothing_length, pos)
    for name, value in (("positions", pos), ("weights", w)):
        optional(name, value, pos)
    host = arrays(pos.detach(), w.detach(), h)
    index = without_tensors(_views.build_particle_index)(
        host[0], host[1], smoothing_length=host[2], box_size=box_size, n_threads=n_threads, backend=backend
    )
    held: dict[str, Any] = {name: tensor_of(getattr(index, name)) for name in _ARRAYS}
    return _views.ParticleIndex(**{**vars(index), **held})


@torch.library.custom_op(
    "clustermass::views",
    mutates_args=(),
    schema="(Tensor[] particles, int[] n_cells, float[] origin, float[] cell_size, float? box_size, "
    "float max_smoothing_length, Tensor centres, Tensor rotations, Tensor pixel_size, SymInt[] shape, float depth, "
    "str assignment, str kernel, int n_threads, str backend) -> Tensor",
)
def views(
    particles: list[Tensor], n_cells: list[int], origin: list[float], cell_size: list[float], box_size: float | None,
    max_smoothing_length: float, centres: Tensor, rotations: Tensor, pixel_size: Tensor, shape: list[int],
    depth: float, assignment: str, kernel: str, n_threads: int, backend: str,
) -> Tensor:  # fmt: skip
    held: Any = dict(zip(_ARRAYS, arrays(*particles), strict=True))
    frame: Any = dict(n_cells=tuple(n_cells), origin=tuple(origin), cell_size=tuple(cell_size))
    index = _views.ParticleIndex(**held, **frame, box_size=box_size, max_smoothing_length=max_smoothing_length)
    c, r, size = arrays(centres, rotations, pixel_size)
    run = without_tensors(_views.project_views)
    return tensor_of(run(index, c, r, pixel_size=size, shape=(shape[0], shape[1]), depth=depth, assignment=assignment,
                         kernel=kernel, n_threads=n_threads, backend=backend))  # fmt: skip


@views.register_fake
def _(particles: list[Tensor], *rest: Any) -> Tensor:
    centres, shape = rest[5], rest[8]
    weights = particles[3]
    return weights.new_empty([centres.shape[0], weights.shape[1], *shape])


def project_views(
    index: Any, centres: Any, rotations: Any, *, pixel_size: Any, shape: Any = (120, 120), depth: Any = 50.0,
    assignment: str = "cic", kernel: str = "cubic_spline", out: Any = None, n_threads: int = 1, backend: str = "auto",
) -> Tensor:  # fmt: skip
    if out is not None:
        raise DomainError("`out` must be left out with tensors: the result is a new one")
    if not isinstance(index.x, Tensor):
        raise DomainError("`index` must be made of tensors (build_particle_index) where other arguments are tensors")
    particles = [getattr(index, name) for name in _ARRAYS]
    beside, c, r, size = tensors(
        beside=index.x, centres=units.strip_unit(centres, units.LENGTH, "centres"), rotations=rotations,
        pixel_size=units.strip_unit(pixel_size, units.LENGTH, "pixel_size"),
    )  # fmt: skip
    for name, value in (("centres", c), ("rotations", r), ("pixel_size", size)):
        optional(name, value, beside)
    images: Tensor = views(
        particles, list(index.n_cells), list(index.origin), list(index.cell_size), index.box_size,
        index.max_smoothing_length, c, r, size, list(_validate.image_shape(shape)),
        number(depth, "depth", units.LENGTH), assignment, kernel, n_threads, backend,
    )  # fmt: skip
    return images
