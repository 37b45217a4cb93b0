"""The linear field of a generated universe and its displacements, against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.data.mocks.universe import field as fields
from clustermass.data.mocks.universe import linear
from clustermass.data.mocks.universe.mesh import Mesh
from clustermass.data.mocks.universe.settings import UniverseSettings
from clustermass.data.mocks.universe.streams import PURPOSES, stream
from clustermass.errors import ClusterMassError
from tests import tolerances as tol

SETTINGS = UniverseSettings(box_size=100.0, cell_size=100.0 / 32)


def lattice(mesh):
    return np.indices((mesh.n,) * 3) * mesh.cell


def modes_of(mesh, values):
    return mesh.to_modes(values.astype(np.float32))


@pytest.mark.parametrize("axis", range(3))
def test_a_plane_wave_moves_as_zeldovich_says(axis):
    """delta = A cos(k x) gives psi = -(A / k) sin(k x) along the wave, no second order, and v = a H f1 psi."""
    mesh, amplitude = Mesh(SETTINGS.n_mesh, SETTINGS.box_size), 0.3
    k = 2 * mesh.lowest
    x = lattice(mesh)[axis]
    field = fields.displaced_field(SETTINGS, mesh, modes_of(mesh, amplitude * np.cos(k * x)))
    cut = np.exp(-0.5 * (k * field.cut) ** 2)
    want = -amplitude * cut / k * np.sin(k * x)
    epoch = SETTINGS.epoch
    speed = 100 * epoch.h * epoch.expansion * epoch.scale_factor * epoch.matter_fraction ** (5 / 9)
    for (along, shift), (_, velocity) in zip(field.displacements(0.0), field.velocities(0.0), strict=True):
        expected = want if along == axis else 0 * want
        assert np.abs(shift - expected).max() < tol.MESH * np.abs(want).max()
        assert np.abs(velocity - speed * expected).max() < tol.MESH * speed * np.abs(want).max()


def test_three_crossed_waves_have_the_second_order_source_of_the_formula():
    """delta = sum of A_i cos(k x_i): phi_ii = A_i cos(k x_i), no mixed terms."""
    mesh = Mesh(32, 100.0)
    waves = [a * np.cos(2 * mesh.lowest * x) for a, x in zip((0.2, 0.3, 0.5), lattice(mesh), strict=True)]
    source = fields.second_order_source(mesh, modes_of(mesh, sum(waves)))
    want = waves[0] * waves[1] + waves[0] * waves[2] + waves[1] * waves[2]
    assert np.abs(source - want).max() < tol.MESH * np.abs(want).max()


def test_a_slanted_wave_has_no_second_order_source():
    mesh = Mesh(32, 100.0)
    x, y, z = lattice(mesh)
    wave = np.cos(mesh.lowest * (x + 2 * y - 3 * z))
    assert np.abs(fields.second_order_source(mesh, modes_of(mesh, wave))).max() < tol.MESH


def test_the_second_order_goes_with_the_first_in_a_symmetric_peak():
    """Spherical collapse: the volume shrinks by 1 - delta / 3 - delta^2 / 21 (D2 = -3/7) in each direction."""
    settings = UniverseSettings(box_size=100.0, cell_size=100.0 / 64, cosmology=linear_settings().cosmology)
    mesh = Mesh(settings.n_mesh, settings.box_size)
    k = mesh.lowest
    delta = 0.2 * sum(np.cos(k * x) for x in lattice(mesh))  # isotropic at the origin
    field = fields.displaced_field(settings, mesh, modes_of(mesh, delta))
    peak = 0.6 * np.exp(-0.5 * (k * field.cut) ** 2)
    second_growth = -fields.growth_rates(settings)[0]
    shift = np.stack([part for _, part in field.displacements(0.0)])
    slope = (shift[0, 1, 0, 0] - shift[0, -1, 0, 0]) / (2 * mesh.cell)
    # -(source at the peak) / 3 with the waves of k (1, 1, 0) that it is made of: lap^-1 leaves the isotropic part
    want = -peak / 3 - second_growth * peak**2 / 3 / 3
    assert slope == pytest.approx(want, rel=tol.MESH_SLOPE)


def linear_settings():
    return UniverseSettings()


def test_growth_follows_the_published_fits():
    """At redshift 0 with omega_m 0.3071 (values of the exact equations: 3/7 x 1.00846, 0.5196, 1.0540)."""
    ratio, f1, f2 = fields.growth_rates(UniverseSettings(redshift=0.0))
    assert ratio == pytest.approx(-3 / 7 * 1.00846, rel=4e-3)
    assert f1 == pytest.approx(0.5196, rel=4e-3)
    assert f2 == pytest.approx(1.0540, rel=4e-3)


def test_modes_have_the_linear_power_and_sigma8():
    settings = UniverseSettings(box_size=600.0, cell_size=600.0 / 128, seed=5)
    field = fields.make_field(settings)
    mesh = field.mesh
    axis = mesh.integers()
    square = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + np.arange(mesh.n // 2 + 1) ** 2
    counted = np.abs(field.density) ** 2 * mesh.box_size**3 / mesh.n**6
    for low, high in ((2, 8), (8, 16), (16, 32), (32, 60)):
        shell = (square >= low**2) & (square < high**2) & (np.arange(mesh.n // 2 + 1) > 0)
        want = linear.linear_power(settings, mesh.lowest * np.sqrt(square[shell]))
        ratio = (counted[shell] / want).mean()
        assert abs(ratio - 1) < 5 / np.sqrt(shell.sum()), f"shell {low} to {high}"
    eight = 8.0 / settings.cosmology.h
    rms = mesh.to_space(mesh.filtered(field.density, fields.top_hat(mesh, eight))).std()
    assert rms == pytest.approx(float(linear.linear_sigma(settings, eight)), rel=0.05)
    assert float(linear.linear_sigma(UniverseSettings(redshift=0.0), eight)) == pytest.approx(0.8228, rel=1e-3)


def test_linear_power_at_a_redshift_gives_the_variance_there():
    """Growth enters squared: the integral over k against colossus' own sigma of spheres."""
    settings = UniverseSettings(redshift=0.8)
    eight = 8.0 / settings.cosmology.h
    k = np.geomspace(1e-4, 20.0, 8000)
    window = 3 * (np.sin(k * eight) - k * eight * np.cos(k * eight)) / (k * eight) ** 3
    steps = linear.linear_power(settings, k) * window**2 * k**3 / (2 * np.pi**2)
    sigma = np.sqrt(np.trapezoid(steps, np.log(k)))
    assert sigma == pytest.approx(float(linear.linear_sigma(settings, eight)), rel=1e-3)
    assert sigma < 0.7 * 0.8228


