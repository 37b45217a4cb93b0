"""`build_galaxy_index` of tensors, and `select_lightcone` as a torch operator. How many galaxies come out depends on
the data, and graphs are told so; there are no gradients.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from ...cosmology import Cosmology
from ...errors import DomainError
from .. import _galaxy_index as _index
from .. import lightcone as _lightcone
from .._tensors import without_tensors
from ._bridge import arrays, number, optional, tensor_of, tensors

_ARRAYS = ("records", "rows", "hosts", "coarse", "cell_start")
_RESULTS = tuple(field.name for field in fields(_lightcone.LightconeSelection))


def build_galaxy_index(
    positions: Any, velocities: Any, *, box_size: Any, hosts: Any = None, n_threads: int = 1, backend: str = "auto"
) -> _index.GalaxyIndex:
    pos, vel = tensors(positions=positions, velocities=velocities)
    for name, value in (("positions", pos), ("velocities", vel)):
        optional(name, value, pos)
    host = arrays(pos.detach(), vel.detach(), optional("hosts", hosts, pos))
    found: Any = backend
    index = without_tensors(_index.build_galaxy_index)(
        host[0], host[1], box_size=box_size, hosts=host[2], n_threads=n_threads, backend=found
    )
    for name in _ARRAYS:
        array = getattr(index, name)
        if not isinstance(array, Tensor):
            array.setflags(write=True)  # nobody else has this index, and torch knows no read-only memory
    held: dict[str, Any] = {name: tensor_of(getattr(index, name)) for name in _ARRAYS}
    return _index.GalaxyIndex(**{**vars(index), **held})


@torch.library.custom_op(
    "clustermass::lightcone",
    mutates_args=(),
    schema="(Tensor[] galaxies, int[] n_cells, float[] origin, float[] cell_size, float? box_size, float max_speed, "
    "Tensor centres, Tensor velocities, Tensor lines_of_sight, Tensor redshift, Tensor? targets, float h, "
    "float omega_m, float omega_lambda, float max_velocity, float? aperture, float? angle, bool relativistic, "
    "int n_threads, str backend) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def lightcone(
    galaxies: list[Tensor], n_cells: list[int], origin: list[float], cell_size: list[float], box_size: float | None,
    max_speed: float, centres: Tensor, velocities: Tensor, lines_of_sight: Tensor, redshift: Tensor,
    targets: Tensor | None, h: float, omega_m: float, omega_lambda: float, max_velocity: float,
    aperture: float | None, angle: float | None, relativistic: bool, n_threads: int, backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    held: Any = dict(zip(_ARRAYS, arrays(*galaxies), strict=True))
    frame: Any = dict(n_cells=tuple(n_cells), origin=tuple(origin), cell_size=tuple(cell_size))
    index = _index.GalaxyIndex(**held, **frame, box_size=box_size, max_speed=max_speed)
    c, v, n, z, host = arrays(centres, velocities, lines_of_sight, redshift, targets)
    found: Any = backend
    seen = without_tensors(_lightcone.select_lightcone)(
        index, c, v, n, redshift=z if z.ndim else z.item(), cosmology=Cosmology(h, omega_m, omega_lambda),
        max_velocity=max_velocity, aperture=aperture, angle=angle, targets=host, relativistic=relativistic,
        n_threads=n_threads, backend=found,
    )  # fmt: skip
    results: Any = tuple(tensor_of(getattr(seen, name)) for name in _RESULTS)
    return results  # type: ignore[no-any-return]


@lightcone.register_fake
def _(galaxies: list[Tensor], *rest: Any) -> Any:
    centres, n = rest[5], torch.library.get_ctx().new_dynamic_size()
    types = [torch.int64, *[torch.float64] * 4, torch.bool]
    offsets = galaxies[0].new_empty([centres.shape[0] + 1], dtype=torch.int64)
    return offsets, *(galaxies[0].new_empty([n], dtype=dtype) for dtype in types)


def _query(name: str, value: Any, index: Tensor) -> Tensor | None:
    """One argument of the queries. Beside an index on a device it may lie there or on the host, where it is needed."""
    if index.device.type == "cpu":
        return optional(name, value, index)
    return optional(name, value, value if isinstance(value, Tensor) else torch.empty(0))


def select_lightcone(
    index: Any, centres: Any, velocities: Any, lines_of_sight: Any, *, redshift: Any, cosmology: Cosmology,
    max_velocity: Any, aperture: Any = None, angle: Any = None, targets: Any = None, relativistic: bool = True,
    n_threads: int = 1, backend: str = "auto",
) -> _lightcone.LightconeSelection:  # fmt: skip
    if not isinstance(index.records, Tensor):
        raise DomainError("`index` must be made of tensors (build_galaxy_index) where other arguments are tensors")
    given = dict(centres=centres, velocities=velocities, lines_of_sight=lines_of_sight, redshift=redshift)
    c, v, n, z = (_query(name, value, index.records) for name, value in given.items())
    lengths = [None if a is None else number(a, name, "Mpc" if name == "aperture" else "rad")
               for name, a in (("aperture", aperture), ("angle", angle))]  # fmt: skip
    results: Any = lightcone(
        [getattr(index, name) for name in _ARRAYS], list(index.n_cells), list(index.origin), list(index.cell_size),
        index.box_size, index.max_speed, c, v, n, z, _query("targets", targets, index.records), cosmology.h,
        cosmology.omega_m, float(cosmology.omega_lambda or 0.0), number(max_velocity, "max_velocity", "km / s"),
        *lengths, bool(relativistic), n_threads, backend,
    )  # fmt: skip
    return _lightcone.LightconeSelection(*results)
