"""What every source has around it: cache, rate limit, breaker, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_mcp.domain.sources import SourceAnswer, SourceError, SourceItem, SourceQuery
from memory_mcp.sources.adapter import FaultError
from memory_mcp.sources.guarded import POLICY, GuardedSource
from memory_mcp.sources.items import MAX_TEXT, bounded
from memory_mcp.sources.sections import SourceSection
from tests.fakes.clock import FakeClock, until

BOAT = SourceQuery("boat", 3)
ANSWER = SourceAnswer((SourceItem("the boat"),))


@dataclass
class FakeAdapter:
    """See `sources.adapter.SourceAdapter`."""

    target: str = "wiki.test"
    is_repeatable: bool = False
    note: str = ""
    answer: SourceAnswer = ANSWER
    failure: Exception | None = None
    hangs: bool = False
    takes_s: float = 0.0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    state: Hashable = 0
    asked: list[SourceQuery] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    def version(self) -> Hashable:
        """Return the state."""
        return self.state

    async def ask(self, query: SourceQuery) -> SourceAnswer:
        """Answer, fail or hang."""
        self.asked.append(query)
        self.clock.advance(self.takes_s)
        if self.hangs:
            await self.let_go.wait()
        if self.failure is not None:
            raise self.failure
        return self.answer

    async def close(self) -> None:
        """Let go of nothing."""


def guarded(adapter: FakeAdapter, **section: object) -> GuardedSource:
    """Return a source around an adapter, on its clock."""
    return GuardedSource(
        "wiki", SourceSection.model_validate({"kind": "fake", **section}), lambda: adapter, clock=adapter.clock
    )


async def test_an_answer_is_kept_for_its_time() -> None:
    """A repeated question does not reach the source, until the time is over or the source has changed."""
    adapter = FakeAdapter()
    source = guarded(adapter, cache_s=60)
    assert [(await source.ask(BOAT)).is_cached for _ in range(2)] == [False, True]
    assert not (await source.ask(SourceQuery("boat", 2))).is_cached
    adapter.state = 1
    assert not (await source.ask(BOAT)).is_cached
    adapter.clock.advance(61)
    assert not (await source.ask(BOAT)).is_cached
    assert dict(source.figures().outcomes) == {"ok": 4, "cached": 1}


async def test_a_failure_is_not_kept() -> None:
    """The next question may be answered."""
    adapter = FakeAdapter(failure=FaultError("it broke", "mend it"))
    source = guarded(adapter)
    with pytest.raises(SourceError):
        await source.ask(BOAT)
    adapter.failure = None
    assert await source.ask(BOAT) == ANSWER


async def test_failures_open_the_breaker() -> None:
    """Then the source is not asked, until one question is let through."""
    adapter = FakeAdapter(failure=FaultError("it broke", "mend it"))
    source = guarded(adapter)
    for _ in range(POLICY.min_calls):
        with pytest.raises(SourceError, match="it broke"):
            await source.ask(BOAT)
    with pytest.raises(SourceError, match="it broke") as failed:
        await source.ask(BOAT)
    assert failed.value.is_open
    assert failed.value.fix == "mend it"
    assert failed.value.retry_after_s == POLICY.open_s
    assert len(adapter.asked) == POLICY.min_calls
    adapter.clock.advance(POLICY.open_s)
    adapter.failure = None
    assert await source.ask(BOAT) == ANSWER
    assert source.figures().trips == 1
    assert source.state == "closed"


async def test_a_source_that_hangs_opens_its_breaker() -> None:
    """Its callers give up, which counts where it has never answered, or took much less for it."""
    adapter = FakeAdapter(hangs=True, takes_s=0.3)
    source = guarded(adapter)
    for _ in range(POLICY.min_calls):
        await give_up(source, adapter)
    with pytest.raises(SourceError, match="did not answer within 300 ms") as failed:
        await source.ask(BOAT)
    assert failed.value.is_open


async def test_hasty_callers_do_not_close_a_source_to_others() -> None:
    """They give up before it could have answered, as its last answers tell, which says nothing about it."""
    adapter = FakeAdapter(takes_s=0.4)
    source = guarded(adapter, cache_s=0)
    assert await source.ask(BOAT) == ANSWER
    adapter.hangs, adapter.takes_s = True, 0.3
    for _ in range(2 * POLICY.window):
        await give_up(source, adapter)
    adapter.hangs = False
    assert await source.ask(BOAT) == ANSWER


async def give_up(source: GuardedSource, adapter: FakeAdapter) -> None:
    """Ask a source that hangs, and leave."""
    asked = len(adapter.asked)
    asking = asyncio.create_task(source.ask(BOAT))
    await until(lambda: len(adapter.asked) > asked)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_the_rate_is_limited() -> None:
    """Beyond it the source is not asked, its breaker stays closed, and the caller learns when to come again."""
    adapter = FakeAdapter()
    source = guarded(adapter, calls_per_minute=2, cache_s=0)
    for _ in range(2):
        await source.ask(BOAT)
    for _ in range(5):
        with pytest.raises(SourceError, match="2 questions a minute") as failed:
            await source.ask(BOAT)
        assert 0 < (failed.value.retry_after_s or 0) <= 60
        assert not failed.value.is_open
    assert len(adapter.asked) == 2


async def test_repeated_attempts_count() -> None:
    """Beyond the limit there is none; the failure is told, and not the limit."""
    adapter = FakeAdapter(is_repeatable=True, failure=FaultError("it broke", "mend it", is_passing=True))
    source = guarded(adapter, calls_per_minute=2)
    with pytest.raises(SourceError, match="it broke"):
        await source.ask(BOAT)
    assert len(adapter.asked) == 2


async def test_the_same_question_at_the_same_time_is_asked_once() -> None:
    """One who gives up takes it from nobody; when the last does, it ends, and the next one is asked anew."""
    adapter = FakeAdapter(hangs=True)
    source = guarded(adapter)
    asking = [asyncio.create_task(source.ask(BOAT)) for _ in range(3)]
    await until(lambda: adapter.asked)
    asking[0].cancel()
    await asyncio.gather(asking[0], return_exceptions=True)
    adapter.let_go.set()
    assert await asyncio.gather(*asking[1:]) == [ANSWER, ANSWER]
    assert len(adapter.asked) == 1
    adapter.let_go.clear()
    await give_up(guarded(adapter), adapter)
    adapter.let_go.set()
    assert await source.ask(SourceQuery("tea", 3)) == ANSWER


async def test_a_bug_of_a_kind_costs_its_own_source() -> None:
    """Its message is for the log: it may quote anything."""
    source = guarded(FakeAdapter(failure=RuntimeError("secret")))
    with pytest.raises(SourceError, match=r"failed unexpectedly \(RuntimeError\)") as failed:
        await source.ask(BOAT)
    assert "secret" not in failed.value.with_fix()


@given(
    st.lists(st.builds(SourceItem, st.text(max_size=50), st.text(max_size=20), st.text(max_size=20)), max_size=20),
    st.integers(1, 10),
    st.integers(1, 500),
)
def test_an_answer_keeps_its_bounds(items: list[SourceItem], count: int, size: int) -> None:
    """Whatever a source sends: number and bytes, no controls and no lone surrogates; what is left out is counted."""
    answer = bounded(SourceAnswer(tuple(items)), count, size)
    assert len(answer.items) <= count
    texts = [text for item in answer.items for text in (item.text, item.title, item.uri)]
    assert sum(len(text.encode()) for text in texts) <= size
    assert all(item.text for item in answer.items)
    assert not any(ord(character) < 32 and character not in "\t\n" for text in texts for character in text)
    assert len(answer.items) + answer.left_out <= len(items)


def test_a_long_text_is_cut() -> None:
    """As one item of many."""
    answer = bounded(SourceAnswer((SourceItem("x" * 100_000),)), 3, 1 << 20)
    assert len(answer.items[0].text) == MAX_TEXT


async def test_its_status_tells_the_latest_failure_until_it_answers_again() -> None:
    """One that its breaker does not count as well; how long the latest answer took stays."""
    adapter = FakeAdapter(takes_s=0.25)
    source = guarded(adapter, cache_s=0)
    await source.ask(SourceQuery("one"))
    assert (source.status().last_s, source.status().problem) == (0.25, "")
    adapter.failure = FaultError("it is down", "start it")
    with pytest.raises(SourceError):
        await source.ask(SourceQuery("two"))
    status = source.status()
    assert (status.problem, status.fix, status.last_s) == ("it is down", "start it", 0.25)
    assert status.figures is not None
    assert status.figures.outcomes == {"ok": 1, "failed": 1}
    adapter.failure = None
    await source.ask(SourceQuery("three"))
    assert source.status().problem == ""
