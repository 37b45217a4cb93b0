"""The main job in memory: what is planned, that the numbers are right, and that budget and batches change nothing."""

import numpy as np
import pytest

from clustermass import units
from clustermass.data.maps_file import read_maps
from clustermass.errors import DataWarning, DomainError, MissingFieldError
from clustermass.features.channels import channel_weights
from clustermass.features.estimate import estimate_seconds
from clustermass.features.make import make_maps
from clustermass.features.maps import MapSettings, plan_maps
from clustermass.features.targets import Targets
from tests.features.fakes import MemorySnapshot, cluster

CLEAN = {"noise": dict.fromkeys(("stars", "xray_soft", "xray_bolometric", "compton_y"), 0.0),
         "beams": dict.fromkeys(("xray_soft", "xray_bolometric", "compton_y"), 0.0)}  # fmt: skip
ONE = Targets([[5.0, 5.0, 5.0]], [4], {"m200c": np.array([1e13]), "r200c": np.array([0.4])})
SMALL = {"pixels": 24, "redshift": 0.05}


@pytest.fixture
def snapshot(rng):
    return MemorySnapshot(cluster(rng, radius=0.05), box_size=120.0, scale_factor=0.9)


def settings(**changes):
    return MapSettings(**(SMALL | CLEAN | changes))


def images(snapshot, targets=ONE, n_threads=1, **changes):
    job = plan_maps(snapshot, targets, settings(**changes))
    return np.concatenate([job.images(batch, n_threads=n_threads) for batch in job.batches]), job


def test_four_channels_along_four_lines_by_default(snapshot):
    job = plan_maps(snapshot, ONE)
    assert [c.name for c in job.channels] == ["stars", "xray_soft", "xray_bolometric", "compton_y"]
    assert job.shape == (4, 4, 120, 120)
    assert job.settings.pixel_angle == pytest.approx(10 / 3600 * np.pi / 180)  # 10 arcsec
    assert job.margin == 14  # of the 1.4 arcmin beam: 4 sigma of 3.57 pixels
    assert job.projection.assignment == {"stars": "cic", "gas": "sph"}
    assert snapshot.n_read == 0


def test_totals_are_those_of_the_particles(snapshot):
    """Everything lies inside the field: stellar mass, flux and integrated y follow from the particles."""
    got, job = images(snapshot)
    stars, gas = snapshot.particles["stars"], snapshot.particles["gas"]
    total = got.sum(axis=(2, 3), dtype=np.float64)
    np.testing.assert_allclose(total[:, 0], stars["masses"].sum(), rtol=1e-6)
    weights = channel_weights(gas, ["xray_soft", "xray_bolometric", "compton_y"], snapshot.header).sum(axis=0)
    distance = job.views.luminosity_distance[0] * units.MPC_CM
    np.testing.assert_allclose(total[:, 1], weights[0] / (4 * np.pi * distance**2), rtol=1e-6)
    np.testing.assert_allclose(total[:, 2], weights[1] / (4 * np.pi * distance**2), rtol=1e-6)
    area = (job.views.angular_diameter_distance[0] * job.settings.pixel_angle) ** 2
    np.testing.assert_allclose(total[:, 3], weights[2] / area, rtol=1e-6)


def test_a_far_particle_lands_where_its_angle_says(rng):
    """One star 2 arcmin off the centre: 2 arcmin times d_A of proper size, divided by the scale factor."""
    job = plan_maps(MemorySnapshot(cluster(rng)), ONE, settings(channels=["stars"], pixels=60))
    proper = 2 * units.ARCMIN_RAD * job.views.angular_diameter_distance[0]
    offset = job.views.rotation[0].T @ [proper / 0.5, 0.0, 3.0]
    star = {"positions": (ONE.centres + offset), "masses": np.array([7.0])}
    lone = MemorySnapshot({"stars": star}, scale_factor=0.5)
    got, _ = images(lone, channels=["stars"], pixels=60, assignment="ngp", directions=["x"])
    row, col = np.unravel_index(got[0, 0].argmax(), (60, 60))
    assert got[0, 0, row, col] == 7.0
    assert (row, col) in {(35, 29), (36, 29), (35, 30), (36, 30)}  # 2 arcmin = 6 pixels of 20 arcsec from 29.5


