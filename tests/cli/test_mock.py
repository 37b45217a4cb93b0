"""`clustermass mock`: a universe from the command line, and its checks."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from clustermass import read_universe, write_universe
from clustermass.cli.main import run
from clustermass.data.mocks.universe.record import settings_of
from clustermass.errors import FileFormatError
from tests.universes import make_universe

SMALL = ["--box-size", "60", "--min-mass", "12", "--seed", "4"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("mock") / "box.hdf5"
    assert run(["mock", "universe", str(path), *SMALL, "--cosmology", "sigma8=0.9"]) == 0
    return path


def test_the_universe_says_what_it_is_made_of(made, capsys):
    universe, settings = read_universe(made), settings_of(made)
    assert universe.box_size == pytest.approx(60 / 0.6777)
    assert universe.haloes.n > 300
    assert settings.seed == 4
    assert settings.sigma8 == 0.9
    assert settings.min_mass == pytest.approx(1e12 / 0.6777)
    assert settings.box_size == universe.box_size
    with h5py.File(made) as file:
        record = json.loads(file["record"][()].tobytes())
    assert "mock universe" in record["provenance"]["command"]
    assert "seed 4" in universe.source


def test_the_same_command_makes_the_same_numbers(made, tmp_path):
    again = tmp_path / "again.hdf5"
    assert run(["mock", "universe", str(again), *SMALL, "--cosmology", "sigma8=0.9"]) == 0
    one, other = read_universe(made), read_universe(again)
    assert np.array_equal(one.haloes.positions, other.haloes.positions)
    assert np.array_equal(one.galaxies.velocities, other.galaxies.velocities)


def test_nothing_is_replaced_unasked(made, capsys):
    before = made.read_bytes()
    assert run(["mock", "universe", str(made), *SMALL]) == 2
    assert "overwrite" in capsys.readouterr().err
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--occupation", "observd"], "did you mean 'observed'"),
        (["--cosmology", "sigma_8=1"], "did you mean 'sigma8'"),
        (["--box-size", "ten"], "--box-size needs a number"),
        (["--redshift", "-1"], "`redshift`"),
        (["--min-mass", "20"], "`min_mass`"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options_say_what_was_expected(tmp_path, capsys, words, told):
    assert run(["mock", "universe", str(tmp_path / "a.hdf5"), *words]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_option_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(["mock", "universe", str(tmp_path / "a.hdf5"), "--box-sise", "60"])
    assert "--box-size" in capsys.readouterr().err


def test_check_writes_tables_and_pictures(made, tmp_path, capsys):
    out = tmp_path / "checks"
    code = run(["mock", "check", str(made), "--out", str(out)])
    text = capsys.readouterr().out
    assert "Halo mass function" in text
    assert "checks met" in text
    assert code == (1 if "NOT met" in text else 0)
    assert {"haloes.png", "galaxies.png", "halo_mass_function.csv", "halo_bias.csv"} <= {p.name for p in out.iterdir()}
    assert (out / "haloes.png").read_bytes()[:4] == b"\x89PNG"
    lines = (out / "halo_mass_function.csv").read_text().splitlines()
    assert lines[0] == "# Halo mass function"
    assert lines[3].startswith("log10 M from [Msun/h],to,haloes")


def test_a_check_that_fails_is_told_by_the_exit_code(made, tmp_path, capsys):
    """The same file with haloes of twice the mass."""
    path = tmp_path / "heavy.hdf5"
    path.write_bytes(made.read_bytes())
    universe = read_universe(made)
    with h5py.File(made) as file:
        record = json.loads(file["record"][()].tobytes())["provenance"]
    universe.haloes.m200c[:] *= 2
    write_universe(path, universe, record)
    assert run(["mock", "check", str(path), "--out", str(tmp_path / "out"), "--no-pictures"]) == 1
    assert "Halo mass function (Tinker et al. 2008, M200c): NOT met" in capsys.readouterr().out


def test_other_universes_are_refused(tmp_path, capsys):
    path = tmp_path / "other.hdf5"
    write_universe(path, make_universe(n_haloes=5))
    assert settings_of(path) is None
    assert run(["mock", "check", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "clustermass mock universe" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    write_universe(path, make_universe(n_haloes=5), {"mock universe": {"seed": -3, "cosmology": {"h": 0.7}}})
    with pytest.raises(FileFormatError, match="settings"):
        settings_of(path)
