"""Whether a call lets other Python threads run."""

import threading
import time


def others_run_during(call):
    """True if another Python thread makes steps while `call()` runs five times."""
    steps, stop = 0, threading.Event()

    def count():
        nonlocal steps
        while not stop.is_set():
            steps += 1
            time.sleep(0)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        before = steps
        for _ in range(5):
            call()
        return steps > before
    finally:
        stop.set()
        counter.join()
