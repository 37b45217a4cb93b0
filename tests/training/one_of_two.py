"""Trainings in processes of their own: ``python -m tests.training.one_of_two FOLDER [killed]``.

As torchrun starts it: the first run ends and its weights are written; in the second one process goes away in the
middle. Killed: a run that gets SIGKILL from itself in the middle of its fourth epoch.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from clustermass.errors import TrainingError
from clustermass.training.loop import train_members
from clustermass.training.processes import joined
from clustermass.training.settings import TrainingSettings

from .problem import CPU, folds, make, problem

SETTINGS = TrainingSettings(epochs=5, batch_size=41, patience=4, seed=5)
KILLED_AT = 38  #: step; an epoch has 11


def run(**options):
    inputs, y = problem()
    return train_members(
        lambda: make(dropout=0.0), inputs, np.tile(y, (3, 1)), folds(), SETTINGS, device=CPU, **options
    )


def main(folder):
    torch.set_num_threads(1)
    heard = []
    with joined(CPU) as processes:
        trained = run(processes=processes, checkpoint=folder / "run.checkpoint", on_epoch=lambda k, _: heard.append(k))
        arrays = {f"{m}/{k}": v.numpy() for m, state in enumerate(trained.states) for k, v in state.items()}
        np.savez(folder / f"{processes.rank}.npz", heard=heard, losses=trained.history.validate, **arrays)

        def leave(*args, **options):
            os._exit(7)

        try:
            if processes.leads:
                run(processes=processes)
            else:
                inputs, y = problem()
                inputs.batch = leave
                train_members(make, inputs, y[None], folds(1), SETTINGS, device=CPU, processes=processes)
        except TrainingError as exc:
            (folder / "lost.txt").write_text(str(exc))


def killed(folder):
    torch.set_num_threads(1)
    inputs, y = problem()
    plain = inputs.batch

    def batch(rows, flip, key=None):
        if key == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(rows, flip, key)

    inputs.batch = batch
    train_members(make, inputs, np.tile(y, (3, 1)), folds(), SETTINGS, device=CPU, checkpoint=folder / "run.checkpoint")


if __name__ == "__main__":
    (killed if sys.argv[2:] else main)(Path(sys.argv[1]))
