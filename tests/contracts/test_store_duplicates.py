"""The port Records: what is one memory that is stored twice, and what are two."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from memory_mcp.domain.errors import ConflictError
from memory_mcp.domain.models import MAX_TAGS, Change, Filters, Memory, Stored
from memory_mcp.domain.ports import Store
from tests.contracts.shelf import HERE, listed, new, offer, put, towards, whole
from tests.fakes.clock import FakeClock

DAY = datetime(2024, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)
COMPOSED, DECOMPOSED = "caf\u00e9 Zo\u00eb", "cafe\u0301 Zoe\u0308"
OWN: list[dict[str, Any]] = [
    {"created_at": DAY + timedelta(microseconds=1)},
    {"created_at": DAY - timedelta(days=1)},
    {"type": "note"},
    {"type": "Fact"},
    {"metadata": {}},
    {"metadata": {"n": True, "m": {"a": [1]}}},
    {"metadata": {"n": "1", "m": {"a": [1]}}},
    {"metadata": {"n": 1, "m": {"a": [True]}}},
    {"metadata": {"n": 1, "m": {"a": [1]}, "more": None}},
]
"""Fields of its own, each of which makes a text another memory than FIRST."""
FIRST: dict[str, Any] = {"created_at": DAY, "type": "fact", "metadata": {"n": 1, "m": {"a": [1]}}}
EQUAL: list[dict[str, Any]] = [
    {},
    {"created_at": DAY},
    {"created_at": DAY.astimezone(timezone(timedelta(hours=5, minutes=45)))},
    {"type": "fact"},
    {"metadata": {"m": {"a": [1.0]}, "n": 1.0}},
    FIRST,
]


async def known(store: Store, content: str, **fields: Any) -> str | None:
    """Store, and return the id of the memory that is there already; None where another one was made."""
    stored = await offer(store, content, **fields)
    assert isinstance(stored, Stored)
    return None if stored.created else stored.id


async def test_an_exact_duplicate_is_the_first_memory(store: Store) -> None:
    """The same NFC text again makes no second memory, and its tags go to the first."""
    first = await put(store, COMPOSED, tags=("a", "b"), metadata={"n": 1})
    again = await offer(store, DECOMPOSED, tags=("b", "c"))
    assert again == Stored(first.id, created=False, embedded=False, merged=("c",))
    merged = await store.get(first.id, "here")
    assert (merged.content, merged.tags, merged.metadata, merged.revision) == (COMPOSED, ("a", "b", "c"), {"n": 1}, 1)
    assert await listed(store, Filters("here", tags=("c",))) == [COMPOSED]
    assert await listed(store) == [COMPOSED]


async def test_a_duplicate_in_one_batch_is_seen(store: Store) -> None:
    """The second of two equal items of a batch answers with the first's id."""
    one, other, two = await store.add([(new(text), whole(text)) for text in ("same", "other", "same")])
    assert isinstance(one, Stored)
    assert isinstance(other, Stored)
    assert other.created
    assert two == Stored(one.id, created=False, embedded=False)
    assert await listed(store) == ["other", "same"]


async def test_a_duplicate_says_whether_the_first_is_embedded(store: Store) -> None:
    """The vectors of a duplicate are not taken, and those of the first are reported."""
    bare = await put(store, "bare")
    assert await offer(store, "bare", towards(0)) == Stored(bare.id, created=False, embedded=False)
    full = await put(store, "full", towards(0))
    assert await offer(store, "full") == Stored(full.id, created=False, embedded=True)


@pytest.mark.parametrize(
    "fields", [{"namespace": "there"}, {"conversation_id": "talk"}, {"content": "Text"}, {"content": "text "}]
)
async def test_elsewhere_the_same_text_is_another_memory(store: Store, fields: dict[str, Any]) -> None:
    """Namespaces and conversations have their own duplicates, and near misses are none."""
    first = await put(store, "text")
    second = await put(store, **{"content": "text", **fields})
    assert second.id != first.id
    assert await offer(store, **{"content": "text", **fields}) == Stored(second.id, created=False, embedded=False)


async def test_a_deleted_text_may_be_stored_anew(store: Store) -> None:
    """A deleted memory is no duplicate."""
    first = await put(store, "text")
    await store.delete([first.id], HERE, dry_run=False)
    second = await put(store, "text")
    assert second.id != first.id
    assert second.key > first.key


async def test_a_rewritten_text_may_be_stored_anew(store: Store) -> None:
    """Duplicates are of what a memory holds now, not of what it held."""
    first = await put(store, "old")
    await store.update(first, Change(content="new"), whole("new"), None)
    assert (await put(store, "old")).id != first.id
    assert await offer(store, "new") == Stored(first.id, created=False, embedded=False)


