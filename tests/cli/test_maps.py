"""`clustermass maps` from its words to its file, on the real sample that comes with the package."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from clustermass import datasets
from clustermass.cli import main
from clustermass.data.maps_file import read_maps

SNAPSHOT, GROUPS = str(datasets.sample_snapshot()), str(datasets.sample_groups())
ASSUMING = pytest.mark.filterwarnings("default::clustermass.errors.DataWarning")
SMALL = ["--groups", GROUPS, "--pixels", "40", "--threads", "2"]


def run(*words):
    return main.run(["maps", SNAPSHOT, *map(str, words)])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "maps.h5"


def test_the_sample_is_mapped_with_labels_and_provenance(out, capsys):
    assert run(*SMALL, "--out", out, "--seed", 3) == 0
    shown = capsys.readouterr()
    assert "20 views of 5 clusters" in shown.out
    assert "stars, xray_soft, xray_bolometric, compton_y" in shown.err
    maps = read_maps(out)
    assert maps.shape == (20, 4, 40, 40)
    assert np.isfinite(maps.images).all()
    assert maps.labels["m200c"][0] == pytest.approx(3.21791e14 / 0.678, rel=1e-4)  # the heaviest, README of the sample
    assert maps.labels["r200c"][0] == pytest.approx(1.18532 / 0.678, rel=1e-4)
    assert (maps.labels["m200c"] >= 1e13).all()
    assert ((maps.views["redshift"] >= 0.03) & (maps.views["redshift"] <= 0.07)).all()
    y = maps.read_images(channel="compton_y")
    peak = np.unravel_index(y[0].argmax(), y[0].shape)
    assert np.hypot(*(np.array(peak) - 19.5)) < 8  # the cluster is in the middle
    assert 1e-5 < y[0].max() < 2e-4
    assert y[0].max() > 5 * y[16].max()  # 4.7e14 against 2.7e13 Msun
    record = maps.provenance
    assert record["command"].startswith("clustermass maps ")
    assert "--seed 3" in record["command"]
    assert [len(item["sha256"]) for item in record["inputs"]] == [64, 64]


def test_dry_run_shows_the_plan_and_writes_nothing(out, tmp_path, capsys):
    assert run(*SMALL, "--out", out, "--dry-run") == 0
    shown = capsys.readouterr()
    for word in ("clusters  5, 20 views", "40 x 40 pixels", "MB; time about", "particles 16,982"):
        assert word in shown.out
    assert not list(tmp_path.iterdir())


def test_options_reach_the_maps(out):
    words = "--views z 1,1,0 random:1 --redshift 0.05 --min-mass 3e14 --channels compton_y,gas_mass --noise none "
    words = (words + "--beams compton_y=2 --depth 5 --field 10").split()
    assert run(*SMALL, "--out", out, *words) == 0
    maps = read_maps(out)
    assert maps.shape == (6, 2, 40, 40)
    assert maps.channel_names == ("compton_y", "gas_mass")
    assert [c.noise_rms for c in maps.channels] == [0, 0]
    assert [c.beam_fwhm * 180 * 60 / np.pi for c in maps.channels] == pytest.approx([2.0, 0.0])
    np.testing.assert_allclose(maps.views["direction"][:2], [[0, 0, 1], [0.5**0.5, 0.5**0.5, 0]])
    assert (maps.views["redshift"] == 0.05).all()
    assert maps.pixel_angle * 40 == pytest.approx(10 / 60 * np.pi / 180)
    assert maps.provenance["depth"] == 5.0
    assert maps.images.min() >= 0


def test_centres_from_a_table(out, tmp_path):
    table = tmp_path / "centres.txt"
    table.write_text("# x y z m200c\n76.913 11.876 25.344 4.7e14\n76.9 11.8 25.3 1e12\n")
    assert run("--centres", table, "--pixels", 40, "--out", out, "--min-mass", 1e13, "--views", "z") == 0
    maps = read_maps(out)
    assert maps.labels["m200c"].tolist() == [4.7e14]
    assert np.isnan(maps.labels["r200c"]).all()
    assert maps.read_images(channel="compton_y").max() > 1e-5


@ASSUMING
def test_without_a_catalogue_the_densest_object_is_mapped(out, capsys):
    assert run("--pixels", 40, "--out", out, "--views", "x") == 0
    assert "mapping the densest object" in capsys.readouterr().err
    maps = read_maps(out)
    assert np.isnan(maps.labels["m200c"]).all()
    assert maps.read_images(channel="compton_y").max() > 1e-5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--channels", "compton"], "did you mean 'compton_y'?"),
        (["--views", "diag"], "did you mean 'diagonal'?"),
        (["--noise", "star=1"], "did you mean 'stars'?"),
        (["--beams", "xray-soft=1"], "did you mean 'xray_soft'?"),
        (["--order", "beam-noise"], "did you mean 'beam-then-noise'?"),
        (["--assignment", "spf"], "did you mean 'sph'?"),
        (["--redshift", "0.07-0.03"], "`redshift` must be a range"),
        (["--redshift", "0"], "`redshift` must be"),
        (["--pixels", "0"], "`pixels` must be"),
        (["--field", "wide"], "--field needs a number"),
        (["--depth", "-3"], "`depth` must be"),
        (["--threads", "0"], "`n_threads` must be"),
        (["--byte-budget", "1K"], "`byte_budget` must be"),
        (["--min-mass", "1e17"], "`min_mass` is 1e+17 Msun, but the heaviest"),
        (["--out", "no/such/folder/maps.h5"], "does not exist"),
    ],
)
def test_a_slip_is_named_before_any_work(out, tmp_path, capsys, words, message):
    assert run(*SMALL, "--out", out, *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a", "--pixles", "3"], "did you mean --pixels?"),
        (["--out", "a", "--byte-buget=1G"], "did you mean --byte-budget?"),
        (["--out", "a", "--zzz"], "unrecognized arguments: --zzz\n"),
        (["--out", "a", "--groups", "a", "--centres", "b"], "not allowed with"),
        (["--out", "a", "--pixels", "many"], "invalid int value"),
        ([], "required: --out"),
    ],
)
def test_unknown_options_are_refused(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        run(*words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_an_existing_output_is_kept(out, capsys):
    out.write_bytes(b"precious")
    assert run(*SMALL, "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"


@ASSUMING
def test_a_channel_that_cannot_be_made_is_an_error_only_when_asked_for(out, tmp_path, capsys):
    broken = tmp_path / "broken.hdf5"
    shutil.copy(SNAPSHOT, broken)
    broken.chmod(0o644)
    with h5py.File(broken, "r+") as file:
        del file["PartType4"], file["PartType0/InternalEnergy"]
        file["Header"].attrs["NumPart_ThisFile"] = np.array([16884, 17072, 0, 0, 0, 0], np.uint32)
        file["Header"].attrs["NumPart_Total"] = np.array([16884, 17072, 0, 0, 0, 0], np.uint64)
    words = ["maps", str(broken), *SMALL, "--out", str(out)]
    assert main.run([*words, "--channels", "compton_y"]) == 3
    assert "internal_energy" in capsys.readouterr().err
    assert main.run(words) == 0
    assert "left out compton_y" in capsys.readouterr().err
    assert read_maps(out).channel_names == ("gas_mass", "dark_matter")


def start(*words):
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [sys.executable, "-m", "clustermass", "maps", SNAPSHOT, *map(str, words)],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def n_done(folder):
    return len(list(folder.glob("batch_*.h5")))


def wait_for_work(folder, child, before=0):
    """Until one more batch is there, or all is done."""
    for _ in range(20_000):
        if n_done(folder) > before or child.poll() is not None:
            return
        time.sleep(0.001)
    raise AssertionError(f"no batch appeared in {folder}")


def test_killed_at_any_moment_it_goes_on_to_the_same_bits(out, tmp_path):
    words = [*SMALL, "--byte-budget", "8M", "--seed", 9, "--pixels", 96, "--views", "random:12", "--assignment", "cic"]
    whole = tmp_path / "whole.h5"
    assert run(*words, "--out", whole) == 0
    folder, moments, n_killed = tmp_path / "maps.h5.partial", random.Random(20261120), 0
    for _ in range(4):
        child = start(*words, "--out", out)
        wait_for_work(folder, child, n_done(folder))
        time.sleep(moments.uniform(0.0, 0.02))
        child.kill()
        child.communicate()
        n_killed += child.returncode == -signal.SIGKILL
        if out.exists():  # it was faster than we are
            break
        assert folder.is_dir()
    assert n_killed > 0
    if not out.exists():
        assert run(*words, "--out", out) == 0
    got, want = read_maps(out), read_maps(whole)
    assert got.images.tobytes() == want.images.tobytes()
    for name, column in (want.labels | want.views).items():
        np.testing.assert_array_equal((got.labels | got.views)[name], column)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["maps.h5", "whole.h5"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 4), (signal.SIGINT, 130)])
def test_a_signal_stops_it_cleanly_and_says_how_to_go_on(out, tmp_path, number, code):
    words = [*SMALL, "--byte-budget", "8M", "--out", out, "--pixels", 200]
    child = start(*words)
    wait_for_work(tmp_path / "maps.h5.partial", child)
    child.send_signal(number)
    _, err = child.communicate(timeout=20)
    assert child.returncode == code, err
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    plan = json.loads((tmp_path / "maps.h5.partial" / "plan.json").read_text())
    assert plan["settings"]["pixels"] == 200
