"""Runs jobs, one front at a time, under a lease.

What is written with the documents says what is done, so any front can go on after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeVar

from memory_mcp.background import Background, rest
from memory_mcp.documents.prepared import LARGE, PreparedFile, distribute, portion
from memory_mcp.documents.preparing import Preparer
from memory_mcp.documents.sandbox.process import SandboxError
from memory_mcp.domain.documents import FileStamp
from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.jobs import IngestJob, JobFile, JobFileState, JobState
from memory_mcp.domain.models import Lane, Space
from memory_mcp.domain.ports import DocumentStore
from memory_mcp.logger import Logger
from memory_mcp.memories.ahead import BATCH, embed_ahead, is_full
from memory_mcp.memories.indexing import Indexer

LEASE: Final = "documents"
LEASE_S: Final = 15.0
"""Seconds after which another front goes on with a killed one's job."""
POLL_S: Final = 0.2
"""Seconds between two looks at a job that another front runs."""
LOOK_S: Final = 1.0
"""Seconds between two looks whether the job that is run here was cancelled."""
REST_S: Final = 10.0
"""Seconds between two looks for the jobs of fronts that were killed."""
FILES_AT_ONCE: Final = 256
"""Files in one transaction, if little is new in them."""
SAID_EVERY_S: Final = 1.0
"""Seconds between two writes of what a job is doing; what it has done is written with the documents."""

ATTEMPTS: Final = 5
"""To write a file that other processes write too, and at a job that gets no further."""
OTHERS_WRITE: Final = "other processes ingest it all the time; try again when they are done"

T = TypeVar("T")
log = Logger(__name__)


class Leased(Protocol):
    """One front's claim to the jobs; `maintenance.leases.Lease`."""

    async def take(self, seconds: float) -> bool:
        """Take or extend it; False while another front's is valid."""
        ...

    async def give_back(self) -> None:
        """Release it early."""
        ...


