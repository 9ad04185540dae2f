"""The port Documents: large files, whose documents are partial until all of them is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from memory_mcp.domain.documents import DocumentChange, DocumentState, FileChange
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.jobs import JobFile, JobFileState, JobState
from memory_mcp.domain.ports import DocumentStore, Store, SupportsDocuments
from tests.contracts.library import changed, ingest, queued, sections_of, stamp, texts_of
from tests.contracts.shelf import HERE, faults, listed
from tests.fakes.clock import FakeClock

ABC = ("alpha one", "beta two", "gamma three")
URI = "file:///a.txt"


@pytest.fixture
async def documents(store: Store, clock: FakeClock) -> DocumentStore:
    """Give the documents of a store, in which time has begun."""
    clock.advance(1_000)
    assert isinstance(store, SupportsDocuments)
    return store.documents


def new_of(change: FileChange, first: int, end: int) -> list[DocumentChange]:
    """Return the first document with some of its new sections."""
    assert change.documents is not None
    document = change.documents[0]
    new = [section for section in document.sections or () if section.kept is None]
    return [replace(document, sections=new[first:end])]


async def finish(documents: DocumentStore, job_id: str, digest: str, *texts: str) -> None:
    """Write the file as it is after its parts."""
    change = await changed(documents, URI, digest, texts)
    await documents.put_files(job_id, [(JobFile(0, URI, JobFileState.DONE), change)])


async def test_a_new_file_comes_part_by_part(store: Store, documents: DocumentStore) -> None:
    """Until its last part the document says that it is partial, and the file is read again; its memories stay."""
    job = await queued(documents, URI)
    change = await changed(documents, URI, "d1", ABC, tags=["red"])
    await documents.add_sections(job.id, change, new_of(change, 0, 1))
    [document] = await documents.documents("here", 0, 10)
    assert (document.state, document.uri, document.title) == (DocumentState.PARTIAL, URI, f"Title of {URI}")
    assert await texts_of(store, document) == ["alpha one"]
    assert await documents.stamps("here", [URI]) == {}
    assert (await documents.files("here", URI))[URI] != stamp("d1")
    await documents.add_sections(job.id, change, new_of(change, 1, 3))
    before = await sections_of(store, document)
    assert [(memory.content, memory.tags) for memory in before] == [(text, ("red",)) for text in ABC]
    assert await faults(store) == []
    await finish(documents, job.id, "d1", *ABC)
    [whole] = await documents.documents("here", 0, 10)
    assert (whole.id, whole.state, whole.error, whole.stamp) == (document.id, DocumentState.OK, None, stamp("d1"))
    assert await sections_of(store, whole) == before
    assert await faults(store) == []


async def test_a_changed_file_keeps_its_document_meanwhile(store: Store, documents: DocumentStore) -> None:
    """The new sections stand behind the old ones, then in their place; what is gone goes part by part too."""
    [document] = await ingest(documents, URI, "d1", ABC)
    kept = (await sections_of(store, document))[0].id
    job = await queued(documents, URI)
    change = await changed(documents, URI, "d2", ("delta four", "alpha one", "epsilon five"))
    await documents.add_sections(job.id, change, new_of(change, 0, 2))
    [partial] = await documents.documents("here", 0, 10)
    assert (partial.id, partial.state, partial.stamp) == (document.id, DocumentState.PARTIAL, stamp("d1"))
    assert await texts_of(store, partial) == [*ABC, "delta four", "epsilon five"]
    assert await faults(store) == []
    gone = [memory.id for memory in await sections_of(store, partial) if memory.content in ABC[1:]]
    await documents.remove_sections(document.id, gone)
    await finish(documents, job.id, "d2", "delta four", "alpha one", "epsilon five")
    [whole] = await documents.documents("here", 0, 10)
    assert (whole.id, whole.state) == (document.id, DocumentState.OK)
    assert await texts_of(store, whole) == ["delta four", "alpha one", "epsilon five"]
    assert (await sections_of(store, whole))[1].id == kept
    assert await faults(store) == []


async def test_what_is_broken_off_is_put_right_by_the_next_reading(store: Store, documents: DocumentStore) -> None:
    """A cancelled job leaves its parts; a file that is as it was before takes nothing over from them."""
    await ingest(documents, URI, "d1", ABC)
    job = await queued(documents, URI)
    change = await changed(documents, URI, "d2", ("alpha one", "delta four"))
    await documents.add_sections(job.id, change, new_of(change, 0, 1))
    await documents.advance_job(job.id, JobState.CANCELLED)
    await documents.add_sections(job.id, change, new_of(change, 0, 1))
    assert sorted(await listed(store)) == sorted([*ABC, "delta four"])
    [document] = await ingest(documents, URI, "d1", ABC)
    assert (document.state, await texts_of(store, document)) == (DocumentState.OK, list(ABC))
    assert await faults(store) == []


async def test_parts_of_a_removed_document_are_not_written(store: Store, documents: DocumentStore) -> None:
    """Its user removed it while its file was read."""
    [document] = await ingest(documents, URI, "d1", ABC)
    job = await queued(documents, URI)
    change = await changed(documents, URI, "d2", ("delta four",))
    assert await documents.remove_documents([document.id]) == 1
    with pytest.raises(ConflictError):
        await documents.add_sections(job.id, change, new_of(change, 0, 1))
    assert await listed(store) == []
    assert await faults(store) == []


async def test_parts_of_a_file_that_another_has_finished_are_not_written(
    store: Store, documents: DocumentStore
) -> None:
    """A process that was suspended goes on with what it knew; it neither doubles the file nor makes it partial."""
    job = await queued(documents, URI)
    change = await changed(documents, URI, "d1", ABC)
    await documents.add_sections(job.id, change, new_of(change, 0, 1))
    [document] = await ingest(documents, URI, "d1", ABC)
    with pytest.raises(ConflictError):
        await documents.add_sections(job.id, change, new_of(change, 1, 3))
    [whole] = await documents.documents("here", 0, 10)
    assert (whole.id, whole.state, await texts_of(store, whole)) == (document.id, DocumentState.OK, list(ABC))
    assert await faults(store) == []


async def test_a_document_whose_sections_are_purged_is_read_again(
    store: Store, documents: DocumentStore, clock: FakeClock
) -> None:
    """As one is whose sections are deleted; what is deleted of one that has others stays deleted."""
    [document] = await ingest(documents, URI, "d1", ABC)
    first, *others = [memory.id for memory in await sections_of(store, document)]
    await store.delete([first], HERE, dry_run=False)
    clock.advance(10)
    assert await store.purge(datetime.fromtimestamp(clock() - 1, UTC)) == 1
    assert await documents.stamps("here", [URI]) == {URI: stamp("d1")}
    await store.delete(others, HERE, dry_run=False)
    clock.advance(10)
    assert await store.purge(datetime.fromtimestamp(clock() - 1, UTC)) == 2
    assert await documents.stamps("here", [URI]) == {}
    [known] = await documents.known_documents("here", URI, "d1")
    assert known.is_failed
    [again] = await ingest(documents, URI, "d1", ABC)
    assert (again.id, again.state, await texts_of(store, again)) == (document.id, DocumentState.OK, list(ABC))
    assert await faults(store) == []


async def test_a_large_document_is_removed(store: Store, documents: DocumentStore) -> None:
    """All of it, among others, however many sections it has."""
    texts = [f"word{number} text" for number in range(1_201)]
    await ingest(documents, "file:///small.txt", "d1", ABC)
    await ingest(documents, URI, "d2", texts)
    found = await documents.documents("here", 0, 10)
    assert await documents.remove_documents([*(one.id for one in found), "unknown"]) == 2
    assert await documents.documents("here", 0, 10) == []
    assert await listed(store) == []
    assert await faults(store) == []
