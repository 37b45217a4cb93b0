"""A line on the terminal that shows how far a long job is; silent when nobody watches."""

from __future__ import annotations

import sys
import time
from typing import TextIO


def duration(seconds: float) -> str:
    """Seconds for people: ``7 s``, ``3 min 20 s``, ``2 h 05 min``.

    >>> duration(200), duration(7500)
    ('3 min 20 s', '2 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class ProgressLine:
    """Writes ``label [####----]  42 %  about 10 s left`` over itself on stderr, at most five times a second."""

    def __init__(self, label: str, total: float, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._label, self._total, self._done = label, max(total, 1e-300), 0.0
        self._start = time.monotonic()
        self._next = 0.0
        self._shows = self._stream.isatty()

    @property
    def done(self) -> float:
        """How much is done."""
        return self._done

    def advance(self, amount: float) -> None:
        """Count `amount` more as done."""
        self._done += amount
        now = time.monotonic()
        if self._shows and now >= self._next:
            self._next = now + 0.2
            self._draw(now)

    def _draw(self, now: float) -> None:
        part = min(self._done / self._total, 1.0)
        left = (now - self._start) * (1.0 - part) / part if part > 0 else 0.0
        bar = "#" * int(24 * part)
        self._stream.write(f"\r\x1b[K{self._label} [{bar:-<24}] {100 * part:3.0f} %  about {duration(left)} left")
        self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._shows:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


class StageLine:
    """Writes ``label: stage, 3 min 20 s so far`` over itself on stderr, at each new stage."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._label = label
        self._start = time.monotonic()
        self._shows = self._stream.isatty()

    def enter(self, stage: str) -> None:
        """Say what is done now."""
        if self._shows:
            so_far = duration(time.monotonic() - self._start)
            self._stream.write(f"\r\x1b[K{self._label}: {stage}, {so_far} so far")
            self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._shows:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
