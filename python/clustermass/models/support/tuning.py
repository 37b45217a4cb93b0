"""nu-SVR on kernels worked out before, and the choice of its parameters by cross-validation over hosts."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._extras import import_extra
from ...errors import BadInputError

FloatArray = NDArray[np.float64]

#: grids of py-sdm, as in Ho et al. 2019; sigma in units of the median positive divergence
SIGMAS = tuple(2.0**power for power in range(-4, 11, 2))
COSTS = tuple(2.0**power for power in range(-9, 19, 3))
NUS = (0.2, 0.3, 0.5, 0.7)
FOLDS = 3
TOLERANCE, TUNING_ITERATIONS, FINAL_ITERATIONS = 1e-3, 1_000, 1_000_000


@dataclass(frozen=True)
class Choice:
    """Parameters of least squared error, and the residuals (true - predicted) of rows that were left out [dex]."""

    sigma: float
    cost: float
    nu: float
    residuals: FloatArray


@dataclass(frozen=True)
class Machine:
    """A regression: prediction = kernel rows @ weights + intercept."""

    weights: FloatArray
    intercept: float
    converged: bool

    def __call__(self, rows: FloatArray) -> FloatArray:
        return np.asarray(rows @ self.weights + self.intercept)


def train(kernel: FloatArray, masses: FloatArray, cost: float, nu: float, most: int) -> Machine:
    """nu-SVR of masses on a symmetric kernel (n, n), at most `most` iterations."""
    sklearn = _sklearn()
    model = sklearn.svm.NuSVR(kernel="precomputed", C=cost, nu=nu, tol=TOLERANCE, max_iter=most)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        model.fit(kernel, masses)
    weights = np.zeros(masses.size)
    weights[model.support_] = model.dual_coef_[0]
    return Machine(weights, float(model.intercept_[0]), bool(np.max(model.n_iter_) < most))


def tune(
    kernel_of: Callable[[float], FloatArray], masses: FloatArray, hosts: NDArray[Any], *, seed: int, n_threads: int
) -> Choice:
    """Choose sigma, C and nu for kernels (n, n) of each sigma, by 3-fold cross-validation; a host is never divided.

    `n_threads` regressions are trained side by side; the choice does not depend on it. Raises BadInputError with fewer
    hosts than folds.
    """
    folds = _folds(hosts, seed)
    pairs = list(itertools.product(COSTS, NUS))
    best, least = None, np.inf
    with ThreadPoolExecutor(n_threads) as pool:
        for first in range(0, len(SIGMAS), n_threads):
            sigmas = SIGMAS[first : first + n_threads]
            for sigma, kernel in zip(sigmas, pool.map(kernel_of, sigmas), strict=True):
                parts = [_part(kernel, folds, fold) for fold in range(FOLDS)]
                found = pool.map(partial(_left_out, parts, masses), pairs)
                for (cost, nu), residuals in zip(pairs, found, strict=True):
                    error = float(np.mean(residuals**2))
                    if error < least:
                        best, least = Choice(sigma, cost, nu, residuals), error
    if best is None:
        raise BadInputError("no parameters of the grid give a finite error")
    return best


_Part = tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]


def _part(kernel: FloatArray, folds: NDArray[np.int64], fold: int) -> _Part:
    """Rows that train and that are left out, and the kernels of both with those that train."""
    inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
    return inside, outside, kernel[np.ix_(inside, inside)], kernel[np.ix_(outside, inside)]


def _left_out(parts: list[_Part], masses: FloatArray, parameters: tuple[float, float]) -> FloatArray:
    """Residuals of each row, by a machine that was trained without its fold."""
    residuals = np.empty(masses.size)
    for inside, outside, kernel, rows in parts:
        machine = train(kernel, masses[inside], *parameters, TUNING_ITERATIONS)
        residuals[outside] = masses[outside] - machine(rows)
    return residuals


def _folds(hosts: NDArray[Any], seed: int) -> NDArray[np.int64]:
    """Fold of each row: hosts are shuffled and dealt out."""
    names, where = np.unique(hosts, return_inverse=True)
    if names.size < FOLDS:
        raise BadInputError(f"clusters to fit must be of at least {FOLDS} hosts, got {names.size}")
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(names.size)
    return np.asarray(order[where.reshape(-1)] % FOLDS)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Linear algebra on the calling thread alone, so that its bits do not depend on threads, and no word of machines
    that end early."""
    sklearn = _sklearn()
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        yield


def _sklearn() -> Any:
    what = "support distribution machines need scikit-learn, its"
    for module in ("sklearn.exceptions", "sklearn.svm"):
        import_extra(module, extra="baselines", what=what)
    return import_extra("sklearn", extra="baselines", what=what)
