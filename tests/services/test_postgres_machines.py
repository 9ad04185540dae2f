"""One database for several machines: each reads its own files."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from memory_mcp.domain.jobs import JobState, NewJob, NewJobFile
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.listening import Announcements
from memory_mcp.storage.postgres.store import PostgresStore
from tests.services.postgres import Postgres, emptied

pytestmark = pytest.mark.services


@pytest.fixture
async def machines(postgres: Postgres) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Give the stores of two machines."""
    await emptied(postgres, None).close()
    url = postgres.of_stores
    here, there = (PostgresStore(PostgresDatabase(url), Announcements(url), name) for name in ("here", "there"))
    yield here, there
    for store in (here, there):
        await store.close()


async def test_a_job_is_done_where_its_files_lie(machines: tuple[PostgresStore, PostgresStore]) -> None:
    """The other machine sees it, and may cancel it, but does not read its own files for it."""
    here, there = (store.documents for store in machines)
    job = await here.create_job(NewJob("team", (), ("/docs",)), [NewJobFile("file:///docs/a.md")])
    assert await there.unfinished_job() is None
    unfinished = await here.unfinished_job()
    assert unfinished is not None
    assert unfinished.id == job.id == (await there.jobs("team", 10))[0].id
    assert (await there.advance_job(job.id, JobState.CANCELLED)).state is JobState.CANCELLED
    assert await here.unfinished_job() is None


async def test_each_machine_watches_its_own_folders(machines: tuple[PostgresStore, PostgresStore]) -> None:
    """The same path on two machines is two folders."""
    here, there = (store.documents for store in machines)
    mine = await here.add_watch("/docs", "team", ("a",), "me")
    assert await there.watches(None) == []
    theirs = await there.add_watch("/docs", "team", ("b",), "they")
    assert (await here.watches("team"), await there.watches("team")) == ([mine], [theirs])
    assert await here.remove_watch(mine.id, "team") == mine
    assert await there.watches(None) == [theirs]
