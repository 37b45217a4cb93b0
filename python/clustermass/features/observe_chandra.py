"""Chandra-like X-ray images: photon counts of an exposure, smoothed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import _validate as check
from ..ops.beam import beam_margin, convolve_beam
from ..units import ARCMIN_RAD
from .channels import CHANNELS
from .observe_models import checked_images, checked_keys, extended, in_parts
from .observe_yan import YAN_PIXEL
from .poisson import poisson

KEV_ERG = 1.602176634e-9  #: erg in one keV (exact)
_XRAY = tuple(name for name, channel in CHANNELS.items() if channel.quantity == "luminosity")
_PURPOSE = 0x434841  # of the counts, among the uses of a seed


@dataclass(frozen=True)
class ChandraObservation:
    r"""X-ray images as from Chandra: a flux becomes photon counts, counts are smoothed and turned back into a flux.

    The expected counts of a pixel are :math:`(F / E)\,A\,t + b\,\theta^2 t`, after the blur of the telescope; the
    counts are Poisson numbers; the result is the counts less the expected background, smoothed, over :math:`A\,t / E`.

    Parameters
    ----------
    pixel_angle : float
        Side of a pixel [rad]; default 10 arcseconds.
    exposure : float
        t [s], > 0.
    effective_area : float
        A [cm^2], > 0: 400, about that of ACIS-I between 0.5 and 2 keV.
    photon_energy : float
        E [keV], > 0: mean energy of a photon of the band.
    background : float
        b [counts / s / arcmin^2], >= 0, of particles and sky together.
    psf_fwhm : float
        Blur before the photons are counted [rad], >= 0: the 4 arcseconds of Yan et al. 2020, table 1.
    smoothing_fwhm : float
        Of the counts afterwards [rad], >= 0; 0 for whole counts in each pixel.

    Raises
    ------
    DomainError

    Notes
    -----
    After Ntampaka et al. 2019, whose network sees a low-resolution image of photon counts without energies. Here one
    energy and one area stand for the whole band, and the numbers above are round figures, not theirs. Edge as in
    `YanObservation`. Tensors go through the host for the counts, and no gradient passes. Cost: about 1 ms for
    120 x 120 pixels on one core, nearly all of it Poisson numbers.

    References
    ----------
    .. [1] Ntampaka et al. 2019, ApJ 876, 82.

    Examples
    --------
    >>> import numpy as np
    >>> ideal = np.full((2, 1, 64, 64), 1e-15, np.float32)  # erg/s/cm^2 in each pixel: 25 counts
    >>> seen = ChandraObservation(smoothing_fwhm=0.0).observe(ideal, redshift=[0.05, 0.06], items=[1, 2], seed=1)
    >>> print(f"{seen.mean():.1e} +- {seen.std():.1e}")
    1.0e-15 +- 2.2e-16
    """

    pixel_angle: float = YAN_PIXEL
    exposure: float = 1e5
    effective_area: float = 400.0
    photon_energy: float = 1.0
    background: float = 1.5e-3
    psf_fwhm: float = 4.0 / 60.0 * ARCMIN_RAD
    smoothing_fwhm: float = 0.5 * ARCMIN_RAD

    def __post_init__(self) -> None:
        for name in ("pixel_angle", "exposure", "effective_area", "photon_energy"):
            check.number(getattr(self, name), name, above=0)
        for name in ("background", "psf_fwhm", "smoothing_fwhm"):
            check.number(getattr(self, name), name, low=0)

    @property
    def counts_per_flux(self) -> float:
        """Expected counts of a flux of 1 erg/s/cm^2."""
        return self.effective_area * self.exposure / (self.photon_energy * KEV_ERG)

    @property
    def background_counts(self) -> float:
        """Expected counts of a pixel without a source."""
        return self.background * self.exposure * (self.pixel_angle / ARCMIN_RAD) ** 2

    def observe(
        self, images: Any, *, redshift: Any = None, items: Any, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:  # fmt: skip
        """Observe ideal images.

        Parameters
        ----------
        images : array or tensor of float, shape (n, 1, rows, cols)
            X-ray flux of each pixel [erg/s/cm^2], finite and >= 0.
        redshift : object
            Not used.
        items : array_like of int, shape (n,)
            Keys of the random numbers, e.g. the number of the image in its training set.
        seed, draw : int
            Further keys: a training takes another draw each epoch.
        n_threads : int
            Threads; they change no bit of the result.

        Returns
        -------
        array or tensor of float, shape and type of `images`
            Flux [erg/s/cm^2], below zero where fewer counts came than the background makes on average.

        Raises
        ------
        ArrayError, DTypeError, BadInputError, DomainError
        """
        stack = checked_images(images, 1)
        keys, own_seed = checked_keys(items, len(stack), seed, 0, _PURPOSE)
        blur, smooth = self.psf_fwhm / self.pixel_angle, self.smoothing_fwhm / self.pixel_angle
        inner, outer = beam_margin(smooth), beam_margin(blur)

        def part(rows: slice, threads: int) -> Any:
            rates = extended(stack[rows], inner + outer) * self.counts_per_flux
            if outer:
                rates = convolve_beam(rates, blur, edge="crop", margin=outer, n_threads=threads)
            rates = rates + self.background_counts
            counts = poisson(rates, seed=own_seed, items=keys[rows], draw=draw, n_threads=threads)
            counts = counts - self.background_counts
            if inner:
                counts = convolve_beam(counts, smooth, edge="crop", margin=inner, n_threads=threads)
            return counts / self.counts_per_flux

        return in_parts(part, stack, n_threads)
