"""One file, several processes: some open it together, one holds the lock, one is killed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import apsw
import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.sqlite.db import connection
from memory_mcp.storage.sqlite.db import file as sqlite_file
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import listed, near, put, towards, worded
from tests.front.storage.audit import audit, changes, opened
from tests.front.storage.conftest import Start

TOGETHER, ROUNDS = 4, 15
OPENERS = """
import asyncio, os, sys
from pathlib import Path
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import listed, put, towards

async def main():
    print("ready", flush=True)
    for line in sys.stdin:
        store = SqliteStore(Path(line.strip()))
        await asyncio.gather(put(store, f"by {os.getpid()}", towards(0)), listed(store))
        await store.close()
        print("stored", flush=True)

asyncio.run(main())
"""
HOLDER = """
import sys
from pathlib import Path
from tests.front.storage.audit import opened

with opened(Path(sys.argv[1])) as db:
    db.execute("BEGIN EXCLUSIVE; UPDATE partitions SET memories = memories")
    print("held", flush=True)
    sys.stdin.readline()
    db.execute("COMMIT")
"""


async def test_processes_that_open_a_new_file_together_make_one_schema(path: Path, start: Start) -> None:
    """Whoever comes first runs the migrations once, and every other one waits for it."""
    processes = [start(OPENERS) for _ in range(TOGETHER)]
    files = [path.with_name(f"{number}.db") for number in range(ROUNDS)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for file in files:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{file}\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "stored\n"
    for file in files:
        audit(file)
        store = SqliteStore(file)
        assert sorted(await listed(store)) == sorted(f"by {process.pid}" for process in processes)
        await store.close()
        assert len(changes(file)) == TOGETHER


async def test_reads_go_on_and_writes_wait_for_another_writer(path: Path, store: SqliteStore, start: Start) -> None:
    """While another process holds the write lock every read answers, and a write succeeds once it lets go."""
    await put(store, "first words", towards(0))
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    async with asyncio.timeout(60):
        write = asyncio.create_task(put(store, "second words", towards(1)))
        newcomer = SqliteStore(path)
        for reader in (store, newcomer):
            assert await listed(reader) == await near(reader) == await worded(reader, "words") == ["first words"]
            assert (await reader.findings(None))["store"].state == "open"
        assert not write.done()
        holder.stdin.write("\n")
        holder.stdin.flush()
        await write
        assert await listed(newcomer) == ["second words", "first words"]
        await newcomer.close()


async def test_a_lock_that_is_never_let_go_is_named(path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that waited in vain says that another process holds the file, and works again afterwards."""
    monkeypatch.setattr(connection, "Patience", partial(sqlite_file.Patience, 50))
    store = SqliteStore(path)
    await put(store, "first")
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match="another process has locked") as caught:
        await put(store, "second")
    assert str(path) in str(caught.value)
    assert await listed(store) == ["first"]
    holder.kill()
    holder.wait()
    await put(store, "third")
    assert await listed(store) == ["third", "first"]
    await store.close()


async def test_closing_does_not_wait_for_anothers_lock(path: Path, store: SqliteStore, start: Start) -> None:
    """A front that ends while another process holds the file goes at once; the write that waited is told."""
    await put(store, "text")
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    writing = asyncio.create_task(put(store, "waits"))
    await asyncio.wait([writing], timeout=0.05)
    assert not writing.done()
    async with asyncio.timeout(sqlite_file.BUSY_MS / 2_000):
        await store.close()
    with pytest.raises(StoreError, match="another process has locked"):
        await writing


def test_while_a_store_is_closed_a_search_still_opens_the_file(path: Path) -> None:
    """The last searches outlast the moment in which another connection of the store locks the file to close."""
    sqlite_file.create_private(path)
    closing = apsw.Connection(str(path))
    closing.execute("BEGIN EXCLUSIVE")

    class Ended(sqlite_file.Patience):
        def __call__(self, calls: int) -> bool:
            if calls == 1:
                closing.close()
            return super().__call__(calls)

    patience = Ended()
    patience.end()
    sqlite_file.connect(path, patience).close()


async def test_a_running_front_neither_writes_nor_reads_a_newer_schema(path: Path, store: SqliteStore) -> None:
    """Another front migrated the file: both say to restart, and nothing is written."""
    await put(store, "old")
    with opened(path) as db:
        db.pragma("user_version", 99)
    with pytest.raises(StoreError, match=r"newer memory-mcp .* restart"):
        await put(store, "new")
    with pytest.raises(StoreError, match=r"newer memory-mcp .* restart"):
        await listed(store)
    with opened(path) as db:
        assert db.execute("SELECT content FROM memories").fetchall() == [("old",)]
