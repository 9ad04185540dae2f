"""What makes a daemon give up, so that its supervisor brings a fresh one."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from embedder_daemon import logs
from embedder_daemon.errors import SocketLostError, StalledError
from embedder_daemon.runtime import endpoint, freeze_guard
from embedder_daemon.runtime.lifecycle import Lifecycle
from embedder_daemon.scheduler.scheduler import Scheduler

_SOCKET_EVERY_S: Final = 2.0
_TICKS: Final = 10  # looks within the time that a stall may last


async def until_stalled(scheduler: Scheduler, lifecycle: Lifecycle, limit_s: float) -> StalledError:
    """Return the reason as soon as texts waited so long without any progress, or a sleeping model was not there.

    Looks are counted, and not seconds: a process that was frozen for hours was looked at once meanwhile.
    """
    tick_s = limit_s / _TICKS
    stalled = waking = 0
    while max(stalled, waking) < _TICKS - 1:  # there is something to see from the second tick on
        await asyncio.sleep(tick_s)
        stalled = stalled + 1 if scheduler.stalled_s() >= tick_s else 0
        waking = waking + 1 if lifecycle.waking_s() >= tick_s else 0
    if waking > stalled:
        return StalledError(f"the model was not loaded again within {limit_s:g} s: loading it hangs")
    return StalledError(f"no text was computed for {limit_s:g} s while some waited: the model hangs")


async def until_lost(path: Path, socket: endpoint.Identity) -> SocketLostError:
    """Return the reason as soon as our socket is gone, or another's is in its place."""
    while endpoint.stands(path, socket):  # noqa: ASYNC110 - a file that goes sets no event
        await asyncio.sleep(_SOCKET_EVERY_S)
    return SocketLostError(f"the socket {path} was removed or replaced: keep cleaners away from its folder")


async def against_freezing(limit_s: float) -> None:
    """Let the process end (code 1) when this event loop got no turn for so long: a library holds Python's lock.

    A process of its own sees to it; every thread's place is written to stderr. Cancelling ends the threat. It returns
    only when nobody watches any more.
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
            with contextlib.suppress(BlockingIOError):  # it is stopped, and signs enough wait for it
                os.write(signs, b".")
            await asyncio.sleep(limit_s / freeze_guard.TICKS)
    except BrokenPipeError:
        logs.get().warning("nobody watches over the event loop", reason="the process that did was ended")
    finally:
        os.close(signs)
        process.kill()
        process.wait()


def _exit_on_hangup() -> None:
    """Let SIGHUP end this process with 1, after a traceback of every thread, though no thread of it can run Python.

    C's own _exit is the handler: it is called with the number of the signal, which is 1. Where SIGHUP is ignored, as
    under nohup, it stays so.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    libc.signal(signal.SIGHUP, ctypes.cast(libc._exit, ctypes.c_void_p))  # noqa: SLF001 - its name in C
    faulthandler.register(signal.SIGHUP, all_threads=True, chain=True)
