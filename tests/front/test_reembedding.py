"""Another model's vectors take the place of the store's, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from memory_mcp.domain.errors import ConflictError, EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Change, Filters, Lane, NewMemory, Space, Task
from memory_mcp.domain.ports import Store
from memory_mcp.domain.principal import Reach
from memory_mcp.maintenance.reembedding import BATCH, LEASE, LEASE_S, Reembedding, ReembeddingProgress
from memory_mcp.memories.indexing import MAX_PASSAGES_AT_ONCE, Indexer
from memory_mcp.memories.service import Memories
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import faults, nearest
from tests.fakes.embedder import FakeEmbedder

OLD, NEW = Space("old-384", 384), Space("new-384", 384)
HERE = Filters("n")


class Times:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    """Give a store."""
    return SqliteStore(tmp_path / "memory.db")


def make(store: Store, embedder: FakeEmbedder, times: Times | None = None) -> Reembedding:
    """Make a re-embedding."""
    clock = times or Times()
    indexer = Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20)
    return Reembedding(store, embedder, indexer, budget_s=20, clock=clock, sleep=clock.sleep)


def memories(store: Store, embedder: FakeEmbedder) -> Memories:
    """Write as a front does."""
    return Memories(store, Indexer(embedder, interactive_budget_s=1, bulk_budget_s=20), on_pending=lambda: None)


async def _ignore(_done: int) -> None:
    """Nobody asked."""


async def fill(store: Store, count: int) -> None:
    """Store memories with vectors of the old space."""
    news = [NewMemory(f"memory number {number}", "n") for number in range(count)]
    await memories(store, FakeEmbedder(OLD)).store_many(news, _ignore)


async def best(store: Store, embedder: FakeEmbedder, text: str) -> str:
    """Return the content that is nearest to a text."""
    embedding = await embedder.embed([text], task=Task.QUERY, lane=Lane.INTERACTIVE, budget_s=1, expected_space=None)
    vector = embedding.items[0].vector
    assert vector is not None
    [match] = await nearest(store, vector, embedding.space, HERE, 1)
    return (await store.read(lambda it: it.fetch([match.key])))[match.key].content


async def test_all_memories_get_the_new_models_vectors(store: Store) -> None:
    """They are embedded in the bulk lane, progress counts to the end, and searches are of the new space."""
    await fill(store, 2 * BATCH + 1)
    embedder, seen = FakeEmbedder(NEW), list[ReembeddingProgress]()
    done = await make(store, embedder).run(seen.append)
    assert (done.before, done.after, done.memories) == (OLD, NEW, 2 * BATCH + 1)
    assert [(progress.done, progress.total) for progress in seen] == [(64, 129), (128, 129), (129, 129)]
    assert {lane for _, _, lane, _ in embedder.calls[1:]} == {Lane.BULK}
    assert await store.read(lambda it: it.space()) == NEW
    assert await best(store, embedder, "memory number 77") == "memory number 77"
    assert await faults(store) == []


async def test_nothing_is_done_where_nothing_is_to_do(store: Store) -> None:
    """The store has the embedder's space already."""
    await fill(store, 3)
    embedder = FakeEmbedder(OLD)
    assert (await make(store, embedder).run(_never)).memories == 0
    assert len(embedder.calls) == 1


def _never(_progress: ReembeddingProgress) -> None:
    raise AssertionError


async def test_a_long_memory_is_embedded_whole(store: Store) -> None:
    """A content of more passages than a caller's patience holds gets all its vectors here."""
    content = "The trip to Rome. " + "We saw the forum and ate well that day. " * 15 * MAX_PASSAGES_AT_ONCE
    await memories(store, FakeEmbedder(OLD)).store(NewMemory(content, "n"))
    await make(store, FakeEmbedder(NEW)).run(lambda _: None)
    assert (await store.read(lambda it: it.queue(None))).pending == 0
    assert len(await store.export(0, 1)) == 1
    asked = await FakeEmbedder(NEW).embed(
        ["the forum"], task=Task.QUERY, lane=Lane.BULK, budget_s=1, expected_space=None
    )
    [match] = await nearest(store, asked.items[0].vector or b"", NEW, HERE, 1)
    assert match.passage is not None


