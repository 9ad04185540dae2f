"""Storing one and many: what is embedded meanwhile, and what is kept when something fails in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from memory_mcp.domain.errors import ConflictError, EmbedderError, StoreError
from memory_mcp.domain.models import Change, Embedded, Embedding, Filters, Lane, Memory, NewMemory, Space, Stored, Task
from memory_mcp.domain.principal import Reach
from memory_mcp.maintenance.reembedding import Reembedding
from memory_mcp.memories.service import Memories
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import nearest
from tests.fakes.embedder import FakeEmbedder
from tests.front.test_indexing import SPACE, make


@pytest.fixture
async def store(tmp_path: Path) -> SqliteStore:
    """Give a store."""
    return SqliteStore(tmp_path / "memory.db")


async def _ignore(done: int) -> None:
    del done


async def test_after_the_first_failed_batch_a_bulk_store_does_not_wait_again(store: SqliteStore) -> None:
    """Four batches against a dead embedder ask it once."""
    embedder = FakeEmbedder()
    embedder.failure = EmbedderError("down")
    memories = Memories(store, make(embedder), on_pending=lambda: None)
    outcomes = await memories.store_many([NewMemory(f"m {i}", "n") for i in range(250)], on_progress=_ignore)
    assert len(outcomes) == 250
    assert len(embedder.calls) == 1
    assert (await store.read(lambda it: it.queue("n"))).pending == 250
    await store.close()


async def test_an_update_to_the_same_content_does_not_keep_anothers_vectors(store: SqliteStore) -> None:
    """Another front changes the content between our reading and our writing: content and vectors stay one."""
    embedder = FakeEmbedder()
    memories = Memories(store, make(embedder), on_pending=lambda: None)
    stored = await memories.store(NewMemory("alpha beta gamma", "n"))
    assert isinstance(stored, Stored)

    class Meddled(SqliteStore):
        """Lets another front write after each reading."""

        async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
            """Read, then let the other write."""
            memory = await super().get(memory_id, namespace, any_namespace=any_namespace)
            await memories.update(memory_id, Reach(namespace), Change(content="delta epsilon"), None)
            return memory

    mine = Meddled(store._database.path)
    await Memories(mine, make(embedder), on_pending=lambda: None).update(
        stored.id, Reach("n"), Change(content="alpha beta gamma"), None
    )
    vector = (await make(embedder).embed(["alpha beta gamma"], lane=Lane.BULK, space=SPACE))[0][0].chunks[0].vector
    assert vector
    [best] = await nearest(store, vector, SPACE, Filters("n"), 1)
    assert best.score == pytest.approx(1, abs=1e-6)
    await mine.close()
    await store.close()


async def test_a_store_that_fails_halfway_leaves_what_was_acknowledged(store: SqliteStore) -> None:
    """The first batches keep their answers, what comes after the failure has its error."""
    batches = 0

    class Failing(SqliteStore):
        """Is full after two batches."""

        async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
            """Write twice, then fail."""
            nonlocal batches
            batches += 1
            if batches > 2:
                raise StoreError("the disk is full")
            return await super().add(items)

    failing = Failing(store._database.path)
    memories = Memories(failing, make(FakeEmbedder()), on_pending=lambda: None)
    outcomes = await memories.store_many([NewMemory(f"m {i}", "n") for i in range(200)], on_progress=_ignore)
    assert [isinstance(outcome, Stored) for outcome in outcomes] == [True] * 128 + [False] * 72
    assert (await store.read(lambda it: it.page(Filters("n"), limit=1, cursor=None))).total == 128
    await failing.close()
    await store.close()


class Waiting(FakeEmbedder):
    """Answers its first calls at once, and the next one when it may."""

    def __init__(self, prompt: int) -> None:
        super().__init__()
        self._prompt = prompt
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def embed(
        self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
    ) -> Embedding:
        """Embed, sooner or later."""
        answer = await super().embed(texts, task=task, lane=lane, budget_s=budget_s, expected_space=expected_space)
        if len(self.calls) > self._prompt:
            self.asked.set()
            await self.may_answer.wait()
        return answer


async def test_one_batch_is_embedded_while_another_is_written(tmp_path: Path) -> None:
    """A write that ends only when the embedder was asked for the next batch does end."""
    embedder = Waiting(1)

    class Slow(SqliteStore):
        """Takes until the next batch is asked for."""

        async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
            """Write late."""
            await embedder.asked.wait()
            embedder.may_answer.set()
            return await super().add(items)

    slow = Slow(tmp_path / "memory.db")
    async with asyncio.timeout(60):
        outcomes = await Memories(slow, make(embedder), on_pending=lambda: None).store_many(
            [NewMemory(f"m {i}", "n") for i in range(100)], on_progress=_ignore
        )
    assert all(isinstance(outcome, Stored) and outcome.embedded for outcome in outcomes)
    await slow.close()


async def test_two_batches_are_on_their_way_while_one_is_written(tmp_path: Path) -> None:
    """A write that ends only when the embedder was asked for two more batches does end."""
    embedder, asked_twice = Waiting(1), asyncio.Event()
    embedder.before_call = lambda: asked_twice.set() if len(embedder.calls) == 2 else None

    class Slow(SqliteStore):
        """Takes until two more batches are asked for."""

        async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
            """Write late."""
            await asked_twice.wait()
            embedder.may_answer.set()
            return await super().add(items)

    slow = Slow(tmp_path / "memory.db")
    async with asyncio.timeout(60):
        await Memories(slow, make(embedder), on_pending=lambda: None).store_many(
            [NewMemory(f"m {i}", "n") for i in range(200)], on_progress=_ignore
        )
    assert [len(call[0]) for call in embedder.calls] == [64, 64, 64, 8]
    await slow.close()


async def test_a_cancelled_bulk_store_keeps_what_it_reported_and_no_more(store: SqliteStore) -> None:
    """The batch that is being embedded when the call is cancelled is not stored."""
    embedder, told, reported = Waiting(1), list[int](), asyncio.Event()

    async def tell(done: int) -> None:
        told.append(done)
        reported.set()

    memories = Memories(store, make(embedder), on_pending=lambda: None)
    storing = asyncio.create_task(memories.store_many([NewMemory(f"m {i}", "n") for i in range(200)], on_progress=tell))
    async with asyncio.timeout(60):
        await embedder.asked.wait()
        await reported.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    embedder.may_answer.set()
    assert told == [64]
    assert (await store.read(lambda it: it.page(Filters("n"), limit=1, cursor=None))).total == 64
    await store.close()


async def test_a_store_that_another_front_gave_a_new_space_is_written_in_that(store: SqliteStore) -> None:
    """The space that was known from the last write is asked for again when the embedder serves another."""
    embedder, other = FakeEmbedder(), Space("another-384", 384)
    memories = Memories(store, make(embedder), on_pending=lambda: None)
    await memories.store(NewMemory("alpha", "n"))
    await memories.store(NewMemory("beta", "n"))
    await Reembedding(store, FakeEmbedder(other), make(FakeEmbedder(other)), budget_s=20).run(lambda _: None)
    assert await store.read(lambda it: it.space()) == other
    embedder.space = other
    stored = await memories.store(NewMemory("gamma", "n"))
    assert isinstance(stored, Stored)
    assert stored.embedded
    await store.close()


async def test_a_batch_of_long_memories_has_few_of_them(store: SqliteStore) -> None:
    """A batch waits for those before it, within its own budget: it has so many characters that one call does."""
    embedder, told = FakeEmbedder(), list[int]()

    async def tell(done: int) -> None:
        told.append(done)

    long = [NewMemory(f"Day {i}. " + "We went to the lake and ate well that day. " * 116, "n") for i in range(10)]
    assert 16_000 / 4 < len(long[0].content) < 16_000 / 3
    await Memories(store, make(embedder), on_pending=lambda: None).store_many(long, on_progress=tell)
    assert told == [4, 8, 10]
    assert max(len(call[0]) for call in embedder.calls) <= 64
    await store.close()


async def test_few_batches_wait_at_the_embedder(tmp_path: Path) -> None:
    """A batch waits for those before it, within its own budget."""
    present, most, ahead = 0, 0, 4
    crowded, may_answer = asyncio.Event(), asyncio.Event()

    class Busy(FakeEmbedder):
        """Answers the first call, and the others when they may."""

        async def embed(
            self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
        ) -> Embedding:
            """Embed in company."""
            nonlocal present, most
            present += 1
            most = max(most, present)
            if present == ahead:
                crowded.set()
            if self.calls:
                await may_answer.wait()
            present -= 1
            return await super().embed(texts, task=task, lane=lane, budget_s=budget_s, expected_space=expected_space)

    class Slow(SqliteStore):
        """Takes until as many batches are being embedded as may be, and whoever else would have come has come."""

        async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
            """Write late."""
            await crowded.wait()
            for _ in range(10):
                await self.read(lambda it: it.space())  # which every batch asks for first, one after the other
            may_answer.set()
            return await super().add(items)

    slow = Slow(tmp_path / "memory.db")
    news = [NewMemory(f"m {i}", "n") for i in range(7 * 64)]
    async with asyncio.timeout(60):
        await Memories(slow, make(Busy()), on_pending=lambda: None).store_many(news, on_progress=_ignore)
    assert most == ahead
    await slow.close()
