"""Planck-like Compton y maps: a wide beam and correlated noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import _validate as check
from ..errors import DomainError
from ..ops._tensors import is_tensor
from ..ops.beam import beam_margin, convolve_beam
from ..units import ARCMIN_RAD
from .correlated_noise import CorrelatedNoise
from .observe_models import checked_images, checked_keys, extended, in_parts
from .spectra import BeamSpectrum, PowerSpectrum

PLANCK_PIXEL = 1.72 * ARCMIN_RAD  #: [rad] of a HEALPix map with nside 2048
PLANCK_BEAM = 9.66 * ARCMIN_RAD  #: [rad] FWHM, Yan et al. 2020; MILCA maps have 10 arcminutes

#: Noise of a Planck Compton y map, frequencies in cycles per pixel of `PLANCK_PIXEL`: `fit_beam_spectrum` (3 beams) of
#: `measure_power_spectrum` (without 16 pixels about the cluster) of the cut-out of PSZ2 G359.07-32.12 that de Andres et
#: al. 2022 released; each rms times 1.038, so that drawn maps have its rms of 1.57e-6 beyond 20 pixels from the middle
PLANCK_NOISE = BeamSpectrum(((5.69e-7, 31.6), (1.413e-6, 4.51), (3.21e-7, 2.00)), white=3.03e-7)

_PURPOSE = 0x504C4B  # of the noise, among the uses of a seed


@dataclass(frozen=True)
class PlanckObservation:
    """Compton y maps as from Planck: smoothed with its beam, and noise with the power spectrum of its y-map added.

    Parameters
    ----------
    pixel_angle : float
        Side of a pixel [rad]; default 1.72 arcminutes, that of HEALPix maps with nside 2048. The pixel of the
        published cut-outs, 96 x 96, is not stated; their noise is correlated as if it was 1.7 to 2 arcminutes.
    beam_fwhm : float
        Full width at half maximum of the beam [rad]: 9.66 arcminutes (Yan et al. 2020) by default; 10 for MILCA maps.
    noise : BeamSpectrum, PowerSpectrum or None
        Of the noise, in cycles per pixel of these images: analytic, or from `measure_power_spectrum`. By default that
        of a real cut-out, `PLANCK_NOISE` (rms 1.59e-6), turned to `pixel_angle`; None for maps without noise (the
        "clean" mocks of the paper).

    Raises
    ------
    DomainError

    Notes
    -----
    The noise is that of the finished map, so the beam does not act on it. It is as strong at the edge as in the middle;
    the signal beyond the edge is taken to be that of the outermost pixels (`YanObservation`).

    Gradients pass through for tensors. Cost: 90 microseconds for 96 x 96 pixels on one core.

    References
    ----------
    .. [1] de Andres et al. 2022, Nature Astronomy 6, 1325.
    .. [2] Planck Collaboration XXII 2016, A&A 594, A22 (y-maps).

    Examples
    --------
    >>> import numpy as np
    >>> ideal = np.zeros((2, 1, 96, 96), np.float32)
    >>> seen = PlanckObservation().observe(ideal, redshift=[0.1, 0.2], items=[1, 2], seed=1)
    >>> bool(1.3e-6 < seen.std() < 1.9e-6)
    True
    """

    pixel_angle: float = PLANCK_PIXEL
    beam_fwhm: float = PLANCK_BEAM
    noise: BeamSpectrum | PowerSpectrum | None = field(default=PLANCK_NOISE)

    def __post_init__(self) -> None:
        angle = check.number(self.pixel_angle, "pixel_angle", above=0)
        check.number(self.beam_fwhm, "beam_fwhm", low=0)
        if self.noise is not None and not isinstance(self.noise, (BeamSpectrum, PowerSpectrum)):
            raise DomainError(f"`noise` must be a spectrum or None, got {type(self.noise).__name__}")
        if self.noise is PLANCK_NOISE and angle != PLANCK_PIXEL:
            object.__setattr__(self, "noise", PLANCK_NOISE.at_pixel(angle / PLANCK_PIXEL))

    def observe(
        self, images: Any, *, redshift: Any = None, items: Any, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:  # fmt: skip
        """Observe ideal images.

        Parameters
        ----------
        images : array or tensor of float, shape (n, 1, rows, cols)
            Compton y, finite.
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

        Raises
        ------
        ArrayError, DTypeError, BadInputError, DomainError
        """
        stack = checked_images(images, 1)
        keys, own_seed = checked_keys(items, len(stack), seed, draw, _PURPOSE)
        fwhm = self.beam_fwhm / self.pixel_angle
        margin = beam_margin(fwhm)

        def part(rows: slice, threads: int) -> Any:
            seen = extended(stack[rows], margin)
            if margin:
                seen = convolve_beam(seen, fwhm, edge="crop", margin=margin, n_threads=threads)
            if self.noise is None:
                return seen
            like = seen if is_tensor(seen) else None
            noise = CorrelatedNoise(self.noise).draw(
                seen.shape[-2:], items=keys[rows], seed=own_seed, n_threads=threads, like=like
            )  # fmt: skip
            return seen + noise[:, None]

        return in_parts(part, stack, n_threads)