async def test_it_goes_on_where_it_ended(store: Store) -> None:
    """What was done before a failure is kept, and the old space is searched until the end."""
    await fill(store, 2 * BATCH)
    embedder = FakeEmbedder(NEW)

    def fail(_progress: ReembeddingProgress) -> None:
        embedder.failure = EmbedderError("down")

    times = Times()
    with pytest.raises(EmbedderError, match="down"):
        await make(store, embedder, times).run(fail)
    assert sum(times.slept) > 0
    assert await store.read(lambda it: it.space()) == OLD
    assert await store.count_missing_vectors(NEW) == BATCH
    embedder.failure = None
    seen: list[ReembeddingProgress] = []
    assert (await make(store, embedder).run(seen.append)).memories == BATCH
    assert [(progress.done, progress.total) for progress in seen] == [(BATCH, BATCH)]
    assert await store.read(lambda it: it.space()) == NEW


async def test_an_embedder_that_is_out_for_a_moment_is_waited_for(store: Store) -> None:
    """It is tried again with growing pauses, within a minute."""
    await fill(store, 3)
    embedder, times = FakeEmbedder(NEW), Times()
    failures = iter([None, EmbedderError("overloaded"), EmbedderError("overloaded"), None])

    def fail() -> None:
        embedder.failure = next(failures)

    embedder.before_call = fail
    assert (await make(store, embedder, times).run(lambda _: None)).memories == 3
    assert 0 < sum(times.slept) < 60


async def test_a_model_that_changes_meanwhile_ends_it_at_once(store: Store) -> None:
    """Vectors of a third space are not mixed in."""
    await fill(store, 2 * BATCH)
    embedder, times = FakeEmbedder(NEW), Times()

    def change(_progress: ReembeddingProgress) -> None:
        embedder.space = Space("third-384", 384)

    with pytest.raises(SpaceMismatchError):
        await make(store, embedder, times).run(change)
    assert await store.read(lambda it: it.space()) == OLD
    assert await faults(store) == []


async def test_what_others_write_meanwhile_is_embedded_too(store: Store) -> None:
    """New, rewritten and deleted memories are as they should be after the switch."""
    await fill(store, BATCH + 1)
    embedder = FakeEmbedder(NEW)
    front = memories(store, embedder)  # its embedder serves the new space already: its vectors wait
    written: list[asyncio.Task[object]] = []

    first, second, *_ = [record.memory for record in await store.export(0, 2)]

    async def write() -> None:
        assert not getattr(await front.store(NewMemory("written meanwhile", "n")), "embedded", True)
        await front.update(first.id, Reach("n"), Change(content="rewritten meanwhile"), None)
        await front.delete(second.id, Reach("n"), dry_run=False)

    def on_progress(progress: ReembeddingProgress) -> None:
        if progress.done == BATCH:
            written.append(asyncio.ensure_future(write()))

    class Waits(Times):
        """Lets the other front finish while it rests."""

        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            await asyncio.gather(*written)

    times = Waits()

    def take_a_second() -> None:
        times.now += 1

    embedder.before_call = take_a_second
    await make(store, embedder, times).run(on_progress, share=0.5)
    for text in ("written meanwhile", "rewritten meanwhile"):
        assert await best(store, embedder, text) == text
    assert second.key not in await store.read(lambda it: it.fetch([second.key]))
    assert await store.read(lambda it: it.space()) == NEW
    assert await faults(store) == []


async def test_two_do_not_do_it_at_once(store: Store) -> None:
    """The second one waits as long as a killed one's lease may run, and says so; then it may."""
    await fill(store, 1)
    await store.acquire_lease(LEASE, "another", 60)
    times = Times()
    with pytest.raises(ConflictError, match="another process"):
        await make(store, FakeEmbedder(NEW), times).run(lambda _: None)
    assert sum(times.slept) > LEASE_S
    assert await store.read(lambda it: it.space()) == OLD
    await store.acquire_lease(LEASE, "another", 0)
    assert (await make(store, FakeEmbedder(NEW)).run(lambda _: None)).memories == 1
    assert await store.acquire_lease(LEASE, "another", 60)


async def test_it_takes_the_share_that_it_may_have(store: Store) -> None:
    """A quarter of the time: after a batch of one second it rests three."""
    await fill(store, 2 * BATCH)
    embedder, times = FakeEmbedder(NEW), Times()

    def take_a_second() -> None:
        times.now += 1

    embedder.before_call = take_a_second
    await make(store, embedder, times).run(lambda _: None, share=0.25)
    assert times.slept == [3, 3]


