"""What galaxies and clusters along the line of sight do to mass estimates."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from ..errors import BadInputError, DomainError
from . import bootstrap
from .calibration import probabilities
from .residuals import BinSummary, ResidualSummary, summarise_in_bins, summarise_residuals

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """One coefficient of a linear fit to residuals.

    Attributes
    ----------
    name : str
    value, error : float
        [dex per unit of the variable]; bootstrap standard error by host.
    p_value : float
        Two-sided significance of a value that is not 0.
    """

    name: str
    value: float
    error: float
    p_value: float


@dataclass(frozen=True)
class ContaminationBias:
    """Residuals against contamination, 1 - purity.

    Attributes
    ----------
    intercept : Slope
        Mean residual of pure clusters [dex].
    slope : Slope
        Change of the mean residual from purity 1 to 0 [dex].
    bins : list of BinSummary
        Residuals in bins of contamination.
    """

    intercept: Slope
    slope: Slope
    bins: list[BinSummary]

    def rows(self) -> list[dict[str, Any]]:
        """The bins as rows of a table."""
        return [one.as_dict() for one in self.bins]


@dataclass(frozen=True)
class InterloperBias:
    """Residuals of clusters with a more massive cluster in their cylinder, beside those without.

    Attributes
    ----------
    without, affected : ResidualSummary
        Rows without and with an interloping cluster.
    shift : Slope
        Mean residual of the affected less that of the others [dex].
    mass_ratio : Slope
        Change of the residual per dex of interloper mass over cluster mass, among the affected.
    nearness : Slope
        Change of the residual per unit of 1 / distance, among the affected.
    bins : list of BinSummary
        Affected rows in bins of log10 of the mass ratio.
    """

    without: ResidualSummary
    affected: ResidualSummary
    shift: Slope
    mass_ratio: Slope
    nearness: Slope
    bins: list[BinSummary]

    def rows(self) -> list[dict[str, Any]]:
        """The bins as rows of a table."""
        return [one.as_dict() for one in self.bins]


def bias_by_contamination(
    epsilon: ArrayLike,
    purity: ArrayLike,
    edges: ArrayLike = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0),
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> ContaminationBias:
    """Fit residuals against the share of galaxies that are not members (Kodi Ramanah et al. 2021, 2009.03340, sect. 4).

    Parameters
    ----------
    epsilon : array_like of float, shape (n,)
        log10(M_pred / M_true) [dex].
    purity : array_like of float, shape (n,)
        Members over all galaxies of the observation, 0 to 1.
    edges : array_like of float
        Of the bins of contamination, 1 - purity.
    groups : array_like of int or str, shape (n,), optional
        Host of each row, drawn as a whole. Default: each row is a host.
    n_bootstrap, seed : int
        For the errors; n_bootstrap at least 100.

    Returns
    -------
    ContaminationBias

    Raises
    ------
    BadInputError
        For NaN, or a purity outside 0 to 1.
    DomainError
        Where all clusters are equally pure, or below three hosts.
    ArrayError, DTypeError

    Notes
    -----
    Least squares. Cost: O(n_bootstrap * n).

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(1)
    >>> purity = random.uniform(0.4, 1.0, 2000)
    >>> found = bias_by_contamination(0.3 * (1 - purity) + 0.1 * random.standard_normal(2000), purity)
    >>> round(found.slope.value, 1), found.slope.p_value < 1e-6
    (0.3, True)
    """
    values = bootstrap.values_of(epsilon, "epsilon")
    contamination = 1.0 - probabilities(purity, "purity", values.size)
    hosts = bootstrap.hosts_of(groups, values.size)
    if values.size == 0 or np.ptp(contamination) == 0:
        raise DomainError("`purity` must differ between clusters: no slope can be fitted")
    intercept, slope = _fit(values, {"contamination": contamination}, hosts, n_bootstrap, seed)
    bins = summarise_in_bins(values, contamination, edges, groups, n_bootstrap=n_bootstrap, seed=seed)
    return ContaminationBias(intercept, slope, bins)


def bias_by_interloper(
    epsilon: ArrayLike,
    mass_ratio: ArrayLike,
    distance: ArrayLike,
    edges: ArrayLike = (0.0, 0.25, 0.5, 1.0, 2.0),
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> InterloperBias:
    """Residuals against mass and nearness of a more massive cluster in the cylinder (Kodi Ramanah et al. 2021, fig. 9).

    Parameters
    ----------
    epsilon : array_like of float, shape (n,)
        log10(M_pred / M_true) [dex].
    mass_ratio : array_like of float, shape (n,)
        Mass of the interloping cluster over that of the cluster; 0 where there is none.
    distance : array_like of float, shape (n,)
        `phase_space_distance` to it, > 0; not looked at where there is none (NaN and infinity will do there).
    edges : array_like of float
        Of the bins of log10(mass_ratio).
    groups : array_like of int or str, shape (n,), optional
        Host of each row, drawn as a whole. Default: each row is a host.
    n_bootstrap, seed : int
        For the errors; n_bootstrap at least 100.

    Returns
    -------
    InterloperBias

    Raises
    ------
    BadInputError
        For NaN (but in `distance` without interloper), a negative mass ratio, a distance that is not above 0.
    DomainError
        Below four rows with and two without an interloper, or if mass ratios or distances are all equal.
    ArrayError, DTypeError

    Notes
    -----
    Least squares of both variables together. Cost: O(n_bootstrap * n).

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(1)
    >>> ratio = np.where(random.random(3000) < 0.3, 10 ** random.uniform(0, 1.3, 3000), 0.0)
    >>> distance = random.uniform(0.5, 4, 3000)
    >>> planted = 0.2 * np.log10(np.maximum(ratio, 1)) + 0.1 * random.standard_normal(3000)
    >>> found = bias_by_interloper(planted, ratio, distance)
    >>> round(found.mass_ratio.value, 1), found.nearness.p_value > 0.01
    (0.2, True)
    """
    values = bootstrap.values_of(epsilon, "epsilon")
    ratio = bootstrap.values_of(mass_ratio, "mass_ratio", values.size)
    check.check_not_negative(ratio, "mass_ratio")
    hosts = bootstrap.hosts_of(groups, values.size)
    hit = ratio > 0
    away = np.asarray(check.float_array(distance, "distance", (values.size,), dtype=np.float64))
    bad = hit & ~(np.isfinite(away) & (away > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise BadInputError(
            f"`distance` must be finite and above 0 where there is an interloper, got {away[row]:g} at index {row}"
        )
    if hit.sum() < 4 or (~hit).sum() < 2:
        raise DomainError(
            f"`mass_ratio` must have at least 4 rows with and 2 without interloper, got {hit.sum()} and {(~hit).sum()}"
        )
    logarithm, nearness = np.log10(ratio[hit]), 1.0 / away[hit]
    if np.ptp(logarithm) == 0 or np.ptp(nearness) == 0:
        raise DomainError("`mass_ratio` and `distance` must differ between clusters: no slope can be fitted")
    rows = np.unique(hosts[hit], return_inverse=True)[1]
    variables = {"log10 mass ratio": logarithm, "1 / distance": nearness}
    of_groups = None if groups is None else hosts
    many: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": seed}
    _, of_ratio, of_nearness = _fit(values[hit], variables, rows, **many)
    return InterloperBias(
        without=summarise_residuals(values[~hit], groups=None if of_groups is None else of_groups[~hit], **many),
        affected=summarise_residuals(values[hit], groups=None if of_groups is None else of_groups[hit], **many),
        shift=_fit(values, {"shift": hit.astype(np.float64)}, hosts, **many)[1],
        mass_ratio=of_ratio,
        nearness=of_nearness,
        bins=summarise_in_bins(values[hit], logarithm, edges, None if of_groups is None else of_groups[hit], **many),
    )


def phase_space_distance(offsets: ArrayLike, velocity: ArrayLike, r200: ArrayLike, v200: ArrayLike) -> FloatArray:
    """Distance between two clusters in units of their sizes in space and velocity (Kodi Ramanah et al. 2021, sect. 4).

    Parameters
    ----------
    offsets : array_like of float, shape (n, 2)
        From one to the other across the line of sight [Mpc, comoving or proper as `r200`].
    velocity : array_like of float, shape (n,)
        Difference of velocity along the line of sight, Hubble flow included [km/s].
    r200 : array_like of float, shape (n, 2)
        Of either cluster [Mpc].
    v200 : array_like of float, shape (n, 2)
        Circular velocity of either cluster at r200, sqrt(G M200 / r200) with proper r200 [km/s].

    Returns
    -------
    ndarray of float64, shape (n,)
        sqrt((dv / v200)^2 + (dx / r200)^2 + (dy / r200)^2), with r200 and v200 averaged over the pair.

    Raises
    ------
    BadInputError
        For NaN or infinite values, and sizes that are not above 0.
    ArrayError, DTypeError

    Notes
    -----
    Cost: O(n).

    Examples
    --------
    >>> phase_space_distance([[3.0, 4.0]], [0.0], [[1.5, 2.5]], [[800.0, 900.0]]).tolist()
    [2.5]
    """
    speed = bootstrap.values_of(velocity, "velocity")
    columns = []
    for name, value in (("offsets", offsets), ("r200", r200), ("v200", v200)):
        array = check.float_array(value, name, (speed.size, 2), dtype=np.float64)
        check.check_finite(array, name)
        if name != "offsets" and (array <= 0).any():
            raise BadInputError(f"`{name}` must be above 0, got {array.min():g}")
        columns.append(np.asarray(array))
    across, size, circular = columns
    return np.asarray(np.hypot(speed / circular.mean(axis=1), np.hypot(*across.T) / size.mean(axis=1)))


def _fit(
    values: FloatArray, variables: dict[str, FloatArray], hosts: NDArray[np.int64], n_bootstrap: int, seed: int
) -> list[Slope]:
    """Least-squares coefficients, the constant first, with bootstrap errors by host."""
    n_bootstrap = check.integer(n_bootstrap, "n_bootstrap", low=100)
    n_hosts = int(hosts.max(initial=-1)) + 1
    if n_hosts < 1 + len(variables) + 1:
        raise DomainError(f"`epsilon` must be of at least {2 + len(variables)} hosts for this fit, got {n_hosts}")
    design = np.stack([np.ones(values.size), *variables.values()], axis=1)
    k = design.shape[1]
    products = (design[:, :, None] * np.concatenate([design, values[:, None]], axis=1)[:, None, :]).reshape(
        -1, k * k + k
    )

    def solve(sums: FloatArray) -> FloatArray:
        table = sums.reshape(-1, k, k + 1)
        # draws that leave a variable without spread have no slope
        return np.asarray(np.linalg.pinv(table[:, :, :k], rcond=1e-12, hermitian=True) @ table[:, :, k:])[:, :, 0]

    once = solve(products.sum(axis=0))[0]
    draws = bootstrap.draw_weights(hosts, n_bootstrap, check.seed(seed))
    replicates = np.concatenate([solve(weights @ products) for weights in draws])
    errors = [bootstrap.spread(column) for column in replicates.T]
    return [
        Slope(name, float(value), error, erfc(abs(float(value)) / (error * sqrt(2.0))) if error > 0 else float("nan"))
        for name, value, error in zip(["constant", *variables], once, errors, strict=True)
    ]
