"""The port Jobs and the port Watches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from memory_mcp.domain.documents import BY_CLIENT, BY_WATCH
from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.jobs import TRANSITIONS, FileContent, JobFile, JobFileState, JobState, NewJob, NewJobFile
from memory_mcp.domain.ports import DocumentStore, Store, SupportsDocuments
from tests.contracts.library import changed, queued
from tests.contracts.shelf import listed
from tests.fakes.clock import FakeClock

READ = JobFileState.DONE


@pytest.fixture
async def jobs(store: Store, clock: FakeClock) -> DocumentStore:
    """Give the jobs of a store, in which time has begun."""
    clock.advance(1_000)
    assert isinstance(store, SupportsDocuments)
    return store.documents


async def test_a_job_is_what_was_asked_for(jobs: DocumentStore) -> None:
    """Its files are queued in order, but for those that are left out."""
    new = NewJob("here", ("red",), ("/home/me",), ("file:///home/me/docs",), is_forced=True, asked_by="me")
    content = FileContent(b"text", "A title", "text/plain")
    files = [NewJobFile("file:///a"), NewJobFile("file:///.env", left_out="secrets"), NewJobFile("memo:1", content)]
    job = await jobs.create_job(new, files)
    assert (job.new, job.state, job.files, job.finished) == (new, JobState.QUEUED, 3, 1)
    assert job == await jobs.job(job.id, "here") == await jobs.unfinished_job()
    waiting = await jobs.job_files(job.id, JobFileState.QUEUED, -1, 10)
    assert waiting == [JobFile(0, "file:///a", JobFileState.QUEUED), JobFile(2, "memo:1", JobFileState.QUEUED)]
    assert await jobs.job_files(job.id, JobFileState.QUEUED, 0, 10) == waiting[1:]
    [left] = await jobs.job_files(job.id, JobFileState.LEFT_OUT, -1, 10)
    assert left.error == "secrets"
    assert await jobs.job_content(job.id, 2) == content
    assert await jobs.job_content(job.id, 0) is None
    with pytest.raises(NotFoundError):
        await jobs.job(job.id, "there")
    assert (await jobs.job(job.id, "there", any_namespace=True)).id == job.id


@pytest.mark.parametrize("before", [state for state in JobState if not state.is_final])
async def test_a_job_goes_on_as_the_table_says(jobs: DocumentStore, before: JobState) -> None:
    """What may not follow is a conflict, and changes nothing."""
    ways = {
        JobState.QUEUED: (),
        JobState.READING: (JobState.READING,),
        JobState.CHUNKING: (JobState.READING, JobState.CHUNKING),
        JobState.EMBEDDING: (JobState.READING, JobState.CHUNKING, JobState.EMBEDDING),
    }
    for after in JobState:
        job = await queued(jobs, "file:///a")
        for step in ways[before]:
            job = await jobs.advance_job(job.id, step)
        if after == before or after in TRANSITIONS[before]:
            assert (await jobs.advance_job(job.id, after, "why")).state is after
        else:
            with pytest.raises(ConflictError, match="cannot become"):
                await jobs.advance_job(job.id, after)
            assert (await jobs.job(job.id, "here")).state is before


async def test_what_became_of_a_file_is_kept_with_its_documents(jobs: DocumentStore, store: Store) -> None:
    """It is written once: a second writer of the same file changes nothing, and nobody does after the job's end."""
    job = await queued(jobs, "file:///a", "file:///b", "file:///c")
    change = await changed(jobs, "file:///a", "d1", ["alpha", "beta"])
    done = JobFile(0, "file:///a", READ, None, 2)
    job = await jobs.put_files(job.id, [(done, change), (JobFile(1, "file:///b", JobFileState.FAILED, "no"), None)])
    assert job.counts == {READ: 1, JobFileState.FAILED: 1, JobFileState.QUEUED: 1}
    assert (job.sections, job.finished) == (2, 2)
    assert await jobs.job_files(job.id, JobFileState.FAILED, -1, 9) == [
        JobFile(1, "file:///b", JobFileState.FAILED, "no")
    ]
    assert (await jobs.put_files(job.id, [(done, change)])).sections == 2
    await jobs.advance_job(job.id, JobState.CANCELLED)
    late = await changed(jobs, "file:///c", "d2", ["gamma"])
    assert (await jobs.put_files(job.id, [(JobFile(2, "file:///c", READ), late)])).finished == 2
    assert sorted(await listed(store)) == ["alpha", "beta"]


