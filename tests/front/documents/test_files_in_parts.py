"""Large files are written in parts, while others write too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory_mcp.documents.prepared import LARGE
from memory_mcp.domain.documents import DocumentState
from memory_mcp.domain.jobs import JobState
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import sections_of, texts_of
from tests.front.documents.ingesting_kit import HERE, Kit
from tests.front.storage.audit import audit

MANY = 2 * LARGE + 100


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """Give a front with a folder."""
    kit = Kit(SqliteStore(tmp_path / "memory.db"), tmp_path / "docs")
    yield kit
    await kit.store.close()
    audit(tmp_path / "memory.db")


def text(*numbers: int) -> str:
    """Return a file with so many sections."""
    return "".join(f"# H{number}\nText {number}\n" for number in numbers)


async def test_a_large_file_keeps_what_did_not_change(kit: Kit) -> None:
    """It is whole at the end, in order; the sections that stay have their memories, and nothing is embedded twice."""
    kit.write("a.md", text(*range(MANY)))
    job = await kit.ingest()
    [document] = await kit.all()
    before = {memory.content: memory.id for memory in await sections_of(kit.store, document)}
    assert (job.sections, document.sections, document.state) == (MANY, MANY, DocumentState.OK)
    kit.embedder.calls.clear()
    kit.write("a.md", text(-1, *range(0, MANY, 2), *range(MANY, MANY + LARGE)))
    job = await kit.ingest()
    [again] = await kit.all()
    assert (again.id, again.state, job.sections) == (document.id, DocumentState.OK, LARGE + 1)
    assert sum(len(texts) for texts, *_ in kit.embedder.calls) == LARGE + 1
    after = await sections_of(kit.store, again)
    expected = [-1, *range(0, MANY, 2), *range(MANY, MANY + LARGE)]
    assert [memory.content for memory in after[:1_000]] == [f"H{n}\n\nText {n}" for n in expected][-1_000:]
    kept = {memory.content: memory.id for memory in after if memory.content in before}
    assert kept.items() <= before.items()


async def test_others_write_between_the_parts_and_a_cancelled_file_is_partial(kit: Kit) -> None:
    """The next job embeds only what is missing."""
    kit.write("a.md", text(*range(MANY)))
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    running = asyncio.create_task(kit.finish(job))
    other = SqliteStore(kit.store.path)
    while not (found := await kit.all()) or found[0].sections < LARGE // 2:
        assert await other.acquire_lease("of another process", "me", 1)
        await asyncio.sleep(0)
    await other.close()
    await kit.ingesting.cancel(job.id, HERE)
    assert (await running).state is JobState.CANCELLED
    [document] = await kit.all()
    assert (document.state, document.error and "ingest it again" in document.error) == (DocumentState.PARTIAL, True)
    assert document.sections < MANY
    again = await kit.ingest()
    assert again.sections == MANY - document.sections
    [whole] = await kit.all()
    assert (whole.id, whole.state, whole.sections) == (document.id, DocumentState.OK, MANY)


async def test_a_document_that_is_removed_while_it_is_written_is_read_anew(kit: Kit) -> None:
    """The job ends with all of it."""
    kit.write("a.md", text(*range(MANY)))
    job = await kit.ingesting.ingest_paths([kit.folder], kit.request())
    running = asyncio.create_task(kit.finish(job))
    while not (found := await kit.all()):
        assert not running.done()
    await kit.ingesting.remove([found[0].id], HERE)
    assert (await running).state is JobState.DONE
    [document] = await kit.all()
    assert (document.state, len(await texts_of(kit.store, document)) > LARGE) == (DocumentState.OK, True)
    assert document.sections == MANY
