"""The real files that were studied, with the facts known about them."""

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers.matter import omega_in_particles
from clustermass.data.schema import Region

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("error")]
GADGET4 = "gadget4-hydro-80/"


def total(snapshot, ptype):
    return snapshot.read(ptype, "masses")["masses"].sum(dtype=np.float64)


@pytest.fixture
def lcdm_gas(real_data):
    def open_one(order):
        with pytest.warns(errors.DataWarning, match=r"assumed h = 0\.7.*assumed Omega_m = 0\.3") as caught:
            snapshot = cm.open_snapshot(real_data(f"gadget2-lcdm-gas-ics/lcdm_gas_{order}endian.dat"))
        assert len(caught) == 1
        return snapshot

    return open_one


def test_lcdm_gas_header(lcdm_gas):
    snapshot = lcdm_gas("little")
    head = snapshot.header
    assert snapshot.format == "gadget1"
    assert head.counts == (32768, 32768, 0, 0, 0, 0)
    assert head.is_cosmological
    assert head.redshift == pytest.approx(10)
    assert head.box_size is None
    assert np.array(head.mass_table[:2]) * 0.7 / 1e10 == pytest.approx([4.235076384894417, 27.52799650181371])
    assert head.mass_table[0] / sum(head.mass_table) == pytest.approx(0.13333, rel=1e-4)
    assert total(snapshot, "gas") + total(snapshot, "dark_matter") == pytest.approx(1.0408e16 / 0.7, rel=1e-4)
    positions = np.concatenate([snapshot.read(t, "positions")["positions"] for t in ("gas", "dark_matter")])
    assert positions.min() >= 0
    assert positions.max() == pytest.approx(50 / 0.7, rel=1e-4)


def test_lcdm_gas_energies_are_not_used(lcdm_gas):
    snapshot = lcdm_gas("little")
    assert "internal_energy" not in snapshot.fields("gas")
    with pytest.raises(errors.MissingFieldError, match="is 0 for all 32768 particles"):
        snapshot.read("gas", "internal_energy")


def test_both_byte_orders_hold_the_same(lcdm_gas, real_data):
    little, big = lcdm_gas("little"), lcdm_gas("big")
    assert little.header == big.header
    for ptype in ("gas", "dark_matter"):
        one, two = (s.read(ptype, ["positions", "velocities", "ids"]) for s in (little, big))
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])
        assert two["ids"].min() == {"gas": 1, "dark_matter": 32769}[ptype]
    assert big.read("dark_matter", "ids")["ids"].max() == 65536
    # told the box, the mass in it is the matter density of the run
    path = real_data("gadget2-lcdm-gas-ics/lcdm_gas_bigendian.dat")
    told = cm.open_snapshot(path, hubble=0.7, box_size=50 / 0.7, omega_m=0.3, omega_lambda=0.7)
    assert omega_in_particles(told) == pytest.approx(0.3, rel=1e-4)


def test_disperse(real_data):
    snapshot = cm.open_snapshot(real_data("disperse-simu32/simu_32_id.gad"))
    head = snapshot.header
    assert head.counts == (0, 32768, 0, 0, 0, 0)
    assert (head.omega_m, head.omega_lambda, head.h, head.scale_factor) == (0.3, 0.7, 0.7, 1.0)
    assert head.box_size == pytest.approx(50 / 0.7)
    assert head.mass_table[1] == pytest.approx(0.4953125e10 / 0.7)
    assert omega_in_particles(snapshot) == pytest.approx(0.3 / 64.1, rel=1e-2)
    data = snapshot.read("dark_matter", ["velocities", "ids"])
    np.testing.assert_allclose(np.sqrt((data["velocities"] ** 2).mean(axis=0)), [245, 266, 268], atol=0.6)
    assert (data["ids"].min(), data["ids"].max(), len(np.unique(data["ids"]))) == (0, 144, 137)


def test_isolated_halo_start(real_data):
    snapshot = cm.open_snapshot(real_data("gadget-format2-isolated-halo/snap_000"))
    assert snapshot.format == "gadget2"
    assert snapshot.header.counts == (17256, 17256, 0, 0, 0, 0)
    assert not snapshot.header.is_cosmological
    assert snapshot.header.box_size is None
    assert total(snapshot, "gas") + total(snapshot, "dark_matter") == pytest.approx(1e12, rel=1e-6)
    gas = snapshot.read("gas", ["internal_energy", "electron_abundance"])
    np.testing.assert_allclose(gas["internal_energy"], 143.353, rtol=1e-5)
    np.testing.assert_allclose(gas["electron_abundance"], 0.0727273, rtol=1e-5)


