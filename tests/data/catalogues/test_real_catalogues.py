"""Every real catalogue, read to the facts that its README states."""

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("error")]


def test_rockstar_list(real_data):
    halos = cm.open_catalogue(real_data("rockstar-outlist/out_163.list"))
    head, h = halos.header, 0.6781
    assert (halos.format, halos.n, halos.assumptions) == ("rockstar_list", 4764, ())
    assert (head.h, head.omega_m, head.omega_lambda, head.scale_factor, head.redshift) == (h, 0.308, 0.692, 1.0, 0.0)
    assert head.box_size == pytest.approx(25 / h, rel=1e-15)
    assert head.particle_mass == pytest.approx(6.36846e8 / h, rel=1e-15)
    assert head.is_periodic
    mvir = halos["mvir"]
    assert (mvir * h).min() == pytest.approx(1.2737e9, rel=1e-12)
    assert mvir.min() == pytest.approx(2 * head.particle_mass, rel=1e-4)
    assert ((mvir * h > 1e13).sum(), (mvir * h > 1e14).sum()) == (8, 0)
    top = mvir.argmax()  # the README's Np 74505 and Rvir 793.507 are slips: the file has 74545 and 793.550
    assert (halos["ids"][top], halos["n_particles"][top]) == (
        693,
        74545,
    )
    assert mvir[top] * h == pytest.approx(5.9388e13, rel=1e-12)
    assert halos["m200c"][top] * h == pytest.approx(4.8797e13, rel=1e-12)
    np.testing.assert_allclose(halos["positions"][top] * h, (2.42928, 14.23906, 24.7581), rtol=1e-12)
    assert halos["velocity_dispersion"][top] == 654.09
    assert halos["rvir"][top] * h * 1e3 == pytest.approx(793.550, rel=1e-12)
    assert (halos["descendant_ids"] == -1).all()
    with pytest.raises(errors.MissingFieldError, match="find_parents adds PID"):
        halos["host_ids"]


def test_rockstar_lists_link_to_each_other(real_data):
    first = cm.open_catalogue(real_data("rockstar-outlist/out_162.list"))
    second = cm.open_catalogue(real_data("rockstar-outlist/out_163.list"))
    top = first["mvir"].argmax()
    assert (first.n, first["ids"][top], first["descendant_ids"][top]) == (4791, 3116, 693)
    assert first["mvir"][top] * first.header.h == pytest.approx(5.7917e13, rel=1e-12)
    descendants = first["descendant_ids"]
    assert np.isin(descendants[descendants >= 0], second["ids"]).all()


def test_rockstar_list_of_eleven(real_data):
    halos = cm.open_catalogue(real_data("rockstar-binary-and-ahf/out_14.list"))
    top = halos["mvir"].argmax()
    assert (halos.n, halos["ids"][top], halos["descendant_ids"][top], halos["n_particles"][top]) == (11, 520, 686, 3787)
    assert halos["mvir"][top] * 0.701 == pytest.approx(1.8774e13, rel=1e-12)
    assert halos.header.scale_factor == pytest.approx(0.309249)


def test_ahf(real_data):
    path = real_data("rockstar-binary-and-ahf/tiny.000832.z1.512.AHF_halos")
    with pytest.warns(errors.DataWarning, match=r"redshift 1\.512 taken from the file's name.*assumed h = 0\.7"):
        cm.open_catalogue(path)
    with pytest.warns(errors.DataWarning, match=r"name \(argument redshift\)$"):
        halos = cm.open_catalogue(path, hubble=0.5)
    assert (halos.format, halos.n) == ("ahf", 9)
    assert halos.header.redshift == 1.512
    assert halos.header.box_size is None
    assert halos["mvir"][0] * 0.5 == pytest.approx(2.34068e11, rel=1e-12)
    assert halos["n_particles"][0] == 2604573
    assert halos["rvir"][0] * 0.5 * 1e3 == pytest.approx(152.40, rel=1e-12)
    assert halos["velocity_dispersion"][0] == 200.36
    np.testing.assert_allclose(halos["positions"][0] * 500, (18494.38646187, 24530.41001747, 15219.31979312))
    assert (halos["parent_ids"] == -1).all()
    assert (halos["host_ids"] == -1).all()


