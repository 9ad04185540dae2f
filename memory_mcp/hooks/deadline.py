"""Ends the process on time, whatever it waits for, without a sign that anything was late but a line in the log."""

from __future__ import annotations

import _thread
import os
import sys
import time
from collections.abc import Callable
from typing import Final

STARTED_S: Final = 0.03
"""What a process has taken before it can look at a clock, where the system does not tell when it began."""


STEP_S: Final = 0.01


def began() -> float:
    """Return when this process began, on the monotonic clock."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel's
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.monotonic() - min(1.0, max(0.0, age))
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic() - STARTED_S


def _end_servers() -> None:
    """End the servers that sources have started: they outlive us otherwise."""
    if module := sys.modules.get("memory_mcp.sources.mcp_stdio"):
        module.end_all()


class Deadline:
    """A moment at which the process ends with code 0; not in the middle of printing."""

    def __init__(self, end: float, on_late: Callable[[], None]) -> None:
        """`end` is on the monotonic clock; it may be moved."""
        self.end = end
        self._on_late = on_late
        self._printing = _thread.allocate_lock()
        _thread.start_new_thread(self._watch, ())

    def left_s(self) -> float:
        """Return the seconds until then."""
        return self.end - time.monotonic()

    def _watch(self) -> None:
        while (left_s := self.left_s()) > 0:
            time.sleep(min(left_s, STEP_S))
        with self._printing:
            try:
                self._on_late()
                _end_servers()
            finally:
                os._exit(0)

    def put(self, text: str) -> None:
        """Print all of it at once, after which nothing is late; never returns if it is too late."""
        with self._printing:
            sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
            sys.stdout.buffer.flush()
            self._on_late = lambda: None
