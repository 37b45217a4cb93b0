"""Distributions of masses before any observation: that of training, which a posterior carries, and others for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import BadInputError
from ..ops.kde import estimate_density

FloatArray = NDArray[np.float64]
BANDWIDTH = 0.3  #: of the kernel over the scatter of the masses, as in the code of Ho et al. 2021
NODES = 513
REACH = 4.0  #: of the nodes beyond the masses, in kernel widths
FLOOR = 1e-3  #: of the largest density: where there was less in training, a posterior knows nothing


@dataclass(frozen=True)
class MassPrior:
    """A density of log10 mass [Msun, no h], linear between nodes and zero beyond them.

    Attributes
    ----------
    grid : (k,) float64
        log10 mass, rising.
    density : (k,) float64
        Probability per dex of any norm, not negative.

    Raises
    ------
    ArrayError, BadInputError
        For wrong shapes, a grid that does not rise, densities that are negative, not finite, or zero everywhere.

    Examples
    --------
    >>> steep = MassPrior([13.0, 16.0], [1.0, 0.0])
    >>> steep.at([13.0, 14.5, 17.0]).tolist()
    [1.0, 0.5, 0.0]
    """

    grid: FloatArray
    density: FloatArray

    def __post_init__(self) -> None:
        grid = check.float64_array(self.grid, "grid", (None,))
        density = check.float64_array(self.density, "density", (grid.size,))
        check.check_finite(grid, "grid")
        check.check_finite(density, "density")
        if grid.size < 2 or (np.diff(grid) <= 0).any():
            raise BadInputError("`grid` must have at least two values and rise")
        if (density < 0).any() or not density.any():
            raise BadInputError("`density` must not be negative, and not zero everywhere")
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "density", density)

    @classmethod
    def of_masses(cls, log10_mass: ArrayLike, bandwidth: float = BANDWIDTH) -> MassPrior:
        """Gaussian kernel density of masses, as Ho et al. 2021 (ApJ 908, 204) take that of their training clusters.

        Parameters
        ----------
        log10_mass : array_like of float, shape (n,)
            Of the clusters.
        bandwidth : float
            Width of the kernel over the standard deviation of the masses.

        Raises
        ------
        BadInputError
            For fewer than two different masses, or one that is not finite.
        """
        masses = check.float64_array(log10_mass, "log10_mass", (None,))
        check.check_finite(masses, "log10_mass")
        if masses.size < 2 or masses.min() == masses.max():
            raise BadInputError("`log10_mass` must hold at least two different masses")
        wide = REACH * check.number(bandwidth, "bandwidth", above=0) * float(masses.std(ddof=1))
        low, high = float(masses.min()) - wide, float(masses.max()) + wide
        found = estimate_density(
            masses[:, None], [0, masses.size], axes=[(low, high, NODES)], bandwidth=bandwidth, at="nodes",
            normalise="sum",
        )[0]  # fmt: skip
        return cls(np.linspace(low, high, NODES), found * (NODES - 1) / (high - low))

    def at(self, log10_mass: ArrayLike) -> FloatArray:
        """Density at these masses, of their shape."""
        return np.asarray(np.interp(np.asarray(log10_mass, np.float64), self.grid, self.density, left=0.0, right=0.0))

    @property
    def support(self) -> tuple[float, float]:
        """First and last mass where the density is at least `FLOOR` of its largest."""
        known = self.grid[self.density >= FLOOR * self.density.max()]
        return float(known[0]), float(known[-1])


def change_of_prior(log10_mass: FloatArray, training: MassPrior, prior: MassPrior | None = None) -> FloatArray:
    """What a posterior density is to be multiplied by at these masses; of any norm, zero beyond `training.support`.

    Examples
    --------
    >>> training = MassPrior([13.0, 16.0], [2.0, 1.0])
    >>> change_of_prior(np.array([13.0, 16.0, 17.0]), training).tolist()
    [0.5, 1.0, 0.0]
    """
    low, high = training.support
    inside = (log10_mass >= low) & (log10_mass <= high)
    wanted = np.ones_like(log10_mass) if prior is None else prior.at(log10_mass)
    return np.asarray(np.where(inside, wanted / np.where(inside, training.at(log10_mass), 1.0), 0.0))
