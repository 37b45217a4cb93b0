from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gaussian_kde

import clustermass as cm
from clustermass import errors
from tests.tolerances import F32, F64, KDE, peak_error

H = 0.6777
SHAPES = {
    "ho2019-1d": (48,),
    "ho2019-2d": (48, 48),
    "kodi-ramanah-2020": (50, 50),
    "kodi-ramanah-2021": (50, 50, 50),
    "ho2023": (64, 64, 64),
}


def galaxies(rng, sizes=(40, 0, 25), radius=1.5, dtype=np.float64):
    n = sum(sizes)
    x, y = rng.uniform(-radius, radius, (2, n)) / np.sqrt(2) / H
    return x.astype(dtype), y.astype(dtype), rng.normal(0, 700, n).astype(dtype), np.cumsum([0, *sizes])


def as_published(preset, x, y, v):
    """The published recipe, typed anew in the units of the sources: scipy on a mesh, divided by its sum."""
    x, y = x * H, y * H
    middles = lambda low, high, n: low + (np.arange(n) + 0.5) * (high - low) / n  # noqa: E731
    points, axes, width = {
        "ho2019-1d": ([v], [middles(-2200, 2200, 48)], 0.25),
        "ho2019-2d": ([v, np.hypot(x, y)], [middles(-2200, 2200, 48), middles(0, 1.6, 48)], 0.25),
        "kodi-ramanah-2020": ([v, np.hypot(x, y)], [np.linspace(-2200, 2200, 50), np.linspace(0, 1.6, 50)], 0.175),
        "kodi-ramanah-2021": ([x, y, v], [np.linspace(-4, 4, 50)] * 2 + [np.linspace(-2200, 2200, 50)], 0.175),
        "ho2023": ([x, y, v], [middles(-2.3, 2.3, 64)] * 2 + [middles(-3785, 3785, 64)], 0.15),
    }[preset]
    mesh = np.meshgrid(*axes, indexing="ij")
    grid = gaussian_kde(np.array(points), width)(np.stack([m.ravel() for m in mesh])).reshape(mesh[0].shape)
    return grid / grid.sum() * (1000 if preset == "kodi-ramanah-2021" else 1)


@pytest.mark.parametrize("preset", SHAPES)
def test_presets_are_as_published(rng, dtype, preset):
    x, y, v, offsets = galaxies(rng, dtype=dtype)
    inside = np.abs(v) < 2200
    assert inside.all()
    got = cm.phase_space_grids(x, y, v, offsets, preset=preset, h=H)
    assert got.shape == (3, *SHAPES[preset])
    assert got.dtype == dtype
    assert not got[1].any()
    for i in (0, 2):
        own = slice(offsets[i], offsets[i + 1])
        want = as_published(preset, *(np.float64(column[own]) for column in (x, y, v)))
        assert peak_error(got[i], want) <= KDE[dtype]


def test_the_list_of_presets_is_complete():
    assert list(cm.GRID_PRESETS) == list(SHAPES)
    for name, preset in cm.GRID_PRESETS.items():
        assert preset.name == name
        assert len(preset.columns) == len(preset.ranges) == len(preset.cells)
    assert cm.GRID_PRESETS["ho2019-2d"].axes(0.5)[1] == (0.0, 3.2, 48)


def test_galaxies_beyond_the_cylinder_are_cut(rng):
    x, y, v, offsets = galaxies(rng)
    inside = np.ones(len(x), bool)
    x[3], v[50], v[51] = 1.7 / H, 2300.0, -2200.0
    inside[[3, 50, 51]] = False
    kept = [np.count_nonzero(inside[:i]) for i in offsets]
    want = cm.phase_space_grids(x[inside], y[inside], v[inside], kept, preset="ho2019-2d", h=H)
    np.testing.assert_array_equal(cm.phase_space_grids(x, y, v, offsets, preset="ho2019-2d", h=H), want)
    whole = cm.phase_space_grids(x, y, v, offsets, preset="ho2019-2d", h=H, cut=False)
    assert peak_error(whole, want) > 1e-3


def test_steps_join_to_the_whole(rng):
    x, y, v, offsets = galaxies(rng, (20, 5, 0, 30, 12, 40, 7), dtype=np.float32)
    whole = cm.phase_space_grids(x, y, v, offsets, preset="ho2019-2d", h=H)
    for max_bytes, n in [(1, 7), (2 * 48 * 48 * 4, 4), (10**9, 1)]:
        steps = list(
            cm.iter_phase_space_grids(x, y, v, offsets, preset="ho2019-2d", h=H, max_bytes=max_bytes, n_threads=2)
        )
        assert len(steps) == n
        np.testing.assert_array_equal(np.concatenate(steps), whole)


def test_no_clusters_and_own_presets(rng):
    none = np.empty(0, F32)
    got = cm.phase_space_grids(none, none, none, [0], preset="ho2019-2d", h=H)
    assert got.shape == (0, 48, 48)
    assert got.dtype == F32
    own = cm.GridPreset("mine", ("radius",), ((0.0, 2.0),), (10,), 0.5, "nodes", 5.0, 9.0, 9999.0, "")
    x, y, v, offsets = galaxies(rng)
    got = cm.phase_space_grids(x, y, v, offsets, preset=own, h=H)
    want = cm.estimate_density(np.hypot(x, y)[:, None], offsets, axes=[(0, 2 / H, 10)], bandwidth=0.5, at="nodes")
    assert peak_error(got, 5 * want) <= KDE[F64]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"preset": "ho2020"}, errors.DomainError, "`preset` must be one of 'ho2019-1d'"),
        ({"h": 0.0}, errors.DomainError, "`h` must be finite and > 0"),
        ({"x": [0.0]}, errors.ArrayError, r"`x` must have shape \(3,\)"),
        ({"velocity": [0, np.nan, 1]}, errors.BadInputError, "`velocity` must be finite, got 1 of 3"),
        ({"y": [0, np.inf, 1]}, errors.BadInputError, "`y` must be finite, got 1 of 3"),
        ({"offsets": [0, 2]}, errors.ArrayError, "`offsets` must end at"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    arguments = {"x": np.zeros(3), "y": np.zeros(3), "velocity": np.arange(3.0), "offsets": [0, 3]}
    with pytest.raises(error, match=message):
        cm.phase_space_grids(**(arguments | {"preset": "ho2019-1d", "h": H} | change))
