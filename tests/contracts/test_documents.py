"""The port Documents: what files hold, section by section."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.documents import (
    DocumentChange,
    DocumentState,
    FileChange,
    SectionDraft,
    SectionPlace,
    matched,
)
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import DOCUMENT, Change, NewMemory, Stored
from memory_mcp.domain.ports import DocumentStore, Store, SupportsDocuments
from tests.contracts.library import changed, filled, ingest, sections_of, stamp, texts_of, write
from tests.contracts.shelf import HERE, events, faults, listed, near, put, whole, worded
from tests.fakes.clock import FakeClock

ABC = ("alpha one", "beta two", "gamma three")


@pytest.fixture
async def documents(store: Store, clock: FakeClock) -> DocumentStore:
    """Give the documents of a store, in which time has begun."""
    clock.advance(1_000)
    assert isinstance(store, SupportsDocuments)
    return store.documents


async def test_the_sections_of_a_file_are_memories_in_order(store: Store, documents: DocumentStore) -> None:
    """They have the type, the tags and the document for their conversation; words and vectors find them."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC, tags=("red",))
    assert (document.uri, document.uris) == ("file:///a.txt", ("file:///a.txt",))
    assert (document.title, document.media_type, document.pages) == ("Title of file:///a.txt", "text/plain", 3)
    assert (document.state, document.sections, document.tags) == (DocumentState.OK, 3, ("red",))
    assert document.stamp == stamp("d1")
    found = await sections_of(store, document)
    assert [memory.content for memory in found] == list(ABC)
    assert {(memory.type, memory.tags, memory.conversation_id) for memory in found} == {
        (DOCUMENT, ("red",), document.id)
    }
    assert found[0].created_at == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
    statistics = await store.statistics("here", 10)
    assert (statistics.memories, statistics.conversations, statistics.tags) == (3, 0, {"red": 3})
    assert await worded(store, "beta", documents=True) == ["beta two"]
    assert set(await near(store, documents=True)) == set(ABC)
    around = await store.read(lambda it: it.everywhere().neighbours([found[1].key]))
    assert (around[found[1].key].before, around[found[1].key].after) == ((found[0].key,), (found[2].key,))
    assert [(one.memory_id, one.heading, one.page) for one in await documents.outline(document.id, 1, 1)] == [
        (found[1].id, ("beta",), 2)
    ]
    assert await faults(store) == []


async def test_what_did_not_change_keeps_its_memory(store: Store, documents: DocumentStore) -> None:
    """An insertion moves the others by microseconds; what is gone is deleted, and nothing is embedded twice."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    before = {memory.content: memory for memory in await sections_of(store, document)}
    [again] = await ingest(documents, "file:///a.txt", "d2", ("alpha one", "pending new", "gamma three", "alpha one"))
    after = await sections_of(store, again)
    assert again.id == document.id
    assert [memory.content for memory in after] == ["alpha one", "pending new", "gamma three", "alpha one"]
    assert [memory.id == getattr(before.get(memory.content), "id", "") for memory in after] == [
        True,
        False,
        True,
        False,
    ]
    assert [memory.embedded for memory in after] == [True, False, True, True]
    assert after[2].created_at - before["gamma three"].created_at == timedelta(0)
    assert [passage.content for passage in await store.pending(10)] == ["pending new"]
    assert (await store.deleted(before["beta two"].id, "here")).content == "beta two"
    around = await store.read(lambda it: it.everywhere().neighbours([after[1].key]))
    assert around[after[1].key].before == (after[0].key,)
    assert around[after[1].key].after == (after[2].key, after[3].key)
    assert await faults(store) == []


async def test_a_section_that_moves_is_told(store: Store, documents: DocumentStore) -> None:
    """Whoever watches the log hears of a memory whose time changes."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    moved = [memory.id for memory in await sections_of(store, document)]
    generation = await store.generation()
    await ingest(documents, "file:///a.txt", "d2", ("zero", *ABC))
    [told] = [event.memory_ids for event in await events(store, generation) if event.kind == "update"]
    assert list(told) == moved
    assert (await texts_of(store, document))[0] == "zero"


