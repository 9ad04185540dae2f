"""The port of documents over the store's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from memory_mcp.domain.documents import (
    Document,
    DocumentChange,
    DocumentState,
    FileChange,
    FileStamp,
    KnownDocument,
    SectionOutline,
    Watch,
)
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState, NewJob, NewJobFile
from memory_mcp.storage.rows import to_micros
from memory_mcp.storage.sqlite.db.connection import Database
from memory_mcp.storage.sqlite.documents import files, jobs, parts, sections, watches


class SqliteDocuments:
    """See `domain.ports.documents.DocumentStore` for what each method promises."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        """Share the memories' file; `now` returns microseconds since 1970."""
        self._database = database
        self._now = now

    async def stamps(self, namespace: str, uris: Sequence[str]) -> Mapping[str, FileStamp]:
        return await self._database.read(lambda db: files.stamps(db, namespace, uris))

    async def files(self, namespace: str, place: str) -> Mapping[str, FileStamp]:
        return await self._database.read(lambda db: files.below(db, namespace, place))

    async def known_documents(self, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
        return await self._database.read(lambda db: files.known(db, namespace, uri, digest))

    async def document(self, document_id: str, namespace: str, *, any_namespace: bool = False) -> Document:
        return await self._database.read(
            lambda db: files.document(db, document_id, namespace, any_namespace=any_namespace)
        )

    async def documents(
        self, namespace: str, after: int, limit: int, *, state: DocumentState | None = None, job: str | None = None
    ) -> list[Document]:
        return await self._database.read(lambda db: files.documents(db, namespace, after, limit, state, job))

    async def outline(self, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
        return await self._database.read(lambda db: sections.outline(db, document_id, offset, limit))

    async def remove_documents(self, document_ids: Sequence[str]) -> int:
        now, left, removed = self._now(), document_ids, 0
        while left:
            gone, left = await self._database.write(partial(parts.remove_some, document_ids=left, now=now))
            removed += gone
        return removed

    async def remove_sections(self, document_id: str, memory_ids: Sequence[str]) -> None:
        now = self._now()
        await self._database.write(lambda db: parts.remove_sections(db, document_id, memory_ids, now))

    async def mark_missing(self, namespace: str, folder: str, since: datetime) -> int:
        now = self._now()
        return await self._database.write(lambda db: files.mark_missing(db, namespace, folder, to_micros(since), now))

    async def create_job(self, new: NewJob, files: Sequence[NewJobFile]) -> IngestJob:
        now = self._now()
        return await self._database.write(lambda db: jobs.create(db, new, files, now))

    async def job(self, job_id: str, namespace: str, *, any_namespace: bool = False) -> IngestJob:
        return await self._database.read(lambda db: jobs.job(db, job_id, namespace, any_namespace=any_namespace))

    async def jobs(self, namespace: str, limit: int) -> list[IngestJob]:
        return await self._database.read(lambda db: jobs.jobs(db, namespace, limit))

    async def unfinished_job(self) -> IngestJob | None:
        return await self._database.read(jobs.unfinished)

    async def job_files(self, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
        return await self._database.read(lambda db: jobs.job_files(db, job_id, state, after, limit))

    async def job_content(self, job_id: str, place: int) -> FileContent | None:
        return await self._database.read(lambda db: jobs.content(db, job_id, place))

    async def advance_job(self, job_id: str, state: JobState, error: str | None = None) -> IngestJob:
        now = self._now()
        return await self._database.write(lambda db: jobs.advance(db, job_id, state, error, now))

    async def add_sections(self, job_id: str, change: FileChange, documents: Sequence[DocumentChange]) -> None:
        now = self._now()
        await self._database.write(lambda db: jobs.add_sections(db, job_id, change, documents, now))

    async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
        now = self._now()
        return await self._database.write(lambda db: jobs.put_files(db, job_id, files, now))

    async def add_watch(self, path: str, namespace: str, tags: Sequence[str], asked_by: str) -> Watch:
        now = self._now()
        return await self._database.write(lambda db: watches.add(db, path, namespace, tags, asked_by, now))

    async def watches(self, namespace: str | None) -> list[Watch]:
        return await self._database.read(lambda db: watches.watches(db, namespace))

    async def remove_watch(self, watch_id: str, namespace: str | None) -> Watch:
        return await self._database.write(lambda db: watches.remove(db, watch_id, namespace))
