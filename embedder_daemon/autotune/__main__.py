"""`python -I -m embedder_daemon.autotune`: measures the engines on this machine, and records which is the fastest.

`make setup` and `memory-mcp daemon install` run it once. It takes the daemon's own settings (model, threads, device).
With `measure` before them, it measures only the engine that they name; with `golden`, it puts golden vectors into the
cache folder; with `background`, it runs at the lowest priority and exits when its stdin is closed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from embedder_daemon import logs, settings
from embedder_daemon.autotune.compare import compare
from embedder_daemon.autotune.measure import make_golden, measure, say
from embedder_daemon.engines import autotune_result
from embedder_daemon.errors import DaemonError, LoadError
from embedder_daemon.runtime import endpoint


def main(arguments: Sequence[str]) -> int:
    """Run the command in the first argument; `errors` lists the exit codes."""
    tasks = {"measure": measure, "golden": make_golden}
    logs.configure("warning", "auto")
    try:
        if arguments and arguments[0] in tasks:
            tasks[arguments[0]](settings.load(arguments[1:]))
        elif arguments and arguments[0] == "background":
            _in_background(arguments[1:])
        else:
            compare(settings.load(arguments), arguments, in_background=False)
    except DaemonError as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return error.exit_code
    return 0


def _in_background(arguments: Sequence[str]) -> None:
    """Compare at low priority, unless another process does already; the parent holds the other end of stdin."""
    os.nice(19)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    place = autotune_result.folder() / "measuring"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LoadError(f"{place.parent} cannot be created: {error.strerror}") from error
    lock = endpoint.lock_of(place)
    if lock.take():
        compare(settings.load(arguments), arguments, in_background=True)
    else:
        say(f"process {lock.owner()} is already measuring the engines")


def _end_with_parent() -> None:
    """Kill this process and its children, which are a process group, when its parent is gone."""
    os.read(sys.stdin.fileno(), 1)  # unbuffered: Python crashes at exit if a thread holds a buffer's lock
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
