"""What lies around a memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from memory_mcp.domain.models import Chunk, Embedded, NewMemory
from memory_mcp.memories.related import MOST, Related, related_to
from tests.contracts.shelf import put, towards
from tests.fakes.store import FakeStore

DAY = datetime(2026, 5, 1, tzinfo=UTC)


async def around(store: FakeStore, memory_id: str) -> Related:
    """Look around a memory."""
    memory = await store.get(memory_id, "here")
    return await store.read(lambda it: related_to(it, memory))


async def test_the_neighbours_of_a_conversation_are_in_order() -> None:
    """Two on each side, oldest first; a memory without a conversation has none."""
    store = FakeStore()
    for number in range(6):
        at = DAY + timedelta(minutes=number)
        await put(store, f"turn {number}", id=f"m{number}", conversation_id="talk", created_at=at)
    await put(store, "alone", id="alone")
    found = await around(store, "m3")
    assert ([it.id for it in found.before], [it.id for it in found.after]) == (["m1", "m2"], ["m4", "m5"])
    assert [it.id for it in (await around(store, "m0")).before] == []
    assert (await around(store, "alone")).after == ()


async def test_near_duplicates_are_the_nearest_in_the_namespace() -> None:
    """Best first, none that merely resembles it, and never the memory itself or one of another namespace."""
    store = FakeStore()
    await put(store, "Tea at five", towards(0), id="a")
    await put(store, "tea at FIVE!", towards(0), id="same", type="fact")
    await put(store, "tea at five o'clock", towards(20), id="near")
    await put(store, "coffee", towards(80), id="far")
    await put(store, "Tea at five", towards(0), id="other", namespace="there")
    alike = (await around(store, "a")).alike
    assert alike is not None
    assert [(it.memory.id, it.has_same_words) for it in alike] == [("same", True), ("near", False)]
    for number in range(10):
        await put(store, f"tea {number}", towards(1), id=f"n{number}")
    assert len((await around(store, "a")).alike or ()) == MOST


async def test_without_a_vector_nothing_is_said_of_near_duplicates() -> None:
    """That there are none would be a guess."""
    store = FakeStore()
    await put(store, "one", towards(0), id="a")
    await store.add([(NewMemory("two", "here", id="b"), Embedded((Chunk(0, 3),), None))])
    assert (await around(store, "b")).alike is None
    assert (await around(store, "a")).alike == ()