def test_universemachine_text(real_data):
    path = real_data("universemachine-bolshoiplanck/isolated_hosts_1.002310_11.0_11.5.dat")
    with pytest.warns(errors.DataWarning, match=r"scale factor 1\.00231 taken from the file's name.*above 2\^53"):
        galaxies = cm.open_catalogue(path, hubble=0.678, box_size=250 / 0.678)
    assert (galaxies.format, galaxies.n, len(galaxies.raw_names)) == ("universemachine", 9743, 16)
    assert galaxies.header.redshift == pytest.approx(1 / 1.00231 - 1)
    assert galaxies.header.box_size * 0.678 == pytest.approx(250)
    positions = galaxies["positions"] * 0.678
    assert (positions.min(), positions.max()) == pytest.approx((0.006, 249.98), abs=0.005)
    assert np.abs(galaxies["velocities"]).max() == pytest.approx(2123, abs=0.5)
    mass = np.log10(galaxies["stellar_mass"])
    assert (mass.min(), mass.max()) == pytest.approx((11.080, 11.748), abs=0.0005)
    np.testing.assert_allclose(
        np.log10(galaxies["star_formation_rate"]) - mass, galaxies.raw("SSFR"), atol=5e-4
    )  # rates are logarithms too
    assert np.isneginf(galaxies.raw("Accret")).sum() == 172
    assert (galaxies["ids"] > 1e11).sum() == 172
    assert (galaxies["host_ids"] == -1).mean() == pytest.approx(0.94, abs=0.005)


def test_gadget4_groups_and_subhaloes(real_data):
    path = real_data("gadget4-hydro-80/fof_subhalo_tab_000.1.hdf5")
    groups, subhaloes = cm.open_catalogue(path), cm.open_catalogue(path, table="subhaloes")
    h = 0.678
    assert (groups.format, groups.n, subhaloes.n, len(groups.paths)) == ("subfind", 903, 998, 2)
    assert groups.header.redshift == pytest.approx(0.09746340148907717, abs=1e-12)
    assert groups.header.box_size == pytest.approx(80 / h)
    assert (groups.header.h, groups.header.omega_m) == (h, 0.307)
    m200c = groups["m200c"] * h
    assert ((m200c > 1e13).sum(), (m200c > 1e14).sum()) == (180, 10)
    np.testing.assert_allclose(np.sort(m200c)[:-4:-1], (3.21791e14, 2.65972e14, 1.63478e14), rtol=1e-5)
    top = m200c.argmax()
    np.testing.assert_allclose(groups["positions"][top] * h, (52.147, 8.052, 17.183), atol=5e-4)
    assert groups["r200c"][top] * h == pytest.approx(1.18532, rel=1e-5)
    assert groups["m500c"][top] * h == pytest.approx(1.75710e14, rel=1e-5)
    old = cm.open_groups(path)
    for name in ("positions", "velocities", "m200c", "r200c", "m500c", "m200m"):
        np.testing.assert_array_equal(groups[name], getattr(old, name))
    np.testing.assert_array_equal(subhaloes["velocities"], old.subhaloes.velocities)
    np.testing.assert_array_equal(subhaloes["host_ids"], old.subhaloes.group_index)
    assert np.isin(subhaloes["host_ids"], groups["ids"]).all()
    # derived from the mass as for any other catalogue, against what SUBFIND measured
    np.testing.assert_allclose(
        groups["r200c"][m200c > 0],
        np.cbrt(groups["m200c"] / groups["m200c"][top])[m200c > 0] * groups["r200c"][top],
        rtol=1e-4,
    )


def test_rockstar_binary(real_data):
    path = real_data("rockstar-binary-and-ahf/halos_14.0.bin")
    with pytest.warns(errors.DataWarning, match=r"taken as Rockstar's defaults.*hold 0\.151 of the volume"):
        halos = cm.open_catalogue(path)
    with pytest.warns(errors.DataWarning, match="defaults"):
        assert cm.open_catalogue(path.with_name("halos_14")).n == 508  # the common name of the set
    head = halos.header
    assert (halos.format, halos.n) == ("rockstar_binary", 508)
    assert (head.scale_factor, head.omega_m, head.omega_lambda, head.h) == pytest.approx(
        (0.30924949, 0.279, 0.721, 0.701), rel=1e-6
    )
    assert (head.box_size, head.particle_mass) == pytest.approx((50 / head.h, 4.6139e9 / head.h), rel=1e-6)
    assert not head.is_periodic  # only chunk 0 of the snapshot
    assert halos["n_particles"].sum() == 30509
    np.testing.assert_array_equal(halos["ids"], np.arange(508))
    assert halos["m200c"].max() * head.h == pytest.approx(6.5563525e12, rel=1e-6)
    mass, radius = halos["mvir"], halos["rvir"]
    density = mass / (4 * np.pi / 3 * radius**3) / (2.77536627e11 * head.h**2 * head.omega_m)
    assert np.median(density) == pytest.approx(184.7, rel=2e-3)  # Bryan & Norman 1998: 171.6 / Omega_m(z)
    with pytest.raises(errors.MissingFieldError, match="desc is 0 for all haloes"):
        halos["descendant_ids"]


