"""`clustermass mock gas`: maps of a small generated universe from the command line."""

from __future__ import annotations

import io

import numpy as np
import pytest

from clustermass import read_clusters, read_universe
from clustermass.cli._progress import StageLine
from clustermass.cli.main import run
from clustermass.data.maps_file import read_maps
from clustermass.features import make
from tests.universes import make_universe as any_universe

SMALL = ["--particles", "400", "--pixels", "24", "--depth", "30", "--threads", "1"]


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    path = tmp_path_factory.mktemp("gas") / "box.hdf5"
    assert run(["mock", "universe", str(path), "--box-size", "60", "--min-mass", "12", "--seed", "4"]) == 0
    return path


@pytest.fixture(scope="module")
def clusters(box):
    path = box.with_name("clusters.hdf5")
    words = ["--min-mass", "13.5", "--min-richness", "1", "--max-views", "4", "--threads", "1"]
    assert run(["catalog", str(box), str(path), *words]) == 0
    return path


@pytest.fixture(scope="module")
def heavy(box):
    """log10 Msun/h below which all but the three heaviest haloes are."""
    universe = read_universe(box)
    return f"{np.log10(universe.haloes.m200c[2] * universe.cosmology.h) - 1e-6:.8f}"


def gas(box, out, *words):
    return run(["mock", "gas", str(box), str(out), *SMALL, *map(str, words)])


def test_all_lines_of_sight_of_the_heaviest(box, heavy, tmp_path, capsys):
    out = tmp_path / "maps.h5"
    assert gas(box, out, "--views", "the300", "--min-mass", heavy, "--channels", "stars,compton_y") == 0
    shown = capsys.readouterr()
    assert "81 maps of 3 clusters, stars, compton_y" in shown.out
    assert shown.err == ""  # no line of progress where nobody watches
    maps, universe = read_maps(out), read_universe(box)
    assert maps.shape == (81, 2, 24, 24)
    np.testing.assert_array_equal(np.unique(maps.labels["m200c"]), np.sort(universe.haloes.m200c[:3]))
    assert np.unique(maps.views["direction"].round(6), axis=0).shape == (27, 3)
    y = maps.read_images(channel="compton_y")
    assert y.min() >= 0  # ideal unless asked otherwise
    assert 1e-6 < y.max() < 1e-3
    middle = y[:, 10:14, 10:14].mean(axis=(1, 2))
    assert (middle > 2 * y[:, 0].mean(axis=1)).mean() > 0.9  # the cluster is in the middle
    assert maps.provenance["command"].startswith("clustermass mock gas ")
    assert maps.provenance["inputs"][0]["painted"]["n_particles"] == 400


def test_observed_maps_have_noise_and_beams(box, heavy, tmp_path):
    ideal, seen, faint = (tmp_path / name for name in ("ideal.h5", "seen.h5", "faint.h5"))
    words = ["--views", "z", "--min-mass", heavy, "--channels", "xray_soft"]
    assert gas(box, ideal, *words) == 0
    assert gas(box, seen, *words, "--observed") == 0
    assert gas(box, faint, *words, "--noise", "xray_soft=1e-20", "--beams", "xray_soft=2") == 0
    assert [read_maps(path).channels[0].noise_rms for path in (ideal, seen, faint)] == [0.0, 9e-16, 1e-20]
    one, other, blurred = (read_maps(path).images for path in (ideal, seen, faint))
    assert np.std(other - one) > 5e-17
    assert blurred.max() < one.max()


def test_maps_of_cluster_observations(box, clusters, tmp_path):
    known = read_clusters(clusters, "contaminated")
    for name, words, rows in (
        ("all.h5", ["--rows", "all", "--max-views", 3], known.view < 3),
        ("used.h5", [], known.is_flat | known.is_test),
    ):
        assert gas(box, tmp_path / name, "--clusters", clusters, "--channels", "compton_y", *words) == 0
        maps = read_maps(tmp_path / name)
        rows &= known.log10_m200c_h >= 13.5
        np.testing.assert_array_equal(maps.labels["cluster_id"], known.host_id[rows])
        np.testing.assert_allclose(maps.views["direction"], known.line_of_sight[rows], atol=1e-12)
        np.testing.assert_array_equal(maps.labels["fold"], known.fold[rows])


def test_a_stopped_run_goes_on(box, heavy, tmp_path, monkeypatch, capsys):
    out, whole = tmp_path / "maps.h5", tmp_path / "whole.h5"
    words = ["--views", "random:20", "--min-mass", heavy, "--channels", "compton_y"]
    assert gas(box, whole, *words) == 0
    save, made = make.MapsWriter.save, []

    def fail_at_second(self, number, images):
        if made:
            raise OSError(28, "No space left on device")
        made.append(number)
        save(self, number, images)

    monkeypatch.setattr(make.MapsWriter, "save", fail_at_second)
    assert gas(box, out, *words) == 3
    assert "No space left" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.setattr(
        make.MapsWriter, "save", lambda self, number, images: made.append(number) or save(self, number, images)
    )
    assert gas(box, out, *words) == 0
    assert made == [0, 1]  # the first batch is not made again
    np.testing.assert_array_equal(read_maps(out).images, read_maps(whole).images)
    before = out.read_bytes()
    assert gas(box, out, *words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--channels", "compton"], "did you mean 'compton_y'"),
        (["--views", "the30"], "did you mean 'the300'"),
        (["--painted-mass", "14", "--min-mass", "13.5"], "--painted-mass must not be above"),
        (["--min-mass", "17"], "heaviest halo"),
        (["--min-mass", "nan"], "`min_mass`"),
        (["--particles", "3"], "`n_particles`"),
        (["--pixels", "0"], "`pixels`"),
        (["--clusters", "missing.hdf5"], "missing.hdf5"),
        (["--clusters", "missing.hdf5", "--per-bin", "5"], "--per-bin chooses"),
        (["--per-bin", "0"], "`per_bin`"),
        (["--noise", "star=1"], "did you mean 'stars'"),
    ],
    ids=lambda value: "".join(value[0][2:] + " " + value[1]) if isinstance(value, list) else "",
)
def test_wrong_options_say_what_was_expected(box, tmp_path, capsys, words, told):
    assert gas(box, tmp_path / "maps.h5", *words) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_files_of_another_kind_are_refused(box, clusters, tmp_path, capsys):
    from clustermass import write_universe

    other, cut = tmp_path / "other.hdf5", tmp_path / "cut.hdf5"
    write_universe(other, any_universe(n_haloes=5))
    assert gas(other, tmp_path / "maps.h5") == 2
    assert "no structure" in capsys.readouterr().err
    cut.write_bytes(box.read_bytes()[:5000])
    assert gas(cut, tmp_path / "maps.h5") == 3
    assert "cut.hdf5" in capsys.readouterr().err
    assert gas(box, tmp_path / "maps.h5", "--clusters", box) == 3
    assert not (tmp_path / "maps.h5").exists()


def test_stages_are_shown_to_who_watches(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    seen, silent = Terminal(), io.StringIO()
    for stream in (seen, silent):
        line = StageLine("universe", stream)
        line.enter("haloes")
        line.enter("galaxies")
        line.close()
    assert "universe: haloes, 0 s so far" in seen.getvalue()
    assert seen.getvalue().endswith("\r\x1b[K")
    assert silent.getvalue() == ""
