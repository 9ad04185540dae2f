"""Two stores that are told the same answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings

from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.repository import SqliteStore
from tests.contracts.operations import Answer, Operation, answers, histories
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore


async def _told(store: Store, history: list[Operation]) -> list[Answer]:
    try:
        return await answers(store, history)
    finally:
        await store.close()


@settings(max_examples=50, deadline=None)
@given(history=histories)
def test_the_file_and_the_fake_agree(history: list[Operation]) -> None:
    """After any history of writes, both stores give the same memories, revisions, pages, scores and queues."""
    with tempfile.TemporaryDirectory() as folder:
        of_file = asyncio.run(_told(SqliteStore(Path(folder) / "m.db", FakeClock()), history))
        of_fake = asyncio.run(_told(FakeStore(FakeClock()), history))
    assert of_file == of_fake
