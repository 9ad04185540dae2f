"""Batches that raise, and batches that do not fit into memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from embedder_api.v1 import wire
from hypothesis import given
from hypothesis import strategies as st

from embedder_daemon.engines.base import EmbedTask, Encoded, EngineFacts
from embedder_daemon.engines.hash_engine import HashEngine, hash_vector
from embedder_daemon.scheduler.budget import Budget
from tests.daemon.daemonkit import FaultyEngine, serving


class SmallEngine(HashEngine):
    """Has memory for so many padded tokens."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.padded: list[int] = []

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute what fits."""
        self.padded.append(max(len(text.ids) for text in batch) * len(batch))
        if self.padded[-1] > self.tokens:
            raise MemoryError("of the device")
        return super().forward(batch)


async def test_only_the_culprit_fails(folder: Path) -> None:
    """Of thirty-two texts of four callers one makes its batch raise: it alone gets an error."""
    texts = [f"text {number}" for number in range(31)]
    async with serving(folder, FaultyEngine) as client:
        answer = await client.embed(*texts[:20], "please raise", *texts[20:])
        assert [item.error.partition(":")[0] for item in answer.items] == [""] * 20 + ["failed"] + [""] * 11
        assert answer.vectors == b"".join(map(hash_vector, texts))
        others = await asyncio.gather(*[client.embed(f"{word} {word}") for word in ("a", "raise", "b")])
        assert [other.items[0].error[:6] for other in others] == ["", "failed", ""]
        assert (await client.stats()).bisected >= 5


class ContagiousEngine(FaultyEngine):
    """Beside a longer text a row is not finite, as where padding sees nothing and that spreads."""

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute, and spoil the rows that were padded."""
        longest = max(len(text.ids) for text in batch)
        rows = zip(batch, super().forward(batch), strict=True)
        return [row if len(text.ids) == longest else wire.pack([float("inf")] * 384) for text, row in rows]


async def test_a_neighbour_makes_no_text_fail(folder: Path) -> None:
    """A row that is not finite is computed alone: an innocent text gets its vector, the culprit alone an error."""
    texts = ["w " * words + str(words) for words in range(1, 20)]
    async with serving(folder, ContagiousEngine) as client:
        answer = await client.embed(*texts, "please nan")
        assert [item.error.partition(":")[0] for item in answer.items] == [""] * len(texts) + ["not_finite"]
        assert answer.vectors == b"".join(map(hash_vector, texts))
        assert all(item.cached for item in (await client.embed(*texts)).items)
        assert (await client.embed("please nan")).items[0].error.startswith("not_finite")


async def test_batches_shrink_to_the_memory_and_grow_again(folder: Path) -> None:
    """What does not fit is computed in parts, later batches are smaller at once, and larger when there is room."""
    engine = SmallEngine(30)
    async with serving(folder, lambda: engine, cache_mb=0) as client:
        texts = ["w " * 10 + str(number) for number in range(32)]
        answer = await client.embed(*texts)
        assert answer.vectors == b"".join(map(hash_vector, texts))
        assert (await client.stats()).out_of_memory > 0
        assert engine.padded[0] > 64
        engine.padded.clear()
        await client.embed(*texts)
        assert max(engine.padded) <= 128
        engine.tokens = 10_000
        before = (await client.stats()).out_of_memory
        for _ in range(20):
            await client.embed(*texts)
        assert max(engine.padded) > 128
        assert (await client.stats()).out_of_memory == before


class Panic(BaseException):
    """What a library in Rust raises; no Exception."""


class PanickingEngine(HashEngine):
    """Raises in its first pass."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error
        self.panics = 1

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Panic or compute."""
        if self.panics:
            self.panics -= 1
            raise self.error
        return super().forward(batch)


@pytest.mark.parametrize("error", [Panic, SystemExit, KeyboardInterrupt])
async def test_what_is_no_exception_is_a_fault_like_others(folder: Path, error: type[BaseException]) -> None:
    """A pass that panics is computed again in halves, a lone text gets an error, and later ones their vector."""
    engine = PanickingEngine(error)
    async with serving(folder, lambda: engine) as client:
        assert (await client.embed("x")).items[0].error.startswith("failed: ")
        assert (await client.embed("x")).vectors == hash_vector("x")
        engine.panics = 1
        assert (await client.embed("a", "b")).vectors == hash_vector("a") + hash_vector("b")


class ForgetfulEngine:
    """Once after its first pass, it does not know its facts on the event loop's thread."""

    def __init__(self) -> None:
        self._engine = HashEngine()
        self._forgets = False
        self._passes = 0

    @property
    def facts(self) -> EngineFacts:
        """Tell them, or fail."""
        if self._forgets and threading.current_thread() is threading.main_thread():
            self._forgets = False
            raise RuntimeError("secret of the engine")
        return self._engine.facts

    def encode(self, texts: Sequence[str], task: EmbedTask) -> list[Encoded]:
        """Tokenise."""
        return self._engine.encode(texts, task)

    def forward(self, batch: Sequence[Encoded]) -> list[bytes]:
        """Compute, and forget."""
        self._passes += 1
        self._forgets = self._passes == 1
        return self._engine.forward(batch)

    def close(self) -> None:
        """There is nothing to drop."""


async def test_a_fault_of_the_scheduler_leaves_nobody_waiting(folder: Path) -> None:
    """When what runs the batches fails, its caller gets an error, and an equal text that comes later its vector."""
    async with serving(folder, ForgetfulEngine) as client:
        assert (await client.embed("x", within_s=5.0)).items[0].error.startswith("failed: ")
        assert (await client.embed("x", within_s=5.0)).vectors == hash_vector("x")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20_000)), max_size=60))
def test_the_budget_is_never_more_than_wanted_nor_nothing(steps: list[tuple[bool, int]]) -> None:
    """Failures lower it and successes raise it, between a floor and what is wanted."""
    budget = Budget()
    for fits, padded in steps:
        before = budget.within(4096)
        if fits:
            budget.succeeded(padded, 4096)
            assert before <= budget.within(4096) <= 4096
        else:
            budget.failed(padded)
            assert 64 <= budget.within(4096) <= max(64, before / 2, padded / 2)


def test_the_budget_is_forgotten_when_it_bounds_nothing() -> None:
    """Full batches that succeed give back everything in the end; small ones prove nothing."""
    budget = Budget()
    budget.failed(4096)
    for _ in range(100):
        budget.succeeded(10, 4096)
    assert budget.within(4096) == 2048
    for _ in range(100):
        budget.succeeded(budget.within(4096), 4096)
    assert budget.within(100_000) == 100_000