class JobRunner:
    """Reads, cuts and embeds the files of jobs, the oldest job first."""

    def __init__(
        self,
        store: DocumentStore,
        preparer: Preparer,
        indexer: Indexer,
        lease: Leased,
        *,
        space: Callable[[], Awaitable[Space | None]],
        on_pending: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._preparer = preparer
        self._indexer = indexer
        self._lease = lease
        self._space = space
        self._on_pending = on_pending
        self._clock = clock
        self._busy = asyncio.Lock()
        self._wake = asyncio.Event()
        self._said_at = 0.0
        self._doing: tuple[str, JobState] | None = None
        """The job that is being run here, and what comes next in it."""
        self._stuck: tuple[str, int] = "", 0
        """The job that could not go on, and how many of its files were finished then."""
        self._attempts = 0
        """How often it could not, in a row, at that file."""
        self.background = Background("the loop of jobs", clock=clock)

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    async def run(self) -> None:
        """Run jobs until cancelled."""
        await self.background.run(self._rounds)

    async def _rounds(self) -> None:
        while True:
            self._wake.clear()
            while await self.work():
                pass
            await rest(self._wake, REST_S)

    async def finish(self, job_id: str, on_progress: Callable[[IngestJob], Awaitable[None]]) -> IngestJob:
        """Wait for the end of a job, and run it, after those before it, unless another front does.

        If the caller is cancelled, the job goes on in any front that runs jobs.

        Raises:
            NotFoundError: there is no such job.
            StoreError: the store cannot be read or written; the job goes on later.
        """
        working: asyncio.Task[bool] | None = None
        try:
            while not (job := await self._seen(job_id)).state.is_final:
                await on_progress(job)
                working = working or asyncio.create_task(self.work())
                await asyncio.wait({working}, timeout=POLL_S)
                if working.done():
                    is_idle, working = not working.result(), None
                    if is_idle:
                        await self._rest()
        finally:
            if working is not None:
                await _ended(working)
        await on_progress(job)
        return job

    async def _rest(self) -> None:
        """Wait until no job is run here, or for a while if another front runs one."""
        if not self._busy.locked():
            await asyncio.sleep(POLL_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S), self._busy:
                pass

    async def _seen(self, job_id: str) -> IngestJob:
        job = await self._store.job(job_id, "", any_namespace=True)
        if self._doing is not None and self._doing[0] == job_id and not job.state.is_final:
            return replace(job, state=self._doing[1])
        return job

    async def work(self) -> bool:
        """Run the oldest unfinished job; return whether there was one that nobody else was running.

        Raises:
            StoreError: the store cannot be read or written.
        """
        if self._busy.locked():
            return False
        async with self._busy:
            job = await self._store.unfinished_job()
            if job is None or not await self._lease.take(LEASE_S):
                return False
            try:
                await self._run_under_lease(job)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not block all jobs for good
                await self._tried(job.id, error)
            finally:
                self._doing = None
                await self._lease.give_back()
            return True

    async def _tried(self, job_id: str, error: Exception) -> None:
        """Leave a job for later, but not for ever: fail it after ATTEMPTS in a row at the same file.

        Raises:
            Exception: the error, if the job is left for later.
            StoreError: the store cannot be read or written.
        """
        job = await self._store.job(job_id, "", any_namespace=True)
        here = job_id, job.finished
        self._attempts = self._attempts + 1 if here == self._stuck else 1
        self._stuck = here
        if self._attempts < ATTEMPTS or job.state.is_final:
            raise error
        cause = str(error) if isinstance(error, StoreError) else _unexpected(error)
        log.error("a job failed", job=job_id, attempts=ATTEMPTS, cause=cause)
        with contextlib.suppress(ConflictError):  # its user has just cancelled it
            await self._store.advance_job(job_id, JobState.FAILED, f"{cause} ({ATTEMPTS} attempts)")

    async def _run_under_lease(self, job: IngestJob) -> None:
        """Run a job until it ends, is cancelled, or another front has taken it over."""
        running = asyncio.create_task(self._run(job))
        renewed_at = self._clock()
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=LOOK_S)
                if running.done() or (await self._store.job(job.id, "", any_namespace=True)).state.is_final:
                    break
                if self._clock() - renewed_at >= LEASE_S / 3:
                    renewed_at = self._clock()
                    if not await self._lease.take(LEASE_S):
                        break  # this process was suspended, and another one goes on
        finally:
            await _ended(running)

    async def _run(self, job: IngestJob) -> None:
        self._said_at = -SAID_EVERY_S
        with contextlib.suppress(ConflictError):  # its user cancelled it meanwhile
            try:
                await self._enter(job.id, JobState.READING)
                if await self._read_all(job):
                    for folder in job.new.folders:
                        await self._store.mark_missing(job.new.namespace, folder, job.created_at)
                    await self._store.advance_job(job.id, JobState.DONE)
            except SandboxError as error:
                log.warning("a job failed", job=job.id, cause=str(error))
                await self._store.advance_job(job.id, JobState.FAILED, error.with_fix())

    async def _enter(self, job_id: str, state: JobState) -> None:
        """Note what comes next, and write it if that was not done for a while.

        Raises:
            ConflictError: the job was cancelled meanwhile.
        """
        self._doing = job_id, state
        if self._clock() - self._said_at >= SAID_EVERY_S:
            self._said_at = self._clock()
            await self._store.advance_job(job_id, state)

    async def _read_all(self, job: IngestJob) -> bool:
        """Read, embed and write the files that are queued; return False if the job ended meanwhile."""
        waiting = deque[PreparedFile]()
        async with (
            aclosing(self._batches(job, waiting)) as batches,
            aclosing(embed_ahead(self._indexer, self._space, batches, gives_up=False)) as embedded,
        ):
            try:
                async for made in embedded:
                    distribute(made, waiting)
                    if not await self._write(job, waiting):
                        return False
            finally:
                for prepared in waiting:
                    prepared.close()
        return True

    async def _batches(self, job: IngestJob, waiting: deque[PreparedFile]) -> AsyncGenerator[list[str], None]:
        """Yield the new contents of file after file; a file is put in the line when it was read."""
        batch: list[str] = []
        files = 0
        async for prepared in self._prepared(job):
            waiting.append(prepared)
            if prepared.left:
                await self._enter(job.id, JobState.EMBEDDING)
            files += 1
            for text in prepared.new_texts():
                batch.append(text)
                if is_full(batch):
                    yield batch
                    batch, files = [], 0
            if files == FILES_AT_ONCE:
                yield batch
                batch, files = [], 0
        if batch or files:
            yield batch

    async def _prepared(self, job: IngestJob) -> AsyncGenerator[PreparedFile, None]:
        after = -1
        while queued := await self._store.job_files(job.id, JobFileState.QUEUED, after, FILES_AT_ONCE):
            uris = () if job.new.is_forced else [file.uri for file in queued]
            stamps = await self._store.stamps(job.new.namespace, uris)
            for file in queued:
                yield await self._prepare(job, file, stamps.get(file.uri))
            after = queued[-1].place

    async def _prepare(self, job: IngestJob, file: JobFile, read_before: FileStamp | None) -> PreparedFile:
        try:
            return await self._preparer.prepare(job, file, read_before, partial(self._enter, job.id))
        except (ConflictError, SandboxError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - one file must not block the jobs of a store for good
            return PreparedFile(_failed(job, file, error))

    async def _write(self, job: IngestJob, waiting: deque[PreparedFile]) -> bool:
        """Write what is embedded of the first files of the line; return whether the job goes on."""
        while waiting:
            if waiting[0].is_large:
                await self._try_ahead(job, waiting[0])
            if waiting[0].left:
                break
            job = await self._write_all(job, portion(waiting))
            if job.state.is_final:
                return False
        return True

    async def _try_ahead(self, job: IngestJob, prepared: PreparedFile) -> None:
        try:
            await self._write_ahead(job, prepared)
        except (SandboxError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - its last part will notice that, and it alone may fail
            log.warning("a part of a file was not written", job=job.id, cause=type(error).__name__)

    async def _write_ahead(self, job: IngestJob, prepared: PreparedFile) -> None:
        """Write those new sections of a large file that are embedded.

        Raises:
            ConflictError: a document is gone.
        """
        while prepared.change and prepared.found and (documents := prepared.found.written_ahead(LARGE)):
            await self._store.add_sections(job.id, prepared.change, documents)

    async def _write_all(self, job: IngestJob, complete: Sequence[PreparedFile]) -> IngestJob:
        try:
            job = await self._put(job, complete)
        except (SandboxError, StoreError):
            raise
        except Exception:  # noqa: BLE001 - two files are equal, another process wrote one, or one cannot be written
            for prepared in complete:
                job = await self._write_anew(job, prepared)
        finally:
            for prepared in complete:
                prepared.close()
        return job

    async def _put(self, job: IngestJob, complete: Sequence[PreparedFile]) -> IngestJob:
        """Write files, what is left of large ones.

        Raises:
            ConflictError: what is known of a file has changed; nothing was written.
        """
        settled = [await self._preparer.settle(one) if one.is_large else one for one in complete]
        job = await self._store.put_files(job.id, [(prepared.file, prepared.change) for prepared in settled])
        if any(prepared.is_pending for prepared in complete):
            self._on_pending()
        return job

    async def _write_anew(self, job: IngestJob, prepared: PreparedFile) -> IngestJob:
        """Write one file; if what is known of it has changed, compare and embed it anew; else it alone fails."""
        queued = replace(prepared.file, state=JobFileState.QUEUED, error=None, sections=0)
        try:
            for _ in range(ATTEMPTS):
                try:
                    if prepared.is_large:
                        await self._write_ahead(job, prepared)
                    return await self._put(job, [prepared])
                except ConflictError:
                    prepared.close()
                    prepared = await self._prepare(job, queued, None)
                    await self._embed(prepared)
            failed = replace(queued, state=JobFileState.FAILED, error=OTHERS_WRITE)
        except (ConflictError, SandboxError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - one file must not block the jobs of a store for good
            failed = _failed(job, queued, error)
        finally:
            prepared.close()
        return await self._store.put_files(job.id, [(failed, None)])

    async def _embed(self, prepared: PreparedFile) -> None:
        texts = prepared.new_texts()
        while batch := list(islice(texts, BATCH)):
            made, _ = await self._indexer.embed(batch, lane=Lane.BULK, space=await self._space())
            prepared.embed(made)


def _failed(job: IngestJob, file: JobFile, error: Exception) -> JobFile:
    """Return a file that an unexpected error stopped; the message of such an error may quote the file."""
    log.error("a file failed unexpectedly", job=job.id, place=file.place, cause=type(error).__name__, at=_where(error))
    return replace(file, state=JobFileState.FAILED, error=_unexpected(error), sections=0)


def _unexpected(error: Exception) -> str:
    return f"the program failed at it ({type(error).__name__}); please report that, with the lines of the log"


def _where(error: Exception) -> str:
    """Return in which line it was raised."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{frame.f_globals.get('__name__')}:{line}"


async def _ended(task: asyncio.Task[T]) -> None:
    """Cancel a task, wait for its end, and raise its error if it had one."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