async def test_the_turns_of_a_conversation_keep_their_times(store: Store, documents: DocumentStore) -> None:
    """Times that are told stay, while they grow."""
    moment = datetime(2024, 5, 17, tzinfo=UTC)
    times = [moment, moment, moment + timedelta(hours=1)]
    turns = [SectionDraft(text, created_at=time) for text, time in zip(ABC, times, strict=True)]
    chat = DocumentChange("", None, "application/json", sections=tuple(map(filled, matched((), turns))))
    await write(documents, FileChange("here", "file:///chat.json", stamp("d1"), (), (chat,)))
    [document] = await documents.documents("here", 0, 10)
    assert [memory.created_at - moment for memory in await sections_of(store, document)] == [
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(hours=1),
    ]


async def test_equal_files_are_one_document(store: Store, documents: DocumentStore) -> None:
    """In a namespace, whatever their paths; a namespace knows nothing of another's."""
    await ingest(documents, "file:///b.txt", "d1", ABC)
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    assert document.uris == ("file:///a.txt", "file:///b.txt")
    [other] = await ingest(documents, "file:///a.txt", "d1", ABC, namespace="there")
    assert other.id != document.id
    assert len(await listed(store)) == 3
    with pytest.raises(NotFoundError):
        await documents.document(document.id, "there")
    assert (await documents.document(document.id, "there", any_namespace=True)).id == document.id


async def test_of_two_equal_files_one_may_change(store: Store, documents: DocumentStore) -> None:
    """It gets a document of its own, and returns to the first one when it becomes equal again."""
    await ingest(documents, "file:///a.txt", "d1", ABC)
    await ingest(documents, "file:///b.txt", "d1", ABC)
    first, second = await ingest(documents, "file:///b.txt", "d2", ("beta two",))
    assert (first.uris, second.uris) == (("file:///a.txt",), ("file:///b.txt",))
    assert await texts_of(store, second) == ["beta two"]
    [left] = await ingest(documents, "file:///b.txt", "d1", ABC)
    assert (left.id, left.uris) == (first.id, ("file:///a.txt", "file:///b.txt"))
    assert sorted(await listed(store)) == sorted(ABC)
    assert await faults(store) == []


async def test_a_file_may_hold_several_documents(store: Store, documents: DocumentStore) -> None:
    """Each has its part in its URI; one that is no longer in the file is removed."""
    one, two = await ingest(documents, "file:///m.mbox", "d1", ["alpha"], ["beta"])
    assert (one.uri, two.uri, two.part) == ("file:///m.mbox", "file:///m.mbox#part-1", "part-1")
    [left] = await ingest(documents, "file:///m.mbox", "d2", ["alpha", "gamma"])
    assert left.id == one.id
    assert sorted(await listed(store)) == ["alpha", "gamma"]
    assert await faults(store) == []


async def test_a_file_that_cannot_be_read_keeps_what_it_had(store: Store, documents: DocumentStore) -> None:
    """Its document says why, and the file is not taken for one that need not be read again."""
    await ingest(documents, "file:///a.txt", "d1", ABC)
    assert await documents.stamps("here", ["file:///a.txt", "file:///b.txt"]) == {"file:///a.txt": stamp("d1")}
    known = await documents.known_documents("here", "file:///a.txt", "d2")
    failed = DocumentChange("", None, "", None, "damaged", "it is damaged; repair it", None)
    await write(documents, FileChange("here", "file:///a.txt", stamp("d2"), known, (failed,)))
    [document] = await documents.documents("here", 0, 10, state=DocumentState.FAILED)
    assert (document.refusal, document.error) == ("damaged", "it is damaged; repair it")
    assert (document.title, document.sections) == ("Title of file:///a.txt", 3)
    assert await documents.stamps("here", ["file:///a.txt"]) == {}
    assert await documents.documents("here", 0, 10, state=DocumentState.OK) == []
    [document] = await ingest(documents, "file:///a.txt", "d3", ABC)
    assert (document.state, document.error) == (DocumentState.OK, None)
    assert await faults(store) == []


