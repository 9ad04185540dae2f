"""The embedder behind its breaker, with an injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from memory_mcp.domain.errors import EmbedderError, SpaceMismatchError
from memory_mcp.domain.models import Embedding, Lane, Task
from memory_mcp.embedder.breaker import Breaker, BreakerPolicy
from memory_mcp.embedder.guarded import GuardedEmbedder
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock."""
    return FakeClock()


@pytest.fixture
def inner() -> FakeEmbedder:
    """Give what is guarded."""
    return FakeEmbedder()


@pytest.fixture
def guarded(inner: FakeEmbedder, clock: FakeClock) -> GuardedEmbedder:
    """Give the guard."""
    breaker = Breaker(BreakerPolicy(open_s=5), clock)
    return GuardedEmbedder(inner, breaker, slow_share=0.8, probe_budget_s=1, clock=clock)


async def call(guarded: GuardedEmbedder, expected_space: str | None = None) -> Embedding:
    """Embed as a store does."""
    return await guarded.embed(
        ["text"], task=Task.DOCUMENT, lane=Lane.INTERACTIVE, budget_s=1, expected_space=expected_space
    )


async def fail_until_open(guarded: GuardedEmbedder, inner: FakeEmbedder) -> None:
    """Open the breaker by failures."""
    inner.failure = EmbedderError("no daemon", fix="start it")
    for _ in range(3):
        with pytest.raises(EmbedderError, match="no daemon"):
            await call(guarded)


async def test_an_open_breaker_makes_no_call(guarded: GuardedEmbedder, inner: FakeEmbedder) -> None:
    """Once open, callers get the cause and the fix at once, and the daemon is left alone."""
    await fail_until_open(guarded, inner)
    calls = len(inner.calls)
    with pytest.raises(EmbedderError, match="no daemon") as caught:
        await call(guarded)
    assert caught.value.fix == "start it"
    assert len(inner.calls) == calls
    assert (await guarded.findings(None))["breaker"].state == "open"


async def test_slow_calls_open_the_breaker(guarded: GuardedEmbedder, inner: FakeEmbedder, clock: FakeClock) -> None:
    """Answers that come after most of the budget open it although they came."""
    inner.before_call = lambda: clock.advance(0.9)
    for _ in range(3):
        await call(guarded)
    with pytest.raises(EmbedderError, match="slow"):
        await call(guarded)


async def test_callers_do_not_pay_for_the_probe(
    guarded: GuardedEmbedder, inner: FakeEmbedder, clock: FakeClock
) -> None:
    """When half-open, callers are still answered at once; the probe alone reaches the daemon."""
    await fail_until_open(guarded, inner)
    clock.advance(5)
    calls = len(inner.calls)
    with pytest.raises(EmbedderError):
        await call(guarded)
    assert len(inner.calls) == calls
    assert guarded.retry_in_s() == 0


async def test_a_good_probe_closes_it(guarded: GuardedEmbedder, inner: FakeEmbedder, clock: FakeClock) -> None:
    """The daemon is back: one probe, with a text of its own, and calls go through."""
    await fail_until_open(guarded, inner)
    inner.failure = None
    await guarded.probe()
    assert guarded.retry_in_s() == 5
    clock.advance(5)
    await guarded.probe()
    assert guarded.retry_in_s() is None
    probe, *_ = inner.calls[-1][0]
    assert probe.startswith("probe ")
    assert (await call(guarded)).items[0].vector


async def test_a_failed_probe_keeps_it_open(guarded: GuardedEmbedder, inner: FakeEmbedder, clock: FakeClock) -> None:
    """The daemon is not back: the wait begins anew, and nothing is raised."""
    await fail_until_open(guarded, inner)
    clock.advance(5)
    await guarded.probe()
    assert guarded.retry_in_s() == 5


async def test_a_refusal_for_another_space_is_no_fault(guarded: GuardedEmbedder) -> None:
    """A daemon of another space answers promptly: the breaker stays closed however often it is asked."""
    for _ in range(10):
        with pytest.raises(SpaceMismatchError):
            await call(guarded, expected_space="another")
    assert guarded.retry_in_s() is None


async def test_a_cancelled_call_says_nothing(clock: FakeClock) -> None:
    """A caller that gives up does not count as a failure."""

    class Hanging(FakeEmbedder):
        """Never answers."""

        async def embed(
            self, texts: Sequence[str], *, task: Task, lane: Lane, budget_s: float, expected_space: str | None
        ) -> Embedding:
            """Wait for ever."""
            await asyncio.Event().wait()
            raise AssertionError

    guarded = GuardedEmbedder(Hanging(), Breaker(BreakerPolicy(), clock), slow_share=0.8, probe_budget_s=1, clock=clock)
    for _ in range(5):
        task = asyncio.create_task(call(guarded))
        await asyncio.wait([task], timeout=0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert guarded.retry_in_s() is None