async def test_the_same_id_and_content_is_the_same_memory(store: Store) -> None:
    """Storing again under an id changes nothing but the tags."""
    first = await put(store, COMPOSED, id="mine", tags=("a",))
    assert await offer(store, DECOMPOSED, id="mine", tags=("b",)) == Stored(
        "mine", created=False, embedded=False, merged=("b",)
    )
    assert (await store.get("mine", "here")).tags == ("a", "b")
    assert (await store.get("mine", "here")).key == first.key


@pytest.mark.parametrize("fields", OWN, ids=str)
async def test_a_text_with_a_field_of_its_own_is_another_memory(store: Store, fields: dict[str, Any]) -> None:
    """A time, a type or metadata that differs is never dropped: both memories are there, and each is known again."""
    first = await put(store, "Backup finished", **FIRST)
    second = await put(store, "Backup finished", **fields)
    assert second.id != first.id
    assert await known(store, "Backup finished", **FIRST) == first.id
    assert await known(store, "Backup finished", **fields) == second.id
    assert await known(store, "Backup finished") == first.id
    assert await listed(store) == ["Backup finished"] * 2


@pytest.mark.parametrize("fields", EQUAL, ids=str)
async def test_a_retry_is_the_same_memory(store: Store, fields: dict[str, Any]) -> None:
    """Without fields of its own or with equal ones, in whatever zone, order or kind of number; with the id or not."""
    first = await put(store, "Backup finished", id="mine", **FIRST)
    assert await known(store, "Backup finished", **fields) == "mine"
    assert await known(store, "Backup finished", id="mine", **fields) == "mine"
    assert await store.get("mine", "here") == first


async def test_another_id_is_another_memory(store: Store) -> None:
    """The same text under two ids is there twice, and a retry without an id finds the first."""
    for memory_id in ("a", "b"):
        assert await known(store, "text", id=memory_id) is None
    assert await known(store, "text") == "a"
    assert await known(store, "text", id="b") == "b"
    await store.delete(["a"], HERE, dry_run=False)
    assert await known(store, "text") == "b"


@pytest.mark.parametrize("fields", [*OWN, {"conversation_id": "talk"}], ids=str)
async def test_an_id_with_a_field_that_differs_is_a_conflict(store: Store, fields: dict[str, Any]) -> None:
    """What differs is named, and nothing is changed, the tags included."""
    first = await put(store, "text", id="mine", **FIRST)
    refused = await offer(store, "text", id="mine", tags=("lost",), **fields)
    assert isinstance(refused, ConflictError)
    assert f"'mine' already exists with another {next(iter(fields))};" in str(refused)
    assert await store.get("mine", "here") == first


async def test_all_that_differs_is_named(store: Store) -> None:
    """In one sentence."""
    await put(store, "text", id="mine")
    refused = await offer(store, "text", id="mine", created_at=DAY, type="fact", metadata={"a": 1})
    assert "another created_at and type and metadata;" in str(refused)


async def test_every_night_is_a_memory_of_its_own(store: Store) -> None:
    """One batch of equal texts at seven times is seven memories, and the same batch again is none."""
    nights = [new("Backup finished", created_at=DAY + timedelta(days=night), tags=(f"n{night}",)) for night in range(7)]
    first = await store.add([(night, whole(night.content)) for night in nights])
    again = await store.add([(replace(night, tags=("again",)), whole(night.content)) for night in nights])
    assert [stored.id for stored in first if isinstance(stored, Stored) and stored.created] == [
        stored.id for stored in again if isinstance(stored, Stored) and stored.merged == ("again",)
    ]
    assert await listed(store) == ["Backup finished"] * 7


async def test_a_text_outside_of_conversations_is_known_without_its_place(store: Store) -> None:
    """Other memories between the two make no difference there."""
    first = await put(store, "text")
    await put(store, "between")
    assert await known(store, "text") == first.id


async def turns(store: Store) -> list[Memory]:
    """Return the conversation as it is in order."""
    page = await store.read(lambda it: it.page(Filters("here", conversation_id="talk"), limit=99, cursor=None))
    return list(page.memories)[::-1]


async def test_a_turn_is_repeated_at_once_or_said_again(store: Store, clock: FakeClock) -> None:
    """In a conversation only the repetition of its last memory is a duplicate; others beside it do not count."""
    for content, is_new in [("Yes.", True), ("Yes.", False), ("Sure?", True), ("Yes.", True), ("Yes.", False)]:
        clock.advance(1)
        assert (await known(store, content, conversation_id="talk") is None) == is_new
        await offer(store, "elsewhere", conversation_id="other")
    assert [turn.content for turn in await turns(store)] == ["Yes.", "Sure?", "Yes."]


