"""What a network looks at in maps of clusters, from low to high mass: attributions of chosen clusters, and stacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..data.map_sample import MapSample
from ..errors import BadInputError
from ..nfw import convert_mass, radius_of_mass

if TYPE_CHECKING:
    import torch

FloatArray = NDArray[np.float64]
CORE, EDGE = 0.15, 1.0  #: of R200c, circles of Yan et al. 2020
#: name -> unit of the values
METHODS = {
    "saliency": "dex per standard deviation of the channel's pixels",
    "deep_dream": "change of a pixel over the rms of its image",
    "integrated": "dex",
    "occlusion": "change of the mass in percent",
}


class MapModel(Protocol):
    """What `explain_maps` asks of an estimator."""

    @property
    def name(self) -> str: ...
    @property
    def mass_definition(self) -> str: ...
    def observed(self, maps: Any) -> Any:
        """The maps as the network sees them: its channels, with the noise and beam of its telescope."""

    def mass_function(self, device: str = "auto") -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """A differentiable function of images (n, channel, row, column) and redshifts (n,) to log10 masses (n,)."""


@dataclass(frozen=True)
class MapExplanation:
    """Attributions of n clusters in k mass bins.

    Attributes
    ----------
    estimator, mass_definition : str
    channels : tuple of str
    sample_rows : (n,) int64
        Rows of the sample that was explained, by bin and by mass.
    host_id, view : (n,) int64
    redshift, log10_true, log10_pred, log10_empty : (n,) float64
        log10_empty is the estimate of an image of zeros; masses in Msun (no h), NaN where the truth is not known.
    radius : (n,) float64
        R200c of the true mass (of the estimate where there is no truth), in pixels.
    bin : (n,) int64
    edges : (k + 1,) float64
        log10 mass [Msun].
    example : (k,) int64
        Entry among the n that stands for each bin: the one nearest to its middle; -1 for an empty bin.
    images : (n, channel, row, column) float32
    maps : dict of str to (n, channel, row, column) float32
        For each of `METHODS`, in its unit. `occlusion` hides all channels at once and is the same for each.
    settings : dict
    """

    estimator: str
    mass_definition: str
    channels: tuple[str, ...]
    sample_rows: NDArray[np.int64]
    host_id: NDArray[np.int64]
    view: NDArray[np.int64]
    redshift: FloatArray
    log10_true: FloatArray
    log10_pred: FloatArray
    log10_empty: FloatArray
    radius: FloatArray
    bin: NDArray[np.int64]
    edges: FloatArray
    example: NDArray[np.int64]
    images: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
    settings: dict[str, Any]

    def __len__(self) -> int:
        return int(self.sample_rows.size)

    @property
    def completeness_error(self) -> FloatArray:
        """Sum of the integrated gradients less what they should add up to [dex]."""
        total = self.maps["integrated"].sum(axis=(1, 2, 3), dtype=np.float64)
        return np.asarray(total - (self.log10_pred - self.log10_empty))


def explain_maps(
    model: MapModel,
    sample: MapSample,
    *,
    bins: int = 4,
    per_bin: int = 8,
    sigma: float = 5.0,
    iterations: int = 2,
    device: str = "auto",
    on_cluster: Callable[[int, int], None] | None = None,
) -> MapExplanation:
    """Attribute the masses of some clusters of each mass to the pixels of their maps.

    Parameters
    ----------
    model : estimator of maps
        With `mass_function`, such as a fitted `MapEstimator`.
    sample : MapSample
        With the channels of the model; ideal maps are observed first as the model does it. Maps without an estimate,
        such as those at redshifts that a model with bins of redshift has no network for, are left out.
    bins : int
        Of log10 mass, of equal width between the lightest and the heaviest.
    per_bin : int
        Clusters in each at most, spread evenly over its masses, each cluster once while there are enough.
    sigma : float
        Of the Gaussian mask in pixels.
    iterations : int
        Of Deep Dream.
    device : str
        Of torch.
    on_cluster : callable, optional
        Called with the number of finished clusters and of all.

    Returns
    -------
    MapExplanation

    Raises
    ------
    BadInputError, DomainError
        If there are no maps or no estimates, or a setting makes no sense.

    Notes
    -----
    Cost: rows times columns evaluations a cluster for the masks, 14,400 at 120 x 120; all else is small beside it.
    """
    import torch

    if len(sample) == 0:
        raise BadInputError("`sample` must hold at least one map, got none")
    bins, per_bin = check.integer(bins, "bins", low=1), check.integer(per_bin, "per_bin", low=1)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    mass_of, sample = model.mass_function(device), model.observed(sample)
    with torch.no_grad():
        predicted = _in_parts(mass_of, sample, device)
    kept = np.flatnonzero(np.isfinite(predicted))
    if kept.size == 0:
        raise BadInputError(
            f"`sample` must hold a map that {model.name!r} has an estimate of, got none of {len(sample)}"
        )
    n_sample, sample, predicted = len(sample), sample.only(kept), predicted[kept]
    true = masses_of(sample, model.mass_definition)
    known = np.where(np.isfinite(true), true, predicted)
    edges = np.linspace(known.min() - 1e-9, known.max() + 1e-9, bins + 1)
    rows, of_bin = _choose(known, edges, sample.host_id, per_bin)
    found = [_explain_one(mass_of, sample, int(row), sigma, iterations, device) for row in _counted(rows, on_cluster)]
    scale = sample.images.std(axis=(0, 2, 3), dtype=np.float64)
    maps = {name: np.stack([one[name] for one in found]) for name in METHODS}
    maps["saliency"] = (maps["saliency"] * scale[:, None, None]).astype(np.float32)
    middle = 0.5 * (edges[:-1] + edges[1:])
    example = [
        int(np.flatnonzero(of_bin == k)[np.argmin(np.abs(known[rows[of_bin == k]] - middle[k]))])
        if (of_bin == k).any() else -1
        for k in range(bins)
    ]  # fmt: skip
    return MapExplanation(
        model.name, model.mass_definition, sample.channels, kept[rows], sample.host_id[rows], sample.view[rows],
        sample.redshift[rows], true[rows], predicted[rows], np.array([one["empty"] for one in found]),
        radius_pixels(sample, predicted, model.mass_definition)[rows], of_bin, edges, np.array(example, np.int64),
        sample.images[rows], maps,
        {"bins": bins, "per_bin": per_bin, "sigma": sigma, "iterations": iterations, "n_sample": n_sample,
         "n_without_estimate": n_sample - len(sample)},
    )  # fmt: skip


def _in_parts(mass_of: Callable[[Any, Any], Any], sample: MapSample, device: str) -> FloatArray:
    """Estimates of all maps."""
    import torch

    from .attribution import images_at_once

    parts, most = [], images_at_once(sample.images.shape, device)
    for low in range(0, len(sample), most):
        here = slice(low, low + most)
        images = torch.as_tensor(sample.images[here]).to(device)
        parts.append(mass_of(images, _redshifts(sample, here, device)).double().cpu().numpy())
    return np.concatenate(parts)


def _redshifts(sample: MapSample, rows: Any, device: str) -> Any:
    import torch

    return torch.as_tensor(np.asarray(sample.redshift[rows], np.float32)).to(device)


def _explain_one(
    mass_of: Callable[[Any, Any], Any], sample: MapSample, row: int, sigma: float, iterations: int, device: str
) -> dict[str, Any]:
    """All methods on one map."""
    import torch

    from . import attribution

    image = torch.as_tensor(sample.images[row : row + 1]).to(device)
    redshift = _redshifts(sample, slice(row, row + 1), device)

    def of(images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = mass_of(images, redshift.expand(len(images)))
        return found

    hidden = attribution.occlusion(of, image, sigma=sigma)[0]
    size = image.double().square().mean((2, 3), keepdim=True).sqrt().clamp_min(1e-300)
    dream = attribution.deep_dream(of, image, iterations=iterations) / size
    with torch.no_grad():
        empty = float(of(torch.zeros_like(image))[0])
    change = (100.0 * torch.expm1(np.log(10.0) * hidden.double())).cpu().numpy()
    return {
        "saliency": attribution.input_gradients(of, image)[0].double().cpu().numpy(),
        "deep_dream": dream[0].cpu().numpy().astype(np.float32),
        "integrated": attribution.integrated_gradients(of, image)[0].cpu().numpy(),
        "occlusion": np.repeat(change[None].astype(np.float32), image.shape[1], axis=0),
        "empty": empty,
    }


def _counted(rows: NDArray[np.int64], on_cluster: Callable[[int, int], None] | None) -> Any:
    for k, row in enumerate(rows):
        yield row
        if on_cluster is not None:
            on_cluster(k + 1, rows.size)


def _choose(
    mass: FloatArray, edges: FloatArray, host: NDArray[np.int64], per_bin: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each bin, spread evenly over its masses, first views of hosts first; and their bins."""
    first = np.zeros(mass.size, bool)
    first[np.unique(host, return_index=True)[1]] = True
    rows, of_bin = [], []
    place = np.clip(np.digitize(mass, edges) - 1, 0, edges.size - 2)
    for k in range(edges.size - 1):
        here = np.flatnonzero((place == k) & first)
        if here.size < per_bin:
            rest = np.flatnonzero((place == k) & ~first)
            here = np.concatenate([here, rest[: per_bin - here.size]])
        here = here[np.argsort(mass[here], kind="stable")]
        chosen = here[np.unique(np.linspace(0, here.size - 1, per_bin).round().astype(int))] if here.size else here
        rows.append(chosen)
        of_bin.append(np.full(chosen.size, k))
    return np.concatenate(rows).astype(np.int64), np.concatenate(of_bin).astype(np.int64)


