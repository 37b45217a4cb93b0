"""The CUDA extension where no GPU is: it stays out of the way, says why, and keeps to its rooms."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clustermass import _backend
from clustermass.errors import ArrayError, DeviceError, DomainError

from .tree import REPOSITORY, files

BUILT = not isinstance(_backend._import("._cuda"), ImportError)
needs_extension = pytest.mark.skipif(not BUILT, reason="the CUDA extension is not built (no nvcc)")
DEVICE = {"name": "GPU", "compute_capability": (9, 0), "multiprocessors": 132, "memory_total": 2, "memory_free": 1}


def python(code, **env):
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_extension(monkeypatch, reason="", devices=()):
    found = {"reason": reason, "driver_version": 12080, "runtime_version": 13000, "devices": list(devices)}
    module = SimpleNamespace(query_devices=lambda: found)
    monkeypatch.setattr(_backend, "_import", lambda name: module)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the loaded libraries are read from /proc")
def test_importing_and_running_touches_no_cuda():
    code = """
import sys, clustermass
clustermass.project_particles([[1.0, 1.0]], [1.0], shape=(2, 2), pixel_size=1.0)
print([m for m in sys.modules if "cuda" in m], "libcuda" in open("/proc/self/maps").read())"""
    assert python(code) == "[] False"


@needs_extension
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the loaded libraries are read from /proc")
def test_loading_the_extension_does_not_load_the_driver():
    code = 'import clustermass._cuda; print("libcuda" in open("/proc/self/maps").read())'
    assert python(code) == "False"


def test_status_is_a_reason_or_a_device():
    status = _backend.cuda_status()
    assert status.available == any(not device.reason for device in status.devices)
    assert status.available == (status.reason == "")


@needs_extension
def test_hidden_devices_are_a_reason():
    code = "from clustermass import _backend; s = _backend.cuda_status(); print(s.available, s.reason)"
    out = python(code, CUDA_VISIBLE_DEVICES="")
    assert out.startswith("False ")
    assert "CUDA_VISIBLE_DEVICES is ''" in out


def test_status_without_the_extension(monkeypatch):
    monkeypatch.setattr(_backend, "_import", lambda name: ImportError("No module named 'clustermass._cuda'"))
    status = _backend.cuda_status()
    assert not status.available
    assert status.built_with is None
    assert "not built (No module named 'clustermass._cuda')" in status.reason


def test_status_with_a_device(monkeypatch):
    fake_extension(monkeypatch, devices=[DEVICE | {"reason": ""}, DEVICE | {"reason": "busy"}])
    status = _backend.cuda_status()
    assert status.available
    assert (status.built_with, status.driver_supports) == ("13.0", "12.8")
    assert dataclasses.asdict(status.devices[1]) == DEVICE | {"reason": "busy"}


def test_status_with_devices_that_cannot_be_used(monkeypatch):
    fake_extension(monkeypatch, devices=[DEVICE | {"reason": "busy"}, DEVICE | {"reason": "no code for it"}])
    assert _backend.cuda_status().reason == "device 0 (GPU): busy; device 1 (GPU): no code for it"


def project(module, **changes):
    arrays = dict(positions=0, n=1, dims=2, weights=0, channels=1, smoothing_length=0, image=0, rows=4, cols=4,
                  scratch=0, scratch_size=0)  # fmt: skip
    params = dict(assignment=1, kernel=0, origin_row=0.0, origin_col=0.0, per_pixel=1.0, device=0, stream=0)
    module.project_f32(**arrays | params | changes)


@needs_extension
@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"per_pixel": 0.0}, DomainError, "pixel size"),
        ({"origin_col": float("nan")}, DomainError, "origin"),
        ({"rows": 0}, DomainError, "at least one pixel"),
        ({"dims": 1}, ArrayError, "do not fit"),
        ({"assignment": 3}, ArrayError, "smoothing length"),
        ({"assignment": 4}, DomainError, "assignment"),
        ({"kernel": 2}, DomainError, "kernel"),
        ({"n": -1}, DomainError, "positions"),
        ({"rows": 2**40, "cols": 2**40}, DomainError, "image"),
    ],
)
def test_bad_parameters_never_reach_a_device(changes, error, words):
    with pytest.raises(error, match=words):
        project(_backend._import("._cuda"), **changes)


@needs_extension
def test_too_little_scratch_is_an_error():
    args = dict(offsets=0, items=0, n_items=3, draw_offsets=0, indices=0, n_indices=0, scratch=0, n_draws=1, seed=1,
                device=0, stream=0)  # fmt: skip
    subsample = _backend._import("._cuda").subsample
    with pytest.raises(DomainError, match="at least the 10 members of the largest item, got room for 9"):
        subsample(**args, scratch_size=9, max_members=10)
    with pytest.raises(DomainError, match="max_members"):
        subsample(**args, scratch_size=9, max_members=2**32)


@needs_extension
@pytest.mark.skipif(_backend.cuda_status().available, reason="a launch on null addresses would poison the device")
def test_a_launch_without_a_device_is_an_error():
    with pytest.raises(DeviceError, match=r"^project: .*\(cudaError"):
        project(_backend._import("._cuda"))


def test_the_tests_run_on_a_device():
    """Says once why they do not; the backend "emulated" runs the same sources over host memory."""
    if status := _backend.cuda_status().reason:
        pytest.skip(f"no test ran on a CUDA device: {status}")


def includes(path):
    return re.findall(r'#include [<"]([^>"]+)[>"]', path.read_text())


def test_bindings_meet_no_nvcc():
    """They include plain C++ only: ours by name, pybind11 and the standard library."""
    own = {
        "address.hpp",
        "errors.hpp",
        "clustermass/core/error.hpp",
        "clustermass_cuda/launch_math.hpp",
        "clustermass_cuda/ops.hpp",
    }
    sources = list(files("*", under="cuda/bindings"))
    names = {name for path in sources for name in includes(path) if not re.match(r"pybind11/|\w+$", name)}
    assert {path.suffix for path in sources} == {".cpp", ".hpp"}
    assert names == own
    assert not [name for name in includes(REPOSITORY / "cuda/include/clustermass_cuda/ops.hpp") if "cuda" in name]


def test_the_check_says_when_it_compiles_nothing():
    command, env = [REPOSITORY / "cuda" / "check", sys.executable], os.environ | {"CUDACXX": "/nowhere/nvcc"}
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "cuda-check: no nvcc: skipped, nothing was compiled\n")