def test_isolated_halo_end(real_data):
    snapshot = cm.open_snapshot(real_data("gadget-format2-isolated-halo/snap_200"))
    assert snapshot.header.counts == (12305, 17256, 0, 0, 15551, 0)
    types = ("gas", "dark_matter", "stars")
    assert sum(total(snapshot, t) for t in types) == pytest.approx(1e12, rel=1e-6)
    energy = snapshot.read("gas", "internal_energy")["internal_energy"]
    assert (energy.min(), energy.max()) == pytest.approx((4.52, 3.09e6), rel=1e-3)
    ids = np.concatenate([snapshot.read(t, "ids")["ids"] for t in types])
    assert (len(np.unique(ids)), ids.max()) == (45112, 2147500797)
    missing = {(item.ptype, item.field): item.reason for item in snapshot.missing}
    assert "12 values a particle" in missing["stars", "metallicity"]
    assert "no expansion" in missing["stars", "formation_scale_factor"]
    # density, mass and smoothing length belong together: Gadget's kernel of radius h holds some 30 to 70 particles
    gas = snapshot.read("gas", ["masses", "density", "smoothing_length"])
    inside = 4 / 3 * np.pi * gas["smoothing_length"] ** 3 * gas["density"] / gas["masses"]
    assert 25 < np.median(inside) < 80


def test_arepo(real_data):
    snapshot = cm.open_snapshot(real_data("arepo-hdf5-isolated/isolated_32_smallbox.hdf5"))
    head = snapshot.header
    assert head.counts == (81655, 32768, 0, 0, 0, 0)
    assert not head.is_cosmological
    assert (head.box_size, head.is_periodic, head.periodic_box) == (pytest.approx(3.0), False, None)
    assert not any(head.mass_table)
    np.testing.assert_allclose(snapshot.read("dark_matter", "masses")["masses"], 0.0047823377e10, rtol=1e-6)
    gas = snapshot.read("gas", ["ids", "masses", "internal_energy"])
    assert (gas["ids"].min(), gas["ids"].max()) == (1000032769, 1000114423)
    background = gas["masses"] == 0
    assert background.sum() == 3688
    assert not gas["internal_energy"][background].any()
    assert not {"density", "smoothing_length"} & set(snapshot.fields("gas"))
    with pytest.raises(errors.MissingFieldError, match="PartType0/Density is NaN"):
        snapshot.read("gas", "density")


def test_camels(real_data):
    path = real_data("camels-tng-cutout/camels_snap.hdf5")
    with pytest.warns(errors.DataWarning, match="assumed flat"):
        snapshot = cm.open_snapshot(path)
    head = snapshot.header
    assert head.counts == (269, 0, 0, 0, 3479, 0)
    assert head.scale_factor == pytest.approx(0.909046978)
    assert head.redshift == pytest.approx(0.10005, abs=1e-5)
    assert (head.omega_m, head.h, head.box_size) == (0.3, 0.6711, None)
    missing = {(item.ptype, item.field): item for item in snapshot.missing}
    assert "no Compton y" in missing["gas", "internal_energy"].prevents
    assert ("", "box size") in missing
    x = snapshot.read("stars", "positions")["positions"][:, 0] * 0.6711 * 1000
    assert (x.min(), x.max()) == pytest.approx((47, 24896), abs=1)
    told = cm.open_snapshot(path, box_size=25 / 0.6711, omega_lambda=0.7)
    # some galaxies straddle the edge: a slab at x = 0 finds both sides
    near = told.read("stars", "positions", region=Region((0, 0, 0), (3, 50, 50)))["positions"][:, 0]
    assert near.max() > 34.2
    assert near.min() < 0.1
    assert not ((near > 3) & (near < 34.2)).any()
    groups = cm.open_groups(real_data("camels-tng-cutout/camels_subhalo.hdf5"), snapshot=told)
    assert groups.subhaloes.n == 10
    assert groups.header.h == 0.6711
    np.testing.assert_array_equal(groups.subhaloes.length_by_type.sum(axis=0)[[0, 4]], [269, 3479])
    # particles lie subhalo after subhalo: each within a few hundred kpc of its centre
    owner = np.repeat(np.arange(10), groups.subhaloes.length_by_type[:, 4])
    d = snapshot.read("stars", "positions")["positions"] - groups.subhaloes.positions[owner]
    d -= told.header.box_size * np.round(d / told.header.box_size)
    assert np.abs(d).max() < 0.5


