"""Maps from FITS files: pixels, coordinates, redshifts, and files that lie."""

import math

import numpy as np
import pytest

import clustermass as cm
from clustermass.data.fits_map import resampled_map
from clustermass.errors import BadInputError, DomainError, FileFormatError, MissingFieldError
from tests.universes import COSMOLOGY

fits = pytest.importorskip("astropy.io.fits")
PIXEL = math.radians(1.5 / 60)


def header(sides=(1.5, 1.5), **cards):
    made = fits.Header()
    if sides is not None:
        made["CTYPE1"], made["CTYPE2"] = "RA---TAN", "DEC--TAN"
        made["CRPIX1"], made["CRPIX2"], made["CRVAL1"], made["CRVAL2"] = 4.5, 3.5, 10.0, 20.0
        made["CDELT1"], made["CDELT2"] = -sides[0] / 60, sides[1] / 60
    for key, value in ({"Z": 0.2} | cards).items():
        if value is not None:
            made[key] = value
    return made


IMAGE = np.arange(48, dtype=">f8").reshape(6, 8)


def write(path, data=IMAGE, extension=False, **changes):
    units = [fits.PrimaryHDU(), fits.ImageHDU(data, header(**changes))] if extension else [
        fits.PrimaryHDU(data, header(**changes))]  # fmt: skip
    fits.HDUList(units).writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize("extension", [False, True])
def test_an_image_with_coordinates(tmp_path, extension):
    got = cm.read_fits_map(write(tmp_path / "a.fits", extension=extension))
    assert got.shape == (1, 1, 6, 8)
    assert got.channels == ("compton_y",)
    assert not got.is_ideal
    np.testing.assert_array_equal(got.images[0, 0], IMAGE.astype(np.float32))
    assert got.pixel_angle == pytest.approx(PIXEL, rel=1e-6)
    assert got.redshift.tolist() == [0.2]


def test_an_image_without_coordinates_needs_the_size_of_a_pixel(tmp_path):
    path = write(tmp_path / "a.fits", sides=None)
    with pytest.raises(MissingFieldError, match="size of a pixel"):
        cm.read_fits_map(path)
    assert cm.read_fits_map(path, pixel_angle=3e-4).pixel_angle == 3e-4


def test_redshift_of_the_header_or_of_the_argument(tmp_path):
    path = write(tmp_path / "a.fits", Z=None, REDSHIFT=0.7)
    assert cm.read_fits_map(path).redshift.tolist() == [0.7]
    assert cm.read_fits_map(path, redshift=0.3).redshift.tolist() == [0.3]
    with pytest.raises(MissingFieldError, match="redshift"):
        cm.read_fits_map(write(path, Z=None))
    with pytest.raises(BadInputError, match="Z = -1"):
        cm.read_fits_map(write(path, Z=-1.0))


def test_a_cube_has_a_plane_for_each_channel(tmp_path):
    path = write(tmp_path / "a.fits", data=np.stack([IMAGE, 2 * IMAGE]))
    got = cm.read_fits_map(path, channels=["stars", "compton_y"])
    np.testing.assert_array_equal(got.images[0, 1], 2 * got.images[0, 0])
    with pytest.raises(FileFormatError, match="1 planes"):
        cm.read_fits_map(path)


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "a.fits"
    with pytest.raises(BadInputError, match="square"):
        cm.read_fits_map(write(path, sides=(1.5, 1.7)))
    bad = IMAGE.copy()
    bad[2, 3] = np.nan
    with pytest.raises(BadInputError, match="1 pixels are not finite"):
        cm.read_fits_map(write(path, data=bad))
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(FileFormatError, match="no image"):
        cm.read_fits_map(path)
    path.write_bytes(b"SIMPLE  = garbage")
    with pytest.raises(FileFormatError, match=r"a\.fits"):
        cm.read_fits_map(path)
    write(path, data=np.zeros((200, 200)))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(FileFormatError, match=r"a\.fits"):
        cm.read_fits_map(path)
    text = write(path).read_bytes().replace(b"NAXIS1  =                    8", b"NAXIS1  =              9999999")
    path.write_bytes(text)
    with pytest.raises(FileFormatError, match="truncated|pixels a side"):
        cm.read_fits_map(path)


def test_maps_are_brought_to_other_pixels():
    rows, cols = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    plane = 30 + 0.5 * rows - 0.2 * cols
    maps = cm.MapSample(
        np.stack([plane, plane])[None], ("compton_y", "stars"), 1e-4, [0.1], COSMOLOGY, np.zeros(1, int),
        np.zeros(1, int),
    )  # fmt: skip
    assert resampled_map(maps, (40, 40), 1.01e-4) is maps
    got = resampled_map(maps, (10, 10), 3e-4)
    assert got.pixel_angle == 3e-4
    at = 19.5 + 3 * (np.arange(10) - 4.5)
    want = 30 + 0.5 * at[:, None] - 0.2 * at
    np.testing.assert_allclose(got.images[0, 0], want, rtol=1e-6)
    np.testing.assert_allclose(got.images[0, 1], 9 * want, rtol=1e-6)
    with pytest.raises(DomainError, match="arcmin"):
        resampled_map(maps, (20, 20), 3e-4)
