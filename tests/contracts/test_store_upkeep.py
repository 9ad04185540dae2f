"""The ports EmbeddingIndex (other spaces), Changes, and Records (bringing back, purging, counting)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.errors import ConflictError, NotFoundError, SpaceMismatchError
from memory_mcp.domain.models import Change, Chunk, Embedded, Filters, MissingVectors, Space, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import (
    HERE,
    OTHER_SPACE,
    SPACE,
    events,
    faults,
    listed,
    near,
    nearest,
    new,
    put,
    towards,
    whole,
    worded,
)
from tests.fakes.clock import FakeClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0


async def near_in(store: Store, space: Space, degrees: float = 0) -> list[str]:
    """Return what `nearest` finds in a space."""
    keys = [match.key for match in await nearest(store, towards(degrees), space, HERE, 10)]
    memories = await store.read(lambda it: it.everywhere().fetch(keys))
    return [memories[key].content for key in keys]


async def fill_all(store: Store, space: Space, *, limit: int = 1_000) -> None:
    """Give memories a vector in a space, each 10 degrees further."""
    lacking = await store.missing_vectors(space, 0, limit)
    await store.backfill(space, [(of, [Chunk(0, len(of.content), towards(10 * of.key))]) for of in lacking])


# Bringing back and purging


async def test_an_undeleted_memory_is_as_it_was(store: Store) -> None:
    """It is found by id, words and vector again, with its tags, revisions and place in time."""
    memory = await put(store, "red apples", towards(0), tags=("fruit",), id="a")
    memory = await store.update(memory, Change(type="fact"), None, None)
    await store.delete(["a"], HERE, dry_run=False)
    deleted = await store.deleted("a", "nowhere", any_namespace=True)
    back = await store.undelete(deleted, whole("red apples", towards(0)))
    assert back == memory == await store.get("a", "here")
    assert await near(store) == await worded(store, "apples") == await listed(store) == ["red apples"]
    assert len(await store.revisions(back)) == 1
    assert await faults(store) == []


async def test_only_what_is_deleted_comes_back(store: Store) -> None:
    """An unknown id, a live memory, and one that was brought back meanwhile are none to bring back."""
    await put(store, "text", id="a")
    for memory_id in ("a", "b"):
        with pytest.raises(NotFoundError, match=memory_id):
            await store.deleted(memory_id, "here")
    await store.delete(["a"], HERE, dry_run=False)
    deleted = await store.deleted("a", "here")
    await store.undelete(deleted, whole("text"))
    with pytest.raises(NotFoundError):
        await store.undelete(deleted, whole("text"))
    assert await listed(store) == ["text"]


async def test_what_was_deleted_long_ago_is_purged(store: Store, clock: FakeClock) -> None:
    """It can no longer be brought back, its id is free again, and what was deleted later stays."""
    for memory_id in "abc":
        memory = await put(store, f"text {memory_id}", towards(0), id=memory_id, tags=("t",))
        await store.update(memory, Change(type="fact"), None, None)
    await store.delete(["a"], HERE, dry_run=False)
    clock.advance(10 * DAY_S)
    await store.delete(["b"], HERE, dry_run=False)
    assert await store.purge(EPOCH + timedelta(days=5)) == 1
    assert await store.purge(EPOCH + timedelta(days=5)) == 0
    with pytest.raises(NotFoundError):
        await store.deleted("a", "here")
    assert (await store.deleted("b", "here")).content == "text b"
    assert (await put(store, "another", id="a")).revision == 1
    assert await listed(store) == ["another", "text c"]
    assert await faults(store) == []


async def test_what_changed_since_it_was_read_is_not_brought_back(store: Store) -> None:
    """Another front brought it back, rewrote and deleted it again: the late one would index what it no longer says."""
    await put(store, "apple", towards(0), id="a")
    await store.delete(["a"], HERE, dry_run=False)
    late = await store.deleted("a", "here")
    back = await store.undelete(late, whole("apple", towards(0)))
    await store.update(back, Change(content="bank"), whole("bank", towards(90)), None)
    await store.delete(["a"], HERE, dry_run=False)
    with pytest.raises(NotFoundError, match="no deleted memory"):
        await store.undelete(late, whole("apple", towards(0)))
    assert await listed(store) == []
    assert await faults(store) == []


async def test_an_id_given_twice_is_deleted_once(store: Store) -> None:
    """Nothing is counted twice."""
    await put(store, "one", id="a")
    await put(store, "two", id="b")
    assert await store.delete(["a", "a"], HERE, dry_run=False) == ["a"]
    assert await faults(store) == []
    assert (await store.statistics("here", 1)).memories == 1


# Spaces


async def test_a_space_is_filled_beside_the_stores_and_takes_its_place(store: Store) -> None:
    """Until the switch the old one is searched, afterwards the new one; nothing of the old one is compared."""
    for number in range(3):
        await put(store, f"memory {number}", towards(30 * number))
    assert [of.content for of in await store.missing_vectors(OTHER_SPACE, 0, 2)] == ["memory 0", "memory 1"]
    assert await store.count_missing_vectors(SPACE) == 0
    await fill_all(store, OTHER_SPACE, limit=2)
    assert await store.count_missing_vectors(OTHER_SPACE) == 1
    assert not await store.activate_space(OTHER_SPACE)
    assert await near_in(store, SPACE) == ["memory 0", "memory 1", "memory 2"]
    await fill_all(store, OTHER_SPACE)
    assert await near_in(store, SPACE, 60) == ["memory 2", "memory 1", "memory 0"]
    assert await store.activate_space(OTHER_SPACE)
    assert (await store.read(lambda it: it.space()), await store.other_spaces()) == (OTHER_SPACE, [SPACE])
    assert await near_in(store, OTHER_SPACE, 10) == ["memory 0", "memory 1", "memory 2"]
    with pytest.raises(SpaceMismatchError):
        await near_in(store, SPACE)
    assert await store.activate_space(OTHER_SPACE)
    assert await faults(store) == []


async def test_filling_the_stores_own_space_is_a_change_that_all_see(store: Store) -> None:
    """What waited for a vector and gets one beside the queue moves the generation, and the event names it."""
    await put(store, "first", towards(0))
    waiting = await put(store, "second")
    before = await store.generation()
    await fill_all(store, SPACE)
    assert await store.activate_space(SPACE)
    [event] = await events(store, before, 10)
    assert (event.kind, event.namespace, event.memory_ids) == ("embed", "here", (waiting.id,))
    assert (await store.read(lambda it: it.queue(None))).pending == 0


async def test_a_memory_in_two_spaces_has_the_passages_of_the_stores(store: Store) -> None:
    """A passage is named only where the store's space has several, and failures of another space are not its own."""
    memory = await put(store, "one and two", towards(0))
    halves = [Chunk(0, 3, towards(0)), Chunk(4, 11, None, "refused")]
    await store.backfill(OTHER_SPACE, [(MissingVectors(memory.key, memory.content), halves)])
    [match] = await nearest(store, towards(0), SPACE, HERE, 1)
    assert match.passage is None
    assert (await store.read(lambda it: it.queue(None))).failed == 0
    assert (await store.get(memory.id, "here")).embedded
    assert await store.activate_space(OTHER_SPACE)
    [match] = await nearest(store, towards(0), OTHER_SPACE, HERE, 1)
    assert match.passage == (0, 3)
    assert (
        (await store.read(lambda it: it.queue(None))).failed,
        (await store.read(lambda it: it.queue(None))).last_error,
    ) == (1, "refused")
    assert not (await store.get(memory.id, "here")).embedded


