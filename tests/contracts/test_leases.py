"""The port Leases: who does a chore, one process at a time."""

from __future__ import annotations

from memory_mcp.domain.ports import Leases
from tests.fakes.clock import FakeClock

DAY_S = 86_400.0


async def test_a_lease_is_one_owners_until_it_runs_out(store: Leases, clock: FakeClock) -> None:
    """Its owner may prolong a lease, and another gets it only after its end."""
    assert await store.acquire_lease("drain", "me", 10)
    assert not await store.acquire_lease("drain", "you", 10)
    assert await store.acquire_lease("backup", "you", 10)
    clock.advance(9)
    assert await store.acquire_lease("drain", "me", 10)
    clock.advance(9)
    assert not await store.acquire_lease("drain", "you", 10)
    clock.advance(2)
    assert await store.acquire_lease("drain", "you", 10)
    assert not await store.acquire_lease("drain", "me", 10)


async def test_a_lease_outlives_no_clock_that_was_set_back(store: Leases, clock: FakeClock) -> None:
    """Given an hour ahead of now or more, it was given by another clock, and its owner may be long gone."""
    clock.advance(10 * DAY_S)
    assert await store.acquire_lease("drain", "gone", 60)
    clock.advance(-5 * DAY_S)
    assert await store.acquire_lease("drain", "me", 60)
    assert not await store.acquire_lease("drain", "you", 60)