def test_depth_cuts_the_line_of_sight(rng):
    stars = {"positions": np.array([[5.0, 5, 5], [5, 5, 14.9], [5, 5, 15.1]]), "masses": np.array([1.0, 10, 100])}
    got, _ = images(MemorySnapshot({"stars": stars}), channels=["stars"], directions=["z"], depth=10.0)
    assert got.sum() == pytest.approx(11.0)


@pytest.mark.parametrize("budget", [2**23, 2**25, 2**30])
def test_budget_changes_neither_images_nor_the_promise(rng, budget):
    snapshot = MemorySnapshot(cluster(rng, n=60_000, radius=0.05), box_size=120.0, scale_factor=0.9)
    want, _ = images(snapshot, byte_budget=2**30, noise={}, beams={}, n_random=30, pixels=48)
    snapshot.n_read = snapshot.largest_chunk = 0
    got, job = images(snapshot, byte_budget=budget, noise={}, beams={}, n_random=30, pixels=48)
    scale = np.abs(want).max(axis=(0, 2, 3))[:, None, None]
    np.testing.assert_allclose(got / scale, want / scale, atol=3e-7)
    if budget == 2**23:
        assert not job.source.fits
        assert len(job.batches) > 1
        assert snapshot.n_read == len(job.batches) * job.source.n_particles
        assert snapshot.largest_chunk <= budget / 4
    if budget == 2**30:
        assert snapshot.n_read == job.source.n_particles


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_change_no_bit(snapshot, n_threads):
    one, _ = images(snapshot, noise={}, beams={})
    many, _ = images(snapshot, n_threads=n_threads, noise={}, beams={})
    np.testing.assert_array_equal(one, many)


def test_a_channel_and_a_cluster_do_not_depend_on_their_company(rng):
    """Noise and geometry are keyed by cluster, view and channel: maps made alone equal maps made together."""
    snapshot = MemorySnapshot(cluster(rng), box_size=120.0)
    two = Targets([[5.0, 5, 5], [5.2, 5, 5]], [4, 9])
    together, _ = images(snapshot, two, noise={}, beams={})
    alone, _ = images(snapshot, two.only(np.array([False, True])), channels=["compton_y"], noise={}, beams={})
    np.testing.assert_array_equal(alone[:, 0], together[4:, 3])


def test_snapshot_without_stars_drops_the_channel_or_says_so(snapshot):
    del snapshot.particles["stars"], snapshot.particles["gas"]["density"]
    with pytest.warns(DataWarning) as caught:
        job = plan_maps(snapshot, ONE)
    assert [c.name for c in job.channels] == ["compton_y"]
    assert len(caught) == 3
    assert any("left out stars: channel 'stars' needs stars particles" in note for note in job.notes)
    with pytest.raises(MissingFieldError, match="`density`"):
        plan_maps(snapshot, ONE, settings(channels=["xray_soft"]))
    with pytest.raises(MissingFieldError, match="needs stars particles"):
        plan_maps(snapshot, ONE, settings(channels=["stars"]))


def test_without_any_tracer_masses_are_mapped(snapshot):
    del snapshot.particles["stars"], snapshot.particles["gas"]["internal_energy"]
    with pytest.warns(DataWarning) as caught:
        job = plan_maps(snapshot, ONE)
    assert len(caught) == 4
    assert [c.name for c in job.channels] == ["gas_mass", "dark_matter"]
    snapshot.particles.clear()
    with pytest.raises(MissingFieldError, match="no map can be made"):
        plan_maps(snapshot, ONE)


def test_gas_without_smoothing_lengths_is_assigned_with_cic(snapshot):
    del snapshot.particles["gas"]["smoothing_length"]
    job = plan_maps(snapshot, ONE)
    assert job.projection.assignment["gas"] == "cic"
    assert any("cic" in note for note in job.notes)
    with pytest.raises(MissingFieldError, match="smoothing"):
        plan_maps(snapshot, ONE, settings(assignment="sph"))
    assert plan_maps(snapshot, ONE, settings(assignment="ngp")).projection.assignment == {"gas": "ngp", "stars": "ngp"}


