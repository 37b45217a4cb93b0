"""How many views a cluster gets, and along which directions."""

import numpy as np
import pytest

from clustermass.errors import BadInputError, DomainError
from clustermass.features.cluster_settings import ClusterSettings, Survey
from clustermass.features.cluster_views import count_views, lines_of_sight, list_views


def test_the_published_formula(rng):
    """Ho et al. 2019: int(10^-5 / density) + 1, with the density in a window of 0.01 dex, at least 3, above 14 only."""
    mass = np.round(rng.uniform(13.5, 15.3, 3000), 4)
    got = count_views(mass, 1e9, max_views=90)
    for m, count in zip(mass, got, strict=True):
        n = int((np.abs(mass - m) <= 0.005 + 1e-12).sum())
        want = min(max(int(1e-5 / (n / (1e9 * 0.01))) + 1, 3), 90) if m > 14 else 3
        if abs(np.abs(mass - m) - 0.005).min() > 1e-9:  # on the edge of a window rounding decides
            assert count == want
    assert set(got[mass <= 14]) == {3}
    assert got.max() > 3


def test_a_lone_cluster_of_the_published_box():
    assert count_views([15.0], 1e9).tolist() == [101]
    assert count_views([15.0], 1e9, target_density=1e-4).tolist() == [500]
    assert count_views([15.0], 250.0**3).tolist() == [3]
    assert count_views([14.0], 1e9).tolist() == [3]  # not above 14
    assert count_views([], 1e9).size == 0


def test_views_are_numbered_within_a_cluster():
    views = list_views(np.array([3, 5, 3]))
    assert views.cluster.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
    assert views.view.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2]
    assert len(views) == 11


def test_axes_first_then_directions_of_its_own():
    host, counts = np.array([7, 9, 2**62]), np.array([3, 40, 5])
    sight = lines_of_sight(host, counts, seed=4)
    assert sight.shape == (48, 3)
    np.testing.assert_allclose(np.linalg.norm(sight, axis=1), 1, rtol=1e-14)
    for first in (0, 3, 43):
        np.testing.assert_array_equal(np.abs(sight[first : first + 3]).argmax(axis=1), [0, 1, 2])
    extra = sight[6:43]
    np.testing.assert_allclose(extra.mean(axis=0), 0, atol=0.05)  # evenly over the sphere
    np.testing.assert_array_equal(lines_of_sight(host[1:2], counts[1:2], seed=4), sight[3:43])  # of it alone
    assert (lines_of_sight(host, counts, seed=5)[6:43] != extra).any()
    assert (lines_of_sight(host[:1], counts[1:2], seed=4)[3:] != extra).any()
    assert lines_of_sight(host[:0], counts[:0], seed=4).shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cut": "medium"}, "`cut` must be one of 'ho2019'"),
        ({"max_radius": 0.0}, "`max_radius`"),
        ({"max_velocity": -1.0}, "`max_velocity`"),
        ({"min_richness": -1}, "`min_richness`"),
        ({"max_views": 2}, "`max_views`"),
        ({"target_density": 0.0}, "`target_density`"),
        ({"velocity_error": np.nan}, "`velocity_error`"),
        ({"fractions": (0.5, 0.6, 0.1)}, "sum 1"),
        ({"seed": -1}, "`seed`"),
        ({"redshift": 0.0}, "`redshift`"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(DomainError, match=message):
        ClusterSettings(**changes)


def test_surveys_are_checked_and_cuts_are_published_ones():
    with pytest.raises(DomainError, match="`farthest`"):
        Survey(nearest=100.0, farthest=50.0)
    with pytest.raises(BadInputError, match="`log10_mass` must be finite"):
        count_views([np.nan], 1e9)
    published = {"ho2019": (1.6, 2200), "small": (1.1, 1570), "large": (2.3, 3785), "kodi-ramanah-2021": (4.0, 2200)}
    for name, (radius, velocity) in published.items():
        assert ClusterSettings(cut=name).cylinder(0.7) == (radius / 0.7, velocity)
    assert ClusterSettings(max_radius=2.0, max_velocity=900).cylinder(0.7) == (2.0, 900)
