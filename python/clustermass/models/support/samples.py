"""Clusters as samples of points: one point a galaxy, in the features that a machine reads."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import BadInputError
from ...ragged import take_rows

FloatArray = NDArray[np.float64]
FEATURES = ("speed", "radius")  #: |velocity| [km/s], projected distance [comoving Mpc]


@dataclass(frozen=True)
class Samples:
    """Points of each cluster: `points` (n_galaxies, d) and `offsets` (n + 1,)."""

    points: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return self.offsets.size - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def only(self, rows: NDArray[np.int64]) -> Samples:
        """Some clusters, in this order."""
        offsets, where = take_rows(self.offsets, rows)
        return Samples(self.points[where], offsets)

    def followed_by(self, other: Samples) -> Samples:
        """Both, one after the other."""
        offsets = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return Samples(np.concatenate([self.points, other.points]), offsets)

    def hashes(self) -> list[bytes]:
        """Hash of the points of each cluster: what tells clusters apart by content."""
        values = np.ascontiguousarray(self.points, np.float64)
        bounds = self.offsets.tolist()
        return [
            hashlib.blake2b(values[first:last].tobytes(), digest_size=16).digest()
            for first, last in itertools.pairwise(bounds)
        ]


@dataclass(frozen=True)
class Scaler:
    """Brings each feature to mean 0 and standard deviation 1 over the galaxies that it was made from."""

    mean: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, samples: Samples) -> Scaler:
        mean, scale = samples.points.mean(axis=0), samples.points.std(axis=0)
        if not (scale > 0).all():
            raise BadInputError(f"galaxies to fit must differ in {FEATURES[int(np.argmin(scale > 0))]}, got one value")
        return cls(mean, scale)

    def __call__(self, samples: Samples) -> Samples:
        """float32, as galaxies are observed to a few digits: distances are then twice as fast."""
        return Samples(((samples.points - self.mean) / self.scale).astype(np.float32), samples.offsets)


def galaxy_samples(clusters: Any, n_features: int) -> Samples:
    """Samples of the galaxies of clusters in the first features of `FEATURES`, in float64.

    Raises
    ------
    BadInputError
        If a value is not finite.
    """
    velocity = check.float64_array(clusters.velocity, "velocity", (None,))
    check.check_finite(velocity, "velocity")
    columns = [np.abs(velocity)]
    if n_features == 2:
        radius = check.float64_array(clusters.radius, "radius", velocity.shape)
        check.check_finite(radius, "radius")
        columns.append(radius)
    return Samples(np.stack(columns, axis=1), check.offsets(clusters.offsets, total=velocity.size))
