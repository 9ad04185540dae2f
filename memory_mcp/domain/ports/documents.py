"""Documents, the jobs that read them, and the folders that are kept current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

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


class Documents(Protocol):
    """Keeps documents; their sections are memories, which change in the same transaction.

    A deleted section is one fewer; purging it removes it for good. Sections are never duplicates of memories, nor
    memories of them.
    """

    async def stamps(self, namespace: str, uris: Sequence[str]) -> Mapping[str, FileStamp]:
        """Return what these files were when they were read; not of the missing, failed or emptied ones."""
        ...

    async def files(self, namespace: str, place: str) -> Mapping[str, FileStamp]:
        """Return the files with this URI or below it, with what they were when they were last read, failed or not.

        Files that are missing are left out.
        """
        ...

    async def known_documents(self, namespace: str, uri: str, digest: str) -> tuple[KnownDocument, ...]:
        """Return the documents that a file with this digest has, or else those that it would change.

        These are its own from before, unless another file that is not missing has them too.
        """
        ...

    async def document(self, document_id: str, namespace: str, *, any_namespace: bool = False) -> Document:
        """Return a document from this namespace or, with `any_namespace`, from any.

        Raises:
            NotFoundError: it does not exist.
        """
        ...

    async def documents(
        self, namespace: str, after: int, limit: int, *, state: DocumentState | None = None, job: str | None = None
    ) -> list[Document]:
        """Return the first documents after this key, in key order; only those in this state, or of a job's files."""
        ...

    async def titles(self, namespace: str, before: int | None, limit: int) -> list[DocumentTitle]:
        """Return what the last documents before this key are called, newest first; None: the last of all."""
        ...

    async def outline(self, document_id: str, offset: int, limit: int) -> list[SectionOutline]:
        """Return live sections of a document, in order, from the offset on."""
        ...

    async def remove_documents(self, document_ids: Sequence[str]) -> int:
        """Remove documents, and delete their sections as `Records.delete` does; return how many documents there were.

        Their files are forgotten when they have no other document. Many sections are deleted in several transactions;
        a document is partial until its own are.
        """
        ...

    async def remove_sections(self, document_id: str, memory_ids: Sequence[str]) -> None:
        """Delete some sections of a document, which is partial from then on."""
        ...

    async def mark_missing(self, namespace: str, folder: str, since: datetime) -> int:
        """Mark the files below a folder's URI, or with that URI, that were last seen before a moment as missing.

        A file is seen when a job that found it was created, or when it is put. Returns the number; those that were
        missing do not count. One whose documents another file has too is forgotten.
        """
        ...


class Jobs(Protocol):
    """Keeps jobs, and what became of each file; a write after a job's end changes nothing."""

    async def create_job(self, new: NewJob, files: Sequence[NewJobFile]) -> IngestJob:
        """Queue a job; its files count as seen now, with what lies below a left out folder.

        Jobs that ended long ago are forgotten.
        """
        ...

    async def job(self, job_id: str, namespace: str, *, any_namespace: bool = False) -> IngestJob:
        """Return a job from this namespace or, with `any_namespace`, from any.

        Raises:
            NotFoundError: it does not exist.
        """
        ...

    async def jobs(self, namespace: str, limit: int) -> list[IngestJob]:
        """Return the newest jobs, newest first."""
        ...

    async def unfinished_job(self) -> IngestJob | None:
        """Return the oldest job of this machine that has not ended, in any namespace."""
        ...

    async def job_files(self, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
        """Return the first files in this state after this place, in order."""
        ...

    async def job_content(self, job_id: str, place: int) -> FileContent | None:
        """Return the content of a queued file that came with a call; None for any other file."""
        ...

    async def advance_job(self, job_id: str, state: JobState, error: str | None = None) -> IngestJob:
        """Change a job's state.

        Raises:
            ConflictError: the state may not follow the present one.
            NotFoundError: there is no such job.
        """
        ...

    async def add_sections(self, job_id: str, change: FileChange, documents: Sequence[DocumentChange]) -> None:
        """Write some new sections of a large file; its documents are partial until `put_files` writes the file.

        Until then they stand behind those that are known. Nothing is written if the job has ended.

        Args:
            job_id: the job.
            change: the file; what it says of its documents is not looked at.
            documents: those with new sections, and of each the new sections alone.

        Raises:
            ConflictError: a document that the change says is known is gone, or one was written otherwise since;
                nothing was written.
            NotFoundError: there is no such job.
        """
        ...

    async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
        """Write files with their documents and sections, and what became of them, in one transaction; return the job.

        Unchanged sections keep their memory, with its vectors; their times move by microseconds where the order
        requires it. The chunks of new ones are as in `Records.add`. Nothing is written if the job has ended, and no
        file is written that the job has dealt with.

        Args:
            job_id: the job.
            files: what became of each file; without a change, no document changes.

        Raises:
            ConflictError: a document is no longer what the change says is known; nothing was written.
            NotFoundError: there is no such job.
        """
        ...


class Watches(Protocol):
    """Keeps which folders are watched."""

    async def add_watch(self, path: str, namespace: str, tags: Sequence[str], asked_by: str) -> Watch:
        """Watch a folder; one that is watched for the same namespace gets these tags."""
        ...

    async def watches(self, namespace: str | None) -> list[Watch]:
        """Return the folders of this machine that are watched, of one namespace or all, oldest first."""
        ...

    async def remove_watch(self, watch_id: str, namespace: str | None) -> Watch:
        """Watch a folder no longer; its documents stay.

        Raises:
            NotFoundError: there is no such watch, in one namespace or any.
        """
        ...


class DocumentTransfer(Protocol):
    """Moves documents between stores, after the memories that are their sections."""

    async def export_documents(self, after: int, limit: int) -> list[DocumentRecord]:
        """Return the first documents of all namespaces after this key, in key order.

        One whose sections are all deleted is exported as partial, as if they had been purged.
        """
        ...

    async def import_documents(self, records: Sequence[DocumentRecord]) -> list[bool | ConflictError]:
        """Write documents, each as a whole; tell for each whether it is new, or why it was left out.

        One that exists is left alone. One that lacks a memory that is to be its section is partial.
        """
        ...


class DocumentStore(Documents, Jobs, Watches, DocumentTransfer, Protocol):
    """All that is kept of documents but their sections' contents; every method may raise StoreError."""


@runtime_checkable
class SupportsDocuments(Protocol):
    """Can keep documents; an optional port of a store."""

    @property
    def documents(self) -> DocumentStore:
        """The documents in the same store as the memories."""
        ...
