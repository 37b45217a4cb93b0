"""Haloes of a generated universe: order, exclusion, repeatability, the flow around them."""

from __future__ import annotations

import numpy as np
import pytest

from clustermass.data.mocks.universe import field as fields
from clustermass.data.mocks.universe import haloes as makers
from clustermass.data.mocks.universe.exclusion import Spheres, keep_outside
from clustermass.data.mocks.universe.flow import make_flow
from clustermass.data.mocks.universe.mesh import Mesh
from clustermass.data.mocks.universe.settings import UniverseSettings
from tests import tolerances as tol

SETTINGS = UniverseSettings(box_size=150.0, cell_size=150.0 / 48, min_mass=1e12, seed=11)


@pytest.fixture(scope="module")
def made():
    return makers.make_haloes(SETTINGS)


def apart(a, b, box_size):
    away = a - b
    away -= box_size * np.round(away / box_size)
    return np.linalg.norm(away, axis=-1)


def test_haloes_are_a_table_by_falling_mass(made):
    haloes = made.haloes
    assert haloes.n > 2000
    assert np.array_equal(haloes.ids, np.arange(haloes.n))
    assert (np.diff(haloes.m200c) <= 0).all()
    assert haloes.m200c.min() >= SETTINGS.min_mass
    assert haloes.m200c.max() <= SETTINGS.max_mass
    assert (haloes.positions >= 0).all()
    assert (haloes.positions < SETTINGS.box_size).all()
    density = haloes.m200c / (4 / 3 * np.pi * haloes.r200c**3)
    assert density == pytest.approx(200 * SETTINGS.epoch.critical_density, rel=1e-12)
    assert made.n_lost == 0


def test_no_halo_lies_within_a_larger_one(made):
    haloes = made.haloes
    for i in range(haloes.n):
        others = apart(haloes.positions[i + 1 :], haloes.positions[i], SETTINGS.box_size)
        assert not (others < haloes.r200c[i]).any()


def test_no_massive_halo_begins_within_the_patch_of_another_of_its_kind():
    """Above peak height 1, up to 0.5 dex of mass apart: pairs of Lagrangian places, before anything moves."""
    from clustermass.data.mocks.universe import linear

    settings = UniverseSettings(box_size=200.0, min_mass=1e13, seed=2)
    kept = {}
    keep = makers.keep_outside

    def watched(spaces, group, wanted, box_size):
        rows = keep(spaces, group, wanted, box_size)
        kept.update(patches=spaces[1], rows=rows, group=group)
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(makers, "keep_outside", watched)
        haloes = makers.make_haloes(settings).haloes
    assert haloes.n == kept["rows"].size > 300
    rows, group, places = kept["rows"], kept["group"], kept["patches"].places
    radius = linear.lagrangian_radius(settings, np.sort(haloes.m200c)[::-1])
    assert kept["patches"].radius[rows].max() == pytest.approx(radius.max())
    close = 0
    for n, i in enumerate(rows):
        later = rows[n + 1 :]
        distance = apart(places[later], places[i], settings.box_size)
        comparable = group[later] - group[i] <= 5
        assert not (comparable & (distance < kept["patches"].radius[i])).any()
        close += (~comparable & (distance < kept["patches"].radius[i])).sum()
    assert close > 0  # of very different mass they may


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(made):
    again = makers.make_haloes(SETTINGS)
    for name in ("positions", "velocities", "m200c", "r200c"):
        assert np.array_equal(getattr(again.haloes, name), getattr(made.haloes, name))
    assert np.array_equal(again.concentration, made.concentration)
    other = makers.make_haloes(UniverseSettings(**{**vars(SETTINGS), "seed": 12}))
    assert not np.array_equal(other.haloes.positions[:100], made.haloes.positions[:100])


def test_concentrations_scatter_about_the_median(made):
    from clustermass.data.mocks.universe import linear

    median = linear.median_concentration(SETTINGS, made.haloes.m200c)
    scatter = np.log10(made.concentration / median)
    n = scatter.size
    assert abs(scatter.mean()) < 5 * 0.145 / np.sqrt(n)
    assert scatter.std() == pytest.approx(0.145, abs=5 * 0.145 / np.sqrt(2 * n))
    haloes = UniverseSettings()  # relations of MDPL2 at z = 0.117: 4.9, 4.3, 3.9, 3.75
    masses = 10 ** np.array([13.5, 14, 14.5, 15]) / haloes.cosmology.h
    assert linear.median_concentration(haloes, masses) == pytest.approx([4.9, 4.3, 3.9, 3.75], rel=0.01)


