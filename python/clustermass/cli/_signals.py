"""What a long command does when it is asked to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(BaseException):
    """The batch system, or someone, asked the process to end."""


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception inside the block, so that files are closed and the user is told."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
