"""Maps of clusters from FITS files: an image, the size of its pixels, and a redshift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from ..cosmology import PLANCK_2018, Cosmology
from ..errors import (
    BadInputError,
    ClusterMassError,
    DomainError,
    FileFormatError,
    MissingFieldError,
    TruncatedFileError,
)
from .map_sample import MapSample

MAX_PIXELS = 10_000  #: of a side
_MAX_DECLARED = 2**31  #: bytes that a header may declare
_REDSHIFT_KEYS = ("Z", "REDSHIFT", "ZSPEC", "Z_SPEC", "Z_CL")
_SAME = 0.02  #: relative difference of pixels that are not worth resampling
_FINE = 8  #: points along the side of a new pixel
_SQUARE = 0.01  #: relative difference of the sides of a pixel that passes


def read_fits_map(
    path: str | Path,
    *,
    channels: Sequence[str] = ("compton_y",),
    pixel_angle: float | None = None,
    redshift: float | None = None,
    cosmology: Cosmology = PLANCK_2018,
) -> MapSample:
    """Read an image, or a cube with one plane for each channel, with the cluster in the middle.

    Parameters
    ----------
    path : str or Path
        FITS file; the first extension with an image counts.
    channels : sequence of str
        What the image shows; of a cube, its planes in order.
    pixel_angle : float [rad], optional
        Side of a pixel where the file has no celestial coordinates; they prevail where it has.
    redshift : float, optional
        Default: that of the header (Z, REDSHIFT, ZSPEC, Z_SPEC or Z_CL).
    cosmology : Cosmology
        Of distances that estimators may need.

    Returns
    -------
    MapSample
        One row; `source` is the path.

    Raises
    ------
    FileNotFoundError
    FileFormatError, TruncatedFileError
        If the file is no FITS image of that many planes, or is damaged.
    MissingFieldError
        If neither the file nor the arguments say the size of a pixel or the redshift.
    BadInputError
        For values that are not finite, and for pixels that are not square.

    Notes
    -----
    Row 0 is the first row of the FITS image (the bottom of the sky, as FITS counts).

    Examples
    --------
    >>> read_fits_map("nowhere.fits")
    Traceback (most recent call last):
    FileNotFoundError: there is no file nowhere.fits
    """
    name = str(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {name}")
    try:
        header, image = _first_image(name)
    except ClusterMassError:
        raise
    except Exception as exc:  # whatever astropy or numpy raise on damaged input
        kind = TruncatedFileError if "truncated" in str(exc) else FileFormatError
        raise kind(f"{name}: not a readable FITS image: {' '.join(str(exc).split())[:200]}") from exc
    planes = image[None] if image.ndim == 2 else image
    if planes.ndim != 3 or len(planes) != len(channels):
        raise FileFormatError(f"{name}: an image of {len(channels)} planes is needed, got shape {image.shape}")
    if not np.isfinite(planes).all():
        raise BadInputError(f"{name}: {int((~np.isfinite(planes)).sum())} pixels are not finite; fill them first")
    found = _pixel_angle(header, name)
    angle = pixel_angle if found is None else found
    if angle is None:
        raise MissingFieldError(f"{name}: no celestial coordinates; say the size of a pixel")
    at = _redshift(header, name) if redshift is None else check.number(redshift, "redshift", above=0)
    return MapSample(
        planes[None].astype(np.float32), tuple(channels), angle, np.array([at]), cosmology, np.zeros(1, np.int64),
        np.zeros(1, np.int64), is_ideal=False, source=name,
    )  # fmt: skip


def resampled_map(maps: MapSample, shape: tuple[int, int], pixel_angle: float) -> MapSample:
    """Maps on pixels of another size about the same middle; as they are where pixels (to 2 %) and shape agree.

    Each new pixel is the mean of the old image, linear between its pixels, over 8 x 8 points; channels that are sums
    over a pixel (all but Compton y) are multiplied by the ratio of the areas.

    Parameters
    ----------
    maps : MapSample
        Images of any shape.
    shape : (int, int)
        Rows and columns wanted.
    pixel_angle : float [rad]
        Side of a pixel wanted.

    Returns
    -------
    MapSample

    Raises
    ------
    DomainError
        If the images do not reach as far.

    Examples
    --------
    >>> one = MapSample(np.ones((1, 1, 9, 9)), ("compton_y",), 1e-3, [0.1], PLANCK_2018, host_id=[1], view=[0])
    >>> resampled_map(one, (4, 4), 2e-3).images[0, 0, 0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    from scipy.ndimage import map_coordinates

    ratio = pixel_angle / maps.pixel_angle
    rows, cols = maps.shape[2:]
    if abs(ratio - 1) < _SAME and (rows, cols) == tuple(shape):
        return maps
    if ratio * shape[0] > rows + 1 or ratio * shape[1] > cols + 1:
        have, want = (math.degrees(n * a) * 60 for n, a in ((rows, maps.pixel_angle), (shape[0], pixel_angle)))
        raise DomainError(f"{maps.source}: an image of {want:.4g} arcmin is needed, got {have:.4g} arcmin")
    fine = [(np.arange(n * _FINE) + 0.5) / _FINE - 0.5 * n for n in shape]
    at = np.meshgrid(*(ratio * f + 0.5 * (n - 1) for f, n in zip(fine, (rows, cols), strict=True)), indexing="ij")
    images = np.empty((len(maps), len(maps.channels), *shape), np.float32)
    for k, image in enumerate(maps.images):
        for c, name in enumerate(maps.channels):
            dense = map_coordinates(image[c].astype(np.float64), at, order=1, mode="nearest")
            mean = dense.reshape(shape[0], _FINE, shape[1], _FINE).mean(axis=(1, 3))
            images[k, c] = mean if name == "compton_y" else mean * ratio**2
    return replace(maps, images=images, pixel_angle=pixel_angle)


def _first_image(name: str) -> tuple[Any, NDArray[np.float64]]:
    """Header and pixels of the first extension with an image."""
    import warnings

    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", AstropyWarning)  # a truncated file is a warning there
        warnings.filterwarnings("ignore", category=fits.verify.VerifyWarning)
        with open(name, "rb") as handle, fits.open(handle, memmap=False, lazy_load_hdus=True) as file:
            for unit in file:
                shape = tuple(
                    int(unit.header.get(f"NAXIS{k}", 0)) for k in range(int(unit.header.get("NAXIS", 0)), 0, -1)
                )
                if not unit.is_image or len(shape) < 2:
                    continue
                size = math.prod(shape) * abs(int(unit.header.get("BITPIX", 8))) // 8
                if max(shape) > MAX_PIXELS or min(shape) < 1 or size > _MAX_DECLARED:
                    raise FileFormatError(f"{name}: an image of shape {shape}; at most {MAX_PIXELS} pixels a side")
                return unit.header.copy(), np.asarray(unit.data, np.float64)
    raise FileFormatError(f"{name}: holds no image")


def _pixel_angle(header: Any, name: str) -> float | None:
    """Side of a pixel [rad] from the celestial coordinates; None without any."""
    import warnings

    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sky = WCS(header).celestial
        except Exception as exc:
            raise FileFormatError(f"{name}: coordinates cannot be read: {' '.join(str(exc).split())[:200]}") from exc
        if sky.naxis != 2:
            return None
        sides = np.radians(np.asarray(proj_plane_pixel_scales(sky), np.float64))
    if not (np.isfinite(sides).all() and (sides > 0).all()):
        raise BadInputError(f"{name}: pixels of {sides} rad")
    if abs(sides[0] / sides[1] - 1) > _SQUARE:
        raise BadInputError(f"{name}: pixels must be square, got {np.degrees(sides) * 60} arcmin")
    return float(np.sqrt(sides.prod()))


def _redshift(header: Any, name: str) -> float:
    for key in _REDSHIFT_KEYS:
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not (math.isfinite(value) and value > 0):
                raise BadInputError(f"{name}: the header has {key} = {value}; give a redshift")
            return float(value)
    raise MissingFieldError(f"{name}: no redshift in the header ({', '.join(_REDSHIFT_KEYS)}); give one")
