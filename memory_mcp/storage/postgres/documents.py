"""The documents in the memories' database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from memory_mcp.domain.models import Embedded, NewMemory
from memory_mcp.storage.documents.session import DocumentSession
from memory_mcp.storage.postgres.db import locks
from memory_mcp.storage.postgres.db.changes import log_change
from memory_mcp.storage.postgres.db.connection import PostgresDatabase
from memory_mcp.storage.postgres.db.entries import lock
from memory_mcp.storage.postgres.db.portable import PortableSql
from memory_mcp.storage.postgres.db.session import PgSession
from memory_mcp.storage.postgres.records import reads, writes
from memory_mcp.storage.postgres.records.filing import Filing

T = TypeVar("T")


class PostgresSession(PortableSql):
    """See `storage.documents.session.DocumentSession`; new memories are filed together, at the end."""

    def __init__(self, db: PgSession) -> None:
        super().__init__(db)
        self.filing: Final = Filing(db)

    def create(self, new: NewMemory, embedded: Embedded) -> int:
        return writes.create(self._db, self.filing, new, embedded)

    def delete(self, memories: Iterable[tuple[int, str, str]]) -> None:
        keys = [key for key, *_ in memories]
        if keys:
            self.filing.flush()
            lock(self._db, keys)
            writes.mark_deleted(self._db, list(reads.fetch(self._db, keys).values()))

    def add_tags(self, namespace: str, key: int, tags: Iterable[str]) -> None:
        writes.insert_tags(self._db, namespace, key, tags)

    def log_change(self, kind: str, namespace: str, ids: Iterable[str], tags: Iterable[str] = ()) -> None:
        log_change(self._db, kind, namespace, ids, tags)


class PostgresTransactions:
    """See `storage.documents.session.DocumentTransactions`."""

    def __init__(self, database: PostgresDatabase, machine: str) -> None:
        """Read and write a database that machines share; jobs and watched folders belong to one, by its name."""
        self._database = database
        self._machine = machine

    async def read(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        def reading(db: PgSession) -> T:
            _reach(db, namespace)
            db.execute("SELECT set_config('memory_mcp.machine', %s, true)", (self._machine,))
            return work(PostgresSession(db))

        return await self._database.read(reading)

    async def write(self, work: Callable[[DocumentSession], T], namespace: str | None) -> T:
        def writing(db: PgSession) -> T:
            _reach(db, namespace)
            db.execute(
                "SELECT set_config('memory_mcp.machine', %s, true), pg_advisory_xact_lock(%s)",
                (self._machine, locks.DOCUMENTS),
            )
            session = PostgresSession(db)
            done = work(session)
            session.filing.flush()
            return done

        return await self._database.write(writing)


def _reach(db: PgSession, namespace: str | None) -> None:
    if namespace is None:
        db.reach_all()
    else:
        db.reach(namespace)
