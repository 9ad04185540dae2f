"""Loops that meet what nobody expected go on, and whoever listens to the change log misses nothing by it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from memory_mcp.background import FIRST_DELAY_S, KEEPS_FAILING, MAX_DELAY_S, STEADY_S, Background, register
from memory_mcp.domain.errors import StoreError
from memory_mcp.domain.models import Condition, Event, MissedChanges
from memory_mcp.health.registry import Registry
from memory_mcp.maintenance.chores import Chores
from memory_mcp.maintenance.upkeep import Upkeep
from memory_mcp.memories.watching import EVERY_S, Watching
from tests.contracts.shelf import put
from tests.fakes.clock import FakeClock, Sleeper, until
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.shelves import EPOCH
from tests.fakes.store import FakeStore


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that goes when somebody sleeps."""
    return FakeClock()


class Faulty(FakeStore):
    """Raises what is given to it before it answers for the generation."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.faults: list[Exception] = []

    async def generation(self) -> int:
        """Raise the next fault, or answer."""
        if self.faults:
            raise self.faults.pop(0)
        return await super().generation()


async def test_restarts_wait_longer_each_time_up_to_a_bound(clock: FakeClock) -> None:
    """A loop that always fails is tried again for ever, in the end once a minute."""
    sleep = Sleeper(clock, naps=10)

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(asyncio.CancelledError):
        await Background("the loop", clock=clock, sleep=sleep).run(fail)
    assert sleep.naps == [1, 2, 4, 8, 16, 32, *[MAX_DELAY_S] * 4]


async def test_a_loop_that_ran_well_for_a_while_is_restarted_soon(clock: FakeClock) -> None:
    """Failures of long ago make no restart slower."""
    sleep = Sleeper(clock, naps=4)

    async def fail_after_a_while() -> None:
        clock.advance(STEADY_S)
        raise ZeroDivisionError

    with pytest.raises(asyncio.CancelledError):
        await Background("the loop", clock=clock, sleep=sleep).run(fail_after_a_while)
    assert sleep.naps == [FIRST_DELAY_S] * 4


@pytest.mark.parametrize("fault", [ZeroDivisionError(), StoreError("locked")])
async def test_listeners_hear_what_was_written_while_the_watcher_was_out(clock: FakeClock, fault: Exception) -> None:
    """What the store raises once, expected or not, delays the news and loses none."""
    store, sleep = Faulty(clock), Sleeper(clock)
    await put(store, "before")
    watching = Watching(store, clock=clock, sleep=sleep)
    heard: list[Sequence[Event] | MissedChanges] = []

    async with watching.listening(heard.append):
        store.faults.append(fault)
        await put(store, "one")
        await until(lambda: heard)
        await put(store, "two")
        await until(lambda: len(heard) == 2)
    told = [event.seq for events in heard if not isinstance(events, MissedChanges) for event in events]
    assert told == [2, 3]
    assert sleep.naps[:3] == ([EVERY_S, FIRST_DELAY_S, EVERY_S] if fault.args == () else [EVERY_S] * 3)


async def test_a_listener_behind_the_floor_is_told_to_start_over(clock: FakeClock) -> None:
    """After that it hears of the next writes as before."""
    store, sleep = Faulty(clock), Sleeper(clock)
    watching = Watching(store, clock=clock, sleep=sleep)
    heard: list[Sequence[Event] | MissedChanges] = []
    async with watching.listening(heard.append):
        for number in range(3):
            await put(store, f"text {number}")
        clock.advance(60)
        assert await store.prune_changes(EPOCH + timedelta(seconds=clock())) == 2
        await until(lambda: heard)
        await put(store, "later")
        await until(lambda: len(heard) == 2)
    [missed, later] = heard
    assert missed == MissedChanges(3)
    assert not isinstance(later, MissedChanges)
    assert [event.seq for event in later] == [4]


async def test_a_loop_that_waits_for_its_store_asks_nobody_to_restart(clock: FakeClock) -> None:
    """It starts again by itself; a client that is restarted meets the same store."""
    background, health = Background("the loop", clock=clock, sleep=Sleeper(clock)), Registry()
    register(health, (background,))

    async def fail() -> None:
        raise StoreError("away")

    running = asyncio.create_task(background.run(fail))
    await until(lambda: background.trouble)
    finding = (await health.live()).parts["background"]
    running.cancel()
    assert (finding.cause, finding.fix.split()[0]) == ("the loop keeps failing (StoreError)", "none")


async def test_health_shows_a_watcher_that_keeps_failing_until_it_works(clock: FakeClock) -> None:
    """Two failures may pass; from the third in a row on it is degraded, with the cause."""
    store = Faulty(clock)
    watching = Watching(store, clock=clock, sleep=Sleeper(clock))
    health = Registry()
    register(health, (watching.background,))
    seen: list[Condition] = []
    async with watching.listening(lambda _: None):
        store.faults += [ZeroDivisionError()] * KEEPS_FAILING
        await until(lambda: len(store.faults) == 1)
        seen.append((await health.live()).parts["background"].condition)
        await until(lambda: watching.background.trouble)
        finding = (await health.live()).parts["background"]
        seen.append(finding.condition)
        await until(lambda: not watching.background.trouble)
        seen.append((await health.live()).parts["background"].condition)
    assert seen == [Condition.OK, Condition.DEGRADED, Condition.OK]
    assert finding.cause == "watching the change log keeps failing (ZeroDivisionError)"
    assert "restart" in finding.fix


async def test_health_forgets_a_loop_that_was_ended(clock: FakeClock) -> None:
    """Where nobody listens any more, nothing is failing."""
    store = Faulty(clock)
    watching = Watching(store, clock=clock, sleep=Sleeper(clock))
    async with watching.listening(lambda _: None):
        store.faults += [ZeroDivisionError()] * 1_000
        await until(lambda: watching.background.trouble)
    await asyncio.sleep(0)
    assert watching.background.trouble == ""


async def test_chores_that_keep_failing_wait_longer(clock: FakeClock) -> None:
    """A bug in a chore ends no chores, and does not run every few seconds for ever."""

    class Buggy(FakeEmbedder):
        """Cannot be asked."""

        async def probe(self) -> None:
            """Fail in a way that is not its own."""
            raise ZeroDivisionError

    store, sleep = FakeStore(clock), Sleeper(clock, naps=4)
    chores = Chores(store, Buggy(), Upkeep(store, None), poll_s=1, bulk_budget_s=20, clock=clock, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await chores.run()
    assert sleep.naps == [1, 2, 4, 8]
