"""What was deleted is listed until it is purged, and a purge within reach touches nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.errors import InvalidArgumentError, NotFoundError
from memory_mcp.domain.models import Chunk, Embedded, Filters
from memory_mcp.domain.ports import Store
from memory_mcp.domain.trash import TrashPage
from tests.contracts.shelf import HERE, SPACE, faults, new, put, towards
from tests.fakes.clock import FakeClock
from tests.fakes.shelves import EPOCH

THERE = "there"
LATER = datetime.max.replace(tzinfo=UTC)


async def trash(store: Store, namespace: str = "here", limit: int = 10, cursor: str | None = None) -> TrashPage:
    """Ask a snapshot of this moment."""
    return await store.read(lambda it: it.trash(namespace, limit=limit, cursor=cursor))


async def delete(store: Store, *ids: str, namespace: str = "here") -> None:
    """Delete memories."""
    await store.delete(ids, Filters(namespace), dry_run=False)


async def test_what_was_deleted_is_listed_latest_first(store: Store, clock: FakeClock) -> None:
    """Each comes whole, with the moment of its deletion; other namespaces' are neither listed nor counted."""
    for name in "abc":
        await put(store, f"text {name}", id=name, tags=("t",))
    await put(store, "elsewhere", id="a", namespace=THERE)
    await delete(store, "a", namespace=THERE)
    await delete(store, "b")
    clock.advance(60)
    await delete(store, "a")
    found = await trash(store)
    assert [(one.memory.id, one.memory.content, one.memory.tags) for one in found.memories] == [
        ("a", "text a", ("t",)),
        ("b", "text b", ("t",)),
    ]
    assert found.memories[0].deleted_at - found.memories[1].deleted_at == timedelta(seconds=60)
    assert (found.total, found.next_cursor) == (2, None)
    assert (await trash(store, "nowhere")).memories == ()


async def test_the_pages_of_the_trash_have_each_memory_once(store: Store, clock: FakeClock) -> None:
    """Also those that were deleted in the same moment, and although others are deleted meanwhile."""
    for number in range(7):
        await put(store, f"text {number}", id=f"m{number}")
    await delete(store, "m0", "m1", "m2")
    clock.advance(1)
    await delete(store, "m3", "m4")
    first = await trash(store, limit=2)
    clock.advance(1)
    await delete(store, "m5")
    second = await trash(store, limit=2, cursor=first.next_cursor)
    third = await trash(store, limit=2, cursor=second.next_cursor)
    ids = [one.memory.id for page in (first, second, third) for one in page.memories]
    assert ids == ["m4", "m3", "m2", "m1", "m0"]
    assert (third.next_cursor, third.total) == (None, 6)
    with pytest.raises(InvalidArgumentError):
        await trash(store, cursor="no cursor")


async def test_a_purge_within_a_namespace_leaves_the_others(store: Store, clock: FakeClock) -> None:
    """A caller who may use one namespace empties the trash of that one; ids narrow it further."""
    for namespace in ("here", THERE):
        for name in "ab":
            await put(store, f"text {name}", id=name, namespace=namespace)
        await delete(store, "a", "b", namespace=namespace)
    clock.advance(1)
    assert await store.purge(EPOCH, namespace="here") == 0
    assert await store.purge(LATER, namespace="here", memory_ids=["a", "unknown"]) == 1
    assert [one.memory.id for one in (await trash(store)).memories] == ["b"]
    assert await store.purge(LATER, namespace="here") == 1
    assert await store.purge(LATER, namespace="here") == 0
    assert (await trash(store)).total == 0
    assert (await trash(store, THERE)).total == 2
    with pytest.raises(NotFoundError):
        await store.deleted("a", "here")
    assert await faults(store) == []


async def test_what_lives_is_never_purged(store: Store) -> None:
    """Even if it is named."""
    await put(store, "text", id="a")
    assert await store.purge(LATER, namespace="here", memory_ids=["a"]) == 0
    assert (await store.get("a", "here")).content == "text"


async def test_the_first_vectors_are_those_of_the_first_embedded_chunks(store: Store) -> None:
    """A memory without a vector, one that was deleted and an unknown key are absent."""
    many = Embedded((Chunk(0, 4, towards(10)), Chunk(4, 9, towards(20))), SPACE)
    late = Embedded((Chunk(0, 4), Chunk(4, 9, towards(30))), SPACE)
    await store.add([(new("some text", id="many"), many), (new("more text", id="late"), late)])
    await put(store, "none", id="none")
    await put(store, "gone", towards(40), id="gone")
    keys = {name: (await store.get(name, HERE.namespace)).key for name in ("many", "late", "none", "gone")}
    await delete(store, "gone")
    found = await store.read(lambda it: it.everywhere().first_vectors([*keys.values(), 10_000]))
    assert found == {keys["many"]: towards(10), keys["late"]: towards(30)}
    assert await store.read(lambda it: it.everywhere().first_vectors([])) == {}


async def test_a_store_without_vectors_has_no_first_ones(store: Store) -> None:
    """Before the first vector there is no space."""
    memory = await put(store, "text")
    assert await store.read(lambda it: it.everywhere().first_vectors([memory.key])) == {}
