"""PhotonObservation: flux, exposure, sources, background, keys, edges, errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clustermass.errors import ArrayError, BadInputError, DomainError
from clustermass.features import erosita, photons
from clustermass.features.photons import PhotonObservation, background_rates, source_density
from clustermass.units import ARCMIN_RAD
from tests.tolerances import F64, FALSE_ALARM, SMOOTH

PIXEL = 0.4 * ARCMIN_RAD
QUIET = {"background": np.zeros(10), "point_sources": False, "cluster_agn": 0.0}
Z = np.array([0.3, 0.5])
KEY = {"redshift": Z, "items": np.array([3, 11]), "seed": 5}


def cluster_images(n: int = 2, side: int = 50) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    image = np.exp(-(x**2 + y**2) / 18.0)
    return np.broadcast_to(1e-2 * image * np.arange(1, 11)[:, None, None], (n, 10, side, side)).copy()


def test_flux_is_conserved_and_scales_with_exposure():
    images = cluster_images()
    one, four = (PhotonObservation(PIXEL, exposure=t, **QUIET).expected(images, **KEY) for t in (1000.0, 4000.0))
    np.testing.assert_allclose(one.sum(axis=(2, 3)), 1000.0 * images.sum(axis=(2, 3)), rtol=SMOOTH[F64])
    np.testing.assert_allclose(four, 4.0 * one)


def test_counts_are_poisson_around_what_is_expected():
    images = np.repeat(cluster_images(1), 400, axis=0)
    model = PhotonObservation(PIXEL, **QUIET | {"background": np.full(10, 1e-3)})
    key = {"redshift": np.full(400, 0.3), "items": np.arange(400), "seed": 2}
    mean = model.expected(images[:1], redshift=[0.3], items=[0], seed=2)[0]
    chi2 = ((model.observe(images, **key) - mean) ** 2 / mean).sum()
    n = 400 * mean.size
    spread = np.sqrt(400 * (2.0 + 1.0 / mean).sum())
    assert abs(chi2 - n) < stats.norm.isf(FALSE_ALARM / 2) * spread


def test_point_spread_has_the_half_energy_width():
    images = np.zeros((1, 10, 101, 101))
    images[:, :, 50, 50] = 1.0
    got = PhotonObservation(PIXEL / 8, psf_hew=10.0 * PIXEL / 8, exposure=1.0, **QUIET).expected(
        images, redshift=[0.3], items=[1], seed=1
    )[0, 4]
    y, x = np.mgrid[:101, :101] - 50
    assert got[np.hypot(x, y) <= 5.0].sum() == pytest.approx(0.5, abs=0.02)


def test_background_is_what_it_is_said_to_be():
    level = np.linspace(1e-4, 1e-3, 10)
    model = PhotonObservation(PIXEL, **QUIET | {"background": level})
    got = model.expected(np.zeros((2, 10, 6, 6)), **KEY)
    np.testing.assert_allclose(got, np.broadcast_to((1200 * 0.16 * level)[:, None, None], got.shape))


def test_number_and_light_of_point_sources():
    """Mean light of many fields: that of all sources between the limits, spread evenly."""
    model = PhotonObservation(PIXEL, **QUIET | {"point_sources": True}, exposure=1.0)
    n, side = 300, 40
    got = model.expected(np.zeros((n, 10, side, side)), redshift=np.full(n, 0.3), items=np.arange(n), seed=8)
    area = (side * 0.4 / 60.0) ** 2
    response = np.array([erosita.power_law_response(band) for band in erosita.ENERGY_BANDS])
    want = area * response * photons._mean_flux()
    per_field = got.sum(axis=(2, 3))
    error = per_field.std(axis=0) / np.sqrt(n)
    assert (np.abs(per_field.mean(axis=0) - want) < 5.5 * error).all()
    assert (error < 0.15 * want).all()


def test_source_counts_against_published_numbers():
    """Moretti et al. 2003, eq. 2 and their total of resolved and diffuse light; slopes 1.82 and 0.60 at the ends."""
    assert source_density(2e-15) == pytest.approx(6150 / (1 + (1.48e-14 / 2e-15) ** 1.22))
    slope = [-np.log(source_density(1.01 * s) / source_density(s)) / np.log(1.01) for s in (1e-18, 1e-10)]
    np.testing.assert_allclose(slope, [0.60, 1.82], atol=0.01)
    assert 0.5 < photons._mean_flux() / 7.53e-12 < 0.95  # most of the background is resolved above 1e-15


def test_cluster_galaxies_are_brighter_nearby():
    model = PhotonObservation(PIXEL, exposure=1.0, **QUIET | {"cluster_agn": 5.0})
    images = np.zeros((60, 10, 50, 50))
    near, far = (model.expected(images, redshift=np.full(60, z), items=np.arange(60), seed=3).sum() for z in (0.2, 0.8))
    assert near > 5.0 * far > 0.0


@pytest.mark.parametrize("threads", [1, 3])
def test_an_image_depends_on_its_key_alone(threads):
    images, order = cluster_images(5), np.array([4, 1, 3])
    model = PhotonObservation(PIXEL)
    z, items = np.linspace(0.2, 0.6, 5), np.array([9, -4, 2**62, 7, 1])
    whole = model.observe(images, redshift=z, items=items, seed=1, draw=6)
    part = model.observe(images[order], redshift=z[order], items=items[order], seed=1, draw=6, n_threads=threads)
    np.testing.assert_array_equal(part, whole[order])
    sky = model.expected(np.zeros((2, 10, 30, 30)), redshift=[0.3, 0.3], items=[1, 2], seed=1)
    assert (sky[0] != sky[1]).mean() > 0.5, "each image has its own sources"
    for other in ({"seed": 2}, {"draw": 7}):
        again = model.observe(images, **{"redshift": z, "items": items, "seed": 1, "draw": 6} | other)
        assert (again != whole).any(axis=(1, 2, 3)).all()


def test_some_bands_are_the_same_as_of_all():
    names = erosita.BAND_NAMES[1:4]
    images = cluster_images()
    some = PhotonObservation(PIXEL, channels=names).expected(images[:, 1:4], **KEY)
    np.testing.assert_allclose(some, PhotonObservation(PIXEL).expected(images, **KEY)[:, 1:4])
    np.testing.assert_array_equal(background_rates(names), background_rates()[1:4])


def test_tensors_and_types():
    torch = pytest.importorskip("torch")
    images = cluster_images().astype(np.float32)
    model = PhotonObservation(PIXEL)
    want = model.observe(images, **KEY)
    assert want.dtype == np.float32
    got = model.observe(torch.as_tensor(images), redshift=torch.as_tensor(Z), items=torch.tensor([3, 11]), seed=5)
    np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [({"exposure": 0.0}, DomainError, "exposure"), ({"pixel_angle": -1.0}, DomainError, "pixel_angle"),
     ({"channels": ["xray_soft"]}, DomainError, "channels"), ({"channels": []}, DomainError, "channels"),
     ({"background": [1.0]}, ArrayError, "background"), ({"background": -np.ones(10)}, BadInputError, "background")],
    ids=str,
)  # fmt: skip
def test_bad_settings(change, error, word):
    with pytest.raises(error, match=word):
        PhotonObservation(**{"pixel_angle": PIXEL} | change)


@pytest.mark.parametrize(
    ("images", "change", "error", "word"),
    [(np.zeros((2, 9, 5, 5)), {}, ArrayError, "images"), (np.full((2, 10, 5, 5), -1.0), {}, BadInputError, "images"),
     (np.full((2, 10, 5, 5), np.nan), {}, BadInputError, "images"), (np.zeros((10, 5, 5)), {}, ArrayError, "images"),
     (np.zeros((2, 10, 5, 5)), {"redshift": [0.0, 0.1]}, DomainError, "redshift"),
     (np.zeros((2, 10, 5, 5)), {"items": [1]}, ArrayError, "items")],
    ids=["channels", "negative", "nan", "axes", "redshift", "items"],
)  # fmt: skip
def test_bad_images(images, change, error, word):
    with pytest.raises(error, match=word):
        PhotonObservation(PIXEL).observe(images, **KEY | change)
