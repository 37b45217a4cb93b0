"""`clustermass info --devices`."""

import json

import pytest

from clustermass import _backend
from clustermass.cli.main import run

GPU = _backend.CudaDevice("", "NVIDIA H200", (9, 0), 132, 140 * 2**30, 138 * 2**30)
OLD = _backend.CudaDevice("this build has no code for it", "Tesla V100", (7, 0), 80, 16 * 2**30, 0)


@pytest.fixture
def status(monkeypatch):
    return lambda value: monkeypatch.setattr(_backend, "cuda_status", lambda: value)


def test_devices_as_text(status, capsys):
    status(_backend.CudaStatus("", "13.0", "13.1", (GPU, OLD)))
    assert run(["info", "--devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "CUDA         available",
        "  versions   built with CUDA 13.0, the driver knows up to 13.1",
        "  device 0   NVIDIA H200, compute capability 9.0, 132 multiprocessors, 138.0 of 140.0 GiB free",
        "  device 1   Tesla V100, compute capability 7.0, 80 multiprocessors, "
        "not usable: this build has no code for it",
    ]


def test_why_there_is_none(status, capsys):
    status(_backend.CudaStatus("the CUDA extension is not built"))
    assert run(["info", "--devices"]) == 0
    assert capsys.readouterr().out == "CUDA         not available: the CUDA extension is not built\n"


def test_devices_as_json(status, capsys):
    status(_backend.CudaStatus("", "13.0", "13.1", (GPU,)))
    assert run(["info", "--devices", "--json"]) == 0
    cuda = json.loads(capsys.readouterr().out)["cuda"]
    assert cuda["available"] is True
    assert cuda["devices"][0]["multiprocessors"] == 132


def test_here(capsys):
    assert run(["info", "--devices"]) == 0
    assert capsys.readouterr().out.startswith("CUDA  ")


@pytest.mark.parametrize("words", [["info"], ["info", "--devices", "file.hdf5"]])
def test_a_file_or_the_devices(words):
    with pytest.raises(SystemExit) as stop:
        run(words)
    assert stop.value.code == 2
