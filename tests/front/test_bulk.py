"""The same change of many memories, and its undo."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_mcp.domain.errors import ConflictError, NotFoundError
from memory_mcp.domain.models import MAX_TAGS, Change, Filters, NewMemory, Stored
from memory_mcp.domain.principal import Reach
from memory_mcp.memories.bulk import ActionName, Bulk, BulkAction, Changed
from memory_mcp.memories.indexing import Indexer
from memory_mcp.memories.service import Memories
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.store import FakeStore

HERE = Reach("here")
LATER = datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def memories() -> Memories:
    """Give the service."""
    return on_an_empty_store()


def on_an_empty_store(store: FakeStore | None = None) -> Memories:
    """Return the service on an empty store."""
    indexer = Indexer(FakeEmbedder(), interactive_budget_s=1, bulk_budget_s=20)
    return Memories(store or FakeStore(), indexer, on_pending=lambda: None)


async def put(memories: Memories, name: str, *tags: str, namespace: str = "here") -> None:
    """Store a memory with a text of its own."""
    stored = await memories.store(NewMemory(f"text {name}", namespace, tags=tags, id=name))
    assert isinstance(stored, Stored)


async def state(memories: Memories, *names: str) -> list[object]:
    """Return the tags and type of memories; None for those that are not there."""
    found: list[object] = []
    for name in names:
        try:
            memory = await memories.get(name, HERE)
        except NotFoundError:
            found.append(None)
        else:
            found.append((memory.tags, memory.type))
    return found


@pytest.mark.parametrize(
    ("action", "after"),
    [
        (BulkAction("tag", ("New", "RED")), [(("New", "red"), "note"), (("New", "RED"), "note")]),
        (BulkAction("untag", ("RED",)), [((), "note"), ((), "note")]),
        (BulkAction("type", type="fact"), [(("red",), "fact"), ((), "fact")]),
        (BulkAction("delete"), [None, None]),
    ],
    ids=["tag", "untag", "type", "delete"],
)
async def test_a_change_and_its_undo(memories: Memories, action: BulkAction, after: list[object]) -> None:
    """Each memory is changed, and the undo makes it what it was; what already was as wanted is not touched."""
    await put(memories, "a", "red")
    await put(memories, "b")
    before = await state(memories, "a", "b")
    bulk = Bulk(memories, HERE)
    outcome = await bulk.apply(action, ["a", "b"])
    assert await state(memories, "a", "b") == after
    assert (len(outcome.done) + outcome.unchanged, outcome.refused) == (2, ())
    undone = await bulk.undo(action.name, outcome.done)
    assert ([one.id for one in undone.done], undone.refused) == ([one.id for one in outcome.done], ())
    assert await state(memories, "a", "b") == before


ACTIONS = st.sampled_from(
    [
        BulkAction("tag", ("red", "blue")),
        BulkAction("untag", ("RED",)),
        BulkAction("type", type="fact"),
        BulkAction("delete"),
        BulkAction("restore"),
    ]
)
NAMES = st.lists(st.sampled_from("abcd"), min_size=1, unique=True)


@settings(max_examples=40)
@given(steps=st.lists(st.tuples(ACTIONS, NAMES), min_size=1, max_size=6))
def test_undone_in_turn_all_is_as_it_was(steps: list[tuple[BulkAction, list[str]]]) -> None:
    """Whatever was done to whichever memories, the undos take it back, the last one first; none is refused."""

    async def run() -> None:
        memories = on_an_empty_store()
        for name in "abcd":
            await put(memories, name, *(["red"] if name < "c" else []))
        await memories.delete("d", HERE, dry_run=False)
        bulk, done = Bulk(memories, HERE), []
        before = await state(memories, *"abcd")
        for action, names in steps:
            done.append((action.name, (await bulk.apply(action, names)).done))
        for name, changed in reversed(done):
            assert (await bulk.undo(name, changed)).refused == ()
        assert await state(memories, *"abcd") == before

    asyncio.run(run())


async def test_a_restore_and_its_undo(memories: Memories) -> None:
    """What was restored is deleted again; what is not deleted is refused by name."""
    await put(memories, "a")
    await put(memories, "b")
    await memories.delete("a", HERE, dry_run=False)
    bulk = Bulk(memories, HERE)
    outcome = await bulk.apply(BulkAction("restore"), ["a", "b"])
    assert [one.id for one in outcome.done] == ["a"]
    assert [one.id for one in outcome.refused] == ["b"]
    await bulk.undo("restore", outcome.done)
    assert await state(memories, "a", "b") == [None, ((), "note")]


@pytest.mark.parametrize("name", ["tag", "delete", "restore"])
async def test_what_changed_meanwhile_is_left_as_it_is(memories: Memories, name: ActionName) -> None:
    """An undo names it, and undoes the others."""
    await put(memories, "a")
    await put(memories, "b")
    if name == "restore":
        await memories.delete("a", HERE, dry_run=False)
        await memories.delete("b", HERE, dry_run=False)
    bulk = Bulk(memories, HERE)
    outcome = await bulk.apply(BulkAction(name, tags=("new",) if name == "tag" else ()), ["a", "b"])
    if name == "delete":
        await memories.undelete("a", HERE)
    await memories.update("a", HERE, Change(type="fact"), None)
    if name == "delete":
        await memories.delete("a", HERE, dry_run=False)
    others = await state(memories, "a")
    undone = await bulk.undo(name, outcome.done)
    assert ([one.id for one in undone.done], [one.id for one in undone.refused]) == (["b"], ["a"])
    assert await state(memories, "a") == others
    assert "meanwhile" in undone.refused[0].reason


async def test_one_that_cannot_be_changed_does_not_stop_the_rest(memories: Memories) -> None:
    """A memory that is gone and one with too many tags are refused, each with its reason."""
    await put(memories, "full", *(f"t{n}" for n in range(MAX_TAGS)))
    await put(memories, "ok")
    outcome = await Bulk(memories, HERE).apply(BulkAction("tag", ("new",)), ["gone", "full", "ok"])
    assert outcome.done == (Changed("ok", 2),)
    assert [(one.id, str(MAX_TAGS) in one.reason) for one in outcome.refused] == [("gone", False), ("full", True)]


async def test_nothing_out_of_reach_is_changed(memories: Memories) -> None:
    """A caller who is bound to a namespace neither changes, restores nor purges what lies in another."""
    await put(memories, "a", namespace="there")
    await put(memories, "b", namespace="there")
    await memories.delete("b", Reach("there"), dry_run=False)
    bulk = Bulk(memories, Reach.bound_to("here"))
    for action in (BulkAction("tag", ("new",)), BulkAction("delete")):
        assert [one.id for one in (await bulk.apply(action, ["a"])).refused] == ["a"]
    assert [one.id for one in (await bulk.apply(BulkAction("restore"), ["b"])).refused] == ["b"]
    assert await memories.empty_trash("here", LATER) == 0
    assert (await memories.trash("there", limit=10, cursor=None)).total == 1
    assert await memories.matching(Filters("here")) == []


async def test_an_earlier_revision_comes_back_as_a_new_one(memories: Memories) -> None:
    """It has all that the memory was, the history keeps both, and a late caller is refused."""
    await put(memories, "a", "old")
    await memories.update("a", HERE, Change(content="other", tags=("new",), type="fact", metadata={"k": 1}), None)
    with pytest.raises(ConflictError):
        await memories.revert("a", HERE, 1, 1)
    back = await memories.revert("a", HERE, 1, 2)
    assert (back.content, back.tags, back.type, back.metadata, back.revision) == ("text a", ("old",), "note", {}, 3)
    assert [was.content for was in await memories.revisions(back)] == ["text a", "other"]
    with pytest.raises(NotFoundError, match="no earlier revision 3"):
        await memories.revert("a", HERE, 3, None)


class EditedMeanwhile(FakeStore):
    """A store in which somebody edits a memory just before it is deleted."""

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        """Edit, then delete."""
        for memory_id in memory_ids or ():
            await self.update(await self.get(memory_id, "here"), Change(type="edited"), None, None)
        return await super().delete(memory_ids, filters, dry_run=dry_run, any_namespace=any_namespace)


async def test_what_was_edited_just_before_its_deletion_comes_back() -> None:
    """The undo brings the edit back."""
    memories = on_an_empty_store(EditedMeanwhile())
    await put(memories, "a")
    bulk = Bulk(memories, HERE)
    done = await bulk.apply(BulkAction("delete"), ["a"])
    undone = await bulk.undo("delete", done.done)
    assert undone.refused == ()
    assert await state(memories, "a") == [((), "edited")]
