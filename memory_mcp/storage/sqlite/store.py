"""The store port over one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar, cast

import apsw

from memory_mcp.domain.errors import ConflictError, DiskFullError, StoreError
from memory_mcp.domain.models import (
    Change,
    Chunk,
    Embedded,
    Event,
    Filters,
    Finding,
    Memory,
    MissedChanges,
    MissingVectors,
    NewMemory,
    PendingChunk,
    Record,
    Revision,
    Space,
    Statistics,
    Stored,
    Totals,
)
from memory_mcp.domain.ports import Snapshot, Store
from memory_mcp.settings import Settings
from memory_mcp.storage import queue as queued
from memory_mcp.storage.disk import has_room, is_writable
from memory_mcp.storage.documents.store import StoredDocuments
from memory_mcp.storage.keys import key_place, remembered
from memory_mcp.storage.rows import to_micros
from memory_mcp.storage.sqlite.audit import SqliteAudit
from memory_mcp.storage.sqlite.db import changes
from memory_mcp.storage.sqlite.db.connection import READERS, Database
from memory_mcp.storage.sqlite.db.encryption import Keys, no_keys
from memory_mcp.storage.sqlite.documents import SqliteTransactions
from memory_mcp.storage.sqlite.maintenance import copies, findings
from memory_mcp.storage.sqlite.records import reads, statistics, transfer, writes
from memory_mcp.storage.sqlite.snapshot import SqliteSnapshot
from memory_mcp.storage.sqlite.vectors import chunks, spaces
from memory_mcp.storage.sqlite.vectors.search import LARGE, VectorSearch

T = TypeVar("T")


SUFFIXES: Final = ("", "-wal", "-signs")
"""Suffixes of a store's files."""


class _Searches(threading.local):
    """The caches of searches, one set per reading thread: Python calls `__init__` in each thread."""

    def __init__(self, path: Path, large: int, *, saves: bool) -> None:
        self.of_this_thread = VectorSearch(path, large, saves=saves)