def masses_of(sample: MapSample, definition: str) -> FloatArray:
    """log10 true M200c or M500c [Msun]: (n,), by an NFW profile where maps have the other, NaN where none."""
    own, other = sample.log10_m200c, sample.log10_m500c
    from_to = (200.0, 500.0)
    if definition == "M500c":
        own, other, from_to = other, own, (500.0, 200.0)
    found = np.full(len(sample), np.nan) if own is None else np.array(own, np.float64)
    lack = ~np.isfinite(found)
    if lack.any() and other is not None:
        known = 10.0 ** other[lack]
        found[lack] = np.log10(convert_mass(known, from_to[1], from_to[0], sample.cosmology, sample.redshift[lack]))
    return found


def radius_pixels(sample: MapSample, predicted: FloatArray, definition: str) -> FloatArray:
    """R200c in pixels: of the true mass, or of the estimate in its definition where there is none: (n,)."""
    log_mass = masses_of(sample, "M200c")
    guess = 10.0 ** np.asarray(predicted, np.float64)
    if definition == "M500c":
        guess = convert_mass(guess, 500.0, 200.0, sample.cosmology, sample.redshift)
    mass = np.where(np.isfinite(log_mass), 10.0**log_mass, guess)
    radius = radius_of_mass(mass, 200.0, sample.cosmology, sample.redshift)
    return np.asarray(radius / sample.cosmology.transverse_distance(sample.redshift) / sample.pixel_angle)
