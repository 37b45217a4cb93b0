"""Frames, cosmology and units: what is stated, what is assumed, what the caller may say instead."""

import numpy as np
import pytest

import clustermass as cm
from clustermass import errors
from clustermass.data.readers import code_units
from clustermass.data.readers.header import Overrides, RawHeader, expansion, resolve
from tests.data.readers import writers
from tests.data.readers.checks import assert_same


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"time": 0.5, "redshift": 1.0, "omega_m": 0.3}, (True, 0.5)),
        ({"time": 1 / 11, "redshift": 10.0, "omega_m": 0.0}, (True, 1 / 11)),  # careless header of real ICs
        ({"time": 1.0, "redshift": 0.0, "omega_m": 0.3}, (True, 1.0)),
        ({"time": 1.0, "redshift": 0.0, "omega_m": 0.0}, (False, 1.0)),
        ({"time": 0.0, "redshift": 0.0, "omega_m": 0.0}, (False, 1.0)),
        ({"time": 2.0, "redshift": 0.0, "omega_m": 0.0}, (False, 1.0)),
        ({"time": 2.0, "redshift": 0.0, "omega_m": 0.3}, (False, 1.0)),
        ({"time": 0.9, "omega_m": 0.3}, (True, 0.9)),  # CAMELS cut-out: no redshift
        ({"time": 3.0, "omega_m": 0.3}, (False, 1.0)),
        ({"redshift": 1.0, "omega_m": 0.3}, (True, 0.5)),
        ({"time": 0.0123, "redshift": 1.0, "scale_factor": 0.5, "omega_m": 0.3}, (True, 0.5)),  # EAGLE
        ({"time": 0.5, "redshift": 1.0, "omega_m": 0.3, "is_comoving": False}, (False, 1.0)),
        ({"time": 0.5, "redshift": 1.0, "omega_m": 0.3, "is_comoving": True}, (True, 0.5)),
        ({"omega_m": 0.3}, (True, 1.0)),
        ({}, (False, 1.0)),
        ({"time": np.nan, "redshift": np.nan, "omega_m": np.nan}, (False, 1.0)),
    ],
)
def test_expansion_is_recognised(raw, expected):
    assert expansion(RawHeader(**raw), Overrides(), []) == expected


def test_caller_makes_a_run_cosmological():
    raw = RawHeader(time=0.0, redshift=0.0, omega_m=0.0)
    header, units = resolve(raw, Overrides(redshift=1.0, hubble=0.5, omega_m=0.2), {}, "f", notes := [])
    assert (header.is_cosmological, header.scale_factor, header.redshift, header.h) == (True, 0.5, 1.0, 0.5)
    assert header.omega_lambda == pytest.approx(0.8)
    assert units.factor("velocities") == pytest.approx(np.sqrt(0.5))
    assert notes == ["no dark-energy density: assumed flat, Omega_lambda = 0.8 (argument omega_lambda)"]


def test_hubble_constant_in_km_s_mpc_is_understood():
    header, _ = resolve(RawHeader(time=1.0, redshift=0.0, omega_m=0.3, omega_lambda=0.7, h=67.4), Overrides(), {}, "f",
                        notes := [])  # fmt: skip
    assert header.h == pytest.approx(0.674)
    assert "67.4 taken as km/s/Mpc" in notes[0]


def test_run_without_expansion_has_no_h_in_its_units():
    header, units = resolve(RawHeader(time=2.0, redshift=0.0, h=0.7, box_size=100.0), Overrides(), {}, "f", notes := [])
    assert units.factor("positions") == pytest.approx(1e-3)
    assert units.factor("masses") == pytest.approx(1e10)
    assert units.factor("velocities") == 1
    assert header.box_size == pytest.approx(0.1)
    assert notes == []


@pytest.mark.parametrize(
    "raw", [{"mass_table": (np.nan,) * 6}, {"mass_table": (-1.0,) * 6}, {"box_size": -5.0}, {"h": -0.7}]
)
def test_impossible_headers_are_refused(raw):
    with pytest.raises(errors.FileFormatError, match="^f: .* must"):
        resolve(RawHeader(**raw), Overrides(), {}, "f", [])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"hubble": 67.4}, "`hubble`"), ({"hubble": 0}, "`hubble`"), ({"box_size": -1}, "`box_size`"),
     ({"redshift": -1}, "`redshift`"), ({"omega_m": -0.1}, "`omega_m`"), ({"redshift": np.inf}, "`redshift`"),
     ({"length_unit": "furlong"}, "`length_unit`"), ({"mass_unit": "-1 Msun"}, "`mass_unit`")],
)  # fmt: skip
def test_wrong_arguments_name_themselves(tmp_path, kwargs, message):
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", writers.universe())
    with pytest.raises(errors.DomainError, match=message):
        cm.open_snapshot(path, **kwargs)


