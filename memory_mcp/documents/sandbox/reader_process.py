"""`python -I -m memory_mcp.documents.sandbox.reader_process SOCKET READER [FOLDER…]`: forks a child for each document.

It imports every reader once, so that a document costs a fork and not a Python. It has no thread, because of the fork,
and never looks at a document itself: what it reads comes from the front, through the socket that it inherits. It ends
when the front closes that socket, or dies.

READER is `module:function`; the FOLDERs, of tests, are looked into for modules too.
"""

from __future__ import annotations

import contextlib
import encodings
import gc
import importlib
import os
import pkgutil
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from typing import Final, NoReturn, cast

from memory_mcp.documents.readers.model import DocumentReader
from memory_mcp.documents.sandbox import child, control
from memory_mcp.documents.sandbox.control import Ended, Greeting, Layers, ReadingLimits, ReadRequest

_WATCHES_MEMORY: Final = sys.platform == "darwin"
"""Whether to look at the children's memory: the system refuses them none."""
_LOOK_S: Final = 0.2
"""How often."""
_IMPORTED_LATE: Final = ("_strptime", "email.generator", "email.policy", "heapq", "linecache", "locale", "stringprep")
"""What the standard library imports when one of its functions is first called, and what readers call."""
_FAILED: Final = 70
"""A child's exit code for a bug of ours, such as a box that does not close."""


def main() -> None:
    """Serve the front at the other end of the socket."""
    number, reader, *folders = sys.argv[1:]
    sys.path += folders
    connection = socket.socket(fileno=int(number))
    os.set_inheritable(connection.fileno(), False)  # noqa: FBT003 - it has no name
    read, trouble = _reader(reader)
    connection.sendall(control.packed(Greeting(_probed(), trouble)))
    if not read:
        return
    _import_the_rest()
    gc.collect()
    gc.freeze()  # so that a child's collection does not copy what both share
    _Parent(connection, read).serve()


def _reader(name: str) -> tuple[DocumentReader | None, str]:
    """Return the function that reads; if there is none, why."""
    module, _, function = name.partition(":")
    try:
        return cast("DocumentReader", getattr(importlib.import_module(module), function)), ""
    except (ImportError, AttributeError) as error:
        return None, f"the readers of documents cannot be imported ({error}); install memory-mcp[documents]"


def _import_the_rest() -> None:
    """Do what a child could not: import the codecs, read the time zone, map memory for callbacks of ctypes."""
    for module in pkgutil.iter_modules(encodings.__path__):
        with contextlib.suppress(ImportError):  # those of another system
            importlib.import_module(f"encodings.{module.name}")
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    time.tzset()
    import ctypes  # noqa: PLC0415 - for the callbacks of libraries

    ctypes.CFUNCTYPE(None)(int)


def _probed() -> Layers:
    """Close the box around a child, and return the layers that it reports; none where it fails."""
    ours, theirs = os.pipe()
    parent = os.getpid()
    if (pid := os.fork()) == 0:
        with _leaving():
            layers = child.box(ReadingLimits(), parent)
            os.write(theirs, control.packed(Greeting(layers)))
    os.close(theirs)
    said = os.read(ours, control.MAX_MESSAGE)
    os.close(ours)
    os.waitpid(pid, 0)
    return control.greeting(said[control.LENGTH.size :]).layers if said else Layers()


class _leaving:  # noqa: N801 - a context manager
    """Ends a forked child without running what its parent has put off to its own end."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> NoReturn:
        os._exit(_FAILED if kind else 0)


@dataclass(frozen=True, slots=True)
class _Child:
    number: int
    memory_bytes: int
    over_memory: bool = False


class _Parent:
    """The loop between the front and the children."""

    def __init__(self, connection: socket.socket, read: DocumentReader) -> None:
        self._connection = connection
        self._read = read
        self._children: dict[int, _Child] = {}
        """By process id."""

    def serve(self) -> None:
        """Fork and reap until the front is gone."""
        waking, woken = socket.socketpair()
        for each in (waking, woken):
            each.settimeout(0)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(waking, selectors.EVENT_READ)
            while self._is_served(selector, waking):
                pass
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _is_served(self, selector: selectors.BaseSelector, waking: socket.socket) -> bool:
        """Wait for something to do, and do it; return whether the front is still there."""
        watches = _WATCHES_MEMORY and self._children
        ready = {key.fileobj for key, _ in selector.select(_LOOK_S if watches else None)}
        if waking in ready:
            waking.recv(control.MAX_MESSAGE)
        try:
            self._reap()
            if watches:
                self._kill_the_large()
            return self._connection not in ready or self._has_heard()
        except ConnectionError:  # the front died
            return False

    def _has_heard(self) -> bool:
        """Take one message from the front; return whether there was one."""
        message, descriptors = control.receive(self._connection)
        if not message:
            return False
        said = control.request(message)
        if isinstance(said, ReadRequest):
            self._begin(said, *descriptors)
        for pid, each in self._children.items():
            if each.number == said:
                os.kill(pid, signal.SIGKILL)
        return True

    def _begin(self, request: ReadRequest, document: int, pipe: int) -> None:
        pid = os.fork()
        if pid == 0:
            with _leaving():
                signal.set_wakeup_fd(-1)
                child.run(request, document, pipe, self._read)
        os.close(document)
        os.close(pipe)
        self._children[pid] = _Child(request.number, request.limits.memory_bytes)

    def _reap(self) -> None:
        """Tell the front of each child that has ended."""
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            ended = self._children.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            cpu_s = usage.ru_utime + usage.ru_stime
            said = Ended(ended.number, max(0, -code), max(0, code), cpu_s, ended.over_memory)
            self._connection.sendall(control.packed(said))

    def _kill_the_large(self) -> None:
        """Kill the children that use more memory than they may."""
        import psutil  # noqa: PLC0415 - where the system does not refuse more

        for pid, each in self._children.items():
            with contextlib.suppress(psutil.Error):  # it has ended
                if not each.over_memory and psutil.Process(pid).memory_info().rss > each.memory_bytes:
                    self._children[pid] = replace(each, over_memory=True)
                    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