async def test_what_changes_meanwhile_is_filled_anew(store: Store) -> None:
    """A filling that is late for a rewritten or deleted memory does nothing, and the switch waits for a new one."""
    old = await put(store, "old", towards(0), id="a")
    await put(store, "to_delete", towards(0), id="b")
    lacking = await store.missing_vectors(OTHER_SPACE, 0, 10)
    await store.update(old, Change(content="rewritten"), whole("rewritten", towards(0)), None)
    await store.delete(["b"], HERE, dry_run=False)
    await store.backfill(OTHER_SPACE, [(of, [Chunk(0, len(of.content), towards(0))]) for of in lacking])
    await put(store, "new", towards(0))
    assert [of.content for of in await store.missing_vectors(OTHER_SPACE, 0, 10)] == ["rewritten", "new"]
    assert not await store.activate_space(OTHER_SPACE)
    await fill_all(store, OTHER_SPACE)
    assert await store.activate_space(OTHER_SPACE)
    assert sorted(await near_in(store, OTHER_SPACE)) == ["new", "rewritten"]
    assert await faults(store) == []


async def test_what_is_filled_twice_is_written_once(store: Store) -> None:
    """Two processes that fill the same memory leave one passage."""
    await put(store, "text", towards(0))
    lacking = await store.missing_vectors(OTHER_SPACE, 0, 10)
    for degrees in (10, 80):
        await store.backfill(OTHER_SPACE, [(of, [Chunk(0, 4, towards(degrees))]) for of in lacking])
    await store.activate_space(OTHER_SPACE)
    [match] = await nearest(store, towards(10), OTHER_SPACE, HERE, 10)
    assert match.score == pytest.approx(1)


