"""Gas and stars on the haloes of a generated universe: the same haloes as the galaxies, the profiles they are from."""

from __future__ import annotations

import numpy as np
import pytest

import clustermass as cm
from clustermass.data.mocks.gas import _draws
from clustermass.data.mocks.gas_particles import bodies_of, gas_particles
from clustermass.data.mocks.gas_profiles import (
    GasHaloes,
    density_shape,
    gas_fraction,
    gas_haloes,
    pressure_shape,
    tabulate,
)
from clustermass.data.mocks.near import NearLines
from clustermass.data.mocks.universe.galaxies import draw_satellites, make_galaxy_model
from clustermass.data.mocks.universe.linear import nonlinear_mass
from clustermass.data.mocks.universe.members import to_box
from clustermass.data.mocks.universe.mergers import Clumps
from clustermass.data.mocks.universe.record import settings_record
from clustermass.errors import DomainError

SETTINGS = cm.UniverseSettings(box_size=90.0, min_mass=1e12, occupation="observed", seed=4)


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    path = tmp_path_factory.mktemp("gas") / "box.hdf5"
    cm.write_universe(path, cm.make_universe(SETTINGS), settings_record(SETTINGS))
    return path


@pytest.fixture(scope="module")
def painter(box):
    return cm.GasPainter(box, min_mass=2e13, n_particles=4000)


def offsets_of(painter, snapshot, row, ptype="gas"):
    away = snapshot.particles[ptype]["positions"] - painter.universe.haloes.positions[row]
    return away - painter.universe.box_size * np.round(away / painter.universe.box_size)


def one_halo(painter, row, count=6000, *, clump=None):
    """Particles of one halo, as if it were alone; `clump`: its share, or None for what the universe says."""
    structure = painter.structure
    clumps = structure.clumps
    if clump is not None:
        clumps = Clumps(np.full(structure.n, clump), clumps.offset, clumps.velocity)
    bodies = bodies_of(np.array([row]), clumps, painter._shift, np.full(structure.n, count))
    haloes = painter.universe.haloes
    return gas_particles(bodies, painter.gas, structure.hosts, haloes.positions, painter.universe.box_size)


def test_structure_is_that_of_the_galaxies(painter):
    """Shape, orientation and clump put the satellites where the file has them."""
    universe, structure = painter.universe, painter.structure
    galaxies = universe.galaxies
    assert structure.n > 10
    assert (structure.clumps.share > 0).any()
    central = galaxies.is_central & (galaxies.host >= 0) & (galaxies.host < structure.n)
    np.testing.assert_allclose(structure.central_stars[galaxies.host[central]], galaxies.stellar_mass[central])


def test_places_of_satellites_come_again(painter):
    from clustermass.data.mocks.universe import structure as room
    from clustermass.data.mocks.universe.streams import stream

    universe = painter.universe
    concentration = room.draw_concentrations(SETTINGS, universe.haloes.m200c)
    flow = room.make_flow(room.make_field(SETTINGS), SETTINGS.cosmology.h)
    field = room.HaloField(universe.haloes, concentration, flow)
    model = make_galaxy_model(SETTINGS.epoch, SETTINGS.occupation, nonlinear_mass(SETTINGS), SETTINGS.velocity_bias)
    rng = stream(SETTINGS.seed, "galaxies", 0)
    hosts = room.draw_hosts(field, model, np.arange(universe.haloes.n), rng)
    drawn = draw_satellites(model, hosts, rng)
    places = universe.haloes.positions[drawn.row] + to_box(drawn.offset, hosts.frames[drawn.row])
    known = universe.galaxies.positions[~universe.galaxies.is_central][: drawn.row.size]
    np.testing.assert_allclose(places % universe.box_size, known, atol=1e-9)
    np.testing.assert_array_equal(hosts.axes[: painter.structure.n], painter.structure.hosts.axes)


def test_gas_mass_and_pressure_are_those_of_the_profiles(painter):
    """Particles of a halo without a clump add up to its gas fraction, and its temperatures to the pressure."""
    row = 0
    gas = one_halo(painter, row, clump=0.0)
    table, r500 = painter.gas, painter.r500c[row]
    x = np.geomspace(0.003, 5.0, 4000)
    density, temperature = table.at(np.full(x.size, row), x)
    shells = 4.0 * np.pi * (x * r500) ** 3 * density * np.gradient(np.log(x))
    assert gas["masses"].sum() == pytest.approx(shells.sum(), rel=3e-3)
    thermal = gas["masses"] @ gas["temperature"]
    assert thermal == pytest.approx(shells @ temperature, rel=3e-3)
    inside = shells[x < 1].sum()
    assert inside == pytest.approx(table.haloes.fraction[row] * table.haloes.m500[row], rel=3e-3)