def test_gadget4_snapshot(real_data):
    snapshot = cm.open_snapshot(real_data(GADGET4 + "snapshot_000.1.hdf5"))
    head = snapshot.header
    assert len(snapshot.paths) == 2
    assert head.counts == (511636, 512000, 0, 0, 364, 0)
    assert (head.scale_factor, head.redshift) == (0.9111921168789453, 0.09746340148907717)
    assert (head.omega_m, head.h) == (0.307, 0.678)
    assert head.box_size == pytest.approx(80 / 0.678)
    assert head.mass_table[1] == pytest.approx(7.181055783862718e10 / 0.678)
    masses = {t: total(snapshot, t) * 0.678 / 1e10 for t in ("gas", "dark_matter", "stars")}
    assert masses["gas"] == pytest.approx(684277.336, rel=1e-6)
    assert masses["stars"] == pytest.approx(486.825, rel=1e-5)
    assert sum(masses.values()) == pytest.approx(4361464.72, rel=1e-6)
    assert omega_in_particles(snapshot) == pytest.approx(0.30693, rel=2e-5)
    rate = snapshot.read("gas", "star_formation_rate")["star_formation_rate"].sum(dtype=np.float64)
    assert rate == pytest.approx(1557.6, rel=1e-4)


def test_gadget4_groups_and_the_particles_around_them(real_data):
    snapshot = cm.open_snapshot(real_data(GADGET4 + "snapshot_000.0.hdf5"))
    groups = cm.open_groups(real_data(GADGET4 + "fof_subhalo_tab_000.0.hdf5"))
    assert (groups.n, groups.subhaloes.n) == (903, 998)
    m200c = groups.m200c * 0.678
    assert ((m200c > 1e13).sum(), (m200c > 1e14).sum()) == (180, 10)
    order = np.argsort(m200c)[::-1]
    np.testing.assert_allclose(m200c[order[:3]], [3.21791e14, 2.65972e14, 1.63478e14], rtol=1e-5)
    first = order[0]
    np.testing.assert_allclose(groups.positions[first] * 0.678, [52.147, 8.052, 17.183], atol=1e-3)
    assert groups.r200c[first] * 0.678 == pytest.approx(1.18532, rel=1e-5)
    assert groups.m500c[first] * 0.678 == pytest.approx(1.75710e14, rel=1e-5)
    # M200c is the mass within R200c
    region = Region(groups.positions[first], groups.r200c[first])
    mass = 0.0
    for ptype in ("gas", "dark_matter", "stars"):
        data = snapshot.read(ptype, ["positions", "masses"], region=region)
        inside = np.linalg.norm(data["positions"] - groups.positions[first], axis=1) < groups.r200c[first]
        mass += data["masses"][inside].sum(dtype=np.float64)
    assert mass == pytest.approx(groups.m200c[first], rel=2e-3)


def test_group_velocity_is_that_of_its_particles(real_data):
    """GroupVel is stored times the scale factor; the snapshot holds the particles of the groups in order."""
    snapshot = cm.open_snapshot(real_data(GADGET4 + "snapshot_000.0.hdf5"))
    groups = cm.open_groups(real_data(GADGET4 + "fof_subhalo_tab_000.1.hdf5"), snapshot=snapshot)
    particles = {t: snapshot.read(t, ["velocities", "masses"]) for t in ("gas", "dark_matter", "stars")}
    start = np.cumsum(groups.length_by_type, axis=0) - groups.length_by_type
    for g in range(5):
        mass, momentum = 0.0, np.zeros(3)
        for t, column in (("gas", 0), ("dark_matter", 1), ("stars", 4)):
            rows = slice(start[g, column], start[g, column] + groups.length_by_type[g, column])
            weights = particles[t]["masses"][rows].astype(np.float64)
            mass += weights.sum()
            momentum += weights @ particles[t]["velocities"][rows]
        assert mass == pytest.approx(groups.masses[g], rel=1e-5)
        np.testing.assert_allclose(momentum / mass, groups.velocities[g], atol=0.01)


def test_gadget4_sample(real_data):
    snapshot = cm.open_snapshot(real_data(GADGET4 + "sample/sample_snapshot.hdf5"))
    assert snapshot.header.counts == (16884, 17072, 0, 0, 98, 0)
    assert len(snapshot.paths) == 1
    groups = cm.open_groups(real_data(GADGET4 + "sample/sample_groups.hdf5"), snapshot=snapshot)
    assert (groups.n, groups.subhaloes, groups.first_subhalo) == (5, None, None)
    assert groups.m200c.max() * 0.678 == pytest.approx(3.21791e14, rel=1e-5)
    assert groups.r200c.max() * 0.678 == pytest.approx(1.18532, rel=1e-5)
    assert groups.assumptions == ()
