"""`python -I -S freeze_guard.py SECONDS`: ends its parent process if that gives no sign of life for this long.

The daemon runs this file in a separate process, because a library that holds the GIL blocks every thread that could
watch. Signs of life are bytes on stdin; end of file means that the daemon has exited. Only time in which the daemon
could have run counts: none passes here while both are frozen (a paused container, a sleeping machine), and none is
counted while only the daemon is stopped. It imports the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

TICKS = 10
"""Looks within the time limit."""
_LAST_WORDS_S = 2.0
_STDIN = 0


def main(limit_s: float) -> None:
    """Watch the parent; end it with SIGHUP, on which it exits with 1, or else with SIGKILL."""
    daemon = os.getppid()
    if not _is_silent(daemon, limit_s):
        return
    sys.stderr.write(f"Timeout: the event loop of process {daemon} got no turn for {limit_s:g} s: ending it\n")
    for number in (signal.SIGHUP, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon, number)
        if _has_ended():
            return


def _is_silent(daemon: int, limit_s: float) -> bool:
    """Return True if the time passed without a sign of life, and False if the daemon exited."""
    missed = 0
    while missed < TICKS:
        if select.select([_STDIN], [], [], limit_s / TICKS)[0]:
            if not os.read(_STDIN, 4096):
                return False
            missed = 0
        elif not _is_stopped(daemon):
            missed += 1
    return True


def _has_ended() -> bool:
    while select.select([_STDIN], [], [], _LAST_WORDS_S)[0]:
        if not os.read(_STDIN, 4096):
            return True
    return False


def _is_stopped(process: int) -> bool:
    """Whether it was stopped by SIGSTOP or a terminal."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except OSError:  # not Linux
        command = ["ps", "-o", "state=", "-p", str(process)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number
    return state.strip()[:1] in {"T", "t"}


if __name__ == "__main__":
    main(float(sys.argv[1]))
