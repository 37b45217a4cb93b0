"""What single galaxies do to the mass of a cluster: results, means over clusters and tables of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
SPEEDS = (0.0, 300.0, 600.0, 900.0, 1300.0, 1700.0, np.inf)  #: km/s, edges of the table of means
Row = dict[str, Any]


@dataclass(frozen=True)
class GalaxySaliency:
    """How the estimate of n clusters depends on their m galaxies.

    Galaxies of cluster i are ``offsets[i]`` to ``offsets[i + 1] - 1`` of the flat arrays: those that the network sees.

    Attributes
    ----------
    estimator, mass_definition : str
    names : (n,) array of str
    log10_mass : (n,) float64
        The estimate: the mean, of a distribution [Msun, no h].
    offsets : (n + 1,) int64
    galaxy : (m,) int64
        Where each is in the columns of the sample that was explained.
    velocity, radius : (m,) float64, km/s and comoving Mpc
    influence : (m,) float64
        dex: log10 mass with this galaxy minus without it, found by leaving it out.
    by_velocity, by_radius : (m,) float64
        Derivatives, dex per km/s and dex per comoving Mpc.
    by_weight : (m,) float64, or None
        Derivative by the weight of each galaxy [dex], where the density grid is differentiable: `influence` to first
        order.
    velocities, radii : (a,) and (b,) float64, km/s and comoving Mpc
        Places of `maps`.
    maps : (n, a, b) float64
        dex per hundredth of the galaxies: what one more in a hundred, at this place, would change. Of a network on a
        grid of velocity and radius the gradient by its cells less its mean over the galaxies; else found by adding one.
    """

    estimator: str
    mass_definition: str
    names: NDArray[Any]
    log10_mass: FloatArray
    offsets: NDArray[np.int64]
    galaxy: NDArray[np.int64]
    velocity: FloatArray
    radius: FloatArray
    influence: FloatArray
    by_velocity: FloatArray
    by_radius: FloatArray
    by_weight: FloatArray | None
    velocities: FloatArray
    radii: FloatArray
    maps: FloatArray

    def __len__(self) -> int:
        return self.log10_mass.size

    @property
    def cluster(self) -> NDArray[np.int64]:
        """Cluster of each galaxy."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def galaxy_rows(self, is_member: NDArray[Any] | None = None) -> list[Row]:
        """A row of a table for each galaxy; `is_member` of the sample that was explained, where it is known."""
        columns = {
            "cluster": self.names[self.cluster], "velocity_km_s": self.velocity, "radius_mpc": self.radius,
            "influence_dex": self.influence, "dex_per_km_s": self.by_velocity, "dex_per_mpc": self.by_radius,
        }  # fmt: skip
        if self.by_weight is not None:
            columns["dex_per_weight"] = self.by_weight
        if is_member is not None:
            columns["is_member"] = np.asarray(is_member, bool)[self.galaxy].astype(int)
        return [{name: values[k].item() for name, values in columns.items()} for k in range(self.galaxy.size)]

    def bins(self, n_bins: int) -> NDArray[np.int64]:
        """Bin of each cluster: equal numbers, by rising estimate."""
        rank = np.argsort(np.argsort(self.log10_mass, kind="stable"), kind="stable")
        return np.asarray(rank * min(n_bins, len(self)) // max(len(self), 1), np.int64)

    def bin_rows(self, n_bins: int, is_member: NDArray[Any] | None = None) -> list[Row]:
        """Mean influence of galaxies by mass bin and speed, and of members and interlopers where they are known."""
        found: list[Row] = []
        own, speed = self.bins(n_bins), np.abs(self.velocity)
        kinds = {"all": np.ones(speed.size, bool)}
        if is_member is not None:
            member = np.asarray(is_member, bool)[self.galaxy]
            kinds |= {"members": member, "interlopers": ~member}
        for number in np.unique(own):
            mass = self.log10_mass[own == number]
            here = own[self.cluster] == number
            for kind, chosen in kinds.items():
                for low, high in (*pairwise(SPEEDS), (SPEEDS[0], SPEEDS[-1])):
                    part = here & chosen & (speed >= low) & (speed < high)
                    if part.any():
                        found.append({
                            "mass_low": float(mass.min()), "mass_high": float(mass.max()), "n_clusters": mass.size,
                            "galaxies": kind, "speed_low_km_s": low, "speed_high_km_s": high, "n": int(part.sum()),
                            "mean_influence_dex": float(self.influence[part].mean()),
                            "sigma_influence_dex": float(self.influence[part].std()),
                        })  # fmt: skip
        return found