async def test_a_file_that_is_gone_is_marked(documents: DocumentStore, clock: FakeClock, store: Store) -> None:
    """Only those of the folder that were not seen; one that comes back under another name is the same document."""
    await ingest(documents, "file:///f/a.txt", "d1", ABC)
    await ingest(documents, "file:///f-b/b.txt", "d2", ["beta"])
    clock.advance(10)
    since = (await write(documents, await changed(documents, "file:///f/c.txt", "d3", ["gamma"]))).created_at
    assert await documents.mark_missing("here", "file:///f", since) == 1
    assert await documents.mark_missing("here", "file:///f", since) == 0
    [missing] = await documents.documents("here", 0, 10, state=DocumentState.MISSING)
    assert missing.uri == "file:///f/a.txt"
    assert await documents.stamps("here", ["file:///f/a.txt"]) == {}
    known = await documents.known_documents("here", "file:///f/renamed.txt", "d1")
    await write(documents, FileChange("here", "file:///f/renamed.txt", stamp("d1"), known, None, ("blue",)))
    renamed = await documents.document(missing.id, "here")
    assert (renamed.uris, renamed.state) == (("file:///f/renamed.txt",), DocumentState.OK)
    assert renamed.tags == ("blue",)
    assert {memory.tags for memory in await sections_of(store, renamed)} == {("blue",)}
    assert await documents.mark_missing("here", "file:///f-b/b.txt", since) == 1
    assert await faults(store) == []


async def test_the_files_below_a_place(documents: DocumentStore, clock: FakeClock) -> None:
    """Its own and deeper ones, as they were read; none that is missing, or of another namespace."""
    for uri in ("file:///f/a.txt", "file:///f/deep/b.txt", "file:///f-b/c.txt", "file:///f"):
        await ingest(documents, uri, f"digest of {uri}", ["alpha"])
    clock.advance(10)
    assert await documents.files("here", "file:///f") == {
        uri: stamp(f"digest of {uri}") for uri in ("file:///f", "file:///f/a.txt", "file:///f/deep/b.txt")
    }
    assert list(await documents.files("here", "file:///f/a.txt")) == ["file:///f/a.txt"]
    assert await documents.files("there", "file:///f") == {}
    since = (await documents.documents("here", 0, 1))[0].updated_at + timedelta(seconds=1)
    await documents.mark_missing("here", "file:///f/deep", since)
    assert list(await documents.files("here", "file:///f/deep")) == []


async def test_a_file_that_is_gone_leaves_its_document_to_an_equal_one(
    documents: DocumentStore, clock: FakeClock
) -> None:
    """A document is there while one of its files is."""
    await ingest(documents, "file:///f/a.txt", "d1", ABC)
    clock.advance(10)
    [document] = await ingest(documents, "file:///g/a.txt", "d1", ABC)
    assert await documents.mark_missing("here", "file:///f", document.updated_at) == 1
    assert (await documents.document(document.id, "here")).uris == ("file:///g/a.txt",)