async def test_content_is_kept_until_it_was_read(jobs: DocumentStore) -> None:
    """Or until its job ends."""
    new = NewJob("here", (), ())
    files = [NewJobFile("memo:1", FileContent(b"1")), NewJobFile("memo:2", FileContent(b"2"))]
    job = await jobs.create_job(new, files)
    await jobs.put_files(job.id, [(JobFile(0, "memo:1", READ), await changed(jobs, "memo:1", "d1", ["alpha"]))])
    assert await jobs.job_content(job.id, 0) is None
    assert await jobs.job_content(job.id, 1) == FileContent(b"2")
    await jobs.advance_job(job.id, JobState.FAILED, "why")
    assert await jobs.job_content(job.id, 1) is None
    assert (await jobs.job(job.id, "here")).error == "why"


async def test_the_oldest_unfinished_job_comes_first(jobs: DocumentStore, clock: FakeClock) -> None:
    """A job that ended is remembered for a month."""
    first, second = await queued(jobs, "file:///a"), await queued(jobs, "file:///b", namespace="there")
    assert await jobs.unfinished_job() == first
    await jobs.advance_job(first.id, JobState.DONE)
    assert await jobs.unfinished_job() == second
    clock.advance(timedelta(days=29).total_seconds())
    third = await queued(jobs, "file:///c")
    assert [job.id for job in await jobs.jobs("here", 10)] == [third.id, first.id]
    clock.advance(timedelta(days=2).total_seconds())
    fourth = await queued(jobs, "file:///d")
    assert [job.id for job in await jobs.jobs("here", 1)] == [fourth.id]
    with pytest.raises(NotFoundError):
        await jobs.job(first.id, "here")
    assert await jobs.unfinished_job() == second


async def test_a_job_of_a_watch_is_forgotten_after_a_day(jobs: DocumentStore, clock: FakeClock) -> None:
    """There may be one each minute."""
    new = NewJob("here", (), ("/",), asked_by=f"{BY_WATCH}1")
    watched = await jobs.create_job(new, [NewJobFile("file:///a")])
    own = await queued(jobs, "file:///a")
    for job in (watched, own):
        await jobs.advance_job(job.id, JobState.DONE)
    clock.advance(timedelta(days=2).total_seconds())
    last = await jobs.create_job(new, [NewJobFile("file:///a")])
    assert [job.id for job in await jobs.jobs("here", 10)] == [last.id, own.id]


async def test_an_unknown_job_is_not_advanced(jobs: DocumentStore) -> None:
    """Nor does it take files."""
    with pytest.raises(NotFoundError):
        await jobs.advance_job("unknown", JobState.READING)
    with pytest.raises(NotFoundError):
        await jobs.put_files("unknown", [])


async def test_a_folder_is_watched_once_in_a_namespace(jobs: DocumentStore) -> None:
    """Asking again changes the tags; another namespace has its own."""
    first = await jobs.add_watch("/docs", "here", ["red"], "me")
    again = await jobs.add_watch("/docs", "here", ["blue"], "you")
    other = await jobs.add_watch("/docs", "there", [], f"{BY_CLIENT}you")
    assert other.is_of_client
    other = await jobs.add_watch("/docs", "there", [], "you")
    assert not other.is_of_client
    assert (again.id, again.tags, again.asked_by) == (first.id, ("blue",), "me")
    assert await jobs.watches("here") == [again]
    assert await jobs.watches(None) == [again, other]
    with pytest.raises(NotFoundError):
        await jobs.remove_watch(other.id, "here")
    assert await jobs.remove_watch(other.id, None) == other
    assert await jobs.watches(None) == [again]