def test_exclusion_keeps_the_first_of_those_that_overlap():
    places = np.array([[1.0, 1, 1], [1.5, 1, 1], [9.9, 1, 1], [2.3, 1, 1], [5.0, 5, 5]])
    space = Spheres(places, np.array([1.0, 1.0, 0.1, 0.1, 0.1]), reach=9)
    group = np.array([0, 0, 1, 1, 1])
    # 1 is within 0; 2 is 1.1 from 0 across the edge of the box; 3 is within 1 only, which has gone
    assert keep_outside([space], group, np.array([2, 3]), 10.0).tolist() == [0, 2, 3, 4]
    assert keep_outside([space], group, np.array([1, 2]), 10.0).tolist() == [0, 2, 3]
    wide = Spheres(places, np.array([1.2, 1.0, 0.1, 0.1, 0.1]), reach=9)
    assert keep_outside([wide], group, np.array([2, 3]), 10.0).tolist() == [0, 3, 4]
    near = Spheres(places, np.array([1.2, 1.0, 0.1, 0.1, 0.1]), reach=0)
    assert keep_outside([near], group, np.array([2, 3]), 10.0).tolist() == [0, 2, 3, 4]
    assert keep_outside([space], group[:0], np.array([], int), 10.0).size == 0


def test_a_bin_follows_the_field_as_its_bias_says():
    """Mean overdensity at the Lagrangian places: b_L times the variance of the smoothed field, for a Gaussian one."""
    settings = UniverseSettings(box_size=300.0, cell_size=300.0 / 64, min_mass=1e12, seed=3)
    field = fields.make_field(settings)
    mesh = field.mesh
    bins = makers.make_bins(settings)
    for one in (bins[-1], bins[-12], bins[-18]):
        smooth = mesh.to_space(mesh.filtered(field.density, fields.top_hat(mesh, max(one.radius, mesh.cell))))
        _, places, _ = makers.draw_bin(settings, mesh, one, smooth)
        cells = np.floor(places / mesh.cell + 0.5).astype(int) % mesh.n
        seen = smooth[tuple(cells.T)].astype(float)
        weight = np.exp(one.bias * smooth.astype(float))
        want = (weight * smooth).sum() / weight.sum()
        assert abs(seen.mean() - want) < 5 * seen.std() / np.sqrt(seen.size)
        assert want == pytest.approx(one.bias * smooth.var(dtype=float), rel=0.25)


def test_counts_follow_the_mass_function():
    from clustermass.data.mocks.universe import linear

    settings = UniverseSettings(box_size=200.0, min_mass=1e12)
    bins = makers.make_bins(settings)
    fine = np.geomspace(settings.min_mass, settings.max_mass, 20001)
    want = np.trapezoid(linear.mass_function(settings, fine), np.log(fine)) * settings.box_size**3
    assert sum(one.expected for one in bins) == pytest.approx(want, rel=1e-4)
    assert [one.masses[0] for one in bins] == sorted((one.masses[0] for one in bins), reverse=True)


def test_the_flow_around_a_wave_points_to_its_crest():
    settings = UniverseSettings(box_size=200.0, cell_size=200.0 / 64)
    mesh = Mesh(settings.n_mesh, settings.box_size)
    k = mesh.lowest
    y = np.indices((mesh.n,) * 3)[1] * mesh.cell
    modes = mesh.to_modes((0.1 * np.cos(k * y)).astype(np.float32))
    flow = make_flow(fields.displaced_field(settings, mesh, modes), settings.cosmology.h)
    places = np.array([[30.0, 40.0, 50.0], [30.0, 160.0, 90.0]])
    smooth = np.exp(-0.5 * (k * 4 / settings.cosmology.h) ** 2)
    epoch = settings.epoch
    speed = 100 * epoch.h * epoch.expansion * epoch.scale_factor * epoch.matter_fraction ** (5 / 9)
    want = -0.1 * smooth / k * speed * np.sin(k * places[:, 1])
    got = flow.velocity_at(places)
    assert got[:, 1] == pytest.approx(want, rel=0.05)  # Eulerian, 10 % waves: 4 % of second order
    assert np.abs(got[:, [0, 2]]).max() < tol.MESH_FLOW * np.abs(want).max()
    line = np.column_stack([np.full(500, 3.0), np.arange(500) * settings.box_size / 500, np.full(500, 7.0)])
    amplitude = 2 * (flow.overdensity_at(line) * np.cos(k * line[:, 1])).mean()
    assert amplitude == pytest.approx(0.1 * smooth, rel=0.03)
    axes = flow.tidal_axes_at(np.array([[30.0, 2.0, 50.0]]))
    assert axes[0] @ axes[0].T == pytest.approx(np.eye(3), abs=1e-12)
    assert axes[0, 2] == pytest.approx([0, 1, 0], abs=tol.MESH_FLOW)  # fastest collapse is along the wave
