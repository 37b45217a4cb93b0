"""The mass function of clusters from estimated masses, beside that of the haloes that should be there."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _colossus
from .. import _validate as check
from ..cosmology import Cosmology
from ..errors import BadInputError, DomainError
from . import bootstrap
from .residuals import bin_edges, log_masses

FloatArray = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True)
class MassFunction:
    """Clusters per volume in bins of mass. Arrays have one entry a bin, shape (k,).

    Attributes
    ----------
    edges : (k + 1,) float64
        log10 of the mass, as estimated.
    counts : (k,) float64
        Clusters found (sum of weights).
    completeness : (k,) float64
        Share of the clusters that are there which was found; 1 where not given.
    density : (k,) float64
        Clusters per unit of volume and dex, divided by the completeness; NaN where that is 0.
    poisson_below, poisson_above : (k,) float64
        Errors of `density` from counting, 68.3 % (Gehrels 1986, ApJ 303, 336); above, also where nothing was found.
    bootstrap_error : (k,) float64
        Error of `density` from drawing each host a Poisson number of times; 0 where nothing was found.
    expected : (k,) float64
        Density that should be there; NaN where not given.
    """

    edges: FloatArray
    counts: FloatArray
    completeness: FloatArray
    density: FloatArray
    poisson_below: FloatArray
    poisson_above: FloatArray
    bootstrap_error: FloatArray
    expected: FloatArray

    @property
    def ratio(self) -> FloatArray:
        """density / expected."""
        return self._over_expected(self.density)

    @property
    def ratio_below(self) -> FloatArray:
        """Error of `ratio` downwards, from counting."""
        return self._over_expected(self.poisson_below)

    @property
    def ratio_above(self) -> FloatArray:
        """Error of `ratio` upwards, from counting."""
        return self._over_expected(self.poisson_above)

    def _over_expected(self, values: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(values / self.expected)

    def rows(self) -> list[dict[str, Any]]:
        """One row of a table for each bin."""
        names = [f.name for f in fields(self) if f.name != "edges"] + ["ratio", "ratio_below", "ratio_above"]
        columns = {"low": self.edges[:-1], "high": self.edges[1:]} | {name: getattr(self, name) for name in names}
        return [{name: float(column[k]) for name, column in columns.items()} for k in range(self.counts.size)]


def recovered_mass_function(
    log10_mass: ArrayLike,
    edges: ArrayLike,
    volume: float,
    *,
    completeness: ArrayLike | None = None,
    expected: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> MassFunction:
    """Count clusters in bins of estimated mass, with completeness and errors, beside the number expected.

    Parameters
    ----------
    log10_mass : array_like of float, shape (n,)
        log10 of the estimated masses [Msun or Msun/h].
    edges : array_like of float, shape (k + 1,)
        Of the bins, in the same unit, rising. A mass on an edge is in the bin above.
    volume : float
        That the clusters come from [comoving Mpc^3 or (Mpc/h)^3].
    completeness : array_like of float, shape (k,), optional
        `completeness_in_bins`, 0 to 1. Default 1.
    expected : array_like of float, shape (k,), optional
        Density per volume and dex, such as `expected_mass_function`.
    weights : array_like of float, shape (n,), optional
        How many clusters a row stands for, >= 0: 1 / views where a host is seen more than once. Default 1.
    groups : array_like of int or str, shape (n,), optional
        Host of each row. Default: each row is a host.
    n_bootstrap, seed : int
        For `bootstrap_error`.

    Returns
    -------
    MassFunction

    Raises
    ------
    BadInputError
        For NaN, masses that were not put in logarithms, negative weights, a completeness outside 0 to 1.
    DomainError
        If the edges do not rise, or the volume is not above 0.
    ArrayError, DTypeError

    Notes
    -----
    Scatter of the estimates moves more clusters up than down (Eddington 1913): the ratio to the true mass function is
    above 1 at the steep end even for unbiased estimates. With weights, errors from counting are those of the number of
    equally weighted hosts that would scatter as much. Cost: O(n_bootstrap * n).

    Examples
    --------
    >>> found = recovered_mass_function([14.1, 14.2, 14.7], [14.0, 14.5, 15.0], 1e6, completeness=[0.8, 1.0])
    >>> found.counts.tolist(), found.density.round(8).tolist()
    ([2.0, 1.0], [5e-06, 2e-06])
    """
    mass = log_masses(log10_mass, "log10_mass")
    borders = bin_edges(edges)
    k = borders.size - 1
    volume = check.number(volume, "volume", above=0)
    share = np.ones(k) if completeness is None else bootstrap.values_of(completeness, "completeness", k)
    if ((share < 0) | (share > 1)).any():
        raise BadInputError(f"`completeness` must lie between 0 and 1, got {share.min():g} to {share.max():g}")
    wanted = np.full(k, np.nan) if expected is None else bootstrap.values_of(expected, "expected", k)
    weight = np.ones(mass.size) if weights is None else bootstrap.values_of(weights, "weights", mass.size)
    check.check_not_negative(weight, "weights")
    hosts = bootstrap.hosts_of(groups, mass.size)
    n_bootstrap, seed = check.integer(n_bootstrap, "n_bootstrap", low=0), check.seed(seed)

    place = np.searchsorted(borders, mass, side="right") - 1
    inside = (place >= 0) & (place < k)
    n_hosts = int(hosts.max(initial=-1)) + 1
    of_host = np.bincount(hosts[inside] * k + place[inside], weight[inside], minlength=n_hosts * k).reshape(n_hosts, k)
    counts = of_host.sum(axis=0)
    below, above = _counting_errors(counts, (of_host**2).sum(axis=0))
    replicates = [times @ of_host for times in bootstrap.draw_numbers(n_hosts, n_bootstrap, seed)]
    spread = np.concatenate(replicates).std(axis=0, ddof=1) if n_bootstrap > 1 and replicates else np.full(k, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(share > 0, 1.0 / (share * volume * np.diff(borders)), np.nan)
    return MassFunction(borders, counts, share, counts * scale, below * scale, above * scale, spread * scale, wanted)


def _counting_errors(counts: FloatArray, squares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """68.3 % errors down and up of sums of weights with these sums of squared weights."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(counts > 0, squares / counts, 1.0)  # weight of a host, on average
        n = counts / one
        low = np.where(n > 0, n * np.maximum(1 - 1 / (9 * n) - 1 / (3 * np.sqrt(n)), 0.0) ** 3, 0.0)
    more = n + 1
    high = more * (1 - 1 / (9 * more) + 1 / (3 * np.sqrt(more))) ** 3
    return one * (n - low), one * (high - n)


