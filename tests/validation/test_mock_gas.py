"""Painted gas against published relations, in the table of docs/mock-universe.md.

Looked at, not tuned to, but for the scatter of cores, which is set by that of luminosities at one Y_X.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import curve_fit

SCRIPT = Path(__file__).parents[2] / "docs" / "results" / "make_gas_relations.py"
N = 1200


@pytest.fixture(scope="module")
def relations():
    """The script behind the figure and the table in the documents."""
    spec = importlib.util.spec_from_file_location("make_gas_relations", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def haloes(relations):
    return relations.paint(np.random.default_rng(5).uniform(14.0, 15.2, N))


@pytest.fixture(scope="module")
def found(relations, haloes):
    return relations.observables(haloes)


def test_compton_y_follows_mass(relations, haloes, found):
    """Slope 1.65 (MTNG) to 1.8 (Planck 2013 XX), scatter 11 to 17 %; the slope put in is 1.787."""
    slope, scatter = relations.power_law(haloes.m500, found["Y500"])
    assert 1.65 <= slope <= 1.82
    assert 0.11 <= scatter <= 0.17


def test_temperature_follows_mass(relations, haloes, found):
    """MTNG: slope 0.60, scatter 6 %; here 0.57, what P in proportion to M^0.79 and n_e to M^0.22 leave."""
    slope, scatter = relations.power_law(haloes.m500, found["T500"])
    assert 0.53 <= slope <= 0.63
    assert 0.05 <= scatter <= 0.08


def test_temperature_has_the_level_of_the_box(haloes, found):
    """MTNG: 3.6 keV at M200c = 5e14 Msun/h, within 25 % for a hydrostatic mass bias that is not put in."""
    near = np.abs(np.log(haloes.m200 / (5e14 / 0.6777))) < 0.15
    assert np.mean(found["T500"][near]) / 1.16045e7 == pytest.approx(5.3, abs=0.8)


@pytest.mark.parametrize(
    ("band", "low", "published"), [("L_bol", 1.5, 0.40), ("L_soft", 1.4, None)], ids=["bolometric", "soft"]
)
def test_luminosity_follows_the_pressure_better_without_its_core(relations, haloes, found, band, low, published):
    """Pratt et al. 2009: at one Y_X luminosities scatter by 40 %, without the core by less than half of that; 13 % in
    Pratt et al. 2022 (0.14 here, soft 0.15). Slopes with mass: 1.5 to 2 promised; soft 1.49 here, without lines: it
    follows f_gas^2 M.
    """
    outside = found[band + ", core cut"]
    for light in (found[band], outside):
        slope, _ = relations.power_law(haloes.m500, light)
        assert low <= slope <= 2.0
    _, scatter = relations.power_law(found["Y_X"], found[band])
    _, rest = relations.power_law(found["Y_X"], outside)
    if published is not None:
        assert scatter == pytest.approx(published, abs=0.05)
    assert rest < 0.5 * scatter
    assert rest == pytest.approx(0.13, abs=0.03)


def test_luminosity_at_one_mass_keeps_the_scatter_of_the_gas_fraction(relations, haloes, found):
    """What no cut of the core removes: light goes as the square of 10 % of gas, and families differ outside too."""
    for band in ("L_bol", "L_soft"):
        _, scatter = relations.power_law(haloes.m500, found[band])
        _, rest = relations.power_law(haloes.m500, found[band + ", core cut"])
        assert 0.40 < scatter < 0.55
        assert 0.20 < rest < 0.55 * scatter


def test_the_ring_knows_the_mass_better_than_the_centre(haloes, found):
    """Yan et al. 2020: correlation with mass 0.94 in the ring of 0.15 to 1 R200c, 0.58 within; here 0.93, 0.58 (soft
    0.94, 0.49). Nothing was set by it.
    """
    for name in ("", "soft "):
        ring, centre = (np.corrcoef(haloes.m200, found[name + part])[0, 1] for part in ("ring", "centre"))
        assert ring > 0.9
        assert 0.4 < centre < 0.7


def test_surface_brightness_is_like_a_beta_model(relations, haloes):
    """Universal haloes, 0.05 to 0.7 R500: beta 0.5 to 0.8, within a factor 1.2; steeper outside, as X-COP has."""
    edges = np.geomspace(0.05, 1.0, 20)
    rows = np.flatnonzero(haloes.family == 0)
    profile = relations.surface_brightness(haloes, rows, edges)
    x = np.sqrt(edges[1:] * edges[:-1])
    near = x < 0.7

    def model(log_x, zero, log_core, beta):
        return zero + (-3.0 * beta + 0.5) * np.log1p(np.exp(2.0 * (log_x - log_core)))

    (zero, log_core, beta), _ = curve_fit(model, np.log(x[near]), np.log(profile[near]), p0=[0.0, -2.0, 0.66])
    assert 0.5 < beta < 0.8
    assert 0.03 < np.exp(log_core) < 0.3
    away = np.log(profile) - model(np.log(x), zero, log_core, beta)
    assert np.abs(away[near]).max() < 0.2
    assert away[-1] < -0.2


def test_cool_cores_are_brighter_in_the_centre(haloes, found):
    """Central over total luminosity: cool cores above disturbed clusters by a factor of 1.5 to 5."""
    share = 1.0 - found["L_bol, core cut"] / found["L_bol"]
    cool, disturbed = (np.median(share[haloes.family == k] / (1 - share[haloes.family == k])) for k in (1, 2))
    assert 1.5 < cool / disturbed < 5.0
