"""All ports of a store together: two stores that are told the same answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings

from memory_mcp.domain.ports import Store
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.operations import Operation, answers, histories
from tests.contracts.shelf import after_a_crash
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore


async def _same(store: Store) -> Store:
    return store


@settings(max_examples=50)
@given(history=histories)
def test_the_file_and_the_fake_agree(history: list[Operation]) -> None:
    """After any history with crashes, both stores give the same memories, revisions, scores, spaces and changes."""
    with tempfile.TemporaryDirectory() as folder:
        of_file = asyncio.run(answers(SqliteStore(Path(folder) / "m.db", FakeClock()), history, after_a_crash))
        of_fake = asyncio.run(answers(FakeStore(FakeClock()), history, _same))
    assert of_file == of_fake
