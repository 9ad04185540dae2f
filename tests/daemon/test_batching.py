"""How calls of several clients share forward passes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from embedder_api.v1 import embedder_pb2

from embedder_daemon.engines.base import EmbedTask, Encoded
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from tests.daemon.daemonkit import Client, GateEngine, serving


def _ids(text: str) -> tuple[int, ...]:
    return HashEngine().encode([text], EmbedTask.DOCUMENT)[0].ids


def _place(batches: list[list[Encoded]], text: str) -> int:
    return next(place for place, batch in enumerate(batches) if any(row.ids == _ids(text) for row in batch))


async def _hold(client: Client, engine: GateEngine) -> asyncio.Task[embedder_pb2.EmbedResponse]:
    """Occupy the forward thread with one call."""
    call = asyncio.create_task(client.embed("holder"))
    await client.until_stats(lambda _: engine.entered.is_set(), "the forward thread is busy")
    return call


async def test_concurrent_calls_share_batches(folder: Path) -> None:
    """Sixty calls that wait at the same time need two batches, and each gets its own vector."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        holder = await _hold(client, engine)
        calls = [asyncio.create_task(client.embed(f"text {n}", client=f"c{n % 5}")) for n in range(60)]
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 60, "all wait")
        engine.gate.set()
        answers = await asyncio.gather(*calls)
        await holder
        assert [answer.vectors for answer in answers] == [hash_vector(f"text {n}") for n in range(60)]
        stats = await client.stats()
        assert stats.batches == 3
        assert answers[0].timing.queue_us > 0


async def test_interactive_goes_before_bulk_and_bulk_is_not_starved(folder: Path) -> None:
    """A query overtakes waiting bulk, and while queries keep waiting bulk gets a share of the batches."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        holder = await _hold(client, engine)
        bulk = asyncio.create_task(client.embed(*[f"bulk {n}" for n in range(64)], lane=embedder_pb2.LANE_BULK))
        await client.until_stats(lambda stats: stats.bulk.queued_texts == 64, "bulk waits")
        queries = [asyncio.create_task(client.embed(*[f"query {n} {m}" for m in range(32)])) for n in range(8)]
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 256, "queries wait")
        engine.gate.set()
        await asyncio.gather(holder, bulk, *queries)
        kinds = ["bulk" if _ids("bulk")[0] in batch[0].ids else "query" for batch in engine.batches[1:]]
        assert kinds[0] == "query"
        assert kinds.index("bulk") < len(kinds) - 1 - kinds[::-1].index("query")


async def test_clients_take_turns(folder: Path) -> None:
    """One client's single text does not wait behind another's many."""
    engine = GateEngine(is_open=False)
    async with serving(folder, lambda: engine) as client:
        holder = await _hold(client, engine)
        many = asyncio.create_task(client.embed(*["chatty " * 100 + str(n) for n in range(200)], client="chatty"))
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 200, "the chatty one waits")
        one = asyncio.create_task(client.embed("quiet", client="quiet"))
        await client.until_stats(lambda stats: stats.interactive.queued_texts == 201, "the quiet one waits")
        engine.gate.set()
        await asyncio.gather(holder, many, one)
        assert _place(engine.batches, "quiet") <= 2