async def test_a_long_rest_keeps_the_lease(store: Store) -> None:
    """However little of the time it may have, nobody else takes it for dead."""
    await fill(store, 1)
    embedder, times = FakeEmbedder(NEW), Times()

    def take_a_second() -> None:
        times.now += 1

    embedder.before_call = take_a_second
    await make(store, embedder, times).run(lambda _: None, share=0.05)
    assert times.slept == [3, 3, 3, 3, 3, 3, 1]


async def test_other_spaces_are_dropped_when_asked(store: Store) -> None:
    """Only then, and all of them."""
    await fill(store, 3)
    reembedding = make(store, FakeEmbedder(NEW))
    await reembedding.run(lambda _: None)
    assert await store.other_spaces() == [OLD]
    assert await reembedding.drop_others() == 1
    assert await store.other_spaces() == []
    assert await faults(store) == []


async def test_a_text_that_is_refused_is_set_aside(store: Store) -> None:
    """One poisonous memory keeps nobody from switching; health names its reason."""
    await fill(store, 3)
    embedder = FakeEmbedder(NEW)
    embedder.rejected = {"memory number 1"}
    await make(store, embedder).run(lambda _: None)
    assert await store.read(lambda it: it.space()) == NEW
    counts = await store.read(lambda it: it.queue("n"))
    assert (counts.pending, counts.failed, counts.last_error) == (0, 1, "failed: as told")


async def test_refused_texts_are_tried_again(store: Store) -> None:
    """Where the space is the store's already, what was refused is asked for again; what got a vector is counted."""
    await fill(store, 2)
    embedder = FakeEmbedder(OLD)
    embedder.made_by, embedder.rejected = "fake 1", {"one", "two"}
    await memories(store, embedder).store_many([NewMemory(text, "n") for text in ("one", "two", "three")], _ignore)
    assert (await store.read(lambda it: it.queue("n"))).failed == 2
    embedder.rejected = {"two"}
    assert (await make(store, embedder).run(lambda _: None)).memories == 1
    counts = await store.read(lambda it: it.queue("n"))
    assert (counts.pending, counts.failed, counts.last_error) == (0, 1, "failed: as told [fake 1]")
    assert await best(store, embedder, "one") == "one"
    assert (await make(store, embedder).run(lambda _: None)).memories == 0
    assert await faults(store) == []


@pytest.mark.parametrize("space", [OLD, NEW])
async def test_what_is_quarantined_keeps_nobody_from_switching(store: Store, space: Space) -> None:
    """It ends, and the chores then queue what was refused for the time being."""
    await fill(store, 2)
    embedder = FakeEmbedder(OLD)
    embedder.quarantined = {"deadly"}
    await memories(store, embedder).store(NewMemory("deadly", "n"))
    assert (await store.read(lambda it: it.queue("n"))).pending == 1
    embedder = FakeEmbedder(space)
    embedder.made_by, embedder.quarantined = "fake 1", {"deadly"}
    await make(store, embedder).run(lambda _: None)
    assert await store.read(lambda it: it.space()) == space
    assert await store.retry_failed("fake 1") == 1
    assert [waiting.text for waiting in await store.pending(9)] == ["deadly"]
    assert await faults(store) == []


async def test_what_an_early_end_left_is_filled(store: Store) -> None:
    """A store that had no space at all: the first run ends early, the next one goes on though the space is its own."""
    down = FakeEmbedder(NEW)
    down.failure = EmbedderError("down")
    await memories(store, down).store_many([NewMemory(f"memory {n}", "n") for n in range(2 * BATCH)], _ignore)
    embedder = FakeEmbedder(NEW)

    def fail(_progress: ReembeddingProgress) -> None:
        embedder.failure = EmbedderError("down")

    with pytest.raises(EmbedderError):
        await make(store, embedder).run(fail)
    embedder.failure = None
    await memories(store, embedder).store(NewMemory("later", "n"))
    assert await store.read(lambda it: it.space()) == NEW
    assert (await make(store, embedder).run(lambda _: None)).memories == BATCH
    assert (await store.read(lambda it: it.queue(None))).pending == 0
    assert await best(store, embedder, "memory 100") == "memory 100"
    assert await faults(store) == []
