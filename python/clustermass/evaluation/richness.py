"""Scatter against richness: how much of it more galaxies would remove, and how much stays."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import BadInputError, DomainError
from . import bootstrap

FloatArray = NDArray[np.float64]
PIVOT = 100.0  #: galaxies at which sigma_n is given
_ROUNDS = 200
_CLOSE = 1e-10  # relative change of the variances at which the fit ends


@dataclass(frozen=True)
class RichnessScatter:
    """Fit of sigma^2 = sigma_n^2 (N / 100)^-1 + sigma_0^2 to residuals.

    Attributes
    ----------
    sigma_n : float
        Scatter at 100 galaxies that falls with richness (statistical) [dex].
    sigma_0 : float
        Scatter that does not (systematic) [dex].
    bias : float
        Mean residual [dex].
    sigma_n_error, sigma_0_error, bias_error : float
        Upwards standard errors, that is sqrt(variance + its error) - sigma: an upper limit where the scatter is 0.
    correlation : float
        Of sigma_n^2 and sigma_0^2.
    log_likelihood : float
    n, n_hosts : int
        Rows, and independent hosts among them.
    is_converged : bool
    """

    sigma_n: float
    sigma_0: float
    bias: float
    sigma_n_error: float
    sigma_0_error: float
    bias_error: float
    correlation: float
    log_likelihood: float
    n: int
    n_hosts: int
    is_converged: bool

    def scatter_at(self, richness: ArrayLike) -> FloatArray:
        """Scatter of the fit [dex] at numbers of galaxies."""
        n = np.asarray(richness, np.float64)
        return np.asarray(np.sqrt(self.sigma_n**2 * PIVOT / n + self.sigma_0**2))

    def as_dict(self) -> dict[str, Any]:
        """One flat row of a table."""
        return asdict(self)


def fit_richness_scatter(
    epsilon: ArrayLike, richness: ArrayLike, *, groups: ArrayLike | None = None
) -> RichnessScatter:
    """Fit the scatter model of Wojtak et al. 2018 (MNRAS 481, 324) to residuals, one by one, by maximum likelihood.

    Parameters
    ----------
    epsilon : array_like of float, shape (n,)
        log10(M_pred / M_true) [dex].
    richness : array_like of float, shape (n,)
        Galaxies that each estimate used, > 0.
    groups : array_like of int or str, shape (n,), optional
        Host of each row, for the errors. Default: each row is a host.

    Returns
    -------
    RichnessScatter

    Raises
    ------
    BadInputError
        For NaN or infinite values, or a richness that is not above 0.
    DomainError
        Below four hosts, or where all clusters have one richness, which cannot tell the two terms apart.
    ArrayError, DTypeError

    Notes
    -----
    Residuals are taken as Gaussian about one mean with the model's variance; both variances are at least 0. Fisher
    scoring, which is a weighted least-squares fit of squared residuals to the two terms, repeated. Errors are those of
    Huber and White from the sums over hosts: they hold for residuals that are not Gaussian and for several views of a
    host. Neither a bias that changes with richness nor a change of shape is in the model. Cost: O(n) a round, tens of
    rounds.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(2)
    >>> richness = random.integers(10, 400, 4000)
    >>> epsilon = np.sqrt(0.1**2 * 100 / richness + 0.08**2) * random.standard_normal(4000)
    >>> fit = fit_richness_scatter(epsilon, richness)
    >>> round(fit.sigma_n, 2), round(fit.sigma_0, 2)
    (0.1, 0.08)
    """
    values = bootstrap.values_of(epsilon, "epsilon")
    galaxies = bootstrap.values_of(richness, "richness", values.size)
    if (galaxies <= 0).any():
        row = int(np.argmax(galaxies <= 0))
        raise BadInputError(f"`richness` must be above 0, got {galaxies[row]:g} at index {row}")
    hosts = bootstrap.hosts_of(groups, values.size)
    n_hosts = int(hosts.max(initial=-1)) + 1
    if n_hosts < 4:
        raise DomainError(f"`epsilon` must be of at least four hosts, got {n_hosts}")
    if np.ptp(galaxies) == 0:
        raise DomainError(f"`richness` must differ between clusters, got {galaxies[0]:g} for all")
    terms = np.stack([PIVOT / galaxies, np.ones(values.size)], axis=1)
    mean, variances, is_converged = _fit(values, terms)
    covariance = _sandwich(values - mean, terms, variances, hosts, n_hosts)
    sigma = np.sqrt(variances)
    spread = np.sqrt(np.diag(covariance))
    rise = np.sqrt(variances + spread[1:]) - sigma
    total = terms @ variances
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = float(-0.5 * np.sum(np.log(2 * np.pi * total) + (values - mean) ** 2 / total))
        correlation = float(covariance[1, 2] / (spread[1] * spread[2]))
    return RichnessScatter(
        float(sigma[0]), float(sigma[1]), float(mean), float(rise[0]), float(rise[1]), float(spread[0]),
        correlation, likelihood, values.size, n_hosts, is_converged,
    )  # fmt: skip


def _fit(values: FloatArray, terms: FloatArray) -> tuple[float, FloatArray, bool]:
    """Mean and the two variances of largest likelihood, and whether they stood still."""
    mean = float(values.mean())
    variances = np.array([0.5 * values.var() / terms[:, 0].mean(), 0.5 * values.var()])
    if values.var() == 0:
        return mean, np.zeros(2), True
    floor = 1e-12 * values.var()  # residuals of exactly 0 scatter would weigh without end
    for _ in range(_ROUNDS):
        total = np.maximum(terms @ variances, floor)
        mean = float((values / total).sum() / (1.0 / total).sum())
        update = 0.5 * (variances + _positive_fit((values - mean) ** 2, terms, total**-2))
        done = bool((np.abs(update - variances) <= _CLOSE * values.var()).all())
        variances = update
        if done:
            break
    variances[variances < 1e-8 * values.var()] = 0.0
    return mean, variances, done


def _positive_fit(squares: FloatArray, terms: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted least squares of `squares` to the terms, with coefficients of at least 0."""
    normal = (terms * weights[:, None]).T @ terms
    right = (terms * weights[:, None]).T @ squares
    free = np.linalg.solve(normal, right)
    if (free >= 0).all():
        return np.asarray(free)
    kept = int(np.argmax(free >= 0)) if (free >= 0).any() else 1
    alone = np.zeros(2)
    alone[kept] = right[kept] / normal[kept, kept]
    return alone


def _sandwich(
    residual: FloatArray, terms: FloatArray, variances: FloatArray, hosts: NDArray[np.int64], n_hosts: int
) -> FloatArray:
    """Covariance (3, 3) of mean and variances (Huber 1967, White 1982), scores summed over the rows of a host."""
    total = terms @ variances
    if (total <= 0).any():
        return np.full((3, 3), np.nan)
    information = np.zeros((3, 3))
    information[0, 0] = (1.0 / total).sum()
    information[1:, 1:] = 0.5 * (terms / total[:, None] ** 2).T @ terms
    scores = np.empty((residual.size, 3))
    scores[:, 0] = residual / total
    scores[:, 1:] = 0.5 * terms * ((residual**2 / total - 1.0) / total)[:, None]
    of_host = np.stack([np.bincount(hosts, column, n_hosts) for column in scores.T], axis=1)
    inverse = np.linalg.inv(information)
    return np.asarray(n_hosts / (n_hosts - 1) * inverse @ (of_host.T @ of_host) @ inverse)
