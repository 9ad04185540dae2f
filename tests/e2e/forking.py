"""Runs commands of the front to their end, each in a fork of an interpreter that has imported it (`fork_server.py`)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.fork_server import LONGEST

ENDED_S = 60.0


class Forks:
    """One such interpreter."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LONGEST)
        number = str(theirs.fileno())
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.fork_server", number], pass_fds=[theirs.fileno()]
            )
        self._threads = ThreadPoolExecutor(16)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: bytes = b"",
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end.

        Raises:
            TimeoutError: it takes longer than a minute; it is killed.
        """
        asked = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder or Path.cwd())}
        request = json.dumps(asked).encode()
        assert len(request) < LONGEST, "start a process of its own for so long a command line"
        (in_, to_stdin), (from_stdout, out), (from_stderr, err), (from_status, status) = (os.pipe() for _ in range(4))
        theirs = [in_, out, err, status]
        try:
            socket.send_fds(self._control, [request], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        reading = [self._threads.submit(_read, descriptor) for descriptor in (from_stdout, from_stderr)]
        writing = self._threads.submit(_write, to_stdin, stdin)
        with open(from_status, encoding="ascii") as told:  # noqa: PTH123 - a descriptor
            command = int(told.readline())
            ending = self._threads.submit(told.read)
            try:
                code = int(ending.result(ENDED_S))
            except TimeoutError:
                os.kill(command, signal.SIGKILL)
                raise
        writing.result()
        stdout, stderr = (part.result(ENDED_S) for part in reading)
        return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)

    def text(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command that reads nothing; what it writes is UTF-8."""
        done = self.run(arguments, environment)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._server.wait(ENDED_S)
        self._threads.shutdown()


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        return file.read()


def _write(descriptor: int, content: bytes) -> None:
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
    except BrokenPipeError:  # the command does not read all of it
        pass
