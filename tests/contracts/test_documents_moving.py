"""The port DocumentTransfer: documents leave a store and arrive in another one as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory_mcp.domain.documents import EMPTIED, PARTLY_WRITTEN, DocumentRecord, DocumentState
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.ports import DocumentStore, Store, SupportsDocuments
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.library import NS, changed, ingest, sections_of, stamp, texts_of
from tests.contracts.shelf import HERE, faults, whole
from tests.fakes.clock import FakeClock

ABC = ("alpha one", "beta two", "gamma three")


@pytest.fixture
async def source(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    """Give the store that the documents come from."""
    clock.advance(1_000)
    store = SqliteStore(tmp_path / "source.db", clock)
    yield store
    await store.close()


@pytest.fixture
def documents(store: Store, source: SqliteStore) -> DocumentStore:
    """Give the documents of the store that they go to."""
    del source  # which lets time begin
    assert isinstance(store, SupportsDocuments)
    return store.documents


async def moved(
    source: Store, target: Store, change: Callable[[DocumentRecord], DocumentRecord] = lambda record: record
) -> list[bool | ConflictError]:
    """Move all, memories first."""
    assert isinstance(source, SupportsDocuments)
    assert isinstance(target, SupportsDocuments)
    records = await source.export(0, 1_000)
    await target.import_records([(record, whole(record.memory.content)) for record in records])
    return await target.documents.import_documents(
        [change(record) for record in await source.documents.export_documents(0, 1_000)]
    )


async def test_a_document_arrives_as_it_was(source: SqliteStore, store: Store, documents: DocumentStore) -> None:
    """With its files, its times and the places of its sections; a file that did not change is known as such."""
    await ingest(source.documents, "file:///a.txt", "d1", ABC, ABC[:1], tags=("red",))
    await ingest(source.documents, "file:///b.txt", "d1", ABC, ABC[:1])
    await source.documents.mark_missing(NS, "file:///b.txt", datetime(2100, 1, 1, tzinfo=UTC))
    await ingest(source.documents, "file:///c.txt", "d2", ("other text",))
    assert await moved(source, store) == [True, True, True]
    before, after = await source.documents.documents(NS, 0, 10), await documents.documents(NS, 0, 10)
    assert [replace(one, key=0) for one in after] == [replace(one, key=0) for one in before]
    for one in after:
        there = await source.documents.outline(one.id, 0, 10)
        assert await documents.outline(one.id, 0, 10) == there
    assert [await texts_of(store, one) for one in after] == [list(ABC), ["alpha one"], ["other text"]]
    places = [await store.read(lambda it: it.everywhere().section_places([1, 2, 3, 4, 5])) for store in (source, store)]
    assert [places[0][key] for key in sorted(places[0])] == [places[1][key] for key in sorted(places[1])]
    assert await documents.stamps(NS, ["file:///a.txt"]) == {"file:///a.txt": stamp("d1")}
    known = await source.documents.known_documents(NS, "file:///a.txt", "d1")
    assert [one.sections for one in await documents.known_documents(NS, "file:///a.txt", "d1")] == [
        one.sections for one in known
    ]
    exported = [await one.export_documents(0, 10) for one in (source.documents, documents)]
    assert [replace(one, key=0) for one in exported[0]] == [replace(one, key=0) for one in exported[1]]
    assert await faults(store) == []


async def test_what_is_there_is_left_alone(source: SqliteStore, store: Store, documents: DocumentStore) -> None:
    """Moving again changes nothing, and a document that was edited here stays."""
    await ingest(source.documents, "file:///a.txt", "d1", ABC)
    assert await moved(source, store) == [True]
    before = await documents.documents(NS, 0, 10)
    assert await moved(source, store) == [False]
    assert await documents.documents(NS, 0, 10) == before
    await ingest(source.documents, "file:///a.txt", "d2", ABC[:2])
    assert await moved(source, store) == [False]
    assert await documents.documents(NS, 0, 10) == before


@pytest.mark.parametrize("digest", ["d1", "d2"])
async def test_a_file_that_was_ingested_here_too_is_left_out(
    source: SqliteStore, store: Store, documents: DocumentStore, digest: str
) -> None:
    """In this version or another one; its sections are memories, and the document here is as it was."""
    await ingest(source.documents, "file:///a.txt", "d1", ABC)
    before = await ingest(documents, "file:///a.txt", digest, ABC[:2])
    [outcome] = await moved(source, store)
    assert isinstance(outcome, ConflictError)
    assert await documents.documents(NS, 0, 10) == before
    assert await faults(store) == []


async def test_a_document_without_all_its_sections_is_partial(
    source: SqliteStore, store: Store, documents: DocumentStore
) -> None:
    """The rest has its places, and the file is read again."""
    [document] = await ingest(source.documents, "file:///a.txt", "d1", ABC)
    lost = replace((await source.documents.export_documents(0, 1))[0].sections[1], memory_id="lost")
    outcomes = await moved(
        source,
        store,
        lambda record: replace(record, sections=(record.sections[0], lost, record.sections[2])),
    )
    found = await documents.document(document.id, NS)
    assert (outcomes, found.state, found.error, found.sections) == ([True], DocumentState.PARTIAL, PARTLY_WRITTEN, 2)
    assert await documents.stamps(NS, ["file:///a.txt"]) == {}
    change = await changed(documents, "file:///a.txt", "d1", ABC)
    assert [section.kept is not None for section in (change.documents or ())[0].sections or ()] == [True, False, True]


async def test_one_whose_sections_were_deleted_is_read_again(
    source: SqliteStore, store: Store, documents: DocumentStore
) -> None:
    """As if they had been purged: what was deleted does not move."""
    [document] = await ingest(source.documents, "file:///a.txt", "d1", ABC)
    ids = [memory.id for memory in await sections_of(source, document)]
    await source.documents.remove_sections(document.id, [])  # partial, for the reason that it says
    assert (await source.documents.export_documents(0, 1))[0].error == PARTLY_WRITTEN
    await ingest(source.documents, "file:///a.txt", "d1", ABC)
    for memory_id in ids:
        await source.delete([memory_id], HERE, dry_run=False)
    assert await moved(source, store) == [True]
    found = await documents.document(document.id, NS)
    assert (found.state, found.error, found.sections) == (DocumentState.PARTIAL, EMPTIED, 0)
