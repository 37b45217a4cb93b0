"""Importing the package, and asking the command for help, load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "matplotlib", "scipy", "astropy", "h5py", "pandas")


def modules_after(code):
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    report = "import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import clustermass",
        "import clustermass; dir(clustermass)",
        "import clustermass; clustermass.datasets.sample_snapshot()",
        "import clustermass.cli.main as m; sys = __import__('sys')\ntry: m.run(['--help'])\nexcept SystemExit: pass",
        "import clustermass.cli.main as m; sys = __import__('sys')\ntry: m.run(['--version'])\nexcept SystemExit: pass",
    ],
    ids=["import", "dir", "datasets", "help", "version"],
)
def test_nothing_heavy_is_loaded(code):
    assert not modules_after(code) & set(HEAVY)


def test_import_alone_does_not_load_the_extension_or_numpy_testing():
    code = "import clustermass, sys; print(any(m.startswith('clustermass._core') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_projecting_loads_numpy_and_the_extension_only():
    code = "import clustermass as cm; cm.project_particles([[1.0, 1.0]], [1.0], shape=(2, 2), pixel_size=1.0)"
    assert not modules_after(code) & set(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["--version"]], ids=lambda words: words[0])
def test_the_command_answers(words):
    done = subprocess.run([sys.executable, "-m", "clustermass", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "clustermass" in done.stdout
    assert done.stderr == ""
