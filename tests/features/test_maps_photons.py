"""Bands of eROSITA through the map pipeline: totals, redshifts of each view, channels beside them."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass import units
from clustermass.features.channels import channel_weights
from clustermass.features.erosita import BAND_NAMES
from clustermass.features.maps import MapSettings, plan_maps
from clustermass.features.targets import Targets
from tests.features.fakes import MemorySnapshot, cluster
from tests.tolerances import REDSHIFT_NODES

TWO = Targets([[5.0, 5.0, 5.0]] * 2, [4, 9], {"m200c": np.full(2, 1e13), "r200c": np.full(2, 0.4)})


@pytest.fixture
def snapshot(rng):
    return MemorySnapshot(cluster(rng, radius=0.05, n=500), box_size=120.0, scale_factor=0.9)


def made(snapshot, redshift, channels, targets=TWO):
    job = plan_maps(
        snapshot, targets, MapSettings(channels=channels, pixels=24, redshift=redshift, directions=("x", "z"))
    )
    return np.concatenate([job.images(batch) for batch in job.batches]), job


def test_each_view_is_seen_from_its_own_redshift(snapshot):
    got, job = made(snapshot, (0.05, 0.6), BAND_NAMES)
    assert got.shape == (4, 10, 24, 24)
    assert np.ptp(job.views.redshift) > 0.05
    for i, z in enumerate(job.views.redshift):
        weights = channel_weights(snapshot.particles["gas"], BAND_NAMES, snapshot.header, redshift=float(z)).sum(axis=0)
        total = got[i].sum(axis=(1, 2), dtype=np.float64)
        want = weights / (4 * np.pi * (job.views.luminosity_distance[i] * units.MPC_CM) ** 2)
        np.testing.assert_allclose(total, want, rtol=REDSHIFT_NODES)


def test_one_redshift_is_exact_and_pixels_agree(snapshot):
    """A view among a range of redshifts looks as it does when all are put there."""
    many, job = made(snapshot, (0.1, 0.3), BAND_NAMES[:3])
    alone, _ = made(snapshot, float(job.views.redshift[1]), BAND_NAMES[:3])
    np.testing.assert_allclose(many[1], alone[1], rtol=REDSHIFT_NODES, atol=1e-4 * alone[1].max())


def test_other_channels_do_not_change(snapshot):
    beside, _ = made(snapshot, (0.1, 0.3), ["gas_mass", "band_0660_0865", "stars"])
    without, _ = made(snapshot, (0.1, 0.3), ["gas_mass", "stars"])
    np.testing.assert_array_equal(beside[:, [0, 2]], without)
