"""Two fronts write one memory: who waits for the other goes by what the other left, and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TypeVar

import psycopg
import pytest

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import Change, Chunk, Filters, Memory, Record, Stored
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.session import CLOCK, PgSession
from memory_mcp.storage.postgres.records import writes
from memory_mcp.storage.postgres.store import PostgresStore
from memory_mcp.storage.postgres.vectors import spaces
from memory_mcp.storage.postgres.vectors.active import make_space
from tests.contracts.shelf import HERE, SPACE, listed, new, offer, put, towards, whole
from tests.services.postgres import DATABASE, Postgres, emptied, store_at

pytestmark = pytest.mark.services
T = TypeVar("T")
Work = Callable[[PgSession], object]
WAITING = "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
PATIENCE_S = 60


class Fronts:
    """A front whose writes take their time, and another's store."""

    def __init__(self, server: Postgres) -> None:
        self.other: PostgresStore = store_at(server.of_stores)
        self.met_at = 0
        """When the other one was seen to wait, by the server's clock."""
        self._server = server
        self._slow = PostgresDatabase(server.of_stores)

    async def meet(self, first: Work, second: Coroutine[object, object, T]) -> T:
        """Let the front commit its write when the other one waits for it; return what the other is answered."""
        written, may_commit = threading.Event(), threading.Event()

        def slowly(db: PgSession) -> None:
            first(db)
            written.set()
            assert may_commit.wait(PATIENCE_S)

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(self._slow.write(slowly))
            await asyncio.to_thread(written.wait, PATIENCE_S)
            answered = group.create_task(second)
            with psycopg.connect(self._server.url, autocommit=True) as looking:
                while not looking.execute(WAITING, (DATABASE,)).fetchall():  # noqa: ASYNC110 - the server tells of none
                    await asyncio.sleep(0)
                [(self.met_at,)] = looking.execute(f"SELECT {CLOCK}").fetchall()
            may_commit.set()
        return answered.result()

    async def close(self) -> None:
        """Close both."""
        await self.other.close()
        await self._slow.close()


@pytest.fixture
async def fronts(postgres: Postgres) -> AsyncIterator[Fronts]:
    """Give two fronts on an empty database."""
    await emptied(postgres, None).close()
    both = Fronts(postgres)
    yield both
    await both.close()


def changed(memory: Memory, change: Change) -> Work:
    """Return an update."""
    content = change.content
    return lambda db: writes.update(db, memory, change, whole(content) if content else None, None)


def removed(memory: Memory) -> Work:
    """Return a deletion."""
    return lambda db: writes.delete(db, [memory.id], HERE, any_namespace=False)


async def test_tags_that_are_set_last_stay(fronts: Fronts) -> None:
    """They are compared with what the other front set, not with what was there before."""
    memory = await put(fronts.other, "text", tags=("a",))
    answered = await fronts.meet(
        changed(memory, Change(tags=("b",))), fronts.other.update(memory, Change(tags=("a",)), None, None)
    )
    assert (answered.tags, answered.revision) == (("a",), 3)
    assert (await fronts.other.get(memory.id, "here")).tags == ("a",)


async def test_the_history_has_the_tags_of_each_revision(fronts: Fronts) -> None:
    """A revision is kept as it was when the next one replaced it."""
    memory = await put(fronts.other, "text", tags=("a",))
    change = Change(content="changed")
    await fronts.meet(changed(memory, Change(tags=("b",))), fronts.other.update(memory, change, whole("changed"), None))
    assert [(was.revision, was.tags) for was in await fronts.other.revisions(memory)] == [(1, ("a",)), (2, ("b",))]


async def test_a_duplicate_has_its_tags_whatever_is_changed_meanwhile(fronts: Fronts) -> None:
    """A tag that the other front takes away is added again."""
    memory = await put(fronts.other, "text", tags=("x",))
    answered = await fronts.meet(changed(memory, Change(tags=("y",))), offer(fronts.other, "text", tags=("x",)))
    assert answered == Stored(memory.id, created=False, embedded=False, merged=("x",))
    assert (await fronts.other.get(memory.id, "here")).tags == ("x", "y")


