"""Finds running processes: the daemon behind a socket and its lock, and the fronts that have a store open.

This uses psutil instead of a registry of fronts: no file goes stale after `kill -9`, fronts of earlier versions are
found too, and starting a front costs nothing more. Only doctor imports psutil.
"""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from embedder_api.v1.address import is_network, socket_path

from memory_mcp.domain.checks import OTHERS, skipped
from memory_mcp.domain.models import Condition, Finding
from memory_mcp.health.registry import Registry

if TYPE_CHECKING:
    import psutil

MB: Final = 1_000_000


def register(registry: Registry, address: str, store: Path, *, skip: str = "") -> None:
    """Register the checks of a daemon's socket and process, and of the fronts that have a store's file open.

    `skip` says why there is no such file.
    """
    elsewhere = f"{address} leads to daemons on a network" if is_network(address) else ""
    path = Path() if elsewhere else socket_path(address)
    registry.add_blocking("socket", partial(socket, path), skip=elsewhere)
    registry.add_blocking("process", partial(daemon, path), needs=("daemon",), skip=elsewhere)
    registry.add_blocking("fronts", partial(fronts, store), skip=skip)


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process."""

    pid: int
    megabytes: float
    age_s: float
    stopped: bool

    def __str__(self) -> str:
        """Describe the process in a few words."""
        return f"process {self.pid} ({self.megabytes:.0f} MB, {_age(self.age_s)}{', stopped' * self.stopped})"


def _age(seconds: float) -> str:
    units = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0))
    return next((f"{seconds / size:.1f} {unit}" for unit, size in units if seconds >= size), f"{seconds:.0f} s")


def _in_the_way(path: Path) -> Finding | None:
    """Report a file that is not a socket where the daemon should listen."""
    if not path.exists() or path.is_socket():
        return None
    return Finding(Condition.DEGRADED, "blocked", f"{path} is not a socket, so no daemon can listen there", _away(path))


def socket(path: Path, seconds: float) -> Finding:
    """Check the owner of the socket and who can reach it."""
    del seconds  # no call here can be interrupted
    if not path.is_socket():
        return skipped("see daemon")
    found, folder = path.stat(), path.parent.stat()
    if found.st_uid != os.getuid():
        return Finding(Condition.FAILED, "foreign", f"{path} belongs to another user ({found.st_uid})", _away(path))
    for place, mode, wanted in ((path, found.st_mode, "600"), (path.parent, folder.st_mode, "700")):
        if mode & OTHERS:
            cause = f"{place} has mode {stat.S_IMODE(mode):o}, so others on this machine can reach the daemon"
            return Finding(Condition.DEGRADED, "not private", cause, f"chmod {wanted} {shlex.quote(str(place))}")
    return Finding(Condition.OK, "private", detail=f"{path}, accessible to this user only")


def _away(path: Path) -> str:
    return f"move {path} away and start the daemon again"


def obstacle(path: Path) -> Finding | None:
    """Report what visibly keeps a daemon from answering at a socket; None if nothing does."""
    return _in_the_way(path) or _stopped_daemon(path)


def _stopped_daemon(socket: Path) -> Finding | None:
    """Report a daemon that was stopped, for instance by SIGSTOP."""
    found = _daemon(socket)
    if found is None or not found.stopped:
        return None
    return Finding(Condition.DEGRADED, "stopped", f"the daemon, {found}, is suspended", f"kill -CONT {found.pid}")


def daemon(socket: Path, seconds: float) -> Finding:
    """Report how much memory the daemon uses and how long it has been running."""
    del seconds  # no call here can be interrupted
    found = _daemon(socket)
    return (
        Finding(Condition.OK, "running", detail=str(found))
        if found
        else skipped("its lock does not name a running process")
    )


def _daemon(socket: Path) -> ProcessInfo | None:
    """Return the process that wrote its id into the socket's lock; None if it has exited."""
    import psutil  # noqa: PLC0415 - only for doctor

    try:
        process = psutil.Process(int(socket.with_name(f"{socket.name}.lock").read_text(encoding="ascii")))
        is_one = any("embedder" in word for word in process.cmdline())  # the id may have been reused
        return _running(process) if is_one else None
    except (OSError, ValueError, psutil.Error):
        return None


def fronts(store: Path, seconds: float) -> Finding:
    """List the processes of `memory-mcp serve` that have the store open."""
    del seconds  # no call here can be interrupted
    found = list(_fronts(store))
    if stopped := [front for front in found if front.stopped]:
        cause = f"{', '.join(map(str, stopped))} cannot answer and may hold a lock"
        fix = f"kill -CONT {' '.join(str(front.pid) for front in stopped)}, or end its client"
        return Finding(Condition.DEGRADED, "stopped", cause, fix, _told(found))
    return Finding(Condition.OK, "running", detail=_told(found)) if found else skipped("no client has the store open")


def _told(found: Sequence[ProcessInfo]) -> str:
    return f"{len(found)}: {', '.join(map(str, found))}"


def _fronts(store: Path) -> Iterator[ProcessInfo]:
    import psutil  # noqa: PLC0415 - only for doctor

    path = str(store.resolve())
    for process in psutil.process_iter():
        try:
            if is_front(process.cmdline()) and any(file.path == path for file in process.open_files()):
                yield _running(process)
        except psutil.Error:  # it has exited, or belongs to another user
            continue


def is_front(words: Sequence[str]) -> bool:
    """Whether a command line is a front's: Python, our program and, after its options, `serve`."""
    ours = [
        place
        for place, word in enumerate(words)
        if Path(word).name == "memory-mcp" or (word == "memory_mcp" and words[place - 1] == "-m")
    ]
    return bool(ours) and ours[0] > 0 and "serve" in words[ours[0] + 1 :]


def _running(process: psutil.Process) -> ProcessInfo:
    import psutil  # noqa: PLC0415 - only for doctor

    with process.oneshot():
        age_s = max(0.0, time.time() - process.create_time())
        return ProcessInfo(
            process.pid, process.memory_info().rss / MB, age_s, process.status() == psutil.STATUS_STOPPED
        )
