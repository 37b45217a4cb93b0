"""Mass from the distribution of a cluster's galaxies as a whole (Ntampaka et al. 2015, 2016; Ho et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ... import _validate as check
from ...errors import BadInputError, DomainError, NotFittedError
from ...ops.subsample import draw_subsamples
from ..base import Estimator, true_masses
from ..posterior import FLAGS, MassPosterior
from . import tuning
from .kernels import fold_projection, gaussian_kernel, project, typical
from .samples import FloatArray, Samples, Scaler, galaxy_samples
from .table import DivergenceTable, divergences
from .tuning import Choice, Machine, one_thread_each, train, tune

MAX_TRAINING = 1000  #: clusters to fit, unless said otherwise
_CHUNK = 2048  # clusters that are predicted together where they do not depend on each other
_NUMBERS = ("sigma", "cost", "nu", "below", "above", "reach", "unit")


@dataclass
class _Fit:
    """What was learned. `sigma` is in units of `unit`, a divergence; `reach` is the largest divergence of a training
    cluster from its nearest other one."""

    samples: Samples
    scaler: Scaler
    masses: FloatArray
    sigma: float
    cost: float
    nu: float
    below: float
    above: float
    reach: float
    unit: float
    plain: Machine | None = None  # for rows of the kernel as they are
    rows: NDArray[np.int64] | None = None  # of the table
    shared: Machine | None = None  # for rows of the table's kernel

    @property
    def width(self) -> float:
        return self.sigma * self.unit


class SupportDistributionMachine(Estimator):
    """nu-SVR of log10 M200c on a kernel of divergences between clusters, each a sample of its galaxies [1]_ [2]_ [3]_.

    The kernel is exp(-D^2 / (2 sigma^2)) of Kullback-Leibler divergences by nearest neighbours (`knn_divergences`) in
    features standardised on training, averaged with its transpose, negative eigenvalues set to 0. sigma, C and nu come
    from the grids of [3]_ by 3-fold cross-validation in which no host is divided; the residuals of the clusters left
    out give the interval.

    Use `make_estimator`: ``"sdm-1d"`` reads \\|velocity\\|, ``"sdm-2d"`` \\|velocity\\| and projected radius.

    Parameters
    ----------
    k : int
        Which neighbour. Clusters need more than k galaxies.
    max_training : int, optional
        Of more clusters to fit, this many are drawn at random, as the cost is quadratic in memory and cubic in time.
        None: all, up to 20,000. In [3]_ half of the catalogue was used in 1D, all of it in 2D.
    transductive : bool
        True as published: the clusters to predict join those of training when negative eigenvalues are removed, and
        the machine is trained again on the result. A prediction then depends on the clusters that are predicted with
        it. False: rows of the kernel are projected as those of training were; each cluster for itself, and fast.
    seed : int
        Of the folds of tuning, and of the draw of `max_training`.
    n_threads : int
        Threads; results do not depend on them.

    Notes
    -----
    Flags: ``too_few_galaxies`` (k or fewer: NaN), ``out_of_support`` (farther from every training cluster than any of
    these is from the others, or a mass beyond those of training), ``not_converged``.

    Cost, for n clusters to fit and m to predict: divergences 10 ns a pair of 50 galaxies each; eight eigenvalue
    problems of size n and 960 small regressions to fit; one eigenvalue problem of size n + m to predict
    (transductive). Memory 8 (n + m)^2 bytes, about five times. More than 20,000 clusters at a time are refused.

    References
    ----------
    .. [1] Ntampaka et al. 2015, ApJ 803, 50.
    .. [2] Ntampaka et al. 2016, ApJ 831, 135.
    .. [3] Ho et al. 2019, ApJ 887, 25, with py-sdm (Sutherland et al. 2012).

    Examples
    --------
    >>> from clustermass import make_estimator
    >>> make_estimator("sdm-2d", max_training=1000).inputs
    ('velocities', 'radii')
    """

    source = "Ntampaka et al. 2015, ApJ 803, 50; Ho et al. 2019, ApJ 887, 25"
    needs_fit = True
    n_features: ClassVar[int]

    def __init__(
        self,
        *,
        k: int = 4,
        max_training: int | None = MAX_TRAINING,
        transductive: bool = True,
        seed: int = 0,
        n_threads: int = 1,
    ) -> None:
        self.k = check.integer(k, "k", low=1, high=1000)
        self.max_training = None if max_training is None else check.integer(max_training, "max_training", low=3)
        self.transductive = bool(transductive)
        self.seed = check.seed(seed)
        self.n_threads = check.threads(n_threads)
        self._fit: _Fit | None = None
        self._table: DivergenceTable | None = None

    def precompute(self, clusters: Any) -> Self:
        """Work out the divergences of all pairs of clusters now, for any number of `fit` and `predict` among them.

        Made for cross-validation, in which each round uses other rows of one catalogue: pass all rows that will train
        or be tested (``clusters.only(clusters.is_flat | clusters.is_test)``), and use this one machine in every round.
        Clusters are recognised by their galaxies. Features are then standardised, sigma is measured and negative
        eigenvalues are removed over all these clusters instead of those of the round; no mass is looked at. Clusters
        that are not among them are worked with as if there were no table.

        Cost: O(n^2) divergences, 8 bytes for each; one eigenvalue problem of size n for each of eight sigma.
        """
        samples = galaxy_samples(clusters, self.n_features)
        self._table = DivergenceTable(samples.only(np.flatnonzero(samples.sizes > self.k)), self.k, self.n_threads)
        self._fit = None
        return self

    def fit(self, clusters: Any) -> Self:
        """Learn from clusters of known mass, each of more than `k` galaxies.

        Raises
        ------
        BadInputError
            If a cluster has too few galaxies, there are fewer than three hosts, or nothing differs.
        MissingFieldError
            If masses are not known.
        MissingDependencyError
            Without scikit-learn (extra ``baselines``).
        """
        masses = true_masses(clusters)
        raw = galaxy_samples(clusters, self.n_features)
        if (raw.sizes <= self.k).any():
            row = int(np.argmax(raw.sizes <= self.k))
            raise BadInputError(
                f"clusters to fit must have more than {self.k} galaxies, got {int(raw.sizes[row])} in row {row} and "
                f"{int((raw.sizes <= self.k).sum())} such rows"
            )
        hosts = np.asarray(getattr(clusters, "host_id", np.arange(len(raw))))
        if self.max_training is not None and len(raw) > self.max_training:
            kept = np.sort(draw_subsamples([0, len(raw)], count=self.max_training, seed=self.seed).indices)
            raw, masses, hosts = raw.only(kept), masses[kept], hosts[kept]
        rows = self._table.find(raw) if self._table else None
        with one_thread_each():
            if self._table is None or rows is None:
                self._fit = self._learn(raw, masses, hosts)
            else:
                self._fit = self._learn_from(self._table, rows, masses, hosts)
        return self

    def _learn(self, raw: Samples, masses: FloatArray, hosts: NDArray[Any]) -> _Fit:
        scaler = Scaler.of(raw)
        samples = scaler(raw)
        own = divergences(samples, self.k, self.n_threads)
        unit = typical(own)

        def kernel_of(sigma: float) -> FloatArray:
            return project(gaussian_kernel(own, own, sigma * unit))

        choice = tune(kernel_of, masses, hosts, seed=self.seed, n_threads=self.n_threads)
        fit = _learned(samples, scaler, masses, choice, own, unit)
        fit.plain = _plain(fit, own)
        return fit

    def _learn_from(self, table: DivergenceTable, rows: NDArray[np.int64], masses: FloatArray, hosts: Any) -> _Fit:
        def kernel_of(sigma: float) -> FloatArray:
            return table.kernel(sigma, rows, rows)

        choice = tune(kernel_of, masses, hosts, seed=self.seed, n_threads=self.n_threads)
        own = table.divergences[np.ix_(rows, rows)]
        fit = _learned(table.samples.only(rows), table.scaler, masses, choice, own, table.unit)
        fit.rows, fit.shared = rows, _finally(kernel_of(choice.sigma), masses, choice)
        return fit

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses of clusters; see the flags of the class. In transductive use they depend on each other a little."""
        fit = self._fitted()
        raw = galaxy_samples(clusters, self.n_features)
        usable = np.flatnonzero(raw.sizes > self.k)
        masses, flags = np.full(len(raw), np.nan), np.zeros(len(raw), np.uint32)
        flags[raw.sizes <= self.k] |= np.uint32(FLAGS["too_few_galaxies"])
        if usable.size:
            with one_thread_each():
                found, nearest, converged = self._masses(fit, raw.only(usable))
            masses[usable] = found
            outside = (nearest > fit.reach) | (found < fit.masses.min()) | (found > fit.masses.max())
            flags[usable[outside]] |= np.uint32(FLAGS["out_of_support"])
            if not converged:
                flags[usable] |= np.uint32(FLAGS["not_converged"])
        width = np.full((2, len(raw)), [[fit.below], [fit.above]])
        return MassPosterior.from_gaussian(masses, width, self.mass_definition, flags=flags)

    def _masses(self, fit: _Fit, raw: Samples) -> tuple[FloatArray, FloatArray, bool]:
        """Masses, divergences from the nearest training cluster, and whether the regression had converged."""
        rows = self._table.find(raw) if self._table is not None and fit.shared is not None else None
        if self._table is not None and fit.shared is not None and fit.rows is not None and rows is not None:
            kernel = self._table.kernel(fit.sigma, rows, fit.rows)
            nearest = self._table.divergences[np.ix_(rows, fit.rows)].min(axis=1)
            return fit.shared(kernel), nearest, fit.shared.converged
        samples = fit.scaler(raw)
        if self.transductive:
            return self._transduce(fit, samples)
        if fit.plain is None:
            fit.plain = _plain(fit, divergences(fit.samples, self.k, self.n_threads))
        masses, nearest = np.empty(len(samples)), np.empty(len(samples))
        for first in range(0, len(samples), _CHUNK):
            part = slice(first, min(first + _CHUNK, len(samples)))
            chunk = samples.only(np.arange(len(samples))[part])
            forth = divergences(chunk, self.k, self.n_threads, fit.samples)
            back = divergences(fit.samples, self.k, self.n_threads, chunk)
            masses[part] = fit.plain(gaussian_kernel(forth, back, fit.width))
            nearest[part] = forth.min(axis=1)
        return masses, nearest, fit.plain.converged

    def _transduce(self, fit: _Fit, samples: Samples) -> tuple[FloatArray, FloatArray, bool]:
        both, n = fit.samples.followed_by(samples), len(fit.samples)
        between = divergences(both, self.k, self.n_threads)
        kernel = project(gaussian_kernel(between, between, fit.width))
        machine = _finally(np.ascontiguousarray(kernel[:n, :n]), fit.masses, fit)
        return machine(kernel[n:, :n]), between[n:, :n].min(axis=1), machine.converged

    def _fitted(self) -> _Fit:
        if self._fit is None:
            raise NotFittedError(f"{self.name} must be fitted before it can predict")
        return self._fit

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        config: dict[str, Any] = {
            "k": self.k, "max_training": self.max_training, "transductive": self.transductive, "seed": self.seed
        }  # fmt: skip
        fit = self._fit
        if fit is None:
            return config, {}
        if fit.plain is None or fit.shared is not None:
            raise DomainError(f"{self.name}: a fit with a table of `precompute` cannot be saved; fit a new estimator")
        config["fit"] = {name: float(getattr(fit, name)) for name in _NUMBERS}
        config["fit"] |= {"intercept": fit.plain.intercept, "converged": fit.plain.converged}
        arrays = {
            "points": fit.samples.points, "offsets": fit.samples.offsets, "mean": fit.scaler.mean,
            "scale": fit.scaler.scale, "log10_m200c": fit.masses, "weights": fit.plain.weights,
        }  # fmt: skip
        return config, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        settings = dict(config)
        learned = settings.pop("fit", None)
        made = cls(**settings)
        if learned is not None:
            points = check.float_array(arrays["points"], "points", (None, cls.n_features), dtype=np.float32)
            samples = Samples(points, check.offsets(arrays["offsets"], total=len(points)))
            n, width = len(samples), (cls.n_features,)
            scaler = Scaler(*(check.float64_array(arrays[name], name, width) for name in ("mean", "scale")))
            masses, weights = (check.float64_array(arrays[name], name, (n,)) for name in ("log10_m200c", "weights"))
            numbers: dict[str, Any] = {name: check.number(learned[name], name) for name in _NUMBERS}
            plain = Machine(weights, check.number(learned["intercept"], "intercept"), bool(learned["converged"]))
            made._fit = _Fit(samples, scaler, masses, **numbers, plain=plain)
        return made