@pytest.mark.parametrize("how", ["deleted", "changed"])
async def test_what_is_no_duplicate_any_more_is_stored(fronts: Fronts, how: str) -> None:
    """Where the other front deletes or changes the memory that would have been repeated, the text gets its own."""
    memory = await put(fronts.other, "text")
    work = removed(memory) if how == "deleted" else changed(memory, Change(content="changed"))
    answered = await fronts.meet(work, offer(fronts.other, "text"))
    assert isinstance(answered, Stored)
    assert answered.created
    assert "text" in await listed(fronts.other)


async def test_an_id_that_is_deleted_meanwhile_costs_one_item(fronts: Fronts) -> None:
    """The item is refused by name, and the others are written."""
    memory = await put(fronts.other, "text", id="mine")
    items = [(new("text", id="mine"), whole("text")), (new("next"), whole("next"))]
    refused, stored = await fronts.meet(removed(memory), fronts.other.add(items))
    assert isinstance(refused, ConflictError)
    assert isinstance(stored, Stored)
    assert await listed(fronts.other) == ["next"]


async def test_an_import_of_what_is_deleted_meanwhile_costs_one_item(fronts: Fronts) -> None:
    """Likewise."""
    memory = await put(fronts.other, "text", id="mine")
    [refused] = await fronts.meet(removed(memory), fronts.other.import_records([(Record(memory, ()), whole("text"))]))
    assert isinstance(refused, ConflictError)


async def test_only_what_still_matches_is_deleted(fronts: Fronts) -> None:
    """A memory that the other front has just taken out of what is deleted stays."""
    memory = await put(fronts.other, "text", tags=("old",))
    await put(fronts.other, "second", tags=("old",))
    deleting = fronts.other.delete(None, Filters("here", tags=("old",)), dry_run=False)
    assert len(await fronts.meet(changed(memory, Change(tags=("keep",))), deleting)) == 1
    assert await listed(fronts.other) == ["text"]


async def test_what_is_deleted_leaves_the_partition_that_it_is_in(fronts: Fronts, postgres: Postgres) -> None:
    """A memory that became a document a moment ago is taken from the documents."""
    memory = await put(fronts.other, "text")
    deleting = fronts.other.delete([memory.id], HERE, dry_run=False)
    await fronts.meet(changed(memory, Change(type="document")), deleting)
    with psycopg.connect(postgres.of(DATABASE)) as connection:
        counted = connection.execute("SELECT documents, memories FROM memory_mcp.partitions ORDER BY 1").fetchall()
    assert counted == [(False, 0), (True, 0)]


async def test_two_who_fill_a_space_write_a_vector_once(fronts: Fronts, postgres: Postgres) -> None:
    """The second finds what the first has written."""
    await put(fronts.other, "text")
    [missing] = await fronts.other.missing_vectors(SPACE, 0, 10)
    filled = [(missing, [Chunk(0, 4, towards(0))])]

    def fill(db: PgSession) -> None:
        db.reach_all()
        make_space(db, SPACE)
        spaces.backfill(db, SPACE, filled)

    await fronts.other.backfill(SPACE, [])  # the space itself is made by one alone
    await fronts.meet(fill, fronts.other.backfill(SPACE, filled))
    with psycopg.connect(postgres.of(DATABASE)) as connection:
        assert connection.execute("SELECT count(*) FROM memory_mcp.vectors_1").fetchone() == (1,)


async def test_a_lease_lasts_from_when_it_is_got(fronts: Fronts, postgres: Postgres) -> None:
    """What its owner waited for another's renewal is not taken from it."""

    def renewed(db: PgSession) -> bool:
        return writes.acquire_lease(db, "drain", "me", 10)

    assert await fronts.meet(renewed, fronts.other.acquire_lease("drain", "me", 10))
    with psycopg.connect(postgres.of(DATABASE)) as connection:
        [(ends,)] = connection.execute("SELECT expires_at FROM memory_mcp.leases").fetchall()
    assert ends >= fronts.met_at + 10_000_000
