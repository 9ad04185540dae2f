"""The store port over one PostgreSQL database."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from memory_mcp.domain.errors import ConflictError, StoreError
from memory_mcp.domain.models import (
    Change,
    Chunk,
    Condition,
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
from memory_mcp.settings import Settings, postgres_url
from memory_mcp.storage.documents.store import StoredDocuments
from memory_mcp.storage.postgres.audit import PostgresAudit
from memory_mcp.storage.postgres.cache import CurrentCache
from memory_mcp.storage.postgres.db import changes
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.listening import Announcements
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.documents import PostgresTransactions
from memory_mcp.storage.postgres.maintenance import dumps
from memory_mcp.storage.postgres.records import reads, statistics, transfer, writes
from memory_mcp.storage.postgres.snapshot import PostgresSnapshot
from memory_mcp.storage.postgres.vectors import chunks, graphs, queue, spaces
from memory_mcp.storage.queue import of_queue
from memory_mcp.storage.rows import to_micros

T = TypeVar("T")
LOOK_S: Final = 1.0
"""How long a look at the store's health waits for a server that is away."""


class PostgresStore:
    """Memories in one database; see `domain.ports.Store` for what each method promises."""

    def __init__(
        self, database: PostgresDatabase, announcements: Announcements, machine: str = "", direct_url: str | None = None
    ) -> None:
        """Share a database.

        Args:
            database: is reached at the first call.
            announcements: tell of others' writes.
            machine: the name of the one whose files this process reads.
            direct_url: the database without a pooler, if there is one.
        """
        self._database = database
        self._cache = CurrentCache()
        self._announcements = announcements
        self._documents = StoredDocuments(PostgresTransactions(database, machine))
        self._dumps = dumps.Dumps(direct_url or database.url)

    @property
    def audit(self) -> PostgresAudit:
        """The audit in the same database."""
        return PostgresAudit(self._database)

    @property
    def documents(self) -> StoredDocuments:
        """The documents in the same database."""
        return self._documents

    async def add(self, items: Sequence[tuple[NewMemory, Embedded]]) -> list[Stored | ConflictError]:
        return await self._database.write(lambda db: writes.add(db, items))

    async def get(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        return await self._database.read(lambda db: reads.get(db, memory_id, namespace, any_namespace=any_namespace))

    async def revisions(self, memory: Memory, *, before: int | None = None, limit: int | None = None) -> list[Revision]:
        return await self._database.read(lambda db: reads.revisions_of(db, memory, before, limit))

    async def update(
        self, memory: Memory, change: Change, embedded: Embedded | None, expected_revision: int | None
    ) -> Memory:
        return await self._database.write(lambda db: writes.update(db, memory, change, embedded, expected_revision))

    async def delete(
        self, memory_ids: Sequence[str] | None, filters: Filters, *, dry_run: bool, any_namespace: bool = False
    ) -> list[str]:
        if dry_run:
            to_delete = await self._database.read(
                lambda db: reads.select_to_delete(db, memory_ids, filters, any_namespace=any_namespace)
            )
            return [memory.id for memory in to_delete]
        return await self._database.write(
            lambda db: writes.delete(db, memory_ids, filters, any_namespace=any_namespace)
        )

    async def deleted(self, memory_id: str, namespace: str, *, any_namespace: bool = False) -> Memory:
        return await self._database.read(
            lambda db: reads.deleted(db, memory_id, namespace, any_namespace=any_namespace)
        )

    async def undelete(self, memory: Memory, embedded: Embedded) -> Memory:
        return await self._database.write(lambda db: writes.undelete(db, memory, embedded))

    async def purge(
        self, before: datetime, *, namespace: str | None = None, memory_ids: Sequence[str] | None = None
    ) -> int:
        return await self._database.write(lambda db: writes.purge(db, to_micros(before), namespace, memory_ids))

    async def read(self, work: Callable[[Snapshot], T], *, is_short: bool = False) -> T:
        """Do work that asks several things of one moment."""
        del is_short  # connections are opened as they are needed
        return await self._database.read(lambda db: work(PostgresSnapshot(db, self._cache.of(db.generation))))

    async def statistics(self, namespace: str, tags: int) -> Statistics:
        return await self._database.read(lambda db: statistics.of_namespace(db, namespace, tags))

    async def totals(self) -> Totals:
        return Totals(*await self._database.read(statistics.totals))

    async def tags_like(self, prefix: str, namespace: str, limit: int) -> list[str]:
        return await self._database.read(lambda db: statistics.tags_like(db, prefix, namespace, limit))

    async def namespaces_like(self, prefix: str, limit: int) -> list[str]:
        return await self._database.read(lambda db: statistics.namespaces_like(db, prefix, limit))

    async def pending(self, limit: int) -> list[PendingChunk]:
        return await self._database.read(lambda db: queue.pending(everywhere(db), limit))

    async def retry_failed(self, made_by: str | None) -> int:
        return await self._database.write(lambda db: chunks.retry_failed(everywhere(db), made_by))

    async def set_vectors(self, space: Space, results: Sequence[tuple[int, Sequence[Chunk]]]) -> None:
        await self._database.write(lambda db: chunks.set_vectors(everywhere(db), space, results))

    async def other_spaces(self) -> list[Space]:
        return await self._database.read(spaces.other_spaces)

    async def missing_vectors(self, space: Space, after: int, limit: int) -> list[MissingVectors]:
        return await self._database.read(lambda db: spaces.missing_vectors(everywhere(db), space, after, limit))

    async def count_missing_vectors(self, space: Space) -> int:
        return await self._database.read(lambda db: spaces.count_missing_vectors(everywhere(db), space))

    async def backfill(self, space: Space, items: Sequence[tuple[MissingVectors, Sequence[Chunk]]]) -> None:
        await self._database.write(lambda db: spaces.backfill(everywhere(db), space, items))

    async def activate_space(self, space: Space) -> bool:
        return await self._database.write(lambda db: spaces.activate_space(everywhere(db), space))

    async def drop_space(self, space: Space) -> None:
        await self._database.write(lambda db: spaces.drop(everywhere(db), space))

    async def generation(self) -> int:
        return await self._database.read(lambda db: db.generation)

    async def events(self, after: int, limit: int) -> list[Event] | MissedChanges:
        return await self._database.read(lambda db: changes.since(db, after, limit))

    async def changed(self, seconds: float) -> None:
        await self._announcements.wait(seconds)

    async def prune_changes(self, before: datetime) -> int:
        return await self._database.write(lambda db: changes.prune(db, to_micros(before)))

    async def export(self, after: int, limit: int) -> list[Record]:
        return await self._database.read(lambda db: transfer.export(db, after, limit))

    async def import_records(self, items: Sequence[tuple[Record, Embedded]]) -> list[Stored | ConflictError]:
        return await self._database.write(lambda db: transfer.import_records(db, items))

    async def copies_as(self) -> str | None:
        return None if await self._tool() is None else dumps.SUFFIX

    async def makes_no_copies(self) -> str:
        version = await self._database.read(statistics.server_version)
        tool = await asyncio.to_thread(self._dumps.tool, version)
        return "" if tool else self._dumps.lacks(version)

    async def backup(self, target: Path) -> None:
        await asyncio.to_thread(self._dumps.write, target, await self._tool_or_raise())

    async def verify_backup(self, source: Path) -> list[str]:
        return await asyncio.to_thread(dumps.verify, source, await self._tool_or_raise())

    async def restore(self, source: Path, aside: Path) -> None:
        del aside
        raise StoreError(dumps.restoring(self._dumps.url, source))

    async def _tool(self) -> Path | None:
        version = await self._database.read(statistics.server_version)
        return await asyncio.to_thread(self._dumps.tool, version)

    async def _tool_or_raise(self) -> Path:
        if (tool := await self._tool()) is None:
            fix = "install the server's version of pg_dump, or take sslpassword out of MCP_MEMORY_POSTGRES_URL"
            raise StoreError(f"{await self.makes_no_copies()}; {fix}")
        return tool

    async def acquire_lease(self, name: str, owner: str, seconds: float) -> bool:
        return await self._database.write(lambda db: writes.acquire_lease(db, name, owner, seconds))

    async def tidy(self) -> None:
        """Build the graphs of vectors that are not whole."""
        await self._database.run(graphs.mend)

    async def findings(self, namespace: str | None) -> dict[str, Finding]:
        """Report whether the database answers, and the state of its queue."""
        place = self._database.place
        try:
            counts = await self._database.read(lambda db: queue.counts(db, namespace), patience_s=LOOK_S)
        except StoreError as error:
            return {"store": Finding(Condition.FAILED, "unusable", *error.told())}
        return {"store": Finding(Condition.OK, "open", detail=place), "queue": of_queue(counts)}

    async def close(self) -> None:
        await self._announcements.close()
        await self._database.close()


def everywhere(db: PgSession) -> PgSession:
    """Let a transaction reach all namespaces: what waits for vectors, and their spaces, are the whole store's."""
    db.reach_all()
    return db


def from_settings(settings: Settings, *, creates: bool) -> Store:
    """Return the store of the database that the settings name; it is reached at the first call.

    Raises:
        SettingsError: they name none.
    """
    del creates  # a schema costs nothing, and its database is there already
    url = postgres_url(settings)
    direct = settings.postgres_direct_url or url
    return PostgresStore(
        PostgresDatabase(url, read_only=settings.read_only, direct_url=direct),
        Announcements(direct),
        socket.gethostname(),
        direct,
    )
