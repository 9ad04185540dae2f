"""The port Records: changing and deleting memories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import Change, Chunk, Embedded, Filters, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import HERE, SPACE, listed, near, new, put, towards, whole, worded
from tests.fakes.clock import FakeClock

DAY = datetime(2024, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)


async def test_an_update_replaces_what_it_names(store: Store, clock: FakeClock) -> None:
    """Fields that a change leaves out stay, and the time and the revision go on."""
    old = await put(store, "old", tags=("a",), type="fact", metadata={"n": 1}, conversation_id="talk", created_at=DAY)
    clock.advance(60)
    tagged = await store.update(old, Change(tags=("c", "b")), None, None)
    assert (tagged.tags, tagged.type, tagged.metadata, tagged.content) == (("b", "c"), "fact", {"n": 1}, "old")
    assert (tagged.revision, tagged.created_at) == (2, DAY)
    assert tagged.updated_at == old.updated_at + timedelta(seconds=60)
    typed = await store.update(tagged, Change(type="plan", metadata={}), None, 2)
    assert (typed.tags, typed.type, typed.metadata, typed.revision) == (("b", "c"), "plan", {}, 3)
    rewritten = await store.update(typed, Change(content="new", tags=()), whole("new"), None)
    assert (rewritten.content, rewritten.tags, rewritten.conversation_id) == ("new", (), "talk")
    assert await store.get(old.id, "here") == rewritten
    assert await listed(store, Filters("here", tags=("a", "b", "c"))) == []


async def test_old_revisions_stay_readable_oldest_first(store: Store, clock: FakeClock) -> None:
    """Each update leaves what was there before."""
    memory = await put(store, "one", tags=("b", "a"), metadata={"n": 1})
    assert await store.revisions(memory) == []
    for content in ("two", "three"):
        clock.advance(1)
        memory = await store.update(memory, Change(content, tags=(content,)), whole(content), None)
    one, two = await store.revisions(memory)
    assert (one.revision, one.content, one.tags, one.metadata, one.type) == (1, "one", ("a", "b"), {"n": 1}, "note")
    assert (two.revision, two.content, two.tags) == (2, "two", ("two",))
    assert two.updated_at - one.updated_at == timedelta(seconds=1)
    assert await store.revisions(await put(store, "another")) == []


async def test_an_update_of_another_revision_is_refused(store: Store) -> None:
    """A caller who has not seen the latest revision changes nothing."""
    first = await put(store, "text")
    second = await store.update(first, Change(type="fact"), None, 1)
    with pytest.raises(ConflictError, match="revision"):
        await store.update(first, Change(type="plan"), None, 1)
    assert await store.get(first.id, "here") == second
    assert len(await store.revisions(first)) == 1


async def test_an_update_of_a_deleted_memory_is_refused(store: Store) -> None:
    """What was deleted meanwhile is not found."""
    memory = await put(store, "text")
    await store.delete([memory.id], HERE, dry_run=False)
    with pytest.raises(NotFoundError):
        await store.update(memory, Change(content="new"), whole("new"), None)
    assert await listed(store) == []


async def test_searches_follow_an_update(store: Store) -> None:
    """A new content is found by its own words and vectors, and no more by the old ones."""
    old = await put(store, "apples", towards(0))
    await put(store, "bystander", towards(45))
    passages = (Chunk(0, 4, towards(90)), Chunk(4, 7))
    updated = await store.update(old, Change(content="new pears"), Embedded(passages, SPACE), None)
    assert not updated.embedded
    assert await worded(store, "apples") == []
    assert await worded(store, "pears") == ["new pears"]
    assert await near(store, degrees=90, limit=1) == ["new pears"]
    assert await near(store, limit=1) == ["bystander"]
    assert [waiting.text for waiting in await store.pending(9)] == ["pea"]


async def test_an_update_without_a_new_content_keeps_the_vectors(store: Store) -> None:
    """Tags and types do not touch what a memory is found by."""
    old = await put(store, "apples", towards(0))
    updated = await store.update(old, Change(tags=("a",), type="fact"), None, None)
    assert updated.embedded
    assert await near(store) == await worded(store, "apples") == ["apples"]


async def test_a_deleted_memory_is_gone_at_once(store: Store) -> None:
    """Nothing finds a deleted memory, and nobody waits for its vectors."""
    text = "gone by words"
    [stored] = await store.add([(new(text), Embedded((Chunk(0, 4, towards(0)), Chunk(5, 13)), SPACE))])
    assert isinstance(stored, Stored)
    memory = await store.get(stored.id, "here")
    await put(store, "stays by words", towards(9))
    assert await store.delete([memory.id], HERE, dry_run=False) == [memory.id]
    assert await listed(store) == await near(store) == await worded(store, "words") == ["stays by words"]
    assert await store.pending(9) == []
    assert (await store.read(lambda it: it.queue(None))).pending == 0
    assert await store.read(lambda it: it.everywhere().fetch([memory.key])) == {}
    assert (await store.read(lambda it: it.page(HERE, limit=1, cursor=None))).total == 1
    with pytest.raises(NotFoundError):
        await store.get(memory.id, "here")


async def test_a_dry_run_deletes_nothing(store: Store) -> None:
    """A dry run names what would go, by ids and by filters."""
    one, two = await put(store, "one", type="fact"), await put(store, "two", type="fact")
    assert await store.delete([two.id], HERE, dry_run=True) == [two.id]
    assert sorted(await store.delete(None, Filters("here", type="fact"), dry_run=True)) == sorted([one.id, two.id])
    assert await listed(store) == ["two", "one"]


async def test_an_unknown_id_deletes_nothing(store: Store) -> None:
    """One id that is not there refuses the whole deletion."""
    memory = await put(store, "text")
    for dry_run in (True, False):
        with pytest.raises(NotFoundError, match="nobody"):
            await store.delete([memory.id, "nobody"], HERE, dry_run=dry_run)
    assert await listed(store) == ["text"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_ids_are_deleted_within_filters(store: Store, *, dry_run: bool) -> None:
    """Of the ids that are named, those go that the filters let through, in another namespace too."""
    here, there = await put(store, "one", tags=("a", "b")), await put(store, "two", namespace="there", tags=("a",))
    other = await put(store, "three", tags=("b",))
    ids, tagged = [here.id, other.id, there.id], Filters("here", tags=("a",), type="note")
    assert await store.delete(ids[:2], Filters("here", tags=("c",)), dry_run=dry_run) == []
    assert await store.delete(ids, tagged, dry_run=dry_run, any_namespace=True) == [here.id, there.id]
    assert await listed(store) == (["three", "one"] if dry_run else ["three"])


async def test_many_are_deleted_by_filters(store: Store) -> None:
    """Filters delete what they find in their namespace, and nothing else."""
    for number in range(30):
        await put(store, f"text {number}", towards(number), tags=("even",) if number % 2 == 0 else ("odd",))
    await put(store, "text 0", tags=("even",), namespace="there")
    gone = await store.delete(None, Filters("here", tags=("even",)), dry_run=False)
    assert len(set(gone)) == 15
    assert await listed(store) == [f"text {number}" for number in range(29, 0, -2)]
    assert await near(store, limit=3) == ["text 1", "text 3", "text 5"]
    assert await listed(store, Filters("there")) == ["text 0"]


async def test_a_change_that_changes_nothing_makes_no_revision(store: Store) -> None:
    """The same values again leave the memory as it is; a value of another JSON type is another value."""
    memory = await put(store, "text", tags=("a", "b"), metadata={"n": 1})
    same = Change(content="text", tags=("b", "a"), type="note", metadata={"n": 1})
    assert (await store.update(memory, same, whole("text"), None)).revision == 1
    assert await store.revisions(memory) == []
    assert (await store.update(memory, Change(metadata={"n": True}), None, None)).revision == 2
