"""The relation between velocity dispersion and mass, fitted to clusters of known mass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInputError, NotFittedError
from ..base import Estimator, true_masses
from ..posterior import FLAGS, MassPosterior
from .dispersions import Dispersions

FloatArray = NDArray[np.float64]
LEVELS = (np.arange(100) + 0.5) / 100  #: of the quantiles of the residuals that are kept
_PER_BIN, _MAX_BINS = 50, 20
_TOO_FEW, _OUTSIDE = np.uint32(FLAGS["too_few_galaxies"]), np.uint32(FLAGS["out_of_support"])


class MSigma(Estimator):
    """Mass from the velocity dispersion, by a power law fitted to clusters of known mass.

    The fit is that of Ho et al. 2019: ``log10 sigma = intercept + coef * log10(M200c / (1e15 Msun/h))`` by least
    squares of the dispersions, then inverted; no factor of h(z). sigma is in km/s and h that of the cosmology of the
    clusters.

    Intervals come from the residuals of the training clusters: the training clusters are put into up to 20 bins of
    equal number in log10 sigma, of each bin 100 quantiles of true minus predicted log10 mass are kept, and prediction
    interpolates between the middles of the bins. So the posterior of a cluster is what masses the training clusters of
    its dispersion had, under the mass function of the training clusters (flat, in Ho et al. 2019); its median need not
    be the inverted fit, which stays the estimate `log10_mass`.

    Parameters
    ----------
    method : {"std", "gapper", "biweight"}
        Estimator of the dispersion.
    clip : float, optional
        Sigma clipping, as in `velocity_dispersions`.
    interlopers : {"keep", "shifting_gapper"}
        Whether `shifting_gapper` takes out interlopers first; it reads the radii.

    Attributes
    ----------
    coef, intercept : float
        Of the fit; NaN before.

    Notes
    -----
    Flags: ``too_few_galaxies`` below two galaxies (NaN) and below the fewest of the training; ``out_of_support`` for
    dispersions outside those of the training, and NaN for a dispersion of zero. Cost: a microsecond a cluster of 100
    galaxies, and the draws.

    References
    ----------
    .. [1] Ho et al. 2019, ApJ 887, 25, section 4.1, and the code halo_cnn that belongs to it.

    Examples
    --------
    >>> from clustermass.cosmology import Cosmology
    >>> from clustermass.data.cluster_sample import ClusterSample
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> truth = rng.uniform(14, 15, 500)
    >>> sigma = 1000 * 10 ** ((truth - 15) / 3)
    >>> clusters = ClusterSample(
    ...     names=np.arange(500).astype(str), offsets=np.arange(0, 25_001, 50), x=np.zeros(25_000), y=np.zeros(25_000),
    ...     velocity=rng.normal(0, np.repeat(sigma, 50)), redshift=np.zeros(500), cosmology=Cosmology(1.0, 0.3),
    ...     max_radius=np.ones(500), max_velocity=np.full(500, 3000.0), log10_m200c=truth)
    >>> fitted = MSigma().fit(clusters)
    >>> round(fitted.coef, 2), round(fitted.intercept, 1)
    (0.34, 3.0)
    >>> masses = fitted.predict(clusters)
    >>> bool(abs(np.median(masses.log10_mass - truth)) < 0.05)
    True
    """

    name = "m-sigma"
    inputs = ("velocities",)
    source = "Ho et al. 2019, ApJ 887, 25, section 4.1"
    needs_fit = True

    def __init__(self, *, method: str = "std", clip: float | None = None, interlopers: str = "keep") -> None:
        self.dispersions = Dispersions(method, clip, interlopers)
        self.coef = self.intercept = np.nan
        self.scatter = np.nan  #: standard deviation of the residuals of the fit, in log10 sigma
        self._support = np.full(3, np.nan)  # lowest and highest log10 sigma, fewest galaxies
        self._middles, self._residuals = np.empty(0), np.empty((0, LEVELS.size))

    def fit(self, clusters: Any) -> Self:
        """Fit to clusters of known mass; those without a dispersion are left out.

        Parameters
        ----------
        clusters : ClusterSet, or ClusterSample with `log10_m200c`
            The training clusters.

        Returns
        -------
        MSigma
            Itself.

        Raises
        ------
        BadInputError
            If fewer than three clusters have a dispersion, or it does not rise with mass.
        MissingFieldError
            If the masses are not known.
        """
        mass = true_masses(clusters) + np.log10(clusters.cosmology.h) - 15.0  # log10 of 1e15 Msun/h
        found = self.dispersions(clusters)
        good = found.sigma > 0
        if good.sum() < 3:
            raise BadInputError(f"`clusters` must have at least three with a dispersion, got {int(good.sum())}")
        x, y, n = mass[good], np.log10(found.sigma[good]), found.n_used[good]
        spread = x - x.mean()
        total = float(spread @ spread)
        slope = float(spread @ y) / total if total > 0 else 0.0
        if not slope > 0:
            raise BadInputError(f"`clusters` must have dispersions that rise with mass, got a slope of {slope:g}")
        self.coef, self.intercept = slope, float(y.mean() - slope * x.mean())
        self.scatter = float(np.std(y - self.intercept - slope * x))
        self._support = np.array([y.min(), y.max(), float(n.min())])
        order = np.argsort(y, kind="stable")
        residuals = (x - self._invert(y))[order]
        parts = np.array_split(np.arange(y.size), min(max(y.size // _PER_BIN, 1), _MAX_BINS))
        self._middles = np.array([y[order[rows]].mean() for rows in parts])
        self._residuals = np.array([np.quantile(residuals[rows], LEVELS) for rows in parts])
        return self

    def _invert(self, log10_sigma: FloatArray) -> FloatArray:
        """log10 of the mass in 1e15 Msun/h."""
        return np.asarray((log10_sigma - self.intercept) / self.coef)

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses and the distribution of the training masses about them.

        Parameters
        ----------
        clusters : ClusterSample or ClusterSet
            Their velocities, and radii for the shifting gapper.

        Returns
        -------
        MassPosterior
            M200c, with 100 draws a cluster at equal steps of probability.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        if not np.isfinite(self.coef):
            raise NotFittedError(f"{self.name} must be fitted before it can predict")
        found = self.dispersions(clusters)
        with np.errstate(divide="ignore"):
            y = np.log10(found.sigma)
        known = np.isfinite(y)
        low, high, fewest = self._support
        flags = np.where(found.n_used < max(fewest, 2), _TOO_FEW, np.uint32(0))
        flags |= np.where(~((y >= low) & (y <= high)) & (found.n_used >= 2), _OUTSIDE, np.uint32(0))
        unit = 15.0 - np.log10(clusters.cosmology.h)
        mass = np.full(y.shape, np.nan)
        mass[known] = self._invert(y[known]) + unit
        draws = np.full((y.size, LEVELS.size), np.nan)
        draws[known] = mass[known, None] + self._residuals_at(y[known])
        return replace(MassPosterior.from_samples(draws, "M200c", flags=flags), log10_mass=mass)

    def _residuals_at(self, y: FloatArray) -> FloatArray:
        """Quantiles of true minus predicted log10 mass at these log10 sigma, (n, levels)."""
        if self._middles.size == 1:
            return np.broadcast_to(self._residuals, (y.size, LEVELS.size))
        right = np.clip(np.searchsorted(self._middles, y), 1, self._middles.size - 1)
        left = right - 1
        step = self._middles[right] - self._middles[left]
        share = np.clip((y - self._middles[left]) / np.where(step > 0, step, 1.0), 0.0, 1.0)[:, None]
        return np.asarray((1.0 - share) * self._residuals[left] + share * self._residuals[right])

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings, and the line, the support and the residuals of the fit."""
        line = np.array([self.intercept, self.coef, self.scatter])
        arrays = {"line": line, "support": self._support, "middles": self._middles, "residuals": self._residuals}
        return self.dispersions.settings, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of which `state` came."""
        made = cls(**config)
        made.intercept, made.coef, made.scatter = (float(value) for value in arrays["line"])
        made._support, made._middles, made._residuals = (arrays[k] for k in ("support", "middles", "residuals"))
        return made
