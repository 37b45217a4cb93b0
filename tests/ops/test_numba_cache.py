"""Compiled numba twins: where they are cached, and that a missing or outdated cache does no harm."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")
from clustermass.ops._numba import _jit

TWICE = """
from clustermass.ops._numba._jit import njit

@njit()
def twice(x):
    return 2 * x

print(twice(21))
"""


def run_twice(tmp_path, cache):
    script = tmp_path / "script.py"
    script.write_text(TWICE)
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, env=env)
    assert (done.stdout.strip(), done.stderr) == ("42", "")


def test_the_folder_of_the_user_is_respected(tmp_path):
    cache = tmp_path / "cache"
    run_twice(tmp_path, cache)
    (folder,) = cache.iterdir()
    assert folder.name == f"numba-{_jit.sources_key(_jit._HERE)}"
    assert list(folder.rglob("*.nbi"))


def test_nowhere_to_write_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    run_twice(tmp_path, tmp_path / "file" / "cache")  # a folder cannot be made inside a file
    assert not list(tmp_path.rglob("*.nbi"))


def test_the_first_writable_folder_is_taken(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert _jit.first_writable([blocked / "a", tmp_path / "b", tmp_path / "c"]) == tmp_path / "b"
    assert _jit.first_writable([blocked / "a"]) is None


def test_any_changed_source_is_another_cache(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("from .a import x\n")
    before = _jit.sources_key(tmp_path)
    assert _jit.sources_key(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    assert _jit.sources_key(tmp_path) != before


def test_the_home_of_the_user_comes_after_the_installation(monkeypatch):
    monkeypatch.setattr(_jit._config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    beside, home = _jit.candidates()
    assert beside.parent == _jit._HERE
    assert home.as_posix() == "/elsewhere/clustermass"
