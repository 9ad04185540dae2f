"""Detects a daemon that must exit, so that its supervisor starts a new one."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
from typing import Final

from embedder_daemon import logs
from embedder_daemon.errors import StalledError
from embedder_daemon.runtime import freeze_guard
from embedder_daemon.runtime.lifecycle import Lifecycle
from embedder_daemon.scheduler.scheduler import Scheduler

_TICKS: Final = 10  # looks within the time limit of a stall


async def until_stalled(scheduler: Scheduler, lifecycle: Lifecycle, limit_s: float) -> StalledError:
    """Return the reason once texts have waited this long without progress, or a sleeping model was not loaded.

    This counts looks instead of seconds, because a process that was frozen for hours has had only one look.
    """
    tick_s = limit_s / _TICKS
    stalled = waking = 0
    while max(stalled, waking) < _TICKS - 1:  # from the second tick on there is something to compare
        await asyncio.sleep(tick_s)
        stalled = stalled + 1 if scheduler.stalled_s() >= tick_s else 0
        waking = waking + 1 if lifecycle.waking_s() >= tick_s else 0
    if waking > stalled:
        return StalledError(f"the model was not reloaded within {limit_s:g} s: loading it hangs")
    return StalledError(f"no waiting text was computed for {limit_s:g} s: the model hangs")


async def against_freezing(limit_s: float) -> None:
    """End the process (code 1) if this event loop is blocked for this long, as by a library that holds the GIL.

    A separate process watches, and the stack of every thread goes to stderr. Cancelling stops the watch. Returns only
    if that process is gone.
    """
    _exit_on_hangup()
    watched, signs = os.pipe()
    os.set_blocking(signs, False)
    command = [sys.executable, "-I", "-S", freeze_guard.__file__, str(limit_s)]
    try:
        process = subprocess.Popen(command, stdin=watched, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: ASYNC220, S603 - milliseconds; our file
    except OSError as error:
        logs.get().warning("nobody watches over the event loop", reason=error.strerror)
        os.close(signs)
        return
    finally:
        os.close(watched)
    try:
        while True:
            with contextlib.suppress(
                BlockingIOError
            ):  # the watcher is stopped, and enough signs of life wait in the pipe
                os.write(signs, b".")
            await asyncio.sleep(limit_s / freeze_guard.TICKS)
    except BrokenPipeError:
        logs.get().warning("nobody watches over the event loop", reason="the process that did was ended")
    finally:
        os.close(signs)
        process.kill()
        process.wait()


def _exit_on_hangup() -> None:
    """Let SIGHUP exit with 1 after a traceback of every thread, even if no thread can run Python.

    The handler is C's _exit, which is called with the signal's number, 1. If SIGHUP is ignored, as under nohup, it
    stays ignored.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    libc.signal(signal.SIGHUP, ctypes.cast(libc._exit, ctypes.c_void_p))  # noqa: SLF001 - its name in C
    faulthandler.register(signal.SIGHUP, all_threads=True, chain=True)
