"""What many observers see of a box of galaxies: index once, then select everything in a cylinder or cone and a velocity
window around each centre, along each line of sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _backend, _device, _validate
from ..cosmology import Cosmology
from ..errors import BadInputError
from ._galaxy_index import GalaxyIndex as GalaxyIndex
from ._galaxy_index import build_galaxy_index as build_galaxy_index
from ._galaxy_index import integers
from ._sightlines import Sightlines, make_sightlines
from ._sightlines import axis_directions as axis_directions
from ._sightlines import fibonacci_directions as fibonacci_directions
from ._tensors import accepts_tensors, is_tensor

_FIRST_ROOM = 1 << 16  # galaxies that the first try of a selection has room for


@dataclass(frozen=True, eq=False)
class LightconeSelection:
    """What each query of `select_lightcone` sees: galaxies ``offsets[q]`` to ``offsets[q + 1] - 1`` belong to query q.

    Attributes
    ----------
    offsets : ndarray of int64, shape (queries + 1,)
    indices : ndarray of int64, shape (n,)
        Row of the galaxy in the arrays that the index was made from.
    x, y : ndarray of float64, shape (n,)
        Place in the plane of the sky from the centre [comoving Mpc], along the first two rows of
        ``view_rotations(line_of_sight)``. In a cone: projected along the ray from the observer onto the plane through
        the centre, as someone infers it who takes every galaxy to be at the distance of the cluster.
    velocity : ndarray of float64, shape (n,)
        Along the line of sight, relative to the centre [km/s]; positive: receding.
    distance : ndarray of float64, shape (n,)
        True distance from the centre in space [comoving Mpc].
    is_member : ndarray of bool, shape (n,)
        Whether the galaxy belongs to the target of the query; False everywhere without targets.
    """

    offsets: NDArray[np.int64]
    indices: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    velocity: NDArray[np.float64]
    distance: NDArray[np.float64]
    is_member: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.offsets.shape[0] - 1)

    @property
    def radius(self) -> NDArray[np.float64]:
        """Projected distance from the centre, hypot(x, y) [comoving Mpc]."""
        if is_tensor(self.x):
            found: Any = self.x
            return found.hypot(self.y)  # type: ignore[no-any-return]
        return np.hypot(self.x, self.y)


class _Room:
    """The result while it is filled."""

    def __init__(self, n_queries: int, capacity: int) -> None:
        self.arrays: dict[str, NDArray[Any]] = {"offsets": np.zeros(n_queries + 1, np.int64)}
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> dict[str, NDArray[Any]]:
        old = dict(self.arrays)
        self.arrays["indices"] = np.empty(capacity, np.int64)
        for name in ("x", "y", "velocity", "distance"):
            self.arrays[name] = np.empty(capacity)  # pages that are never written to take no memory
        self.arrays["is_member"] = np.empty(capacity, np.bool_)
        return old

    def grow(self, done: int) -> None:
        """Make room for what the queries done let expect, at least twice as much as before."""
        used, n_queries = int(self.arrays["offsets"][done]), self.arrays["offsets"].size - 1
        expected = used * n_queries // max(done, 1)
        old = self._allocate(max(2 * self.arrays["indices"].size, expected + expected // 4))
        for name in set(old) - {"offsets"}:
            self.arrays[name][:used] = old[name][:used]

    def result(self) -> LightconeSelection:
        total = int(self.arrays["offsets"][-1])
        for name in set(self.arrays) - {"offsets"}:
            self.arrays[name].resize(total, refcheck=False)  # gives the rest back
        return LightconeSelection(**self.arrays)


@accepts_tensors
def select_lightcone(
    index: GalaxyIndex,
    centres: ArrayLike,
    velocities: ArrayLike,
    lines_of_sight: ArrayLike,
    *,
    redshift: float | ArrayLike,
    cosmology: Cosmology,
    max_velocity: float,
    aperture: float | None = None,
    angle: float | None = None,
    targets: ArrayLike | None = None,
    relativistic: bool = True,
    n_threads: int = 1,
    backend: _validate.Backend = "auto",
) -> LightconeSelection:
    r"""Select the galaxies that an observer sees around each centre: near it on the sky and in velocity.

    Every query puts the observer at the comoving distance :math:`D = d_c(z)` before a centre. For a galaxy at
    :math:`r` from the centre, moving at :math:`w`, and the line of sight :math:`n`: :math:`s = n \cdot r` is its depth
    and :math:`R` the projected distance. It is selected if :math:`R \le` `aperture` (a cylinder), or if the angle
    :math:`\arctan(R / (D + s)) \le` `angle` (a cone), and if :math:`|v| <` `max_velocity`. Relativistic [1]_:

    .. math:: v = v_g \ominus v_c, \quad v_g = v_H(z(D + s)) \oplus n \cdot w, \quad v_c = v_H(z) \oplus n \cdot u

    with u the velocity of the centre, :math:`v_H(z) = c ((1+z)^2 - 1) / ((1+z)^2 + 1)`, :math:`a \oplus b = (a + b) /
    (1 + a b / c^2)` and :math:`a \ominus b = (a - b) / (1 - a b / c^2)`. Else
    :math:`v = H(z) s / (1+z) + n \cdot (w - u)`.

    Parameters
    ----------
    index : GalaxyIndex
        From `build_galaxy_index`.
    centres : array_like of float, shape (m, 3)
        Centre of each query [comoving Mpc]; repeat a cluster for each of its lines of sight.
    velocities : array_like of float, shape (m, 3)
        Peculiar velocity of each centre [km/s].
    lines_of_sight : array_like of float, shape (m, 3)
        From the observer through the centre; any length but 0. See `axis_directions`, `fibonacci_directions`.
    redshift : float or array_like of float, shape (m,)
        Where the centres are put, from 0 to 10; > 0 for a cone and for relativistic velocities.
    cosmology : Cosmology
        For distances and the Hubble flow.
    max_velocity : float
        Half width of the window [km/s], > 0.
    aperture : float
        Radius of a cylinder [comoving Mpc], > 0. Give this or `angle`.
    angle : float
        Half opening angle of a cone [radian], > 0 and < pi/2. Give this or `aperture`.
    targets : array_like of int, shape (m,), optional
        Host whose galaxies are the members of each query, as in `hosts` of the index.
    relativistic : bool
        Which of the velocities above.
    n_threads : int
        Threads of the native backend.
    backend : {"auto", "native", "numba", "cuda"}
        An explicit choice never falls back to another. An index on a CUDA device is worked on there.

    Returns
    -------
    LightconeSelection
        Queries in the given order; the galaxies of a query in the order of the cells along the line of sight. For an
        index on a CUDA device: arrays of the same library, on that device.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError, UnitError, BackendUnavailableError
        The message names the argument. The aperture may reach at most half a periodic box.

    Notes
    -----
    Periodic images: every image of a galaxy is looked at, and each one that fulfils the conditions is an entry of its
    own. With an aperture of at most half the box, a galaxy comes twice only if the window is deeper than the box.
    Galaxies behind the observer are never selected in a cone or relativistically. Velocities are projected on the line
    of sight of the centre everywhere (distant observer), also in a cone.

    Accuracy: z(d) is interpolated, which changes velocities by less than 1e-6 km/s for z <= 3. Determinism: decisions
    and values are float64 and have the same bits for any backend and `n_threads`. Cost: per query O(galaxies in the
    cells that it crosses), as deep as the window and the fastest galaxy ask for; memory: the result and, per
    thread, that of 16 queries.

    On a CUDA device the queries are prepared on the host: give them there; what lies on the device is read back. The
    number of galaxies seen is read back once, to make room for them; they are looked at twice, to count and to write.
    Memory: the result and at most 10 MB.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25, section 2 and ``make_mocks.py`` of its code.

    Examples
    --------
    >>> index = build_galaxy_index([[5.0, 5.0, 5.2], [5.5, 5.0, 9.0]], [[0, 0, 100], [0, 0, -50]], box_size=90.0)
    >>> seen = select_lightcone(index, [[5.0, 5, 5]], [[0.0, 0, 0]], [[0, 0, 1]], aperture=1.0, max_velocity=500.0,
    ...                         redshift=0.1, cosmology=Cosmology(h=0.7, omega_m=0.3))
    >>> seen.indices.tolist(), seen.velocity.round(1).tolist()
    ([0, 1], [113.3, 216.8])
    """
    beside, arrays = _device.together(**index._arrays())
    given: dict[str, Any]
    given = dict(centres=centres, velocities=velocities, lines_of_sight=lines_of_sight, redshift=redshift,
                 targets=targets)  # fmt: skip
    if beside is not None:
        given = {name: _device.download(_device.wrap(value, name)) for name, value in given.items()}
    wanted = given.pop("targets")
    lines = make_sightlines(
        **given, cosmology=cosmology, max_velocity=max_velocity, aperture=aperture, angle=angle,
        is_relativistic=bool(relativistic), box=index.box_size, max_speed=index.max_speed,
    )  # fmt: skip
    if wanted is not None and not len(index.hosts) and len(index):
        raise BadInputError("`targets` needs an index that was built with `hosts`")
    target = np.empty(0, np.int64) if wanted is None else integers(wanted, "targets", len(lines))
    module = _backend.resolve(backend, "lightcone", beside is not None)
    held = dict(zip(index._arrays(), arrays, strict=True))
    return _run(index, held, lines, target, module, _validate.threads(n_threads))


def _run(
    index: GalaxyIndex,
    held: dict[str, Any],
    lines: Sightlines,
    targets: NDArray[np.int64],
    module: Any,
    n_threads: int,
) -> LightconeSelection:
    queries = {"centres": lines.centres, "rotations": lines.rotations, "numbers": lines.numbers, "table": lines.table,
               "targets": targets}  # fmt: skip
    select = getattr(module, f"lightcone_f{8 * held['records'].itemsize}")
    how = dict(
        n_cells=index.n_cells, origin=index.origin, cell_size=index.cell_size, box=index.box_size or 0.0,
        table_start=lines.table_start, table_per_step=lines.table_per_step, max_velocity=lines.max_velocity,
        is_cone=lines.is_cone, is_relativistic=lines.is_relativistic, n_threads=n_threads,
    )  # fmt: skip
    if _device.is_on_device(held["records"]):
        seen = select(held, queries, **how)
        return LightconeSelection(**{name: _device.result(array) for name, array in seen.items()})
    room, done = _Room(len(lines), _FIRST_ROOM), 0
    while done < len(lines):
        done = select(held, queries, room.arrays, first=done, **how)
        if done < len(lines):
            room.grow(done)
    return room.result()
