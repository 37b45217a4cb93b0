"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from clustermass import _backend
from clustermass.errors import BackendUnavailableError
from tests import device

REQUIRED = set(filter(None, os.environ.get("CLUSTERMASS_REQUIRE_BACKENDS", "native").split(",")))
REAL_DATA = Path(os.environ.get("CLUSTERMASS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@functools.cache
def _why_not(name):
    """Why a backend cannot run here; empty if it can."""
    if name == "emulated":
        found = device.emulated_extension()
        return str(found) if isinstance(found, ImportError) else ""
    if name == "cuda":
        if reason := _backend.cuda_status().reason:
            return reason
        if importlib.util.find_spec("torch") is None:
            return "no torch, which makes the arrays of these tests"
        import torch

        return "" if torch.cuda.is_available() else "torch finds no CUDA device"
    try:
        _backend.load(name, "project")
    except BackendUnavailableError as exc:
        return str(exc)
    return ""


def _need(name):
    """Skip where a backend is missing; fail where it is required."""
    if reason := _why_not(name):
        (pytest.fail if name in REQUIRED else pytest.skip)(f"{name}: {reason}")


@pytest.fixture
def emulated():
    """The CUDA extension over host memory."""
    _need("emulated")
    return device.emulated_extension()


def _put_on_device(monkeypatch, name):
    """Let every op that is called with backend="cuda" run on a device, real or emulated."""
    if name == "emulated":
        real = _backend._import
        module = device.emulated_extension()
        monkeypatch.setattr(_backend, "_import", lambda wanted: module if wanted == "._cuda" else real(wanted))
    monkeypatch.setenv("CLUSTERMASS_CUDA_CHECK", "1")  # bad values raise, as on the host
    to_device = device.to_emulated if name == "emulated" else device.to_cuda
    for op in device.DATA:
        monkeypatch.setattr(device.home_of(op), op, device.on_device(op, to_device), raising=False)


def pytest_generate_tests(metafunc):
    """The backends of a test: also those of a device where the ops of its file have a CUDA form. A real device is not
    named where there is none (tests/meta/test_cuda.py says why, once), unless it is required.
    """
    if "backend" in metafunc.fixturenames:
        on_device = metafunc.module.__name__.split(".")[-1] in device.MODULES
        has_cuda = on_device and ("cuda" in REQUIRED or not _why_not("cuda"))
        names = [*_backend.HOST_BACKENDS, *["emulated"] * on_device, *["cuda"] * has_cuda]
        metafunc.parametrize("backend", names, indirect=True)


@pytest.fixture
def backend(request, monkeypatch):
    """Each backend in turn; "emulated" is the CUDA extension over host memory. A required one that is missing fails."""
    _need(request.param)
    if request.param in _backend.HOST_BACKENDS:
        return request.param
    _put_on_device(monkeypatch, request.param)
    return "cuda"


@pytest.fixture(params=_backend.HOST_BACKENDS)
def host_backend(request):
    """Each backend of the processor, for what is about host memory."""
    _need(request.param)
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(20240917)


@pytest.fixture
def real_data():
    """Folder of real files: `real_data("camels-tng-cutout/camels_snap.hdf5")`; skips when it is absent."""

    def find(relative):
        path = REAL_DATA / relative
        if not path.exists():
            pytest.skip(f"real file {relative} is not here (set CLUSTERMASS_REAL_DATA to the folder that holds it)")
        return path

    return find
