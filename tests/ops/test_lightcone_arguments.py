"""What the galaxy index and light cones refuse, and how they say so."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.errors import ArrayError, BadInputError, DomainError, DTypeError
from tests.ops.test_lightcone import BOX, COMMON, CYLINDER

ARRAYS = dict(positions=np.full((3, 3), 1.0), velocities=np.zeros((3, 3)), box_size=BOX)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(positions=np.zeros((3, 2))), ArrayError, "positions"),
        (dict(positions=[[0, 0, 0], [0, np.nan, 0], [1, 1, 1]]), BadInputError, r"positions.*\(1, 1\)"),
        (dict(positions=[[0, 0, 0], [0, np.inf, 0], [1, 1, 1]], box_size=None), BadInputError, r"positions.*\(1, 1\)"),
        (dict(velocities=[[0, 0, 0], [0, 0, np.inf], [1, 1, 1]]), BadInputError, r"velocities.*\(1, 2\)"),
        (dict(velocities=np.zeros((2, 3))), ArrayError, "velocities"),
        (dict(hosts=[1, 2]), ArrayError, "hosts"),
        (dict(hosts=[1.0, 2, 3]), DTypeError, "hosts"),
        (dict(box_size=0), DomainError, "box_size"),
        (dict(n_threads=0), DomainError, "n_threads"),
        (dict(backend="cuda!"), DomainError, "backend"),
    ],
)
def test_index_errors_name_the_argument(backend, change, error, message):
    with pytest.raises(error, match=message):
        cm.build_galaxy_index(**(ARRAYS | dict(backend=backend) | change))


QUERY = dict(centres=[[1.0, 2, 3]], velocities=[[0.0, 0, 0]], lines_of_sight=[[0, 0, 1]]) | COMMON | CYLINDER


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(centres=[[1.0, 2]]), ArrayError, "centres"),
        (dict(centres=[[1.0, 2, np.nan]]), BadInputError, "centres"),
        (dict(velocities=[[0.0, 0]]), ArrayError, "velocities"),
        (dict(velocities=[[0.0, 0, np.inf]]), BadInputError, "velocities"),
        (dict(velocities=[[0.0, 0, 3e5]]), DomainError, "velocities.*light"),
        (dict(lines_of_sight=[[0, 0, 0]]), BadInputError, "lines_of_sight.*index 0"),
        (dict(lines_of_sight=[[0, 0, 1], [1, 0, 0]]), ArrayError, "lines_of_sight"),
        (dict(redshift=0.0), DomainError, "redshift"),
        (dict(redshift=[0.1, 0.2]), ArrayError, "redshift"),
        (dict(redshift=np.nan), BadInputError, "redshift"),
        (dict(redshift=10.5), DomainError, "redshift"),
        (dict(aperture=None), DomainError, "aperture.*angle"),
        (dict(angle=0.1), DomainError, "aperture.*angle"),
        (dict(aperture=0), DomainError, "aperture"),
        (dict(aperture=75.1), DomainError, "aperture.*half the box"),
        (dict(aperture=None, angle=0.5), DomainError, "angle.*half the box"),
        (dict(aperture=None, angle=1.6), DomainError, "angle"),
        (dict(max_velocity=0), DomainError, "max_velocity"),
        (dict(max_velocity=3e5), DomainError, "max_velocity"),
        (dict(targets=[1]), BadInputError, "targets.*hosts"),
        (dict(n_threads=0), DomainError, "n_threads"),
        (dict(backend="cuda!"), DomainError, "backend"),
    ],
)
def test_query_errors_name_the_argument(change, error, message):
    index = cm.build_galaxy_index(**ARRAYS)
    with pytest.raises(error, match=message):
        cm.select_lightcone(index, **(QUERY | change))
