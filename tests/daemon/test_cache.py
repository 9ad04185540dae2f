"""Texts that were computed before, or are being computed for somebody else."""

from __future__ import annotations

import asyncio
import dataclasses
import string
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import embedder_pb2
from hypothesis import given
from hypothesis import strategies as st

from embedder_daemon.engines.base import EmbedTask, Encoded, Engine
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from embedder_daemon.scheduler.cache import Cache, CachedVector, keys
from tests.daemon.daemonkit import FaultyEngine, GateEngine, serving


@given(st.lists(st.tuples(st.sampled_from(string.ascii_letters), st.integers(0, 4000)), max_size=80))
def test_the_cache_keeps_its_bound_and_what_was_used_last(puts: list[tuple[str, int]]) -> None:
    """Its bytes are never over the bound, and an entry is gone only after younger ones filled it."""
    cache = Cache(10_000)
    for name, size in puts:
        known = cache.get(name.encode()) or CachedVector(bytes(size), 1, truncated=False, consumed_chars=1)
        cache.put(name.encode(), known)
        assert cache.bytes <= 10_000
        assert cache.get(name.encode()) is known


def test_a_cache_of_nothing_keeps_nothing() -> None:
    """A bound of 0 turns it off."""
    cache = Cache(0)
    cache.put(b"x", CachedVector(b"", 1, truncated=False, consumed_chars=1))
    assert (cache.get(b"x"), cache.bytes) == (None, 0)


def test_keys_differ_in_everything_that_decides() -> None:
    """Another space, task, truncation or text is another key, also where they are glued together."""
    asked = [
        next(keys(space, task, [text], truncate=truncate))
        for space in ("s", "s\0d")
        for task in ("d", "d\0q")
        for text in ("", "x", "\0x", "\ud800")
        for truncate in (False, True)
    ]
    assert len(set(asked)) == len(asked)


def test_keys_are_made_one_by_one() -> None:
    """A call that is refused at its first text has no other one hashed."""
    texts = iter(["one", "two"])
    next(keys("space", "query", texts, truncate=False))
    assert next(texts) == "two"


async def test_a_text_that_was_seen_is_not_computed_again(folder: Path) -> None:
    """Its item says so and tells the same; another task or truncation is computed; the counters tell it."""
    async with serving(folder, HashEngine) as client:
        long = "word " * 300
        first = await client.embed("a b", long, "", truncate=True)
        again = await client.embed("a b", "new", long, "", truncate=True)
        assert [item.cached for item in first.items] == [False] * 3
        assert [item.cached for item in again.items] == [True, False, True, False]
        assert again.vectors == first.vectors[:1536] + hash_vector("new") + first.vectors[1536:]
        item = again.items[2]
        assert (item.token_count, item.truncated, item.consumed_chars) == (300, True, 256 * 5 - 1)
        assert not (await client.embed("a b", truncate=True, task=embedder_pb2.TASK_QUERY)).items[0].cached
        assert (await client.embed(long)).items[0].error.startswith("too_long: ")
        stats = await client.stats()
        assert (stats.cache_hits, stats.cache_misses, stats.rows) == (2, 4, 4)
        assert stats.cache_bytes > 4 * 1536


async def test_a_hit_needs_neither_queue_nor_engine(folder: Path) -> None:
    """It is answered while the forward thread is busy, and while the daemon sleeps, whom it does not wake."""
    engine = GateEngine()
    async with serving(folder, lambda: engine, idle_unload_s=0.05) as client:
        await client.embed("seen")
        await asyncio.to_thread(engine.gate.clear)
        busy = asyncio.create_task(client.embed("new"))
        await client.until_stats(lambda _: len(engine.batches) == 2, "the forward thread is busy")
        assert (await client.embed("seen")).items[0].cached
        engine.gate.set()
        await busy
        await client.until_state(embedder_pb2.STATE_ASLEEP)
        answer = await client.embed("seen", expected_space_id=(await client.info()).space_id)
        assert (answer.items[0].cached, answer.vectors) == (True, hash_vector("seen"))
        assert (await client.info()).state == embedder_pb2.STATE_ASLEEP
        with pytest.raises(grpc.aio.AioRpcError, match="another") as caught:
            await client.embed("seen", expected_space_id="another")
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


class OtherEngine:
    """The same model's name with other weights."""

    facts = dataclasses.replace(
        HashEngine.facts, space=dataclasses.replace(HashEngine.facts.space, weights_sha256="other")
    )

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Cut as the other one does."""
        return HashEngine().encode(texts, task)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Return other vectors."""
        return [hash_vector("other")] * len(batch)

    def close(self) -> None:
        """There is nothing to drop."""


async def test_the_cache_does_not_cross_weights(folder: Path) -> None:
    """When a sleeping daemon wakes with other weights, the space is another and known texts are computed anew."""
    engines: Iterator[Engine] = iter((HashEngine(), OtherEngine()))
    async with serving(folder, lambda: next(engines), idle_unload_s=0.05) as client:
        before = await client.embed("seen")
        await client.until_state(embedder_pb2.STATE_ASLEEP)
        assert (await client.embed("new")).vectors == hash_vector("other")
        after = await client.embed("seen")
        assert (after.items[0].cached, after.vectors) == (False, hash_vector("other"))
        assert after.space_id != before.space_id
        with pytest.raises(grpc.aio.AioRpcError, match=before.space_id) as caught:
            await client.embed("seen", expected_space_id=before.space_id)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_errors_are_not_kept(folder: Path) -> None:
    """What failed is computed again."""
    async with serving(folder, FaultyEngine) as client:
        for _ in range(2):
            assert not (await client.embed("a nan")).items[0].cached
        assert (await client.stats()).cache_misses == 2


async def test_equal_texts_at_once_cost_one_row(folder: Path) -> None:
    """A hundred calls with one text, and one with it twice, are one row; each gets its vector."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        holder = asyncio.create_task(client.embed("holder"))
        await client.until_stats(lambda _: engine.entered.is_set(), "the forward thread is busy")
        calls = [asyncio.create_task(client.embed("same", client=f"c{n}")) for n in range(100)]
        twice = asyncio.create_task(client.embed("same", "same", "holder", lane=embedder_pb2.LANE_BULK))
        await client.until_stats(lambda stats: stats.deduplicated == 102, "all share")
        assert (await client.stats()).interactive.queued_texts == 1
        engine.gate.set()
        answers = await asyncio.gather(*calls)
        assert {answer.vectors for answer in answers} == {hash_vector("same")}
        assert (await twice).vectors == hash_vector("same") * 2 + hash_vector("holder")
        await holder
        assert (await client.stats()).rows == 2


async def test_a_caller_that_leaves_takes_no_shared_row_along(folder: Path) -> None:
    """The one who asked first leaves, and the one who shares the row is served."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        holder = asyncio.create_task(client.embed("holder"))
        await client.until_stats(lambda _: engine.entered.is_set(), "the forward thread is busy")
        leaver = client.stub.Embed(embedder_pb2.EmbedRequest(texts=["same"]))
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 1, "the first waits")
        stayer = asyncio.create_task(client.embed("same"))
        await client.until_stats(lambda stats: stats.deduplicated == 1, "the second shares")
        leaver.cancel()
        await client.until_stats(lambda stats: stats.expired == 1, "the first left")
        engine.gate.set()
        assert (await stayer).vectors == hash_vector("same")
        await holder