def test_box_limits_depth_and_field(snapshot, rng):
    small = MemorySnapshot(cluster(rng), box_size=60.0)
    with pytest.warns(DataWarning, match="limited from 50 to 30"):
        job = plan_maps(small, ONE, settings())
    assert job.projection.depth == 30.0
    tiny = MemorySnapshot(cluster(rng), box_size=1.0)
    with pytest.raises(DomainError, match="`field`"):
        plan_maps(tiny, ONE, settings())


def test_a_run_without_expansion_uses_planck_distances(rng):
    still = MemorySnapshot(cluster(rng), is_cosmological=False, omega_m=0.0, h=1.0)
    with pytest.warns(DataWarning, match="Planck 2018"):
        job = plan_maps(still, ONE, settings())
    assert job.views.angular_diameter_distance[0] == pytest.approx(208.52, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"pixels": 0}, "pixels"),
        ({"field": 0.0}, "field"),
        ({"depth": -1.0}, "depth"),
        ({"assignment": "nearest"}, "assignment"),
        ({"order": "beam"}, "order"),
        ({"noise": {"star": 1.0}}, "noise channel"),
        ({"beams": {"compton": 1.0}}, "beams channel"),
        ({"noise": {"stars": -1.0}}, "noise"),
        ({"beams": {"compton_y": np.nan}}, "beam"),
        ({"byte_budget": 0}, "byte_budget"),
        ({"channels": ["star"]}, "channels"),
        ({"channels": []}, "channels"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_settings_are_named(snapshot, changes, name):
    with pytest.raises(DomainError, match=f"`{name}"):
        plan_maps(snapshot, ONE, settings(**changes))


def test_file_holds_images_labels_and_where_they_came_from(snapshot, tmp_path):
    maps = make_maps(snapshot, ONE, tmp_path / "maps.h5", settings(noise={}, beams={}, seed=5))
    want, job = images(snapshot, noise={}, beams={}, seed=5)
    np.testing.assert_array_equal(maps.images, want)
    assert maps.labels["cluster_id"].tolist() == [4] * 4
    assert maps.labels["m200c"].tolist() == [1e13] * 4
    np.testing.assert_array_equal(maps.views["rotation"], job.views.rotation)
    assert [c.noise_rms for c in maps.channels] == [2.14e11, 9e-16, 9e-16, 1e-8]
    assert maps.channels[3].beam_fwhm == pytest.approx(1.4 * units.ARCMIN_RAD)
    record = maps.provenance
    assert record["settings"]["seed"] == 5
    assert record["assignment"] == {"stars": "cic", "gas": "sph"}
    assert {"clustermass", "numpy", "h5py"} <= set(record["versions"])
    two = Targets([[5.0, 5, 5], [5.2, 5, 5]], [4, 9], {"m200c": np.array([1e13, 2e13]), "velocities": np.eye(2, 3)})
    pair = make_maps(snapshot, two, tmp_path / "pair.h5", settings(directions=["x"]))
    assert pair.labels["cluster_id"].tolist() == [4, 9]
    assert pair.labels["m200c"].tolist() == [1e13, 2e13]
    np.testing.assert_array_equal(pair.labels["velocities"], np.eye(2, 3))
    np.testing.assert_array_equal(pair.views["centre"], two.centres)
    again = make_maps(snapshot, ONE, tmp_path / "again.h5", settings(noise={}, beams={}, seed=5), n_threads=2)
    np.testing.assert_array_equal(again.images, read_maps(tmp_path / "maps.h5").images)


def test_time_is_estimated_from_what_particles_touch(rng):
    """More views, wider kernels and finer pixels cost more; halving the threads' work halves its part."""
    snapshot = MemorySnapshot(cluster(rng), box_size=120.0)
    few = estimate_seconds(plan_maps(snapshot, ONE, settings()))
    many = estimate_seconds(plan_maps(snapshot, ONE, settings(n_random=40)))
    cheap = estimate_seconds(plan_maps(snapshot, ONE, settings(assignment="ngp")))
    shared = estimate_seconds(plan_maps(snapshot, ONE, settings(n_random=40)), n_threads=4)
    assert cheap < few < many
    assert many / 4.5 < shared < many
    assert snapshot.n_read <= 4 * 4000