@pytest.mark.parametrize(
    ("text", "kind", "size", "h_power"),
    [("kpc/h", "length", 1e-3, -1), ("Mpc", "length", 1, 0), ("kpc / h", "length", 1e-3, -1),
     ("1e10 Msun/h", "mass", 1e10, -1), ("1.989e43 g", "mass", 1.989e43 / 1.988409870698051e33, 0),
     ("km/s", "velocity", 1, 0), ("100 km/s", "velocity", 100, 0)],
)  # fmt: skip
def test_units_by_name(text, kind, size, h_power):
    unit = code_units.parse_unit(text, kind)
    assert unit.size == pytest.approx(size)
    assert unit.h_power == h_power


def test_units_by_astropy():
    u = pytest.importorskip("astropy.units")
    assert code_units.parse_unit(u.kpc, "length").size == pytest.approx(1e-3)
    assert code_units.parse_unit(2e5 * u.cm / u.s, "velocity").size == pytest.approx(2)
    with pytest.raises(errors.UnitError, match="`mass_unit` must be a unit of mass"):
        code_units.parse_unit(u.kpc, "mass")


@pytest.mark.parametrize("attributes", [None, writers.set_gadget4_attributes])
def test_callers_units_come_first(tmp_path, attributes):
    """Stored in Mpc/h; the caller says so, over the default and over wrong attributes alike."""
    made = writers.universe()
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", made, length=1.0, attributes=attributes)
    assert_same(cm.open_snapshot(path, length_unit="Mpc/h"), made)
    wrong = cm.open_snapshot(path, length_unit="kpc/h", mass_unit="1e10 Msun/h", velocity_unit="km/s")
    got = wrong.read("gas", "positions")["positions"]
    np.testing.assert_allclose(got, made.data["gas"]["positions"] / 1000, rtol=1e-6)
    assert wrong.header.box_size == pytest.approx(made.box / 1000)


def test_scaling_the_units_scales_the_result(tmp_path):
    """Metamorphic: length x k, mass x m, velocity x v, read back as powers of k, m and v."""
    path = writers.write_gadget_hdf5(tmp_path / "s.hdf5", writers.universe(), dtype=np.float64)
    names = list(code_units.DIMENSIONS)
    base = cm.open_snapshot(path).read("gas", names)
    k, m, v = 3.0, 7.0, 0.25
    snapshot = cm.open_snapshot(path, length_unit="3 kpc/h", mass_unit="7e10 Msun/h", velocity_unit="0.25 km/s")
    for name, values in snapshot.read("gas", names).items():
        dim = code_units.DIMENSIONS[name]
        np.testing.assert_allclose(values, base[name] * k**dim.length * m**dim.mass * v**dim.velocity, rtol=1e-12)


@pytest.mark.parametrize("version", [1, 2])
def test_mpc_is_recognised_by_the_mass_in_the_box(tmp_path, version):
    """50^3 particles of a 20 Mpc box with Omega_m = 0.3, written in Mpc/h by a code that states no units."""
    mass = 0.3 * 2.77536627e11 * 0.7**2 * 20**3 / 1000
    made = writers.universe(n_gas=0, n_stars=0, n_dark=1000, mass_table=(0, mass, 0, 0, 0, 0))
    path = tmp_path / "s"
    writers.write_gadget_binary(path, made, version=version)
    assert cm.open_snapshot(path).header.box_size == pytest.approx(20)
    made.data["dark_matter"]["positions"] /= 1000
    writers.write_gadget_binary(path, made, version=version, header={"box": 20 * 0.7})
    with pytest.warns(errors.DataWarning, match="Mpc/h fits the mass in the box"):
        snapshot = cm.open_snapshot(path)
    assert snapshot.header.box_size == pytest.approx(20)
    assert snapshot.read("dark_matter", "positions")["positions"].max() == pytest.approx(20, rel=0.01)


def test_gadget_units_and_attributes_agree_exactly(tmp_path):
    """1.989e43 g is 1e10 Msun by name: a file with attributes and one without give the same bits."""
    made = writers.universe()
    plain = writers.write_gadget_hdf5(tmp_path / "a.hdf5", made)
    told = writers.write_gadget_hdf5(tmp_path / "b.hdf5", made, attributes=writers.set_gadget4_attributes)
    for name in code_units.DIMENSIONS:
        one, two = (cm.open_snapshot(path).read("gas", name)[name] for path in (plain, told))
        np.testing.assert_allclose(one, two, rtol=2e-7, err_msg=name)
