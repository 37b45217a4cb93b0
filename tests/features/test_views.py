"""The list of views: geometry, and random numbers that depend on nothing but (seed, cluster, view)."""

import numpy as np
import pytest

from clustermass.cosmology import PLANCK_2018
from clustermass.errors import BadInputError, DomainError
from clustermass.features.views import NAMED_DIRECTIONS, plan_views

SETUP = {"pixel_angle": 4.85e-5, "scale_factor": 0.9, "cosmology": PLANCK_2018, "seed": 11}


def plan(ids=(3, 8, 1), **changes):
    centres = np.arange(3.0 * len(ids)).reshape(-1, 3)
    return plan_views(centres, ids, **(SETUP | changes))


def test_cluster_after_cluster_in_every_direction():
    views = plan()
    assert len(views) == 12
    assert views.cluster_id.tolist() == [3] * 4 + [8] * 4 + [1] * 4
    assert views.number.tolist() == [0, 1, 2, 3] * 3
    np.testing.assert_allclose(views.direction[:4], list(NAMED_DIRECTIONS.values()))
    np.testing.assert_array_equal(views.centre[4], [3, 4, 5])


def test_rotations_are_rotations_that_turn_the_line_of_sight_into_the_third_axis():
    views = plan(n_random=5)
    np.testing.assert_allclose(
        views.rotation @ views.rotation.transpose(0, 2, 1), np.eye(3)[None].repeat(27, 0), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(views.rotation), 1.0, rtol=1e-14)
    np.testing.assert_allclose(views.rotation[:, 2], views.direction, atol=1e-14)


def test_pixel_is_the_proper_length_of_its_angle_in_the_frame_of_the_snapshot():
    views = plan(redshift=0.05)
    distance = float(PLANCK_2018.angular_diameter_distance(0.05))
    np.testing.assert_allclose(views.pixel_size * 0.9, 4.85e-5 * distance)
    np.testing.assert_allclose(views.luminosity_distance, distance * 1.05**2)


def test_redshift_and_azimuth_are_spread_evenly():
    views = plan(ids=tuple(range(500)), redshift=(0.03, 0.07))
    for values, low, high in ((views.redshift, 0.03, 0.07), (views.azimuth, 0.0, 2 * np.pi)):
        assert low <= values.min()
        assert values.max() <= high
        counts = np.histogram(values, 10, (low, high))[0]  # 200 +- 13.4 each
        assert np.abs(counts - 200).max() < 80  # 6 sigma


def test_random_directions_are_even_over_the_sphere():
    views = plan(ids=tuple(range(400)), directions=(), n_random=5)
    np.testing.assert_allclose(np.linalg.norm(views.direction, axis=1), 1.0)
    assert np.abs(views.direction.mean(axis=0)).max() < 6 / np.sqrt(3 * 2000)
    second = views.direction.T @ views.direction / 2000
    assert np.abs(second - np.eye(3) / 3).max() < 6 * 0.3 / np.sqrt(2000)


def test_a_view_depends_on_seed_cluster_and_number_alone():
    whole = plan(n_random=3)
    part = plan_views([[3.0, 4.0, 5.0]], [8], **SETUP, n_random=3)
    for name in ("direction", "azimuth", "redshift", "rotation", "pixel_size"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole.part(7, 14), name))
    assert (plan(seed=12).azimuth != plan().azimuth).all()
    assert len(np.unique(whole.azimuth)) == len(whole)


def test_the_numbers_are_frozen():
    """A changed stream would change every published map."""
    views = plan(ids=(7,), seed=2**64 - 1)
    np.testing.assert_allclose(views.azimuth[:2] / (2 * np.pi), AZIMUTHS, rtol=1e-12)


AZIMUTHS = (0.07488100676745957, 0.39818160408959896)


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [
        ({"pixel_angle": 0.0}, DomainError, "pixel_angle"),
        ({"scale_factor": -1}, DomainError, "scale_factor"),
        ({"redshift": 0.0}, DomainError, "redshift"),
        ({"redshift": (0.07, 0.03)}, DomainError, "redshift"),
        ({"directions": [[0, 0, 0]]}, DomainError, "directions"),
        ({"directions": [[0, np.nan, 1]]}, BadInputError, "directions"),
        ({"directions": ()}, DomainError, "directions"),
        ({"n_random": -1}, DomainError, "n_random"),
        ({"seed": -1}, DomainError, "seed"),
        ({"ids": (1, 1, 2)}, DomainError, "ids"),
        ({"ids": (-1, 1, 2)}, BadInputError, "ids"),
        ({"ids": (0.5, 1.5, 2.5)}, DomainError, "ids"),
    ],
)
def test_bad_arguments_are_named(changes, error, name):
    with pytest.raises(error, match=f"`{name}"):
        plan(**changes)
