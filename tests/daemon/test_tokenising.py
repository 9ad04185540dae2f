"""Long texts, which are tokenised on threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from embedder_api.v1 import embedder_pb2

from embedder_daemon.engines.base import SHORT, EmbedTask, Encoded
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from tests.daemon.daemonkit import SERVING, SlowTokens, serving


async def test_bulk_holds_up_no_interactive_text(folder: Path) -> None:
    """While sixteen long bulk calls are being tokenised, a longer and two short interactive texts are answered."""
    engine, longer = SlowTokens(), "w" * (SHORT + 1)
    async with serving(folder, lambda: engine) as client:
        texts = [f"hold {number} " * SHORT for number in range(16)]
        calls = [asyncio.create_task(client.embed(text, lane=embedder_pb2.LANE_BULK)) for text in texts]
        await client.until_stats(lambda stats: stats.bulk.requests == 16 and engine.held, "they are at it")
        assert (await client.embed(longer)).vectors == hash_vector(longer)
        assert (await client.embed("one", "two")).vectors == hash_vector("one") + hash_vector("two")
        assert await client.health() == SERVING
        assert not any(call.done() for call in calls)
        engine.gate.set()
        await asyncio.gather(*calls)


async def test_characters_are_bounded_too(folder: Path) -> None:
    """Two texts that are within max_queued_texts and over 64 MiB are not held at once; short ones are served."""
    engine = SlowTokens()
    async with serving(folder, lambda: engine) as client:
        huge = "hold " + "y" * (40 << 20)
        first = asyncio.create_task(client.embed(huge))
        await client.until_stats(lambda stats: stats.interactive.requests == 1 and engine.held, "it is in")
        with pytest.raises(grpc.aio.AioRpcError, match="characters are waiting") as caught:
            await client.embed("other " + huge)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await client.embed("x")).vectors == hash_vector("x")
        engine.gate.set()
        assert len((await first).items) == 1
        assert len((await client.embed("other " + huge)).items) == 1


class Panic(BaseException):
    """What a library in Rust raises; no Exception."""


class PanickingTokens(HashEngine):
    """Panics over a text with that word."""

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise, or panic."""
        if any("panic" in text for text in texts):
            raise Panic("private detail")
        return super().encode(texts, task)


@pytest.mark.parametrize("text", ["panic", "panic " * SHORT], ids=["short", "long"])
async def test_a_tokenizer_that_panics_fails_its_call(folder: Path, text: str) -> None:
    """What is no Exception becomes INTERNAL like the others, and the next call is served."""
    async with serving(folder, PanickingTokens) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="internal error") as caught:
            await client.embed(text)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert (await client.embed("x")).vectors == hash_vector("x")