def _learned(
    samples: Samples, scaler: Scaler, masses: FloatArray, choice: Choice, own: FloatArray, unit: float
) -> _Fit:
    low, high = np.quantile(choice.residuals, [0.158655, 0.841345])
    nearest = np.where(np.eye(len(own), dtype=bool), np.inf, own).min(axis=1)
    return _Fit(samples, scaler, masses, choice.sigma, choice.cost, choice.nu, max(-float(low), 0.0),
                max(float(high), 0.0), float(nearest.max()), unit)  # fmt: skip


def _finally(kernel: FloatArray, masses: FloatArray, choice: _Fit | Choice) -> Machine:
    return train(kernel, masses, choice.cost, choice.nu, tuning.FINAL_ITERATIONS)


def _plain(fit: _Fit, own: FloatArray) -> Machine:
    """The regression on the training clusters alone, for rows of the kernel as they are."""
    kernel = gaussian_kernel(own, own, fit.width)
    machine = _finally(project(kernel), fit.masses, fit)
    return Machine(fold_projection(kernel, machine.weights), machine.intercept, machine.converged)


class SpeedMachine(SupportDistributionMachine):
    """`SupportDistributionMachine` of line-of-sight speeds alone."""

    name = "sdm-1d"
    inputs = ("velocities",)
    n_features = 1


class SpeedRadiusMachine(SupportDistributionMachine):
    """`SupportDistributionMachine` of line-of-sight speeds and projected radii."""

    name = "sdm-2d"
    inputs = ("velocities", "radii")
    n_features = 2
