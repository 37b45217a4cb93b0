"""Posteriors for an estimator that gives points: a slice of the joint density of estimate and truth.

Kodi Ramanah, Wojtak & Arendse 2021, MNRAS 501, 4080, section 4: simulation-based inference with the output of a
network as the summary of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import BadInputError, NotFittedError
from ..ops.kde import estimate_density
from .posterior import FLAGS, MassPosterior

FloatArray = NDArray[np.float64]
CELLS = 1000  #: along each axis, end points included, as published
MIN_PAIRS = 10  #: clusters that a density is made of, at least
BANDWIDTH = 0.20  #: of the kernel over the scatter of the points, as published


class JointDensityPosterior:
    """P(M | estimate) as a slice of a kernel density of (estimate, true mass) over clusters that were held out.

    The masses of those clusters are the prior. The published grid is 13.25 to 15.5 in log10 M200c [Msun/h]; here both
    axes reach `margin` beyond the points, in log10 Msun.

    Parameters
    ----------
    bandwidth : float
        Of the Gaussian kernel, in units of the covariance of the points: 0.20 as published.
    margin : float
        Dex beyond the smallest and the largest value.

    Notes
    -----
    Cost: the density of n points on 1000 x 1000 nodes once, about 0.1 ms a point; a slice for each prediction.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> truth = random.uniform(13.5, 15.0, 3000)
    >>> joint = JointDensityPosterior().fit(truth + 0.2 * random.standard_normal(3000), truth)
    >>> found = joint.posterior([14.2], "M200c")
    >>> abs(float(found.upper[0] - found.lower[0]) / 2 - 0.2) < 0.03
    True
    """

    def __init__(self, bandwidth: float = BANDWIDTH, margin: float = 0.25) -> None:
        self.bandwidth = check.number(bandwidth, "bandwidth", above=0)
        self.margin = check.number(margin, "margin", low=0)
        self._points: FloatArray | None = None
        self._grid = np.empty(0)
        self._density = np.empty((0, 0), np.float32)

    def fit(self, estimate: ArrayLike, truth: ArrayLike) -> Self:
        """Take the joint density of estimates and true log10 masses, both (n,), of clusters nobody trained on.

        Raises
        ------
        BadInputError
            For fewer than 10 clusters, or values that are not finite.
        """
        pairs = [check.float64_array(v, name, (None,)) for v, name in ((estimate, "estimate"), (truth, "truth"))]
        for values, name in zip(pairs, ("estimate", "truth"), strict=True):
            check.check_finite(values, name)
        if pairs[0].size != pairs[1].size or pairs[0].size < MIN_PAIRS:
            raise BadInputError(
                f"at least {MIN_PAIRS} pairs are needed, got {pairs[0].size} estimates, {pairs[1].size} truths"
            )
        self._points = np.stack(pairs, axis=1)
        low, high = float(self._points.min()) - self.margin, float(self._points.max()) + self.margin
        self._grid = np.linspace(low, high, CELLS)
        self._density = estimate_density(
            self._points.astype(np.float32), [0, len(self._points)], axes=[(low, high, CELLS)] * 2,
            bandwidth=self.bandwidth, at="nodes",
        )[0]  # fmt: skip
        return self

    def posterior(self, estimate: ArrayLike, mass_definition: str, *, flags: Any = None) -> MassPosterior:
        """Posteriors of clusters of these estimates (n,); `log10_mass` is the estimate itself.

        Estimates beyond the grid, or where no cluster was, are flagged ``out_of_support``; NaN stays NaN.
        """
        if self._points is None:
            raise NotFittedError("a joint density must be fitted before it gives posteriors")
        at = check.float64_array(estimate, "estimate", (None,))
        marks = np.zeros(at.size, np.uint32) if flags is None else np.array(flags, np.uint32)
        step = self._grid[1] - self._grid[0]
        row = np.floor((np.nan_to_num(at) - self._grid[0]) / step)  # as published: the row below, no interpolation
        row = np.where((row >= 0) & (row < CELLS), row, -1.0).astype(np.int64)
        rows, back = np.unique(row, return_inverse=True)  # at most CELLS + 1, however many clusters
        density = self._density[rows].astype(np.float64)
        has = (density.sum(axis=1) > 1e-12 * float(self._density.max())) & (rows >= 0)
        density[~has] = np.nan
        nowhere = np.where(has, np.uint32(0), np.uint32(FLAGS["out_of_support"]))
        found = MassPosterior.from_density(self._grid, density, mass_definition, flags=nowhere).only(back)
        marks[~has[back] & np.isfinite(at)] |= np.uint32(FLAGS["out_of_support"])
        marks[np.isnan(at) & (marks == 0)] |= np.uint32(FLAGS["missing_input"])
        marks |= found.flags & np.uint32(FLAGS["at_prior_edge"] | FLAGS["no_interval"])
        return replace(found, log10_mass=at, flags=marks)

    def state(self) -> tuple[dict[str, float], dict[str, FloatArray]]:
        """Settings and points."""
        if self._points is None:
            raise NotFittedError("a joint density must be fitted before it is saved")
        return {"bandwidth": self.bandwidth, "margin": self.margin}, {"points": self._points}

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The density of which `state` came."""
        return cls(**config).fit(arrays["points"][:, 0], arrays["points"][:, 1])
