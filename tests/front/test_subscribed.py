"""Who subscribed to a resource hears of what changed it, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from memory_mcp.app import make_services
from memory_mcp.application.resources import watching
from memory_mcp.domain.models import Event, MissedChanges
from memory_mcp.domain.ports import Snapshot
from memory_mcp.memories.watching import Watching
from memory_mcp.settings import defaults
from memory_mcp.tools.services import Services
from tests.contracts.shelf import HERE, put
from tests.fakes.clock import FakeClock, Sleeper, until
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.shelves import EPOCH
from tests.fakes.store import FakeStore

T = TypeVar("T")
URI = "memory://recent/10"


class Faulty(FakeStore):
    """Cannot be read as often as it is told."""

    faults = 0

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Fail, or read."""
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError
        return await super().read(work, is_short=is_short)


class Announcing(FakeStore):
    """Tells of its writes, and of nothing else."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.waits: list[float] = []
        self.announced = asyncio.Event()

    async def changed(self, seconds: float) -> None:
        """Wait for a write however long it takes, to see that it is waited for."""
        self.waits.append(seconds)
        await self.announced.wait()
        self.announced.clear()


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that goes when somebody sleeps."""
    return FakeClock()


def services_of(store: FakeStore, clock: FakeClock) -> Services:
    """Join the services to a store that is watched without waiting."""
    quick = Watching(store, clock=clock, sleep=Sleeper(clock))
    return replace(make_services(defaults(), store, FakeEmbedder()), watching=quick)


async def test_writes_that_were_pruned_unseen_are_told_of_all_the_same(clock: FakeClock) -> None:
    """A resource is read anew where the log cannot say what was written; where it is the same, nobody hears."""
    store = FakeStore(clock)
    heard: list[str] = []

    async def notify(uri: str) -> None:
        heard.append(uri)

    services = services_of(store, clock)
    async with watching(services, URI, "here", notify), watching(services, URI, "there", notify):
        for number in range(3):
            await put(store, f"text {number}")
        clock.advance(60)
        assert await store.prune_changes(EPOCH + timedelta(seconds=clock())) == 2
        await until(lambda: heard)
        await store.delete(None, HERE, dry_run=False)
        await until(lambda: len(heard) == 2)
    assert heard == [URI] * 2


async def test_a_resource_that_cannot_be_read_once_is_told_of_later(clock: FakeClock) -> None:
    """What nobody expected delays the notification, and the next write is told of as well."""
    store = Faulty(clock)
    heard: list[str] = []

    async def notify(uri: str) -> None:
        heard.append(uri)

    async with watching(services_of(store, clock), URI, "here", notify):
        store.faults = 1
        await put(store, "one")
        await until(lambda: heard)
        await put(store, "two")
        await until(lambda: len(heard) == 2)
    assert heard == [URI] * 2


async def test_a_store_that_announces_writes_is_not_asked_all_the_time(clock: FakeClock) -> None:
    """The log is looked at when the store says so, and each second in case it misses a write; nobody sleeps."""
    store, sleeper = Announcing(clock), Sleeper(clock)
    heard: list[Sequence[Event] | MissedChanges] = []
    async with Watching(store, clock=clock, sleep=sleeper).listening(heard.append):
        await until(lambda: store.waits)
        await put(store, "news")
        assert heard == []
        store.announced.set()
        await until(lambda: heard)
        await until(lambda: len(store.waits) == 2)
    assert store.waits == [1.0, 1.0]
    assert sleeper.naps == []
