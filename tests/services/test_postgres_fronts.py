"""Several fronts on one database: what one writes the others see, once and in the order of the commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.models import Change, Stored
from memory_mcp.domain.ports import AnnouncesChanges, Store
from tests.contracts.shelf import HERE, events, listed, new, offer, put, whole
from tests.services.postgres import DATABASE, Postgres, emptied, store_at

pytestmark = pytest.mark.services
FRONTS = 4


@pytest.fixture
async def fronts(postgres: Postgres) -> AsyncIterator[Sequence[Store]]:
    """Give the stores of several fronts."""
    await emptied(postgres, None, bare=True).close()
    opened = [store_at(postgres.of_stores) for _ in range(FRONTS)]
    yield opened
    for one in opened:
        await one.close()
    await emptied(postgres, None, bare=True).close()  # one test leaves a version that is too new


async def test_the_first_starts_make_the_tables_once(fronts: Sequence[Store]) -> None:
    """All find an empty database, and one of them makes what is missing."""
    assert await asyncio.gather(*(front.generation() for front in fronts)) == [0] * FRONTS


async def test_the_same_text_at_the_same_moment_is_one_memory(fronts: Sequence[Store]) -> None:
    """With or without a conversation or an id, one front creates it and the others find it."""
    givens: list[dict[str, Any]] = [{}, {"conversation_id": "talk"}, {"id": "mine"}]
    for fields in givens:
        stored = await asyncio.gather(
            *(offer(front, f"text {fields}", tags=(f"tag {n}",), **fields) for n, front in enumerate(fronts))
        )
        assert all(isinstance(one, Stored) for one in stored)
        assert sorted(isinstance(one, Stored) and one.created for one in stored) == [False] * (FRONTS - 1) + [True]
        [memory_id] = {one.id for one in stored if isinstance(one, Stored)}
        assert len((await fronts[0].get(memory_id, "here")).tags) == FRONTS
    assert len(await listed(fronts[0])) == 3


async def test_batches_that_meet_wait_for_each_other(fronts: Sequence[Store]) -> None:
    """Whatever their order, no batch fails, and nothing is there twice."""
    texts = [f"text {number}" for number in range(40)]
    batches = [texts, texts[::-1], texts[20:] + texts[:20], texts[::2] + texts[1::2]]
    stored = await asyncio.gather(
        *(front.add([(new(text), whole(text)) for text in batch]) for front, batch in zip(fronts, batches, strict=True))
    )
    assert sum(isinstance(one, Stored) and one.created for batch in stored for one in batch) == len(texts)
    assert sorted(await listed(fronts[0])) == sorted(texts)


async def test_one_of_several_updates_of_a_revision_is_written(fronts: Sequence[Store]) -> None:
    """The others learn that they came too late."""
    memory = await put(fronts[0], "first")
    changed = await asyncio.gather(
        *(front.update(memory, Change(content=f"by {n}"), whole(f"by {n}"), 1) for n, front in enumerate(fronts)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, ConflictError) for one in changed) == FRONTS - 1
    assert (await fronts[0].get(memory.id, "here")).revision == 2
    assert len(await fronts[0].revisions(memory)) == 1


async def test_a_reader_meets_every_write_in_the_order_of_the_commits(fronts: Sequence[Store]) -> None:
    """While all write, some in large batches, nobody who reads on is given a smaller number later, or misses one."""
    reader, *writers = fronts
    seen: list[int] = []

    async def write(front: Store, name: str) -> None:
        for number in range(10):
            size = 60 if number % 3 == 0 else 1
            await front.add([(new(f"{name} {number} {n}"), whole("x")) for n in range(size)])

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        writing = [group.create_task(write(front, f"front {n}")) for n, front in enumerate(writers)]
        ended = False
        while not ended:
            ended = all(task.done() for task in writing)
            seen += [event.seq for event in await events(reader, seen[-1] if seen else 0, 100_000)]
    assert seen == list(range(1, len(writers) * (4 * 60 + 6) + 1))


async def test_a_wake_up_comes_at_once(fronts: Sequence[Store]) -> None:
    """Who waits for writes is woken by another front's, long before it would look by itself."""
    one, other = fronts[:2]
    assert isinstance(one, AnnouncesChanges)
    await one.changed(0.01)  # from now on it listens
    waiting = asyncio.create_task(one.changed(60))
    await put(other, "news")
    async with asyncio.timeout(60):
        await waiting
    assert await one.generation() == 1


async def test_a_newer_schema_stops_an_open_front(postgres: Postgres, fronts: Sequence[Store]) -> None:
    """It neither reads nor writes any more, and says what to do."""
    store = fronts[0]
    await put(store, "before")
    postgres.sql(DATABASE, "UPDATE memory_mcp.schema_version SET version = 99")
    for call in (store.generation, lambda: put(store, "after"), store_at(postgres.of_stores).generation):
        with pytest.raises(StoreError, match=r"newer memory-mcp \(schema 99.*upgrade memory-mcp and restart"):
            await call()


async def test_a_read_only_front_reads_alone(postgres: Postgres, fronts: Sequence[Store]) -> None:
    """It makes no table, and writes nothing."""
    store = store_at(postgres.of_stores, read_only=True)
    with pytest.raises(StoreError, match=r"there is no store in .* yet"):
        await store.generation()
    await put(fronts[0], "text")
    assert await listed(store) == ["text"]
    with pytest.raises(StoreError, match="read-only; unset MCP_MEMORY_READ_ONLY"):
        await store.delete(None, HERE, dry_run=False)
    assert await store.delete(None, HERE, dry_run=True) != []
    await store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://postgres:wr0ng@127.0.0.1:{port}/postgres", "check the user and password"),
        ("postgresql://postgres:wr0ng@127.0.0.1:1/postgres", "start PostgreSQL, or check MCP_MEMORY_POSTGRES_URL"),
        ("postgresql://postgres:s3cret@127.0.0.1:{port}/nowhere", "create it, or name another"),
        ("postgresql://postgres:wr0ng@127.0.0.1:{port}/postgres?sslmode=wr0ng", "MCP_MEMORY_POSTGRES_URL"),
    ],
)
async def test_an_address_that_leads_nowhere_names_the_fix(postgres: Postgres, url: str, said: str) -> None:
    """The sentence holds no password."""
    store = store_at(url.format(port=postgres.port), patience_s=0.1)
    with pytest.raises(StoreError) as caught:
        await store.generation()
    assert said in str(caught.value)
    assert "wr0ng@" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    await store.close()