async def test_what_waited_is_in_the_new_space_and_lacks_the_old_one(store: Store) -> None:
    """The queue is empty after a switch, and on the way back what had waited is made for the old space."""
    await put(store, "first", towards(0))
    await put(store, "waits")
    await store.add([])
    assert (await store.read(lambda it: it.queue(None))).pending == 1
    await fill_all(store, OTHER_SPACE)
    await store.activate_space(OTHER_SPACE)
    assert (await store.read(lambda it: it.queue(None))).pending == 0
    assert [of.content for of in await store.missing_vectors(SPACE, 0, 10)] == ["waits"]
    await fill_all(store, SPACE)
    assert await store.activate_space(SPACE)
    assert sorted(await near_in(store, SPACE)) == ["first", "waits"]
    assert await faults(store) == []


async def test_a_vector_of_the_space_that_is_filled_waits_for_the_switch(store: Store) -> None:
    """While the store's space is another one, what is stored with vectors of the new one is pending, not mixed in."""
    await put(store, "old", towards(0))
    await fill_all(store, OTHER_SPACE)
    [stored] = await store.add([(new("later"), Embedded((Chunk(0, 5, towards(0)),), OTHER_SPACE))])
    assert isinstance(stored, Stored)
    assert not stored.embedded
    assert await near_in(store, SPACE) == ["old"]
    assert not await store.activate_space(OTHER_SPACE)


async def test_a_space_that_was_begun_becomes_the_stores(store: Store) -> None:
    """A store without a space, one memory of two filled: the first vector of that space makes it the store's."""
    await put(store, "first")
    await put(store, "second")
    await fill_all(store, SPACE, limit=1)
    assert (await store.read(lambda it: it.space()), await store.other_spaces()) == (None, [SPACE])
    later = await put(store, "third", towards(50))
    assert later.embedded
    assert (await store.read(lambda it: it.space()), await store.other_spaces()) == (SPACE, [])
    assert sorted(await near_in(store, SPACE)) == ["first", "third"]
    assert [of.content for of in await store.missing_vectors(SPACE, 0, 9)] == ["second"]
    await fill_all(store, SPACE)
    assert (await store.read(lambda it: it.queue(None))).pending == 0
    assert sorted(await near_in(store, SPACE)) == ["first", "second", "third"]
    assert await faults(store) == []


async def test_the_stores_own_space_is_not_dropped(store: Store) -> None:
    """Dropping another space takes its vectors, and dropping the store's is refused."""
    await put(store, "text", towards(0))
    await fill_all(store, OTHER_SPACE)
    with pytest.raises(ConflictError, match=SPACE.id):
        await store.drop_space(SPACE)
    await store.drop_space(OTHER_SPACE)
    assert await store.other_spaces() == []
    assert await store.count_missing_vectors(OTHER_SPACE) == 1
    await store.drop_space(OTHER_SPACE)
    assert await near_in(store, SPACE) == ["text"]
    assert await faults(store) == []


