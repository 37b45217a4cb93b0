"""What decides the mass that a network on galaxies gives: every galaxy of a cluster, and every place in phase space."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..errors import BadInputError, DomainError, NotFittedError
from ..interpretation.galaxies import GalaxySaliency
from ..ops.kde import estimate_density
from .presets import with_options

FloatArray = NDArray[np.float64]
MIN_GALAXIES = 4  #: so that three are left when one is taken away
STEP_VELOCITY, STEP_RADIUS = 50.0, 0.05  #: km/s and comoving Mpc, of differences
PLACES = (24, 16)  #: velocities and radii where a galaxy is added


def galaxy_saliency(model: Any, clusters: Any, *, n_threads: int = 1) -> GalaxySaliency:
    """Find how the mass that a network gives depends on each galaxy of some clusters.

    Every galaxy is left out once. Where the network sees a density grid alone, derivatives go back through the network
    and `estimate_density` to velocities, radii and weights; where it sees galaxies or their numbers (sets, summaries),
    they are differences over 100 km/s and 0.1 Mpc.

    Parameters
    ----------
    model : DynamicalEstimator
        A trained network on galaxies.
    clusters : ClusterSample or ClusterSet
        Some clusters, each with at least four galaxies in the cylinder of the network.
    n_threads : int
        That make density grids.

    Returns
    -------
    GalaxySaliency

    Raises
    ------
    DomainError
        If the model does not see galaxies.
    NotFittedError
    BadInputError
        For a cluster with fewer than four galaxies.

    Notes
    -----
    Dropout that a network keeps in prediction is off here: its noise would hide what one galaxy does. Cost: about n
    evaluations for a cluster of n galaxies on a grid, 5 n + 384 otherwise.

    References
    ----------
    .. [1] Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034 (saliency).

    Examples
    --------
    With a trained model: ``galaxy_saliency(load_estimator("cnn-2d.safetensors"), sample.only(slice(0, 3)))``.

    >>> galaxy_saliency(None, None)
    Traceback (most recent call last):
    clustermass.errors.DomainError: `model` must be a trained network on galaxies, got NoneType
    """
    if not hasattr(model, "_grid_preset"):
        raise DomainError(f"`model` must be a trained network on galaxies, got {type(model).__name__}")
    if model._state is None:
        raise NotFittedError(f"estimator {model.name!r} must be fitted before it is explained")
    view = _View(model, clusters, check.threads(n_threads))
    parts = [view.one(row) for row in range(len(clusters))]
    names = getattr(clusters, "names", None)
    if names is None:
        pairs = zip(clusters.host_id, clusters.view, strict=True)
        names = np.array([f"{host}:{number}" for host, number in pairs], np.str_)

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0)

    return GalaxySaliency(
        model.name, model.mass_definition, np.asarray(names, np.str_), np.array([part.mass for part in parts]),
        view.offsets, view.own, view.velocity, view.radius, joined("influence"), joined("by_velocity"),
        joined("by_radius"), joined("by_weight") if view.is_differentiable else None, view.velocities, view.radii,
        np.array([part.map for part in parts]).reshape(-1, view.velocities.size, view.radii.size),
    )  # fmt: skip


class _View:
    """Clusters as a network sees them, and changed ones."""

    def __init__(self, model: Any, clusters: Any, n_threads: int) -> None:
        self.model = copy.copy(model)
        self.model.preset = with_options(model.preset, {"passes": 1})
        self.model.n_threads = n_threads
        self.clusters, self.preset, self.h = clusters, model._grid_preset(), clusters.cosmology.h
        self.reach, self.fastest = self.preset.max_radius / self.h, self.preset.max_velocity
        x, y = np.asarray(clusters.x, np.float64), np.asarray(clusters.y, np.float64)
        velocity = np.asarray(clusters.velocity, np.float64)
        inside = np.ones(x.size, bool)
        if model._cuts(clusters):
            inside = (np.hypot(x, y) < self.reach) & (np.abs(velocity) < self.fastest)
        total = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])
        self.offsets, self.own = total[np.asarray(clusters.offsets)], np.flatnonzero(inside)
        self.x, self.y, self.velocity = x[inside], y[inside], velocity[inside]
        self.radius = np.hypot(self.x, self.y)
        few = np.diff(self.offsets) < MIN_GALAXIES
        if few.any():
            raise BadInputError(
                f"`clusters` must have at least {MIN_GALAXIES} galaxies each within {self.reach:.2f} Mpc and "
                f"{self.fastest:.0f} km/s, row {int(np.argmax(few))} has {np.diff(self.offsets)[np.argmax(few)]}"
            )
        self.device = self.model._device()
        self.is_differentiable = self.preset_sees_grids and not model.preset.options.get("summary")
        self.has_map = self.is_differentiable and self.preset.columns == ("velocity", "radius")
        cells = self.preset.cells if self.has_map else PLACES
        steps = [(np.arange(n) + 0.5) / n for n in cells]
        if self.has_map and self.preset.at == "nodes":
            steps = [np.linspace(0.0, 1.0, n) for n in cells]
        self.velocities, self.radii = (2 * steps[0] - 1) * self.fastest, steps[1] * self.reach

    @property
    def preset_sees_grids(self) -> bool:
        return bool(self.model.preset.inputs != "galaxies")

    def one(self, row: int) -> SimpleNamespace:
        """Everything of one cluster."""
        part = slice(self.offsets[row], self.offsets[row + 1])
        x, y, velocity = self.x[part], self.y[part], self.velocity[part]
        n = x.size
        out = ~np.eye(n, dtype=bool)
        left = [np.broadcast_to(values, (n, n))[out].reshape(n, n - 1) for values in (x, y, velocity)]
        mass = float(self.masses(x[None], y[None], velocity[None])[0])
        found = SimpleNamespace(mass=mass, influence=mass - self.masses(*left))
        if self.is_differentiable:
            gradient = self._gradients(part, found)
            if self.has_map:
                found.map = 0.01 * gradient
                return found
        else:
            self._differences(x, y, velocity, found)
        speed, reach = (g.ravel() for g in np.meshgrid(self.velocities, self.radii, indexing="ij"))
        added = [np.column_stack([np.broadcast_to(values, (speed.size, n)), more])
                 for values, more in ((x, reach), (y, 0 * reach), (velocity, speed))]  # fmt: skip
        found.map = (0.01 * n * (self.masses(*added) - mass)).reshape(self.velocities.size, self.radii.size)
        return found

    def masses(self, x: FloatArray, y: FloatArray, velocity: FloatArray) -> FloatArray:
        """log10 mass of clusters with equally many galaxies, (k, n) each."""
        k, n = x.shape
        sample = _Made(
            x=x.ravel(), y=y.ravel(), velocity=velocity.ravel(), offsets=np.arange(k + 1, dtype=np.int64) * n,
            cosmology=self.clusters.cosmology, kind=getattr(self.clusters, "kind", "contaminated"),
        )  # fmt: skip
        network = self.model._load().to(self.device)
        found = self.model._means(network, self.model._inputs(sample, self.device), np.arange(k))
        return np.asarray(found, np.float64)

    def _gradients(self, part: slice, found: SimpleNamespace) -> FloatArray:
        """Derivatives through network and density grid; returns that by the cells, less its mean over the galaxies."""
        import torch

        columns = {"x": self.x[part], "y": self.y[part], "radius": self.radius[part], "velocity": self.velocity[part]}
        names = self.preset.columns
        points = torch.tensor(np.stack([columns[name] for name in names], 1), requires_grad=True)
        weights = torch.ones(points.shape[0], dtype=torch.float64, requires_grad=True)
        offsets = torch.tensor([0, points.shape[0]])
        grid: Any = self.preset.total * torch.as_tensor(estimate_density(
            points, offsets, axes=self.preset.axes(self.h), bandwidth=self.preset.bandwidth, at=self.preset.at,
            normalise="sum", weights=weights,
        ))  # fmt: skip
        leaf = grid.detach().float().to(self.device).requires_grad_(True)
        network = self.model._load().to(self.device)
        mean = network.head.mean(network.trunk(leaf)).sum()
        dex = 0.5 * (self.model._scale[1] - self.model._scale[0])
        (by_cell,) = torch.autograd.grad(mean, leaf)
        by_cell = dex * by_cell.double().cpu()
        by_point, by_weight = torch.autograd.grad(grid, [points, weights], by_cell)
        by = dict(zip(names, by_point.numpy().T, strict=True))
        found.by_velocity, found.by_weight = by["velocity"], by_weight.numpy()
        if "radius" in by:
            found.by_radius = by["radius"]
        elif "x" in by:
            away = np.maximum(columns["radius"], 1e-12)
            found.by_radius = (by["x"] * columns["x"] + by["y"] * columns["y"]) / away
        else:
            found.by_radius = np.zeros(by_weight.shape[0])
        share = grid.detach() / self.preset.total
        return np.asarray(self.preset.total * (by_cell - (by_cell * share).sum())[0].numpy())

    def _differences(self, x: FloatArray, y: FloatArray, velocity: FloatArray, found: SimpleNamespace) -> None:
        n, radius = x.size, np.hypot(x, y)
        inner = 1.0 - 1e-6  # so that nothing leaves the cylinder
        top = max(self.fastest, float(np.abs(velocity).max()) + STEP_VELOCITY) * inner
        edge = max(self.reach, float(radius.max()) + STEP_RADIUS if not self.model._cuts(self.clusters) else 0) * inner
        eye = np.eye(n, dtype=bool)
        wide = [np.broadcast_to(values, (n, n)) for values in (x, y, velocity)]
        ends, values = [], []
        for sign in (1, -1):
            moved = np.clip(velocity + sign * STEP_VELOCITY, -top, top)
            values.append(self.masses(wide[0], wide[1], np.where(eye, moved[:, None], wide[2])))
            ends.append(moved)
        found.by_velocity = (values[0] - values[1]) / (ends[0] - ends[1])
        ends, values = [], []
        for sign in (1, -1):
            moved = np.clip(radius + sign * STEP_RADIUS, 0.0, edge)
            with np.errstate(divide="ignore", invalid="ignore"):
                along = np.where(radius > 0, x / radius, 1.0), np.where(radius > 0, y / radius, 0.0)
            place = [np.where(eye, (moved * a)[:, None], w) for a, w in zip(along, wide[:2], strict=True)]
            values.append(self.masses(place[0], place[1], wide[2]))
            ends.append(moved)
        found.by_radius = (values[0] - values[1]) / (ends[0] - ends[1])


class _Made(SimpleNamespace):
    """Clusters put together here, as inputs of networks read them."""

    def __len__(self) -> int:
        return int(self.offsets.size - 1)