def test_gas_is_longer_along_the_axes_of_the_halo(painter):
    """The second moments of the gas lie along the frame of the galaxies, less elongated than matter."""
    structure = painter.structure
    row = int(np.argmax(structure.hosts.axes[:, 0] / structure.hosts.axes[:, 2]))
    gas = one_halo(painter, row, clump=0.0)
    haloes, box = painter.universe.haloes, painter.universe.box_size
    away = gas["positions"] - haloes.positions[row]
    away -= box * np.round(away / box)
    along = away @ structure.hosts.frames[row].T
    width = np.sqrt(np.average(along**2, weights=gas["masses"], axis=0))
    matter = structure.hosts.axes[row]
    assert width[0] > width[1] > width[2]
    assert 1.03 < width[0] / width[2] < matter[0] / matter[2]


def test_a_clump_carries_its_share_where_the_galaxies_have_it(painter):
    structure = painter.structure
    row = int(np.argmax(structure.clumps.share))
    gas = one_halo(painter, row)
    share = structure.clumps.share[row]
    centre = painter.universe.haloes.positions[row] + structure.clumps.offset[row] @ structure.hosts.frames[row]
    tail = gas["masses"][6000:]
    assert tail.sum() / gas["masses"].sum() == pytest.approx(share, rel=2e-2)
    away = gas["positions"][6000:] - centre
    away -= painter.universe.box_size * np.round(away / painter.universe.box_size)
    middle = np.average(away, weights=tail, axis=0)
    assert np.abs(middle).max() < 0.1 * painter.r500c[row]
    hot = np.average(gas["temperature"][:6000], weights=gas["masses"][:6000])
    assert np.average(gas["temperature"][6000:], weights=tail) == pytest.approx(hot * share ** (2 / 3), rel=2e-2)


def test_families_differ_as_published():
    """Ratios that the parameters of the papers give (P of cool cores over disturbed; n_e at 0.01 R500)."""
    ratio = [float(pressure_shape(np.array([x]), 1)[0] / pressure_shape(np.array([x]), 2)[0]) for x in (0.03, 0.5, 1)]
    np.testing.assert_allclose(ratio, [3.7, 0.95, 0.75], rtol=0.03)
    centre = [float(density_shape(np.array([0.01]), k)[0]) for k in (1, 2)]
    np.testing.assert_allclose(centre, [0.034, 0.014], rtol=0.03)


def test_gas_fraction_is_that_of_the_sources():
    epoch = cm.UniverseSettings(redshift=0.0).epoch
    f = gas_fraction(np.array([5e14, 5e13]) / (epoch.h / 0.7), epoch) * (epoch.h / 0.7) ** 1.5
    np.testing.assert_allclose(f, [0.125, 0.125 * 10**-0.22], rtol=1e-12)


def test_temperature_keeps_the_scatter_of_the_gas_mass_out():
    """More gas at one mass: denser and of more pressure, not hotter."""
    epoch = SETTINGS.epoch
    one = np.ones(2)
    haloes = GasHaloes(3e14 * one, one, np.zeros(2, np.int64), np.array([0.1, 0.2]), one, 0 * one, epoch)
    density, temperature = tabulate(haloes).at(np.arange(2), 0.4 * one)
    assert density[1] / density[0] == pytest.approx(2.0)
    assert temperature[1] / temperature[0] == pytest.approx(1.0)


