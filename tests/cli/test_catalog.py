"""`clustermass catalog` from its words to its file: mock universes, simulations, halo lists; stopped and killed."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from clustermass import datasets
from clustermass.cli import main
from clustermass.data.clusters_file import KINDS, read_clusters
from clustermass.data.universe_file import write_universe
from tests.universes import make_universe

QUIET = pytest.mark.filterwarnings("default::clustermass.errors.DataWarning")


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    path = tmp_path_factory.mktemp("box") / "box.hdf5"
    write_universe(path, make_universe(n_haloes=20, n_field=2000), {"seed": 1})
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "clusters.hdf5"


def run(*words):
    return main.run(["catalog", *map(str, words)])


def test_a_universe_becomes_both_catalogues(box, out, capsys):
    assert run(box, out, "--seed", 3, "--threads", 2) == 0
    shown = capsys.readouterr()
    assert "20 haloes and 2,500 galaxies in a periodic box of 105 Mpc/h at redshift 0.1" in shown.err
    assert "seconds: reading" in shown.err
    for kind in KINDS:
        clusters = read_clusters(out, kind)
        assert len(clusters) > 40
        hosts = np.unique(clusters.host_id).size
        text = f"{kind:12s} {len(clusters):,} observations of {hosts} clusters, {clusters.x.size:,} galaxies"
        assert text in shown.out
        assert clusters.n_galaxies.min() > 10
        assert clusters.max_radius == pytest.approx(1.6 / 0.7)
    record = clusters.record
    assert record["command"] == f"clustermass catalog {box} {out} --seed 3 --threads 2"
    assert [len(item["sha256"]) for item in record["inputs"]] == [64]
    assert record["settings"]["cut"] == "ho2019"
    assert sorted(p.name for p in out.parent.iterdir()) == ["clusters.hdf5"]


def test_options_reach_the_catalogue(box, out):
    words = "--cut large --radius 3 --velocity 900 --min-mass 14 --min-richness 5 --target-density 1e-2 --max-views 5"
    words += " --velocity-error 50 --satellites-only --min-stellar-mass 9.6 --redshift 0.2 --seed 7"
    assert run(box, out, *words.split()) == 0
    clusters = read_clusters(out)
    assert (clusters.max_radius, clusters.max_velocity, clusters.redshift) == (3.0, 900.0, 0.2)
    assert clusters.log10_m200c_h.min() >= 14
    assert clusters.view.max() == 4
    settings = clusters.record["settings"]
    assert settings["min_stellar_mass"] == pytest.approx(10**9.6)
    assert (settings["velocity_error"], settings["satellites_only"], settings["min_richness"]) == (50, True, 5)
    words = "--survey --flux-limit 18 --distances 60-200 --cut kodi-ramanah-2021 --min-richness 3"
    assert run(box, out, "--overwrite", *words.split()) == 0
    clusters = read_clusters(out)
    assert clusters.record["settings"]["survey"] == {"limit": 18.0, "nearest": 60.0, "farthest": 200.0}
    assert ((clusters.observer_distance * 0.7 >= 60) & (clusters.observer_distance * 0.7 <= 200)).all()


@QUIET
def test_a_simulation_becomes_a_catalogue(out, capsys):
    pytest.importorskip("scipy")
    words = ["--snapshot", datasets.sample_snapshot(), "--seed", 1]
    assert run(datasets.sample_groups(), out, *words) == 0
    assert "17072 dark-matter particles (fraction 0.04" in capsys.readouterr().err
    pure = read_clusters(out, "pure")
    heavy = np.argmax(pure.log10_m200c)
    assert pure.log10_m200c_h[heavy] == pytest.approx(np.log10(3.21791e14), abs=1e-5)
    assert 100 < pure.n_galaxies[heavy] < 220  # 49 for 1e14 Msun/h
    assert 500 < pure.sigma_v[heavy] < 1000
    assert [item["name"] for item in pure.record["inputs"]] == ["sample_groups.hdf5", "sample_snapshot.hdf5"]


def test_the_whole_simulation(out, real_data):
    """Known facts of the run: 180 groups above 1e13 and 10 above 1e14 Msun/h."""
    groups = real_data("gadget4-hydro-80/fof_subhalo_tab_000.0.hdf5")
    assert run(groups, out, "--snapshot", groups.with_name("snapshot_000.0.hdf5"), "--min-mass", 14) == 0
    pure, contaminated = read_clusters(out, "pure"), read_clusters(out)
    assert len(np.unique(contaminated.host_id)) == 10
    assert len(pure) == len(contaminated) == 30
    assert (contaminated.n_galaxies >= contaminated.n_members).all()
    share = contaminated.n_members.sum() / contaminated.n_galaxies.sum()
    assert 0.3 < share < 0.95
    # dispersions of dark matter: 1082.9 km/s (h M / 1e15 Msun)^0.336 (Evrard et al. 2008), within 20 % on average
    expansion = float(pure.cosmology.expansion(pure.redshift))
    evrard = 1082.9 * (expansion * 10**pure.log10_m200c_h / 1e15) ** 0.3361
    assert np.mean(pure.sigma_v / evrard) == pytest.approx(1, abs=0.2)


@QUIET
def test_a_halo_list_becomes_a_catalogue(out, real_data, capsys):
    assert run(real_data("rockstar-outlist/out_163.list"), out, "--min-mass", 13.2) == 0
    shown = capsys.readouterr().err
    assert "a halo is a subhalo of the heaviest one whose R200c holds it" in shown
    assert "clusters are put at 0.1" in shown
    assert "shorter than the velocity window" in shown
    assert 693 in read_clusters(out, "pure").host_id


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cut", "ho2091"], "did you mean 'ho2019'?"),
        (["--tracers", "particle"], "did you mean 'particles'?"),
        (["--min-mass", "heavy"], "--min-mass needs a number"),
        (["--min-mass", "17"], "no cluster passes: asked for log10 M200c >= 17 Msun/h"),
        (["--min-richness", "9999"], "no cluster passes: asked for more than 9999 galaxies"),
        (["--radius", "-1"], "`max_radius` must be"),
        (["--redshift", "0.001"], "`redshift` must be above"),
        (["--flux-limit", "18"], "need --survey"),
        (["--survey", "--distances", "far"], "--distances needs a number or a range"),
        (["--fraction", "2"], "`fraction` must be"),
        (["--snapshot", "a"], "a universe file has its galaxies"),
        (["--threads", "0"], "`n_threads` must be"),
    ],
)
def test_a_slip_is_named_and_leaves_nothing(box, out, capsys, words, message):
    assert run(box, out, *words) == 2
    assert message in capsys.readouterr().err
    assert not list(out.parent.iterdir())


def test_inputs_and_outputs_that_cannot_be(box, out, tmp_path, capsys):
    assert run(tmp_path / "none", out) == 2
    bad = tmp_path / "bad.hdf5"
    bad.write_bytes(box.read_bytes()[:5000])
    assert run(bad, out) == 3
    out.write_bytes(b"precious")
    assert run(box, out) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(box, out, "--overwrite", "--min-mass", 17) == 2
    assert out.read_bytes() == b"precious"
    assert run(box, out, "--overwrite") == 0
    assert len(read_clusters(out)) > 0
    assert run(box, tmp_path / "no" / "clusters.hdf5") == 2


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Enough work to be stopped in the middle."""
    path = tmp_path_factory.mktemp("large") / "large.hdf5"
    write_universe(path, make_universe(n_haloes=600, per_halo=80, n_field=20_000, box_size=300.0))
    return path


@contextmanager
def running(*words):
    """The command in a process of its own, from the moment when it has begun its file."""
    child = subprocess.Popen(
        [sys.executable, "-m", "clustermass", "catalog", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        try:
            for _ in range(20_000):
                if child.poll() is not None or list(words[1].parent.glob(".*part*")):
                    break
                time.sleep(0.001)
            yield child
        finally:
            child.kill()


LONG = ["--target-density", "1", "--max-views", "3000", "--min-richness", "0", "--threads", "1"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 4), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_stopped_it_leaves_no_half_file(large, out, number, code):
    with running(large, out, *LONG) as child:
        time.sleep(0.3)
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
    assert child.returncode == code, err
    assert not out.exists()
    if number != signal.SIGKILL:
        assert not list(out.parent.iterdir())
        assert "Traceback" not in err
