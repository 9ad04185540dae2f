"""Finds out what a job's file changes: nothing, or sections that are new and sections that are gone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Final, Protocol
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from memory_mcp.documents.opening import OpenedFile, open_content
from memory_mcp.documents.readers.model import Refusal, RefusedError
from memory_mcp.documents.reading import ReadDocument, ReadsDocuments, check_sections, read_documents, stamp_of
from memory_mcp.domain.documents import (
    MAX_PART,
    MAX_TITLE,
    DocumentChange,
    FileChange,
    FileStamp,
    KnownDocument,
    PlacedSection,
    matched,
)
from memory_mcp.domain.jobs import FileContent, IngestJob, JobFile, JobFileState, JobState
from memory_mcp.domain.models import Embedded
from memory_mcp.domain.ports import DocumentStore

_PASSING: Final = frozenset({Refusal.CHANGED})
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


@dataclass(slots=True)
class PreparedFile:
    """A file of a job, on its way to the store."""

    file: JobFile
    """What became of it."""
    change: FileChange | None = None
    embedded: list[Embedded] = field(default_factory=list)
    """The chunks of its new sections, in order, as far as they are made."""

    def new_texts(self) -> list[str]:
        """Return the contents of the new sections, in order."""
        return [section.draft.content for section in self._sections() if section.kept is None]

    def _sections(self) -> Iterable[PlacedSection]:
        documents = () if self.change is None else self.change.documents or ()
        return chain.from_iterable(document.sections or () for document in documents)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to embed."""
        return len(self.embedded) == self.file.sections

    def outcome(self) -> tuple[JobFile, FileChange | None]:
        """Return what is written once all is embedded."""
        if self.change is None or self.change.documents is None:
            return self.file, self.change
        made = iter(self.embedded)
        documents = tuple(
            document
            if document.sections is None
            else replace(
                document,
                sections=tuple(
                    section if section.kept is not None else replace(section, embedded=next(made))
                    for section in document.sections
                ),
            )
            for document in self.change.documents
        )
        return self.file, replace(self.change, documents=documents)


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
            if error.refusal is Refusal.MISSING:
                await self._store.mark_missing(job.new.namespace, file.uri, _EVER)
            return PreparedFile(_failed(file, error))

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
        try:
            found = await read_documents(self._reader, opened, name, content.media_type if content else None)
            await enter(JobState.CHUNKING)
            documents = await asyncio.to_thread(_documents, found, known, content)
        except RefusedError as error:
            if error.refusal in _PASSING:
                raise
            return PreparedFile(_failed(file, error), replace(change, documents=_refused(known, error)))
        return _prepared(file, replace(change, documents=documents))


def _is_read(document: KnownDocument, stamp: FileStamp) -> bool:
    """Whether these bytes were read before, from this file or another."""
    return document.digest == stamp.digest and not document.is_failed


def path_of(uri: str) -> Path:
    """Return the path of a file's URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def _documents(
    found: Sequence[ReadDocument], known: Sequence[KnownDocument], content: FileContent | None
) -> tuple[DocumentChange, ...]:
    """Return the documents of a file, with the sections that are known; it takes time."""
    held = {document.part: document.sections for document in known}
    changes = []
    for read in found:
        header = read.header
        refused = header.refused
        part = header.part[:MAX_PART]
        title = header.title or (content.title if content and not part else None)
        changes.append(
            DocumentChange(
                part=part,
                title=title and title[:MAX_TITLE],
                media_type=header.media_type,
                pages=header.pages,
                refusal=refused.refusal.value if refused else None,
                error=refused.sentence if refused else None,
                sections=None if refused else tuple(matched(held.get(part, ()), check_sections(read.drafts()))),
            )
        )
    return tuple(changes)


def _refused(known: Sequence[KnownDocument], error: RefusedError) -> tuple[DocumentChange, ...]:
    """Return the documents of a file that cannot be read: those that are known, with what they had, or a new one."""
    parts = [document.part for document in known] or [""]
    return tuple(
        DocumentChange(part, None, UNKNOWN_TYPE, None, error.refusal.value, error.sentence, None) for part in parts
    )


def _failed(file: JobFile, error: RefusedError) -> JobFile:
    return replace(file, state=JobFileState.FAILED, error=error.sentence)


def _prepared(file: JobFile, change: FileChange) -> PreparedFile:
    documents = change.documents or ()
    errors = [document.error for document in documents if document.refusal]
    state = JobFileState.FAILED if errors and len(errors) == len(documents) else JobFileState.DONE
    prepared = PreparedFile(file, change)
    prepared.file = replace(file, state=state, error=next(iter(errors), None), sections=len(prepared.new_texts()))
    return prepared
