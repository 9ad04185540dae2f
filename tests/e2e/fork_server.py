"""A process that has imported the front once, and runs each command in a fork of itself.

A command takes 0.6 s of processor to import what it uses, a fork a twentieth of that. What the tests of starting,
importing and encodings are about needs an interpreter of its own: they start the installed program.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from memory_mcp import app, cli
from memory_mcp.__main__ import main

LONGEST = 1 << 17
"""Bytes of a request, arguments and environment together."""


def _import_all() -> None:
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"{cli.__name__}.{module.name}")
    for name in ("search.pipeline", "storage.factory", "storage.sqlite.store", "embedder.client", "tools"):
        importlib.import_module(f"{app.__package__}.{name}")


def _stream(number: int, name: str, errors: str) -> io.TextIOWrapper:
    """Open a standard stream as Python does."""
    raw = io.FileIO(number, "w" if number else "r", closefd=False)
    raw.name = name  # as Python calls its own
    buffered = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
    return io.TextIOWrapper(buffered, encoding="utf-8", errors=errors, line_buffering=number == 2)


def _become(request: dict[str, object], descriptors: list[int]) -> None:
    """Take on what a process of its own would have been started with."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    environment, arguments, folder = request["environment"], request["arguments"], request["folder"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    time.tzset()
    os.chdir(str(folder))
    sys.argv = ["memory-mcp", *arguments]
    sys.path[:0] = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.stdin = _stream(0, "<stdin>", "surrogateescape")
    sys.stdout = _stream(1, "<stdout>", "surrogateescape")
    sys.stderr = _stream(2, "<stderr>", "backslashreplace")


def _is_command(control: socket.socket, message: bytes, descriptors: list[int]) -> bool:
    """Fork twice: between us and the command stands what waits for it. Return whether we are the command."""
    *standard, status = descriptors
    if os.fork():
        for descriptor in descriptors:
            os.close(descriptor)
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if command := os.fork():
        for descriptor in standard:
            os.close(descriptor)
        os.write(status, f"{command}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        os.write(status, str(code).encode())
        os.kill(os.getpid(), signal.SIGKILL)  # nothing of the server's is to run here
    control.close()
    os.close(status)
    _become(json.loads(message), standard)
    return True


def _run() -> None:
    """Run the command and end as Python does, without taking the modules down: that takes longer than most commands."""
    code: str | int | None = None
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    threading._shutdown()  # type: ignore[attr-defined]  # Python's own end has no other name
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it, or the command has closed it
            stream.flush()
    os._exit(code if isinstance(code, int) else bool(code))


def serve(control: socket.socket) -> None:
    """Run a command for each request until the other end is closed."""
    _import_all()
    gc.freeze()  # a collection in a fork would copy all pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what waits
    while True:
        message, descriptors, *_ = socket.recv_fds(control, LONGEST, 4)
        if not message:
            return
        if _is_command(control, message, descriptors):
            _run()


if __name__ == "__main__":
    with suppress(ConnectionResetError):
        serve(socket.socket(fileno=int(sys.argv[1])))
