"""Short words for tests of documents: files with a text for each section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memory_mcp.domain.documents import (
    Document,
    DocumentChange,
    FileChange,
    FileStamp,
    PlacedSection,
    SectionDraft,
    matched,
)
from memory_mcp.domain.jobs import IngestJob, JobFile, JobFileState, NewJob, NewJobFile
from memory_mcp.domain.models import Filters, Memory
from memory_mcp.domain.ports import DocumentStore, Store
from tests.contracts.shelf import HERE, page_of, towards, whole

NS = HERE.namespace


def stamp(digest: str, modified_ns: int | None = 5_000_000_000) -> FileStamp:
    """Return what a file is."""
    return FileStamp(digest, 100, modified_ns)


def drafts(texts: Sequence[str]) -> list[SectionDraft]:
    """Return sections; the first word is the heading, a text with "pending" in it gets no vector."""
    return [SectionDraft(text, (text.split(maxsplit=1)[0],), page) for page, text in enumerate(texts, 1)]


def filled(section: PlacedSection) -> PlacedSection:
    """Give a new section its vector."""
    if section.kept is not None:
        return section
    content = section.draft.content
    return replace(section, embedded=whole(content, None if "pending" in content else towards(0)))


async def changed(
    documents: DocumentStore,
    uri: str,
    digest: str,
    *contents: Sequence[str],
    namespace: str = NS,
    tags: Sequence[str] = (),
) -> FileChange:
    """Return a file with a document for each list of texts, compared with what is known of it."""
    known = await documents.known_documents(namespace, uri, digest)
    sections = {one.part: one.sections for one in known}
    parts = [f"part-{number}" if number else "" for number in range(len(contents))]
    new = [
        DocumentChange(
            part, f"Title of {uri}", "text/plain", 3, sections=tuple(map(filled, matched(held, drafts(texts))))
        )
        for part, texts in zip(parts, contents, strict=True)
        for held in [sections.get(part, ())]
    ]
    return FileChange(namespace, uri, stamp(digest), known, tuple(new), tuple(tags))


async def queued(documents: DocumentStore, *uris: str, namespace: str = NS) -> IngestJob:
    """Queue a job."""
    return await documents.create_job(NewJob(namespace, (), ("/",)), [NewJobFile(uri) for uri in uris])


async def write(documents: DocumentStore, *changes: FileChange) -> IngestJob:
    """Write files in a job of their own."""
    job = await queued(documents, *(change.uri for change in changes), namespace=changes[0].namespace)
    files = [JobFile(place, change.uri, JobFileState.DONE) for place, change in enumerate(changes)]
    return await documents.put_files(job.id, list(zip(files, changes, strict=True)))


async def ingest(
    documents: DocumentStore,
    uri: str,
    digest: str,
    *contents: Sequence[str],
    namespace: str = NS,
    tags: Sequence[str] = (),
) -> list[Document]:
    """Write a file, and return the documents of its namespace."""
    await write(documents, await changed(documents, uri, digest, *contents, namespace=namespace, tags=tags))
    return await documents.documents(namespace, 0, 100)


async def sections_of(store: Store, document: Document) -> list[Memory]:
    """Return the sections of a document as memories, in the order of the conversation."""
    filters = Filters(document.namespace, conversation_id=document.id)
    return list((await page_of(store, filters, limit=1_000, cursor=None)).memories[::-1])


async def texts_of(store: Store, document: Document) -> list[str]:
    """Return the texts of a document, in order."""
    return [memory.content for memory in await sections_of(store, document)]
