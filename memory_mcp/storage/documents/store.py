"""The port of documents over a store's transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from memory_mcp.domain.documents import (
    Document,
    DocumentChange,
    DocumentRecord,
    DocumentState,
    DocumentTitle,
    FileChange,
    FileStamp,
    KnownDocument,
    SectionOutline,
    Watch,
)
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState, NewJob, NewJobFile
from memory_mcp.storage.documents import files, jobs, parts, sections, transfer, watches
from memory_mcp.storage.documents.session import DocumentSession, DocumentTransactions
from memory_mcp.storage.rows import to_micros


class StoredDocuments:
    """See `domain.ports.documents.DocumentStore` for what each method promises."""

    def __init__(self, transactions: DocumentTransactions) -> None:
        """Share the memories' store."""
        self._transactions = transactions

    async def stamps(self, namespace: str, uris: Sequence[str]) -> Mapping[str, FileStamp]:
        return await self._transactions.read(lambda db: files.stamps(db, namespace, uris), namespace)

    async def files(self, namespace: str, place: str) -> Mapping[str, FileStamp]:
        return await self._transactions.read(lambda db: files.below(db, namespace, place), namespace)

    async def known_documents(self, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
        return await self._transactions.read(lambda db: files.known(db, namespace, uri, digest), namespace)

    async def document(self, document_id: str, namespace: str, *, any_namespace: bool = False) -> Document:
        return await self._transactions.read(
            lambda db: files.document(db, document_id, namespace, any_namespace=any_namespace),
            None if any_namespace else namespace,
        )

    async def documents(
        self, namespace: str, after: int, limit: int, *, state: DocumentState | None = None, job: str | None = None
    ) -> list[Document]:
        return await self._transactions.read(
            lambda db: files.documents(db, namespace, after, limit, state, job), namespace
        )

    async def titles(self, namespace: str, before: int | None, limit: int) -> list[DocumentTitle]:
        return await self._transactions.read(lambda db: sections.titles(db, namespace, before, limit), namespace)

    async def outline(self, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
        return await self._transactions.read(lambda db: sections.outline(db, document_id, offset, limit), None)

    async def remove_documents(self, document_ids: Sequence[str]) -> int:
        left, removed = document_ids, 0
        while left:
            gone, left = await self._transactions.write(partial(parts.remove_some, document_ids=left), None)
            removed += gone
        return removed

    async def remove_sections(self, document_id: str, memory_ids: Sequence[str]) -> None:
        await self._transactions.write(lambda db: parts.remove_sections(db, document_id, memory_ids), None)

    async def mark_missing(self, namespace: str, folder: str, since: datetime) -> int:
        return await self._transactions.write(
            lambda db: files.mark_missing(db, namespace, folder, to_micros(since)), namespace
        )

    async def create_job(self, new: NewJob, files: Sequence[NewJobFile]) -> IngestJob:
        return await self._transactions.write(lambda db: jobs.create(db, new, files), None)

    async def job(self, job_id: str, namespace: str, *, any_namespace: bool = False) -> IngestJob:
        return await self._transactions.read(
            lambda db: jobs.job(db, job_id, namespace, any_namespace=any_namespace),
            None if any_namespace else namespace,
        )

    async def jobs(self, namespace: str, limit: int) -> list[IngestJob]:
        return await self._transactions.read(lambda db: jobs.jobs(db, namespace, limit), namespace)

    async def unfinished_job(self) -> IngestJob | None:
        return await self._transactions.read(jobs.unfinished, None)

    async def job_files(self, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
        return await self._transactions.read(lambda db: jobs.job_files(db, job_id, state, after, limit), None)

    async def job_content(self, job_id: str, place: int) -> FileContent | None:
        return await self._transactions.read(lambda db: jobs.content(db, job_id, place), None)

    async def advance_job(self, job_id: str, state: JobState, error: str | None = None) -> IngestJob:
        return await self._transactions.write(lambda db: jobs.advance(db, job_id, state, error), None)

    async def add_sections(self, job_id: str, change: FileChange, documents: Sequence[DocumentChange]) -> None:
        await self._transactions.write(lambda db: jobs.add_sections(db, job_id, change, documents), None)

    async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
        return await self._transactions.write(lambda db: jobs.put_files(db, job_id, files), None)

    async def add_watch(self, path: str, namespace: str, tags: Sequence[str], asked_by: str) -> Watch:
        return await self._transactions.write(lambda db: watches.add(db, path, namespace, tags, asked_by), namespace)

    async def watches(self, namespace: str | None) -> list[Watch]:
        return await self._transactions.read(lambda db: watches.watches(db, namespace), namespace)

    async def remove_watch(self, watch_id: str, namespace: str | None) -> Watch:
        return await self._transactions.write(lambda db: watches.remove(db, watch_id, namespace), namespace)

    async def export_documents(self, after: int, limit: int) -> list[DocumentRecord]:
        return await self._transactions.read(lambda db: transfer.export(db, after, limit), None)

    async def import_documents(self, records: Sequence[DocumentRecord]) -> list[bool | ConflictError]:

        def import_one(db: DocumentSession, record: DocumentRecord) -> bool | ConflictError:
            try:
                return transfer.import_record(db, record)
            except ConflictError as error:  # raised before anything of this document was written
                return error

        return await self._transactions.write(lambda db: [import_one(db, record) for record in records], None)
