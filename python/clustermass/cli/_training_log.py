"""What a training run says of itself: losses of each epoch in files, on the screen, and for TensorBoard."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from ._progress import duration


class TrainingLog:
    """Writes ``<preset>_log.csv`` and ``<preset>_log.jsonl`` (one object an epoch) whole after each epoch, event files
    under ``tensorboard`` if that package is installed, and a line with the time left on stderr.

    Parameters
    ----------
    folder : Path
    preset : str
    epochs : int
        At most.
    """

    def __init__(self, folder: Path, preset: str, epochs: int) -> None:
        self.folder, self.preset, self.epochs = folder, preset, epochs
        self._first: int | None = None
        self._events: Any = None

    def epoch(self, number: int, history: Any) -> None:
        """Note the epoch that has just ended; of a run that goes on from a checkpoint the earlier ones stay."""
        if self._first is None:
            self._first = number
            self._events = _event_writer(self.folder / "tensorboard" / self.preset, number)
        self._write_files(history)
        loss = sum(history.train[-1]) / len(history.train[-1])
        if self._events is not None:
            self._write_events(number, history, loss)
        seconds = history.seconds[self._first - 1 :]
        left = duration(sum(seconds) / len(seconds) * (self.epochs - number))
        text = f"{self.preset}: epoch {number} of at most {self.epochs}, mean loss {loss:.4g}, about {left} left"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif number - self._first < 3 or number % 5 == 0:
            print(f"clustermass: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line on the terminal and the event files."""
        if self._first is not None and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if self._events is not None:
            self._events.close()

    def _write_files(self, history: Any) -> None:
        from ..data.atomic import atomic_path
        from ..report.tables import write_csv

        members = range(len(history.train[0]))
        records = [
            {"epoch": k + 1, "seconds": seconds, "train": train, "held_out": [_plain(v) for v in held_out]}
            for k, (seconds, train, held_out) in enumerate(
                zip(history.seconds, history.train, history.validate, strict=True)
            )
        ]
        with atomic_path(self.folder / f"{self.preset}_log.jsonl") as part:
            part.write_text("".join(json.dumps(record) + "\n" for record in records))
        rows = [
            {"epoch": k + 1, "seconds": history.seconds[k]}
            | {f"train_{m}": history.train[k][m] for m in members}
            | {f"held_out_{m}": history.validate[k][m] for m in members}
            for k in range(len(history.train))
        ]
        write_csv(self.folder / f"{self.preset}_log.csv", rows)

    def _write_events(self, number: int, history: Any, loss: float) -> None:
        held_out = [v for v in history.validate[-1] if math.isfinite(v)]
        self._events.add_scalar("loss/train", loss, number)
        if held_out:
            self._events.add_scalar("loss/held_out", sum(held_out) / len(held_out), number)
        self._events.add_scalar("seconds_per_epoch", history.seconds[-1], number)
        for member, value in enumerate(history.train[-1]):
            self._events.add_scalar(f"train/member_{member:02d}", value, number)
        for member, value in enumerate(history.validate[-1]):
            if math.isfinite(value):
                self._events.add_scalar(f"held_out/member_{member:02d}", value, number)
        self._events.flush()


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _event_writer(folder: Path, first: int) -> Any:
    """A writer of TensorBoard's event files, or None without that package. Events from `first` on are replaced."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=first)
