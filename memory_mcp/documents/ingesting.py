"""Ingests files and folders as documents, and looks after the documents that there are."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from memory_mcp.documents.jobs import JobRunner
from memory_mcp.documents.readers.model import RefusedError
from memory_mcp.domain.documents import MAX_URI, Document, DocumentState, DocumentTitle, SectionOutline, Watch
from memory_mcp.domain.errors import ConflictError, InvalidArgumentError, SettingsError
from memory_mcp.domain.jobs import (
    MAX_JOB_FILES,
    FileContent,
    IngestJob,
    JobFile,
    JobFileState,
    JobState,
    NewJob,
    NewJobFile,
)
from memory_mcp.domain.names import nfc
from memory_mcp.domain.ports import DocumentStore
from memory_mcp.domain.principal import Reach

MAX_CONTENT_BYTES: Final = 25_000_000
"""Of content that comes with a call."""
AT_ONCE: Final = 500
"""Documents read in one go, or removed in one transaction."""
TITLES: Final = 2_000
"""Titles looked through at once."""
CONTENT: Final = "content:"
"""Begins the URI of content that came without one."""
FILE: Final = "file://"
EMPTY: Final = "it is empty and may be unmounted, but documents below it are known"
_FILE_SCHEME: Final = "file:"

Walk = Callable[[Sequence[Path], Path], Iterator[NewJobFile]]
"""Yields the files of a folder; see `files_below`."""
Told = Callable[[IngestJob], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """For whom something is ingested."""

    namespace: str
    tags: tuple[str, ...] = ()
    asked_by: str = ""
    """The name of the principal."""
    roots: tuple[Path, ...] = ()
    """Absolute folders below which files may be read."""
    is_forced: bool = False
    """Whether files that seem unchanged are read too."""


class Ingesting:
    """Queues jobs, and lists, shows and removes documents; `reach` decides which of them the caller may see."""

    def __init__(
        self,
        store: DocumentStore,
        runner: JobRunner,
        walk: Walk | None = None,
        sandbox: contextlib.AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        self._store = store
        self._runner = runner
        self._sandbox = sandbox
        self.background = runner.background
        self._walk = walk or files_below
        self.watches_changed = asyncio.Event()
        """Set when a folder was added or removed here; `folders.Folders` waits for it."""

    async def run(self) -> None:
        """Run jobs until cancelled, those of fronts that were killed as well."""
        await self._runner.run()

    async def close(self) -> None:
        """End the sandbox."""
        if self._sandbox is not None:
            await self._sandbox.__aexit__(None, None, None)

    async def ingest_paths(self, paths: Sequence[Path], request: IngestRequest) -> IngestJob:
        """Queue a job for files and folders, which lie below the request's roots; `finish` waits for it.

        Raises:
            InvalidArgumentError: a folder may not be read, or there are too many files.
            SettingsError: what reads documents is not installed.
        """
        begun_at = datetime.now(UTC)
        found, folders = await asyncio.to_thread(self._found, paths, request.roots)
        walked = []
        for folder in folders:
            known = await self._store.files(request.namespace, folder)
            if known and not any(file.uri.startswith(f"{folder.rstrip('/')}/") for file in found):
                found.append(NewJobFile(folder, left_out=f"{EMPTY} ({len(known)} files): none was marked as missing"))
            else:
                walked.append(folder)
        return await self._queue(request, found, walked, begun_at)

    def _found(self, paths: Sequence[Path], roots: Sequence[Path]) -> tuple[list[NewJobFile], list[str]]:
        """Return what lies at the paths, each file once, and the URIs of the folders."""
        found: dict[str, NewJobFile] = {}
        folders = []
        for path in paths:
            if not path.is_absolute():
                raise InvalidArgumentError("path", f"must be absolute, {str(path)!r} is not")
            if not path.is_dir():
                found[path.as_uri()] = NewJobFile(path.as_uri())
                continue
            folders.append(path.as_uri())
            try:
                for file in self._walk(roots, path):
                    found.setdefault(file.uri, file)
                    if len(found) > MAX_JOB_FILES:
                        raise InvalidArgumentError("path", f"holds more than {MAX_JOB_FILES} files; name its folders")
            except RefusedError as error:
                raise InvalidArgumentError("path", f"{str(path)!r} {error.sentence}") from error
        return list(found.values()), folders

    async def ingest_content(
        self, content: FileContent, request: IngestRequest, *, uri: str | None = None
    ) -> IngestJob:
        """Queue a job for content that came with a call; nothing is read from the disk.

        Args:
            content: the bytes of a file, at most MAX_CONTENT_BYTES.
            request: for whom; its roots are of no use here.
            uri: names it, so that the next content of this name replaces it; None: its bytes do.

        Raises:
            InvalidArgumentError: it is empty or too large, or its URI is too long or a file's.
        """
        named = uri or f"{CONTENT}{hashlib.sha256(content.data).hexdigest()[:32]}"
        return await self.ingest_contents({named: content}, request)

    async def ingest_contents(self, contents: Mapping[str, FileContent], request: IngestRequest) -> IngestJob:
        """Queue one job for several contents by their URIs; otherwise as `ingest_content`.

        Raises:
            InvalidArgumentError: one is empty or too large, or its URI is too long or a file's.
        """
        files = [_content_file(uri, content) for uri, content in contents.items()]
        return await self._queue(replace(request, roots=()), files)

    async def _queue(
        self,
        request: IngestRequest,
        files: Sequence[NewJobFile],
        folders: Sequence[str] = (),
        begun_at: datetime | None = None,
    ) -> IngestJob:
        new = NewJob(
            namespace=request.namespace,
            tags=request.tags,
            roots=tuple(map(str, request.roots)),
            folders=tuple(folders),
            is_forced=request.is_forced,
            asked_by=request.asked_by,
            begun_at=begun_at,
        )
        job = await self._store.create_job(new, files)
        self._runner.wake()
        return job

    async def finish(self, job_id: str, reach: Reach, on_progress: Told) -> IngestJob:
        """Wait for the end of a job, reporting its progress several times a second; see `JobRunner.finish`.

        Raises:
            NotFoundError: no job within reach has this id.
            StoreError: the store cannot be read or written; the job goes on later.
        """
        await self.job(job_id, reach)
        return await self._runner.finish(job_id, on_progress)

    async def job(self, job_id: str, reach: Reach) -> IngestJob:
        """Return a job.

        Raises:
            NotFoundError: no job within reach has this id.
        """
        return await reach.find(lambda within, every: self._store.job(job_id, within, any_namespace=every))

    async def jobs(self, namespace: str, limit: int) -> list[IngestJob]:
        """Return the newest jobs, newest first."""
        return await self._store.jobs(namespace, limit)

    async def job_lines(self, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
        """Return the first files of a job in this state after a place: a failed one says why."""
        return await self._store.job_files(job_id, state, after, limit)

    async def cancel(self, job_id: str, reach: Reach) -> IngestJob:
        """End a job; what was read stays. One that has ended stays as it is.

        Raises:
            NotFoundError: no job has this id where the caller may change something.
        """
        job = await self.job(job_id, reach.to_change())
        if job.state.is_final:
            return job
        try:
            return await self._store.advance_job(job.id, JobState.CANCELLED)
        except ConflictError:  # it has just ended
            return await self.job(job_id, reach)

    async def refresh(self, document_ids: Sequence[str], request: IngestRequest, reach: Reach) -> IngestJob:
        """Queue a job that reads the files of documents again, whether they seem changed or not.

        Raises:
            NotFoundError: no document within reach has one of these ids.
            InvalidArgumentError: one is content that came with a call, or they are of several namespaces.
        """
        documents = [await self.document(document_id, reach) for document_id in dict.fromkeys(document_ids)]
        if {document.namespace for document in documents} - {request.namespace}:
            raise InvalidArgumentError("namespace", f"the documents must be of {request.namespace!r}")
        uris = dict.fromkeys(uri for document in documents for uri in document.uris)
        if content := next((uri for uri in uris if not uri.startswith(FILE)), None):
            raise InvalidArgumentError("id", f"{content!r} is no file; ingest its content again")
        return await self._queue(replace(request, is_forced=True), [NewJobFile(uri) for uri in uris])

    async def document(self, document_id: str, reach: Reach) -> Document:
        """Return a document.

        Raises:
            NotFoundError: no document within reach has this id.
        """
        return await reach.find(lambda within, every: self._store.document(document_id, within, any_namespace=every))

    async def show(self, document_id: str, reach: Reach, limit: int) -> tuple[Document, list[SectionOutline]]:
        """Return a document with its first sections.

        Raises:
            NotFoundError: no document within reach has this id.
        """
        document = await self.document(document_id, reach)
        return document, await self._store.outline(document.id, 0, limit)

    async def documents(
        self,
        namespace: str,
        *,
        after: int = 0,
        limit: int = AT_ONCE,
        state: DocumentState | None = None,
        job: str | None = None,
    ) -> list[Document]:
        """Return the first documents after a key, in order of arrival; only those in a state, or of a job's files."""
        return await self._store.documents(namespace, after, limit, state=state, job=job)

    async def titled(self, namespace: str, letters: str, limit: int) -> list[DocumentTitle]:
        """Return the newest documents whose names have these letters, whatever their case."""
        wanted, found, before = letters.casefold(), list[DocumentTitle](), None
        while len(found) < limit and (page := await self._store.titles(namespace, before, TITLES)):
            found += [each for each in page if wanted in each.name.casefold()]
            before = page[-1].key
        return found[:limit]

    async def remove(self, document_ids: Sequence[str], reach: Reach) -> int:
        """Remove documents with their sections; the files stay, and the memories can be undeleted. Return how many.

        Raises:
            NotFoundError: no document within reach has one of these ids; nothing was removed.
            ForbiddenError: one is of a namespace that the caller may only read; likewise.
        """
        for document_id in document_ids:
            reach.to_write((await self.document(document_id, reach)).namespace)
        return await self._store.remove_documents(list(dict.fromkeys(document_ids)))

    async def remove_missing(self, namespace: str) -> int:
        """Remove the documents whose files are gone; return how many."""
        removed = 0
        while gone := await self._store.documents(namespace, 0, AT_ONCE, state=DocumentState.MISSING):
            removed += await self._store.remove_documents([document.id for document in gone])
        return removed

    async def watch(self, folder: Path, request: IngestRequest) -> Watch:
        """Keep a folder, named by its real path, current from the next look of a front at the watches.

        Raises:
            InvalidArgumentError: it is no folder, or lies behind a link, which could lead elsewhere later.
        """
        if not (folder.is_absolute() and await asyncio.to_thread(folder.is_dir)):
            raise InvalidArgumentError("path", f"{str(folder)!r} is no folder; name one by its absolute path")
        if (real := await asyncio.to_thread(os.path.realpath, folder)) != str(folder):
            raise InvalidArgumentError("path", f"{str(folder)!r} is, or lies behind, a link; name {real!r}")
        watch = await self._store.add_watch(str(folder), request.namespace, request.tags, request.asked_by)
        self.watches_changed.set()
        return watch

    async def watches(self, namespace: str | None) -> list[Watch]:
        """Return the folders that are kept current, of one namespace or all."""
        return await self._store.watches(namespace)

    async def unwatch(self, watch_id: str, reach: Reach) -> Watch:
        """Keep a folder current no longer; its documents stay.

        Raises:
            NotFoundError: no watch has this id where the caller may change something.
        """
        watch = await reach.to_change().find(
            lambda within, every: self._store.remove_watch(watch_id, None if every else within)
        )
        self.watches_changed.set()
        return watch


def _content_file(uri: str, content: FileContent) -> NewJobFile:
    if not 0 < len(content.data) <= MAX_CONTENT_BYTES:
        raise InvalidArgumentError("content", f"must have 1 to {MAX_CONTENT_BYTES} bytes, not {len(content.data)}")
    named = nfc(uri)
    if len(named) > MAX_URI or named.strip().casefold().startswith(_FILE_SCHEME):
        raise InvalidArgumentError("uri", f"must not begin with {_FILE_SCHEME!r}, nor have over {MAX_URI} characters")
    return NewJobFile(named, content)


def files_below(roots: Sequence[Path], folder: Path) -> Iterator[NewJobFile]:
    """Yield the files of a folder: those that are read, and those that a rule leaves out.

    Raises:
        RefusedError: the folder may not be read.
        SettingsError: what reads documents is not installed.
    """
    try:
        from memory_mcp.documents.walking import FoundFile, walk  # noqa: PLC0415 - its library is an extra
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is not installed, so folders cannot be read; pip install 'memory-mcp[documents]'"
        ) from error
    for entry in walk(roots, folder):
        yield NewJobFile(entry.path.as_uri(), left_out=None if isinstance(entry, FoundFile) else entry.why)
