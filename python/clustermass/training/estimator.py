"""Networks as estimators of mass: fit on clusters, predict posteriors, save and load like any other."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from .._extras import import_extra
from ..data.splits import assign_splits
from ..errors import DomainError, FileFormatError, NotFittedError
from ..models.base import Estimator, true_masses
from ..models.joint_density import JointDensityPosterior
from ..models.posterior import FLAGS, MassPosterior
from ..models.prior import MassPrior
from .presets import build_network, changed, find_preset, with_options

if TYPE_CHECKING:
    from .loop import Inputs

Rows = NDArray[np.int64]
GRID = 513  #: points of the log mass where densities are given
MARGIN = 0.25  #: dex beyond the masses of training that a posterior may reach
NO_ESTIMATE = FLAGS["too_few_galaxies"] | FLAGS["missing_input"]  #: clusters that no network sees
_PREDICT = 512  #: clusters at a time


class LearnedEstimator(Estimator):
    """A network that learns masses from clusters of known mass: what is the same for every kind of input.

    A subclass says what its networks see: `_inputs`, `_cells` and `_described`, `inputs`, and where
    they differ `_flags`, `_masses`, `_range` and `mass_definition`.

    Parameters
    ----------
    preset : str
        A name in `PRESETS`.
    settings : mapping, optional
        Training settings other than the preset's; see `TrainingSettings`.
    options : mapping, optional
        Options of the network other than the preset's, such as those that `tune_preset` found.
    device : str
        Of torch: "cpu", "cuda", "cuda:1"; "auto": cuda where there is a device.
    n_threads : int
        That make density grids.
    checkpoint : str or Path, optional
        File that training keeps its state in and goes on from.
    on_epoch : callable, optional
        Called after each epoch with its number and the `History`.

    Raises
    ------
    DomainError
    MissingDependencyError
        Without torch, or zuko where the preset has a flow (extra ``ml``).

    Notes
    -----
    Networks with dropout are trained with its noise and predict without it. Behind a ReLU noise raises the mean, so
    that predictions come out shifted: by 0.04 to 0.15 dex for "cnn-2d", another shift for each run. The mean residual
    over the clusters of training is therefore taken off the points, and the densities, that networks predict.
    """

    needs_fit = True

    def __init__(
        self,
        preset: str,
        *,
        settings: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        device: str = "auto",
        n_threads: int = 1,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[int, Any], None] | None = None,
    ) -> None:
        _import_torch()
        self.preset = with_options(find_preset(preset), dict(options or {}))
        self.name, self.source = self.preset.name, self.preset.source
        self.settings = changed(self.preset.settings, dict(settings or {}))
        self.device, self.n_threads = device, check.threads(n_threads)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.on_epoch = on_epoch
        self.history: Any = None
        self._state: dict[str, NDArray[Any]] | None = None
        self._scale = (np.nan, np.nan)  # log10 masses that -1 and 1 stand for
        self._support: dict[str, list[float]] = {}
        self._error = 0.0  # of a point, in dex: standard deviation over the clusters it was trained on
        self._offset = 0.0  # mean residual over the clusters it was trained on [dex], taken back
        #: intervals of a point, measured on held-out clusters (`train_model`)
        self.joint: JointDensityPosterior | None = None
        #: distribution of the masses of training: every posterior carries it, `MassPosterior.reweighted` takes it out
        self.prior: MassPrior | None = None

    @abstractmethod
    def _inputs(self, clusters: Any, device: Any) -> Inputs:
        """Where batches of these clusters come from."""

    @abstractmethod
    def _cells(self) -> tuple[int, ...]:
        """Shape of what a network sees of one cluster, as `build_network` takes it."""

    @abstractmethod
    def _described(self, clusters: Any) -> dict[str, NDArray[np.float64]]:
        """What decides whether a cluster is like those of training: name -> (n,)."""

    def _prepare(self, network: Any, source: Inputs, rows: Rows) -> None:
        """Set what does not train of a new network, from the clusters that it is to be trained on."""

    def _extra(self) -> dict[str, Any]:
        """What else of a fitted estimator goes into its file, for JSON."""
        return {}

    def _take_extra(self, extra: Mapping[str, Any]) -> None:
        """Take what `_extra` gave."""

    def _masses(self, clusters: Any) -> NDArray[np.float64]:
        """log10 of the true masses [Msun] in the definition `mass_definition`."""
        return true_masses(clusters)

    def _range(self, name: str, low: float, high: float) -> tuple[float, float]:
        """The range that counts as like training, of a description that was `low` to `high` there."""
        return (low - 0.05, high + 0.05) if name == "redshift" else (low, high)

    def _flags(self, clusters: Any) -> NDArray[np.uint32]:
        """A description outside the range of training. Flags in `NO_ESTIMATE` keep a cluster from the network."""
        flags = np.zeros(len(clusters), np.uint32)
        for name, values in self._described(clusters).items():
            low, high = self._support[name]
            flags[(values < low) | (values > high)] |= np.uint32(FLAGS["out_of_support"])
        return flags

    def fit(self, clusters: Any) -> Self:
        """Train on all clusters given.

        Parameters
        ----------
        clusters : ClusterSet
            With `log10_m200c` and `host_id`.

        Returns
        -------
        LearnedEstimator
            Itself.
        """
        (found,) = self.fit_folds(clusters, [np.arange(len(clusters))])
        self.__dict__.update(
            {k: v for k, v in found.__dict__.items() if k.startswith("_") or k in ("history", "prior")}
        )
        return self

    def fit_folds(self, clusters: Any, training_rows: Sequence[Rows]) -> list[Self]:
        """Train one network for each set of rows, all in one pass; returns an estimator for each.

        Parameters
        ----------
        clusters : ClusterSet
            With `log10_m200c` and `host_id`.
        training_rows : sequence of int arrays
            Rows that each fold may see. If there is a `patience`, a share of their hosts validates instead.

        Returns
        -------
        list of LearnedEstimator
        """
        from .loop import Fold, train_members
        from .processes import joined

        device = self._device()
        masses = self._masses(clusters)
        host = np.asarray(clusters.host_id)
        folds, scales = [], []
        for number, rows in enumerate(training_rows):
            own = np.asarray(rows, np.int64)
            if own.size < 2:
                raise DomainError(f"fold {number} needs at least 2 clusters to train on, got {own.size}")
            folds.append(Fold(*self._held_out(own, host)))
            low, high = masses[own].min(), masses[own].max()
            scales.append((low, high if high > low else low + 1.0))
        y = np.array([2 * (masses - low) / (high - low) - 1 for low, high in scales], np.float32)
        source = self._inputs(clusters, device)
        with joined(device) as processes:
            train = self._in_stages if self.preset.stages else train_members
            trained = train(
                self._network, source, y, folds, self.settings, device=device,
                prepare=lambda network, number: self._prepare(network, source, folds[number].train),
                checkpoint=self.checkpoint, on_epoch=self.on_epoch, processes=processes,
            )  # fmt: skip
        described, found = self._described(clusters), []
        for number, fold in enumerate(folds):
            one = type(self)(self.preset.name, settings=self.settings.as_dict(), options=self.preset.options,
                             device=self.device, n_threads=self.n_threads)  # fmt: skip
            one._take_extra(self._extra())
            one._state = {k: v.cpu().numpy() for k, v in trained.states[number].items()}
            one._scale = (float(scales[number][0]), float(scales[number][1]))
            one._support = {
                name: list(self._range(name, float(values[fold.train].min()), float(values[fold.train].max())))
                for name, values in described.items()
            }
            one.history = trained.history
            network = one._load().to(device)
            if self._gives_points or self._is_shifted(network):
                residual = one._means(network, source, fold.train) - masses[fold.train]
                one._offset, one._error = float(np.mean(residual)), float(np.std(residual))
            if np.ptp(masses[fold.train]) > 0:
                one.prior = MassPrior.of_masses(masses[fold.train])
            found.append(one)
        return found

    def predict(self, clusters: Any) -> MassPosterior:
        """Posteriors of clusters: a density where the network has one; of a point the joint density of held-out
        estimates and truths (`joint`), or while there is none a Gaussian of the training error.

        The prior is the distribution of masses in training, flat in log mass as `is_flat` selects.
        """
        if self._state is None:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it predicts")
        torch = _import_torch()
        n, device = len(clusters), self._device()
        flags = self._flags(clusters)
        enough = np.flatnonzero((flags & np.uint32(NO_ESTIMATE)) == 0)
        source, network = self._inputs(clusters, device), self._load().to(device)
        if self._gives_points:
            mean = np.full(n, np.nan)
            if enough.size:
                mean[enough] = self._means(network, source, enough)
            self._mark_range(mean, flags)
            if self.joint is not None:
                return self.joint.posterior(mean, self.mass_definition, flags=flags)
            error = np.where(np.isnan(mean), np.nan, self._error)
            return MassPosterior.from_gaussian(mean, error, self.mass_definition, flags=flags)
        grid = np.linspace(self._scale[0] - MARGIN, self._scale[1] + MARGIN, GRID)
        at = grid + self._offset  # where the network, with its shift, puts these masses
        y = torch.as_tensor(2 * (at - self._scale[0]) / (self._scale[1] - self._scale[0]) - 1, dtype=torch.float32)
        density = np.full((n, GRID), np.nan)
        if enough.size:
            with torch.no_grad():
                outputs, head = self._outputs(network, source, enough), network.head.cpu()
                parts = [head.log_density(o, y).double().exp().numpy() for o in outputs]
            passes = int(self.preset.options.get("passes", 1))
            density[enough] = np.concatenate(parts).reshape(passes, enough.size, GRID).mean(axis=0)
        found = MassPosterior.from_density(grid, density, self.mass_definition, flags=flags)
        marks = np.array(found.flags)
        self._mark_range(found.log10_mass, marks)
        return replace(found, flags=marks)

    @property
    def _gives_points(self) -> bool:
        return bool(self.preset.options["head"] == "point")

    def _is_shifted(self, network: Any) -> bool:
        """Whether there was noise in training that prediction leaves out."""
        dropout = _import_torch().nn.Dropout
        has_noise = any(isinstance(part, dropout) and part.p > 0 for part in network.modules())
        return has_noise and int(self.preset.options.get("passes", 1)) == 1

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Settings, scales and support; weights."""
        if self._state is None:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it is saved")
        config = {
            "preset": self.preset.name,
            "settings": self.settings.as_dict(),
            "network": [self.preset.network, self.preset.options],
            "inputs": self.preset.inputs,
            "scale": list(self._scale),
            "support": self._support,
            "error": self._error,
            "offset": self._offset,
            "extra": self._extra(),
        }
        arrays = dict(self._state)
        if self.joint is not None:
            config["joint"], points = self.joint.state()
            arrays |= {f"joint/{name}": values for name, values in points.items()}
        if self.prior is not None:
            arrays |= {"prior/grid": self.prior.grid, "prior/density": self.prior.density}
        return config, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The estimator of a file."""
        network, options = config["network"]
        made = cls(config["preset"], settings=config["settings"], options=options)
        if made.preset.network != network or made.preset.inputs != config["inputs"]:
            raise FileFormatError(f"preset {config['preset']!r} has changed since this file was written")
        made._take_extra(config.get("extra", {}))
        made._state = {name: values for name, values in arrays.items() if not name.startswith(("joint/", "prior/"))}
        if "joint" in config:
            points = {name.removeprefix("joint/"): v for name, v in arrays.items() if name.startswith("joint/")}
            made.joint = JointDensityPosterior.from_state(config["joint"], points)
        if "prior/grid" in arrays:
            made.prior = MassPrior(np.array(arrays["prior/grid"]), np.array(arrays["prior/density"]))
        made._scale = (float(config["scale"][0]), float(config["scale"][1]))
        made._support = {k: [float(v) for v in pair] for k, pair in config["support"].items()}
        made._error, made._offset = float(config["error"]), float(config["offset"])
        made._load()
        return made

    def _network(self) -> Any:
        return build_network(self.preset.network, self.preset.options, self._cells())

    def _in_stages(self, make: Any, *args: Any, **run: Any) -> Any:
        """As `train_members`, and then the stages of the preset."""
        from .staged import train_stages

        def with_head(head: str) -> Any:
            return build_network(self.preset.network, self.preset.options | {"head": head}, self._cells())

        return train_stages(with_head, self.preset.options["head"], self.preset.stages, *args, **run)

    def _load(self) -> Any:
        """The network with its weights, ready to predict."""
        assert self._state is not None  # callers have looked
        torch, network = _import_torch(), self._network()
        try:
            network.load_state_dict({k: torch.as_tensor(np.array(v)) for k, v in self._state.items()})
        except RuntimeError as exc:
            raise FileFormatError(f"weights do not fit {self.name!r}: {exc}") from exc
        for weight in network.parameters():
            if weight.ndim == 4:  # filters of images
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        return network.eval()

    def _outputs(self, network: Any, source: Inputs, rows: Rows) -> list[Any]:
        """What comes out of the network, on the host, some clusters at a time; again for each pass of dropout."""
        from ..models.networks.heads import dropout_only
        from .members import channels_last

        torch, passes = _import_torch(), int(self.preset.options.get("passes", 1))
        network = dropout_only(network) if passes > 1 else network.eval()
        found = []
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            for _ in range(passes):
                most = getattr(source, "at_once", _PREDICT)
                for low in range(0, rows.size, most):
                    part = rows[low : low + most]
                    batch = source.batch(part, np.zeros(part.size, bool))
                    found.append(network.trunk(*(channels_last(v) for v in batch)).float().cpu())
        return found

    def _means(self, network: Any, source: Inputs, rows: Rows) -> NDArray[np.float64]:
        """Mean log10 mass of rows, over the passes of dropout too."""
        torch = _import_torch()
        with torch.no_grad():
            outputs, head = self._outputs(network, source, rows), network.head.cpu()
            y = torch.cat([head.mean(one) for one in outputs]).numpy()
        return self._unscaled(y.reshape(-1, rows.size).mean(axis=0)) - self._offset

    def _unscaled(self, y: NDArray[Any]) -> NDArray[np.float64]:
        low, high = self._scale
        return low + 0.5 * (np.asarray(y, np.float64) + 1.0) * (high - low)

    def _held_out(self, rows: Rows, host: NDArray[Any]) -> tuple[Rows, Rows]:
        """Rows that train and rows that validate, by host."""
        if self.settings.patience is None:
            return rows, rows[:0]
        share = self.settings.validation_share
        side = assign_splits(host[rows], fractions=(1 - share, share, 0.0), seed=self.settings.seed)
        if not (side == 0).any() or not (side == 1).any():
            raise DomainError("too few hosts to train and validate on: give more clusters or no patience")
        return rows[side == 0], rows[side == 1]

    def _mark_range(self, log10_mass: NDArray[np.float64], flags: NDArray[np.uint32]) -> None:
        low, high = self._scale
        with np.errstate(invalid="ignore"):
            flags[(log10_mass < low) | (log10_mass > high)] |= np.uint32(FLAGS["out_of_support"])

    def _device(self) -> Any:
        torch = _import_torch()
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        try:
            device = torch.device(_of_process(chosen))
        except RuntimeError as exc:
            raise DomainError(f"`device` must be auto, cpu or cuda, got {self.device!r}") from exc
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise DomainError(f"`device` must be one that torch sees, got {device} of {torch.cuda.device_count()}")
        return device


def _of_process(device: str) -> str:
    """Of several processes that share "cuda", the device of this one: torchrun numbers them."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _import_torch() -> Any:
    return import_extra("torch", extra="ml", what="learned estimators need")