async def test_turns_come_in_the_order_of_their_times(store: Store) -> None:
    """What comes late goes to its place, and a conversation that is stored again is known turn by turn."""
    said = [(DAY + timedelta(minutes=minute), text) for minute, text in enumerate(["Yes.", "Sure?", "Yes."])]
    for created_at, text in said[::-1]:
        assert await known(store, text, conversation_id="talk", created_at=created_at) is None
    for turn, (created_at, text) in zip(await turns(store), said, strict=True):
        assert await known(store, text, conversation_id="talk", created_at=created_at) == turn.id


async def test_turns_of_one_moment_are_kept_and_known_again(store: Store) -> None:
    """A batch that has only a day for all its turns keeps each of them, and sent again it changes nothing."""
    said = [new(text, conversation_id="talk", created_at=DAY) for text in ("Yes.", "Sure?", "Yes.", "Bye.")]
    for is_new in (True, False):
        stored = await store.add([(turn, whole(turn.content)) for turn in said])
        assert [turn.created for turn in stored if isinstance(turn, Stored)] == [is_new] * len(said)
    assert [turn.content for turn in await turns(store)] == ["Yes.", "Sure?", "Yes.", "Bye."]
    for turn in said[:2]:
        assert await known(store, turn.content, conversation_id="talk", created_at=DAY) is not None
    assert await known(store, "Sure?", conversation_id="talk", created_at=DAY, type="fact") is None


async def test_a_turn_dated_in_the_future_hides_no_repetition(store: Store) -> None:
    """What is said now comes before it; given its own time, it is known again too."""
    later = {"conversation_id": "talk", "created_at": DAY}
    assert await known(store, "Remind me then.", **later) is None
    assert await known(store, "Yes.", conversation_id="talk") is None
    assert await known(store, "Yes.", conversation_id="talk") is not None
    assert await known(store, "Remind me then.", **later) is not None
    assert len(await turns(store)) == 2


async def test_tags_that_a_duplicate_brings_are_not_too_many(store: Store) -> None:
    """As many as a memory may have are merged; one more is refused by name, and nothing is changed."""
    held = tuple(f"t{number:02}" for number in range(MAX_TAGS - 1))
    first = await put(store, "text", tags=held, id="mine")
    assert (await offer(store, "text", tags=("last",), id="mine")) == Stored(
        "mine", created=False, embedded=False, merged=("last",)
    )
    refused = await offer(store, "text", tags=("more",))
    assert isinstance(refused, ConflictError)
    assert "tags: 'mine' already has this text" in str(refused)
    assert (await store.get("mine", "here")).tags == ("last", *held)
    assert await known(store, "text", tags=("LAST",)) == first.id


async def test_a_turn_with_a_field_of_its_own_is_another(store: Store) -> None:
    """Also right after an equal one; a deleted turn is no last memory."""
    for fields in ({}, {"type": "fact"}, {"metadata": {"n": 1}}, {"id": "x"}):
        assert await known(store, "Yes.", conversation_id="talk", **fields) is None
    await store.delete(["x"], HERE, dry_run=False)
    assert await known(store, "Yes.", conversation_id="talk") == (await turns(store))[-1].id
    assert len(await turns(store)) == 3


async def test_tags_are_merged_without_case(store: Store) -> None:
    """A tag in other letters or another form of Unicode is there already; only what was added is named."""
    first = await put(store, "text", tags=("Work", "caf\u00e9", "Stra\u00dfe"))
    again = await offer(store, "text", tags=("WORK", "cafe\u0301", "STRASSE", "new", "NEW"))
    assert again == Stored(first.id, created=False, embedded=False, merged=("new",))
    assert (await store.get(first.id, "here")).tags == ("Stra\u00dfe", "Work", "caf\u00e9", "new")


async def test_memories_that_became_equal_are_two(store: Store) -> None:
    """An update and an undelete merge nothing: a retry finds the first."""
    first, second = await put(store, "one"), await put(store, "other")
    await store.update(second, Change(content="one"), whole("one"), None)
    await store.delete([first.id], HERE, dry_run=False)
    assert await known(store, "one") == second.id
    await store.undelete(await store.deleted(first.id, "here"), whole("one"))
    assert await known(store, "one") == first.id
    assert await listed(store) == ["one", "one"]


async def test_equal_texts_go_through_an_export(store: Store) -> None:
    """Each memory is there afterwards, and again it is known."""
    for fields in ({"id": "a"}, {"id": "b"}, {"id": "c", "created_at": DAY}, {"id": "d", "conversation_id": "talk"}):
        await put(store, "text", **fields)
    records = [
        replace(record, memory=replace(record.memory, namespace="there")) for record in await store.export(0, 99)
    ]
    for is_new in (True, False):
        absorbed = await store.import_records([(record, whole("text")) for record in records])
        assert [stored.created for stored in absorbed if isinstance(stored, Stored)] == [is_new] * 4
    assert await listed(store, Filters("there")) == ["text"] * 4