def test_modes_are_those_of_a_real_field_and_do_not_depend_on_the_mesh():
    small, large = Mesh(16, 100.0).white_modes(3), Mesh(24, 100.0).white_modes(3)
    low = np.arange(-7, 8)
    shared = np.ix_(low, low, np.arange(8))
    assert np.array_equal(small[shared], large[shared])
    mesh = Mesh(24, 100.0)
    again = mesh.to_modes(mesh.to_space(large))
    assert np.abs(again - large).max() < tol.MESH * np.abs(large).max()
    assert not np.array_equal(small, Mesh(16, 100.0).white_modes(4))
    half = mesh.n // 2
    assert not large[half].any()
    assert not large[:, half].any()
    assert not large[:, :, half].any()
    assert (np.abs(large[1:half, 1:half, 1:half]) ** 2).mean() == pytest.approx(1.0, abs=0.15)


def test_interpolation_is_exact_for_linear_fields_and_deposit_keeps_the_sum(rng):
    mesh = Mesh(16, 80.0)
    x, y, z = lattice(mesh)
    values = (2 * x - y + 0.5 * z).astype(np.float32)
    inside = rng.uniform(0, mesh.box_size - mesh.cell, (200, 3))
    want = inside @ np.array([2.0, -1.0, 0.5])
    assert np.abs(mesh.nodes_of(inside).values(values) - want).max() < tol.MESH * np.abs(values).max()
    places, weights = rng.uniform(0, mesh.box_size, (500, 3)), rng.uniform(0, 2, 500)
    total, momentum = np.zeros(mesh.n**3), np.zeros(mesh.n**3)
    mesh.nodes_of(places).add_to([total, momentum], [1.0, weights])
    assert total.sum() == pytest.approx(500, rel=tol.MESH)
    assert momentum.sum() == pytest.approx(weights.sum(), rel=tol.MESH)
    edge = mesh.nodes_of(np.array([[mesh.box_size - 0.25 * mesh.cell, 0.0, 0.0]]))
    ones = np.zeros((16, 16, 16), np.float32)
    ones[0, 0, 0] = 1.0
    assert edge.values(ones)[0] == pytest.approx(0.75, rel=tol.MESH)


def test_streams_differ_by_seed_purpose_and_block():
    keys = [(1, "field", 0), (2, "field", 0), (1, "field", 1), (1, "halo counts", 0)]
    assert len({float(stream(*key).random()) for key in keys}) == len(keys)
    assert stream(1, "field", 7).random() == stream(1, "field", 7).random()
    assert len(set(PURPOSES.values())) == len(PURPOSES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_size": float("nan")},
        {"box_size": 5.0},
        {"redshift": -0.1},
        {"seed": -1},
        {"occupation": "none"},
        {"max_mass": 1e9},
        {"sigma8": 0.0},
        {"omega_b": 0.5},
        {"cell_size": 90.0},
        {"cosmology": "open"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_cannot_be_are_refused(wrong):
    from clustermass.cosmology import Cosmology

    if wrong.get("cosmology") == "open":
        wrong = {"cosmology": Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.0)}
    with pytest.raises(ClusterMassError, match=next(iter(wrong))):
        UniverseSettings(**wrong)


def test_colossus_is_left_as_it_was(tmp_path, monkeypatch):
    """The caller's cosmology stays current, and nothing is written to the home directory."""
    from colossus.cosmology import cosmology

    monkeypatch.setenv("HOME", str(tmp_path))
    before = cosmology.current_cosmo
    linear.median_concentration(SETTINGS, np.array([1e13, 1e14]))
    linear.mass_function(SETTINGS, np.array([1e13, 1e14]))
    assert cosmology.current_cosmo is before
    assert list(tmp_path.iterdir()) == []
