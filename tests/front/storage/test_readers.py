"""Several searches at a time: side by side where they come together, on one connection where they do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import apsw
import pytest

from memory_mcp.domain.ports import Snapshot
from memory_mcp.search.lexical.query import QueryAnalyzer
from memory_mcp.search.policy import DEFAULT_POLICY
from memory_mcp.storage.sqlite.db.readers import Reader, Readers
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, SPACE, put, towards

PATIENCE_S = 60.0
Work = Callable[[Snapshot], int]
"""Returns the thread that it was done in."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Give a store of one memory and at most two readers, one of which is open."""
    made = SqliteStore(tmp_path / "memories.db", readers=2)
    await put(made, "first", towards(0))
    yield made
    await made.close()


def where(_: Snapshot) -> int:
    """Do nothing."""
    return threading.get_ident()


def _pending(it: Snapshot) -> int:
    return it.queue(None).pending


def held_by(gate: threading.Event) -> Work:
    """Return a search that lasts until the gate opens."""

    def wait(it: Snapshot) -> int:
        assert gate.wait(PATIENCE_S)
        return where(it)

    return wait


def reading() -> set[threading.Thread]:
    """Return the threads that read, of all stores."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("sqlite-read")}


def meeting() -> Work:
    """Return a search that waits in the middle for another one like it."""
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def meet(it: Snapshot) -> int:
        both.wait()
        return where(it)

    return meet


async def begun(store: SqliteStore, work: Work) -> asyncio.Task[int]:
    """Begin a search, and return when it is under way or in the queue."""
    task = asyncio.create_task(store.read(work))
    await asyncio.sleep(0)  # the task runs to where it waits
    return task


async def test_searches_that_come_together_run_side_by_side(store: SqliteStore) -> None:
    """Each waits in the middle for the other, on a thread of its own."""
    meet = meeting()
    assert len(set(await asyncio.gather(store.read(meet), store.read(meet)))) == 2


async def test_one_reader_is_enough_for_one_search_at_a_time(store: SqliteStore) -> None:
    """What is short waits for the search instead of opening a connection, and so does a search for what is short."""
    gate, before = threading.Event(), reading()
    search = await begun(store, held_by(gate))
    short = [asyncio.create_task(store.generation()), asyncio.create_task(store.read(_pending, is_short=True))]
    await asyncio.sleep(0)
    gate.set()
    assert await search == await store.read(where)
    assert await asyncio.gather(*short) == [1, 0]
    assert {await store.read(where) for _ in range(5)} == {await search}
    assert reading() == before


async def test_after_a_crowd_the_first_reader_does_what_comes(store: SqliteStore) -> None:
    """Its caches are warm; the second one rests."""
    gate = threading.Event()
    first, second = await begun(store, held_by(gate)), await begun(store, held_by(gate))
    gate.set()
    assert await first != await second
    assert {await store.read(where) for _ in range(5)} == {await first}


async def test_more_searches_than_readers_wait_their_turn(store: SqliteStore) -> None:
    """The third is done by the reader that is free first, whichever that is."""
    gates = threading.Event(), threading.Event()
    first, second = await begun(store, held_by(gates[0])), await begun(store, held_by(gates[1]))
    third = await begun(store, where)
    gates[1].set()
    assert await third == await second
    assert not first.done()
    gates[0].set()
    await first


async def test_who_went_away_holds_up_nobody(store: SqliteStore) -> None:
    """A cancelled search is still under way in its thread: the next one gets another, and later the first again."""
    gate, running = threading.Event(), threading.Event()
    thread = await store.read(where)

    def hold(it: Snapshot) -> int:
        running.set()
        return held_by(gate)(it)

    left = await begun(store, hold)
    assert await asyncio.to_thread(running.wait, PATIENCE_S)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert await store.read(where) != thread
    gate.set()
    meet = meeting()
    assert thread in await asyncio.gather(store.read(meet), store.read(meet))


async def test_who_waits_may_go_away(store: SqliteStore) -> None:
    """A search that is cancelled in the queue is not done, and takes nobody's turn."""
    gate, done = threading.Event(), threading.Event()

    def tell(it: Snapshot) -> int:
        done.set()
        return where(it)

    holding = [await begun(store, held_by(gate)) for _ in range(2)]
    left = await begun(store, tell)
    last = await begun(store, where)
    left.cancel()
    gate.set()
    assert await last in await asyncio.gather(*holding)
    assert not done.is_set()


async def test_every_reader_sees_what_was_written(store: SqliteStore) -> None:
    """What a reader keeps in mind of words, vectors and neighbours is dropped by a write, in each of them."""
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def counts(it: Snapshot) -> tuple[int, int, int]:
        both.wait()
        query = QueryAnalyzer.of(it, "here", DEFAULT_POLICY.lexical).keyword_query("first second")
        words = it.keyword_search(query, HERE, 9).scores
        sample = it.background_scores(towards(0), SPACE, "here", 9)
        return len(words), len(it.nearest(towards(0), SPACE, HERE, 9)), sample.chunks

    assert tuple(await asyncio.gather(store.read(counts), store.read(counts))) == ((1, 1, 1), (1, 1, 1))
    await put(store, "second", towards(10))
    assert tuple(await asyncio.gather(store.read(counts), store.read(counts))) == ((2, 2, 2), (2, 2, 2))


async def test_a_store_that_is_only_read_has_one_reader(store: SqliteStore) -> None:
    """How it is opened depends on what others do to the file, and another connection of ours would be such a one."""
    await store.close()
    only_read, gate = SqliteStore(store.path, read_only=True, readers=2), threading.Event()
    thread = await only_read.read(where)
    searches = [await begun(only_read, held_by(gate)) for _ in range(2)]
    gate.set()
    assert await asyncio.gather(*searches) == [thread, thread]
    await only_read.close()


class Loner:
    """A reader beside which nobody may open the file."""

    allows_others = False

    def __init__(self) -> None:
        self._thread, self._db = ThreadPoolExecutor(1), apsw.Connection(":memory:")

    def submit(self, work: Callable[[apsw.Connection], int]) -> Future[int]:
        """Do the work."""
        return self._thread.submit(work, self._db)

    def end_waiting(self) -> None:
        """Nobody waits."""

    async def close(self) -> None:
        """End."""
        self._thread.shutdown()


async def test_a_reader_that_allows_no_others_is_alone() -> None:
    """It may be migrating the file, which takes minutes, or read it without locks: searches wait for it."""
    pool, gate = Readers(cast("Callable[[], Reader]", Loner), 2), threading.Event()

    def hold(_: apsw.Connection) -> int:
        assert gate.wait(PATIENCE_S)
        return threading.get_ident()

    searches = [asyncio.create_task(pool.run(hold, is_search=True)) for _ in range(2)]
    await asyncio.sleep(0)
    gate.set()
    assert len(set(await asyncio.gather(*searches))) == 1
    await pool.close()


async def test_a_store_is_closed_after_what_was_asked(store: SqliteStore) -> None:
    """Searches under way and in the queue have their answers; afterwards nothing can be asked."""
    gate = threading.Event()
    searches = [await begun(store, held_by(gate)) for _ in range(3)]
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    gate.set()
    assert len(set(await asyncio.gather(*searches))) == 2
    await closing
    with pytest.raises(RuntimeError, match="closed"):
        await store.read(where)
