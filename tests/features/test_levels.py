"""Wide kernels on coarse grids: mass is conserved, and the error is what the docstring says."""

import itertools

import numpy as np
import pytest

from clustermass.features.levels import COARSE_SUPPORT, N_LEVELS, collapse, kernel_levels, level_sides, refine
from clustermass.features.maps import MapSettings, plan_maps
from clustermass.features.targets import Targets
from tests.features.fakes import MemorySnapshot

NAMES = ("gas_mass",)


@pytest.mark.parametrize("side", [1, 2, 8, 40, 121, 122, 148, 316, 1000])
def test_each_level_covers_the_one_below_and_shares_its_centre(side):
    sides = level_sides(side)
    assert sides[0] == side
    assert len(sides) <= N_LEVELS
    for fine, coarse in itertools.pairwise(sides):
        assert 2 * (coarse - 4) >= fine
        assert (2 * (coarse - 4) - fine) % 2 == 0
        assert coarse < fine
    assert len(level_sides(148)) == 5


def test_levels_leave_sixteen_coarse_pixels_in_a_support():
    lengths = np.geomspace(0.01, 1e6, 2000)
    level = kernel_levels(lengths, 0.7, 5)
    wide = level > 0
    assert (lengths[wide] / (0.7 * 2.0 ** level[wide]) >= COARSE_SUPPORT * (1 - 1e-12)).all()
    assert (lengths[~wide] < 2 * COARSE_SUPPORT * 0.7).all()
    assert kernel_levels(lengths, 0.7, 1).max() == 0
    assert level.max() == 4


def test_refinement_keeps_every_coarse_pixel_and_is_exact_for_quartics(rng):
    images = rng.random((3, 9, 10))
    fine = refine(images)
    assert fine.shape == (3, 10, 12)
    sums = fine.reshape(3, 5, 2, 6, 2).sum(axis=(2, 4))
    np.testing.assert_allclose(sums, images[:, 2:-2, 2:-2], rtol=1e-13)

    def cells(edges):  # integral of a quartic over each cell
        return np.diff(np.polyval(np.polyint([1.0, -2.0, 0.5, 3.0, 1.0]), edges))

    coarse = np.outer(cells(np.linspace(-1, 1, 11)), cells(np.linspace(0, 2, 11)))
    want = np.outer(cells(np.linspace(-0.6, 0.6, 13)), cells(np.linspace(0.4, 1.6, 13)))
    np.testing.assert_allclose(refine(coarse[None])[0], want, rtol=1e-12, atol=1e-15)


def test_collapse_adds_all_levels_centred():
    sides = level_sides(40)
    levels = [np.zeros((2, 1, side, side)) for side in sides]
    levels[0] += 1.0
    for k in range(1, len(sides)):
        levels[k] += 4.0**k  # one per fine pixel
    np.testing.assert_allclose(collapse(levels), len(sides), rtol=1e-13)


def halo(lengths, rng):
    n = len(lengths)
    gas = {"positions": rng.normal(5.0, 0.2, (n, 3)), "masses": rng.uniform(1, 2, n), "smoothing_length": lengths}
    return MemorySnapshot({"gas": gas}, box_size=120.0)


def maps(snapshot, *, exact):
    settings = MapSettings(channels=NAMES, redshift=0.05, directions=["x", "diagonal"])
    job = plan_maps(snapshot, Targets([[5.0, 5.0, 5.0]], [0]), settings)
    if exact:
        job.source.n_levels = 1
    return job.images((0, 2))[:, 0], job


def test_maps_of_wide_kernels_agree_with_exact_ones(rng):
    """Pixels are 0.0099 Mpc: supports from under one pixel to hundreds."""
    for lengths in (np.geomspace(0.005, 8.0, 300), np.full(40, 0.33), np.full(40, 1.3), np.full(40, 6.0)):
        snapshot = halo(lengths, rng)
        got, job = maps(snapshot, exact=False)
        want, _ = maps(snapshot, exact=True)
        assert len(job.projection.sides) == 5
        scale = want.max(axis=(1, 2), keepdims=True)
        assert np.abs(got - want).max() > 0
        np.testing.assert_allclose(got / scale, want / scale, atol=1e-3)


def test_mass_of_wide_kernels_inside_the_image_is_conserved(rng):
    """Supports of up to 0.5 Mpc lie wholly within a field of 1.19 Mpc, at 51 of its 10-arcsec pixels."""
    gas = halo(rng.uniform(0.34, 0.5, 50), rng)
    gas.particles["gas"]["positions"] = rng.normal(5.0, 0.02, (50, 3))
    got, job = maps(gas, exact=False)
    assert (kernel_levels(gas.particles["gas"]["smoothing_length"], job.source.widest_pixel, 5) > 0).all()
    np.testing.assert_allclose(got.sum(axis=(1, 2), dtype=float), gas.particles["gas"]["masses"].sum(), rtol=1e-6)
