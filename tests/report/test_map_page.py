"""The parts of a report on maps: percents, published values, redshift bins, explanations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clustermass.errors import FileFormatError
from clustermass.evaluation.predictions import write_predictions
from clustermass.report import map_page, map_tables
from clustermass.report.folder import read_folder
from clustermass.report.make import write_report
from clustermass.report.tables import order_rows, read_csv
from tests.report.test_diagnostics import made_up

BIAS, SCATTER = 0.03, 0.07


def of_maps(name="yan-compton-y", scatter=SCATTER, seed=1):
    """Predictions of maps with a planted bias and scatter in the log."""
    item = made_up(name)
    table = item.predictions
    true = np.random.default_rng(8).uniform(12.9, 15.0, len(table))
    estimate = true + BIAS + scatter * np.random.default_rng(seed).standard_normal(len(table))
    redshift = np.random.default_rng(9).uniform(0.01, 0.5, len(table))
    made = replace(table, kind="maps", log10_true=true, log10_m200c=true, log10_mass=estimate, redshift=redshift,
                   richness=np.zeros(len(table), np.int64))  # fmt: skip
    return replace(item, path=Path(f"{name}-maps.hdf5"), predictions=made)


def test_percents_are_those_of_a_lognormal():
    (row,) = map_tables.map_rows([of_maps()], n_bootstrap=300)
    ln = SCATTER * np.log(10)
    mean = 10**BIAS * np.exp(ln**2 / 2)
    rms = mean * np.sqrt(np.expm1(ln**2))
    assert row["bias_percent"] == pytest.approx(100 * (mean - 1), abs=4 * row["bias_percent_error"])
    assert row["rms_percent"] == pytest.approx(100 * rms, abs=4 * row["rms_percent_error"])
    assert row["mean_log_dex"] == pytest.approx(BIAS, abs=4 * row["mean_log_dex_error"])
    assert row["sigma_dex"] == pytest.approx(SCATTER, abs=4 * row["sigma_dex_error"])
    assert row["mean_log_dex_error"] == pytest.approx(SCATTER / np.sqrt(row["n_maps"]), rel=0.2)
    assert (row["published_bias_percent"], row["published_rms_percent"]) == (1.814, 17.662)


def test_views_of_one_cluster_are_not_independent():
    item = of_maps()
    table = item.predictions
    shared = 0.1 * np.random.default_rng(2).standard_normal(table.host_id.max() + 1)[table.host_id]
    true = np.random.default_rng(3).uniform(13.3, 14.4, table.host_id.max() + 1)[table.host_id]
    same = replace(item, predictions=replace(table, log10_true=true, log10_mass=true + shared))
    (row,) = map_tables.map_rows([same], n_bootstrap=300)
    assert row["mean_log_dex_error"] == pytest.approx(0.1 / np.sqrt(row["n_clusters"]), rel=0.25)


def test_only_the_quoted_range_counts():
    item = of_maps()
    table = item.predictions
    outside = (table.log10_true < 13.25) | (table.log10_true > 14.5)
    broken = replace(item, predictions=replace(table, log10_mass=np.where(outside, 20.0, table.log10_mass)))
    assert map_tables.map_rows([broken]) == map_tables.map_rows([item])
    bins = map_tables.map_bin_rows([item])
    assert sum(r["n_maps"] for r in bins) == len(table)
    assert all(r["log10_mass_high"] - r["log10_mass_low"] == pytest.approx(0.25) for r in bins)


def test_redshift_bins_are_open_below_and_closed_above():
    item = of_maps("deepplanck")
    table = replace(item.predictions, redshift=np.resize([0.1, 0.2, 0.3], len(item.predictions)))
    rows = map_tables.map_redshift_rows([replace(item, predictions=table)])
    assert [(r["redshift_low"], r["redshift_high"]) for r in rows] == [(0, 0.1), (0.1, 0.2), (0.2, 0.4), (0, 1)]
    assert [r["published_sigma"] for r in rows] == [0.21, 0.15, 0.13, 0.17]
    relative = (10**table.log10_mass - 10**table.log10_true) / 10**table.log10_mass
    assert rows[-1]["mean"] == pytest.approx(relative.mean())
    assert rows[-1]["sigma"] == pytest.approx(relative.std())


def test_the_order_is_compared_with_the_published_one():
    values = (("a", 3.0, 1.0), ("b", 2.0, np.nan), ("c", 1.0, 2.0), ("d", np.nan, 3.0))
    rows = [{"estimator": name, "rms": rms, "published_rms": known} for name, rms, known in values]
    found = order_rows(rows, "rms", "published_rms")
    assert [r["estimator"] for r in found] == ["c", "b", "a"]
    assert [r["place_among_published"] for r in found][::2] == [1, 2]
    assert [r["published_place"] for r in found][::2] == [2, 1]


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "predictions").mkdir()
    for name, scatter in (("yan-compton-y", SCATTER), ("yan-stars", 0.1)):
        table = replace(of_maps(name, scatter).predictions, record={"inputs": [{"sha256": "m", "name": "maps.h5"}]})
        write_predictions(tmp_path / "predictions" / f"{name}-maps.hdf5", table)
    return tmp_path


def test_a_page_of_maps_alone_and_beside_galaxies(folder, monkeypatch):
    page, figures = write_report(folder, {"yan-stars": "Stars are few."}, n_bootstrap=20)
    text = page.read_text()
    assert {path.name for path in figures} == {"map_masses.png", "map_bias.png"}
    assert "Masses from maps" in text
    assert "Masses from galaxies" not in text
    assert "Stars are few." in text
    assert text.count("class='published'") == 2
    assert "the measured order is the published one" in text
    assert "By redshift" in text
    assert [r["estimator"] for r in read_csv(folder / "maps.csv")] == ["yan-compton-y", "yan-stars"]

    monkeypatch.setattr("clustermass.report.figures.FIGURES", {})
    galaxies = made_up("m-sigma")
    extra = {"subsamples": galaxies.subsamples.columns(), "velocity_errors": galaxies.velocity_errors.columns()}
    table = replace(galaxies.predictions, record={"inputs": [{"sha256": "g", "name": "clusters.hdf5"}]})
    write_predictions(folder / "predictions" / "m-sigma-contaminated.hdf5", table, extra=extra)
    text = write_report(folder, n_bootstrap=20)[0].read_text()
    assert text.index("Masses from galaxies") < text.index("Masses from maps")


def test_a_network_on_galaxies_and_maps_stands_beside_those_on_maps(folder):
    """It has the same maps, and no tables of robustness."""
    item = of_maps("joint-posterior", 0.05)
    inputs = [{"sha256": "g", "name": "clusters.hdf5"}, {"sha256": "m", "name": "maps.h5"}]
    table = replace(item.predictions, kind="joint", richness=np.full(len(item.predictions), 40))
    place = folder / "predictions" / "joint-posterior-maps.hdf5"
    write_predictions(place, replace(table, record={"inputs": inputs}))
    text = write_report(folder, n_bootstrap=20)[0].read_text()
    assert "Masses from galaxies" not in text
    assert "joint-posterior sees the galaxies of the same views too." in text
    rows = read_csv(folder / "maps.csv")
    assert [r["estimator"] for r in rows] == ["yan-compton-y", "yan-stars", "joint-posterior"]
    assert rows[-1]["sigma_dex"] == pytest.approx(0.05, rel=0.1)
    write_predictions(place, replace(table, record={"inputs": [inputs[0], {"sha256": "other"}]}))
    with pytest.raises(FileFormatError, match="different catalogues"):
        read_folder(folder)


def test_maps_of_two_files_are_not_compared(folder):
    table = replace(of_maps("map-resnet").predictions, record={"inputs": [{"sha256": "other"}]})
    write_predictions(folder / "predictions" / "map-resnet-maps.hdf5", table)
    with pytest.raises(FileFormatError, match="different catalogues"):
        read_folder(folder)


def test_explanations_are_shown_and_damaged_ones_named(folder):
    place = folder / "explain" / "yan"
    place.mkdir(parents=True)
    (place / "stacks.png").write_bytes(b"\x89PNG")
    figures = [{"file": "../yan/stacks.png", "caption": "Stacks."}, {"file": "gone.png", "caption": ""}]
    said = {"estimator": "<yan>", "sentences": ["Looks at <b>rings</b>."], "figures": figures}
    (place / "explanation.json").write_text(json.dumps(said))
    text = "".join(map_page.looked_at_sections(folder))
    assert "Looks at &lt;b&gt;rings&lt;/b&gt;." in text
    assert text.count("<img") == 1
    (place / "explanation.json").write_text('{"estimator": 1')
    with pytest.raises(FileFormatError, match="not an explanation"):
        map_page.looked_at_sections(folder)
