"""One process of a shared training, as torchrun starts it: ``python -m tests.training.one_of_two FOLDER``.

The first run ends and its weights are written. In the second one process goes away in the middle.
"""

import os
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