def test_nothing_near_a_line_is_missed():
    rng = np.random.default_rng(3)
    places, reach, box = rng.random((4000, 3)) * 50, rng.exponential(0.5, 4000), 50.0
    centres, directions = rng.random((5, 3)) * 50, rng.normal(size=(5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = NearLines(places, reach, box).find(centres, directions, np.full(5, 1.0), 12.0)
    away = places - centres[:, None]
    away -= box * np.round(away / box)
    along = np.einsum("vij,vj->vi", away, directions)
    across = np.sqrt((away**2).sum(axis=2) - along**2)
    wanted = ((across <= 1.0 + reach) & (np.abs(along) <= 12.0 + reach)).any(axis=0)
    np.testing.assert_array_equal(found, np.flatnonzero(wanted))
    assert 15 < found.size < 100


def test_a_halo_is_the_same_whatever_is_painted_with_it(painter, box):
    """Particles depend on the halo alone, not on the lines of sight or on how many haloes are painted."""
    fewer = cm.GasPainter(box, min_mass=1e14, n_particles=4000)
    place = painter.universe.haloes.positions[:1]
    seen = [
        p.paint(place, np.array([d]), np.array([0.5]), 5.0) for p, d in ((painter, [1.0, 0, 0]), (fewer, [0, 0, 1.0]))
    ]
    heavy = [one.particles["gas"]["positions"][:4000] for one in seen]
    np.testing.assert_array_equal(*heavy)


def test_stars_are_the_galaxies_and_the_centrals(painter):
    universe = painter.universe
    place = universe.haloes.positions[:1]
    stars = painter.paint(place, np.array([[0.0, 0, 1]]), np.array([2.0]), 3.0).particles["stars"]
    away = stars["positions"] - place
    away -= universe.box_size * np.round(away / universe.box_size)
    near = np.linalg.norm(away, axis=1) < 1.5
    galaxies = universe.galaxies
    own = galaxies.positions - place
    own -= universe.box_size * np.round(own / universe.box_size)
    satellites = galaxies.stellar_mass[(np.linalg.norm(own, axis=1) < 1.5) & ~galaxies.is_central].sum()
    central = painter.structure.central_stars[0]
    assert stars["masses"][near].sum() == pytest.approx(satellites + 2.4 * central, rel=0.15)


def test_only_universes_made_here_can_be_painted(tmp_path, box):
    universe = cm.read_universe(box)
    cm.write_universe(tmp_path / "other.hdf5", universe)
    with pytest.raises(DomainError, match="no structure"):
        cm.GasPainter(tmp_path / "other.hdf5")
    with pytest.raises(DomainError, match="heaviest halo"):
        cm.GasPainter(box, min_mass=1e17)


def test_m500c_and_r500c_are_those_of_the_concentration_of_each_halo(painter):
    """NFW: M500 / M200 = m(c R500 / R200) / m(c), and 500 critical densities within R500."""
    hosts, epoch = painter.structure.hosts, SETTINGS.epoch
    c, x = hosts.concentration, hosts.concentration * painter.r500c / hosts.r200c
    share = (np.log1p(x) - x / (1 + x)) / (np.log1p(c) - c / (1 + c))
    np.testing.assert_allclose(painter.m500c, share * hosts.m200c, rtol=1e-3)
    density = painter.m500c / (4 / 3 * np.pi * painter.r500c**3)
    np.testing.assert_allclose(density / (500 * epoch.critical_density), 1.0, rtol=1e-3)
    assert painter.header.scale_factor * (1 + painter.header.redshift) == pytest.approx(1.0)
    assert painter.header.redshift == SETTINGS.redshift > 0


def test_gas_scatters_by_the_seed_and_merging_haloes_are_disturbed(painter):
    n, clumps = painter.structure.n, painter.structure.clumps
    cool, normal, _ = _draws(SETTINGS.seed, n)
    want = gas_haloes(painter.m500c, painter.r500c, clumps.share > 0, SETTINGS.epoch, cool, normal)
    for name in ("family", "fraction", "heat", "core"):
        np.testing.assert_array_equal(getattr(painter.gas.haloes, name), getattr(want, name))
    np.testing.assert_array_equal(painter.gas.haloes.family == 2, clumps.share > 0)
    for one, other in zip(_draws(1, 5), _draws(2, 5), strict=True):
        assert (one != other).all()
    for one, more in zip(_draws(1, 5), _draws(1, 3000), strict=True):
        np.testing.assert_array_equal(one, more[:, :5] if one.ndim == 2 else more[:5])


def test_every_galaxy_is_painted_once_where_it_is(painter):
    """Those of the universe, and centrals of painted haloes as extended ones in their stead."""
    galaxies, n = painter.universe.galaxies, painter.structure.n
    listed = galaxies.is_central & (galaxies.host < n)
    whole = painter._stars.sum() + galaxies.stellar_mass[listed].sum()
    assert whole == pytest.approx(galaxies.stellar_mass.sum())
    assert (galaxies.is_central & (galaxies.host >= n)).any(), "centrals of haloes without gas"
    place = painter.universe.haloes.positions[:1]
    stars = painter.paint(place, np.array([[0.0, 0, 1]]), np.array([3.0]), 20.0).particles["stars"]
    where = {tuple(p): m for p, m in zip(galaxies.positions, galaxies.stellar_mass, strict=True)}
    known = [
        (where[tuple(p)], m) for p, m in zip(stars["positions"], stars["masses"], strict=True) if tuple(p) in where
    ]
    assert len(known) > 20
    np.testing.assert_array_equal(*np.transpose(known))


def test_gas_reaches_lines_that_pass_far_outside(painter):
    place = painter.universe.haloes.positions[:1] + np.array([4.0 * painter.r500c[0], 0, 0])
    gas = painter.paint(place % painter.universe.box_size, np.array([[0.0, 0, 1]]), np.array([0.1]), 1.0).particles
    first = painter.universe.haloes.positions[0]
    away = gas["gas"]["positions"] - first
    away -= painter.universe.box_size * np.round(away / painter.universe.box_size)
    assert (np.linalg.norm(away, axis=1) < painter.r500c[0]).sum() > 1000
