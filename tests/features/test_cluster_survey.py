"""Flux-limited observations of clusters: a distance for each, what is bright enough there, the central as origin."""

from dataclasses import replace

import numpy as np
import pytest

from clustermass.data.splits import audit_splits
from clustermass.errors import DataWarning, DomainError, MissingFieldError
from clustermass.features.cluster_settings import Survey
from tests.features.cluster_checks import DISTANCES, PLAIN, REDSHIFTS, catalogue, in_cylinder, rows_of
from tests.tolerances import SEEN_LENGTH, SEEN_VELOCITY
from tests.universes import make_universe

SURVEY = replace(PLAIN, cut="kodi-ramanah-2021", survey=Survey())


@pytest.fixture(scope="module")
def box():
    return make_universe(n_haloes=12, n_field=3000, box_size=120.0)


def test_a_survey_sees_what_is_bright_enough_at_its_distance(tmp_path, box):
    got, plain = catalogue(tmp_path, box, SURVEY), catalogue(tmp_path, box, replace(SURVEY, survey=None))
    clusters = got["contaminated"]
    distance = clusters.observer_distance * 0.7  # Mpc/h
    assert ((distance >= 50) & (distance <= 250)).all()
    audit_splits(clusters.host_id, clusters.observer_distance)
    assert np.unique(distance).size > 5
    halo_of = {int(i): row for row, i in enumerate(box.haloes.ids)}
    lost = 0
    for k in range(len(clusters)):
        halo, sight = halo_of[int(clusters.host_id[k])], clusters.line_of_sight[k]
        z = np.interp(clusters.observer_distance[k], DISTANCES, REDSHIFTS)
        all_there = in_cylinder(box, halo, sight, 4 / 0.7, 2200.0, z)
        want = []
        for galaxy, _, away in all_there:
            offset = box.galaxies.positions[galaxy] - box.haloes.positions[halo]
            images = offset + 120.0 * np.array([[i, j, m] for i in (-1, 0, 1) for j in (-1, 0, 1) for m in (-1, 0, 1)])
            depth = images[np.argmin(np.abs(np.linalg.norm(images, axis=1) - away))] @ sight
            there = clusters.observer_distance[k] + depth
            apparent = (
                box.galaxies.magnitude_r[galaxy]
                + 25
                + 5 * np.log10(there * (1 + np.interp(there, DISTANCES, REDSHIFTS)))
            )
            want += [galaxy] if apparent < 17.77 else []
        assert [row[0] for row in rows_of(clusters, k)] == sorted(want)
        lost += len(all_there) - len(want)
    assert lost > 100
    assert len(plain["contaminated"]) >= len(clusters)


def test_the_origin_of_a_survey_is_the_central_galaxy(tmp_path, box):
    moved = box.galaxies.positions.copy()
    moved[box.galaxies.is_central] += 0.3
    shifted = replace(box, galaxies=replace(box.galaxies, positions=moved % 120.0))
    got = catalogue(tmp_path, shifted, replace(SURVEY, survey=Survey(limit=30)))["pure"]
    central = box.galaxies.is_central[got.galaxy]
    assert central.sum() == len(got)
    np.testing.assert_allclose(got.distance[central], 0, atol=SEEN_LENGTH)
    np.testing.assert_allclose(got.velocity[central], 0, atol=SEEN_VELOCITY)


def test_a_survey_needs_magnitudes_and_centrals(tmp_path, box):
    with pytest.raises(MissingFieldError, match="`survey` needs absolute magnitudes"):
        catalogue(tmp_path, replace(box, galaxies=replace(box.galaxies, magnitude_r=None)), SURVEY)
    none = np.zeros(box.galaxies.n, bool)
    with pytest.raises(DomainError, match="central galaxies"):
        catalogue(tmp_path, replace(box, galaxies=replace(box.galaxies, is_central=none)), SURVEY)
    one = box.galaxies.is_central & (box.galaxies.host != np.argmax(box.haloes.m200c))
    with pytest.warns(DataWarning, match=r"1 of \d+ clusters have no central galaxy"):
        catalogue(tmp_path, replace(box, galaxies=replace(box.galaxies, is_central=one)), SURVEY)
