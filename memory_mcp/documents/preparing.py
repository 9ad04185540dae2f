"""Finds out what a job's file changes: nothing, or sections that are new and sections that are gone."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, Protocol
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from memory_mcp.documents.found import FoundDocuments
from memory_mcp.documents.opening import OpenedFile, open_content
from memory_mcp.documents.prepared import LARGE, PreparedFile, failed_file
from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.reading import MAX_SECTIONS, ReadItems, ReadsDocuments, read_items, stamp_of
from memory_mcp.documents.spool import Spool
from memory_mcp.domain.documents import (
    MAX_PART,
    MAX_TITLE,
    DocumentChange,
    FileChange,
    FileStamp,
    KnownDocument,
    matched,
)
from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState
from memory_mcp.domain.ports import DocumentStore

_PASSING: Final = frozenset({Refusal.CHANGED, Refusal.NOT_READABLE})
"""Refusals that say nothing of the file as it is now: its document stays as it was."""
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
UNKNOWN_TYPE: Final = "application/octet-stream"

Enter = Callable[[JobState], Awaitable[None]]
"""Is told what comes next."""


class OpensFiles(Protocol):
    """Opens a file below folders; see `opening.open_below`."""

    def __call__(self, roots: Sequence[Path], path: Path) -> OpenedFile:
        """Open it.

        Raises:
            RefusedError: it may not be read.
        """
        ...


class Preparer:
    """Opens, reads and compares one file after the other."""

    def __init__(self, store: DocumentStore, reader: ReadsDocuments, open_file: OpensFiles) -> None:
        self._store = store
        self._reader = reader
        self._open = open_file

    async def prepare(self, job: IngestJob, file: JobFile, read_before: FileStamp | None, enter: Enter) -> PreparedFile:
        """Return what a file changes.

        Args:
            job: the file's.
            file: queued.
            read_before: what the file was when it was read successfully.
            enter: is told when the file is read, and when it is cut.

        Raises:
            SandboxError: no file can be read.
            StoreError: the store cannot be read.
        """
        await enter(JobState.READING)
        content = await self._store.job_content(job.id, file.place) if not job.new.roots else None
        try:
            with await asyncio.to_thread(self._opened, job, file, content) as opened:
                return await self._compared(job, file, read_before, opened, content, enter)
        except RefusedError as error:
            failed = failed_file(file, error)
            if error.refusal is Refusal.MISSING:
                failed = await self._missing(job, failed)
            return PreparedFile(failed)
        except OSError as error:  # of the file's disk, or of the folder for temporary files
            return PreparedFile(failed_file(file, _unreadable(error)))

    async def settle(self, prepared: PreparedFile) -> PreparedFile:
        """Delete what is gone of a large file whose new sections are written; return what is left to write.

        Raises:
            ConflictError: new sections are missing, or a document is.
            StoreError: the store cannot be read or written.
        """
        change, found = prepared.change, prepared.found
        if change is None or found is None:
            return prepared
        known = await self._store.known_documents(change.namespace, change.uri, change.stamp.digest)
        held = {document.part: document.sections for document in known}
        now, kept = await asyncio.to_thread(found.compared_anew, held)
        if now.new:
            raise ConflictError(f"file: sections of {change.uri!r} were removed meanwhile")
        removed = 0
        there = {document.part for document in now if document.sections is not None}
        for document in known:
            gone = [section.memory_id for section in document.sections if section.memory_id not in kept]
            for start in range(0, len(gone) if document.part in there else 0, LARGE):
                await self._store.remove_sections(document.id, gone[start : start + LARGE])
                removed += 1
        parts = {document.part for document in now}
        removed += await self._store.remove_documents([one.id for one in known if one.part not in parts])
        if removed:  # else their revisions are what they were
            known = await self._store.known_documents(change.namespace, change.uri, change.stamp.digest)
        return replace(prepared, change=replace(change, known=_without_sections(known), documents=now), found=now)

    async def _missing(self, job: IngestJob, file: JobFile) -> JobFile:
        """Mark a file that a refresh does not find; a path that was named may be an unmounted folder."""
        known = await self._store.files(job.new.namespace, file.uri)
        if job.new.is_forced and file.uri in known:
            await self._store.mark_missing(job.new.namespace, file.uri, _EVER)
        elif known:
            return replace(file, error=f"{file.error}; what is known there ({len(known)} files) is kept, not marked")
        return file

    def _opened(self, job: IngestJob, file: JobFile, content: FileContent | None) -> OpenedFile:
        if content is not None:
            return open_content(content.data)
        return self._open([Path(root) for root in job.new.roots], path_of(file.uri))

    async def _compared(
        self,
        job: IngestJob,
        file: JobFile,
        before: FileStamp | None,
        opened: OpenedFile,
        content: FileContent | None,
        enter: Enter,
    ) -> PreparedFile:
        """Read the file, unless its time or its bytes say that nothing has changed."""
        namespace, is_forced = job.new.namespace, job.new.is_forced
        is_file = opened.path is not None  # the time of content says nothing
        here = opened.size, opened.modified_ns
        if is_file and not is_forced and before is not None and (before.size, before.modified_ns) == here:
            return PreparedFile(replace(file, state=JobFileState.UNCHANGED))
        stamp = await asyncio.to_thread(stamp_of, opened)
        known = await self._store.known_documents(namespace, file.uri, stamp.digest)
        change = FileChange(namespace, file.uri, stamp, known, None, job.new.tags)
        if known and not is_forced and all(_is_read(document, stamp) for document in known):
            return PreparedFile(replace(file, state=JobFileState.UNCHANGED), change)
        name = (content and content.title) or unquote(PurePosixPath(urlsplit(file.uri).path).name) or file.uri
        spool = Spool()
        try:
            read = await read_items(self._reader, opened, name, content.media_type if content else None, spool)
            await enter(JobState.CHUNKING)
            found = FoundDocuments(spool)
            gone = await asyncio.to_thread(_find, found, read, known, content)
        except RefusedError as error:
            spool.close()
            if error.refusal in _PASSING:
                raise
            return PreparedFile(failed_file(file, error), replace(change, documents=_refused(known, error)))
        except BaseException:
            spool.close()
            raise
        change = replace(change, known=_without_sections(known), documents=found)
        return PreparedFile(_finished(file, found), change, found, spool, left=found.new, gone=gone)


def _without_sections(known: Sequence[KnownDocument]) -> tuple[KnownDocument, ...]:
    """Return what tells whether documents are still what they were; the sections take memory."""
    return tuple(replace(document, sections=()) for document in known)


def _is_read(document: KnownDocument, stamp: FileStamp) -> bool:
    """Whether these bytes were read before, from this file or another."""
    return document.digest == stamp.digest and not (document.is_failed or document.is_emptied)


def path_of(uri: str) -> Path:
    """Return the path of a file's URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def _find(found: FoundDocuments, read: ReadItems, known: Sequence[KnownDocument], content: FileContent | None) -> int:
    """Cut the documents of a file, and find the sections that are known; it takes time. Return how many are gone.

    Raises:
        RefusedError: TOO_LARGE: they are too many; NOT_READABLE: there is no room for them.
    """
    held = {document.part: document.sections for document in known}
    for header, drafts in read.documents():
        refused = header.refused
        part = header.part[:MAX_PART]
        title = header.title or (content.title if content and not part else None)
        document = DocumentChange(
            part=part,
            title=title and title[:MAX_TITLE],
            media_type=header.media_type,
            pages=header.pages,
            refusal=refused.refusal.value if refused else None,
            error=refused.sentence if refused else None,
            sections=None if refused else (),
        )
        found.add(document, () if refused else matched(held.get(part, ()), drafts))
        if found.sections > MAX_SECTIONS:
            raise RefusedError(Refusal.TOO_LARGE, f"it has more than {MAX_SECTIONS:,} sections; split it")
    unread = {document.part for document in found if document.sections is None}
    stay = sum(len(sections) for part, sections in held.items() if part in unread)
    return sum(map(len, held.values())) - stay - (found.sections - found.new)


def _refused(known: Sequence[KnownDocument], error: RefusedError) -> tuple[DocumentChange, ...]:
    """Return the documents of a file that cannot be read: those that are known, with what they had, or a new one."""
    parts = [document.part for document in known] or [""]
    return tuple(
        DocumentChange(part, None, UNKNOWN_TYPE, None, error.refusal.value, error.sentence, None) for part in parts
    )


def _unreadable(error: OSError) -> RefusedError:
    why = error.strerror or type(error).__name__
    fix = f"check its disk, and whether {tempfile.gettempdir()} has room"
    return RefusedError(Refusal.NOT_READABLE, f"it could not be read ({why}); {fix}")


def _finished(file: JobFile, found: FoundDocuments) -> JobFile:
    """Return what became of a file that was read."""
    failed, error = 0, None
    for document in found:
        failed += document.refusal is not None
        error = error or document.error
    state = JobFileState.FAILED if failed and failed == len(found) else JobFileState.DONE
    return replace(file, state=state, error=error, sections=found.new)
