"""From catalogues and simulations to haloes with galaxies."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clustermass import datasets, open_groups, open_snapshot
from clustermass.cosmology import PLANCK_2018
from clustermass.data.universe_file import write_universe
from clustermass.errors import DataWarning, DomainError, FileFormatError, MissingFieldError
from clustermass.features.hosts import heaviest_host, outermost
from clustermass.features.tracer_choice import Tracers
from clustermass.features.universe import open_universe, universe_from_catalogue, universe_from_groups
from clustermass.nfw import critical_density, m200c_within, radius_of_mass
from tests.universes import make_universe

pytest.importorskip("scipy")


@pytest.mark.parametrize("box", [20.0, None], ids=["periodic", "edges"])
def test_the_heaviest_halo_that_holds_a_position_is_its_host(rng, box):
    positions, centres = rng.uniform(-5, 25, (2000, 3)), rng.uniform(0, 20, (60, 3))
    mass, radius = np.round(rng.lognormal(0, 1, 60), 1), rng.uniform(0, 3, 60)  # some masses are equal
    radius[7] = 0
    got = heaviest_host(positions, centres, mass, radius, box)
    offset = positions[:, None] - centres
    if box:
        offset -= box * np.round(offset / box)
    inside = (np.linalg.norm(offset, axis=2) <= radius) & (radius > 0)
    want = [max(np.flatnonzero(row), key=lambda h: (mass[h], -h)) if row.any() else -1 for row in inside]
    assert got.tolist() == want
    assert 0 < (got >= 0).sum() < 2000


def test_hosts_lie_in_no_host(rng):
    centres, mass, radius = rng.uniform(0, 20, (300, 3)), rng.lognormal(0, 1, 300), rng.uniform(0, 2.5, 300)
    top = outermost(centres, mass, radius, 20.0)
    hosts = np.flatnonzero(top == np.arange(300))
    offset = centres[:, None] - centres[hosts]
    away = np.linalg.norm(offset - 20 * np.round(offset / 20), axis=2)
    for k, row in enumerate(top):
        heavier = [h for h, d in zip(hosts, away[k], strict=True) if d <= radius[h] and mass[h] > mass[k]]
        if row == k:
            assert not heavier
        else:
            assert row == max(heavier, key=lambda h: mass[h])
    assert 20 < hosts.size < 280


def test_a_chain_of_haloes_has_one_host():
    """B lies in A and C in B, but not in A: C is a host, for B is none."""
    centres = np.array([[0.0, 0, 0], [0.9, 0, 0], [1.6, 0, 0]])
    assert outermost(centres, np.array([9.0, 5.0, 1.0]), np.array([1.0, 1.0, 0.1]), None).tolist() == [0, 0, 2]


def test_masses_of_other_definitions():
    """An NFW halo: the mean density within the radius found is 200 times critical, whatever mass it came from."""
    z, c200, m200 = 0.1, 4.0, np.array([1e13, 1e15])
    r200 = radius_of_mass(m200, 200.0, PLANCK_2018, z)
    np.testing.assert_allclose(m200 / (4 / 3 * np.pi * r200**3), 200 * critical_density(PLANCK_2018, z), rtol=1e-12)
    assert critical_density(PLANCK_2018, 0.0) == pytest.approx(2.77536627e11 * 0.6766**2, rel=1e-5)
    scale = r200 / c200

    def inside(x):
        return np.log(1 + x) - x / (1 + x)

    for factor in (0.5, 1.0, 1.4):
        mass = m200 * inside(factor * c200) / inside(c200)
        np.testing.assert_allclose(m200c_within(mass, factor * r200, scale, PLANCK_2018, z), m200, rtol=1e-12)
    assert m200c_within(np.array([0.0]), np.array([1.0]), 1.0, PLANCK_2018, z).tolist() == [0.0]


@pytest.fixture(scope="module")
def sample():
    snapshot = open_snapshot(datasets.sample_snapshot())
    return snapshot, open_groups(datasets.sample_groups(), snapshot=snapshot)


def test_particles_trace_the_groups_of_the_sample(sample):
    snapshot, groups = sample
    universe = universe_from_groups(groups, snapshot, Tracers("particles", fraction=0.25, seed=2))
    galaxies, haloes = universe.galaxies, universe.haloes
    assert haloes.n == 5
    assert universe.box_size * 0.678 == pytest.approx(80)
    assert abs(galaxies.n - 0.25 * 17072) < 5 * np.sqrt(17072 * 0.25 * 0.75)
    offset = galaxies.positions - haloes.positions[galaxies.host]
    offset -= universe.box_size * np.round(offset / universe.box_size)
    away = np.linalg.norm(offset, axis=1)
    held = galaxies.host >= 0
    assert (away[held] <= haloes.r200c[galaxies.host[held]]).all()
    per_mass = np.bincount(galaxies.host[held], minlength=5) / haloes.m200c
    particle = 7.181055783862718e10 / 0.678 / (1 - 0.0482 / 0.307)  # with its share of the gas
    np.testing.assert_allclose(per_mass * particle / 0.25, 1, rtol=0.35)
    assert "17072 dark-matter particles (fraction 0.25, seed 2)" in " ".join(universe.notes)
    again = universe_from_groups(groups, snapshot, Tracers("particles", fraction=0.25, seed=2))
    np.testing.assert_array_equal(again.galaxies.positions, galaxies.positions)
    other = universe_from_groups(groups, snapshot, Tracers("particles", fraction=0.25, seed=3))
    assert other.galaxies.n != galaxies.n or (other.galaxies.positions != galaxies.positions).any()


def test_what_lacks_is_named(sample):
    snapshot, groups = sample
    with pytest.raises(MissingFieldError, match="no subhaloes to serve as tracers: give the snapshot"):
        universe_from_groups(groups)
    with pytest.raises(MissingFieldError, match="particles as tracers need the snapshot"):
        universe_from_groups(groups, None, Tracers("particles"))
    with pytest.raises(MissingFieldError, match="no subhaloes"):
        universe_from_groups(groups, snapshot, Tracers("subhaloes"))
    with pytest.raises(MissingFieldError, match="has no m200c of groups"):
        universe_from_groups(replace(groups, m200c=None), snapshot)
    with pytest.raises(DomainError, match="`tracers` must be one of 'auto'"):
        Tracers("stars")
    with pytest.raises(DomainError, match="`fraction`"):
        Tracers(fraction=1.5)


class Columns(dict):
    """A catalogue of plain arrays."""

    path, assumptions = "folder/halos.list", ("a guess",)
    header = SimpleNamespace(box_size=100.0, redshift=0.1, h=0.7, omega_m=0.3, omega_lambda=0.7, is_periodic=True)


@pytest.fixture
def columns():
    """A heavy halo with 12 subhaloes around it, and a light one far away."""
    positions = np.full((14, 3), 50.0)
    positions[1:13, 0] += np.linspace(0.1, 1.2, 12)
    positions[13] = 10.0
    mass = np.array([5e14, *[1e12] * 12, 2e14])
    return Columns(ids=np.arange(14) + 5, positions=positions, velocities=np.zeros((14, 3)), m200c=mass)


def test_haloes_of_a_catalogue_are_hosts_and_tracers(columns):
    got = universe_from_catalogue(columns)
    assert got.haloes.ids.tolist() == [5, 18]
    assert got.galaxies.host.tolist() == [0] * 13 + [1]
    assert got.galaxies.is_central.tolist() == [True] + [False] * 12 + [True]
    np.testing.assert_allclose(got.haloes.r200c, radius_of_mass(got.haloes.m200c, 200.0, got.cosmology, 0.1))
    assert got.source == "halos.list"
    assert got.notes[0] == "a guess"
    assert "heaviest one whose R200c holds it" in got.notes[1]


def test_links_come_before_distances(columns):
    columns["host_ids"] = np.where(np.arange(14) == 3, 18, np.where(np.arange(14) == 4, 999, -1))
    got = universe_from_catalogue_quietly(columns)
    assert got.haloes.n == 12
    assert got.galaxies.host[3] == got.galaxies.host[13] == 11  # a member of the far one, because it says so
    assert got.galaxies.host[4] == -1
    assert "1 haloes have a host that is not in the catalogue" in " ".join(got.notes)


def universe_from_catalogue_quietly(columns):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return universe_from_catalogue(columns)


def test_m200c_from_another_mass(columns):
    mass = columns.pop("m200c")
    radius = 1.2 * radius_of_mass(mass, 200.0, PLANCK_2018, 0.1)
    columns |= {"mvir": mass, "rvir": radius, "scale_radius": radius / 6}
    with pytest.warns(DataWarning, match="no M200c: found from mvir with an NFW profile of its scale radius"):
        got = universe_from_catalogue(columns)
    np.testing.assert_allclose(got.haloes.m200c[0], m200c_within(mass, radius, radius / 6, got.cosmology, 0.1)[0])
    del columns["scale_radius"]
    with pytest.warns(DataWarning, match="concentration 5"):
        universe_from_catalogue(columns)
    del columns["rvir"]
    with pytest.raises(MissingFieldError, match="no M200c, nor a mass with its radius"):
        universe_from_catalogue(columns)


def test_one_epoch_of_many(columns):
    columns["redshift"] = np.where(np.arange(14) % 2 == 0, 0.1, 0.5)
    got = universe_from_catalogue_quietly(columns)
    assert got.galaxies.n == 7
    assert "7 of 14 rows are at redshift 0.1" in " ".join(got.notes)
    columns["redshift"] += 1
    with pytest.raises(DomainError, match=r"no row at redshift 0.1; it has 1.100, 1.500"):
        universe_from_catalogue(columns)


def test_frames_that_are_not_known(columns):
    columns.header = SimpleNamespace(**(vars(Columns.header) | {"box_size": None, "omega_m": None}))
    with pytest.raises(MissingFieldError, match="does not say box_size, omega_m: give it"):
        universe_from_catalogue(columns)
    with pytest.raises(MissingFieldError, match="has no velocities"):
        universe_from_catalogue(Columns(positions=columns["positions"]))


def test_files_open_by_their_content(tmp_path):
    box = make_universe(n_haloes=3)
    write_universe(tmp_path / "box.hdf5", box)
    got, files = open_universe(tmp_path / "box.hdf5")
    np.testing.assert_array_equal(got.galaxies.positions, box.galaxies.positions)
    assert files == [tmp_path / "box.hdf5"]
    with pytest.raises(DomainError, match="a universe file has its galaxies"):
        open_universe(tmp_path / "box.hdf5", snapshot="a")
    got, files = open_universe(datasets.sample_groups(), snapshot=datasets.sample_snapshot(), seed=1)
    assert got.haloes.n == 5
    assert [file.name for file in files] == ["sample_groups.hdf5", "sample_snapshot.hdf5"]
    with pytest.raises(FileFormatError, match="is a snapshot"):
        open_universe(datasets.sample_snapshot())
    with pytest.raises(FileNotFoundError):
        open_universe(tmp_path / "none.hdf5")


def test_a_real_halo_list(real_data):
    universe, _ = open_universe(real_data("rockstar-outlist/out_163.list"))
    assert universe.galaxies.n == 4764
    heaviest = int(np.argmax(universe.haloes.m200c))
    assert universe.haloes.ids[heaviest] == 693
    assert universe.haloes.m200c[heaviest] * 0.6781 == pytest.approx(4.8797e13)
    assert (universe.galaxies.host == heaviest).sum() > 50
    assert (universe.galaxies.is_central).sum() == universe.haloes.n < 4764
