"""A whole training run: cross-validation by the protocol of evaluation, and the model that is kept, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.clusters_file import ClusterSet
from ..errors import BadInputError
from ..evaluation.calibration_report import CalibrationReport, check_calibration
from ..evaluation.predictions import Predictions
from ..evaluation.protocol import Evaluation, evaluate_estimator
from ..evaluation.robustness import RobustnessPlan
from ..evaluation.tarp import tarp_values
from ..models.joint_density import MIN_PAIRS, JointDensityPosterior
from ..models.registry import estimator_class
from .estimator import LearnedEstimator
from .presets import find_preset


@dataclass(frozen=True)
class TrainedModel:
    """What `train_model` gives.

    Attributes
    ----------
    model : LearnedEstimator
        Trained on the whole flat mass function.
    evaluation : Evaluation
        Of the folds: predictions of observations by networks that never saw their hosts.
    calibration : CalibrationReport or None
        Of the folds on the flat mass function, which is the prior they were trained with; None where they give no
        intervals.
    """

    model: LearnedEstimator
    evaluation: Evaluation
    calibration: CalibrationReport | None

    @property
    def is_calibrated(self) -> bool:
        """Whether intervals were tested on enough clusters and found right."""
        return self.calibration is not None and self.calibration.verdict == "calibrated"

    def record(self) -> dict[str, Any]:
        """What a model file keeps of this, for JSON: NaN becomes None."""
        if self.calibration is None:
            return {"calibrated": False, "calibration": None}
        found = {k: None if v != v else v for k, v in self.calibration.as_dict().items()}
        return {"calibrated": self.is_calibrated, "calibration": found}


class _WithAll:
    """An estimator whose folds are fitted with one member more, which learns from all of the flat mass function:
    `final`."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.final = trainer, trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    def fit_folds(self, clusters: Any, training_rows: Sequence[NDArray[np.int64]]) -> list[LearnedEstimator]:
        """The folds; `final` afterwards."""
        rows = [*training_rows, np.flatnonzero(clusters.is_flat)]
        folds: list[LearnedEstimator] = self.trainer.fit_folds(clusters, rows)
        self.final = folds.pop()
        return folds


def train_model(
    preset: str,
    clusters: ClusterSet,
    *,
    plan: RobustnessPlan | None = None,
    folds: int | None = None,
    **options: Any,
) -> TrainedModel:
    """Train a preset on a catalogue: ten folds and the final model, eleven networks in one pass.

    Parameters
    ----------
    preset : str
        A name in `PRESETS`.
    clusters : ClusterSet
        All observations of one kind.
    plan : RobustnessPlan, optional
        What the folds' robustness is tried with.
    folds : int, optional
        Only the first so many rounds of the cross-validation, at least 2; default all.
    **options
        Of `LearnedEstimator`: settings, device, n_threads, checkpoint, on_epoch.

    Returns
    -------
    TrainedModel

    Raises
    ------
    BadInputError, DomainError, TrainingError, FileFormatError, MissingDependencyError
        For nothing to train on, a wrong setting, a loss that is not finite, a foreign checkpoint, no torch.

    Examples
    --------
    With a file of `clustermass catalog`: ``train_model("cnn-2d", read_clusters(path))``. A preset that is not known:

    >>> find_preset("cnn-2")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    clustermass.errors.DomainError: `preset` must be one of ...
    """
    if not clusters.is_flat.any():
        raise BadInputError("`clusters` must hold rows of the flat mass function to train on, got none")
    cls, named = estimator_class(find_preset(preset).name)
    trainer: Any = _WithAll(cls(**named, **options))
    rounds = None
    if folds is not None:
        rounds = range(check.integer(folds, "folds", low=2, high=int(clusters.fold.max(initial=0)) + 1))
    evaluation = evaluate_estimator(lambda: trainer, clusters, plan, folds=rounds)
    if trainer.preset.options["head"] == "point":
        table, trainer.final.joint = with_joint_density(evaluation.predictions)
        evaluation = replace(evaluation, predictions=table)
    found = evaluation.predictions
    rows = np.flatnonzero(found.is_flat & np.isfinite(found.pit) & np.isfinite(found.tarp))
    calibration = None
    if rows.size:
        calibration = check_calibration(
            found.pit[rows], tarp=found.tarp[rows], log10_pred=found.log10_mass[rows], richness=found.richness[rows],
            groups=found.host_id[rows],
        )  # fmt: skip
    return TrainedModel(trainer.final, evaluation, calibration)


def with_joint_density(table: Predictions) -> tuple[Predictions, JointDensityPosterior]:
    """Intervals for the predictions of a point, and the joint density that a model is to keep.

    The density is that of held-out estimates and truths on the flat mass function. The intervals of a fold come from a
    density without that fold, so that no cluster judges itself; the one that is kept is of all folds.
    """
    flat = table.is_flat & np.isfinite(table.log10_mass)
    columns: dict[str, Any] = {
        name: np.array(getattr(table, name)) for name in ("lower", "upper", "pit", "tarp", "flags")
    }
    for fold in np.unique(table.fold):
        rows, others = np.flatnonzero(table.fold == fold), flat & (table.fold != fold)
        if np.count_nonzero(others) < MIN_PAIRS:
            raise BadInputError(
                f"`clusters` must have at least {MIN_PAIRS} rows of the flat mass function outside each fold for "
                f"intervals of a point, got {np.count_nonzero(others)} outside fold {fold}"
            )
        joint = JointDensityPosterior().fit(table.log10_mass[others], table.log10_true[others])
        found = joint.posterior(table.log10_mass[rows], table.mass_definition, flags=table.flags[rows])
        pit = found.cdf(table.log10_true[rows])
        has, tarp = np.isfinite(pit), np.full(pit.size, np.nan)
        if has.any():
            tarp[has] = tarp_values(found.only(has), table.log10_true[rows][has], seed=int(fold))
        for name, values in (("lower", found.lower), ("upper", found.upper), ("pit", pit), ("tarp", tarp),
                             ("flags", found.flags)):  # fmt: skip
            columns[name][rows] = values
    kept = JointDensityPosterior().fit(table.log10_mass[flat], table.log10_true[flat])
    return replace(table, **columns), kept