async def test_the_same_dimension_with_other_weights_is_another_space(store: Store) -> None:
    """Vectors of equal length are not compared when their spaces differ."""
    await put(store, "text", towards(0))
    assert SPACE.dimensions == OTHER_SPACE.dimensions
    with pytest.raises(SpaceMismatchError):
        await near_in(store, OTHER_SPACE)
    await store.add([(new("other"), Embedded((Chunk(0, 5, towards(0)),), OTHER_SPACE))])
    assert await near_in(store, SPACE) == ["text"]


# The log of changes


async def test_every_write_is_an_event(store: Store) -> None:
    """Generations grow with each write, and the events after one say what was done to which memories and tags."""
    assert (await store.generation(), await events(store, 0, 10)) == (0, [])
    memory = await put(store, "text", towards(0), id="a", tags=("x",))
    first = await store.generation()
    await store.update(memory, Change(tags=("y",)), None, None)
    await store.delete(["a"], HERE, dry_run=False)
    told = await events(store, first, 10)
    assert [(event.kind, event.memory_ids, event.tags) for event in told] == [
        ("update", ("a",), ("x", "y")),
        ("delete", ("a",), ("y",)),
    ]
    assert [event.namespace for event in told] == ["here", "here"]
    assert (told[-1].seq, told[-1].at) == (await store.generation(), EPOCH)
    assert len(await events(store, 0, 2)) == 2


# Counts and names


async def test_statistics_count_what_lives_in_a_namespace(store: Store) -> None:
    """Memories, conversations, the most used tags and the span of time; nothing of others, nothing deleted."""
    empty = await store.statistics("here", 5)
    assert (empty.memories, empty.conversations, empty.tags, empty.oldest) == (0, 0, {}, None)
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in (3, 1, 2)]
    for number, day in enumerate(days):
        await put(store, f"memory {number}", tags=("b", f"t{number}"), conversation_id="talk", created_at=day)
    await put(store, "gone", id="x", tags=("gone",), conversation_id="other")
    await store.delete(["x"], HERE, dry_run=False)
    await put(store, "elsewhere", namespace="there", tags=("b",))
    counted = await store.statistics("here", 2)
    assert (counted.memories, counted.conversations, list(counted.tags.items())) == (3, 1, [("b", 3), ("t0", 1)])
    assert (counted.oldest, counted.newest) == (days[1], days[0])
    for number, spelling in enumerate(("T0", "B", "T0")):
        await put(store, f"spelled otherwise {number}", tags=(spelling,))
    assert list((await store.statistics("here", 2)).tags.items()) == [("b", 4), ("t0", 3)]


async def test_totals_count_the_living_of_all_namespaces(store: Store) -> None:
    """What was deleted counts no more, nor does a namespace of which nothing is left."""
    empty = await store.totals()
    assert (empty.memories, empty.namespaces) == (0, 0)
    await put(store, "one")
    await put(store, "two")
    await put(store, "elsewhere", namespace="there", id="x")
    totals = await store.totals()
    assert (totals.memories, totals.namespaces) == (3, 2)
    await store.delete(["x"], Filters("there"), dry_run=False)
    totals = await store.totals()
    assert (totals.memories, totals.namespaces) == (2, 1)


async def test_names_are_completed(store: Store) -> None:
    """Tags of the namespace and namespaces, by what they begin with, in order; a wildcard is only a letter."""
    for tag in ("apple", "apricot", "%", "\u00e9clair", "app\U0001f34e"):
        await put(store, f"about {tag}", tags=(tag,))
    await put(store, "elsewhere", namespace="hereafter", tags=("apart",))
    await put(store, "gone", namespace="helium", id="x")
    await store.delete(["x"], Filters("helium"), dry_run=False)
    assert await store.tags_like("ap", "here", 9) == ["apple", "app\U0001f34e", "apricot"]
    assert await store.tags_like("ap", "here", 1) == ["apple"]
    assert await store.tags_like("%", "here", 9) == ["%"]
    assert len(await store.tags_like("", "here", 9)) == 5
    await put(store, "spelled otherwise", tags=("APPLE", "Apricot Jam"))
    assert await store.tags_like("AP", "here", 9) == ["apple", "app\U0001f34e", "apricot", "Apricot Jam"]
    assert await store.tags_like("e\u0301c", "here", 9) == ["\u00e9clair"]
    assert await store.namespaces_like("he", 9) == ["here", "hereafter"]
