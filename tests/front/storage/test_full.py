"""A disk without room."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory_mcp.domain.errors import StoreError
from memory_mcp.storage.sqlite.store import SqliteStore
from tests.contracts.shelf import listed, near, new, put, towards, whole
from tests.disks import small_disk
from tests.front.storage.audit import audit


async def _bound(store: SqliteStore, pages: int) -> None:
    """Let the file grow to so many pages; SQLite answers beyond as it does on a full disk."""
    await store._database.write(lambda db: db.pragma("max_page_count", pages))


async def _write_on(store: SqliteStore, written: list[str]) -> None:
    """Store until it fails, and note what was acknowledged, the newest first."""
    for number in range(100):
        await put(store, f"{number} " * 1_000, towards(number))
        written.insert(0, f"{number} " * 1_000)


async def test_a_full_disk_takes_nothing_and_loses_nothing(path: Path, store: SqliteStore) -> None:
    """Writes are refused whole, naming the file and the fix; what was acknowledged is read; then it goes on."""
    await put(store, "first", towards(0))
    await _bound(store, path.stat().st_size // 4096 + 60)
    written = ["first"]
    batch = [(new(text), whole(text, towards(1))) for text in ("x" * 50_000, "y" * 50_000)]
    with pytest.raises(StoreError, match=f"{path}: the disk is full; nothing was lost"):
        await _write_on(store, written)
    with pytest.raises(StoreError, match="the disk is full"):
        await store.add(batch)
    assert await listed(store) == written
    assert len(await near(store, limit=100)) == len(written)
    await _bound(store, 100_000)
    await store.add(batch)
    assert len(await listed(store)) == len(written) + 2
    audit(path)


async def test_a_backup_without_room_leaves_nothing(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    """The folder is as before, the sentence names it, and the store goes on."""
    await put(store, "first", towards(0))
    with small_disk(tmp_path / "disk") as disk:
        disk.fill(40_960)
        before = list(disk.folder.iterdir())
        with pytest.raises(StoreError, match=f"{disk.folder}: the disk is full; nothing was lost: free some space"):
            await store.backup(disk.folder / "one")
        assert list(disk.folder.iterdir()) == before
    await put(store, "second", towards(1))
    audit(path)
