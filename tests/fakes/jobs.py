"""Fakes of the ports of jobs and watches."""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from memory_mcp.domain.documents import BY_WATCH, DocumentChange, FileChange, Watch
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.jobs import (
    FileContent,
    IngestJob,
    JobFile,
    JobFileState,
    JobState,
    NewJob,
    NewJobFile,
    check_transition,
)
from tests.fakes.document_transfer import FakeDocumentTransfer
from tests.fakes.documents import FakeDocuments
from tests.fakes.shelves import HeldJob

KEPT_FOR = timedelta(days=30)
WATCHES_KEPT_FOR = timedelta(days=1)


class FakeJobs(FakeDocuments):
    """See `domain.ports.documents.Jobs`."""

    async def create_job(self, new: NewJob, files: Sequence[NewJobFile]) -> IngestJob:
        """Queue a job."""
        now = self.shelves.now()
        for ended in [held for held in self.shelves.jobs.values() if held.state.is_final]:
            kept_for = WATCHES_KEPT_FOR if ended.new.asked_by.startswith(BY_WATCH) else KEPT_FOR
            if ended.updated_at < now - kept_for:
                del self.shelves.jobs[ended.id]
        held = HeldJob(uuid.uuid4().hex, replace(new, begun_at=None), min(now, new.begun_at or now), now)
        for place, file in enumerate(files):
            state = JobFileState.QUEUED if file.left_out is None else JobFileState.LEFT_OUT
            held.files.append(JobFile(place, file.uri, state, file.left_out))
            if file.content is not None:
                held.contents[place] = file.content
            self._see(new.namespace, file)
        self.shelves.jobs[held.id] = held
        return _job(held)

    def _see(self, namespace: str, file: NewJobFile) -> None:
        for (there, uri), known in list(self.shelves.files.items()):
            is_below = file.left_out is not None and uri.startswith(f"{file.uri}/")
            if there == namespace and (uri == file.uri or is_below):
                self.shelves.files[there, uri] = replace(known, seen_at=self.shelves.now())

    async def job(self, job_id: str, namespace: str, *, any_namespace: bool = False) -> IngestJob:
        """Return a job."""
        return _job(self._find(job_id, None if any_namespace else namespace))

    def _find(self, job_id: str, namespace: str | None) -> HeldJob:
        held = self.shelves.jobs.get(job_id)
        if held is None or namespace not in {None, held.new.namespace}:
            raise NotFoundError(f"job: no job {job_id!r} is known")
        return held

    async def jobs(self, namespace: str, limit: int) -> list[IngestJob]:
        """Return the newest jobs."""
        held = [_job(one) for one in self.shelves.jobs.values() if one.new.namespace == namespace]
        return held[::-1][:limit]

    async def unfinished_job(self) -> IngestJob | None:
        """Return the oldest job that has not ended."""
        return next((_job(held) for held in self.shelves.jobs.values() if not held.state.is_final), None)

    async def job_files(self, job_id: str, state: JobFileState, after: int, limit: int) -> list[JobFile]:
        """Return files in a state."""
        held = self.shelves.jobs.get(job_id)
        files = [] if held is None else held.files
        return [file for file in files if file.state is state and file.place > after][:limit]

    async def job_content(self, job_id: str, place: int) -> FileContent | None:
        """Return the content of a queued file."""
        held = self.shelves.jobs.get(job_id)
        return None if held is None else held.contents.get(place)

    async def advance_job(self, job_id: str, state: JobState, error: str | None = None) -> IngestJob:
        """Change a job's state."""
        held = self._find(job_id, None)
        check_transition(job_id, held.state, state)
        held.state, held.error, held.updated_at = state, error, self.shelves.now()
        if state.is_final:
            held.contents.clear()
        return _job(held)

    async def add_sections(self, job_id: str, change: FileChange, documents: Sequence[DocumentChange]) -> None:
        """Write new sections ahead of their file."""
        if not self._find(job_id, None).state.is_final:
            self.append(change, documents)

    async def put_files(self, job_id: str, files: Sequence[tuple[JobFile, FileChange | None]]) -> IngestJob:
        """Write files, all of them or none."""
        held = self._find(job_id, None)
        if held.state.is_final:
            return _job(held)
        before = copy.deepcopy({name: value for name, value in vars(self.shelves).items() if name != "clock"})
        try:
            for file, change in files:
                if held.files[file.place].state is JobFileState.QUEUED:
                    held.files[file.place] = replace(file, uri=held.files[file.place].uri)
                    held.contents.pop(file.place, None)
                    if change is not None:
                        self.put(change)
        except ConflictError:
            vars(self.shelves).update(before)
            raise
        held.updated_at = self.shelves.now()
        return _job(held)


def _job(held: HeldJob) -> IngestJob:
    return IngestJob(
        id=held.id,
        new=held.new,
        state=held.state,
        error=held.error,
        files=len(held.files),
        counts=dict(Counter(file.state for file in held.files)),
        sections=sum(file.sections for file in held.files),
        created_at=held.created_at,
        updated_at=held.updated_at,
    )


class FakeDocumentStore(FakeJobs, FakeDocumentTransfer):
    """See `domain.ports.documents.DocumentStore`."""

    async def add_watch(self, path: str, namespace: str, tags: Sequence[str], asked_by: str) -> Watch:
        """Watch a folder."""
        alike = [one for one in self.shelves.watches.values() if (one.path, one.namespace) == (path, namespace)]
        watch = (
            replace(alike[0], tags=tuple(tags), asked_by=asked_by if alike[0].is_of_client else alike[0].asked_by)
            if alike
            else Watch(uuid.uuid4().hex, path, namespace, tuple(tags), asked_by, self.shelves.now())
        )
        self.shelves.watches[watch.id] = watch
        return watch

    async def watches(self, namespace: str | None) -> list[Watch]:
        """Return the watched folders."""
        return [watch for watch in self.shelves.watches.values() if namespace in {None, watch.namespace}]

    async def remove_watch(self, watch_id: str, namespace: str | None) -> Watch:
        """Watch a folder no longer."""
        watch = self.shelves.watches.get(watch_id)
        if watch is None or namespace not in {None, watch.namespace}:
            raise NotFoundError(f"id: no watch {watch_id!r} is kept")
        return self.shelves.watches.pop(watch_id)
