"""The interface of every estimator of cluster mass, classical or learned."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import MissingFieldError
from .posterior import MassPosterior

#: what an estimator may ask for
INPUTS = ("velocities", "radii", "sky_positions", "redshift", "maps", "shear", "quantities")


class Observations(Protocol):
    """What estimators read of clusters: a `ClusterSample`, a `ClusterSet`, or anything with these attributes.

    Galaxies of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of `x`, `y` [comoving Mpc] and `velocity` [km/s].
    `redshift`, `max_radius` [comoving Mpc] and `max_velocity` [km/s] are one number or one a cluster.
    """

    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def x(self) -> NDArray[Any]: ...
    @property
    def y(self) -> NDArray[Any]: ...
    @property
    def velocity(self) -> NDArray[Any]: ...
    @property
    def redshift(self) -> Any: ...
    @property
    def max_radius(self) -> Any: ...
    @property
    def max_velocity(self) -> Any: ...
    @property
    def cosmology(self) -> Cosmology: ...
    @property
    def radius(self) -> NDArray[Any]: ...
    @property
    def n_galaxies(self) -> NDArray[np.int64]: ...
    def __len__(self) -> int: ...


class Estimator(ABC):
    """An estimator of cluster mass.

    Its settings are the arguments of its constructor. `state` and `from_state` take it apart and put it together again,
    which is what `save_estimator` and `load_estimator` write and read.

    Attributes
    ----------
    name : str
        As in `make_estimator`.
    inputs : tuple of str
        What it reads of a cluster, out of `INPUTS`.
    mass_definition : str
        ``"M200c"`` or ``"M500c"``, in Msun without h.
    source : str
        Paper, and equation.
    needs_fit : bool
        Whether it learns from clusters of known mass before it can predict.
    """

    name: str
    inputs: ClassVar[tuple[str, ...]]
    mass_definition: str = "M200c"
    source: str
    needs_fit: bool = False

    def fit(self, clusters: Any) -> Self:
        """Learn from clusters of known mass, all rows of them; selecting and weighting is the caller's.

        Parameters
        ----------
        clusters : ClusterSet, or ClusterSample with `log10_m200c`
            Of known mass.

        Returns
        -------
        Estimator
            Itself. Estimators with a published calibration have nothing to learn and stay as they are.
        """
        return self

    def fit_folds(self, clusters: Any, training_rows: Sequence[NDArray[np.int64]]) -> list[Self]:
        """Learn once for each set of rows, as cross-validation needs it; estimators that gain by it do all at once.

        Parameters
        ----------
        clusters : ClusterSet, or ClusterSample with `log10_m200c`
            Of known mass. Rows that are in none of the sets are not learned from.
        training_rows : sequence of int arrays
            Rows of `clusters` that each estimator learns from.

        Returns
        -------
        list of Estimator
            One for each set of rows; `self` stays as it is.
        """
        return [copy.deepcopy(self).fit(clusters.only(rows)) for rows in training_rows]

    @abstractmethod
    def predict(self, clusters: Any) -> MassPosterior:
        """Masses of clusters, one row each, in the order given.

        Clusters that the method can say nothing about (too few galaxies, a missing quantity) are NaN and flagged;
        inputs outside the range of the calibration or the training are flagged.
        """

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Everything it takes to make this estimator again: a dict for JSON, and arrays."""

    @classmethod
    @abstractmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""


def per_cluster(value: Any, name: str, n: int) -> NDArray[np.float64]:
    """One number or one a cluster, as float64 of shape (n,)."""
    values = np.asarray(value, np.float64)
    return np.array(np.broadcast_to(values, (n,))) if values.ndim == 0 else check.float64_array(values, name, (n,))


def true_masses(clusters: Any) -> NDArray[np.float64]:
    """log10 M200c [Msun] of clusters of known mass.

    Raises
    ------
    MissingFieldError
        If the masses are not known.
    BadInputError
        If one is not finite.
    """
    masses = getattr(clusters, "log10_m200c", None)
    if masses is None:
        raise MissingFieldError("clusters to fit must have `log10_m200c`, got none")
    masses = check.float64_array(masses, "log10_m200c", (len(clusters),))
    check.check_finite(masses, "log10_m200c")
    return masses