async def test_removing_deletes_the_sections(store: Store, documents: DocumentStore, clock: FakeClock) -> None:
    """They can be undeleted as memories, and are purged like any other."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    [first, *_] = await sections_of(store, document)
    assert await documents.remove_documents([document.id, "unknown"]) == 1
    assert await documents.documents("here", 0, 10) == []
    assert await listed(store) == []
    assert await documents.stamps("here", ["file:///a.txt"]) == {}
    back = await store.undelete(await store.deleted(first.id, "here"), whole(first.content))
    assert await store.read(lambda it: it.everywhere().section_places([back.key])) == {}
    clock.advance(10)
    assert await store.purge(datetime.fromtimestamp(clock(), UTC)) == 2
    assert await faults(store) == []


async def test_a_section_can_be_deleted_and_undeleted(store: Store, documents: DocumentStore, clock: FakeClock) -> None:
    """It has its place again; once it is purged, the document is one section shorter."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    _, second, third = await sections_of(store, document)
    await store.delete([second.id, third.id], HERE, dry_run=False)
    assert (await documents.document(document.id, "here")).sections == 1
    await store.undelete(await store.deleted(second.id, "here"), whole(second.content))
    assert await texts_of(store, document) == ["alpha one", "beta two"]
    assert await store.read(lambda it: it.everywhere().section_places([second.key, 9_999])) == {
        second.key: SectionPlace(document.id, document.title, document.uri, ("beta",), 2)
    }
    clock.advance(10)
    assert await store.purge(datetime.fromtimestamp(clock(), UTC)) == 1
    assert (await documents.document(document.id, "here")).sections == 2
    assert await faults(store) == []
    [again] = await ingest(documents, "file:///a.txt", "d2", ABC)
    assert again.sections == 3
    assert await faults(store) == []


async def test_a_section_is_no_memorys_duplicate(store: Store, documents: DocumentStore) -> None:
    """The same text in two documents and in a memory are three memories."""
    await ingest(documents, "file:///a.txt", "d1", ["alpha", "alpha"])
    await put(store, "alpha")
    await ingest(documents, "file:///b.txt", "d2", ["alpha"])
    assert await listed(store) == ["alpha"] * 4
    [stored] = await store.add([(NewMemory("alpha", "here"), whole("alpha"))])
    assert isinstance(stored, Stored)
    assert not stored.created


async def test_a_file_that_another_read_meanwhile_is_not_written(store: Store, documents: DocumentStore) -> None:
    """Nothing of the transaction is, and what was compared anew is."""
    stale = await changed(documents, "file:///a.txt", "d1", ABC)
    fresh = await changed(documents, "file:///b.txt", "d2", ["beta"])
    await ingest(documents, "file:///a.txt", "d1", ABC)
    with pytest.raises(ConflictError):
        await write(documents, fresh, stale)
    assert len(await listed(store)) == 3
    await ingest(documents, "file:///a.txt", "d1", ABC)
    [document] = await documents.documents("here", 0, 10)
    edited = await changed(documents, "file:///a.txt", "d3", ABC)
    await store.delete([(await sections_of(store, document))[0].id], HERE, dry_run=False)
    with pytest.raises(ConflictError):
        await write(documents, edited)
    assert await faults(store) == []


async def test_an_edited_section_stays_until_its_file_changes_there(store: Store, documents: DocumentStore) -> None:
    """What a person wrote into a section is not lost to a change elsewhere in the file."""
    [document] = await ingest(documents, "file:///a.txt", "d1", ABC)
    first = (await sections_of(store, document))[0]
    await store.update(first, Change(content="alpha corrected"), whole("alpha corrected"), None)
    await ingest(documents, "file:///a.txt", "d2", ("alpha one", "beta changed"))
    assert await texts_of(store, document) == ["alpha corrected", "beta changed"]
    await ingest(documents, "file:///a.txt", "d3", ("alpha changed", "beta changed"))
    assert await texts_of(store, document) == ["alpha changed", "beta changed"]


async def test_documents_are_listed_page_by_page(documents: DocumentStore) -> None:
    """In the order of arrival; a job lists those of its files."""
    for number in range(3):
        await ingest(documents, f"file:///{number}.txt", f"d{number}", [f"text {number}"])
    first, second = await documents.documents("here", 0, 2)
    [third] = await documents.documents("here", second.key, 2)
    assert [one.uri for one in (first, second, third)] == [f"file:///{number}.txt" for number in range(3)]
    job = await write(documents, await changed(documents, "file:///1.txt", "d9", ["text 9"]))
    assert [one.uri for one in await documents.documents("here", 0, 10, job=job.id)] == ["file:///1.txt"]
