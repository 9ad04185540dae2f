"""Fixtures of the SQLite store's own tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from memory_mcp.storage.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[3]
"""From here the scripts import what they need, these tests' words among it."""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file in a folder that is not there yet."""
    return tmp_path / "data" / "memories.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """Give a store of that file."""
    made = SqliteStore(path)
    yield made
    await made.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python scripts with pipes, and end those that are left."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        with process:  # closes its pipes and waits
            pass