class SqliteStore:
    """Memories in one file; see `domain.ports.Store` for what each method promises."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        large: int = LARGE,
        *,
        creates: bool = True,
        read_only: bool = False,
        readers: int = READERS,
        keys: Keys = no_keys,
    ) -> None:
        self._database = Database(path, copies.upgrade, keys, creates=creates, read_only=read_only, readers=readers)
        self._searches = _Searches(path, large, saves=not read_only)
        self._clock = clock
        self._documents = StoredDocuments(SqliteTransactions(self._database, self._now))

    @property
    def audit(self) -> SqliteAudit:
        """The audit in the same file."""
        return SqliteAudit(self._database)

    @property
    def documents(self) -> StoredDocuments:
        """The documents in the same file."""
        return self._documents

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        now = self._now()

        def add_one(db: apsw.Connection, new: NewMemory, embedded: Embedded, last: int) -> Stored | ConflictError:
            try:
                return writes.add(db, new, embedded, now, last)
            except ConflictError as error:  # raised before anything of this item was written
                return error

        def add_all(db: apsw.Connection) -> list[Stored | ConflictError]:
            last = cast("int | None", db.execute("SELECT max(key) FROM memories").get) or 0
            return [add_one(db, new, embedded, last) for new, embedded in items]

        return await self._database.write(add_all)

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        return await self._database.read(lambda db: reads.get(db, memory_id, namespace, any_namespace=any_namespace))

    async def revisions(self, memory: Memory, *, before: int | None = None, limit: int | None = None) -> list[Revision]:
        return await self._database.read(lambda db: reads.revisions(db, memory.key, before, limit))

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        now = self._now()
        return await self._database.write(
            lambda db: writes.update(db, memory, change, embedded, expected_revision, now)
        )

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        if dry_run:
            to_delete = await self._database.read(
                lambda db: reads.select_to_delete(db, memory_ids, filters, any_namespace=any_namespace)
            )
            return [memory_id for _, memory_id, _ in to_delete]
        now = self._now()
        return await self._database.write(
            lambda db: writes.delete(db, memory_ids, filters, now, any_namespace=any_namespace)
        )

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        return await self._database.read(
            lambda db: reads.deleted(db, memory_id, namespace, any_namespace=any_namespace)
        )

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        now = self._now()
        return await self._database.write(lambda db: writes.undelete(db, memory, embedded, now))

    async def purge(
        self, before: datetime, *, namespace: str | None = None, memory_ids: Sequence[str] | None = None
    ) -> int:
        now = self._now()
        return await self._database.write(
            lambda db: writes.purge(db, to_micros(before), now, namespace=namespace, memory_ids=memory_ids)
        )

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Do work that asks several things of one moment."""
        return await self._database.read(
            lambda db: work(SqliteSnapshot(db, self._searches.of_this_thread)), is_search=not is_short
        )

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        return await self._database.read(lambda db: statistics.of_namespace(db, namespace, tags))

    async def totals(self) -> Totals:
        memories, namespaces = await self._database.read(statistics.totals)
        return Totals(memories, namespaces, sum(_size(self.path, suffix) for suffix in SUFFIXES))

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        return await self._database.read(lambda db: statistics.tags_like(db, prefix, namespace, limit))

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        return await self._database.read(lambda db: statistics.namespaces_like(db, prefix, limit))

    async def pending(self, limit: int) -> list[PendingChunk]:
        return await self._database.read(lambda db: reads.pending(db, limit))

    async def retry_failed(self, made_by: str | None) -> int:
        return await self._database.write(lambda db: chunks.retry_failed(db, made_by))

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        now = self._now()
        await self._database.write(lambda db: chunks.set_vectors(db, space, results, now))

    async def other_spaces(self) -> list[Space]:
        """Return the spaces that are not the store's."""
        return await self._database.read(spaces.other_spaces)

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        return await self._database.read(lambda db: spaces.missing_vectors(db, space, after, limit))

    async def count_missing_vectors(self, space: Space) -> int:
        return await self._database.read(lambda db: spaces.count_missing_vectors(db, space))

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        now = self._now()
        await self._database.write(lambda db: spaces.backfill(db, space, items, now))

    async def activate_space(self, space: Space) -> bool:
        now = self._now()
        return await self._database.write(lambda db: spaces.activate_space(db, space, now))

    async def drop_space(self, space: Space) -> None:
        await self._database.write(lambda db: spaces.drop(db, space))

    async def generation(self) -> int:
        return await self._database.read(changes.generation)

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        return await self._database.read(lambda db: changes.since(db, after, limit))

    async def prune_changes(self, before: datetime) -> int:
        return await self._database.write(lambda db: changes.prune(db, to_micros(before)))

    async def export(self, after: int, limit: int) -> list[Record]:
        return await self._database.read(lambda db: transfer.export(db, after, limit))

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        now = self._now()

        def import_one(db: apsw.Connection, record: Record, embedded: Embedded) -> Stored | ConflictError:
            try:
                return transfer.import_records(db, record, embedded, now)
            except ConflictError as error:  # raised before anything of this item was written
                return error

        return await self._database.write(lambda db: [import_one(db, record, embedded) for record, embedded in items])

    async def verify(self) -> list[str]:
        file = self._database
        return await asyncio.to_thread(copies.verify, file.path, file.keys, read_only=file.is_read_only)

    async def copies_as(self) -> str:
        return ".db"

    async def makes_no_copies(self) -> str:
        return ""

    async def backup(self, target: Path) -> None:
        await self.generation()  # creates or migrates the file first
        if not self.path.exists():
            raise StoreError(f"there is no store at {self.path} to back up; check MCP_MEMORY_SQLITE_PATH")
        file = self._database
        await asyncio.to_thread(copies.backup, file.path, target, file.keys, read_only=file.is_read_only)

    async def tidy(self) -> None:
        await asyncio.to_thread(copies.tidy, self.path, self._database.keys)

    async def restore(self, source: Path, aside: Path) -> None:
        await asyncio.to_thread(copies.restore, source, self.path, aside, self._now(), self._database.keys)

    async def verify_backup(self, source: Path) -> list[str]:
        return await asyncio.to_thread(copies.verify_backup, source, self._database.keys)

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        now = self._now()
        expires_at = now + int(seconds * 1_000_000)
        return await self._database.write(lambda db: writes.acquire_lease(db, name, owner, now, expires_at))

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Report whether the file opens, and the state of its queue."""
        path = self.path
        try:
            queue = await self._database.read(lambda db: reads.queue(db, namespace))
        except DiskFullError:
            return {"store": findings.full(path)}
        except StoreError as error:
            return {"store": findings.unusable(path, error)}
        if await self._is_full():
            store = findings.full(path)
        elif self._database.is_read_only or is_writable(path):
            store = findings.opened(path)
        else:
            store = findings.not_writable(path)
        return {"store": store, "queue": queued.of_queue(queue)}

    async def _is_full(self) -> bool:
        """Whether a write would fail for lack of space; after a failed write, this tries another one."""
        if self._database.is_full:
            with contextlib.suppress(StoreError):
                await self.acquire_lease("room", "", 0)
        return self._database.is_full or not (self._database.is_read_only or has_room(self.path))

    async def close(self) -> None:
        await self._database.close()


def from_settings(settings: Settings, *, creates: bool) -> Store:
    """Return the store of the file that the settings name; it is opened at the first call."""
    keys = remembered(key_place(settings))
    return SqliteStore(settings.sqlite_path, creates=creates, read_only=settings.read_only, keys=keys)


def _size(path: Path, suffix: str) -> int:
    try:
        return path.with_name(path.name + suffix).stat().st_size
    except OSError:  # not every store implements all of them
        return 0
