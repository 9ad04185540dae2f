"""Fixtures that start the installed front, as a client does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.daemonkit import Process
from tests.e2e.client import Json, RawClient
from tests.e2e.forking import Forks
from tests.e2e.web import WebFront
from tests.fakes.daemon import FakeDaemon

FRONT = Path(sys.executable).with_name("memory-mcp")

Started = Callable[..., Awaitable["asyncio.subprocess.Process"]]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Json:
        """What `--json` printed."""
        parsed: Json = json.loads(self.out)
        return parsed


Command = Callable[..., Awaitable[Ended]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="mm-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def daemon(folder: Path) -> AsyncIterator[FakeDaemon]:
    """Start the fake daemon."""
    async with FakeDaemon(folder / "e.sock") as fake:
        yield fake


@pytest.fixture
def start_daemon(folder: Path) -> Iterator[Callable[..., Process]]:
    """Start real daemons, each a process, and end those that are left."""
    started: list[Process] = []

    def run(engine: str, **more: str) -> Process:
        started.append(Process(folder, "--engine", engine, EMBEDDER_LOG_FORMAT="json", **more))
        return started[-1]

    yield run
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """Return the front's environment: its own files, and nothing of this machine's user."""
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return measuring | {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "MCP_MEMORY_SQLITE_PATH": str(folder / "memory.db"),
        "MCP_MEMORY_EMBEDDER_ADDRESS": f"unix:{folder}/e.sock",
        "MCP_MEMORY_BREAKER_OPEN_S": "0.3",
    }


@pytest.fixture
async def start(folder: Path, environment: dict[str, str]) -> AsyncIterator[Callable[..., RawClient]]:
    """Start fronts, and end those that are left."""
    started: list[RawClient] = []

    def run(log: Path | None = None, **more: str) -> RawClient:
        client = RawClient([str(FRONT), "serve"], environment | more, log)
        started.append(client)
        return client

    yield run
    for client in started:
        await client.end()


@pytest.fixture
async def client(start: Callable[..., RawClient]) -> RawClient:
    """Start a front and shake hands."""
    client = start()
    await client.initialize()
    return client


@pytest.fixture
async def begin(environment: dict[str, str]) -> AsyncIterator[Started]:
    """Start commands, and end those that are left."""
    started: list[asyncio.subprocess.Process] = []

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        started.append(
            await asyncio.create_subprocess_exec(
                str(FRONT), *arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
            )
        )
        return started[-1]

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Start an interpreter that runs commands in forks of itself, once for all tests of this process."""
    made = Forks()
    yield made
    made.close()


@pytest.fixture
def command(forks: Forks, environment: dict[str, str]) -> Command:
    """Run commands to their end."""

    async def run(*arguments: str, stdin: str = "") -> Ended:
        given = stdin.encode("utf-8", "surrogateescape")
        done = await asyncio.to_thread(forks.run, arguments, environment, stdin=given)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def serve(folder: Path, environment: dict[str, str]) -> Iterator[Callable[..., WebFront]]:
    """Start fronts that serve HTTP, and end those that are left."""
    started: list[WebFront] = []

    def run(*arguments: str, **more: str) -> WebFront:
        started.append(WebFront(FRONT, environment | more, folder, *arguments))
        return started[-1]

    yield run
    for front in started:
        front.end()
