"""The comparison after an import: whatever the store gives back differently is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from memory_mcp.domain.models import Memory, Record, Revision
from memory_mcp.imports.moving import Moved, MovingIn
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.fakes.embedder import FakeEmbedder
from tests.front.test_transfer import make

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
ORIGIN = {"peer": "text", "source_id": "a", "run": "first", "revision": 2}
MEMORY = Memory(
    key=0,
    id="a",
    namespace="home",
    content="Caf\u00e9 at five",
    tags=("x", "y"),
    type="fact",
    metadata={"import": ORIGIN},
    conversation_id="talk",
    created_at=AT,
    updated_at=AT,
    revision=2,
    embedded=False,
)
RECORD = Record(MEMORY, (Revision(1, "Caf\u00e9 at four", ("x",), "fact", {}, AT),))
DAMAGE = {
    "content": "UPDATE memories SET content = 'Cafe at five'",
    "tags": "DELETE FROM tags WHERE tag = 'x'",
    "type": "UPDATE memories SET type = 'note'",
    "metadata": "UPDATE memories SET metadata = json_set(metadata, '$.more', 1)",
    "conversation_id": "UPDATE memories SET conversation_id = NULL",
    "created_at": "UPDATE memories SET created_at = created_at + 1",
    "updated_at": "UPDATE memories SET updated_at = updated_at - 3600000000",
    "revision": "UPDATE memories SET revision = 3",
}
DAMAGED_HISTORY = {
    "content": "UPDATE revisions SET content = 'Cafe at four'",
    "tags": "UPDATE revisions SET tags = '[]'",
    "type": "UPDATE revisions SET type = 'note'",
    "metadata": """UPDATE revisions SET metadata = '{"more": 1}'""",
    "updated_at": "UPDATE revisions SET updated_at = updated_at - 1",
    "everything": "DELETE FROM revisions",
}


async def stream(*records: Record) -> AsyncIterator[Record]:
    """Yield records."""
    for record in records:
        yield record


def ignored(_: int) -> None:
    """Show no progress."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the store is."""
    return tmp_path / "memory.db"


@pytest.fixture
async def moving(path: Path) -> AsyncIterator[MovingIn]:
    """Import the record into a store."""
    store = SqliteStore(path)
    indexer = Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=20)
    made = MovingIn(make(store), Memories(store, indexer, on_pending=lambda: None))
    moved = await made.store(stream(RECORD), ignored)
    assert (moved.created, moved.done) == (1, 1)
    yield made
    await store.close()


async def compared(moving: MovingIn, *records: Record) -> list[str]:
    """Return the differences."""
    moved = Moved()
    await moving.verify(stream(*records), moved, ignored)
    return moved.differences


async def test_what_arrived_is_no_difference(moving: MovingIn) -> None:
    """Nor is another run's number, or another spelling of the same text and tags."""
    other_run = replace(MEMORY, metadata={"import": {**ORIGIN, "run": "second"}})
    respelled = replace(MEMORY, content="Cafe\u0301 at five", tags=("Y", "X"))
    for memory in (MEMORY, other_run, respelled):
        assert await compared(moving, replace(RECORD, memory=memory)) == []


@pytest.mark.parametrize("name", DAMAGE)
async def test_each_difference_is_named(moving: MovingIn, path: Path, name: str) -> None:
    """By the one field that the store gives back differently."""
    with apsw.Connection(str(path)) as db:
        db.execute(DAMAGE[name])
    assert await compared(moving, RECORD) == [f"a: it differs in {name}"]


@pytest.mark.parametrize("name", DAMAGED_HISTORY)
async def test_each_field_of_the_history_is_compared(moving: MovingIn, path: Path, name: str) -> None:
    """As those of the memory itself."""
    with apsw.Connection(str(path)) as db:
        db.execute(DAMAGED_HISTORY[name])
    assert await compared(moving, RECORD) == ["a: it differs in history"]


async def test_other_tags_of_the_source_are_a_difference_in_tags_alone(moving: MovingIn) -> None:
    """Not in the digest of the tags that were imported, which is ours."""
    fewer = replace(MEMORY, tags=("x",), metadata={"import": {**ORIGIN, "tags": "another digest"}})
    assert await compared(moving, replace(RECORD, memory=fewer)) == ["a: it differs in tags"]


async def test_what_is_not_there_is_a_difference(moving: MovingIn) -> None:
    """In this namespace: one in another does not stand for it."""
    elsewhere = replace(RECORD, memory=replace(MEMORY, namespace="work"))
    assert await compared(moving, RECORD, elsewhere) == ["a: it is not stored"]
