"""What a restored store must not do to those who go on with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from memory_mcp.domain.errors import NotFoundError, StoreError
from memory_mcp.domain.models import Change, Chunk
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import HERE, SPACE, events, listed, near, put, towards
from tests.front.storage.audit import audit


async def test_numbers_are_not_given_again(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """A passage that waited before the restore, and a memory that was read before it, are nobody else's afterwards."""
    await put(store, "first", towards(0))
    await store.backup(tmp_path / "copy")
    waited = await put(store, "waited")
    [before] = await store.pending(1)
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    new = await put(store, "new")
    assert new.key > waited.key
    await store.set_vectors(SPACE, [(before.passage_id, [Chunk(0, 6, towards(80))])])
    assert (await store.read(lambda it: it.queue(None))).pending == 1
    with pytest.raises(NotFoundError):
        await store.update(waited, Change(content="overwritten"), None, 1)
    assert await listed(store) == ["new", "first"]
    assert await store.verify() == []


async def test_what_was_put_aside_is_not_replaced(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """A second restore to the same name is refused before anything changes."""
    await put(store, "first")
    await store.backup(tmp_path / "copy")
    await put(store, "precious")
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    kept = (tmp_path / "aside").read_bytes()
    await put(store, "second")
    with pytest.raises(StoreError, match="exists already, and nothing was changed"):
        await store.restore(tmp_path / "copy", tmp_path / "aside")
    assert (tmp_path / "aside").read_bytes() == kept
    assert await listed(store) == ["second", "first"]
    await put(store, "third")  # the lock was let go
    assert path.exists()


async def test_every_damaged_page_is_fixed_by_a_restore(path: Path, tmp_path: Path) -> None:
    """Whichever page is zeroed, the backup takes the place of the file, and what was there is kept."""
    store = SqliteStore(path)
    for number in range(20):
        await put(store, f"memory {number} {'long ' * 200}", towards(number))
    await store.backup(tmp_path / "copy")
    await store.close()
    sound = path.read_bytes()
    for page in range(len(sound) // 4096):
        path.write_bytes(sound[: page * 4096] + bytes(4096) + sound[(page + 1) * 4096 :])
        store = SqliteStore(path)
        await store.restore(tmp_path / "copy", tmp_path / f"aside-{page}")
        assert (tmp_path / f"aside-{page}").exists()
        assert len(await near(store, limit=100)) == 20
        await store.close()
        assert not path.with_name(f"{path.name}-wal").exists()
    audit(path)


async def test_a_namespace_that_is_gone_is_told(store: SqliteStore, tmp_path: Path) -> None:
    """Its restore is an event too, though the backup knows nothing of it."""
    await put(store, "here")
    await store.backup(tmp_path / "copy")
    await put(store, "there", namespace="there")
    generation = await store.generation()
    await store.restore(tmp_path / "copy", tmp_path / "aside")
    told = await events(store, generation, 10)
    assert {(event.kind, event.namespace) for event in told} == {("restore", "here"), ("restore", "there")}


async def test_two_restores_at_once_keep_both_moments(path: Path, tmp_path: Path) -> None:
    """One waits for the other, or is refused; nothing that was there is lost."""
    store, other = SqliteStore(path), SqliteStore(path)
    await put(store, "first")
    await store.backup(tmp_path / "copy")
    await put(store, "precious")
    outcomes = await asyncio.gather(
        store.restore(tmp_path / "copy", tmp_path / "aside"),
        other.restore(tmp_path / "copy", tmp_path / "aside"),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [StoreError]
    await store.restore(tmp_path / "aside", tmp_path / "again")
    assert await listed(store, HERE) == ["precious", "first"]
    await store.close()
    await other.close()


async def test_a_store_whose_folder_cannot_be_made_is_named(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """Where nothing can be written beside the store, the sentence says where that is."""
    await put(store, "text")
    await store.backup(tmp_path / "copy")
    nowhere = SqliteStore(path / "m.db")
    with pytest.raises(StoreError, match=str(path / "m.db")):
        await nowhere.restore(tmp_path / "copy", tmp_path / "aside")
    await nowhere.close()
