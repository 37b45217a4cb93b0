"""What an estimator says of masses: a point, an interval, and the whole distribution where it has one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import ArrayError, BadInputError, DomainError
from .prior import MassPrior, change_of_prior

FloatArray = NDArray[np.float64]
MASS_DEFINITIONS = ("M200c", "M500c")

#: reason -> bit in `MassPosterior.flags`
FLAGS: Mapping[str, int] = {
    "too_few_galaxies": 1,  # no estimate, or one that the method does not promise anything for
    "out_of_support": 2,  # input or mass outside the range that the estimator was calibrated or trained in
    "no_interval": 4,  # limits are NaN
    "not_converged": 8,  # an iteration or a fit ended early
    "at_prior_edge": 16,  # the distribution is cut by the range that was searched
    "missing_input": 32,  # a needed quantity is NaN
}
_ONE_SIGMA = (NormalDist().cdf(-1.0), NormalDist().cdf(1.0))  # 0.1587, 0.8413
_NODES = 1025  # where Gaussian halves are multiplied by a prior
_KEPT = 2**31  # marks rows that keep their point; never leaves this file
_erf = np.frompyfunc(math.erf, 1, 1)


@dataclass(frozen=True)
class MassPosterior:
    """Distributions of log10 of the mass [Msun, no h] of n clusters.

    Make one with `point`, `from_gaussian`, `from_density` or `from_samples`. Rows without an estimate are NaN and carry
    a flag that says why.

    Attributes
    ----------
    log10_mass : (n,) float64
        Median; for `point` whatever the estimator calls its estimate.
    lower, upper : (n,) float64
        Ends of the central 68.3 % interval; NaN where the estimator gives none.
    mass_definition : {"M200c", "M500c"}
    flags : (n,) uint32
        Sum of the bits in `FLAGS`; 0: nothing to remark. `flagged` reads them.
    grid, density : (k,) and (n, k) float64, or None
        Probability per dex on a grid of log10 mass, integral one by the trapezoid rule.
    samples : (n, s) float64, or None
        Draws of log10 mass.
    """

    log10_mass: FloatArray
    lower: FloatArray
    upper: FloatArray
    mass_definition: str
    flags: NDArray[np.uint32]
    grid: FloatArray | None = None
    density: FloatArray | None = None
    samples: FloatArray | None = None

    def __post_init__(self) -> None:
        check.choice(self.mass_definition, "mass_definition", MASS_DEFINITIONS)
        n = np.size(self.log10_mass)
        for name in ("log10_mass", "lower", "upper"):
            object.__setattr__(self, name, check.float64_array(getattr(self, name), name, (n,)))
        flags = np.asarray(self.flags)
        if flags.shape != (n,) or flags.dtype.kind not in "iu":
            raise ArrayError(f"`flags` must be integers of shape ({n},), got {flags.dtype} of shape {flags.shape}")
        flags = flags.astype(np.uint32)
        flags |= np.uint32(FLAGS["no_interval"]) * ~(np.isfinite(self.lower) & np.isfinite(self.upper))
        object.__setattr__(self, "flags", flags)
        bad = np.isnan(self.log10_mass) & ((self.flags & ~np.uint32(FLAGS["no_interval"])) == 0)
        if bad.any() or np.isinf(self.log10_mass).any():
            row = int(np.argmax(bad | np.isinf(self.log10_mass)))
            raise BadInputError(f"`log10_mass` must be finite, or NaN with a flag that says why, got row {row}")

    @classmethod
    def point(cls, log10_mass: ArrayLike, mass_definition: str, *, flags: Any = None) -> MassPosterior:
        """Estimates without intervals."""
        mass = check.float64_array(log10_mass, "log10_mass", (None,))
        nan = np.full(mass.shape, np.nan)
        return cls(mass, nan, nan.copy(), mass_definition, _no_flags(flags, mass.size))

    @classmethod
    def from_gaussian(
        cls, log10_mass: ArrayLike, sigma: ArrayLike, mass_definition: str, *, flags: Any = None
    ) -> MassPosterior:
        """Log-normal distributions of median `log10_mass` and standard deviation `sigma` [dex]; shapes (n,) or ().

        Two sigmas, shape (2, n), are those below and above the median.
        """
        mass = check.float64_array(log10_mass, "log10_mass", (None,))
        width = np.asarray(sigma, np.float64)
        if width.ndim > 2 or (width.ndim == 2 and width.shape != (2, mass.size)):
            raise ArrayError(f"`sigma` must have shape (), ({mass.size},) or (2, {mass.size}), got {width.shape}")
        below, above = width if width.ndim == 2 else (width, width)
        if (below < 0).any() or (above < 0).any():
            raise DomainError("`sigma` must not be negative")
        return cls(mass, mass - below, mass + above, mass_definition, _no_flags(flags, mass.size))

    @classmethod
    def from_density(
        cls, grid: ArrayLike, density: ArrayLike, mass_definition: str, *, flags: Any = None
    ) -> MassPosterior:
        """Any distribution: `density` (n, k), not negative, of any norm, at `grid` (k,), rising.

        Rows of zeros or NaN have no estimate; they need a flag. Rows whose largest value is at an end of the grid get
        the flag ``at_prior_edge``.
        """
        at = check.float64_array(grid, "grid", (None,))
        values = check.float64_array(density, "density", (None, at.size))
        check.check_finite(at, "grid")
        if at.size < 2 or (np.diff(at) <= 0).any():
            raise BadInputError("`grid` must have at least two values and rise")
        if (values < 0).any() or np.isinf(values).any():
            raise BadInputError("`density` must be finite and not negative, or NaN in the whole row")
        norm = np.asarray(np.trapezoid(values, at, axis=1))
        has = np.asarray(norm > 0)
        scaled = np.full_like(values, np.nan)
        scaled[has] = values[has] / norm[has, None]
        marks = _no_flags(flags, len(values))
        peak = np.argmax(np.where(has[:, None], values, 0.0), axis=1)
        marks[has & ((peak == 0) | (peak == at.size - 1))] |= np.uint32(FLAGS["at_prior_edge"])
        median, low, high = _grid_quantiles(at, scaled, np.array([0.5, *_ONE_SIGMA])).T
        return cls(median, low, high, mass_definition, marks, grid=at, density=scaled)

    @classmethod
    def from_samples(cls, samples: ArrayLike, mass_definition: str, *, flags: Any = None) -> MassPosterior:
        """Draws of log10 mass, shape (n, s); a row of NaN has no estimate and needs a flag."""
        draws = check.float64_array(samples, "samples", (None, None))
        if draws.shape[1] < 1 or (np.isnan(draws).any(axis=1) != np.isnan(draws).all(axis=1)).any():
            raise BadInputError("`samples` must have at least one draw a row, and no row that is NaN in part")
        median, low, high = np.quantile(draws, [0.5, *_ONE_SIGMA], axis=1)
        return cls(median, low, high, mass_definition, _no_flags(flags, len(draws)), samples=draws)

    def __len__(self) -> int:
        return self.log10_mass.size

    def flagged(self, *reasons: str) -> NDArray[np.bool_]:
        """Rows that carry any of these flags; without arguments, any flag but ``no_interval``."""
        names = reasons or tuple(name for name in FLAGS if name != "no_interval")
        bits = sum(FLAGS[check.choice(name, "reasons", tuple(FLAGS))] for name in names)
        return np.asarray((self.flags & np.uint32(bits)) != 0)

    def quantile(self, levels: ArrayLike) -> FloatArray:
        """log10 mass at each level of probability, shape (n, k); NaN where there is no interval.

        Raises
        ------
        DomainError
            If a level is not between 0 and 1 (both excluded).
        """
        p = np.atleast_1d(check.float64_array(np.atleast_1d(levels), "levels", (None,)))
        if not ((p > 0) & (p < 1)).all():
            raise DomainError("`levels` must lie between 0 and 1")
        if self.samples is not None:
            return np.asarray(np.quantile(self.samples, p, axis=1).T)
        if self.density is not None and self.grid is not None:
            return _grid_quantiles(self.grid, self.density, p)
        score = np.array([NormalDist().inv_cdf(level) for level in p])
        width = np.where(score < 0, (self.log10_mass - self.lower)[:, None], (self.upper - self.log10_mass)[:, None])
        return np.asarray(self.log10_mass[:, None] + score * width)

    def interval(self, level: float = 0.6827) -> tuple[FloatArray, FloatArray]:
        """Ends of the central interval that holds a share `level` of the probability."""
        share = check.number(level, "level", above=0, high=1 - 1e-12)
        low, high = self.quantile([0.5 - 0.5 * share, 0.5 + 0.5 * share]).T
        return low, high

    def cdf(self, log10_mass: ArrayLike) -> FloatArray:
        """Probability below these masses, shape (n,): of the true ones, the PIT values of a calibration test."""
        at = check.float64_array(log10_mass, "log10_mass", (len(self),))
        if self.samples is not None:
            below = (self.samples < at[:, None]).mean(axis=1) + 0.5 * (self.samples == at[:, None]).mean(axis=1)
            return np.asarray(np.where(np.isnan(self.log10_mass) | np.isnan(at), np.nan, below))
        if self.density is not None and self.grid is not None:
            return _grid_cdf(self.grid, self.density, at)
        away = at - self.log10_mass
        with np.errstate(divide="ignore", invalid="ignore"):
            score = away / np.where(away < 0, self.log10_mass - self.lower, self.upper - self.log10_mass)
            score = np.where(away == 0, np.where(np.isnan(self.lower), np.nan, 0.0), score)
        return np.asarray(0.5 + 0.5 * np.asarray(_erf(score / math.sqrt(2.0)), np.float64))

    def reweighted(self, training: MassPrior, prior: MassPrior | None = None) -> MassPosterior:
        """These distributions with another prior: divided by that of training, times `prior`, and normalised.

        Parameters
        ----------
        training : MassPrior
            Distribution of the masses that the estimator has learned from, which its posteriors carry.
        prior : MassPrior, optional
            What to put in its place, such as a mass function; flat in log mass if left out.

        Returns
        -------
        MassPosterior
            Median, interval and density (draws, where there were draws); of an interval alone the density of its
            Gaussian halves. Points without an interval stay as they are. Zero where training had less than a thousandth
            of its largest density: nothing was learned there. Rows of which nothing is left are NaN and flagged
            ``out_of_support``.

        Notes
        -----
        Right as far as the posterior is that of the training prior, P(M | d) = P(d | M) P(M) / P(d); Ho et al. 2021,
        ApJ 908, 204. Draws are weighted and drawn again at even quantiles.

        Examples
        --------
        A Gaussian of width 0.2 dex and a prior that falls as exp(-5 log10 M): the mean moves by 5 * 0.2^2 dex.

        >>> at = np.linspace(12, 17, 2001)
        >>> flat, steep = MassPrior(at, np.ones(2001)), MassPrior(at, np.exp(-5 * (at - 12)))
        >>> MassPosterior.from_gaussian([14.5], 0.2, "M200c").reweighted(flat, steep).log10_mass.round(4).tolist()
        [14.3]
        """
        if self.samples is not None:
            return self._drawn_again(training, prior)
        known = np.isfinite(self.lower) & np.isfinite(self.upper)
        if self.density is not None and self.grid is not None:
            grid, density = self.grid, self.density
        else:
            known &= self.lower < self.upper
            grid, density = self._halves(training, known)
        new = np.full(density.shape, np.nan)
        new[known] = density[known] * change_of_prior(grid, training, prior)
        marks = self.flags & ~np.uint32(FLAGS["no_interval"])
        lost = known & ~(np.nansum(new, axis=1) > 0)
        marks[lost] |= np.uint32(FLAGS["out_of_support"])
        points = ~known & np.isfinite(self.log10_mass)
        found = MassPosterior.from_density(grid, new, self.mass_definition, flags=marks | np.uint32(_KEPT) * points)
        mass = np.where(points, self.log10_mass, found.log10_mass)
        return replace(found, log10_mass=mass, flags=found.flags & ~np.uint32(_KEPT))

    def _halves(self, training: MassPrior, known: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Grid over the masses of training, and the Gaussian halves of the rows that are known."""
        grid = np.linspace(*training.support, _NODES)
        density = np.full((len(self), _NODES), np.nan)
        away = grid - self.log10_mass[known, None]
        below, above = self.log10_mass - self.lower, self.upper - self.log10_mass
        with np.errstate(divide="ignore", invalid="ignore"):
            score = away / np.where(away < 0, below[known, None], above[known, None])
        # halves of equal probability, as `cdf` has them
        width = np.where(away < 0, below[known, None], above[known, None])
        density[known] = np.divide(np.exp(-0.5 * score**2), width, out=np.zeros_like(score), where=width > 0)
        return grid, density

    def _drawn_again(self, training: MassPrior, prior: MassPrior | None) -> MassPosterior:
        assert self.samples is not None  # the caller has looked
        draws = np.sort(self.samples, axis=1)
        weights = np.nan_to_num(change_of_prior(draws, training, prior))
        total = np.cumsum(weights, axis=1)
        n = draws.shape[1]
        chosen = np.array([np.searchsorted(row, (np.arange(n) + 0.5) / n * row[-1]) for row in total])
        new = np.take_along_axis(draws, np.minimum(chosen.reshape(draws.shape), n - 1), axis=1)
        marks = self.flags & ~np.uint32(FLAGS["no_interval"])
        lost = ~(total[:, -1] > 0)
        new[lost] = np.nan
        marks[lost & (marks == 0)] |= np.uint32(FLAGS["out_of_support"])
        return MassPosterior.from_samples(new, self.mass_definition, flags=marks)

    def only(self, rows: Any) -> MassPosterior:
        """Some rows (slice, index array or mask)."""
        names = ("log10_mass", "lower", "upper", "flags", "density", "samples")
        return replace(self, **{k: v[rows] for k in names if (v := getattr(self, k)) is not None})


