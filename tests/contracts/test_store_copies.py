"""The ports Records (export and import) and SupportsBackup (copies of the whole)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.models import Change, Filters, Record, Stored
from memory_mcp.domain.ports import Store, SupportsTidy
from tests.contracts.shelf import HERE, Copied, events, faults, listed, near, put, towards, whole, worded
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore

# Export and import


async def test_an_export_is_the_same_elsewhere(store: Store, clock: FakeClock) -> None:
    """Ids, times, revisions, tags, metadata and conversations are what they were; what is deleted stays behind."""
    clock.advance(5)
    memory = await put(store, "first", id="a", tags=("x", "y"), metadata={"n": 1}, conversation_id="talk", type="fact")
    clock.advance(5)
    await store.update(memory, Change(content="rewritten", tags=()), whole("rewritten"), None)
    await put(store, "second", namespace="there", id="a")
    await put(store, "gone", id="c")
    await store.delete(["c"], HERE, dry_run=False)
    records = await store.export(0, 10)
    assert records[1:] == await store.export(records[0].memory.key, 1)
    other_store = FakeStore()
    outcomes = await other_store.import_records([(record, whole(record.memory.content)) for record in records])
    assert outcomes == [Stored("a", created=True, embedded=False)] * 2
    assert await other_store.export(0, 10) == await _imported(store, records)
    assert await worded(other_store, "rewritten") == ["rewritten"]


async def _imported(store: Store, records: list[Record]) -> list[Record]:
    """Check that importing into where it comes from changes nothing, and return what is exported then."""
    before = await store.generation()
    outcomes = await store.import_records([(record, whole(record.memory.content)) for record in records])
    assert outcomes == [Stored("a", created=False, embedded=False)] * 2
    assert await store.generation() == before
    return await store.export(0, 10)


async def test_an_import_fills_an_empty_store(store: Store) -> None:
    """What another store exported is listed, found and numbered in the same order."""
    source = FakeStore(FakeClock())
    for number in range(3):
        await put(source, f"memory {number}", towards(number), conversation_id="talk")
    records = await source.export(0, 10)
    await store.import_records([(record, whole(record.memory.content, towards(0))) for record in records])
    assert [record.memory.content for record in await store.export(0, 10)] == [f"memory {n}" for n in range(3)]
    assert await listed(store) == await listed(source)
    assert len(await near(store)) == 3
    assert await faults(store) == []


async def test_what_an_import_would_lose_is_a_conflict(store: Store) -> None:
    """The same id and text with other fields, or tags that are not there; equal ones and fewer tags are known."""
    await put(store, "text", id="a", tags=("x", "Y"), metadata={"n": 1})
    [record] = await store.export(0, 9)
    memory = record.memory
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, ""),
        ({"metadata": {"n": 1.0}, "tags": ("y",)}, ""),
        ({"metadata": {"n": 2}, "type": "fact"}, "another type and metadata"),
        ({"created_at": memory.created_at + timedelta(seconds=1)}, "another created_at"),
        ({"conversation_id": "talk"}, "another conversation_id"),
        ({"tags": ("x", "z")}, "other tags"),
        ({"tags": ("z",), "type": "fact"}, "another type and other tags"),
    ]
    for changed, named in cases:
        [outcome] = await store.import_records([(Record(replace(memory, **changed)), whole("text"))])
        if named:
            assert str(outcome) == f"id: 'a' in the namespace 'here' already exists with {named}"
        else:
            assert outcome == Stored("a", created=False, embedded=False)
    assert (await store.get("a", "here")) == memory


async def test_an_imported_id_gets_a_number_where_it_may(store: Store) -> None:
    """It is the same one when it is imported again."""
    memory = await put(store, "first", id="a")
    given = [Record(replace(memory, content=text), may_be_numbered=True) for text in ("second", "first", "third")]
    for is_new in (True, False):
        outcomes = await store.import_records([(record, whole(record.memory.content)) for record in given])
        assert [(one.id, one.created) for one in outcomes if isinstance(one, Stored)] == [
            ("a-2", is_new),
            ("a", False),
            ("a-3", is_new),
        ]


async def test_an_import_may_replace_what_was_deleted(store: Store) -> None:
    """With other content too, as a new memory in every index; what is live stays as it is."""
    for memory_id, content in (("a", "live"), ("b", "gone"), ("c", "unlike")):
        await put(store, content, towards(0), id=memory_id, tags=("old",))
    given = [replace(record, replaces_deleted=True) for record in await store.export(0, 9)]
    given[2] = replace(given[2], memory=replace(given[2].memory, content="other", tags=("new",)))
    await store.delete(["b", "c"], HERE, dry_run=False)
    items = [(record, whole(record.memory.content, towards(0))) for record in given]
    outcomes = await store.import_records(items)
    assert [(one.id, one.created) for one in outcomes if isinstance(one, Stored)] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]
    assert sorted(await listed(store)) == ["gone", "live", "other"]
    assert await worded(store, "other") == ["other"]
    assert await worded(store, "unlike") == []
    assert (await store.get("c", "here")).tags == ("new",)
    assert len(await near(store)) == 3
    assert await faults(store) == []


async def test_an_imported_id_with_another_content_is_a_conflict_of_its_own(store: Store) -> None:
    """The rest of the batch is written, and what is there stays; a deleted memory stays deleted."""
    await put(store, "mine", id="a")
    await put(store, "gone", id="b")
    await store.delete(["b"], HERE, dry_run=False)
    source = FakeStore()
    for memory_id, content in (("a", "theirs"), ("b", "gone"), ("c", "new")):
        await put(source, content, id=memory_id)
    outcomes = await store.import_records(
        [(record, whole(record.memory.content)) for record in await source.export(0, 9)]
    )
    assert [type(outcome) for outcome in outcomes] == [ConflictError, ConflictError, Stored]
    assert "'b' in the namespace 'here' was deleted; `memory-mcp undelete b` restores it" in str(outcomes[1])
    assert sorted(await listed(store)) == ["mine", "new"]


# Copies


async def test_a_restored_backup_is_what_was_backed_up(copied: Copied, tmp_path: Path) -> None:
    """What was written since is kept aside, and the store goes on from the backup."""
    await put(copied, "kept", towards(0), id="a", tags=("x",))
    await copied.backup(tmp_path / "copies" / "one")
    await put(copied, "later", towards(10))
    before = await copied.generation()
    await copied.restore(tmp_path / "copies" / "one", tmp_path / "copies" / "aside")
    assert await listed(copied) == await near(copied) == await worded(copied, "kept later") == ["kept"]
    assert await copied.generation() > before
    assert (await events(copied, before, 10))[0].kind == "restore"
    await put(copied, "after", towards(20))
    assert await near(copied) == ["kept", "after"]
    assert await faults(copied) == []
    await copied.restore(tmp_path / "copies" / "aside", tmp_path / "copies" / "again")
    assert await listed(copied, Filters("here")) == ["later", "kept"]


async def test_a_backup_is_verified_without_a_change(copied: Copied, tmp_path: Path) -> None:
    """A sound one has no faults and stays as it is; what is no backup is refused by its name."""
    await put(copied, "kept", towards(0))
    await copied.backup(tmp_path / "one")
    before = (tmp_path / "one").read_bytes()
    assert await copied.verify_backup(tmp_path / "one") == []
    assert (tmp_path / "one").read_bytes() == before
    (tmp_path / "none").write_bytes(b"no backup")
    for name in ("none", "missing"):
        with pytest.raises(StoreError, match=name):
            await copied.verify_backup(tmp_path / name)


async def test_a_backup_replaces_no_file(copied: Copied, tmp_path: Path) -> None:
    """The name of something that is there is refused, and what is there stays as it is."""
    target = tmp_path / "copy"
    target.write_text("mine")
    await put(copied, "text")
    with pytest.raises(StoreError, match=str(target)):
        await copied.backup(target)
    assert target.read_text() == "mine"


@pytest.mark.parametrize("content", [None, b"", b"no backup"])
async def test_what_is_no_backup_is_not_restored(copied: Copied, tmp_path: Path, content: bytes | None) -> None:
    """A missing, an empty and a foreign file are refused by their name, and nothing changes."""
    source = tmp_path / "source"
    if content is not None:
        source.write_bytes(content)
    await put(copied, "text")
    generation = await copied.generation()
    with pytest.raises(StoreError, match=str(source)):
        await copied.restore(source, tmp_path / "aside")
    assert await listed(copied) == ["text"]
    assert await copied.generation() == generation
    assert not (tmp_path / "aside").exists()


async def test_tidying_changes_nothing(store: Store) -> None:
    """What is kept is the same afterwards."""
    await put(store, "text", towards(0))
    if isinstance(store, SupportsTidy):
        await store.tidy()
    assert await near(store) == ["text"]
