"""Processes that write until they are told to end, others that are killed, and what they said."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.front.storage.audit import changes
from tests.front.storage.conftest import Start

OTHER = """
import asyncio, os, sys
from pathlib import Path
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Stored
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, keyword_search, listed, offer, towards

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    try:
        await write(store, ended)
    except StoreError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(3 if "upgrade memory-mcp and restart" in str(error) else 1)

async def write(store, ended):
    for n in range(100_000):
        stored = await offer(store, f"other {sys.argv[2]}{n}", towards(n % 90), id=f"{sys.argv[2]}{n}")
        assert isinstance(stored, Stored) and stored.created
        print("store", stored.id, flush=True)
        await listed(store, limit=5)
        await keyword_search(store, f"other {n}", HERE, 5)
        if ended.done():
            return

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""
"""Stores one memory after the other and looks around, from a line on its stdin until the end of that.

Its prefix begins their ids. It ends with TOO_OLD when a newer version has migrated the file.
"""
TOO_OLD = 3

Told = list[tuple[str, str]]
Others = Mapping[str, subprocess.Popen[str]]
"""By the prefix of their ids."""


def start_others(start: Start, path: Path) -> Others:
    """Start three that will write."""
    return {prefix: start(OTHER, path, prefix) for prefix in "xyz"}


def let_write(others: Others) -> None:
    """Let them begin, when each of them could."""
    for other in others.values():
        assert next_line(other) == "ready"
    for other in others.values():
        go(other)


def go(process: subprocess.Popen[str]) -> None:
    """Let a process go on that waits for a line."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def next_line(process: subprocess.Popen[str]) -> str:
    """Return what the process says next, "" when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def told(lines: str) -> Told:
    """Return (kind, id) of each whole line."""
    return [(kind, of) for kind, of in (line.split() for line in lines.splitlines(keepends=True) if line[-1] == "\n")]


def refused(process: subprocess.Popen[str]) -> Told:
    """Wait until it ends because it is too old, and return what it said that was not read yet."""
    assert process.stdout is not None
    said = told(process.stdout.read())
    assert process.wait() == TOO_OLD
    return said


def ended(process: subprocess.Popen[str]) -> Told:
    """Let it end, and return what it said that was not read yet (`communicate` leaves out what is buffered)."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.close()
        return told(process.stdout.read())


def kill_within(process: subprocess.Popen[str], seconds: float, seed: int) -> None:
    """Kill the process at a moment that the seed chooses, of those in which it probably is at work."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(random.Random(seed).uniform(0, seconds))  # noqa: S311 - the same share at every run
    process.kill()


def logged(path: Path, prefix: str) -> Told:
    """Return what was written of the memories of one process; anyone may embed them."""
    return [(kind, of) for kind, of in changes(path) if of.startswith(prefix) and kind != "embed"]