def _no_flags(flags: Any, n: int) -> NDArray[np.uint32]:
    return np.zeros(n, np.uint32) if flags is None else np.array(flags, np.uint32)


def _cumulative(grid: FloatArray, density: FloatArray) -> FloatArray:
    steps = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(grid)
    return np.concatenate([np.zeros((len(density), 1)), np.cumsum(steps, axis=1)], axis=1)


def _grid_quantiles(grid: FloatArray, density: FloatArray, levels: FloatArray) -> FloatArray:
    """Where the density, linear between the points of the grid, has these shares of its integral below."""
    total = _cumulative(grid, density)
    out = np.empty((len(density), levels.size))
    rows = np.arange(len(density))
    for j, level in enumerate(levels):
        i = np.clip((total < level).sum(axis=1) - 1, 0, grid.size - 2)
        left, right, step = density[rows, i], density[rows, i + 1], (grid[i + 1] - grid[i])
        rest = np.maximum(level - total[rows, i], 0.0)
        slope = (right - left) / step
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(np.maximum(left**2 + 2.0 * slope * rest, 0.0))
            share = np.where(left + root > 0, 2.0 * rest / (left + root), 0.0)
        out[:, j] = np.where(np.isnan(total[:, -1]), np.nan, grid[i] + np.minimum(share, step))
    return out


def _grid_cdf(grid: FloatArray, density: FloatArray, at: FloatArray) -> FloatArray:
    total = _cumulative(grid, density)
    rows = np.arange(len(density))
    i = np.clip(np.searchsorted(grid, at, "right") - 1, 0, grid.size - 2)
    away = np.clip(at - grid[i], 0.0, grid[i + 1] - grid[i])
    left = density[rows, i]
    slope = (density[rows, i + 1] - left) / (grid[i + 1] - grid[i])
    return np.asarray(np.clip(total[rows, i] + away * (left + 0.5 * slope * away), 0.0, 1.0))
