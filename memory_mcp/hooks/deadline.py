"""Ends the process on time, whatever it waits for, without a sign that anything was late but a line in the log."""

from __future__ import annotations

import _thread
import os
import sys
import time
from collections.abc import Callable


class Deadline:
    """A moment at which the process ends with code 0, unless it has begun to print."""

    def __init__(self, seconds: float, on_late: Callable[[], None]) -> None:
        self._end = time.monotonic() + seconds
        self._on_late = on_late
        self._printing = _thread.allocate_lock()
        _thread.start_new_thread(self._watch, ())

    def left_s(self) -> float:
        """Return the seconds until then."""
        return self._end - time.monotonic()

    def _watch(self) -> None:
        time.sleep(max(0.0, self.left_s()))
        if self._printing.acquire(blocking=False):
            self._on_late()
            os._exit(0)

    def put(self, text: str) -> None:
        """Print all of it at once; never returns if it is too late."""
        self._printing.acquire()
        sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()
