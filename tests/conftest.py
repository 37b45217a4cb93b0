"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from clustermass import _backend
from clustermass.errors import BackendUnavailableError

REQUIRED = set(filter(None, os.environ.get("CLUSTERMASS_REQUIRE_BACKENDS", "native").split(",")))
REAL_DATA = Path(os.environ.get("CLUSTERMASS_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(params=_backend.HOST_BACKENDS)
def backend(request):
    """Each host backend in turn. A required one that is missing fails, not skips."""
    try:
        _backend.load(request.param, "project")
    except BackendUnavailableError as exc:
        (pytest.fail if request.param in REQUIRED else pytest.skip)(str(exc))
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
