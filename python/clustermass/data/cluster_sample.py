"""What an observer has of clusters: galaxies around each, quantities of each, and the truth only where it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import ArrayError, DomainError
from ..ragged import take_rows

_FLAT = ("x", "y", "velocity", "velocity_error")
_ROWS = ("names", "redshift", "max_radius", "max_velocity", "log10_m200c")


@dataclass(frozen=True)
class ClusterSample:
    """Clusters as observed, from a real table or a simulation; estimators take it like the `ClusterSet` of a mock.

    The galaxies of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of the flat columns. A sample of maps or
    luminosities has none: then all offsets are zero.

    Parameters
    ----------
    names : (n,) array of str
    offsets : (n + 1,) int64
    x, y : (n_galaxies,) float, comoving Mpc
        Place on the sky relative to the centre. Where only the projected radius is known: x = R, y = 0.
    velocity : (n_galaxies,) float, km/s
        Along the line of sight relative to the cluster, c (z - z_cluster) / (1 + z_cluster).
    redshift : (n,) float64
    cosmology : Cosmology
    max_radius, max_velocity : (n,) float64, comoving Mpc and km/s
        Where galaxies were looked for: the selection is complete in |velocity| and radius up to these.
    velocity_error : (n_galaxies,) float, km/s, optional
    quantities : mapping of str to (n,) float64
        Measurements of whole clusters; the name carries the unit where it is not one of the package's:
        ``"y_500"`` [Mpc^2], ``"l_x"`` [erg/s].
    log10_m200c : (n,) float64, optional
        True log10 M200c [Msun, no h], of simulated clusters.
    source : str
        File or survey.

    Raises
    ------
    ArrayError, BadInputError, DTypeError, DomainError
        If lengths do not agree, a value that must be finite is not, or a redshift, an aperture or an error is negative.

    Examples
    --------
    >>> from clustermass.cosmology import PLANCK_2018
    >>> sample = ClusterSample(
    ...     names=["A1656"], offsets=[0, 3], x=[0.1, 0.2, 0.7], y=[0.0, 0.1, 0.3], velocity=[-800.0, 300.0, 650.0],
    ...     redshift=[0.0235], cosmology=PLANCK_2018, max_radius=[2.0], max_velocity=[4000.0], source="a table")
    >>> len(sample), sample.n_galaxies.tolist()
    (1, [3])
    """

    names: NDArray[Any]
    offsets: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    velocity: NDArray[Any]
    redshift: NDArray[np.float64]
    cosmology: Cosmology
    max_radius: NDArray[np.float64]
    max_velocity: NDArray[np.float64]
    velocity_error: NDArray[Any] | None = None
    quantities: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    log10_m200c: NDArray[np.float64] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("names", np.asarray(self.names, dtype=np.str_))
        if self.names.ndim != 1:
            raise ArrayError(f"`names` must have shape (n,), got {self.names.shape}")
        total = np.shape(self.x)[0] if np.ndim(self.x) == 1 else None
        put("offsets", check.offsets(self.offsets, total=total))
        n = self.names.size
        if len(self) != n:
            raise ArrayError(f"`offsets` must have shape (n + 1,) for {n} names, got {self.offsets.shape}")
        for name in _FLAT:
            if getattr(self, name) is not None:
                put(name, check.float_array(getattr(self, name), name, (total,)))
                check.check_finite(getattr(self, name), name)
        for name in _ROWS[1:]:
            if getattr(self, name) is not None:
                put(name, check.float64_array(getattr(self, name), name, (n,)))
        for name in ("redshift", "max_radius", "max_velocity"):
            check.check_finite(getattr(self, name), name)
            check.check_not_negative(getattr(self, name), name)
        if self.velocity_error is not None:
            check.check_not_negative(self.velocity_error, "velocity_error")
        columns = {
            str(key): check.float64_array(values, f"quantities[{key!r}]", (n,))
            for key, values in self.quantities.items()
        }
        put("quantities", columns)
        if not isinstance(self.cosmology, Cosmology):
            raise DomainError(f"`cosmology` must be a Cosmology, got {type(self.cosmology).__name__}")

    def __len__(self) -> int:
        return self.offsets.size - 1

    @classmethod
    def from_mock(cls, clusters: Any) -> ClusterSample:
        """Observations of a mock (`ClusterSet`) as those of a survey, with the true masses; named ``host:view``."""
        n = len(clusters)
        names = [f"{host}:{view}" for host, view in zip(clusters.host_id, clusters.view, strict=True)]
        shared: dict[str, Any] = {
            name: np.full(n, getattr(clusters, name)) for name in ("redshift", "max_radius", "max_velocity")
        }
        flat: dict[str, Any] = {
            name: getattr(clusters, name) for name in ("x", "y", "velocity", "offsets", "log10_m200c", "cosmology")
        }
        return cls(names=np.array(names, np.str_), **flat, **shared)

    @property
    def n_galaxies(self) -> NDArray[np.int64]:
        """Galaxies of each cluster."""
        return np.diff(self.offsets)

    @property
    def radius(self) -> NDArray[Any]:
        """Projected distance from the centre [comoving Mpc]."""
        return np.asarray(np.hypot(self.x, self.y))

    def only(self, rows: Any) -> ClusterSample:
        """Some clusters (slice, index array or mask), with their galaxies."""
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        offsets, where = take_rows(self.offsets, chosen)
        flat = {name: getattr(self, name)[where] for name in _FLAT if getattr(self, name) is not None}
        rows_of = {name: getattr(self, name)[chosen] for name in _ROWS if getattr(self, name) is not None}
        quantities = {name: values[chosen] for name, values in self.quantities.items()}
        changed: dict[str, Any] = flat | rows_of | {"offsets": offsets, "quantities": quantities}
        return replace(self, **changed)

    def keep_galaxies(self, keep: Any) -> ClusterSample:
        """All clusters, with only the galaxies of a mask of shape (n_galaxies,)."""
        mask = np.asarray(keep)
        if mask.dtype != bool or mask.shape != self.x.shape:
            raise ArrayError(f"`keep` must be bool of shape {self.x.shape}, got {mask.dtype} of shape {mask.shape}")
        offsets = np.concatenate([[0], np.cumsum(mask)])[self.offsets].astype(np.int64)
        flat: dict[str, Any] = {name: getattr(self, name)[mask] for name in _FLAT if getattr(self, name) is not None}
        return replace(self, offsets=offsets, **flat)
