"""Observed clusters: what is refused, and choosing rows."""

import numpy as np
import pytest

from clustermass.cosmology import PLANCK_2018
from clustermass.data.cluster_sample import ClusterSample
from clustermass.errors import ArrayError, BadInputError, DomainError


def columns(**changes):
    good = dict(
        names=["a", "b", "c"], offsets=[0, 2, 2, 5], x=np.arange(5.0), y=np.zeros(5), velocity=np.arange(5) * 100.0,
        redshift=[0.1, 0.2, 0.3], cosmology=PLANCK_2018, max_radius=np.full(3, 2.0), max_velocity=np.full(3, 3000.0),
        velocity_error=np.ones(5), quantities={"y_500": [1e-5, np.nan, 3e-5]}, log10_m200c=[14.0, 14.1, 14.2],
    )  # fmt: skip
    return good | changes


def test_rows_keep_their_galaxies():
    part = ClusterSample(**columns()).only([2, 0])
    assert part.names.tolist() == ["c", "a"]
    assert part.offsets.tolist() == [0, 3, 5]
    assert part.radius.tolist() == [2.0, 3.0, 4.0, 0.0, 1.0]
    assert part.velocity_error.size == 5
    assert part.quantities["y_500"].tolist() == [3e-5, 1e-5]
    assert part.log10_m200c.tolist() == [14.2, 14.0]
    assert len(ClusterSample(**columns()).only([])) == 0
    assert ClusterSample(**columns()).n_galaxies.tolist() == [2, 0, 3]


def test_some_galaxies_of_all_clusters():
    part = ClusterSample(**columns()).keep_galaxies(np.array([True, False, False, True, True]))
    assert part.n_galaxies.tolist() == [1, 0, 2]
    assert part.x.tolist() == [0.0, 3.0, 4.0]
    assert part.velocity_error.size == 3
    with pytest.raises(ArrayError, match="`keep`"):
        part.keep_galaxies(np.array([1, 0, 1]))


def test_clusters_without_galaxies_are_a_sample():
    sample = ClusterSample(**columns(offsets=[0, 0, 0, 0], x=[], y=[], velocity=[], velocity_error=None))
    assert sample.only([1]).n_galaxies.tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        (dict(x=np.zeros(4)), ArrayError, "offsets"),
        (dict(y=np.zeros(4)), ArrayError, "`y`"),
        (dict(velocity=[1, 2, np.nan, 4, 5.0]), BadInputError, "velocity"),
        (dict(redshift=[0.1, -0.2, 0.3]), BadInputError, "redshift"),
        (dict(redshift=[0.1]), ArrayError, "redshift"),
        (dict(velocity_error=-np.ones(5)), BadInputError, "velocity_error"),
        (dict(names=["a", "b"]), ArrayError, "names"),
        (dict(quantities={"y_500": [1.0]}), ArrayError, "y_500"),
        (dict(cosmology="planck"), DomainError, "cosmology"),
    ],
)
def test_bad_input_is_named(changes, error, match):
    with pytest.raises(error, match=match):
        ClusterSample(**columns(**changes))
