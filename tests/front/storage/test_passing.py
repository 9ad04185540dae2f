"""Reading without a trace beside others who open, write and close the file all the time."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from memory_mcp.storage.sqlite.maintenance import inspection
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, put
from tests.front.storage.conftest import Start

WRITTEN = 1_000
WRITING = """
import asyncio, sys
from pathlib import Path
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import put

async def write() -> None:
    for number in range(1_000_000):
        store = SqliteStore(Path(sys.argv[1]))
        await put(store, f"memory {number}")
        await store.close()

asyncio.run(write())
"""


async def test_writers_that_come_and_go_are_no_fault(path: Path, start: Start) -> None:
    """Each read finds what is there: a log that is just made or removed is waited for, and nothing is called locked."""
    store = SqliteStore(path)
    await put(store, "the first")
    await store.close()
    writers = [start(WRITING, path) for _ in range(2)]
    reader, total = SqliteStore(path, read_only=True), 1
    for number in count():
        total, before = (await reader.read(lambda it: it.page(HERE, limit=1, cursor=None))).total, total
        assert total >= before
        assert [writer.poll() for writer in writers] == [None, None]
        if total >= WRITTEN:
            break
        if number % 5 == 0:
            await reader.close()
            reader = SqliteStore(path, read_only=True)
            inspection.written(path, 10, read_only=True)
    await reader.close()
    for writer in writers:
        writer.kill()
        writer.communicate()
