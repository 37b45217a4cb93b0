"""Images of count rates as a survey like eFEDS sees them: point sources, point-spread function, background, photons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate as check
from .. import units
from ..cosmology import PLANCK_2018
from ..errors import ArrayError, DomainError
from ..ops._tensors import is_tensor
from ..ops.beam import FWHM_PER_SIGMA, convolve_beam
from . import erosita
from .poisson import keyed_generator, poisson

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SOURCES = 0x534F5552  # purpose of the random numbers, see `keyed_generator`
_DEGREE2 = np.radians(1.0) ** 2

# Moretti et al. 2003 (ApJ 588, 696), sources brighter than S [erg/s/cm^2, 0.5-2 keV] per square degree
_COUNTS, _PIVOT, _BREAK, _STEEP, _FLAT = 6150.0, 2e-15, 1.48e-14, 1.82, 0.60
FAINTEST, BRIGHTEST = 1e-15, 1e-12  #: erg/s/cm^2: fainter sources are in the background, brighter ones are masked

# Active galaxies of the cluster itself: an assumption, no fit. Luminosities [erg/s, 0.5-2 keV] between the two, as many
# in each factor of luminosity less by that factor; Gaussian around the centre.
_AGN_LOW, _AGN_HIGH = 3e42, 1e45
_AGN_SPREAD = 0.5  # Mpc, proper
_PLACED = 3.0  # half-energy widths around the field where sources shine into it


def source_density(flux: ArrayLike) -> FloatArray:
    """Extragalactic point sources brighter than a flux, per square degree (Moretti et al. 2003, soft band).

    Parameters
    ----------
    flux : array_like of float
        [erg/s/cm^2], 0.5 to 2 keV.

    Examples
    --------
    >>> source_density([1e-15, 1e-14]).round(0).tolist()
    [782.0, 126.0]
    """
    s = np.asarray(flux, np.float64)
    return np.asarray(_COUNTS * _PIVOT**_STEEP / (s**_STEEP + _BREAK ** (_STEEP - _FLAT) * s**_FLAT))


def background_rates(channels: Sequence[str] = erosita.BAND_NAMES) -> FloatArray:
    """Counts per second and square arcminute that do not come from clusters or drawn point sources, for each band.

    The sum of (i) extragalactic light, a power law of slope 1.45 with the 7.5e-12 erg/s/cm^2/deg^2 (0.5 to 2 keV) of
    Moretti et al. 2003, less what sources above `FAINTEST` give; (ii) three lines of the Galaxy: C VI, O VII and O VIII
    (McCammon et al. 2002); (iii) particles: 130 counts per minute and module between 0.5 and 10 keV (closed filter;
    90 to 170 are seen), evenly in energy, over 0.83 deg^2, times 1.8 for exposure that vignetting takes from photons
    only. (ii) and the factor in (iii) are from memory of the literature: right to a factor of two.

    Examples
    --------
    >>> background_rates().round(4).tolist()
    [0.0005, 0.001, 0.0003, 0.0003, 0.0003, 0.0003, 0.0002, 0.0002, 0.0002, 0.0002]
    """
    total = []
    for name in channels:
        band = _band_of(name)
        sky = _UNRESOLVED * erosita.power_law_response(band, slope=1.45) / 3600.0
        energies, photons = _GALACTIC
        inside = (energies >= band[0]) & (energies < band[1])
        lines = (photons * erosita.effective_area(energies))[inside].sum() * units.ARCMIN_RAD**2
        total.append(sky + lines + _PARTICLES * (band[1] - band[0]))
    return np.array(total)


def _mean_flux() -> float:
    """Flux of the sources between `FAINTEST` and `BRIGHTEST` together [erg/s/cm^2/deg^2]."""
    flux = np.geomspace(FAINTEST, BRIGHTEST, 2000)
    number = source_density(flux)
    return float(((number[:-1] - number[1:]) * np.sqrt(flux[1:] * flux[:-1])).sum())


_UNRESOLVED = 7.53e-12 - _mean_flux()  # erg/s/cm^2/deg^2
_GALACTIC = (np.array([0.3675, 0.574, 0.654]), np.array([5.4, 4.8, 1.6]))  # keV; photons/s/cm^2/sr
_PARTICLES = 7 * 130.0 / 60.0 / 9.5 / (0.833 * 3600.0) * 1.8  # counts/s/keV/arcmin^2


def _band_of(name: str) -> erosita.Band:
    check.choice(name, "channels", erosita.BAND_NAMES)
    return erosita.ENERGY_BANDS[erosita.BAND_NAMES.index(name)]


@dataclass(frozen=True)
class PhotonObservation:
    """Photon counts of a survey with eROSITA, drawn from ideal images of count rates.

    Point sources of the sky and of the cluster are drawn, everything is spread by a Gaussian point-spread function, the
    background is added, and every pixel gets a Poisson number of counts.

    Parameters
    ----------
    pixel_angle : float
        Side of a pixel [rad].
    exposure : float
        After vignetting [s]; eFEDS has about 1,200.
    psf_hew : float
        Half-energy width, for a Gaussian its full width at half maximum [rad].
    channels : sequence of str
        Bands of the images, from `BAND_NAMES`.
    background : sequence of float, optional
        Counts per second and square arcminute for each channel; default `background_rates`.
    point_sources : bool
        Draw the sources of the sky, brighter than `FAINTEST`.
    cluster_agn : float
        Mean number of bright active galaxies in the cluster.

    Raises
    ------
    DomainError, ArrayError, DTypeError

    Notes
    -----
    Left out: the wings of the real point-spread function, its change over the field and with energy, vignetting that
    varies within an image, light of gas outside the image, and sources brighter than `BRIGHTEST`.

    Examples
    --------
    >>> model = PhotonObservation(pixel_angle=1.2e-4)
    >>> counts = model.observe(np.zeros((2, 10, 50, 50)), redshift=np.array([0.3, 0.4]), items=np.array([7, 8]), seed=1)
    >>> counts.shape, bool((counts == np.floor(counts)).all())
    ((2, 10, 50, 50), True)
    """

    pixel_angle: float
    exposure: float = erosita.EXPOSURE
    psf_hew: float = erosita.PSF_HEW
    channels: Sequence[str] = erosita.BAND_NAMES
    background: Sequence[float] | None = None
    point_sources: bool = True
    cluster_agn: float = 0.3

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "pixel_angle", check.number(self.pixel_angle, "pixel_angle", above=0, high=0.1, unit="rad"))
        keep(self, "exposure", check.number(self.exposure, "exposure", above=0))
        keep(self, "psf_hew", check.number(self.psf_hew, "psf_hew", low=0, high=0.1, unit="rad"))
        check.number(self.cluster_agn, "cluster_agn", low=0, high=1000)
        keep(self, "channels", tuple(self.channels))
        bands = [_band_of(name) for name in self.channels]
        if not bands:
            raise DomainError("`channels` must name at least one band, got none")
        rates = background_rates(self.channels) if self.background is None else self.background
        level = check.float64_array(rates, "background", (len(bands),))
        check.check_finite(level, "background")
        check.check_not_negative(level, "background")
        keep(self, "background", tuple(level.tolist()))

    def expected(
        self, images: ArrayLike, *, redshift: ArrayLike, items: ArrayLike, seed: int, draw: int = 0, n_threads: int = 1
    ) -> FloatArray:
        """Expected counts in each pixel, with the point sources of this draw: what `observe` draws photons from."""
        rates = check.float64_array(images, "images", (None, len(self.channels), None, None))
        check.check_finite(rates, "images")
        check.check_not_negative(rates, "images")
        z = check.float64_array(redshift, "redshift", (len(rates),))
        if not (np.isfinite(z) & (z > 0)).all():
            raise DomainError("`redshift` must be finite and > 0")
        keys = check.item_keys(items, len(rates))
        width = self.psf_hew / self.pixel_angle
        total = convolve_beam(rates, width, n_threads=n_threads) if width > 0 else rates.copy()
        if self.point_sources or self.cluster_agn > 0:
            response = np.array([erosita.power_law_response(_band_of(name)) for name in self.channels])
            distance = PLANCK_2018.luminosity_distance(z) * units.MPC_CM
            near = PLANCK_2018.angular_diameter_distance(z)
            for i, key in enumerate(keys):
                numbers = keyed_generator(check.seed(seed), int(key), draw, _SOURCES)
                y, x, flux = self._sources(numbers, rates.shape[2:], float(near[i]), float(distance[i]))
                total[i] += response[:, None, None] * _spread(y, x, flux, rates.shape[2:], width)
        area = (self.pixel_angle / units.ARCMIN_RAD) ** 2
        total += area * np.asarray(self.background)[:, None, None]
        return np.asarray(total * self.exposure)

    def observe(
        self, images: Any, *, redshift: ArrayLike, items: ArrayLike, seed: int, draw: int = 0, n_threads: int = 1
    ) -> Any:
        """Draw the counts.

        Parameters
        ----------
        images : array_like of float, shape (n, channel, row, column)
            Expected counts per second in each pixel, with the whole effective area and no point-spread function. A
            tensor is taken to the host and the counts are put back beside it.
        redshift : array_like of float, shape (n,)
            Of the clusters.
        items : array_like of int, shape (n,)
            Key of each image.
        seed, draw : int
            Another draw is another realisation of sources and photons.
        n_threads : int
            They change no bit of the result.

        Returns
        -------
        ndarray of float, shape and dtype of `images`
            Whole numbers.

        Raises
        ------
        ArrayError, BadInputError, DomainError, DTypeError

        Notes
        -----
        Determinism: an image depends on (seed, item, draw) and itself alone. Cost: about 1 ms for an image of
        10 x 50 x 50.
        """
        if is_tensor(images):
            drawn = self.observe(
                images.detach().cpu().numpy(), redshift=np.asarray(redshift), items=np.asarray(items), seed=seed,
                draw=draw, n_threads=n_threads,
            )  # fmt: skip
            return images.new_tensor(drawn)
        array = np.asarray(images)
        if array.ndim != 4:
            raise ArrayError(f"`images` must have shape (n, channel, row, column), got {array.shape}")
        mean = self.expected(array, redshift=redshift, items=items, seed=seed, draw=draw, n_threads=n_threads)
        counts = poisson(mean, seed=seed, items=items, draw=draw, n_threads=n_threads)
        return counts.astype(np.float32) if array.dtype == np.float32 else counts

    def _sources(
        self, numbers: np.random.Generator, shape: tuple[int, ...], near: float, distance: float
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rows, columns [pixel] and fluxes [erg/s/cm^2] of the point sources of one image."""
        border = _PLACED * self.psf_hew / self.pixel_angle
        rows, columns = (side + 2.0 * border for side in shape)
        y, x, flux = (np.empty(0) for _ in range(3))
        if self.point_sources:
            area = rows * columns * self.pixel_angle**2 / _DEGREE2
            density = source_density(_FLUX)
            count = numbers.poisson(area * (density[0] - density[-1]))
            y = numbers.random(count) * rows - border - 0.5
            x = numbers.random(count) * columns - border - 0.5
            wanted = density[0] - numbers.random(count) * (density[0] - density[-1])
            flux = np.exp(np.interp(wanted, density[::-1], np.log(_FLUX)[::-1]))
        if self.cluster_agn > 0:
            count = numbers.poisson(self.cluster_agn)
            spread = _AGN_SPREAD / near / self.pixel_angle
            middle = 0.5 * (np.array(shape[-2:]) - 1.0)[:, None]
            here = middle + spread * numbers.standard_normal((2, count))
            share = 1.0 / (1.0 - numbers.random(count) * (1.0 - _AGN_LOW / _AGN_HIGH))
            y, x = np.concatenate([y, here[0]]), np.concatenate([x, here[1]])
            flux = np.concatenate([flux, _AGN_LOW * share / (4.0 * np.pi * distance**2)])
        return y, x, flux


_FLUX = np.geomspace(FAINTEST, BRIGHTEST, 400)
_DEVIATES = np.linspace(-6.0, 6.0, 4801)
_BELOW = np.array([0.5 * erfc(-x / sqrt(2.0)) for x in _DEVIATES])  # of a normal number, to 2e-7 when interpolated


def _spread(y: FloatArray, x: FloatArray, flux: FloatArray, shape: tuple[int, ...], width: float) -> FloatArray:
    """Point sources on pixels, each spread by a Gaussian of that full width [pixel] that is integrated over pixels."""
    sigma = max(width / FWHM_PER_SIGMA, 1e-6)
    rows, columns = (
        np.diff(np.interp((np.arange(side + 1.0) - 0.5 - place[:, None]) / sigma, _DEVIATES, _BELOW), axis=1)
        for place, side in ((y, shape[0]), (x, shape[1]))
    )
    return np.asarray((rows * flux[:, None]).T @ columns)
