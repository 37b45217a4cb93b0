"""The observations of Yan et al. 2020: white noise and a Gaussian beam in each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import PLANCK_2018, Cosmology
from ..errors import ArrayError
from ..ops._tensors import is_tensor
from ..ops.beam import beam_margin, convolve_beam
from ..ops.noise import add_noise
from ..units import ARCMIN_RAD
from .channels import CHANNELS
from .observe import ORDERS
from .observe_models import beside, checked_images, checked_keys, extended, host_redshifts, in_parts

YAN_PIXEL = 20.0 * ARCMIN_RAD / 120.0  #: [rad] 10 arcseconds, 120 x 120 of them in 20 arcminutes
STARS_NOISE = ("surface-density", "pixel")

_PURPOSE = 0x59414E  # of the noise, among the uses of a seed


@dataclass(frozen=True)
class YanObservation:
    """Noise and beam of Yan et al. 2020, section 2.2.3 and table 1.

    Parameters
    ----------
    channels : sequence of str
        Names of the channels of the images, in their order: "stars", "xray_soft", "xray_bolometric", "compton_y".
    pixel_angle : float
        Side of a pixel [rad]; default 10 arcseconds: 120 x 120 pixels in 20 arcminutes.
    order : {"noise-then-beam", "beam-then-noise"}
        The text says that noise is added first; then what is left is weaker than the rms of table 1 and correlated
        over the beam (Compton y: by a factor of 12.6). The other order gives white noise of just that rms.
    stars_noise : {"surface-density", "pixel"}
        What 2.14e11 of table 1 is. "surface-density": Msun/Mpc^2 (proper), as their eq. 2 divides by the area of a
        pixel; a tenth of the mean over a map of a cluster, as the text says, and about 2e7 Msun in a pixel at
        z = 0.05. "pixel": Msun per pixel, as the table prints; that is more than the stars of nearly any pixel, and
        noise that no network could see through.
    noise_rms : sequence of float, optional
        Instead of table 1, one per channel in its unit (stars: as `stars_noise` says). 1e-6 for Compton y and a beam
        of 9.66 arcminutes are their Planck-like case.
    beam_fwhm : sequence of float, optional
        Instead of table 1, full width at half maximum per channel [rad].
    cosmology : Cosmology
        For the area of a pixel at the redshift of a cluster; only used for stars.

    Raises
    ------
    DomainError, ArrayError

    Notes
    -----
    Edge: the images of training sets end at the field. Beyond it the outermost pixels are repeated as far as the beam
    reaches (4 sigma: 14 pixels for Compton y), and noise is drawn there too, so the noise is as strong at the edge as
    in the middle; light from outside is that of the edge. Images with true surroundings go through `make_maps`.

    Gradients pass through for tensors. Cost: a copy, a normal number a pixel, and the beam: 60 microseconds for a
    Compton y map on one core.

    References
    ----------
    .. [1] Yan et al. 2020, MNRAS 499, 3445.

    Examples
    --------
    >>> model = YanObservation(["stars", "compton_y"])
    >>> ideal = np.zeros((3, 2, 120, 120), np.float32)
    >>> seen = model.observe(ideal, redshift=[0.03, 0.05, 0.07], items=[10, 11, 12], seed=1)
    >>> print(f"{seen[1, 0].std():.1e} Msun, y = {seen[:, 1].std():.1e}")
    2.2e+07 Msun, y = 8.1e-10
    """

    channels: Sequence[str]
    pixel_angle: float = YAN_PIXEL
    order: str = "noise-then-beam"
    stars_noise: str = "surface-density"
    noise_rms: Sequence[float] | None = None
    beam_fwhm: Sequence[float] | None = None
    cosmology: Cosmology = PLANCK_2018

    def __post_init__(self) -> None:
        if isinstance(self.channels, str) or not len(self.channels):
            raise ArrayError(f"`channels` must be a list of one name or more, got {self.channels!r}")
        for name in self.channels:
            check.choice(name, "channels", tuple(CHANNELS))
        object.__setattr__(self, "channels", tuple(self.channels))
        check.number(self.pixel_angle, "pixel_angle", above=0)
        check.choice(self.order, "order", ORDERS)
        check.choice(self.stars_noise, "stars_noise", STARS_NOISE)
        object.__setattr__(self, "noise_rms", self._levels("noise_rms", self.noise_rms))
        object.__setattr__(self, "beam_fwhm", self._levels("beam_fwhm", self.beam_fwhm))

    def _levels(self, name: str, given: Sequence[float] | None) -> tuple[float, ...]:
        if given is None:
            return tuple(getattr(CHANNELS[channel], name) for channel in self.channels)
        if np.shape(given) != (len(self.channels),):
            raise ArrayError(f"`{name}` must have one value per channel ({len(self.channels)}), got {np.shape(given)}")
        return tuple(check.number(value, name, low=0) for value in given)

    def observe(
        self, images: Any, *, redshift: Any, items: Any, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:  # fmt: skip
        """Observe ideal images.

        Parameters
        ----------
        images : array or tensor of float, shape (n, channel, rows, cols)
            In the units of the channels: Msun, erg/s/cm^2, 1. Finite.
        redshift : array_like of float, shape (n,)
            Of the clusters, > 0; only used for stars.
        items : array_like of int, shape (n,)
            Keys of the random numbers, e.g. the number of the image in its training set.
        seed, draw : int
            Further keys: a training takes another draw each epoch.
        n_threads : int
            Threads; they change no bit of the result.

        Returns
        -------
        array or tensor of float, shape and type of `images`

        Raises
        ------
        ArrayError, DTypeError, BadInputError, DomainError
        """
        stack = checked_images(images, len(self.channels))
        keys, own_seed = checked_keys(items, len(stack), seed, draw, _PURPOSE)
        assert self.noise_rms is not None  # filled in __post_init__
        rms, fwhm = list(self.noise_rms), np.asarray(self.beam_fwhm, np.float64) / self.pixel_angle
        margin = beam_margin(fwhm)
        noise_first = self.order == "noise-then-beam"
        areas = self._areas(redshift, stack)

        def part(rows: slice, threads: int) -> Any:
            field = extended(stack[rows], margin)
            field = field if areas is None else field / areas[rows]
            for step in ("noise", "beam") if noise_first else ("beam", "noise"):
                if step == "noise":
                    place = {} if is_tensor(field) else {"out": field}
                    field = add_noise(field, rms, seed=own_seed, items=keys[rows], n_threads=threads, **place)
                elif margin:
                    field = convolve_beam(field, fwhm, edge="crop", margin=margin, n_threads=threads)
            return field if areas is None else field * areas[rows]

        return in_parts(part, stack, n_threads)

    def _areas(self, redshift: Any, images: Any) -> Any:
        """What the images are divided by while noise is added: the proper area of a pixel [Mpc^2] where there are
        stars, 1 elsewhere. None if no channel has stars or their noise is per pixel.
        """
        stars = np.array([CHANNELS[name].quantity == "mass" for name in self.channels])
        if self.stars_noise == "pixel" or not stars.any():
            return None
        z: NDArray[np.float64] = host_redshifts(redshift, len(images))
        side = self.cosmology.angular_diameter_distance(z) * self.pixel_angle
        return beside(np.where(stars, (side**2)[:, None], 1.0)[:, :, None, None], images)
