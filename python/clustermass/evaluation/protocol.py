"""Cross-validation after Ho et al. 2019: every observation is predicted by a model that never saw its host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.clusters_file import ClusterSet
from ..errors import BadInputError, DomainError, MissingFieldError
from ..models.base import Estimator
from ..models.posterior import MassPosterior
from ..nfw import convert_mass
from .predictions import Predictions, join_predictions
from .robustness import (
    RobustnessPlan,
    SubsampleTable,
    VelocityErrorTable,
    subsample_robustness,
    velocity_error_robustness,
)
from .tarp import tarp_values

#: what the observations of a catalogue hold; an estimator that needs more cannot be evaluated on them
OBSERVED = frozenset({"velocities", "radii", "sky_positions", "redshift"})
OBSERVED_MAPS = frozenset({"maps", "redshift"})
_OVERDENSITY = {"M200c": 200.0, "M500c": 500.0}


@dataclass(frozen=True)
class FoldResult:
    """One round of the cross-validation.

    Attributes
    ----------
    fold : int
    estimator : Estimator
        Fitted without the hosts of the fold.
    clusters : ClusterSet
        The test observations.
    posterior : MassPosterior
        What the estimator says of them.
    n_train : int
        Observations that it was fitted to; 0 where nothing is fitted.
    """

    fold: int
    estimator: Estimator
    clusters: ClusterSet
    posterior: MassPosterior
    n_train: int


@dataclass(frozen=True)
class Evaluation:
    """Everything that is kept of one estimator under the protocol."""

    predictions: Predictions
    subsamples: SubsampleTable
    velocity_errors: VelocityErrorTable


def iter_folds(
    make: Callable[[], Estimator], clusters: ClusterSet, folds: Iterable[int] | None = None
) -> Iterator[FoldResult]:
    """Rounds of the cross-validation of Ho et al. 2019 (ApJ 887, 25, sect. 3.3).

    For each fold an estimator of its own learns from the flat mass function outside the fold (`Estimator.fit_folds`)
    and predicts the test rows and the rows of the flat mass function inside. One that needs no fit predicts each fold.

    Parameters
    ----------
    make : callable
        Makes an unfitted estimator.
    clusters : ClusterSet
        All observations of one kind.
    folds : iterable of int, optional
        Which; default all. Folds without test rows are passed over.

    Yields
    ------
    FoldResult

    Raises
    ------
    BadInputError
        If a host is on both sides, if there are no test rows at all, or none to train with.
    DomainError
        If the estimator needs what the observations do not hold.
    """
    estimator = make()
    of_maps = clusters.kind == "maps"
    held = {"maps": OBSERVED_MAPS, "joint": OBSERVED | OBSERVED_MAPS}.get(clusters.kind, OBSERVED)
    if missing := set(estimator.inputs) - held:
        raise DomainError(
            f"estimator {estimator.name!r} needs {', '.join(sorted(missing))}, not among observations of "
            f"{'images' if of_maps else 'galaxies'}"
        )
    if clusters.fold is None:
        raise MissingFieldError("`clusters` must have a `fold` for a cross-validation, got none")
    wanted = range(int(clusters.fold.max(initial=-1)) + 1) if folds is None else list(folds)
    rounds = []
    for fold in wanted:
        train, test = clusters.rows_of_fold(fold)
        if test.size == 0:
            continue
        test = np.flatnonzero((clusters.fold == fold) & (clusters.is_test | clusters.is_flat))
        audit_fold(clusters.host_id, train, test, fold)
        if estimator.needs_fit and train.size == 0:
            raise BadInputError(f"fold {fold} has no rows to train with: none of the flat mass function outside it")
        rounds.append((fold, train if estimator.needs_fit else train[:0], test))
    if not rounds:
        raise BadInputError("`clusters` must hold rows of the test selection in the folds asked for, got none")
    fitted = [estimator] * len(rounds)
    if estimator.needs_fit:
        fitted = estimator.fit_folds(clusters, [train for _, train, _ in rounds])
    for (fold, train, test), own in zip(rounds, fitted, strict=True):
        shown = clusters.only(test)
        posterior = own.predict(shown)
        if len(posterior) != test.size:
            raise BadInputError(f"estimator {own.name!r} gave {len(posterior)} masses for {test.size} clusters")
        yield FoldResult(fold, own, shown, posterior, train.size)


def audit_fold(host_id: NDArray[np.int64], train: NDArray[np.int64], test: NDArray[np.int64], fold: int) -> None:
    """Raise BadInputError if a host is among the rows that train and those that test."""
    shared = np.intersect1d(host_id[train], host_id[test])
    if shared.size:
        raise BadInputError(f"fold {fold}: host {shared[0]} (and {shared.size - 1} more) trains and tests")


def cross_validate(
    make: Callable[[], Estimator], clusters: ClusterSet, *, folds: Iterable[int] | None = None
) -> Predictions:
    """Predictions of the test and flat observations of a catalogue, each by a model that never saw its host.

    Parameters
    ----------
    make : callable
        Makes an unfitted estimator, ``lambda: make_estimator("m-sigma")``.
    clusters : ClusterSet
        All observations of one kind, from `read_clusters`.
    folds : iterable of int, optional
        Which; default all ten.

    Returns
    -------
    Predictions
        One row an observation of the test selection (`is_test`) or of the flat mass function (`is_flat`), in order of
        fold, host and view.

    Raises
    ------
    BadInputError
        If a host would train and test, if there are no test rows, or none to train with.
    DomainError
        If the estimator needs what the observations do not hold.

    Notes
    -----
    The method of Ho et al. 2019, ApJ 887, 25, sect. 3.3. Statistics are quoted for 14 < log10 M200c [Msun/h] < 15
    only (`Predictions.is_quoted`); the test rows reach a little further, so that nothing is cut off by the edges.
    Cost: one fit and one prediction a fold.

    Examples
    --------
    With a file of `clustermass catalog`: ``cross_validate(lambda: make_estimator("m-sigma"), read_clusters(path))``. A
    host on both sides is refused:

    >>> audit_fold(np.array([7, 7, 8]), train=np.array([0, 2]), test=np.array([1]), fold=0)
    Traceback (most recent call last):
    clustermass.errors.BadInputError: fold 0: host 7 (and 0 more) trains and tests
    """
    return join_predictions([predictions_of(result) for result in iter_folds(make, clusters, folds)])


def evaluate_estimator(
    make: Callable[[], Estimator],
    clusters: ClusterSet,
    plan: RobustnessPlan | None = None,
    *,
    folds: Iterable[int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """`cross_validate`, and the robustness of each fold's own model, in one pass.

    Parameters
    ----------
    make : callable
        Makes an unfitted estimator.
    clusters : ClusterSet
        All observations of one kind.
    plan : RobustnessPlan, optional
        What the models' robustness is tried with.
    folds : iterable of int, optional
        Which; default all.
    progress : callable, optional
        Called with the number of the fold when it is done.

    Returns
    -------
    Evaluation
    """
    plan = plan or RobustnessPlan()
    predictions, subsamples, errors = [], [], []
    for result in iter_folds(make, clusters, folds):
        table = predictions_of(result)
        predictions.append(table)
        if result.clusters.kind in ("maps", "joint"):  # there are no galaxies to leave out, or not they alone
            if progress is not None:
                progress(result.fold)
            continue
        subsamples.append(subsample_robustness(result.estimator, result.clusters, result.posterior, plan))
        errors.append(
            velocity_error_robustness(
                result.estimator,
                result.clusters,
                result.posterior,
                true_mass_of(result.clusters, result.posterior),
                plan,
            )
        )
        if progress is not None:
            progress(result.fold)
    if not subsamples:
        none = np.empty(0, np.int64)
        empty = SubsampleTable(none, none, none, none, np.empty(0), np.empty((0, 0)))
        return Evaluation(join_predictions(predictions), empty, VelocityErrorTable(none, none, *[np.empty(0)] * 3))
    return Evaluation(
        join_predictions(predictions), _join(SubsampleTable, subsamples), _join(VelocityErrorTable, errors)
    )


def _join(kind: Any, parts: list[Any]) -> Any:
    columns = [part.columns() for part in parts]
    return kind(**{name: np.concatenate([column[name] for column in columns]) for name in columns[0]})


def true_mass_of(clusters: ClusterSet, posterior: MassPosterior) -> NDArray[np.float64]:
    """log10 of the true masses [Msun] in the definition of the posterior; NFW haloes of mean concentration."""
    if posterior.mass_definition == "M200c":
        return clusters.log10_m200c
    known = getattr(clusters, "log10_m500c", None)
    if known is not None and np.isfinite(known).all():
        return np.asarray(known, np.float64)
    to = _OVERDENSITY[posterior.mass_definition]
    return np.log10(convert_mass(10.0**clusters.log10_m200c, 200.0, to, clusters.cosmology, clusters.redshift))


def predictions_of(result: FoldResult) -> Predictions:
    """The table of one fold."""
    clusters, posterior = result.clusters, result.posterior
    truth = true_mass_of(clusters, posterior)
    n = clusters.n_galaxies
    pit = posterior.cdf(truth)
    has, tarp = np.isfinite(pit), np.full(pit.size, np.nan)
    if has.any():
        tarp[has] = tarp_values(posterior.only(has), truth[has], seed=result.fold)
    with np.errstate(divide="ignore", invalid="ignore"):
        purity = np.full(n.size, np.nan) if clusters.kind == "maps" else np.where(n > 0, clusters.n_members / n, np.nan)
    return Predictions(
        estimator=result.estimator.name,
        kind=clusters.kind,
        mass_definition=posterior.mass_definition,
        h=clusters.cosmology.h,
        host_id=clusters.host_id,
        view=clusters.view,
        fold=clusters.fold,
        log10_m200c=clusters.log10_m200c,
        log10_true=truth,
        richness=n,
        redshift=check.float64_array(np.broadcast_to(clusters.redshift, n.shape).copy(), "redshift", (n.size,)),
        purity=purity,
        log10_mass=posterior.log10_mass,
        lower=posterior.lower,
        upper=posterior.upper,
        pit=pit,
        tarp=tarp,
        flags=posterior.flags,
        is_test=clusters.is_test,
        is_flat=clusters.is_flat,
    )
