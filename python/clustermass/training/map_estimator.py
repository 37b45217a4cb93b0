"""Networks that see maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ArrayError, BadInputError, DomainError, MissingFieldError, NotFittedError
from ..models.base import true_masses
from ..nfw import convert_mass
from .estimator import LearnedEstimator
from .map_inputs import MapInputs
from .map_preset import MapPreset

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.int64]
PIXEL_TOLERANCE = 0.02  #: relative difference of the sides of pixels that a network does not mind


class MapEstimator(LearnedEstimator):
    """A network on images of clusters; see `LearnedEstimator`.

    Ideal maps are observed with the telescope of the preset, in training with other noise in every epoch where the
    preset says so; maps that were observed already (`MapSample.is_ideal`) are taken as they are. A network trains on
    images of any size and then wants that size; pixels of another angle or redshifts outside those of training are
    flagged ``out_of_support``.
    """

    inputs = ("maps", "redshift")
    preset: MapPreset

    def __init__(self, preset: str, **options: Any) -> None:
        super().__init__(preset, **options)
        if not isinstance(self.preset, MapPreset):
            raise DomainError(f"`preset` must be one of maps, got {preset!r}")
        self.mass_definition = self.preset.mass_definition
        self._shape: tuple[int, ...] = (len(self.preset.channels), self.preset.pixels, self.preset.pixels)

    @property
    def channels(self) -> tuple[str, ...]:
        """What it sees, in this order."""
        return self.preset.channels

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows and columns of the images that it was trained on."""
        return self._shape[1], self._shape[2]

    @property
    def pixel_angle(self) -> float:
        """Side of a pixel of the images that it was trained on [rad]."""
        low, high = self._support["pixel_angle"]
        return 0.5 * (low + high)

    def fit_folds(self, clusters: Any, training_rows: Sequence[Rows]) -> list[Self]:
        """As `LearnedEstimator.fit_folds`, on a `MapSample` with true masses."""
        self._shape = (len(self.preset.channels), *clusters.shape[2:])
        return super().fit_folds(clusters, training_rows)

    def observed(self, maps: Any, *, draw: int = 0) -> Any:
        """The maps as the network sees them: the channels of the preset, observed where they are ideal.

        Parameters
        ----------
        maps : MapSample
            With the channels of the preset.
        draw : int
            Of the noise; 0 is that of `predict`.

        Returns
        -------
        MapSample
        """
        chosen = maps.select(self.preset.channels)
        if not chosen.is_ideal or self.preset.telescope is None:
            return chosen
        source = MapInputs(chosen, self.preset, seed=self.settings.seed, device="cpu", n_threads=self.n_threads)
        images = (
            source.images if source.telescope is None else source.observed(source.images, np.arange(len(chosen)), draw)
        )
        return replace(chosen, images=images, is_ideal=False)

    def mass_function(self, device: str = "cpu") -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Mean log10 mass as a function of images (n, channel, row, column), as `observed` gives them, and redshifts
        (n,): differentiable, for explanations."""
        if self._state is None:
            raise NotFittedError(f"estimator {self.name!r} must be fitted before it predicts")
        self.device = device
        network = self._load().to(self._device())
        for weight in network.parameters():
            weight.requires_grad_(False)
        low, high = self._scale

        def masses(images: torch.Tensor, redshift: torch.Tensor) -> torch.Tensor:
            others = (redshift.to(images.dtype),) if self.preset.redshift else ()
            y: torch.Tensor = network.head.mean(network.trunk(images, *others))
            return low + 0.5 * (y + 1.0) * (high - low) - self._offset

        return masses

    def _inputs(self, clusters: Any, device: Any) -> MapInputs:
        shape = (len(self.preset.channels), *clusters.shape[2:])
        if shape != self._shape:
            raise ArrayError(f"{self.name!r} was trained on images of shape {self._shape}, got {shape}")
        return MapInputs(clusters, self.preset, seed=self.settings.seed, device=device, n_threads=self.n_threads)

    def _cells(self) -> tuple[int, ...]:
        return self._shape

    def _prepare(self, network: Any, source: Any, rows: Rows) -> None:
        network.trunk.fit_scale(source.sample(rows))

    def _described(self, clusters: Any) -> dict[str, NDArray[np.float64]]:
        angle = np.full(len(clusters), clusters.pixel_angle)
        return {"redshift": np.asarray(clusters.redshift, np.float64), "pixel_angle": angle}

    def _range(self, name: str, low: float, high: float) -> tuple[float, float]:
        if name == "pixel_angle":
            return (1 - PIXEL_TOLERANCE) * low, (1 + PIXEL_TOLERANCE) * high
        return max(0.0, low - 0.02), high + 0.02

    def _masses(self, clusters: Any) -> NDArray[np.float64]:
        return true_map_masses(clusters, self.mass_definition)

    def _extra(self) -> dict[str, Any]:
        return {"shape": list(self._shape)}

    def _take_extra(self, extra: Mapping[str, Any]) -> None:
        self._shape = tuple(int(v) for v in extra["shape"])


def true_map_masses(maps: Any, mass_definition: str) -> NDArray[np.float64]:
    """log10 of the true masses [Msun] of a `MapSample`; M500c from M200c by a halo of mean concentration for the maps
    that do not have it.

    Raises
    ------
    MissingFieldError, BadInputError
        If the masses are not known, or not all.
    """
    if mass_definition == "M200c":
        return true_masses(maps)
    if maps.log10_m500c is None and maps.log10_m200c is None:
        raise MissingFieldError("maps to fit must have `log10_m500c` or `log10_m200c`, got neither")
    found = np.full(len(maps), np.nan) if maps.log10_m500c is None else np.array(maps.log10_m500c)
    lack = ~np.isfinite(found)
    if lack.any() and maps.log10_m200c is not None:
        m200c = 10.0 ** maps.log10_m200c[lack]
        found[lack] = np.log10(convert_mass(m200c, 200.0, 500.0, maps.cosmology, maps.redshift[lack]))
    if unknown := int((~np.isfinite(found)).sum()):
        raise BadInputError(f"maps to fit must have finite masses, got {unknown} of {len(maps)} without")
    return found
