"""cuda/gpu_check.py where no GPU is: what it runs, what it writes, and what it makes of failures."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from clustermass import _backend
from tests import device

from .tree import REPOSITORY

DEVICE = SimpleNamespace(name="Some GPU 80GB", compute_capability=(9, 0), memory_total=5, reason="")
STATUS = SimpleNamespace(available=True, devices=[DEVICE], driver_supports="13.0", built_with="13.0")
TOLD = {
    "pytest": "x\nFAILED tests/ops/test_a.py::b\n1 failed, 12 passed, 3 skipped in 4.20s",
    "ctest": "100% tests passed",
    "memcheck": "========= ERROR SUMMARY: 0 errors",
    "racecheck": "========= RACECHECK SUMMARY: 0 hazards displayed",
    "git": "abc123\n",
}


@pytest.fixture
def check(monkeypatch, tmp_path):
    """The script, with commands that only say what they would do."""
    spec = importlib.util.spec_from_file_location("gpu_check", REPOSITORY / "cuda" / "gpu_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.commands = []

    def run(command, **env):
        words = [str(word) for word in command]
        module.commands.append((words, env))
        found = next((told for key, told in TOLD.items() if key in words), "")
        if words[0] == "git" and "status" in words:
            found = ""
        if "benchmarks.gpu" in words:
            (tmp_path / "figures.json").write_text('{"rows": [1]}')
        return int("pytest" in words and "FAILED" in found), found

    emulated = tmp_path / "tests" / "cpp" / "_cuda_emulated.so"
    emulated.parent.mkdir(parents=True)
    emulated.touch()
    (tmp_path / "results").mkdir()
    for name, value in dict(run=run, BUILD=tmp_path, RESULTS=tmp_path / "results", build=lambda: None).items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(_backend, "cuda_status", lambda: STATUS)
    return module


def test_every_step_runs_and_its_failure_ends_in_a_status(check, tmp_path):
    with pytest.raises(SystemExit, match="not everything passed: tests"):
        check.main()
    written = json.loads((tmp_path / "results" / "gpu-some-gpu-80gb-abc123.json").read_text())
    assert written["tests"]["python"] == {"failed": 1, "passed": 12, "skipped": 3}
    assert written["tests"]["failures"] == ["FAILED tests/ops/test_a.py::b"]
    assert written["sanitizer"]["memcheck"] == {"status": 0, "summary": [TOLD["memcheck"]]}
    assert written["figures"] == {"rows": [1], "ok": True}
    assert set(written["versions"]) == {*check.PACKAGES, "python"}
    [pytest_env] = [env for words, env in check.commands if "pytest" in words]
    assert pytest_env["CLUSTERMASS_REQUIRE_BACKENDS"] == "native,numba,emulated,cuda"
    scripts = [word for words, _ in check.commands for word in words if word.endswith(".py")]
    assert scripts
    assert all((REPOSITORY / name).exists() for name in [*scripts, *check.OP_LAYER])


def test_what_was_found_out_survives_a_step_that_breaks(check, tmp_path, monkeypatch):
    def broken():
        raise OSError("the machine went away")

    monkeypatch.setattr(check, "sanitize", broken)
    with pytest.raises(OSError, match="went away"):
        check.main()
    [file] = (tmp_path / "results").iterdir()
    assert json.loads(file.read_text())["tests"]["python"]["passed"] == 12


def test_nothing_runs_without_a_device(check, monkeypatch):
    monkeypatch.setattr(_backend, "cuda_status", lambda: SimpleNamespace(available=False, reason="no driver"))
    with pytest.raises(SystemExit, match="nothing to run on: no driver"):
        check.main()
    assert check.commands == []


def test_a_copy_without_history_and_missing_commands(check, monkeypatch):
    monkeypatch.setattr(check, "run", lambda command, **env: (128, "fatal: not a git repository"))
    assert check.commit() == "unknown"
    assert not check.sanitize()["ok"]
    assert check.figures() == {"ok": False, "reason": ["fatal: not a git repository"]}
    assert check.counts_of("") == {}


def test_the_steps_are_real_commands():
    """The commands themselves, as far as they go without a device."""
    spec = importlib.util.spec_from_file_location("gpu_check", REPOSITORY / "cuda" / "gpu_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    status, output = module.run([module.sys.executable, "-c", "import clustermass; print(clustermass.__file__)"])
    assert (status, str(REPOSITORY / "python") in output) == (0, True)
    assert module.run(["no-such-command"]) == (127, "no-such-command: not found")


class StandIn(device.EmulatedArray):
    """An array of the emulation with what the small cases use of a tensor."""

    def cpu(self):
        return self.values

    def to(self, dtype):
        return self.values.astype(dtype)


def test_the_small_cases_agree_on_the_emulation(monkeypatch, emulated):
    """The script that compute-sanitizer watches on a GPU, with arrays of the emulation for its tensors."""
    module, real = emulated, _backend._import
    monkeypatch.setattr(_backend, "_import", lambda name: module if name == "._cuda" else real(name))
    torch = SimpleNamespace(Tensor=type("Tensor", (), {}), float64=np.float64)
    torch.tensor = lambda array, device: StandIn(np.array(array, order="C"))
    monkeypatch.setattr(device.EmulatedArray, "cpu", StandIn.cpu, raising=False)
    monkeypatch.setattr(device.EmulatedArray, "to", StandIn.to, raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    spec = importlib.util.spec_from_file_location("small_cases", REPOSITORY / "cuda" / "small_cases.py")
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    cases.same = checked(cases.same)
    for part in (cases.projections, cases.images, cases.catalogues, cases.lightcones):
        part()
    names = {name.split()[0] for name in cases.same.names}
    assert names == {"project", "gradient", "index", "views", "beam", "noise", "subsample", "kde", "galaxy", "light"}


def checked(same):
    """`same`, which also looks at what `to` made of an array, and remembers what was compared."""

    def call(name, found, expected, tolerance=1e-5):
        call.names.append(name)
        same(name, found if hasattr(found, "cpu") else StandIn(found), expected, tolerance)

    call.names = []
    return call
