"""Two processes train what one would, and the one that is left says so."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("safetensors")

from clustermass.errors import DomainError, TrainingError  # noqa: E402
from clustermass.training.loop import train_members  # noqa: E402
from clustermass.training.processes import Processes, joined  # noqa: E402
from tests.tolerances import SHARED_TRAINING  # noqa: E402

from . import one_of_two  # noqa: E402
from .problem import CPU, folds, make, problem  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_train_what_one_would(tmp_path):
    """Weights to rounding, the same bits in both, one log; the end of one is an error of the other, not a wait."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {
        "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "python")]),
    }  # fmt: skip
    words = [sys.executable, "-m", "tests.training.one_of_two", str(tmp_path)]
    runs = [
        subprocess.Popen(words, env=common | {"RANK": str(k), "LOCAL_RANK": str(k)}, stderr=subprocess.PIPE, text=True)
        for k in range(2)
    ]
    errors = [one.communicate(timeout=300)[1] for one in runs]
    assert [one.returncode for one in runs] == [0, 7], errors
    alone = one_of_two.run()
    first, second = (np.load(tmp_path / f"{k}.npz") for k in range(2))
    for member, state in enumerate(alone.states):
        for name, value in state.items():
            np.testing.assert_array_equal(first[f"{member}/{name}"], second[f"{member}/{name}"])
            np.testing.assert_allclose(first[f"{member}/{name}"], value.numpy(), rtol=0, atol=SHARED_TRAINING)
    np.testing.assert_allclose(first["losses"], alone.history.validate, rtol=1e-4)
    assert first["heard"].tolist() == [1, 2, 3, 4, 5]
    assert second["heard"].size == 0
    assert "process 0 of 2 lost the others" in (tmp_path / "lost.txt").read_text()


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    """SIGKILL in the middle of an epoch: nothing is tidied up, and the run that goes on ends with the same bits."""
    words = [sys.executable, "-m", "tests.training.one_of_two", str(tmp_path), "killed"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "python")])
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    inputs, y = problem()
    arguments = (make, inputs, np.tile(y, (3, 1)), folds(), one_of_two.SETTINGS)
    heard = []
    after = train_members(
        *arguments, device=CPU, checkpoint=tmp_path / "run.checkpoint", on_epoch=lambda k, _: heard.append(k)
    )
    whole = train_members(*arguments, device=CPU)
    assert heard == [4, 5]
    assert after.history.train == whole.history.train
    for one, other in zip(after.states, whole.states, strict=True):
        for name in one:
            assert torch.equal(one[name], other[name]), name


def test_shares_are_all_of_it_once():
    columns = np.arange(41)
    parts = [columns[Processes(rank, 3).share(41)] for rank in range(3)]
    assert sorted(np.concatenate(parts).tolist()) == columns.tolist()
    assert Processes().share(41) == slice(0, None, 1)


def test_more_processes_than_clusters_a_step_are_refused():
    with pytest.raises(DomainError, match="batch_size"):
        one_of_two.run(processes=Processes(0, 42))


def test_processes_that_cannot_meet_say_so(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TrainingError, match="torchrun"), joined(CPU):
        pass


def test_alone_nothing_is_sent():
    tensor = torch.ones(3)
    with joined(CPU) as processes:
        processes.add_up([tensor])
    assert processes == Processes(0, 1)
    assert tensor.tolist() == [1.0, 1.0, 1.0]
