"""Explanations of networks that are known to look at one thing: choice, units, stacks, files."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from clustermass.cosmology import Cosmology  # noqa: E402
from clustermass.data.map_sample import MapSample  # noqa: E402
from clustermass.errors import BadInputError, DomainError  # noqa: E402
from clustermass.interpretation import stacks  # noqa: E402
from clustermass.interpretation.maps import METHODS, explain_maps, radius_pixels  # noqa: E402
from clustermass.nfw import convert_mass  # noqa: E402
from clustermass.report.explanations import write_explanation  # noqa: E402
from clustermass.report.tables import read_csv  # noqa: E402

COSMOLOGY = Cosmology(h=0.7, omega_m=0.3)
SIZE = 24
PIXEL = 1.6e-4  # rad


def sample(n=30, channels=("xray_soft", "compton_y"), **changes):
    """Maps with a bright middle that grows with mass; two views of each host."""
    rng = np.random.default_rng(5)
    mass = np.repeat(np.linspace(13.5, 14.9, n // 2), 2)
    row, column = np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)
    shape = np.exp(-(row**2 + column**2) / 18.0)
    images = 1e-15 * (10 ** (mass - 14))[:, None, None, None] * shape + 1e-16 * rng.normal(
        size=(n, len(channels), SIZE, SIZE)
    )
    columns = {
        "redshift": np.full(n, 0.3), "host_id": np.arange(n) // 2, "view": np.arange(n) % 2, "log10_m200c": mass,
    } | changes  # fmt: skip
    return MapSample(images, channels, PIXEL, cosmology=COSMOLOGY, **columns)


class Model:
    """log10 M = 14 + 1e15 times the mean of some pixels of the first channel, and redshift if asked."""

    name, mass_definition = "toy", "M200c"

    def __init__(self, where=slice(None), redshift=0.0):
        self.where, self.redshift = where, redshift

    def observed(self, maps):
        return maps

    def mass_function(self, device="auto"):
        def mass_of(images, redshift):
            picked = images[:, 0, self.where, self.where]
            return 14.0 + 1e15 * picked.mean((1, 2)) + self.redshift * redshift

        return mass_of


@pytest.fixture(scope="module")
def found():
    return explain_maps(Model(slice(10, 14)), sample(), bins=3, per_bin=4, sigma=2.0)


def test_clusters_are_spread_over_mass_one_view_of_each_host(found):
    assert found.bin.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert np.unique(found.host_id).size == len(found) == 12
    assert (np.diff(found.log10_true) > 0).all()
    assert ((found.log10_true >= found.edges[found.bin]) & (found.log10_true <= found.edges[found.bin + 1])).all()
    middle = 0.5 * (found.edges[:-1] + found.edges[1:])
    for k, row in enumerate(found.example):
        here = np.abs(found.log10_true[found.bin == k] - middle[k])
        assert abs(found.log10_true[row] - middle[k]) == here.min()


def test_further_views_serve_where_hosts_are_few():
    few = explain_maps(Model(), sample(4), bins=1, per_bin=4)
    assert sorted(zip(few.host_id.tolist(), few.view.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_methods_find_the_pixels_that_count_and_no_others(found):
    inside = np.zeros((SIZE, SIZE), bool)
    inside[10:14, 10:14] = True
    for name in ("saliency", "deep_dream", "integrated"):
        assert (found.maps[name][:, 0][:, ~inside] == 0).all()
        assert (found.maps[name][:, 1] == 0).all()
        assert (found.maps[name][:, 0][:, inside] != 0).all()
    scale = sample().images[:, 0].std()
    np.testing.assert_allclose(found.maps["saliency"][:, 0][:, inside], 1e15 / 16 * scale, rtol=1e-5)
    np.testing.assert_allclose(found.maps["integrated"][:, 0], found.images[:, 0] * inside * 1e15 / 16, rtol=1e-4)
    assert np.abs(found.completeness_error).max() < 1e-4
    assert (found.log10_empty == 14.0).all()


def test_masks_change_the_mass_in_percent(found):
    row, column = np.indices((SIZE, SIZE))
    hidden = np.exp(-((row - 11) ** 2 + (column - 12) ** 2) / 8.0)[10:14, 10:14]
    change = -1e15 * (found.images[:, 0, 10:14, 10:14] * hidden).mean(axis=(1, 2))
    np.testing.assert_allclose(found.maps["occlusion"][:, 0, 11, 12], 100 * (10**change - 1), rtol=1e-3)
    assert (found.maps["occlusion"][-1, 0] < 1e-3).all()


def test_redshift_reaches_the_network():
    n = 6
    at = np.linspace(0.1, 0.6, n)
    found = explain_maps(Model(redshift=2.0), sample(n, redshift=at), bins=1, per_bin=6)
    np.testing.assert_allclose(found.log10_empty, 14 + 2 * found.redshift, rtol=1e-6)
    assert np.unique(found.redshift).size == n


def test_radii_are_those_of_the_mass():
    known = sample()
    found = radius_pixels(known, np.full(len(known), 14.0), "M200c")
    angle = 0.933 / (COSMOLOGY.transverse_distance(0.3) / 1.3)  # 1e14 Msun at z = 0.3: 0.865 proper Mpc
    at = int(np.argmin(np.abs(known.log10_m200c - 14)))
    assert found[at] * PIXEL == pytest.approx(float(angle) * 10 ** ((known.log10_m200c[at] - 14) / 3), rel=0.1)
    blind = sample(log10_m200c=None)
    guess = np.log10(convert_mass(10**known.log10_m200c, 200, 500, COSMOLOGY, 0.3))
    np.testing.assert_allclose(radius_pixels(blind, guess, "M500c"), found, rtol=1e-6)


def test_maps_without_truth_are_binned_by_the_estimate():
    found = explain_maps(Model(), sample(log10_m200c=None), bins=2, per_bin=2)
    assert np.isnan(found.log10_true).all()
    assert np.isfinite(found.radius).all()
    assert found.edges[0] == pytest.approx(found.log10_pred.min(), abs=1e-3)


def test_stacks_keep_what_they_scale():
    row, column = np.indices((31, 31)) - 15.0
    away = np.hypot(row, column)
    images = np.stack([np.exp(-away / radius) for radius in (6.0, 10.0)])
    stacked = stacks.stack(images, np.array([6.0, 10.0]), reach=1.2, pixels=25)
    place = np.linspace(-1.2, 1.2, 25)
    np.testing.assert_allclose(stacked, np.exp(-np.hypot(place[:, None], place)), atol=0.03)
    assert np.isnan(stacks.stack(images, np.array([20.0, 30.0]), reach=1.2, pixels=25)[0, 0])
    lopsided = np.zeros((1, 31, 31))
    lopsided[0, 15, 25] = 1.0  # east
    assert stacks.stack(lopsided, np.array([10.0]), reach=1.0, pixels=21)[10, 20] == pytest.approx(1.0)


def test_profiles_and_regions_say_where(found):
    regions = {(r["bin"], r["method"], r["channel"], r["region"]): r for r in stacks.region_rows(found)}
    for k in range(3):
        for method in METHODS:
            own = [regions[k, method, "xray_soft", name] for name in stacks.REGIONS]
            assert sum(r["share"] for r in own) == pytest.approx(1.0)
            assert sum(r["share_of_pixels"] for r in own) == pytest.approx(1.0)
    assert regions[2, "integrated", "xray_soft", "outside"]["share"] == 0
    assert regions[2, "integrated", "compton_y", "core"]["n"] == 0
    profiles = [r for r in stacks.profile_rows(found) if (r["method"], r["channel"]) == ("saliency", "xray_soft")]
    inner = [r["mean"] for r in profiles if r["r_low"] == 0.15]
    outer = [r["mean"] for r in profiles if r["r_low"] == 0.8]
    assert min(inner) > 0
    assert max(outer) == 0


def test_core_and_ring_correlate_as_they_were_made():
    maps = sample(40, ("xray_soft",))
    away = np.hypot(*(np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)))
    radius = radius_pixels(maps, maps.log10_m200c, "M200c")
    core = away < 0.15 * radius[:, None, None]
    noisy = np.where(core, 1e-14 * np.random.default_rng(1).random((40, 1, 1)), maps.images[:, 0])
    rows = stacks.correlation_rows(replace(maps, images=noisy[:, None].astype(np.float32)))
    by = {r["region"]: r for r in rows}
    assert by["ring"]["correlation"] > 0.95
    assert by["core"]["correlation"] < 0.7
    assert (by["core"]["published"], by["ring"]["published"]) == (0.58, 0.94)


def test_the_folder_holds_figures_and_their_numbers(tmp_path):
    pytest.importorskip("matplotlib")
    one = sample(12, ("xray_soft",))
    found = explain_maps(Model(slice(10, 14)), one, bins=2, per_bin=2, sigma=2.0)
    figures = write_explanation(tmp_path / "why", found, one, {"command": "clustermass explain"}).figures
    names = {path.name for path, _ in figures}
    assert names == {f"{kind}_{c}.png" for kind in ("examples", "stacks") for c in found.channels} | {"profiles.png"}
    assert all(path.stat().st_size > 10_000 and caption for path, caption in figures)
    clusters = read_csv(tmp_path / "why" / "clusters.csv")
    assert len(clusters) == 4
    assert sum(r["is_example"] for r in clusters) == 2
    np.testing.assert_allclose([r["log10_m200c_true"] for r in clusters], found.log10_true, rtol=1e-5)
    said = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert said["record"] == {"command": "clustermass explain"}
    assert any("published: 0.58 and 0.94" in text for text in said["sentences"])
    assert {"profiles.csv", "regions.csv", "correlations.csv"} <= set(said["tables"])


def test_what_the_network_sees_is_explained_not_what_is_given():
    class Telescope(Model):
        def observed(self, maps):
            return replace(maps.select(["compton_y"]), images=2 * maps.images[:, 1:])

    given = sample(6)
    found = explain_maps(Telescope(), given, bins=1, per_bin=2)
    assert found.channels == ("compton_y",)
    np.testing.assert_array_equal(found.images, 2 * given.images[found.sample_rows, 1:])


def test_wrong_arguments_are_named():
    with pytest.raises(DomainError, match="bins"):
        explain_maps(Model(), sample(), bins=0)
    with pytest.raises(DomainError, match="sigma"):
        explain_maps(Model(), sample(), sigma=-1.0)
    with pytest.raises(BadInputError, match="at least one map"):
        explain_maps(Model(), sample().only(slice(0, 0)))
