"""SWIFT snapshots: units without h, peculiar velocities, comoving energies, the width of the kernel."""

import h5py
import numpy as np
import pytest
from scipy.integrate import quad

import clustermass as cm
from clustermass import errors
from clustermass.data.readers import swift
from tests.data.readers import writers
from tests.data.readers.checks import assert_same

# kernels as functions of distance over support radius, unnormalised
KERNELS = {
    "cubic spline": lambda x: (1 - x) ** 3 - 4 * max(0.5 - x, 0) ** 3,
    "quartic spline": lambda x: (1 - x) ** 4 - 5 * max(0.6 - x, 0) ** 4 + 10 * max(0.2 - x, 0) ** 4,
    "quintic spline": lambda x: (1 - x) ** 5 - 6 * max(2 / 3 - x, 0) ** 5 + 15 * max(1 / 3 - x, 0) ** 5,
    "wendland c2": lambda x: (1 - x) ** 4 * (1 + 4 * x),
    "wendland c4": lambda x: (1 - x) ** 6 * (1 + 6 * x + 35 / 3 * x**2),
    "wendland c6": lambda x: (1 - x) ** 8 * (1 + 8 * x + 25 * x**2 + 32 * x**3),
}


@pytest.fixture
def made():
    return writers.universe()


@pytest.mark.parametrize("name", KERNELS)
def test_support_over_smoothing_length(name):
    """The smoothing length is twice the standard deviation of the kernel along an axis."""
    moment = lambda power: quad(lambda x: x**power * KERNELS[name](x), 0, 1, limit=200)[0]  # noqa: E731
    sigma = np.sqrt(moment(4) / moment(2) / 3)
    assert swift.KERNEL_GAMMA[name] == pytest.approx(1 / (2 * sigma), rel=1e-6)


@pytest.mark.parametrize("units", [(1.0, 1e10, 1.0), (1e-3, 1e5, 3.7e-4)], ids=["Mpc", "odd"])
@pytest.mark.parametrize("attributes", ["new", "old", None])
@pytest.mark.parametrize("names", [writers.SWIFT, writers.OLD_SWIFT], ids=["plural", "singular"])
def test_reads_back_what_was_written(tmp_path, made, units, attributes, names):
    path = writers.write_swift(tmp_path / "s.hdf5", made, units=units, attributes=attributes, names=names)
    snapshot = cm.open_snapshot(path)
    head = snapshot.header
    assert snapshot.format == "swift"
    assert head.counts == made.counts
    assert head.is_cosmological
    assert head.box_size == pytest.approx(made.box, rel=1e-6)
    assert (head.scale_factor, head.h, head.omega_m) == (made.a, made.h, made.omega_m)
    # masses: SWIFT's solar mass has 1.98841e33 g; the odd mass unit is 1e5 of them
    assert_same(snapshot, made, skip=["electron_abundance", "star_formation_rate", "positions"])
    for t in made.data:
        positions = snapshot.read(t, "positions")["positions"]
        np.testing.assert_allclose(positions, made.data[t]["positions"], rtol=1e-12)
    rates = snapshot.read("gas", "star_formation_rate")["star_formation_rate"]
    np.testing.assert_allclose(rates, made.data["gas"]["star_formation_rate"], rtol=1e-3)


@pytest.mark.parametrize(("kernel", "gamma"), [(b"Wendland C2", 1.936492), ("Cubic spline (M4)", 1.825742)])
def test_smoothing_length_becomes_the_radius_of_the_support(tmp_path, made, kernel, gamma):
    path = writers.write_swift(tmp_path / "s.hdf5", made, kernel=kernel, gamma=gamma)
    got = cm.open_snapshot(path).read("gas", "smoothing_length")["smoothing_length"]
    np.testing.assert_allclose(got, made.data["gas"]["smoothing_length"], rtol=1e-6)


@pytest.mark.parametrize("kernel", [None, b"Gaussian"])
def test_unknown_kernel_width_is_not_guessed(tmp_path, made, kernel):
    snapshot = cm.open_snapshot(writers.write_swift(tmp_path / "s.hdf5", made, kernel=kernel))
    assert "derived" in {f.name: f.source for f in snapshot.describe("gas")}["smoothing_length"]


def test_negative_rates_are_the_time_of_the_last_star(tmp_path, made):
    made.data["gas"]["star_formation_rate"][:5] = -0.5
    rates = cm.open_snapshot(writers.write_swift(tmp_path / "s.hdf5", made)).read("gas", "star_formation_rate")
    assert rates["star_formation_rate"].min() == 0
    assert rates["star_formation_rate"].max() > 2


def test_run_without_expansion(tmp_path):
    made = writers.universe(a=1.0)
    header = {"Scale-factor": [1.0], "Redshift": [0.0]}
    path = writers.write_swift(tmp_path / "s.hdf5", made, cosmology={"Cosmological run": [0]}, header=header)
    snapshot = cm.open_snapshot(path)
    assert not snapshot.header.is_cosmological
    assert snapshot.header.box_size == pytest.approx(20.0, rel=1e-6)
    np.testing.assert_allclose(snapshot.read("gas", "masses")["masses"], made.data["gas"]["masses"], rtol=1e-6)
    with pytest.raises(errors.MissingFieldError, match="no expansion"):
        snapshot.read("stars", "formation_scale_factor")


def test_box_that_is_no_cube_is_not_periodic(tmp_path, made):
    path = writers.write_swift(tmp_path / "s.hdf5", made, header={"BoxSize": [10.0, 20.0, 20.0]})
    with pytest.warns(errors.DataWarning, match="is no cube"):
        snapshot = cm.open_snapshot(path)
    assert snapshot.header.box_size is None


def test_units_are_required(tmp_path, made):
    path = writers.write_swift(tmp_path / "s.hdf5", made)
    with h5py.File(path, "a") as file:
        del file["Units"].attrs["Unit time in cgs (U_t)"]
    with pytest.raises(errors.FileFormatError, match=r"Units must state .*U_t"):
        cm.open_snapshot(path)
