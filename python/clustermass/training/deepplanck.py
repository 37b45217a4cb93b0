"""The released networks of de Andres et al. 2022: masses of Planck clusters from their maps of Compton y."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from .._extras import import_extra
from ..data.fits_map import read_fits_map
from ..data.keras_file import read_keras_layers
from ..errors import ArrayError, BadInputError, FileFormatError
from ..models.base import Estimator
from ..models.posterior import FLAGS, MassPosterior

#: low < redshift <= high of bins 1 to 4; mean and spread of Compton y that the maps of a bin are standardised with
BINS: Mapping[int, tuple[float, float, float, float]] = {
    1: (0.0, 0.1, 1.8827347385422218e-06, 7.136290778515806e-06),
    2: (0.1, 0.2, 2.2296471704066543e-07, 2.036420289662876e-06),
    3: (0.2, 0.4, 8.347489023971544e-08, 1.4639878011606421e-06),
    4: (0.4, 1.0, 3.14216726766519e-08, 1.300205829438648e-06),
}
HUBBLE = 0.678  #: of The Three Hundred; the networks give log10 M500c [Msun/h]
PIXELS = 96
PIXEL_ANGLE = math.radians(1.8 / 60.0)  #: [rad], measured on a released map to a tenth; the authors do not say it
_AT_ONCE = 512  #: images


class DeepPlanck(Estimator):
    """A released network of de Andres et al. 2022 (Nature Astronomy 6, 1325): log10 M500c from a Planck map.

    Make one with `from_released_weights`. The files are ``weights/bestmodel-1.h5`` to ``-4.h5`` of the authors'
    repository, one for each bin of redshift: (0, 0.1], (0.1, 0.2], (0.2, 0.4] and (0.4, 1].

    Parameters
    ----------
    weights : mapping of str to float32 array
        As the module `clustermass.models.networks.deepplanck` names them.
    redshift_bin : {1, 2, 3, 4}
        Which of the four.

    Notes
    -----
    Maps have 96 x 96 pixels of about 1.8 arcmin with the noise and the beam of Planck; other maps of that size go in,
    but nobody has tested what comes out. There is no interval. Cost: 1 ms a map on one core.
    """

    name = "deepplanck-released"
    inputs = ("maps", "redshift")
    mass_definition = "M500c"
    source = "de Andres et al. 2022, Nature Astronomy 6, 1325; released weights"
    channels = ("compton_y",)
    image_shape = (PIXELS, PIXELS)
    pixel_angle = PIXEL_ANGLE

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], redshift_bin: int) -> None:
        torch = import_extra("torch", extra="ml", what="networks on maps need")
        from ..models.networks.deepplanck import DeepPlanck as Network

        self.redshift_bin = check.integer(redshift_bin, "redshift_bin", low=1, high=len(BINS))
        self._network = Network().eval()
        self._weights = {key: np.asarray(values, np.float32) for key, values in weights.items()}
        wanted = {key: tuple(values.shape) for key, values in self._network.state_dict().items()}
        for key, shape in wanted.items():
            if key not in self._weights or self._weights[key].shape != shape:
                got = self._weights[key].shape if key in self._weights else "nothing"
                raise FileFormatError(f"weights of DeepPlanck: {key} must have shape {shape}, got {got}")
        self._network.load_state_dict({key: torch.as_tensor(self._weights[key].copy()) for key in wanted})

    @classmethod
    def from_released_weights(cls, path: str | Path, *, redshift_bin: int) -> Self:
        """Read a file of Keras weights with h5py.

        Parameters
        ----------
        path : str or Path
            One of the four files.
        redshift_bin : {1, 2, 3, 4}
            Which; it says how maps are standardised. The files do not say it but in their names.

        Returns
        -------
        DeepPlanck

        Raises
        ------
        FileNotFoundError
        FileFormatError, TruncatedFileError
            If the file is damaged, or holds another network.
        DomainError
        MissingDependencyError
            Without torch (extra ``ml``).

        Examples
        --------
        With the authors' files: ``DeepPlanck.from_released_weights("bestmodel-2.h5", redshift_bin=2)``, then
        ``.predict_fits("PSZ2G359.07-32.12.fits")`` gives 14.68293.
        """
        layers = read_keras_layers(path)
        kernels = {kind: [arrays for own, arrays in layers if own == kind] for kind in ("conv2d", "dense")}
        if (len(kernels["conv2d"]), len(kernels["dense"]), len(layers)) != (3, 4, 7):
            kinds = ", ".join(kind for kind, _ in layers)
            raise FileFormatError(f"{path}: DeepPlanck has 3 layers conv2d and 4 layers dense, got {kinds}")
        weights: dict[str, NDArray[np.float32]] = {}
        names = ["convolutions.0", "convolutions.3", "convolutions.6", "dense.1.0", "dense.2.0", "dense.2.2", "output"]
        for name, arrays in zip(names, kernels["conv2d"] + kernels["dense"], strict=True):
            if set(arrays) != {"kernel", "bias"}:
                raise FileFormatError(f"{path}: a layer must have a kernel and a bias, got {', '.join(arrays)}")
            kernel = arrays["kernel"]
            weights[f"{name}.weight"] = np.moveaxis(kernel, (-1, -2), (0, 1)).copy()  # (..., in, out) -> (out, in, ...)
            weights[f"{name}.bias"] = arrays["bias"]
        try:
            return cls(weights, redshift_bin)
        except FileFormatError as exc:
            raise FileFormatError(f"{path}: {exc}") from exc

    def predict_images(self, images: ArrayLike) -> NDArray[np.float64]:
        """log10 M500c [Msun, no h] of maps of Compton y.

        Parameters
        ----------
        images : (n, 96, 96) or (96, 96) array_like of float
            Compton y, the cluster in the middle.

        Returns
        -------
        (n,) or () float64

        Raises
        ------
        ArrayError, BadInputError
            For another shape, and for values that are not finite.
        """
        import torch

        maps = np.asarray(images, np.float64)
        if maps.ndim not in (2, 3) or maps.shape[-2:] != (PIXELS, PIXELS):
            raise ArrayError(f"`images` must have shape (n, {PIXELS}, {PIXELS}), got {maps.shape}")
        if not np.isfinite(maps).all():
            raise BadInputError("`images` must be finite, got NaN or infinity")
        _, _, mean, spread = BINS[self.redshift_bin]
        scaled = torch.as_tensor(((maps.reshape(-1, 1, PIXELS, PIXELS) - mean) / spread).astype(np.float32))
        with torch.no_grad():
            parts = [self._network(scaled[k : k + _AT_ONCE])[:, 0] for k in range(0, len(scaled), _AT_ONCE)]
        masses = torch.cat(parts).double().numpy() if parts else np.empty(0)
        return np.asarray(masses - math.log10(HUBBLE)).reshape(maps.shape[:-2])

    def predict_fits(self, path: str | Path) -> float:
        """log10 M500c [Msun, no h] of the map in a FITS file of 96 x 96 pixels; see `read_fits_map`."""
        (image,) = read_fits_map(path, pixel_angle=PIXEL_ANGLE, redshift=0.5 * sum(BINS[self.redshift_bin][:2])).images
        return float(self.predict_images(image[0]))

    def predict(self, clusters: Any) -> MassPosterior:
        """Masses of a `MapSample`: points. Redshifts outside the bin are flagged ``out_of_support``."""
        images = clusters.select(["compton_y"]).images[:, 0]
        low, high = BINS[self.redshift_bin][:2]
        beyond = (clusters.redshift <= low) | (clusters.redshift > high)
        flags = np.where(beyond, np.uint32(FLAGS["out_of_support"]), np.uint32(0))
        return MassPosterior.point(self.predict_images(images), self.mass_definition, flags=flags)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The bin; the weights."""
        return {"redshift_bin": self.redshift_bin}, dict(self._weights)

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The network of a file."""
        return cls(arrays, config["redshift_bin"])