def test_millennium_forest(real_data):
    path = real_data("millimillennium-trees/milliMillennium-tree1000019000000.hdf5")
    with pytest.warns(errors.DataWarning, match="a box of 500.*no position is beyond 62.4"):
        nodes = cm.open_catalogue(path)
    assert (nodes.format, nodes.n) == ("galacticus_hdf5", 14869)
    head = nodes.header
    assert (head.h, head.omega_m, head.omega_lambda) == (0.73, 0.25, 0.75)
    assert (head.box_size, head.is_periodic, head.redshift) == (None, False, None)
    with pytest.warns(errors.DataWarning, match="500"):
        stated = cm.open_catalogue(path, box_size=62.5 / 0.73).header
    assert stated.box_size == pytest.approx(62.5 / 0.73)
    assert stated.is_periodic
    assert (nodes["redshift"].min(), nodes["redshift"].max()) == pytest.approx((0, 10.944), abs=5e-4)
    assert nodes["masses"].max() * 0.73 == pytest.approx(9837.908e10, rel=1e-9)
    assert (nodes["n_particles"].min(), nodes["n_particles"].max()) == (20, 102091)
    assert nodes["velocity_dispersion"].max() == pytest.approx(432.7, abs=0.05)
    positions = nodes["positions"] * 0.73
    assert 0 <= positions.min() < positions.max() <= 62.5
    ids, hosts, descendants = nodes["ids"], nodes["host_ids"], nodes["descendant_ids"]
    assert (hosts == -1).mean() == pytest.approx(0.749, abs=5e-4)
    assert np.isin(hosts[hosts >= 0], ids[hosts == -1]).all()  # followed to the top
    assert np.isin(descendants[descendants >= 0], ids).all()


def test_millennium_data_base(real_data):
    path = real_data("millimillennium-trees/millenniumTestTrees.csv")
    with pytest.warns(errors.DataWarning, match=r"box 62\.5 Mpc/h.*rows of many epochs"):
        halos = cm.open_catalogue(path)
    assert (halos.format, halos.n, len(halos.raw_names)) == ("millennium_csv", 12920, 19)
    assert halos.header.box_size == pytest.approx(62.5 / 0.73)
    roots = halos["descendant_ids"] == -1
    mass = halos["mvir"][roots & (halos["ids"] == halos["tree_ids"])] * 0.73 / 1e10
    assert mass.size > 10
    assert 100 < mass.min() <= mass.max() < 110
    assert halos["ids"].dtype == np.int64
    assert halos["ids"][0] == 79000018
    assert (halos["host_ids"] == halos["ids"]).sum() == 0
    assert ((halos["positions"] * 0.73 >= 0) & (halos["positions"] * 0.73 <= 62.5)).all()


def test_subhaloes_only(real_data):
    """A cut-out of CAMELS has no groups: its subhaloes are what it holds."""
    path = real_data("camels-tng-cutout/camels_subhalo.hdf5")
    with pytest.warns(errors.DataWarning, match="assumed flat"):
        snapshot = cm.open_snapshot(real_data("camels-tng-cutout/camels_snap.hdf5"))
    subhaloes = cm.open_catalogue(path, snapshot=snapshot)
    assert (subhaloes.n, subhaloes.header.h) == (10, snapshot.header.h)
    np.testing.assert_array_equal(subhaloes["positions"], cm.open_groups(path, snapshot=snapshot).subhaloes.positions)
    with pytest.raises(errors.DomainError, match="`table` must be one of 'groups', 'subhaloes', got 'halos'"):
        cm.open_catalogue(path, table="halos")
