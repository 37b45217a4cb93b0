"""Search for better settings of a preset: optuna's samplers over a journal that several processes may share.

A search is a folder. Its journal keeps every trial; a process that was killed lets go of its lock, by which the others
know, and its trial is put into the queue again with the same values and the checkpoint that it had.
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import _validate as check
from .._extras import import_extra
from ..errors import BadInputError, DomainError, FileFormatError, TrainingError
from .checkpoint import fingerprint_of
from .preset import Preset
from .presets import changed, find_preset, find_space
from .search import SearchSpace, divided
from .settings import TrainingSettings

JOURNAL, WORKERS = "journal.log", "workers"
MIN_ROWS = 20  #: clusters on either side of a search


@dataclass(frozen=True)
class Tuned:
    """What a search has found so far.

    Attributes
    ----------
    preset : str
    trials : list of dict
        One a trial, in the order they were begun: ``trial``, ``state`` ("complete", "pruned", "running"), ``loss``,
        ``epochs``, ``seconds``, and the values it tried; ``preset`` says whether they are the preset's own.
    best : dict or None
        ``trial``, ``loss``, ``values``, and with them the whole ``settings`` and ``options``; None before the first
        complete trial.
    logarithmic : tuple of str
        Names that are searched evenly in the logarithm.
    """

    preset: str
    trials: list[dict[str, Any]]
    best: dict[str, Any] | None
    logarithmic: tuple[str, ...] = ()


def tune_preset(
    preset: str,
    clusters: Any,
    folder: str | Path,
    *,
    trials: int = 50,
    grid: bool = False,
    seed: int = 0,
    repeats: int = 1,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    n_threads: int = 1,
    on_trial: Callable[[Tuned], None] | None = None,
) -> Tuned:
    """Search settings and network options of a preset for the lowest loss on held-out hosts.

    Trains on the flat mass function of ``split == 0`` and takes the loss on that of ``split == 1``; rows of ``split ==
    2`` are left out before anything else. The first trial is the preset as it is. Trials that do worse than the median
    of the others at the same epoch end early (not in a full grid).

    Parameters
    ----------
    preset : str
        A name in `PRESETS`.
    clusters : ClusterSet or MapSample
        With `split` and `is_flat`.
    folder : str or Path
        Of the search: the same call on the same folder goes on where it was. Processes that run at once share the work.
    trials : int
        Complete or pruned trials that the search is to have in all. A grid ends with its last combination.
    grid : bool
        Try all combinations of the family's grid (`SearchSpace.grid`), in their order.
    seed : int
        Of the sampler. One process after another, killed or not, tries the same values; processes at once do not.
    repeats : int
        Networks from different starting weights per trial, trained in one pass; their mean loss counts.
    settings : mapping, optional
        Training settings that are not searched, such as ``epochs``.
    device, n_threads
        As `LearnedEstimator`.
    on_trial : callable, optional
        Called after each trial of this process.

    Returns
    -------
    Tuned

    Raises
    ------
    DomainError
        For an unknown preset or setting, a family without a search space or grid.
    BadInputError
        For too few clusters to train or validate on.
    FileFormatError
        If the folder holds another search.
    MissingDependencyError
        Without torch (extra ``ml``) or optuna (extra ``hpo``).

    Examples
    --------
    With a file of `clustermass catalog`: ``tune_preset("cnn-2d", read_clusters(path), "search", trials=40)``. A preset
    that is not known:

    >>> tune_preset("cnn-2", None, "search")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    clustermass.errors.DomainError: `preset` must be one of ...
    """
    found, fixed = find_preset(preset), dict(settings or {})
    space = find_space(found)
    check.integer(trials, "trials", low=1)
    check.integer(repeats, "repeats", low=1)
    check.seed(seed)
    if set(fixed) & set(space.parameters):
        raise DomainError(f"`settings` fixes {sorted(set(fixed) & set(space.parameters))}, which is searched")
    if grid and not space.grid:
        raise DomainError(f"preset {preset!r} has no finite grid; search it without `grid`")
    search = _Search(found, space, changed(found.settings, fixed), fixed, Path(folder), grid, seed, repeats)
    data = _Data(clusters, repeats, preset)
    with search.opened(data.mark):
        while (trial := search.next_trial(trials)) is not None:
            search.run(trial, data, device, n_threads)
            if on_trial is not None:
                on_trial(search.result())
        return search.result()


class _Data:
    """Rows that train and validate, of one sample without the test rows; the same for each repeat."""

    def __init__(self, clusters: Any, repeats: int, preset: str) -> None:
        from ..models.registry import make_estimator

        model: Any = make_estimator(preset)
        if hasattr(model, "_edges"):
            raise DomainError(f"{preset!r} is one network for each of some bins of redshift, which is not searched")
        if clusters.split is None or clusters.is_flat is None:
            raise BadInputError("`clusters` must know its split and its flat mass function")
        side, flat = np.asarray(clusters.split), np.asarray(clusters.is_flat, bool)
        rows = np.flatnonzero(flat & (side < 2))
        # interlopers are exchanged within folds: here the sides of the search are the folds
        self.clusters = replace(clusters.only(rows), fold=np.asarray(side[rows], np.int64))
        self.train, self.validate = np.flatnonzero(side[rows] == 0), np.flatnonzero(side[rows] == 1)
        for own, name in ((self.train, "training"), (self.validate, "validation")):
            if own.size < MIN_ROWS:
                raise BadInputError(
                    f"`clusters` has {own.size} rows of the flat mass function in its {name} split; a search needs "
                    f"{MIN_ROWS}"
                )
        self.masses = np.asarray(model._masses(self.clusters), np.float64)
        self.repeats = repeats

    @property
    def mark(self) -> str:
        """Tells one sample from another."""
        return fingerprint_of(np.asarray(self.clusters.host_id), self.masses, self.train, self.validate)


class _Search:
    """The study, its folder and its locks."""

    def __init__(
        self, preset: Preset, space: SearchSpace, base: TrainingSettings, fixed: dict[str, Any], folder: Path,
        grid: bool, seed: int, repeats: int,
    ) -> None:  # fmt: skip
        self.preset, self.space, self.base, self.fixed, self.folder = preset, space, base, fixed, folder
        self.grid, self.seed, self.repeats = grid, seed, repeats
        self.optuna = import_extra("optuna", extra="hpo", what="a search needs")
        self.name = uuid.uuid4().hex
        self.study: Any = None

    @contextmanager
    def opened(self, data_mark: str) -> Iterator[None]:
        """The study, and the lock that tells other processes that this one lives."""
        optuna = self.optuna
        (self.folder / WORKERS).mkdir(parents=True, exist_ok=True)
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        own = self.folder / WORKERS / self.name
        try:
            with open(own, "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with self._alone():
                    self._open_study(data_mark)
                yield
        finally:
            own.unlink(missing_ok=True)
            optuna.logging.set_verbosity(before)

    def _open_study(self, data_mark: str) -> None:
        optuna, base = self.optuna, self.base.as_dict()
        backend = optuna.storages.journal.JournalFileBackend(str(self.folder / JOURNAL))
        warm = max(1, self.base.epochs // 5)
        median = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warm)
        self.study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend), study_name="clustermass", load_if_exists=True,
            pruner=optuna.pruners.NopPruner() if self.grid else median,
        )  # fmt: skip
        about = [self.preset.name, self.preset.options, base, self.space.as_dict(), self.grid, self.seed, self.repeats]
        mark = fingerprint_of(about, data_mark)
        known = self.study.user_attrs
        if known.get("fingerprint", mark) != mark:
            raise FileFormatError(f"{self.folder}: holds another search, of other settings, clusters or seed")
        if "fingerprint" not in known:
            own = self.space.of_preset(self.preset, self.base)
            for values in self.space.grid if self.grid else [own]:
                self._queue(self._labels(values))
            self.study.set_user_attr("fingerprint", mark)

    def _queue(self, labels: dict[str, Any]) -> None:
        self.study.enqueue_trial(labels, user_attrs={"queued": labels})

    def _labels(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.space.parameters[name].label(value) for name, value in values.items()}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process looks for work meanwhile."""
        with open(self.folder / WORKERS / "queue", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def next_trial(self, trials: int) -> tuple[Any, dict[str, Any]] | None:
        """A trial and its values, or None where there is nothing left to begin."""
        states = self.optuna.trial.TrialState
        with self._alone():
            self._queue_again()
            every = self.study.get_trials(deepcopy=False)
            begun = [t for t in every if t.state in (states.COMPLETE, states.PRUNED, states.RUNNING)]
            queued = any(t.state == states.WAITING for t in every)
            if (self.grid and not queued) or (not self.grid and len(begun) >= trials):
                return None
            key = int(np.random.SeedSequence([self.seed, len(begun)]).generate_state(1)[0])
            self.study.sampler = self.optuna.samplers.TPESampler(seed=key)
            trial = self.study.ask()
            trial.set_user_attr("worker", self.name)
            # a combination of a grid may leave names out: they stay as the preset has them
            names = trial.user_attrs["queued"] if self.grid else self.space.parameters
            return trial, {name: self.space.parameters[name].suggest(trial, name) for name in names}

    def _queue_again(self) -> None:
        """Trials of processes that are no more, back into the queue with what they were trying."""
        states = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if self._lives(trial.user_attrs.get("worker")):
                continue
            self.study.tell(trial.number, state=states.FAIL)
            self._queue(trial.user_attrs.get("queued", {}) | trial.params)

    def _lives(self, worker: str | None) -> bool:
        try:
            with open(self.folder / WORKERS / str(worker)) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def run(self, begun: tuple[Any, dict[str, Any]], data: _Data, device: str, n_threads: int) -> None:
        """Train one trial and tell the study of it."""
        trial, values = begun
        states = self.optuna.trial.TrialState
        checkpoint = self.folder / WORKERS / f"{fingerprint_of(self._labels(values))[:16]}.checkpoint"
        start, loss, state = time.perf_counter(), None, states.PRUNED
        try:
            loss, state = self._loss(trial, values, data, checkpoint, device, n_threads), states.COMPLETE
        except self.optuna.TrialPruned:
            pass
        except (TrainingError, DomainError) as exc:  # these values cannot be trained
            trial.set_user_attr("error", str(exc))
        trial.set_user_attr("seconds", time.perf_counter() - start)
        self.study.tell(trial, loss, state=state)
        checkpoint.unlink(missing_ok=True)

    def _loss(
        self, trial: Any, values: dict[str, Any], data: _Data, checkpoint: Path, device: str, n_threads: int
    ) -> float:
        """Held-out loss: at the end, or the lowest where training keeps the best epoch; the mean of the repeats."""
        from ..models.registry import make_estimator

        settings, options = divided(values)
        model: Any = make_estimator(
            self.preset.name, settings=self.fixed | settings, options=options, device=device, n_threads=n_threads,
            checkpoint=checkpoint, on_epoch=lambda number, history: self._report(trial, history),
        )  # fmt: skip
        model.preset = replace(model.preset, stages=())  # what comes after the first training is not searched
        model._held_out = lambda rows, host: (data.train, data.validate)
        found = model.fit_folds(data.clusters, [np.arange(len(data.clusters))] * data.repeats)
        losses = np.asarray(found[0].history.validate)
        loss = float(np.mean(losses.min(axis=0) if model.settings.patience else losses[-1]))
        if not np.isfinite(loss):
            raise TrainingError(f"the held-out loss is {loss}")
        return loss

    def _report(self, trial: Any, history: Any) -> None:
        """Losses of epochs that the study does not have; after a restart that may be several."""
        known = trial.user_attrs.get("epochs", 0)
        losses = np.asarray(history.validate, np.float64).mean(axis=1)
        for epoch in range(known, losses.size):
            trial.report(float(losses[epoch]), epoch)
        trial.set_user_attr("epochs", int(losses.size))
        if trial.should_prune():
            raise self.optuna.TrialPruned

    def result(self) -> Tuned:
        """All trials that were begun and not given up."""
        states = self.optuna.trial.TrialState
        shown = {states.COMPLETE: "complete", states.PRUNED: "pruned", states.RUNNING: "running"}
        own = self._labels(self.space.of_preset(self.preset, self.base))
        rows = []
        for t in self.study.get_trials(deepcopy=False):
            if t.state in shown:
                last = t.intermediate_values[max(t.intermediate_values)] if t.intermediate_values else None
                rows.append({
                    "trial": t.number, "state": shown[t.state], "loss": last if t.value is None else t.value,
                    "epochs": t.user_attrs.get("epochs", 0), "seconds": t.user_attrs.get("seconds"),
                    "preset": all(own.get(name) == value for name, value in t.params.items()),
                    "error": t.user_attrs.get("error", ""), **{k: t.params.get(k) for k in self.space.parameters},
                })  # fmt: skip
        done = [row for row in rows if row["state"] == "complete"]
        best = self._best(min(done, key=lambda row: row["loss"])) if done else None
        logarithmic = tuple(name for name, space in self.space.parameters.items() if getattr(space, "log", False))
        return Tuned(self.preset.name, rows, best, logarithmic)

    def _best(self, row: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for name, space in self.space.parameters.items():
            if row[name] is not None:
                known = {space.label(v): v for v in getattr(space, "values", ())}
                values[name] = known.get(row[name], row[name])
        settings, options = divided(values)
        return {
            "trial": row["trial"], "loss": row["loss"], "values": values,
            "settings": changed(self.base, settings).as_dict(), "options": self.preset.options | options,
        }  # fmt: skip