def completeness_in_bins(
    log10_true: ArrayLike, is_found: ArrayLike, edges: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Share of clusters that were found, in bins of true mass, with 68.3 % limits (Wilson 1927, JASA 22, 209).

    Parameters
    ----------
    log10_true : array_like of float, shape (n,)
        log10 of the true mass of all clusters that are there.
    is_found : array_like of bool, shape (n,)
        Whether each has an estimate.
    edges : array_like of float, shape (k + 1,)
        Of the bins, rising.

    Returns
    -------
    share, lower, upper : ndarray of float64, shape (k,)
        NaN, 0 and 1 where no cluster is there.

    Raises
    ------
    BadInputError
        For NaN or infinite masses.
    ArrayError, DTypeError, DomainError

    Notes
    -----
    Cost: O(n).

    Examples
    --------
    >>> share, lower, upper = completeness_in_bins([14.1, 14.2, 14.3, 14.4], [True, True, True, False], [14.0, 14.5])
    >>> share.round(2).tolist(), lower.round(2).tolist(), upper.round(2).tolist()
    ([0.75], [0.5], [0.9])
    """
    mass = log_masses(log10_true, "log10_true")
    found = np.asarray(is_found)
    if found.shape != mass.shape or found.dtype != np.bool_:
        raise DomainError(f"`is_found` must be booleans of shape {mass.shape}, got {found.dtype} of {found.shape}")
    borders = bin_edges(edges)
    n = np.histogram(mass, borders)[0].astype(np.float64)
    hits = np.histogram(mass[found], borders)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, hits / n, np.nan)
        centre = (hits + 0.5) / (n + 1)  # of one standard deviation
        half = np.sqrt(np.where(n > 0, hits * (1 - hits / n), 0.0) + 0.25) / (n + 1)
    return share, np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def expected_mass_function(
    edges: ArrayLike,
    redshift: float,
    cosmology: Cosmology,
    *,
    omega_b: float,
    sigma8: float,
    spectral_index: float,
) -> FloatArray:
    """Haloes per comoving Mpc^3 and dex of M200c, averaged over bins (Tinker et al. 2008, ApJ 688, 709).

    Parameters
    ----------
    edges : array_like of float, shape (k + 1,)
        Of the bins: log10 M200c [Msun, no h].
    redshift : float
        0 to 10.
    cosmology : Cosmology
        Flat.
    omega_b, sigma8, spectral_index : float
        Baryons, amplitude and tilt of the linear power spectrum.

    Returns
    -------
    ndarray of float64, shape (k,)
        [comoving Mpc^-3 dex^-1]

    Raises
    ------
    MissingDependencyError
        Without colossus (extra ``mock``).
    DomainError
        For a cosmology that is not flat or a parameter that cannot be.
    BadInputError, ArrayError, DTypeError

    Notes
    -----
    colossus computes it (Diemer 2018, ApJS 239, 35); eight points a bin. No file is written.

    Examples
    --------
    >>> from clustermass.data.mocks.universe.settings import MDPL2
    >>> spectrum = dict(omega_b=0.048, sigma8=0.823, spectral_index=0.96)
    >>> density = expected_mass_function([14.0, 14.5, 15.0], 0.0, MDPL2, **spectrum)
    >>> density.round(7).tolist()
    [1.84e-05, 2.8e-06]
    """
    borders = log_masses(bin_edges(edges), "edges")
    redshift = check.number(redshift, "redshift", low=0, high=10)
    if cosmology.omega_lambda is None or abs(cosmology.omega_lambda + cosmology.omega_m - 1.0) > 1e-9:
        raise DomainError(f"`cosmology` must be flat, got omega_m {cosmology.omega_m:g} and {cosmology.omega_lambda}")
    omega_b = check.number(omega_b, "omega_b", above=0, high=cosmology.omega_m)
    sigma8 = check.number(sigma8, "sigma8", low=0.1, high=2)
    tilt = check.number(spectral_index, "spectral_index", low=0.5, high=1.5)
    half = 0.5 * np.diff(borders)[:, None]
    nodes = 0.5 * (borders[1:] + borders[:-1])[:, None] + half * _NODES
    with _colossus.current_cosmology(cosmology, omega_b, sigma8, tilt):
        number = _colossus.tinker08(10.0 ** nodes.ravel(), redshift, cosmology.h).reshape(nodes.shape)
    return np.asarray(np.log(10.0) * 0.5 * (number * _WEIGHTS).sum(axis=1))
